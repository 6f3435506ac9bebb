"""Movies and previews: every frame at its time, sizes even by the edge, bytes within the limit, whole files or none."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seewhy.data.animation import Animation
from seewhy.data.video import facts, frames_of
from seewhy.errors import ConfigError, DataError, MissingExtra
from seewhy.render import movie
from seewhy.render.movie import even, write_movie
from seewhy.render.preview import MOST_FRAMES, write_preview
from videos import number_in, numbered

av = pytest.importorskip("av")
UNEVEN = (0, 0.04, 0.1, 0.12, 0.3, 0.34, 0.4, 1.0, 1.04, 1.5)


def smooth(count, height=60, width=92):
    """Yield frames whose brightness tells their number; smooth, as codecs like them."""
    y, x = np.mgrid[0:height, 0:width]
    for number in range(count):
        yield (
            np.stack([x * 2 + number, y * 3, 40 + 15 * np.sin((x + 3 * number) / 9)], axis=-1)
            .clip(0, 255)
            .astype(np.uint8)
        )


def test_a_movie_has_its_frames_at_their_times(tmp_path):
    path = write_movie(tmp_path / "a.mp4", map(numbered, range(10)), seconds=UNEVEN)
    found = list(frames_of(path))
    assert [number_in(frame.pixels) for frame in found] == list(range(10))
    assert [frame.seconds for frame in found] == pytest.approx(UNEVEN, abs=1e-4)
    told = facts(path)
    assert told.seconds == pytest.approx(1.5 + 0.46)  # the last frame is shown as long as the one before
    assert told.size == (48, 128)


def test_times_begin_with_the_first_frame(tmp_path):
    path = write_movie(tmp_path / "a.mp4", smooth(3), seconds=[7.0, 7.5, 7.6])
    assert [frame.seconds for frame in frames_of(path)] == pytest.approx([0, 0.5, 0.6], abs=1e-4)


@pytest.mark.parametrize("rate", [10, 25, 30_000 / 1001, 0.5])
def test_a_rate(tmp_path, rate):
    told = facts(write_movie(tmp_path / "a.mp4", smooth(6), rate=rate))
    assert (told.frames, told.variable) == (6, False)
    assert (told.rate, told.seconds) == pytest.approx((rate, 6 / rate), rel=1e-4)


def test_one_frame_is_a_movie(tmp_path):
    told = facts(write_movie(tmp_path / "a.mp4", smooth(1), rate=10))
    assert (told.frames, told.seconds) == (1, pytest.approx(0.1))


def test_pixels_come_back_within_the_error_of_the_codec(tmp_path):
    errors = {}
    for quality in (0, 20, 40):
        path = write_movie(tmp_path / "a.mp4", smooth(8), quality=quality, force=True)
        found = np.stack([frame.pixels for frame in frames_of(path)])
        errors[quality] = np.abs(found.astype(int) - np.stack(list(smooth(8)))).mean()
    assert (
        errors[0] < 1.6
    )  # without loss but for colour at half of the resolution, and a fast conversion that rounds down
    assert errors[20] < 2.2
    assert errors[0] < errors[20] < errors[40]


def test_browsers_can_play_it(tmp_path):
    path = write_movie(tmp_path / "a.mp4", smooth(5))
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # the index comes first
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (
            1,
            1,
            1,
            1,
        )  # BT.709, 16 to 235


def test_odd_sizes_repeat_the_edge(tmp_path):
    assert even(np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)).shape == (2, 4, 3)
    frame = np.full((31, 45, 3), 30, dtype=np.uint8)
    frame[-1], frame[:, -1] = 220, 220
    padded = even(frame)
    assert (padded[-1] == padded[-2]).all()
    assert (padded[:, -1] == padded[:, -2]).all()
    found = next(frames_of(write_movie(tmp_path / "a.mp4", [frame], quality=0))).pixels
    assert found.shape == (32, 46, 3)
    assert found[-2:, :, 1].min() > 200  # no black line


def test_large_frames_are_made_smaller(tmp_path):
    told = facts(write_movie(tmp_path / "a.mp4", smooth(2, 300, 500), longest=201))
    assert told.size == (120, 200)


def test_pictures_are_frames(tmp_path):
    path = write_movie(tmp_path / "a.mp4", (Image.fromarray(frame).convert("RGBA") for frame in smooth(3)))
    assert facts(path).frames == 3


def alive(path, frames):
    """Yield frames and count how many are taken while the file is not there yet."""
    for frame in frames:
        assert not path.exists()
        yield frame


def test_the_file_is_there_once_it_is_whole_and_not_at_all_after_a_failure(tmp_path):
    path = tmp_path / "a.mp4"
    write_movie(path, alive(path, smooth(5)))
    old = path.read_bytes()
    with pytest.raises(DataError, match="exists and is kept"):
        write_movie(path, smooth(5))

    def failing():
        yield from smooth(5)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        write_movie(path, failing(), force=True)
    assert path.read_bytes() == old
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.door
@pytest.mark.parametrize("write", [write_movie, write_preview])
@pytest.mark.parametrize(
    ("frames", "asked", "says"),
    [
        ([], {}, "no frames to write"),
        ([np.zeros((4, 6, 3), np.uint8), np.zeros((6, 4, 3), np.uint8)], {}, "frame 0 is 6 x 4, frame 1 4 x 6"),
        ([np.zeros((4, 6), np.uint8)], {}, r"frame 0 is uint8 \(4, 6\)"),
        ([np.zeros((4, 6, 3))], {}, "frame 0 is float64"),
        ([3], {}, "frame 0 is int"),
        ([np.zeros((4, 6, 3), np.uint8)] * 3, {"seconds": [0, 1]}, "frame 2 has no time"),
        ([np.zeros((4, 6, 3), np.uint8)] * 3, {"seconds": [0, 1, 1]}, "frame 2 comes at 1 s, not after"),
    ],
)
def test_what_is_no_movie_is_one_line_and_leaves_nothing(tmp_path, write, frames, asked, says):
    name = "a.mp4" if write is write_movie else "a.webp"
    with pytest.raises(DataError, match=says) as caught:
        write(tmp_path / name, iter(frames), **asked)
    assert name in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_settings_out_of_range(tmp_path):
    for asked in ({"rate": 0}, {"rate": -1}, {"rate": float("nan")}, {"quality": 52}):
        with pytest.raises(ConfigError):
            write_movie(tmp_path / "a.mp4", smooth(2), **asked)
    with pytest.raises(ConfigError, match=r"ends in \.webp or \.gif"):
        write_preview(tmp_path / "a.mp4", smooth(2))
    with pytest.raises(DataError, match="no folder"):
        write_movie(tmp_path / "none" / "a.mp4", smooth(2))


def test_a_build_without_the_codec(tmp_path, monkeypatch):
    monkeypatch.setattr(movie, "ENCODERS", ("no-such-codec",))
    with pytest.raises(MissingExtra, match=r"cannot write H\.264.*\.webp"):
        write_movie(tmp_path / "a.mp4", smooth(2))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ["webp", "gif"])
def test_a_preview_has_its_frames_at_their_times(tmp_path, ending):
    path = write_preview(tmp_path / f"a.{ending}", map(numbered, range(10)), seconds=UNEVEN)
    found = list(Animation(path).shown())
    assert [number_in(frame.draw(None)) for frame in found] == list(range(10))
    assert [frame.seconds for frame in found] == pytest.approx(UNEVEN, abs=1e-3)
    with Image.open(path) as image:
        assert image.info.get("loop", 1) == 0  # for ever


@pytest.mark.parametrize("ending", ["webp", "gif"])
def test_a_preview_keeps_its_limit_by_smaller_and_then_fewer_frames(tmp_path, ending):
    random = np.random.default_rng(0)
    noise = [random.integers(0, 256, (75, 120, 3), dtype=np.uint8) for _ in range(12)]
    sizes = []
    whole = write_preview(tmp_path / f"whole.{ending}", noise, rate=10).stat().st_size
    for limit in (whole, whole * 9 // 10, whole // 8):
        path = write_preview(tmp_path / f"a.{ending}", noise, rate=10, limit=limit, force=True)
        assert path.stat().st_size <= limit
        with Image.open(path) as image:
            sizes.append((image.width, image.n_frames))
    assert sizes[0] == (120, 12)
    assert 96 <= sizes[1][0] < 120
    assert sizes[2][1] < 12
    with pytest.raises(DataError, match="not even one frame"):
        write_preview(tmp_path / f"b.{ending}", noise, limit=100)


def test_a_preview_of_a_long_video_holds_few_frames_and_plays_as_long(tmp_path):
    held = []

    def counted():
        for number in range(700):
            held.append(number)
            yield numbered(number)

    path = write_preview(tmp_path / "a.webp", counted(), rate=10, longest=64)
    animation = Animation(path)
    found = [number_in(shown.draw(None)) for shown in animation.shown()]
    assert MOST_FRAMES // 2 <= len(found) <= MOST_FRAMES
    assert found == [number % 256 for number in range(0, 700, 8)]
    assert animation.times()[-1] == pytest.approx(69.6)


def test_previews_are_small_enough_for_messages(tmp_path):
    path = write_preview(Path(tmp_path, "a.webp"), smooth(10, 480, 640))
    assert path.stat().st_size < 2_000_000
    assert Image.open(path).size == (480, 360)
