"""Video files: every frame once, at its own time, upright; what is broken is told, and nothing hangs, crashes or goes missing silently."""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seewhy.data.moving import MOST_PIXELS
from seewhy.data.turning import turned
from seewhy.data.video import VideoFile, facts, frames_of
from seewhy.errors import DataError
from videos import HEIGHT, MARK, WIDTH, number_in, numbered, write_video

av = pytest.importorskip("av")
DATA = os.environ.get("SEEWHY_DATA")
UNEVEN = (0, 40, 100, 120, 300, 340, 400, 1000, 1040, 1500)
"""Thousandths of a second at which frames are shown."""
EVEN = {"ticks": range(10), "base": Fraction(1, 25)}


def whole(path):
    """Return the number of frames that a file gives, and what is said of it."""
    video = VideoFile(Path(path))
    return len(list(video.shown())), " ".join(video.notes)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("a.mp4", {}),
        ("a.mov", {}),
        ("a.mkv", {}),
        ("late.mkv", {"start": 1400}),
        ("a.ts", {}),
        ("vp9.webm", {"codec": "libvpx-vp9"}),
        ("vp8.webm", {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "4"}}),
        ("a.avi", {"codec": "mpeg4", **EVEN}),
        ("b.avi", {"codec": "mjpeg", **EVEN}),
        ("sparse.avi", {"codec": "mjpeg"}),  # thousands of empty chunks between the frames
        ("bframes.avi", {"codec": "mpeg4", "options": {"bf": "2"}, **EVEN}),
        ("a.mpg", {"codec": "mpeg2video", **EVEN}),
    ],
)
def test_each_frame_comes_once_at_its_own_time(tmp_path, name, settings):
    uneven = "ticks" not in settings
    path = write_video(tmp_path / name, 10, **({"ticks": UNEVEN} | settings))
    seconds = [tick / 1000 for tick in UNEVEN] if uneven else [tick / 25 for tick in range(10)]
    found = list(frames_of(path))
    assert [number_in(frame.pixels) for frame in found] == list(range(10))
    assert [frame.number for frame in found] == list(range(10))
    assert [frame.seconds for frame in found] == pytest.approx(seconds, abs=6e-4)
    told = facts(path)
    assert (told.frames, told.size, told.variable) == (10, (HEIGHT, WIDTH), uneven)
    assert told.rate == pytest.approx(6 if uneven else 25)
    assert list(VideoFile(path).times()) == pytest.approx(seconds, abs=6e-4)
    assert whole(path) == (10, "")


def test_facts_of_an_even_mp4(tmp_path):
    told = facts(write_video(tmp_path / "a.mp4", 25))
    assert (told.frames, told.stated, told.codec, told.rotation, told.pixel) == (25, 25, "h264", 0, 1.0)
    assert (told.rate, told.seconds) == pytest.approx((25.0, 1.0))


@pytest.mark.parametrize(
    ("degrees", "corner"), [(0, (0, 0)), (90, (1, 0)), (180, (1, 1)), (-90, (0, 1)), (270, (0, 1))]
)
def test_frames_are_turned_upright(tmp_path, degrees, corner):
    path = write_video(tmp_path / "a.mp4", 2, rotation=degrees)
    pixels = next(frames_of(path)).pixels
    size = (WIDTH, HEIGHT) if degrees % 180 else (HEIGHT, WIDTH)
    told = facts(path)
    assert (pixels.shape[:2], told.size, told.rotation) == (size, size, degrees % 360)
    place = [8 if side == 0 else length - 8 for side, length in zip(corner, size, strict=True)]
    np.testing.assert_allclose(pixels[place[0], place[1]], MARK, atol=12)


@pytest.mark.parametrize(
    ("matrix", "by"),
    [
        ((-1, 0, 0, 1), Image.Transpose.FLIP_LEFT_RIGHT),
        ((1, 0, 0, -1), Image.Transpose.FLIP_TOP_BOTTOM),
        ((-1, 0, 0, -1), Image.Transpose.ROTATE_180),
        ((0, -1, 1, 0), Image.Transpose.ROTATE_90),
        ((0, 1, -1, 0), Image.Transpose.ROTATE_270),
        ((0, 1, 1, 0), Image.Transpose.TRANSPOSE),
        ((0, -1, -1, 0), Image.Transpose.TRANSVERSE),
    ],
)
def test_turns_and_mirrors_are_those_of_pillow(matrix, by):
    pixels = np.random.default_rng(0).integers(0, 255, (4, 7, 3), dtype=np.uint8)
    assert (turned(pixels, matrix) == np.asarray(Image.fromarray(pixels).transpose(by))).all()


