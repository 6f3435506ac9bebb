"""Frames that are pictures of their own: order, sizes, ranges."""

import numpy as np
import pytest
import torch
from PIL import Image

from seewhy.data.animation import Animation, ends_early
from seewhy.data.clips import read_clip
from seewhy.data.frames import Folder, missing_numbers, natural
from seewhy.data.opening import is_pictures, moving
from seewhy.errors import DataError


def flat(value, size=(6, 4)):
    """Return a picture (w, h) of one grey."""
    return Image.new("RGB", size, (value, value, value))


def test_names_are_sorted_by_their_numbers():
    names = [
        "b1.png",
        "a10.png",
        "a2.png",
        "A3.png",
        "a02b.png",
        "frame_9_1.png",
        "frame_10_0.png",
        "7.png",
        "70.png",
        "8.png",
    ]
    assert sorted(names, key=natural) == [
        "7.png", "8.png", "70.png", "a2.png", "a02b.png", "A3.png", "a10.png", "b1.png", "frame_9_1.png", "frame_10_0.png",
    ]  # fmt: skip


def test_a_folder_is_read_in_natural_order(tmp_path):
    for number in (1, 2, 10, 20, 3):
        flat(10 * number).save(tmp_path / f"shot-{number}.png")
    (tmp_path / ".hidden.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no picture")
    clip = read_clip(tmp_path, 5)
    assert clip.frames[:, 0, 0, 0].tolist() == [10, 20, 30, 100, 200]
    assert clip.seconds == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])


def test_missing_numbers_are_told_where_frames_are_numbered_one_apart(tmp_path):
    assert missing_numbers(["f1", "f2", "f4", "f5", "f8"]) == (3, 6, 7)
    assert missing_numbers(["f1", "f2", "f3"]) == ()
    assert missing_numbers(["f0", "f5", "f10", "f15"]) == ()  # every fifth
    assert missing_numbers(["a", "b", "c"]) == ()
    for number in (1, 2, 4, 5):
        flat(number).save(tmp_path / f"{number:03}.png")
    assert "1 are missing, the first is 3" in read_clip(tmp_path, 4).notes[0]


def test_pictures_of_different_sizes_are_named(tmp_path):
    for number, size in enumerate([(6, 4), (6, 4), (4, 6)]):
        flat(0, size).save(tmp_path / f"{number}.png")
    with pytest.raises(DataError, match=r"0\.png is 6 x 4, 2\.png 4 x 6"):
        read_clip(tmp_path, 3)


def test_a_broken_picture_is_named_and_an_empty_folder_refused(tmp_path):
    with pytest.raises(DataError, match="no pictures in this folder"):
        Folder(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        Folder(tmp_path / "none")
    flat(0).save(tmp_path / "0.png")
    (tmp_path / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DataError, match=r"1\.png"):
        read_clip(tmp_path, 2)


def test_arrays_and_tensors():
    whole = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
    floats = whole.transpose(0, 3, 1, 2).astype(np.float64) / 255
    for source in (
        whole,
        torch.from_numpy(whole),
        floats,
        torch.from_numpy(floats).float(),
        torch.from_numpy(floats).half(),
    ):
        assert np.abs(read_clip(source, 5).frames.astype(int) - whole).max() <= (
            1 if getattr(source, "dtype", 0) == torch.float16 else 0
        )
    assert read_clip([Image.fromarray(frame) for frame in whole], 5).frames.tolist() == whole.tolist()


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (np.zeros((5, 4, 6, 4), np.uint8), r"got uint8 \(5, 4, 6, 4\)"),
        (np.zeros((0, 4, 6, 3), np.uint8), "got uint8"),
        (np.zeros((5, 4, 6), np.uint8), "got uint8"),
        (np.zeros((5, 4, 6, 3), np.int64), "got int64"),
        (torch.zeros(5, 4, 6, 3), "got float32"),
        (torch.full((5, 3, 4, 6), 1.5), "from 1.5 to 1.5.*Session"),
        (torch.full((5, 3, 4, 6), torch.nan), "from nan to nan"),
        (3, "got int"),
        ([], "got list"),
    ],
)
def test_what_is_no_clip(source, says):
    with pytest.raises(DataError, match=says):
        moving(source)


def test_what_is_a_list_of_pictures():
    assert is_pictures([flat(0), flat(0)])
    assert is_pictures([np.zeros((4, 6, 3), np.uint8)])
    assert not is_pictures([])
    assert not is_pictures(["a.png", "b.png"])
    assert not is_pictures([np.zeros((5, 4, 6, 3), np.uint8)])


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "apng"])
def test_animations_with_uneven_times(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    lasting = [40, 100, 20, 500, 40]
    pictures = [flat(40 * number + 20) for number in range(5)]
    kind = {"save_all": True, "append_images": pictures[1:], "duration": lasting, "loop": 0}
    pictures[0].save(
        path, "PNG" if ending == "apng" else None, **kind | ({"lossless": True} if ending == "webp" else {})
    )
    clip = read_clip(path, 5)
    assert clip.seconds == pytest.approx([0, 0.04, 0.14, 0.16, 0.66])
    assert clip.frames[:, 2, 2, 0].tolist() == [20, 60, 100, 140, 180]
    assert clip.notes == ()


def test_a_gif_that_lays_frames_over_one_another_and_states_no_times(tmp_path):
    pictures = [Image.new("P", (6, 4), 0) for _ in range(2)]
    for picture in pictures:
        picture.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0])
    pictures[1].putpixel((5, 3), 1)
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=0)
    clip = read_clip(tmp_path / "a.gif", 2)
    assert clip.seconds == pytest.approx([0, 0.1])
    assert clip.frames[1, 3, 5].tolist() == [200, 0, 0]
    assert clip.frames[1, 0, 0].tolist() == clip.frames[0, 3, 5].tolist() == [0, 0, 0]


def test_an_animation_that_is_cut_gives_what_is_there(tmp_path):
    random = np.random.default_rng(0)
    pictures = [Image.fromarray(random.integers(0, 255, (32, 32, 3), dtype=np.uint8)) for _ in range(10)]
    path = tmp_path / "a.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=40)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = Animation(path)
    count = len(list(source.shown()))
    assert 2 < count < 8
    assert "its end is missing" in " ".join(source.notes)
    assert [number for number, shown in enumerate(source.shown()) if (shown.draw(None) != 0).any()] == list(
        range(count)
    )


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_the_end_of_an_animation_is_missed(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    flat(0).save(path, save_all=True, append_images=[flat(99)], duration=40)
    whole = path.read_bytes()
    assert not ends_early(path)
    path.write_bytes(whole[:-2])
    assert ends_early(path)


@pytest.mark.parametrize("content", [b"no picture", b"GIF89a", b"GIF89a\xff\xff\xff\xff\0\0\0"])
def test_a_broken_animation_is_one_line(tmp_path, content):
    (tmp_path / "a.gif").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.gif"):
        read_clip(tmp_path / "a.gif", 2)
