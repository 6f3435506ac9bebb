"""Which files a photo gives, and that none is overwritten unasked."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from seewhy.errors import DataError


def stems(photos: Sequence[Path]) -> list[str]:
    """Return a name for each photo's files: its own without the ending, numbered where two would be the same."""
    seen: dict[str, int] = {}
    names = []
    for photo in photos:
        stem = photo.stem or "photo"
        seen[stem.lower()] = seen.get(stem.lower(), 0) + 1
        count = seen[stem.lower()]
        names.append(stem if count == 1 else f"{stem}-{count}")
    return names


def plain_name(text: str) -> str:
    """Return a text as a part of a file's name that cannot lead anywhere else."""
    return re.sub(r"[^\w.\-]+", "_", text).strip(".") or "pictures"


def prepare(folder: Path) -> Path:
    """Return a folder that exists; raise `DataError` where it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made a folder to write to ({error.strerror})") from error
    return folder


def refuse_existing(paths: Iterable[Path], *, force: bool) -> None:
    """Raise `DataError` where a file is there already, before any work is done for it."""
    there = [path.name for path in paths if path.exists()]
    if there and not force:
        raise DataError(
            f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} there already; use --force to overwrite, or -o DIR"
        )


@contextmanager
def all_or_none(paths: Iterable[Path]) -> Iterator[None]:
    """Take away the files that were written in the block if it fails or is interrupted: a photo has all of its files, or none."""
    new = [path for path in paths if not path.exists()]
    try:
        yield
    except BaseException:  # an interrupt too
        for path in new:
            path.unlink(missing_ok=True)
        raise
