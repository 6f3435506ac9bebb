"""Moving pictures of a clip: the playhead stands where the frame is, one scale holds for all frames, sheets hold the right ones."""

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from seewhy.errors import ShapeError
from seewhy.render.reel import ACCENT, Reel, strongest_frames, uniform_frames, write_reel


def reel_of(seconds=(0.0, 1.0, 2.0, 4.0), importance=(0.0, 1.0, 3.0, 2.0), maps=None, **options):
    count = len(importance)
    frames = np.full((count, 60, 80, 3), 120, np.uint8)
    frames += (10 * np.arange(count, dtype=np.uint8))[:, None, None, None]
    maps = np.zeros((count, 60, 80)) if maps is None else maps
    numbers = [10 * number for number in range(count)]
    options = {"signed": False, "limit": 1.0} | options
    return Reel(frames, maps, seconds, numbers, np.array(importance), **options)


def test_the_playhead_stands_where_the_frame_lies_in_time():
    reel = reel_of()
    places = [reel.playhead(frame) for frame in range(4)]
    shares = (np.array(places) - places[0]) / (places[3] - places[0])
    assert shares == pytest.approx([0, 0.25, 0.5, 1.0])
    for frame in range(4):
        column = np.asarray(reel.curve(frame))[:, round(places[frame])].astype(int)
        dark = (column.sum(axis=1) < 150).sum()
        assert dark > 20  # the line is drawn in this column
        elsewhere = [round(places[other]) for other in range(4) if other != frame]
        assert all((np.asarray(reel.curve(frame))[30:, x].astype(int).sum(axis=1) < 150).sum() < 20 for x in elsewhere)


def test_the_point_on_the_curve_is_as_high_as_the_value():
    reel = reel_of()
    heights = []
    for frame in range(4):
        drawn = np.asarray(reel.curve(frame)).astype(int)
        x = round(reel.playhead(frame))
        strip = drawn[:, x - 3 : x + 4]
        found = np.argwhere(np.abs(strip - np.array(ACCENT)).sum(axis=2) < 12)[:, 0]
        heights.append(-float(np.median(found)))
    lowest, _, highest, _ = heights
    assert (np.array(heights) - lowest) / (highest - lowest) == pytest.approx([0, 1 / 3, 1, 2 / 3], abs=0.06)


def test_the_stamp_says_time_number_and_nothing_else():
    assert reel_of().stamp(2) == "2.00 s, frame 20"
    assert reel_of(seconds=None).stamp(2) == "frame 20"


def test_one_scale_for_all_frames():
    maps = np.zeros((4, 60, 80))
    maps[1], maps[2] = 0.5, 1.0
    reel = reel_of(maps=maps)
    alone = reel_of(maps=np.where(maps > 0, 0.5, 0.0))
    weak = np.asarray(reel.overlaid(1))
    assert np.array_equal(
        weak, np.asarray(alone.overlaid(1))
    )  # the same value looks the same, whatever the other frames hold
    assert not np.array_equal(weak - 10, np.asarray(reel.overlaid(2)))


def test_frames_of_a_sheet():
    importance = np.array([0.0, 5.0, 1.0, 5.0, 9.0])
    assert strongest_frames(importance, 3) == [4, 1, 3]  # the earlier of equals first
    assert strongest_frames(-importance, 3) == [4, 1, 3]  # what speaks against it is strong, too
    assert uniform_frames(5, 3) == [0, 2, 4]
    assert uniform_frames(2, 6) == [0, 1]
    assert reel_of().picked(2, 2) == [("strongest", [2, 3]), ("evenly", [0, 3])]
    assert reel_of().picked(1, 0) == [("strongest", [2])]


def test_the_pace_can_be_watched():
    assert reel_of(seconds=(0.0, 10.0, 20.0, 30.0)).shown_at == pytest.approx([0, 0.5, 1.0, 1.5])
    fast = reel_of(seconds=(0.0, 0.04, 0.08, 0.12))
    assert fast.shown_at[-1] == pytest.approx(1.5)  # four frames are not over in an eighth of a second
    assert fast.speed == pytest.approx(0.08)
    real = reel_of(seconds=tuple(n / 4 for n in range(16)), importance=np.arange(16.0))
    assert real.speed == pytest.approx(1.0)
    held = reel_of(seconds=(0.0, 1.0, 1.0, 1.0))
    assert all(b > a for a, b in pairwise(held.shown_at))


def test_moving_pictures_are_all_of_one_size_and_hold_frame_and_map():
    reel = reel_of()
    images = list(reel.images())
    assert len({image.size for image in images}) == 1
    left = (reel.width - 2 * 80 - 8) // 2
    for number, image in enumerate(images):
        row = next(y for y in range(200) if image.getpixel((left + 5, y)) == (120 + 10 * number,) * 3)
        assert image.getpixel((left + 79, row + 30)) == (120 + 10 * number,) * 3


def test_movie_and_preview_hold_every_frame(tmp_path):
    av = pytest.importorskip("av")
    reel = reel_of()
    write_reel(tmp_path / "a.mp4", reel)
    write_reel(tmp_path / "a.webp", reel)
    with av.open(str(tmp_path / "a.mp4")) as container:
        frames = list(container.decode(video=0))
        assert [float(frame.time) for frame in frames] == pytest.approx(reel.shown_at, abs=1e-3)
        assert container.streams.video[0].codec_context.name == "h264"
        first = frames[2].to_ndarray(format="rgb24").astype(int)
        wanted = np.asarray(list(reel.images())[2]).astype(int)
        assert np.abs(first[: wanted.shape[0], : wanted.shape[1]] - wanted).mean() < 4
    with Image.open(tmp_path / "a.webp") as preview:
        assert preview.n_frames == 4
    assert (tmp_path / "a.webp").stat().st_size <= 2_000_000


@pytest.mark.door
def test_numbers_of_frames_and_maps_must_agree():
    with pytest.raises(ShapeError, match="as many maps"):
        reel_of(maps=np.zeros((3, 60, 80)))
