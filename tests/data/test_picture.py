"""Reading pictures: whatever comes is upright 8-bit RGB, or one clear error."""

import errno
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import seewhy
from seewhy.data.picture import ENDINGS, MOST_PIXELS, expand, files_in, read

COLORS = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[255, 255, 0], [255, 255, 255], [0, 0, 0]]], dtype=np.uint8
)


def pixels(source: object) -> np.ndarray:
    return np.asarray(read(source)[0])


def big(array: np.ndarray, times: int = 16) -> np.ndarray:
    """Enlarge each pixel, so that JPEG keeps its colour."""
    return array.repeat(times, axis=0).repeat(times, axis=1)


TURNS = {  # how a camera stored an upright picture, by the EXIF orientation that says so
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
def test_every_exif_orientation_is_turned_upright(tmp_path: Path, orientation: int, ending: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{ending}"
    stored = Image.fromarray(np.ascontiguousarray(TURNS[orientation](big(COLORS))))
    stored.save(path, exif=exif, quality=100)
    found = pixels(path)
    assert found.shape == (32, 48, 3)
    assert np.abs(found[8::16, 8::16].astype(int) - COLORS).max() <= 12


def test_grey_alpha_palette_cmyk_and_one_bit(tmp_path: Path) -> None:
    image = Image.fromarray(big(COLORS))
    for mode, tolerance in (("L", 0), ("CMYK", 2), ("P", 2), ("1", 0), ("YCbCr", 2), ("HSV", 3)):
        assert (
            np.abs(pixels(image.convert(mode)).astype(int) - np.asarray(image.convert(mode).convert("RGB"))).max()
            <= tolerance
        )
    image.convert("P").save(tmp_path / "p.png")
    image.convert("1").save(tmp_path / "b.png")
    image.convert("CMYK").save(tmp_path / "c.jpg", quality=100)
    assert np.array_equal(pixels(tmp_path / "p.png"), big(COLORS))
    assert set(np.unique(pixels(tmp_path / "b.png"))) == {0, 255}
    assert np.abs(pixels(tmp_path / "c.jpg")[8::16, 8::16].astype(int) - COLORS).max() <= 12


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    half = np.dstack([COLORS, np.full(COLORS.shape[:2], 51, np.uint8)])
    wanted = np.round(COLORS * 0.2 + 255 * 0.8)
    assert np.abs(pixels(half) - wanted).max() <= 1
    assert pixels(Image.new("LA", (2, 2), (0, 0)))[0, 0].tolist() == [255, 255, 255]
    palette = Image.fromarray(COLORS).convert("P")
    palette.save(tmp_path / "t.png", transparency=palette.getpixel((0, 0)))
    found = pixels(tmp_path / "t.png")
    assert found[0, 0].tolist() == [255, 255, 255]
    assert found[0, 1].tolist() == [0, 255, 0]


def test_more_than_eight_bits(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16)[None].repeat(2, axis=0)
    wanted = np.arange(256)[None].repeat(2, axis=0)
    for name in ("d.png", "d.tif"):
        Image.fromarray(ramp).save(tmp_path / name)
        assert np.array_equal(pixels(tmp_path / name)[..., 0], wanted)
    Image.fromarray(np.linspace(-3, 7, 256, dtype=np.float32)[None]).save(tmp_path / "f.tif")
    assert np.array_equal(pixels(tmp_path / "f.tif")[0, :, 1], np.arange(256))
    holes = np.array([[np.nan, 0.0, 1.0, np.inf]], dtype=np.float32)
    assert pixels(Image.fromarray(holes))[0, :, 0].tolist() == [0, 0, 255, 0]
    assert pixels(Image.fromarray(np.full((2, 2), 7.0, np.float32))).tolist() == np.zeros((2, 2, 3)).tolist()


def test_the_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    for name in ("a.gif", "a.webp", "a.png"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
        assert pixels(tmp_path / name)[0, 0].tolist() == [255, 0, 0]


def test_arrays_and_tensors() -> None:
    assert np.array_equal(pixels(COLORS), COLORS)
    assert np.array_equal(pixels(COLORS[..., 0]), COLORS[..., :1].repeat(3, axis=2))
    assert np.array_equal(pixels(COLORS[..., :1]), COLORS[..., :1].repeat(3, axis=2))
    floats = np.moveaxis(COLORS, 2, 0) / 255
    for kind in (
        floats,
        floats.astype(np.float16),
        torch.tensor(floats),
        torch.tensor(floats).bfloat16().requires_grad_(),
    ):
        assert np.array_equal(pixels(kind), COLORS)
    assert np.array_equal(pixels(COLORS[:, ::-1]), COLORS[:, ::-1])  # a view with negative strides


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.zeros((4, 4, 5), np.uint8), r"got \(4, 4, 5\).*other channels goes, normalized"),
        (np.zeros((5, 4, 4)), r"got \(5, 4, 4\).*other channels"),
        (torch.zeros(3, 4, 7, dtype=torch.uint8), r"got \(3, 4, 7\)"),
        (np.zeros((4, 4, 3)), "For uint8 the channels are last"),
        (np.full((3, 4, 4), 1.5), "from 1.5 to 1.5.*normalized already"),
        (np.full((3, 4, 4), np.nan), "from nan to nan"),
        (np.zeros((4, 4), bool), "got bool"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
        (Image.new("RGB", (0, 4)), "no pixels"),
        (b"bytes", "got bytes"),
        (None, "got NoneType"),
    ],
)
def test_what_is_no_picture(given: object, words: str) -> None:
    with pytest.raises(seewhy.DataError, match=words):
        read(given)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(side: int) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"not a picture at all", "is not a picture"),
        (b"\x00" * 100, "is not a picture"),
        (jpeg()[:-400], "broken or cut short"),
        (jpeg()[:30], "not a picture|broken or cut short"),
        (bomb(10_000), f"gigantic: at most {MOST_PIXELS // 10**6} million"),
        (bomb(60_000), "gigantic"),
        (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
            "is not a picture",
        ),  # would run Ghostscript
    ],
)
def test_broken_files(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(content)
    with pytest.raises(seewhy.DataError, match=words) as caught:
        read(path)
    assert "x.jpg" in str(caught.value)


def test_colour_by_lightness_is_converted() -> None:
    assert pixels(Image.new("LAB", (4, 4), (255, 128, 128)))[0, 0].min() >= 250


def test_a_broken_picture_that_is_open_already(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(jpeg()[:-400])
    with Image.open(tmp_path / "x.jpg") as image, pytest.raises(seewhy.DataError, match=r"x\.jpg is broken"):
        read(image)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(seewhy.DataError, match="no such file"):
        read(tmp_path / "none.png")
    with pytest.raises(seewhy.DataError, match="is a folder"):
        read(tmp_path)
    with pytest.raises(seewhy.DataError):
        read("bad\0name.png")
    with pytest.raises(seewhy.DataError):
        read("x" * 5000)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(seewhy.DataError, match="not a regular file"):
            read(tmp_path / "pipe.png")


def test_links(tmp_path: Path) -> None:
    try:
        (tmp_path / "broken.png").symlink_to("gone.png")
    except OSError:
        pytest.skip("links cannot be made here")
    with pytest.raises(seewhy.DataError, match=r"a link to gone\.png, which does not exist"):
        read(tmp_path / "broken.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    with pytest.raises(seewhy.DataError):
        read(tmp_path / "loop.png")


def test_no_permission(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: object, **kwargs: object) -> None:  # whoever runs the tests: root may read everything
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Image, "open", refused)
    with pytest.raises(seewhy.DataError, match="no permission"):
        read(photo)


@pytest.mark.parametrize(
    "name", ["é ü 猫.png", "a b'c\"d.png", "-dash.png", "[x] {y} %s.png", "no_ending", "UPPER.PNG", "🐈.png"]
)
def test_odd_names(tmp_path: Path, name: str) -> None:
    Image.fromarray(COLORS).save(tmp_path / name, "PNG")
    found, known_as = read(tmp_path / name)
    assert known_as == name
    assert np.array_equal(np.asarray(found), COLORS)


def test_folders(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in ("b.png", "a.JPG", "deep/c.webp", "._a.jpg", "notes.txt", "d.svg"):
        (tmp_path / "in" / name).write_bytes(b"x")
    (tmp_path / "out.png").write_bytes(b"x")
    (tmp_path / "in" / "link.png").symlink_to(tmp_path / "out.png")
    found = files_in(tmp_path / "in")
    assert [path.name for path in found] == ["a.JPG", "b.png", "c.webp"]
    assert expand([tmp_path / "out.png", tmp_path / "in"]) == [tmp_path / "out.png", *found]
    (tmp_path / "empty").mkdir()
    with pytest.raises(seewhy.DataError, match="no pictures in this folder"):
        expand([tmp_path / "empty"])
    assert all(ending.startswith(".") for ending in ENDINGS)
