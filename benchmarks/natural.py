"""Natural examples of every channel of a layer over a folder, against a bare loop that reads the pictures and runs the network up to the layer."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

import seewhy
from benchmarks import measure
from benchmarks.models import PHOTOS, UpTo, lite0
from benchmarks.table import markdown
from seewhy.data.dataset import dataset
from seewhy.data.picture import files_in, sample
from seewhy.visualization.search import Search, search

BAR = 1.2
"""The most that the whole search may cost, in bare loops over the same pictures."""
LAYERS = ("blocks.3", "blocks.8", "blocks.13")
ROWS = 8
MOST = 200
"""Pictures; more would only take longer."""


@dataclass(frozen=True)
class Measured:
    """One layer: pictures in the folder, and the cost of the search in bare loops."""

    layer: str
    pictures: int
    ratio: float


def folder() -> Path:
    """Return real photos where SEEWHY_DATA names them, else the few of the examples."""
    given = os.environ.get("SEEWHY_DATA")
    photos = Path(given) / "imagenet60" if given else PHOTOS
    return photos if photos.is_dir() else PHOTOS


def measured(layer: str, seconds: float) -> Measured:
    """Search a folder and read it bare, in turn."""
    paths = files_in(folder())[:MOST]
    found = measure.in_turn({measure.BASE: _bare(layer, paths), "ours": _ours(layer, paths)}, seconds)
    return Measured(layer, len(paths), found["ours"])


def _bare(layer: str, paths: Sequence[Path]) -> Callable[[], None]:
    """Return a loop as one would write it: read, prepare, stack eight, run up to the layer, keep the largest value of each channel."""
    model = lite0()[0]
    network = UpTo(model.module, layer)

    def run() -> None:
        kept = []
        with torch.no_grad():
            for start in range(0, len(paths), ROWS):
                images = torch.stack([sample(path, model).inputs for path in paths[start : start + ROWS]])
                kept.append(network(images).flatten(2).amax(dim=2))
        torch.cat(kept).topk(min(9, len(paths)), dim=0)

    return run


def _ours(layer: str, paths: Sequence[Path]) -> Callable[[], object]:
    session = seewhy.Session(lite0()[0])
    return lambda: search(session, dataset(list(paths), session.model), [layer], Search(rows=ROWS))


def table(found: Sequence[Measured]) -> str:
    """One line for each layer."""
    head = ("natural examples of all channels", "pictures", "of a bare loop", f"at most {BAR:g}")
    return markdown(
        head,
        [
            (one.layer, str(one.pictures), f"**{one.ratio:.2f}**", "yes" if one.ratio <= BAR else "**no**")
            for one in found
        ],
    )
