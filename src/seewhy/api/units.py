"""One unit of a network, on one card: what excites it, what it does, and how far to trust the pictures that were made for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch

from seewhy.api import ModelLike, Session
from seewhy.data.dataset import dataset
from seewhy.engine import session as engine
from seewhy.engine.model import Fit
from seewhy.evaluation.ground import Ground, Progress
from seewhy.evaluation.unit_study import Wanted, placed, study, unit_of, usual_at
from seewhy.report.document import Document
from seewhy.report.unit import UnitCard, numbers
from seewhy.report.unit_card import card
from seewhy.report.unit_page import unit_page
from seewhy.report.unit_picture import unit_picture
from seewhy.targets import Channel
from seewhy.visualization.maximize import Climb
from seewhy.visualization.profiles import suited
from seewhy.visualization.search import Search, search


@dataclass(frozen=True, eq=False)
class Unit(Document):
    """A unit of a network, and everything that was found out about it.

    Attributes:
        card: pictures, numbers and sentences.
    """

    card: UnitCard

    noun: ClassVar = "a card"

    def numbers(self) -> dict[str, Any]:
        """Return the numbers as plain values."""
        return numbers(self.card)

    def page(self) -> str:
        """Return the card as one HTML file."""
        return unit_page(self.card)

    def picture(self) -> Any:
        """Draw the card as one PIL picture."""
        return unit_picture(self.card)


def unit(
    model: ModelLike | engine.Session,
    name: str,
    data: object,
    *,
    pictures: int = 4,
    top: int = 9,
    climb: Climb | None = None,
    steps: int | None = None,
    natural: int = 512,
    ablated: int = 256,
    fit: Fit | None = None,
    seed: int = 0,
    cache: str | Path | None = None,
    device: torch.device | str | None = None,
    progress: Progress | None = None,
    command: str = "",
) -> Unit:
    """Ask what one unit looks for, what it does to the answer, and how far the pictures made for it can be trusted.

    Args:
        model: a `seewhy.Model`, a name for `seewhy.load_model`, or None for the built-in network; or a session that is open.
        name: layer and channel: "blocks.8:20".
        data: natural pictures: a folder, a list of files, or (inputs (n, c, h, w), labels (n,)).
        pictures: made for it, from different starts.
        top: natural examples.
        climb: how a picture is made; as suits the unit and the size of the input if None.
        steps: of gradient ascent, in place of those of `climb`.
        natural: natural pictures, at most, that say what is usual; the search for examples looks at all of them.
        ablated: natural pictures, at most, on which the unit is taken away; 0 for none.
        fit: how natural pictures are fitted.
        seed: of everything that is drawn at random.
        cache: folder in which the search is put away, so that further units of the layer need none; where it holds what the layer gives for
            these pictures (of `seewhy.discover`, `distill`, `importance` …), the unit is taken away without a look at them.
        device: where to run.
        progress: is told what is at work, how much is done, and how much there is.
        command: makes the same card again; written on it.

    Returns:
        A `Unit`: `.card`, `.numbers()`, `.save("unit.html")`, also `.png` and `.json`.

    Raises:
        ConfigError, LayerError, TargetError: the unit is not spelled "layer:channel", or there is no such layer or channel.
        DataError: there are no pictures, or none that can be read.
        ModelError: the model does not say how a picture becomes its input.

    Example:
        >>> seewhy.unit(None, "blocks.12:5", "photos/").save("unit.html")
    """
    session = model if isinstance(model, engine.Session) else Session(model, device=device, seed=seed)
    layer, channel = unit_of(name, [known for known, _ in session.network.module.named_modules() if known])
    wanted = Wanted(
        chosen_climb(climb or suited(session.model, Channel(layer, channel)), steps),
        pictures,
        natural=natural,
        ablated=ablated,
        fit=fit,
    )
    begun = session.cost
    place = placed(session, layer)
    pictures_of = dataset(data, session.model)
    shelf = None if cache is None else Path(cache)
    ground = Ground(session, layer, pictures_of, fit, progress).remembering(shelf)
    usual = usual_at(ground, place, wanted)
    how = Search(top=top, fit=fit, seed=seed)
    found = search(session, pictures_of, [layer], how, cache=shelf, progress=counted(progress))
    made = study(ground, place, channel, usual, found, wanted=wanted, seed=seed)
    return Unit(card(session, made, named(data), command=command, cost=session.cost - begun, seed=seed))


def chosen_climb(climb: Climb, steps: int | None) -> Climb:
    """Return a climb with another number of steps, where one is given."""
    return climb if steps is None else replace(climb, steps=steps)


def counted(progress: Progress | None) -> Any:
    """Return what a search tells its progress to."""
    return None if progress is None else lambda done, of: progress("search for examples", done, of)


def named(data: object) -> str:
    """Return natural pictures in words: the name of their folder, where there is one."""
    if isinstance(data, (str, Path)):
        return Path(data).resolve().name or str(data)
    if isinstance(data, Sequence) and len(data) == 1 and isinstance(data[0], (str, Path)):
        return named(data[0])
    return "the data given"
