"""Pictures made for units and classes, and from photos: what a network looks for, and what it keeps of what it sees."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from seewhy.api import ModelLike, Session, Source, TargetLike
from seewhy.core.budget import Allowance, Budget
from seewhy.core.method import AUTO
from seewhy.engine import session as engine
from seewhy.engine.anatomy import sample_of
from seewhy.engine.model import Fit
from seewhy.errors import ConfigError, nearest
from seewhy.targets import as_target
from seewhy.visualization.accentuate import Leash
from seewhy.visualization.canvas import Canvas, Fourier, Pixels
from seewhy.visualization.diversify import Diversity
from seewhy.visualization.from_photo import accentuations, caricatures, inversions, kept_in_place
from seewhy.visualization.gallery import Gallery, joined
from seewhy.visualization.maco import Maco
from seewhy.visualization.maximize import Climb
from seewhy.visualization.objectives import as_objective
from seewhy.visualization.photos import as_photo
from seewhy.visualization.profiles import suited
from seewhy.visualization.series import Series, Watching, maximized

CANVASES: dict[str, type[Canvas]] = {"fourier": Fourier, "pixels": Pixels, "maco": Maco}
"""What a picture can be made of, by name."""

CanvasLike = Canvas | str


def visualize(
    model: ModelLike | engine.Session,
    targets: TargetLike | Sequence[TargetLike],
    *,
    steps: int | None = None,
    seed: int = 0,
    count: int = 1,
    diversity: float | Diversity = 0.0,
    canvas: CanvasLike | None = None,
    size: int | tuple[int, int] | None = None,
    tv: float | None = None,
    l2: float | None = None,
    budget: Budget = None,
    climb: Climb | None = None,
    device: torch.device | str | None = None,
    progress: Watching | None = None,
) -> Gallery:
    """Make pictures that targets score highest: what does this unit, or this class, look for?

    Args:
        model: a `seewhy.Model`, a name for `seewhy.load_model`, or None for the built-in network; or a session that is open.
        targets: one or several; each gets a picture of its own, a sum of targets one for all. "blocks.8:20" is channel 20 of a layer,
            "blocks.8:20@center" its neuron at the centre, "zebra" or 340 a class; otherwise one of `seewhy.targets`, or a function of the
            network's answer.
        steps: of gradient ascent.
        seed: of the first picture of each target; the same seed gives the same picture, whatever else is made.
        count: pictures for each target, from as many seeds.
        diversity: above 0, the `count` pictures of a target are made to differ, as far as they keep nine tenths of the score; the number is
            the weight to begin with.
        canvas: what the picture is made of: "fourier", "pixels", "maco", or one of `seewhy.visualization.canvas`; what suits the target if None.
        size: height and width; the network's own if None.
        tv: weight of the total variation, which is taken off the score.
        l2: weight of the mean squared distance from mid grey, which is taken off the score.
        budget: the most that all pictures may take together: a time ("30s"), or a number of steps.
        climb: everything about how a picture is made; what is given beside it takes its place.
        device: where to run; where the network is, if None.
        progress: is told what a picture is for, the steps made, the steps planned, and the score.

    Returns:
        A `Gallery`: `.images` (n, c, h, w) with values from 0 to 1, `.scores` (n,), `.sheet()` and `.save("units.png")`.

    Raises:
        LayerError, TargetError: no such layer, channel or class; said at once, with the nearest names.
        ModelError: the model does not say how a picture becomes its input.
        ConfigError: a setting out of range.

    Example:
        >>> seewhy.visualize(None, ["blocks.8:20", "zebra"], steps=64).save("pictures.png")
    """
    several = list(targets) if isinstance(targets, (list, tuple)) else [targets]
    objectives = [as_objective(target) for target in several]
    made = Wanted(climb, steps, canvas, size, tv, l2)
    wanted = diversity if isinstance(diversity, Diversity) else Diversity(diversity) if diversity else None
    with session_of(model, device) as session:
        series = made.series(session, seed, budget, progress)
        return joined(maximized(series, objectives, count=count, diversity=wanted))


def caricature(
    photo: Source,
    model: ModelLike | engine.Session = None,
    layer: str | Sequence[str] = AUTO,
    *,
    power: float = 1.0,
    steps: int | None = None,
    seed: int = 0,
    budget: Budget = None,
    climb: Climb | None = None,
    fit: Fit | None = None,
    device: torch.device | str | None = None,
    progress: Watching | None = None,
) -> Gallery:
    """Exaggerate what a layer sees in a photo: what has it made of the photo, and what did it leave out?

    Args:
        photo: as in `seewhy.explain`.
        model: as in `visualize`.
        layer: one or several; each gets a picture. "auto" is the one that methods look at.
        power: of the cosine that multiplies the dot product with the photo's activations; higher keeps nearer to them, 0 leaves it out.
        steps, seed, budget, climb, device, progress: as in `visualize`.
        fit: how the photo is fitted; the model's own way if None.

    Returns:
        A `Gallery` with the photo, `.photo_scores` and `.scores`: what the target gives for the photo and for the pictures.

    Example:
        >>> seewhy.caricature("photo.jpg", layer=["blocks.4", "blocks.10"]).save("caricature.png")
    """
    with session_of(model, device) as session:
        series = Wanted(climb, steps).series(session, seed, budget, progress, "caricature")
        return joined(caricatures(series, as_photo(photo, session.model, fit), layers_of(session, layer), power))


def invert(
    photo: Source,
    model: ModelLike | engine.Session = None,
    layer: str | Sequence[str] = AUTO,
    *,
    tv: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    budget: Budget = None,
    climb: Climb | None = None,
    fit: Fit | None = None,
    device: torch.device | str | None = None,
    progress: Watching | None = None,
) -> Gallery:
    """Make a picture, from nothing, that a layer takes for the photo: what has the layer kept of it?

    What differs between photo and picture is what the layer no longer knows, or what the picture's own making (frequencies, total variation)
    has put there.

    Args:
        photo, model, layer, fit: as in `caricature`.
        tv: weight of the total variation, which is taken off the score.
        steps, seed, budget, climb, device, progress: as in `visualize`.

    Returns:
        A `Gallery` with the photo; `.scores` are the distances that are left, |a - f|^2 / |f|^2.

    Example:
        >>> seewhy.invert("photo.jpg", layer=["blocks.1", "blocks.4", "blocks.10"]).save("inversion.png")
    """
    with session_of(model, device) as session:
        series = Wanted(climb, steps, tv=tv).series(session, seed, budget, progress, "inversion")
        return joined(inversions(series, as_photo(photo, session.model, fit), layers_of(session, layer)))


def accentuate(
    photo: Source,
    model: ModelLike | engine.Session = None,
    targets: TargetLike | Sequence[TargetLike] = None,
    *,
    within: float = Leash.within,
    layer: str | None = None,
    steps: int | None = None,
    seed: int = 0,
    budget: Budget = None,
    climb: Climb | None = None,
    fit: Fit | None = None,
    device: torch.device | str | None = None,
    progress: Watching | None = None,
) -> Gallery:
    """Change a photo a little so that it scores higher: what in it does a unit or a class respond to?

    Args:
        photo, model, fit: as in `caricature`.
        targets: as in `visualize`; the class that the network predicts for the photo if None.
        within: how far the activations of `layer` may move, as a share of their size.
        layer: where nearness to the photo is measured; the one half-way through the network if None.
        steps, seed, budget, climb, device, progress: as in `visualize`.

    Returns:
        A `Gallery` with the photo, `.photo_scores` and `.scores`.

    Example:
        >>> seewhy.accentuate("photo.jpg", targets=["tabby", "tiger cat"]).save("accentuation.png")
    """
    with session_of(model, device) as session:
        seen = as_photo(photo, session.model, fit)
        several = list(targets) if isinstance(targets, (list, tuple)) else [targets]
        asked = [as_target(target) for target in several]
        series = Wanted(climb, steps).series(session, seed, budget, progress, "accentuation")
        return joined(accentuations(series, seen, asked, Leash(within, layer)))


def session_of(model: ModelLike | engine.Session, device: torch.device | str | None) -> engine.Session:
    """Return a session of a model, or the one that is given."""
    return model if isinstance(model, engine.Session) else Session(model, device=device)


@dataclass(frozen=True)
class Wanted:
    """What was said about how pictures are made; what was not said is left to what suits the target.

    Attributes:
        climb: everything, in the place of what suits the target.
        steps, canvas, size, tv, l2: as in `visualize`.
    """

    climb: Climb | None = None
    steps: int | None = None
    canvas: CanvasLike | None = None
    size: int | tuple[int, int] | None = None
    tv: float | None = None
    l2: float | None = None

    def __post_init__(self) -> None:
        sides = self.size if isinstance(self.size, tuple) else () if self.size is None else (self.size,)
        for name, value in (("steps", self.steps), *(("size", side) for side in sides)):
            if value is not None and value < (1 if name == "steps" else 2):
                raise ConfigError(f"{name} is at least {1 if name == 'steps' else 2}, got {value}")
        if isinstance(self.canvas, str):
            canvas_of(self.canvas)

    def over(self, suited: Climb) -> Climb:
        """Return what was said, and for the rest what suits the target."""
        size = (self.size, self.size) if isinstance(self.size, int) else self.size
        canvas = canvas_of(self.canvas) if isinstance(self.canvas, str) else self.canvas
        named = {"steps": self.steps, "canvas": canvas, "size": size, "tv": self.tv, "l2": self.l2}
        given: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
        return replace(self.climb or suited, **given)

    def series(
        self, session: engine.Session, seed: int, budget: Budget, progress: Watching | None, way: str | None = None
    ) -> Series:
        """Return what all pictures of a call have in common; `way` is what is made of a photo."""
        Allowance.of(budget)
        model = session.model
        if way is None:
            return Series(session, lambda target: self.over(suited(model, target)), seed, budget, progress)
        own = self.over(kept_in_place(model, way))
        return Series(session, lambda _: own, seed, budget, progress)


def canvas_of(name: str) -> Canvas:
    """Return a canvas by its name; raise `ConfigError` with the names that there are."""
    if name not in CANVASES:
        near = nearest(name, list(CANVASES))
        raise ConfigError(
            f"a canvas is one of {', '.join(CANVASES)}; got {name!r}" + (f" (did you mean {near}?)" if near else "")
        )
    return CANVASES[name]()


def layers_of(session: engine.Session, layer: str | Sequence[str]) -> list[str]:
    """Return the names of the layers; "auto" is the one that methods look at."""
    if layer != AUTO:
        return [layer] if isinstance(layer, str) else list(layer)
    size, mean, _ = session.model.needs_preprocessing()
    channels = 1 if session.model.channels == "grey" else max(3, len(mean))
    return [session.network.target_layer(session.network.accept(sample_of((channels, *size))))]
