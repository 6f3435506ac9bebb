"""Progress on stderr, where a person watches."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from seewhy.cli import console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 1.0
"""Seconds of silence before the passes of one picture are shown."""


class Watch:
    """Two bars: the pictures, where there are several; and the passes of the method at work, where they take longer than a moment."""

    def __init__(self, bars: "Progress | None") -> None:
        self._bars = bars
        self._pictures: TaskID | None = None
        self._passes: TaskID | None = None
        self._begun = time.monotonic()

    def begin(self, pictures: int) -> None:
        """Say how many pictures there are."""
        self._begun = time.monotonic()
        if self._bars is not None and pictures > 1:
            self._pictures = self._bars.add_task("pictures", total=pictures)

    def advance(self) -> None:
        """Note that a picture is done."""
        if self._bars is None:
            return
        if self._pictures is not None:
            self._bars.advance(self._pictures)
        if self._passes is not None:
            self._bars.remove_task(self._passes)
        self._passes, self._begun = None, time.monotonic()

    def passes(self, key: str, done: int, total: int | None) -> None:
        """Show how many passes a method has made, out of how many; None where that is not known."""
        if self._bars is None or time.monotonic() - self._begun < PATIENCE:
            return
        if self._passes is None:
            self._passes = self._bars.add_task(key)
        self._bars.update(self._passes, description=f"{key}, passes", completed=done, total=total and max(done, total))

    def climb(self, name: str, step: int, steps: int, score: float) -> None:
        """Show how far a picture is on its way up, and what it scores at present."""
        if self._bars is None:
            return
        if self._passes is None:
            self._passes = self._bars.add_task(name)
        self._bars.update(self._passes, description=f"{name}, score {score:.4g}", completed=step, total=steps)


@contextmanager
def watched() -> Iterator[Watch]:
    """Show progress while the block runs; nothing where nobody watches."""
    if not console.is_terminal():
        yield Watch(None)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console.err(), transient=True) as bars:
        yield Watch(bars)
