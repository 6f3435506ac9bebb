"""Clips: exactly the frames that are asked for, windows that cover everything in one pass, and memory that ends with the window."""

import tracemalloc
import weakref
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from seewhy.data.clips import read_clip, spread, window_count, windows
from seewhy.data.moving import Moving, Shown
from seewhy.data.video import VideoFile, facts
from seewhy.errors import ConfigError, DataError
from videos import number_in, numbered, write_video

UNEVEN = (0, 40, 100, 120, 300, 340, 400, 1000, 1040, 1500)


class Counted(Moving):
    """Numbered frames in memory that count passes, decoded frames, conversions, and the most that are alive at once."""

    def __init__(self, count, size=None):
        super().__init__("counted")
        self.count, self.size = count, size
        self.passes = self.decoded = self.converted = self.most = 0
        self.alive = weakref.WeakSet()

    def shown(self):
        self.passes += 1
        for number in range(self.count):
            self.decoded += 1
            shown = Shown(number, number / 25, self._draw(number))
            self.alive.add(shown)
            self.most = max(self.most, len(self.alive))
            yield shown
            del shown

    def _draw(self, number):
        def draw(longest):
            self.converted += 1
            return numbered(number) if self.size is None else np.full((*self.size, 3), number % 256, np.uint8)

        return draw

    def times(self):
        return [number / 25 for number in range(self.count)]

    @property
    def rate(self):
        return 25.0


@pytest.fixture(scope="module")
def uneven(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("clips") / "a.mp4", 10, ticks=UNEVEN)


def said(clip):
    """Return the numbers that the frames of a clip say themselves."""
    return tuple(number_in(frame) for frame in clip.frames)


def test_spread_is_the_middles_of_equal_parts():
    assert spread(10, 5) == (1, 3, 5, 7, 9)
    assert spread(795, 3) == (132, 397, 662)
    assert spread(7, 1) == (3,)
    assert spread(4, 4) == (0, 1, 2, 3)
    for count in range(1, 60):
        for frames in range(1, count + 1):
            middles = [int(np.floor((part + 0.5) * count / frames + 1e-9)) for part in range(frames)]
            assert list(spread(count, frames)) == middles
            assert len(set(middles)) == frames


def test_spread_stride_start_and_end(uneven):
    for asked, numbers in [
        ({"frames": 5}, (1, 3, 5, 7, 9)),
        ({"frames": 3, "stride": 3}, (0, 3, 6)),
        ({"frames": 3, "stride": 2, "start": 0.1}, (2, 4, 6)),
        ({"frames": 3, "stride": 1, "start": 0.11}, (3, 4, 5)),
        ({"frames": 2, "end": 0.12}, (0, 2)),  # 0, 0.04 and 0.1 seconds
        ({"frames": 3, "start": 0.3, "end": 1.01}, (4, 6, 7)),  # frames 4 to 7
        ({"frames": 1, "start": 1.5}, (9,)),
    ]:
        clip = read_clip(uneven, **asked)
        assert clip.numbers == numbers == said(clip), asked
        assert clip.seconds == pytest.approx([UNEVEN[number] / 1000 for number in numbers]), asked
        assert clip.notes == ()


def test_rate_is_measured_between_the_frames_of_the_clip(uneven):
    assert read_clip(uneven, 2, 7).rate == pytest.approx(7 / 1.0)
    assert read_clip(uneven, 1).rate == pytest.approx(25, rel=0.8)


def test_a_strided_clip_decodes_no_more_than_it_needs():
    source = Counted(1000)
    clip = read_clip(source, 4, 5, start=2.0)
    assert clip.numbers == (50, 55, 60, 65)
    assert (source.passes, source.decoded, source.converted) == (1, 66, 4)


def test_a_spread_clip_is_one_pass_and_converts_only_its_frames():
    source = Counted(200)
    clip = read_clip(source, 8)
    assert clip.numbers == (12, 37, 62, 87, 112, 137, 162, 187) == said(clip)
    assert (source.passes, source.decoded, source.converted) == (1, 188, 8)


