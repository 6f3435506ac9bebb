"""Pictures to bytes, and bytes to a file that is whole or not there."""

import os
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from secrets import token_hex

from PIL import Image

from seewhy.errors import DataError

_BINARY = getattr(os, "O_BINARY", 0)


def png_bytes(image: Image.Image) -> bytes:
    """Return the picture as PNG, without loss; the best compression would take ten times as long for four percent fewer bytes."""
    buffer = BytesIO()
    image.save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def webp_bytes(image: Image.Image, quality: int = 80) -> bytes:
    """Return the picture as WebP with loss; below quality 70 the steps of transparency get coarser too.

    Args:
        image: RGB or RGBA.
        quality: 0 (smallest) to 100.
    """
    buffer = BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=2, alpha_quality=100 if quality >= 70 else quality)
    return buffer.getvalue()


def webp_exact(image: Image.Image) -> bytes:
    """Return the picture as WebP without loss."""
    buffer = BytesIO()
    image.save(buffer, "WEBP", lossless=True, quality=60, method=3)
    return buffer.getvalue()


def data_uri(data: bytes, mime: str) -> str:
    """Return bytes as an address that holds its own content, such as "data:image/png;base64,..."."""
    return f"data:{mime};base64,{b64encode(data).decode('ascii')}"


def write_bytes(path: str | os.PathLike[str], data: bytes, *, force: bool = False) -> Path:
    """Write a file so that nobody ever sees half of it: under another name in the same folder first, then moved.

    Args:
        path: where; its folder must be there.
        data: what the file holds.
        force: replace a file that exists. Anything that is no plain file is never replaced.

    Returns:
        The path that was written; a link is followed, not replaced.

    Raises:
        DataError: the file exists and `force` is off, the folder is missing, it cannot be written, or the disk is full.
            The old file, if there was one, is then untouched, and nothing else is left behind.
    """
    with written_whole(path, force=force) as begun, os.fdopen(os.open(begun, os.O_WRONLY | _BINARY), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return Path(path)


@contextmanager
def written_whole(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[Path]:
    """Yield the path of a new, empty file in the same folder, which takes the place of `path` once the block has ended; see `write_bytes`.

    Where the block fails, or is interrupted, the new file is removed and the old one is untouched.

    Args:
        path: where; its folder must be there.
        force: replace a file that exists.

    Raises:
        DataError: as `write_bytes`; also where the block itself cannot write.
    """
    target = Path(path)
    try:
        real = target.resolve()
        _check(target, real, force=force)
        with _moved(real) as begun:
            yield begun
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(f"cannot write {str(target)!r}: {reason}") from error


def _check(target: Path, real: Path, *, force: bool) -> None:
    if real.exists() and not real.is_file():
        kind = "a folder" if real.is_dir() else "no plain file"
        raise DataError(f"cannot write {str(target)!r}: it is {kind}; give the name of a file")
    if real.exists() and not force:
        raise DataError(f"{str(target)!r} exists and is kept as it is; add --force (force=True) to replace it")
    if not real.parent.is_dir():
        raise DataError(f"cannot write {str(target)!r}: there is no folder {str(target.parent)!r}; make it first")


@contextmanager
def _moved(real: Path) -> Iterator[Path]:
    """Make a file beside `real` and move it over that at the end; on any failure remove what was begun."""
    begun = real.with_name(f".seewhy-{token_hex(8)}.part")
    descriptor = os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
    os.close(descriptor)
    try:
        yield begun
        begun.replace(real)
    except BaseException:  # an interrupt too must leave nothing behind
        begun.unlink(missing_ok=True)
        raise
