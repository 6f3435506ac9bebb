"""Pictures made for units and classes, and from photos: what a network looks for, and what it keeps of what it sees."""

from collections.abc import Sequence
from dataclasses import replace
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
from seewhy.visualization.canvas import Canvas, Fourier
from seewhy.visualization.diversify import Diversity
from seewhy.visualization.from_photo import NEARLY_STILL, accentuations, caricatures, inversions
from seewhy.visualization.gallery import Gallery, joined
from seewhy.visualization.maximize import Climb
from seewhy.visualization.objectives import as_objective
from seewhy.visualization.photos import as_photo
from seewhy.visualization.series import Series, Watching, maximized

CANVASES: dict[str, type[Canvas]] = {"fourier": Fourier}
"""What a picture can be made of, by name."""

WAYS = {"caricature": 256, "inversion": 256, "accentuation": 96}
"""What can be made of a photo, and in how many steps."""

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
        canvas: what the picture is made of.
        size: height and width; the network's own if None.
        tv: weight of the total variation, which is taken off the score.
        l2: weight of the squared distance from mid grey, which is taken off the score.
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
    made = climb_of(climb, steps=steps, canvas=canvas, size=size, tv=tv, l2=l2, budget=budget)
    wanted = diversity if isinstance(diversity, Diversity) else Diversity(diversity) if diversity else None
    with session_of(model, device) as session:
        series = Series(session, made, seed, progress)
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
        own = climb_of(climb or small_moves("caricature"), steps=steps, budget=budget)
        layers = layers_of(session, layer)
        seen = as_photo(photo, session.model, fit)
        return joined(caricatures(Series(session, own, seed, progress), seen, layers, power))


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
        own = climb_of(climb or small_moves("inversion"), steps=steps, tv=tv, budget=budget)
        layers = layers_of(session, layer)
        seen = as_photo(photo, session.model, fit)
        return joined(inversions(Series(session, own, seed, progress), seen, layers))


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
        own = climb_of(climb or small_moves("accentuation"), steps=steps, budget=budget)
        return joined(accentuations(Series(session, own, seed, progress), seen, asked, Leash(within, layer)))


def session_of(model: ModelLike | engine.Session, device: torch.device | str | None) -> engine.Session:
    """Return a session of a model, or the one that is given."""
    return model if isinstance(model, engine.Session) else Session(model, device=device)


def climb_of(
    climb: Climb | None,
    *,
    steps: int | None = None,
    canvas: CanvasLike | None = None,
    size: int | tuple[int, int] | None = None,
    tv: float | None = None,
    l2: float | None = None,
    budget: Budget = None,
) -> Climb:
    """Return how a picture is made: a climb, with what was named in the place of its own.

    Raises:
        ConfigError: no steps, no size, no such canvas.
    """
    Allowance.of(budget)
    _positive("steps", steps)
    sides = (size, size) if isinstance(size, int) else size
    for side in sides or ():
        _positive("size", side)
    named: dict[str, Any] = {"steps": steps, "size": sides, "tv": tv, "l2": l2, "budget": budget}
    named["canvas"] = canvas_of(canvas) if isinstance(canvas, str) else canvas
    return replace(climb or Climb(), **{name: value for name, value in named.items() if value is not None})


def canvas_of(name: str) -> Canvas:
    """Return a canvas by its name; raise `ConfigError` with the names that there are."""
    if name not in CANVASES:
        near = nearest(name, list(CANVASES))
        raise ConfigError(
            f"a canvas is one of {', '.join(CANVASES)}; got {name!r}" + (f" (did you mean {near}?)" if near else "")
        )
    return CANVASES[name]()


def _positive(name: str, value: int | None) -> None:
    if value is not None and value < 1:
        raise ConfigError(f"{name} is at least 1, got {value}")


def small_moves(way: str) -> Climb:
    """Return how a picture is made from a photo: as a "caricature", an "inversion" or an "accentuation"."""
    return Climb(views=NEARLY_STILL, steps=WAYS[way])


def layers_of(session: engine.Session, layer: str | Sequence[str]) -> list[str]:
    """Return the names of the layers; "auto" is the one that methods look at."""
    if layer != AUTO:
        return [layer] if isinstance(layer, str) else list(layer)
    size, mean, _ = session.model.needs_preprocessing()
    channels = 1 if session.model.channels == "grey" else max(3, len(mean))
    return [session.network.target_layer(session.network.accept(sample_of((channels, *size))))]