def test_where_a_file_gives_fewer_frames_than_it_holds_they_are_spread_over_those():
    class Broken(Counted):
        def times(self):
            return [number / 25 for number in range(100)]

    source = Broken(40)
    assert read_clip(source, 4).numbers == spread(40, 4)
    assert source.passes == 2


@pytest.mark.parametrize("stride", [None, 2])
def test_too_few_frames(stride):
    there = 5 if stride is None else 3
    with pytest.raises(DataError, match=rf"counted: 8 frames are wanted, and there are {there}; .*short='repeat'"):
        read_clip(Counted(5), 8, stride)
    held = read_clip(Counted(5), 8, stride, short="repeat")
    looped = read_clip(Counted(5), 8, stride, short="loop")
    once = tuple(range(0, 5, stride or 1))
    assert held.numbers == (*once, *[4] * (8 - there)) == said(held)
    assert looped.numbers == (*once, *once, *once)[:8] == said(looped)
    assert "the last one is repeated" in held.notes[0]
    assert "looped" in looped.notes[0]


def test_what_makes_no_clip_is_refused():
    for asked in (
        {"frames": 0},
        {"frames": True},
        {"frames": 4, "stride": 0},
        {"frames": 4, "short": "x"},
        {"frames": 4, "start": 2.0, "end": 1.0},
    ):
        with pytest.raises(ConfigError):
            read_clip(Counted(9), **asked)
    with pytest.raises(DataError, match="no frames in the time"):
        read_clip(Counted(9), 4, start=100.0)
    with pytest.raises(DataError, match="do not fit into 4 GiB"):
        read_clip(Counted(900, (1000, 1000)), 2000, 1, short="repeat")


@pytest.mark.parametrize("count", [1, 7, 8, 9, 15, 16, 40, 41, 47])
@pytest.mark.parametrize(("stride", "step"), [(None, None), (1, 8), (1, 3), (2, 5), (3, 24), (2, None)])
def test_windows_cover_all_frames_in_one_pass(count, stride, step):
    source = Counted(count)
    found = list(windows(source, 8, stride, step, short="repeat"))
    span, apart = 7 * (stride or 1) + 1, step or 4 * (stride or 1)
    assert source.passes == 1
    assert source.decoded == count
    assert len(found) == window_count(count, 8, stride, step)
    if count < span:
        assert len(found) == 1
        return
    begins = [clip.numbers[0] for clip in found]
    assert begins == sorted({*range(0, count - span + 1, apart), count - span})
    assert found[-1].numbers[-1] == count - 1
    for clip in found:
        assert clip.numbers == tuple(range(clip.numbers[0], clip.numbers[0] + span, stride or 1)) == said(clip)
    assert source.converted == len({number for clip in found for number in clip.numbers})  # each at most once


def test_frames_alive_are_those_of_one_window():
    source = Counted(3000)
    for _ in windows(source, 8, 4):
        pass
    assert source.decoded == 3000
    assert source.most <= 7 * 4 + 1 + 2


def test_memory_does_not_grow_with_the_video():
    """200 and 2000 frames of 120 kB: the peak is that of a window of 16, held once as frames and once stacked."""
    peaks = []
    for count in (200, 2000):
        tracemalloc.start()
        for _ in windows(Counted(count, (200, 200)), 16, 1):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 4 * 16 * 200 * 200 * 3


def test_windows_of_a_real_file_between_two_times(tmp_path):
    path = write_video(tmp_path / "a.mp4", 50)
    found = list(windows(path, 8, 2, start=0.2, end=1.7))  # frames 5 to 42
    assert [clip.numbers[0] for clip in found] == [5, 13, 21, 28]
    assert found[-1].numbers[-1] == 42
    for clip in found:
        assert said(clip) == clip.numbers
        assert clip.seconds == pytest.approx([number / 25 for number in clip.numbers])


def test_steps_that_would_leave_frames_out_are_refused_at_once():
    with pytest.raises(ConfigError, match="1 to 8 frames after one another, got a step of 9"):
        windows(Counted(50), 8, 1, 9)


