"""How many rows go through the network at once: measured, not guessed."""

import math
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import islice

import torch
from torch import Tensor

MOST_ROWS = 64
SURE = 4
"""Rows from which a single measurement is believed."""


class Tuner:
    """Finds the number of rows that is cheapest per row, from the passes that have to be made anyway.

    Sizes double while each doubling saves at least five percent per row; then the best is kept. The first pass of a size also sets it up, and
    other work on the machine disturbs it, so that a doubling to fewer than `SURE` rows that saves nothing ends nothing yet. Every kind of
    pass (with and without gradients, by input shape) is tuned on its own.
    """

    def __init__(self) -> None:
        self._seconds: dict[tuple[object, int], float] = {}
        self._settled: dict[object, int] = {}
        self._lock = threading.Lock()
        self._fixed: int | None = None

    def fix(self, rows: int) -> None:
        """Use this many rows for every kind of pass, and measure nothing."""
        self._fixed = rows

    def limit(self, kind: object, rows: int) -> None:
        """Use at most this many rows for a kind of pass from now on: more did not fit into memory."""
        with self._lock:
            self._fixed = self._fixed and min(self._fixed, rows)
            self._settled[kind] = rows

    def rows(self, kind: object, least: int = 1) -> int:
        """Return the number of rows to try, or to use, next; `least` is tried first."""
        with self._lock:
            if self._fixed is not None:
                return self._fixed
            if kind in self._settled:
                return self._settled[kind]
            tried = [size for key, size in self._seconds if key == kind]
            return 2 * max(tried) if tried else least

    def saw(self, kind: object, rows: int, seconds: float) -> None:
        """Take note of a pass of `rows` rows that took `seconds`."""
        with self._lock:
            if kind in self._settled or rows & (rows - 1):
                return
            before = {size: each for (key, size), each in self._seconds.items() if key == kind}
            self._seconds[kind, rows] = seconds / rows
            saves = seconds / rows <= 0.95 * min(before.values(), default=math.inf)
            if rows >= MOST_ROWS or (rows >= SURE and not saves):
                tried = before | {rows: seconds / rows}
                self._settled[kind] = min(tried, key=tried.__getitem__)


def packs(variants: Iterable[Tensor], tuner: Tuner, kind: object) -> Iterator[list[Tensor]]:
    """Group variants of b rows into packs of the tuned number of rows, at least one variant a pack."""
    stream = iter(variants)
    first = next(stream, None)
    while first is not None:
        count = max(1, tuner.rows(kind) // len(first))
        yield [first, *islice(stream, count - 1)]
        first = next(stream, None)


def clock(device: torch.device) -> float:
    """Return seconds by which passes are compared: those of the processor, which neighbours do not lengthen; on an accelerator, those
    of the wall once it has finished its work.
    """
    if device.type == "cpu":
        return time.process_time()
    torch.accelerator.synchronize(device)
    return time.perf_counter()
