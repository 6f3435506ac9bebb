"""How things are measured: processor time on one thread, variants in turn, medians; and children for memory and starts."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import Any, Self

BASE = "F"


def processor_seconds(run: Callable[[], Any], at_least: float = 0.0) -> float:
    """Return the processor time of one run; runs that are short are repeated for `at_least` seconds, and the median is taken."""
    spent: list[float] = []
    while not spent or sum(spent) < at_least:
        begun = time.process_time()
        run()
        spent.append(time.process_time() - begun)
    return median(spent)


def in_turn(
    variants: Mapping[str, Callable[[], Any]], seconds: float, least: int = 3, most: int = 15
) -> dict[str, float]:
    """Return what each variant costs in units of the variant called F, which is measured before and after each run.

    Everything runs in this one process, one after the other, so that what neighbours do to the machine is done to all alike. A variant
    gets `least` runs, and up to `most` until it has had its `seconds`.
    """
    for run in variants.values():
        run()
    ratios: dict[str, list[float]] = {name: [] for name in variants}
    spent = dict.fromkeys(variants, 0.0)
    for count in range(most):
        before = _unit(variants)
        for name, run in variants.items():
            if count < least or spent[name] < seconds:
                took = processor_seconds(run)
                after = _unit(variants)
                ratios[name].append(2 * took / (before + after))
                spent[name], before = spent[name] + took, after
    return {name: median(found) for name, found in ratios.items()}


def _unit(variants: Mapping[str, Callable[[], Any]]) -> float:
    return processor_seconds(variants[BASE], at_least=0.15)


@dataclass(frozen=True)
class Child:
    """What a child process used, what it printed, and when the first file of its folder was complete (wall)."""

    wall: float
    processor: float
    printed: str
    first: float


def child(arguments: Sequence[str], folder: Path | None = None, cache: str = "") -> Child:
    """Run Python with these arguments on one thread, in a folder; raise where it fails.

    Compiled modules are kept in `cache`, as an installed package has them compiled.
    """
    settings = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    if cache:
        settings |= {"PYTHONPYCACHEPREFIX": cache, "PYTHONDONTWRITEBYTECODE": ""}
    started = time.time()
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if "ModuleNotFoundError" in done.stderr:
        raise ModuleNotFoundError(done.stderr.strip().splitlines()[-1])
    if done.returncode:
        raise RuntimeError(f"python {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    written = [path.stat().st_mtime - started for path in folder.iterdir()] if folder else []
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Child(wall, processor, done.stdout, min(written, default=wall))


class Peak:
    """The most memory that this process holds while a block runs, in MiB above what it held before; sampled on a thread."""

    def __enter__(self) -> Self:
        self._stop, self._before, self._most = Event(), resident(), 0.0
        self._watcher = Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.002):
            self._most = max(self._most, resident())

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._watcher.join()

    @property
    def growth(self) -> float:
        return max(0.0, self._most - self._before)


def resident() -> float:
    """Return the memory that this process holds now, in MiB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20