def test_what_is_lost_is_in_the_notes(tmp_path):
    path = write_video(tmp_path / "a.avi", 60, codec="mjpeg", ticks=range(60), base=Fraction(1, 25))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    there = facts(path).frames  # the last one is cut in two and cannot be decoded
    assert len(list(VideoFile(path).shown())) == there - 1
    clip = read_clip(path, 8)
    assert clip.numbers == spread(there, 8) == said(clip)
    assert f"the header tells of 60 frames, and {there} are there" in " ".join(clip.notes)
    assert "the header tells" in " ".join(list(windows(path, 8))[-1].notes)


def test_large_frames_are_made_smaller_and_a_note_says_so(tmp_path):
    path = write_video(tmp_path / "a.mp4", 8)
    clip = read_clip(path, 4, longest=64)
    assert clip.size == (24, 64)
    assert clip.numbers == said(clip)
    assert "from 128 x 48 to 64 x 24" in clip.notes[0]


def test_folders_lists_and_arrays_are_sampled_alike(tmp_path):
    frames = [numbered(number) for number in range(12)]
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / f"frame{number}.png")
    floats = np.stack(frames).transpose(0, 3, 1, 2) / 255
    for source in (
        tmp_path,
        str(tmp_path),
        [Image.fromarray(frame) for frame in frames],
        np.stack(frames),
        floats.astype(np.float32),
    ):
        clip = read_clip(source, 4)
        assert clip.numbers == (1, 4, 7, 10) == said(clip)
        assert clip.seconds == pytest.approx([number / 25 for number in clip.numbers])
        assert [one.numbers for one in windows(source, 8)] == [tuple(range(8)), tuple(range(4, 12))]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "late.mkv", "a.ts", "open.mp4", "a.webm", "a.avi"])
def test_a_late_start_gives_the_same_frames_and_decodes_few_of_those_before(tmp_path, monkeypatch, name):
    settings = {
        "late.mkv": {"start": 1400},
        "open.mp4": {"options": {"g": "25", "x264-params": "open-gop=1:bframes=3"}},
        "a.webm": {"codec": "libvpx", "options": {"g": "25", "auto-alt-ref": "1", "lag-in-frames": "4"}},
        "a.avi": {"codec": "mpeg4", "ticks": range(200), "base": Fraction(1, 25), "options": {"g": "25", "bf": "2"}},
    }.get(name, {})
    path = write_video(tmp_path / name, 200, **({"options": {"g": "25", "bf": "2"}} | settings))
    decoded = []
    read = VideoFile._decoded
    monkeypatch.setattr(
        VideoFile, "_decoded", lambda self, *given: (decoded.append(0) or frame for frame in read(self, *given))
    )
    for start in (0.0, 3.99, 4.0, 6.43):
        first = int(np.ceil(start * 25 - 1e-9))
        for asked, numbers in [
            ({"frames": 4, "stride": 2}, tuple(range(first, first + 8, 2))),
            ({"frames": 3, "end": start + 0.6}, tuple(first + place for place in spread(15, 3))),
        ]:
            decoded.clear()
            clip = read_clip(path, start=start, **asked)
            assert clip.numbers == numbers == said(clip)
            assert clip.seconds == pytest.approx([number / 25 for number in numbers], abs=2e-3)
            assert clip.notes == ()
            assert len(decoded) <= (200 if name in {"a.avi", "a.ts"} else 60)  # these two are read from the beginning
    begins = [clip.numbers[0] for clip in windows(path, 8, start=6.0)]
    assert begins == [*range(150, 191, 4), 192]


def test_a_late_start_in_a_file_whose_index_leads_elsewhere_is_read_from_the_beginning(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", 100, options={"g": "25"})
    seen = VideoFile._shown_behind
    monkeypatch.setattr(
        VideoFile, "_shown_behind", lambda self, key: (one for one in seen(self, key) if one.number > 90)
    )
    clip = read_clip(path, 3, 1, start=2.0)
    assert clip.numbers == (50, 51, 52) == said(clip)
