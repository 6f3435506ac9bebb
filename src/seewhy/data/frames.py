"""Frames that are pictures of their own: a folder of numbered files, a list of pictures, an array or a tensor."""

import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from seewhy.data.moving import Moving, Shown, reduced
from seewhy.data.picture import ENDINGS, read
from seewhy.errors import DataError

RATE = 25.0
"""Frames per second of what states no times."""


class Frames(Moving):
    """Frames without times of their own: so many per second."""

    def __init__(self, name: str, rate: float = RATE) -> None:
        super().__init__(name)
        self._rate = rate

    @property
    def rate(self) -> float:
        """Frames per second, as stated."""
        return self._rate

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def pixels(self, number: int) -> UInt8[np.ndarray, "h w 3"]:
        """Return one frame."""

    def times(self) -> Sequence[float]:
        """Return when each frame is shown."""
        return tuple(number / self._rate for number in range(len(self)))

    def shown(self) -> Iterator[Shown]:
        """Yield frame after frame; each is read when its pixels are asked for."""
        for number in range(len(self)):
            yield Shown(number, number / self._rate, lambda longest, number=number: self._small(number, longest))  # type: ignore[misc]

    def _small(self, number: int, longest: int | None) -> UInt8[np.ndarray, "h w 3"]:
        pixels = self.pixels(number)
        height, width = reduced(pixels.shape[:2], longest)
        if (height, width) == pixels.shape[:2]:
            return pixels
        return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BOX))


class Pictures(Frames):
    """Pictures in order, each a file or in memory; all of one size.

    Args:
        pictures: whatever `seewhy.data.picture.read` takes.
        name: for people.
        rate: frames per second.

    Raises:
        DataError: there is none.
    """

    def __init__(self, pictures: Sequence[Any], name: str, rate: float = RATE) -> None:
        super().__init__(name, rate)
        if not pictures:
            raise DataError(f"{name}: there are no frames")
        self._pictures = pictures
        self._first: tuple[tuple[int, int], str] | None = None

    def __len__(self) -> int:
        return len(self._pictures)

    def pixels(self, number: int) -> UInt8[np.ndarray, "h w 3"]:
        """Return one frame; raise `DataError` where it cannot be read, or has another size than the first that was read."""
        picture, name = read(self._pictures[number])
        self._first = self._first or (picture.size, name)
        if picture.size != self._first[0]:
            (width, height), first = self._first
            raise DataError(
                f"{self.name}: frames of a clip have one size, and {first} is {width} x {height}, "
                f"{name} {picture.width} x {picture.height}"
            )
        return np.asarray(picture)


class Folder(Pictures):
    """A folder whose pictures are frames, in the natural order of their names: frame2 comes before frame10.

    Args:
        path: the folder; pictures in folders inside it do not count.
        rate: frames per second.

    Raises:
        DataError: no such folder, no pictures in it, or a number that two of them have.
    """

    def __init__(self, path: Path, rate: float = RATE) -> None:
        if not path.is_dir():
            raise DataError(f"{path}: no such folder")
        found = sorted(
            (
                file
                for file in path.iterdir()
                if file.suffix.lower() in ENDINGS and file.name[0] != "." and file.is_file()
            ),
            key=lambda file: natural(file.name),
        )
        if not found:
            raise DataError(f"{path}: no pictures in this folder (looked for {', '.join(sorted(ENDINGS))})")
        super().__init__(found, path.name, rate)
        self.missing = missing_numbers([file.stem for file in found])
        if self.missing:
            self.remark(
                f"{self.name}: between the numbers of its frames {len(self.missing)} are missing, the first is {self.missing[0]}"
            )


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts names by the numbers in them."""
    parts = re.findall(r"\d+|\D+", name)
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part.lower()) for part in parts)


def missing_numbers(stems: Sequence[str]) -> tuple[int, ...]:
    """Return which numbers are missing between frames whose names end with one each, one apart; () where they are not so named."""
    ends = [re.search(r"(\d+)$", stem) for stem in stems]
    numbers = [int(end.group(1)) for end in ends if end]
    if len(numbers) < len(stems) or len(numbers) < 3 or len(set(numbers)) < len(numbers):
        return ()
    steps = np.diff(numbers)
    if (steps < 1).any() or 2 * (steps == 1).sum() < len(steps) or steps.sum() > 2 * len(stems):
        return ()
    return tuple(sorted(set(range(numbers[0], numbers[-1])) - set(numbers)))


class Block(Frames):
    """Frames in one array: uint8 (t, h, w, 3), or floating point (t, 3, h, w) from 0 to 1, also as a tensor.

    Args:
        values: the frames.
        rate: frames per second.

    Raises:
        DataError: another shape, kind or range.
    """

    def __init__(self, values: np.ndarray | Tensor, rate: float = RATE) -> None:
        super().__init__("array", rate)
        if isinstance(values, Tensor):
            values = values.detach().cpu()
            values = (values.float() if values.is_floating_point() else values).numpy()
        self._values = values
        whole = values.ndim == 4 and 0 not in values.shape
        if whole and values.dtype == np.uint8 and values.shape[3] == 3:
            return
        if not whole or not np.issubdtype(values.dtype, np.floating) or values.shape[1] != 3:
            raise DataError(
                f"a clip in memory is uint8 (t, h, w, 3) or floating point (t, 3, h, w) from 0 to 1; got {values.dtype} {values.shape}"
            )
        low, high = float(values.min()), float(values.max())
        if not (low >= 0 and high <= 1):  # also where a value is not a number
            raise DataError(
                f"a floating-point clip has values from 0 to 1; these go from {low:.3g} to {high:.3g}. An input that is normalized "
                "already goes to seewhy.Session(model).explain(tensor of shape (b, c, t, h, w))"
            )

    def __len__(self) -> int:
        return len(self._values)

    def pixels(self, number: int) -> UInt8[np.ndarray, "h w 3"]:
        """Return one frame."""
        frame = self._values[number]
        if frame.dtype == np.uint8:
            return np.ascontiguousarray(frame)
        return np.ascontiguousarray(np.moveaxis((frame * 255).round().astype(np.uint8), 0, 2))
