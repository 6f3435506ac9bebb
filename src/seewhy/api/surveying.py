"""All units of a layer as one page that is browsed, searched and sorted."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from seewhy import render
from seewhy.api import ModelLike, Session
from seewhy.api.units import chosen_climb, counted, named
from seewhy.core.budget import Budget
from seewhy.data.dataset import dataset
from seewhy.engine import session as engine
from seewhy.engine.model import Fit
from seewhy.errors import ConfigError
from seewhy.evaluation.ground import Ground, Progress
from seewhy.evaluation.layer_study import (
    MOST_UNITS,
    Quickly,
    chosen_units,
    quick_climb,
    quick_studies,
    usual_of_layer,
    without_each,
)
from seewhy.evaluation.unit_study import placed
from seewhy.report.atlas import Atlas, AtlasUnit, Drawing, atlas_numbers, units_of
from seewhy.report.atlas_page import atlas_page, detail
from seewhy.version import __version__
from seewhy.visualization.maximize import Climb
from seewhy.visualization.search import Search, search


@dataclass(frozen=True, eq=False)
class UnitAtlas:
    """The units of a layer, and what was quickly found out about each.

    Attributes:
        atlas: pictures and numbers.
        interrupted: whether it was interrupted before all units were done.
    """

    atlas: Atlas
    interrupted: bool = False

    def numbers(self) -> dict[str, Any]:
        """Return the numbers as plain values."""
        return atlas_numbers(self.atlas)

    def page(self) -> str:
        """Return the atlas as one HTML file."""
        return atlas_page(self.atlas)

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the atlas to a `.html` or `.json` file.

        Raises:
            ConfigError: another ending.
            DataError: the file is there already and `force` is off, or it cannot be written.
        """
        ending = Path(path).suffix.lower()
        if ending not in (".html", ".json"):
            raise ConfigError(f"an atlas is written as .html or .json, got {ending!r}")
        text = self.page() if ending == ".html" else json.dumps(self.numbers(), indent=1, allow_nan=False)
        return render.write_bytes(path, text.encode(), force=force)


def atlas(
    model: ModelLike | engine.Session,
    layer: str,
    data: object,
    *,
    units: str | None = None,
    pictures: int = 2,
    climb: Climb | None = None,
    steps: int | None = None,
    natural: int = 256,
    ablated: int = 32,
    budget: Budget = None,
    fit: Fit | None = None,
    seed: int = 0,
    cache: str | Path | None = None,
    device: torch.device | str | None = None,
    progress: Progress | None = None,
    price: Callable[[str], None] | None = None,
    command: str = "",
) -> UnitAtlas:
    """Show every unit of a layer on a small card: pictures made for it beside natural patches, its classes, its importance.

    One pass over the pictures for natural examples, one for what is usual, one without each unit; then quick pictures, unit after unit.
    An interrupt or a spent budget ends the last part: the atlas holds the units that are done, and says so.

    Args:
        model: a `seewhy.Model`, a name for `seewhy.load_model`, or None for the built-in network; or a session that is open.
        layer: the layer.
        data: natural pictures: a folder, a list of files, or (inputs (n, c, h, w), labels (n,)).
        units: which, such as "0-9,40"; all, but at most 320, if None.
        pictures: made for each unit.
        climb: how a picture is made; few steps by default.
        steps: of gradient ascent, in place of those of `climb`.
        natural: natural pictures, at most, that say what is usual.
        ablated: natural pictures, at most, on which each unit is taken away; 0 for none.
        budget: the time for the made pictures ("10m").
        fit: how natural pictures are fitted.
        seed: of everything that is drawn at random.
        cache: folder in which the search for examples is put away.
        device: where to run.
        progress: is told what is at work, how much is done, and how much there is.
        price: is told in words what it will cost, before the work begins.
        command: makes the same atlas again; written on it.

    Returns:
        A `UnitAtlas`: `.atlas`, `.numbers()`, `.save("layer.html")`.

    Raises:
        LayerError, TargetError, ConfigError: no such layer or units.
        DataError: there are no pictures, or none that can be read.
        ModelError: the model does not say how a picture becomes its input.

    Example:
        >>> seewhy.atlas(None, "blocks.12", "photos/", budget="10m").save("blocks.12.html")
    """
    session = model if isinstance(model, engine.Session) else Session(model, device=device, seed=seed)
    made_with = chosen_climb(climb or quick_climb(session.model, layer), steps)
    quickly = Quickly(made_with, pictures, natural, ablated, fit, budget)
    place, begun = placed(session, layer), session.cost
    shelf = None if cache is None else Path(cache)
    ground = Ground(session, layer, dataset(data, session.model), fit, progress).remembering(shelf)
    usual = usual_of_layer(ground, place, quickly)
    channels, cut = chosen_units(units, usual.units, layer)
    if price is not None:
        price(quickly.price(len(channels), len(ground.data)))
    how = Search(top=6, fit=fit, seed=seed)
    found = search(session, ground.data, [layer], how, cache=shelf, progress=counted(progress))
    running = without_each(ground, channels, usual, quickly)
    side, patch = detail(len(channels))
    studies = quick_studies(ground, place, channels, usual, found, quickly=quickly, seed=seed)
    drawing = Drawing(found, layer, session.model.labels, patch)
    done: list[AtlasUnit] = []
    interrupted = False
    try:
        for one in units_of(studies, usual, running, drawing, side):
            done.append(one)  # noqa: PERF402 (what is done is kept when the rest is interrupted)
    except KeyboardInterrupt:
        if not done:
            raise
        interrupted = True
    made = Atlas(
        layer=layer,
        model=session.model.title,
        data=named(data),
        of=usual.units,
        units=tuple(done),
        asked=len(channels),
        pictures=usual.pictures,
        ablated=0 if running is None else running.pictures,
        command=command,
        provenance={"seewhy": __version__, "seed": seed, "steps": quickly.climb.steps, "pictures": pictures},
        cost=str(session.cost - begun),
    )
    measured = running is not None or not ablated
    lines = _cautions(made, cut=cut, interrupted=interrupted, measured=measured)
    return UnitAtlas(replace(made, cautions=lines), interrupted)


def _cautions(made: Atlas, *, cut: bool, interrupted: bool, measured: bool) -> tuple[str, ...]:
    """Return what a reader must know of an atlas: what is missing, and what is dead."""
    lines = []
    if len(made.units) < made.asked:
        why = "it was interrupted" if interrupted else "the budget was spent"
        lines.append(f"{len(made.units)} of {made.asked} units are done; then {why}.")
    if cut:
        lines.append(
            f"An atlas holds {MOST_UNITS} units; choose others of the {made.of} with --units 320-639, for instance."
        )
    dead = sum(unit.constant is not None for unit in made.units)
    if dead:
        lines.append(f"{dead} unit{' is' if dead == 1 else 's are'} dead: the same value on every natural picture.")
    if not measured:
        lines.append("The network's answer is not one row of classes, so what the units do to it was not measured.")
    return tuple(lines)
