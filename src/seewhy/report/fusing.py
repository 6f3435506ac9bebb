"""Average the maps of overlapping windows, frame by frame, with memory for one window."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.clip import Clip
from seewhy.core.reel import frame_importance
from seewhy.errors import ShapeError
from seewhy.ops.filters import resize
from seewhy.report.video import FusedMap


class Fusing:
    """Takes maps of windows in the order of the video; a frame is written to the file once no later window can hold it.

    Args:
        file: open for writing bytes; `path` is where it lies.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path
        self._open: dict[
            int, tuple[Tensor, float, int]
        ] = {}  # of a frame: sum of its maps, of its importance, how many
        self._seconds: dict[int, float] = {}
        self._numbers: list[int] = []
        self._times: list[float] = []
        self._windows: list[int] = []
        self._importance: list[float] = []
        self._shape: tuple[int, int] | None = None

    def add(self, clip: Clip, heatmap: Float[Tensor, "t h w"]) -> None:
        """Take the map of one window, whose frames do not begin before those of the window before."""
        shape = (heatmap.shape[1], heatmap.shape[2])
        if self._shape not in (None, shape):
            raise ShapeError(f"maps of windows have one size, got {shape} after {self._shape}")
        self._shape = shape
        self._close(before=clip.numbers[0])
        maps = resize(heatmap[None].float().cpu(), (len(clip), *shape))[0]
        sums = frame_importance(heatmap.cpu(), len(clip))
        for number, second, drawn, held in zip(clip.numbers, clip.seconds, maps, sums, strict=True):
            earlier = self._open.get(number, (torch.zeros(shape), 0.0, 0))
            self._open[number] = (earlier[0] + drawn, earlier[1] + float(held), earlier[2] + 1)
            self._seconds[number] = second

    def done(self) -> FusedMap:
        """Return what was found, once all windows were added.

        Raises:
            ShapeError: there was none.
        """
        self._close(before=None)
        self._file.flush()
        if self._shape is None:
            raise ShapeError("there are no windows to put together")
        return FusedMap(
            tuple(self._numbers),
            tuple(self._times),
            tuple(self._windows),
            np.array(self._importance),
            self._shape,
            self._path,
        )

    def _close(self, before: int | None) -> None:
        """Write the frames that lie before a number."""
        for number in sorted(number for number in self._open if before is None or number < before):
            drawn, held, count = self._open.pop(number)
            self._file.write((drawn / count).numpy().astype(np.float32).tobytes())
            self._numbers.append(number)
            self._times.append(self._seconds.pop(number))
            self._windows.append(count)
            self._importance.append(held / count)
