"""Activation maximization: the picture that a target scores highest, found by gradient ascent."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor

from seewhy.core.budget import Allowance, Budget
from seewhy.core.target import Target
from seewhy.engine.ascent import Ascent
from seewhy.engine.model import Model, per_channel
from seewhy.engine.session import Session
from seewhy.errors import ConfigError, ModelError
from seewhy.rules.rectifiers import reviving
from seewhy.visualization.canvas import Canvas, Fourier
from seewhy.visualization.regular import contrast, total_variation
from seewhy.visualization.views import Views

Progress = Callable[[int, int, float], None]
"""Is told the steps made, the steps planned, and the score."""
LEAST_RATE = 0.1
"""Share of the step length that is left at the end of a climb."""
STRETCH = 32
"""Steps whose mean score is compared with that of as many before them."""
GAIN = 0.01
"""A climb ends when a stretch of steps has gained less than this share of the score."""


@dataclass(frozen=True)
class Climb:
    """How a picture is made; `seewhy.visualization.profiles.suited` gives what suits a target.

    Args:
        canvas: what the picture is made of.
        views: how the picture is shown to the network: shifted, turned, scaled.
        steps: of gradient ascent, at most.
        budget: the most that may be spent: steps, or a time ("30s").
        size: height and width of the picture; the network's own input size if None. Views always have the network's size.
        tv: weight of the total variation, which is taken off the score.
        l2: weight of the mean squared distance from mid grey, which is taken off the score.
        patient: make all steps, also when the score no longer rises.
    """

    canvas: Canvas = field(default_factory=Fourier)
    views: Views = field(default_factory=Views)
    steps: int = 128
    budget: Budget = None
    size: tuple[int, int] | None = None
    tv: float = 0.0
    l2: float = 0.0
    patient: bool = False

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"a picture takes at least one step, got steps={self.steps}")
        if self.size is not None and min(self.size) < 2:
            raise ConfigError(f"a picture has at least 2 x 2 pixels, got size={self.size}")


@dataclass(frozen=True, eq=False)
class Visualization:
    """Pictures made for targets.

    Attributes:
        images: RGB (n, c, h, w), values from 0 to 1.
        scores: what the target gives for each picture as it is, not moved (n,).
        targets: what each was made for, in words.
        unit: of the scores.
        curves: for each picture the score of each step, the mean of its views; empty where it was not kept.
    """

    images: Float[Tensor, "n c h w"]
    scores: Float[Tensor, " n"]
    targets: tuple[str, ...]
    unit: str
    curves: tuple[tuple[float, ...], ...] = ()


def maximize(
    session: Session, target: Target, climb: Climb, seed: int = 0, progress: Progress | None = None
) -> Visualization:
    """Make one picture for one target; it depends on nothing but the network, the target, the climb and the seed.

    On one machine with as many threads, that is: elsewhere sums are rounded otherwise, and a climb makes another picture of that.

    It shows what drives the unit most, which may be far from what it meets in photos: look at natural examples beside it.

    Raises:
        ModelError: the model does not say how a picture becomes its input.
        TargetError: the target does not fit the network.
    """
    shape, generator = picture_shape(session.model, climb), Generator().manual_seed(seed)
    numbers = climb.canvas.begin(shape, generator)
    with torch.no_grad():
        start = as_seen(climb.canvas.picture(numbers, shape)[None], session.model, climb)
    ascent = session.ascent(target, start, revival=reviving)
    with torch.inference_mode(mode=False), torch.enable_grad():
        numbers = numbers.clone().requires_grad_()
        curve = _climbed(ascent, numbers, climb, session.model, generator, progress=progress)
    with torch.no_grad():
        image = climb.canvas.picture(numbers.detach(), shape)[None]
        score = ascent.scores(as_seen(image, session.model, climb))
    return Visualization(image, score.cpu(), ascent.bound.names, ascent.bound.unit, (tuple(curve),))


def _climbed(
    ascent: Ascent,
    numbers: Tensor,
    climb: Climb,
    model: Model,
    generator: Generator,
    *,
    progress: Progress | None,
) -> list[float]:
    """Change the numbers, step by step, and return the scores on the way."""
    shape = picture_shape(model, climb)
    adam = torch.optim.Adam([numbers], lr=climb.canvas.rate)
    curve: list[float] = []
    for step in Allowance.of(climb.budget).spend(range(climb.steps)):
        picture = climb.canvas.picture(numbers, shape)
        views = as_input(climb.views.of(picture, generator, view_size(model, climb)), model)
        scores, gradient = ascent.slope(views.detach())
        adam.param_groups[0]["lr"] = climb.canvas.rate * pace(step, climb.steps)
        numbers.grad = _downhill(numbers, picture, views, gradient, climb)
        adam.step()
        curve.append(float(scores.mean()))
        if progress is not None:
            progress(step + 1, climb.steps, curve[-1])
        if not climb.patient and settled(curve):
            break
    return curve


def _downhill(numbers: Tensor, picture: Tensor, views: Tensor, gradient: Tensor, climb: Climb) -> Tensor:
    """Return the gradient of what is made small: minus the mean score of the views, and what the picture is punished for."""
    ends, slopes = [views], [gradient / -len(views)]
    if climb.tv or climb.l2:
        ends.append(climb.tv * total_variation(picture) + climb.l2 * contrast(picture))
        slopes.append(torch.ones_like(ends[1]))
    [found] = torch.autograd.grad(ends, [numbers], slopes)
    return found


def pace(step: int, steps: int) -> float:
    """Return the share of the step length at a step: half a cosine from 1 down to a tenth, so that the last steps draw and do not jump."""
    return LEAST_RATE + (1 - LEAST_RATE) * (1 + math.cos(math.pi * step / steps)) / 2


def settled(curve: Sequence[float]) -> bool:
    """Say whether the last 32 steps scored, in the mean, less than 1 % more than the 32 before."""
    if len(curve) < 2 * STRETCH:
        return False
    before, after = sum(curve[-2 * STRETCH : -STRETCH]), sum(curve[-STRETCH:])
    return after - before < GAIN * abs(before)


def picture_shape(model: Model, climb: Climb) -> tuple[int, int, int]:
    """Return channels, height and width of the pictures for a model; raise `ModelError` where it takes none, or does not say how."""
    if model.for_clips or model.depth is not None:
        kind = "clips" if model.for_clips else "volumes"
        raise ModelError(f"pictures are made for networks that take pictures, and {model.title} takes {kind}")
    size = climb.size or model.input_size
    if size is None or model.mean is None or model.std is None:
        raise ModelError(
            f"{model.title}: to show it pictures, seewhy must know size, mean and std: seewhy.Model(network, size=..., mean=..., std=...)"
        )
    stated = max(len(per_channel(model.mean)), len(per_channel(model.std)))
    return (stated if stated > 1 else 1 if model.channels == "grey" else 3, *size)


def view_size(model: Model, climb: Climb) -> tuple[int, int]:
    """Return height and width of what the network is shown: its own input size, or the picture's where it states none."""
    return model.input_size or picture_shape(model, climb)[1:]


def as_seen(pictures: Float[Tensor, "n c h w"], model: Model, climb: Climb) -> Float[Tensor, "n c h w"]:
    """Return whole pictures, unmoved, as the network takes them: in its size, in its units."""
    size = view_size(model, climb)
    if tuple(pictures.shape[2:]) != size:
        pictures = F.interpolate(pictures, size=size, mode="bilinear", antialias=True)
    return as_input(pictures, model)


def as_input(pictures: Float[Tensor, "n c h w"], model: Model) -> Float[Tensor, "n c h w"]:
    """Return pictures with values from 0 to 1 as the network takes them."""
    _, mean, std = model.needs_preprocessing()
    pictures = pictures.flip(1) if model.channels == "bgr" else pictures
    return (pictures - pictures.new_tensor(mean)[:, None, None]) / pictures.new_tensor(std)[:, None, None]
