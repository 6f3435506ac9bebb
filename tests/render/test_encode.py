"""A file is whole or not there."""

import errno
import os
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seewhy.errors import DataError
from seewhy.render.encode import data_uri, png_bytes, webp_bytes, write_bytes


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_png_is_without_loss():
    pixels = np.random.default_rng(0).integers(0, 255, (9, 7, 4), dtype=np.uint8)
    assert (np.asarray(Image.open(BytesIO(png_bytes(Image.fromarray(pixels))))) == pixels).all()


def test_webp_keeps_transparency_and_shrinks_with_quality():
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 4), dtype=np.uint8)
    pixels[:32, :, 3] = 0
    pixels[32:, :, 3] = 255
    image = Image.fromarray(pixels)
    small, large = webp_bytes(image, 10), webp_bytes(image, 90)
    assert len(small) < len(large)
    assert (np.asarray(Image.open(BytesIO(small)))[..., 3] == pixels[..., 3]).all()


def test_data_uri_holds_the_bytes():
    head, _, body = data_uri(b"\x00\xffx", "image/png").partition(",")
    assert head == "data:image/png;base64"
    assert b64decode(body) == b"\x00\xffx"


def test_a_file_is_written_and_an_existing_one_is_kept(tmp_path):
    path = tmp_path / "a.png"
    assert write_bytes(path, b"one") == path
    with pytest.raises(DataError, match=r"a\.png.*--force"):
        write_bytes(path, b"two")
    assert path.read_bytes() == b"one"
    write_bytes(str(path), b"two", force=True)
    assert path.read_bytes() == b"two"
    assert names(tmp_path) == ["a.png"]


@pytest.mark.parametrize("failing", ["fsync", "rename", "interrupt"])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, failing):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def fail(*arguments):
        assert len(names(tmp_path)) == 2  # the new bytes lie beside the old file at this moment
        raise KeyboardInterrupt if failing == "interrupt" else OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((Path, "replace") if failing == "rename" else (os, "fsync")), fail)
    with pytest.raises(KeyboardInterrupt if failing == "interrupt" else DataError) as caught:
        write_bytes(path, b"new", force=True)
    if failing != "interrupt":
        assert str(caught.value) == f"cannot write {str(path)!r}: No space left on device"
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.png"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    opened = os.open
    monkeypatch.setattr(
        os,
        "open",
        lambda path, flags, mode=0o777: (os.close(opened(path, flags, mode)), opened("/dev/full", os.O_WRONLY))[1],
    )
    with pytest.raises(DataError, match="No space left on device"):
        write_bytes(tmp_path / "a.png", b"x" * 100_000)
    assert names(tmp_path) == []


def test_a_missing_folder_a_folder_and_a_device_are_refused(tmp_path):
    with pytest.raises(DataError, match="no folder"):
        write_bytes(tmp_path / "none" / "a.png", b"")
    with pytest.raises(DataError, match="a folder"):
        write_bytes(tmp_path, b"", force=True)
    if Path("/dev/null").exists():
        with pytest.raises(DataError, match="no plain file"):
            write_bytes("/dev/null", b"", force=True)
    with pytest.raises(DataError, match="cannot write"):
        write_bytes(tmp_path / ("n" * 300), b"")
    assert names(tmp_path) == []


def test_a_folder_without_permission_is_refused(tmp_path, monkeypatch):
    def refused(*args, **kwargs):  # whoever runs the tests: root may write anywhere
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(DataError, match="Permission denied"):
        write_bytes(tmp_path / "a.png", b"")
    assert names(tmp_path) == []


def test_a_link_is_followed_and_stays_a_link(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    write_bytes(tmp_path / "link", b"new", force=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_file_has_the_permissions_of_any_new_file(tmp_path):
    write_bytes(tmp_path / "a", b"")
    (tmp_path / "b").write_bytes(b"")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode
