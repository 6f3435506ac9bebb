"""Activation maximization: the picture that a target scores highest, found by gradient ascent."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from seewhy.core.budget import Allowance, Budget
from seewhy.core.target import Target
from seewhy.engine.model import Model, per_channel
from seewhy.engine.session import Session
from seewhy.errors import ModelError
from seewhy.rules.rectifiers import REDIRECTED
from seewhy.visualization.canvas import Canvas, Fourier
from seewhy.visualization.views import Views

Progress = Callable[[int, int, float], None]
"""Is told the steps made, the steps planned, and the score."""


@dataclass(frozen=True)
class Climb:
    """How a picture is made.

    Args:
        canvas: what the picture is made of.
        views: how the picture is shown to the network: shifted, turned, scaled.
        steps: of gradient ascent.
        budget: the most that may be spent: steps, or a time ("30s").
        size: height and width; the network's own input size if None.
    """

    canvas: Canvas = field(default_factory=Fourier)
    views: Views = field(default_factory=Views)
    steps: int = 128
    budget: Budget = None
    size: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class Visualization:
    """Pictures made for targets.

    Attributes:
        images: RGB (n, c, h, w), values from 0 to 1.
        scores: what the target gives for each picture as it is, not moved (n,).
        targets: what each was made for, in words.
        unit: of the scores.
    """

    images: Float[Tensor, "n c h w"]
    scores: Float[Tensor, " n"]
    targets: tuple[str, ...]
    unit: str


def maximize(
    session: Session, target: Target, climb: Climb, seed: int = 0, progress: Progress | None = None
) -> Visualization:
    """Make one picture for one target."""
    shape = picture_shape(session.model, climb)
    generator = Generator().manual_seed(seed)
    numbers = climb.canvas.begin(shape, generator)

    def shown(pictures: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        return as_input(pictures, session.model)

    with torch.no_grad():
        start = shown(climb.canvas.picture(numbers, shape)[None])
    ascent = session.ascent(target, start, revival=REDIRECTED)
    with torch.inference_mode(mode=False), torch.enable_grad():
        numbers = numbers.clone().requires_grad_()
        adam = torch.optim.Adam([numbers], lr=climb.canvas.rate)
        for step in Allowance.of(climb.budget).spend(range(climb.steps)):
            inputs = shown(climb.views.of(climb.canvas.picture(numbers, shape), generator))
            scores, gradient = ascent.slope(inputs.detach())
            [numbers.grad] = torch.autograd.grad(inputs, [numbers], -gradient)
            adam.step()
            if progress is not None:
                progress(step + 1, climb.steps, float(scores.mean()))
    with torch.no_grad():
        image = climb.canvas.picture(numbers.detach(), shape)[None]
        score = ascent.scores(shown(image))
    return Visualization(image, score.cpu(), ascent.bound.names, ascent.bound.unit)


def picture_shape(model: Model, climb: Climb) -> tuple[int, int, int]:
    """Return channels, height and width of the pictures for a model."""
    size = climb.size or model.input_size
    if size is None or model.mean is None or model.std is None:
        raise ModelError(
            f"{model.title}: to show it pictures, seewhy must know size, mean and std: seewhy.Model(network, size=..., mean=..., std=...)"
        )
    stated = max(len(per_channel(model.mean)), len(per_channel(model.std)))
    return (stated if stated > 1 else 1 if model.channels == "grey" else 3, *size)


def as_input(pictures: Float[Tensor, "n c h w"], model: Model) -> Float[Tensor, "n c h w"]:
    """Return pictures with values from 0 to 1 as the network takes them."""
    _, mean, std = model.needs_preprocessing()
    pictures = pictures.flip(1) if model.channels == "bgr" else pictures
    return (pictures - pictures.new_tensor(mean)[:, None, None]) / pictures.new_tensor(std)[:, None, None]
