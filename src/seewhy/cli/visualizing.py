"""`seewhy visualize`: pictures made for units and classes, and from a photo."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seewhy import render
from seewhy.adapters.load import load_model
from seewhy.api import Session
from seewhy.api.visualizing import Wanted
from seewhy.cli import console
from seewhy.cli.explaining import chosen_fit
from seewhy.cli.outputs import prepare, refuse_existing
from seewhy.cli.progress import Watch, watched
from seewhy.cli.wished import Picture, Wish, wished
from seewhy.errors import ConfigError
from seewhy.visualization.accentuate import Leash
from seewhy.visualization.diversify import Diversity
from seewhy.visualization.from_photo import accentuations, caricatures, inversions
from seewhy.visualization.gallery import Gallery, joined
from seewhy.visualization.photos import as_photo
from seewhy.visualization.series import maximized


@dataclass(frozen=True)
class Order:
    """What was asked on the command line."""

    model: str
    checkpoint: Path | None
    wish: Wish
    fit: str | None
    canvas: str | None
    count: int
    diverse: bool
    steps: int | None
    budget: str | None
    size: str | None
    tv: float | None
    l2: float | None
    power: float
    within: float
    npz: bool
    out: Path
    as_json: bool
    force: bool
    seed: int
    device: str | None


@dataclass(frozen=True)
class Files:
    """Where everything is written: the pictures of each target, and what all of them have in common."""

    pictures: list[list[Path]]
    sheet: Path
    json: Path
    npz: Path | None

    def all(self) -> list[Path]:
        """Return every path."""
        each = [path for paths in self.pictures for path in paths]
        return [*each, self.sheet, self.json, *([self.npz] if self.npz else [])]


def run(order: Order) -> None:
    """Make the pictures, write each as soon as it is made, and say what they score."""
    made: list[Gallery] = []
    with watched() as watch, console.usage():
        session = _session(order)
        pictures = wished(order.wish, session)
        stream = _galleries(order, session, pictures, watch)
        files = _files(order, prepare(order.out), [picture.stem for picture in pictures])
        refuse_existing(files.all(), force=order.force)
        watch.begin(len(pictures))
        try:
            for gallery, paths in zip(stream, files.pictures, strict=True):
                made.append(gallery)
                for index, path in enumerate(paths):
                    render.write_bytes(path, render.png_bytes(gallery.picture(index)), force=order.force)
                watch.advance()
        except KeyboardInterrupt:
            _write(order, made, files)
            raise console.interrupted(len(made), len(pictures)) from None
        _write(order, made, files)
    _tell(order, joined(made), files)


def _session(order: Order) -> Session:
    model = load_model(order.model, order.checkpoint)
    model.needs_preprocessing()
    return Session(model, device=order.device, seed=order.seed)


def _galleries(order: Order, session: Session, pictures: Sequence[Picture], watch: Watch) -> Iterator[Gallery]:
    """Return what makes the pictures of each target in turn; whatever is wrong with a target is said here, at once."""
    wish = order.wish
    budget = int(order.budget) if order.budget is not None and order.budget.isdigit() else order.budget
    size = None if order.size is None else _size(order.size)
    wanted = Wanted(None, order.steps, order.canvas, size, order.tv, order.l2)
    series = wanted.series(session, order.seed, budget, watch.climb, wish.way)
    targets = [picture.target for picture in pictures if picture.target is not None]
    if wish.photo is None:
        diversity = Diversity() if order.diverse else None
        return maximized(series, targets, count=order.count, diversity=diversity)
    if order.count > 1 or order.diverse:
        raise ConfigError("--count and --diverse are for pictures that are made from nothing, without --photo")
    photo = as_photo(wish.photo, session.model, chosen_fit(order.fit))
    if wish.way == "accentuation":
        return accentuations(series, photo, targets, Leash(order.within))
    layers = [picture.layer for picture in pictures]
    return (
        caricatures(series, photo, layers, order.power)
        if wish.way == "caricature"
        else inversions(series, photo, layers)
    )


def _size(text: str) -> int | tuple[int, int]:
    """Read "160", or "160x224" as height and width."""
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.strip().isdigit() for side in sides):
        raise ConfigError(f"--size is a number of pixels (160), or height x width (160x224); got {text!r}")
    return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))


def _files(order: Order, folder: Path, stems: Sequence[str]) -> Files:
    """Name the files: one for each picture, and those of the whole after the first target."""

    def named(stem: str) -> list[Path]:
        if order.count == 1:
            return [folder / f"{stem}.visualize.png"]
        return [folder / f"{stem}.{seed}.visualize.png" for seed in range(order.seed, order.seed + order.count)]

    whole = stems[0] if len(stems) == 1 else f"{stems[0]}-and-{len(stems) - 1}-more"
    begun = folder / f"{whole}.visualize"
    npz = Path(f"{begun}.npz") if order.npz else None
    return Files([named(stem) for stem in stems], Path(f"{begun}.sheet.png"), Path(f"{begun}.json"), npz)


def _write(order: Order, made: Sequence[Gallery], files: Files) -> None:
    """Write what all pictures have in common: sheet, numbers, arrays."""
    if not made:
        return
    whole = joined(made)
    render.write_bytes(files.sheet, render.png_bytes(whole.sheet()), force=order.force)
    whole.save(files.json, force=order.force)
    if files.npz:
        whole.save(files.npz, force=order.force)


def _tell(order: Order, whole: Gallery, files: Files) -> None:
    paths = [path for paths in files.pictures for path in paths]
    if order.as_json:
        told: dict[str, Any] = whole.summary()
        for picture, path in zip(told["pictures"], paths, strict=True):
            picture["file"] = str(path)
        whole_files = {"sheet": str(files.sheet), "json": str(files.json)} | (
            {"npz": str(files.npz)} if files.npz else {}
        )
        sys.stdout.write(json.dumps(told | {"files": whole_files}, indent=2) + "\n")
        return
    for index, path in enumerate(paths):
        words = "  ".join(whole.caption(index))
        console.out().print(f"{words}  {path}", markup=False)
    for remark in whole.remarks:
        console.out().print(remark, markup=False)
    for path in files.all()[len(paths) :]:
        console.out().print(f"wrote  {path}", markup=False)
