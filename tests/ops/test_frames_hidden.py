"""What is shown in the place of frames that are hidden, by pencil."""

import pytest
import torch

from seewhy.errors import ConfigError, DataError
from seewhy.ops.frames import even, held, parts_of, repeated, runs_of, stand_ins, swapped_in


def clip_of(*values):
    """Return a clip (1, t, 2, 2) of one value a frame."""
    return torch.tensor(values)[None, :, None, None].expand(1, -1, 2, 2).clone()


def values_of(clip):
    assert torch.equal(clip, clip[:, :, :1, :1].expand_as(clip))
    return clip[0, :, 0, 0].tolist()


CLIP = clip_of(1.0, 2.0, 4.0, 8.0, 16.0)
EACH = tuple((frame, frame + 1) for frame in range(5))


def test_a_frozen_frame_is_the_one_before_and_the_first_the_one_after():
    assert values_of(stand_ins(CLIP, EACH, "freeze")) == [2, 1, 2, 4, 8]


def test_an_interpolated_frame_is_the_middle_of_its_neighbours():
    assert values_of(stand_ins(CLIP, EACH, "interpolate")) == [2, 2.5, 5, 10, 8]


@pytest.mark.parametrize(
    ("run", "frozen", "between"),
    [
        ((1, 4), [1, 1, 1, 1, 16], [1, 4.75, 8.5, 12.25, 16]),
        ((0, 2), [4, 4, 4, 8, 16], [4, 4, 4, 8, 16]),
        ((3, 5), [1, 2, 4, 4, 4], [1, 2, 4, 4, 4]),
    ],
)
def test_a_run_is_held_at_one_frame_or_goes_in_equal_steps(run, frozen, between):
    assert values_of(stand_ins(CLIP, [run], "freeze")) == frozen
    assert values_of(stand_ins(CLIP, [run], "interpolate")) == pytest.approx(between)


def test_blur_stays_within_each_frame_and_keeps_what_is_even():
    torch.testing.assert_close(stand_ins(CLIP, EACH, "blur"), CLIP)
    spot = torch.zeros(1, 3, 20, 20)
    spot[0, 1, 10, 10] = 1.0
    blurred = stand_ins(spot, EACH[:3], "blur")
    assert not blurred[0, [0, 2]].any()
    assert float(blurred[0, 1].sum()) == pytest.approx(1)
    assert float(blurred[0, 1].max()) < 0.1


def test_clips_are_never_written_into():
    before = CLIP.clone()
    swapped_in(CLIP, even(CLIP), (1, 3))[:] = 9
    held(CLIP, 2)[:] = 9
    repeated(CLIP, 2)[:] = 9
    stand_ins(CLIP, EACH, "freeze")[:] = 9
    assert torch.equal(CLIP, before)


def test_held_repeated_and_even():
    assert values_of(held(CLIP, 1)) == [1, 2, 2, 2, 2]
    assert values_of(repeated(CLIP, 3)) == [8] * 5
    assert values_of(even(CLIP)) == pytest.approx([6.2] * 5)
    assert values_of(swapped_in(CLIP, 0 * CLIP, (1, 3))) == [1, 0, 0, 8, 16]


def test_windows_reach_the_end_and_parts_cover_all():
    assert runs_of(16, 4, 2)[-1] == (12, 16)
    assert runs_of(10, 4, 4) == ((0, 4), (4, 8), (6, 10))
    assert parts_of(16, 5) == ((0, 3), (3, 6), (6, 10), (10, 13), (13, 16))
    assert parts_of(3, 3) == ((0, 1), (1, 2), (2, 3))


@pytest.mark.door
def test_what_makes_no_sense_is_refused():
    with pytest.raises(DataError, match="none is left"):
        stand_ins(CLIP, [(0, 5)], "freeze")
    with pytest.raises(ConfigError, match="freeze, interpolate, blur"):
        stand_ins(CLIP, EACH, "paint")
    for width, stride in ((0, 1), (5, 1), (3, 4), (3, 0)):
        with pytest.raises(ConfigError, match="a window has from 1 to 4"):
            runs_of(5, width, stride)
    with pytest.raises(ConfigError, match="from 2 to 5 segments"):
        parts_of(5, 6)