def test_colours_of_bt709_and_bt601_come_back(tmp_path):
    """Red is another yuv in each; the file says in which it is."""
    red = np.full((32, 32, 3), (220, 20, 20), dtype=np.uint8)
    for number, space in ((1, "ITU709"), (5, "ITU601")):
        path = tmp_path / f"{space}.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width = stream.height = 32
            stream.pix_fmt = "yuv420p"
            stream.codec_context.options = {"crf": "0"}
            stream.codec_context.colorspace = number
            frame = av.VideoFrame.from_ndarray(red, format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace=space)))
            container.mux(stream.encode(None))
        np.testing.assert_allclose(next(frames_of(path)).pixels[16, 16], red[0, 0], atol=3)


def test_only_the_frames_wanted_are_converted_and_decoding_ends_with_the_last(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", 40, options={"bf": "0", "g": "5"})
    converted, decoded = [], []
    drawn, read = VideoFile._draw, VideoFile._decoded
    monkeypatch.setattr(
        VideoFile,
        "_draw",
        lambda self, frame, size: lambda longest: (converted.append(0), drawn(self, frame, size)(longest))[1],
    )
    monkeypatch.setattr(
        VideoFile, "_decoded", lambda self, *given: (decoded.append(0) or frame for frame in read(self, *given))
    )
    assert [number_in(frame.pixels) for frame in frames_of(path, (3, 17))] == [3, 17]
    assert (len(converted), len(decoded)) == (2, 18)
    assert list(frames_of(path, ())) == []


def test_frames_are_made_smaller_while_they_are_converted(tmp_path):
    small = next(frames_of(write_video(tmp_path / "a.mp4", 2, rotation=90), longest=64)).pixels
    assert small.shape == (64, 24, 3)
    large = numbered(0).astype(float)  # 2 x 2 pixels become one
    expected = np.rot90(large.reshape(HEIGHT // 2, 2, WIDTH // 2, 2, 3).mean(axis=(1, 3)))
    assert np.abs(small - expected).mean() < 4


def test_a_second_stream_of_sound_and_a_cover_are_no_frames(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.rate = 44100
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(DataError, match="no moving pictures in it, only audio"):
        facts(path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("text.mp4", b"hello " * 100, "not a video of a kind"),
        ("empty.mp4", b"", "is empty"),
        ("list.mp4", b"#EXTM3U\n#EXTINF:10,\nfile:///etc/hostname\n", "not a video of a kind"),
        ("concat.mkv", b"ffconcat version 1.0\nfile /etc/hostname\n", "not a video of a kind"),
        (
            "sdp.mp4",
            b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
            "not a video of a kind",
        ),
        ("head.mp4", b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "broken or cut short"),
    ],
)
def test_what_is_no_video_is_one_line(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says) as caught:
        list(frames_of(tmp_path / name))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_and_nothing_are_refused(tmp_path):
    with pytest.raises(DataError, match="is a folder; a video was wanted"):
        facts(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        facts(tmp_path / "none.mp4")


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_a_file_without_frames_is_refused(tmp_path, name):
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        container.start_encoding()
    with pytest.raises(DataError, match=r"no moving pictures|broken or cut short|no frames"):
        facts(tmp_path / name)


def test_an_mp4_without_its_index_is_refused(tmp_path):
    path = write_video(tmp_path / "a.mp4", 20)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="broken or cut short"):
        facts(path)


@pytest.mark.parametrize("share", [0.6, 0.8, 0.95])
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("a.mp4", {"options": {"g": "10"}, "container_options": {"movflags": "+faststart"}}),
        ("a.avi", {"codec": "mjpeg", "ticks": range(100), "base": Fraction(1, 25)}),
    ],
)
def test_of_a_file_that_is_cut_the_frames_are_read_that_are_there(tmp_path, name, settings, share):
    path = write_video(tmp_path / name, 100, **settings)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    video = VideoFile(path)
    found = [number_in(shown.draw(None)) for shown in video.shown()]
    assert 10 < len(found) < 100
    sound = found[: len(found) - 1]  # the last one may be half of a frame
    assert sound == list(range(len(sound)))
    told = " ".join(video.notes)
    there = facts(path).frames
    assert f"the header tells of 100 frames, and {there} are there" in told
    assert len(found) == there or f"of {there} frames in it {there - len(found)} cannot be decoded" in told


def test_a_matroska_file_that_is_cut_says_how_much_is_missing(tmp_path):
    path = write_video(tmp_path / "a.mkv", 100, options={"g": "10"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    count, told = whole(path)
    assert 10 < count < 90
    assert f"frames end at {(facts(path).frames - 1) / 25:.1f} of 4.0 seconds" in told


def test_garbled_packets_cost_their_frames_and_are_told_alike_in_every_run(tmp_path):
    path = write_video(tmp_path / "a.mp4", 100, options={"g": "10"})
    data = bytearray(path.read_bytes())
    random = np.random.default_rng(0)
    begin, end = data.index(b"mdat") + 1000, data.index(b"moov") - 1000
    for place in random.integers(begin, end, 12):
        data[place : place + 30] = random.integers(0, 256, 30, dtype=np.uint8).tobytes()
    path.write_bytes(data)
    runs = []
    for _ in range(3):
        video = VideoFile(path)
        pixels = [shown.draw(None) for shown in video.shown()]
        runs.append((len(pixels), video.notes, sum(int(frame.sum()) for frame in pixels)))
    assert runs[0] == runs[1] == runs[2]
    assert 50 < runs[0][0] <= 100
    assert "damaged" in " ".join(runs[0][1])


def patched(path, *changes):
    data = path.read_bytes()
    for old, new in changes:
        assert old in data
        data = data.replace(old, new)
    path.write_bytes(data)
    return path


def test_a_codec_that_is_not_there(tmp_path):
    path = patched(
        write_video(tmp_path / "a.avi", 3, codec="mjpeg", ticks=range(3), base=Fraction(1, 25)), (b"MJPG", b"QQQQ")
    )
    with pytest.raises(DataError, match="no decoder for its codec"):
        facts(path)


def test_frames_that_claim_to_be_gigantic_are_not_decoded(tmp_path):
    """The header of each JPEG states 30000 x 30000; so does that of the file."""
    side = 30_000
    assert side * side > MOST_PIXELS
    small = HEIGHT.to_bytes(2, "big") + WIDTH.to_bytes(2, "big")
    header = WIDTH.to_bytes(4, "little") + HEIGHT.to_bytes(4, "little")
    path = write_video(tmp_path / "a.avi", 3, codec="mjpeg", ticks=range(3), base=Fraction(1, 25))
    patched(path, (small, 2 * side.to_bytes(2, "big")), (header, 2 * side.to_bytes(4, "little")))
    with pytest.raises(DataError, match=r"30000 x 30000; at most 67 million|no frame in it can be decoded|no frames"):
        list(frames_of(path))


@pytest.mark.skipif(DATA is None, reason="SEEWHY_DATA is not set")
@pytest.mark.parametrize(
    ("name", "frames", "rate"),
    [
        ("vtest.avi", 795, 10),
        ("demo.mp4", 280, 28),
        ("v_SoccerJuggling_g23_c01.avi", 240, 30_000 / 1001),
        ("RATRACE_wave_f_nm_np1_fr_goo_37.avi", 72, 30),
        ("hmdb51_Turnk_r_Pippi_Michel_cartwheel_f_cm_np2_le_med_6.avi", 83, 30),  # its title is in no known encoding
    ],
)
def test_real_videos_are_read_to_the_last_frame(name, frames, rate):
    path = Path(DATA or "", "video", name)
    told = facts(path)
    assert (told.frames, told.variable) == (frames, False)
    assert told.rate == pytest.approx(rate)
    times = [shown.seconds for shown in VideoFile(path).shown()]
    assert times == pytest.approx([number / rate for number in range(frames)], abs=1e-3)
    assert whole(path)[1] == ""
