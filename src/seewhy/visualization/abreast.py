"""Several pictures that climb side by side, and are judged also by what they are together or beside a photo."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from seewhy.core.budget import Allowance
from seewhy.engine.ascent import Ascent
from seewhy.engine.session import Session
from seewhy.visualization.maximize import Climb, Progress, as_input, picture_shape

QUICKER, SLOWER = 1.1, 0.85
"""By how much the weight of a side condition grows while there is room for more of it, and shrinks while there is too much."""


@dataclass
class Rein:
    """The weight of a side condition, which is found on the way.

    Attributes:
        weight: at present.
        least, most: between these it stays.
    """

    weight: float
    least: float = 0.0
    most: float = float("inf")

    def pull(self, *, tighter: bool) -> None:
        """Make the condition weigh a little more, or less."""
        self.weight = min(self.most, max(self.least, self.weight * (QUICKER if tighter else SLOWER)))


@dataclass(frozen=True, eq=False)
class Abreast:
    """Pictures that climb in one batch.

    Args:
        session: of the network.
        climb: how each is made.
        seeds: one for each picture.
        beside: a photo (c, h, w) with values from 0 to 1 that is moved as the pictures are; None where there is none.
    """

    session: Session
    climb: Climb
    seeds: Sequence[int]
    beside: Float[Tensor, "c h w"] | None = None

    def begin(self) -> list[Tensor]:
        """Return the numbers that each picture begins with, and which may be differentiated."""
        shape = picture_shape(self.session.model, self.climb)
        begun = [self.climb.canvas.begin(shape, Generator().manual_seed(seed)) for seed in self.seeds]
        with torch.inference_mode(mode=False):
            return [numbers.clone().requires_grad_() for numbers in begun]

    def pictures(self, numbers: Sequence[Tensor]) -> Float[Tensor, "n c h w"]:
        """Return the pictures that the numbers stand for."""
        shape = picture_shape(self.session.model, self.climb)
        return torch.stack([self.climb.canvas.picture(each, shape) for each in numbers])

    def rise(
        self,
        ascent: Ascent,
        numbers: Sequence[Tensor],
        *,
        steps: int,
        before: Callable[[Float[Tensor, "n c h w"]], None] | None = None,
        after: Callable[[int, Float[Tensor, " n"]], None] | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Change the numbers so that the pictures score higher.

        Args:
            ascent: what the pictures score.
            numbers: of the pictures; changed in place.
            steps: of gradient ascent.
            before: is shown the views of the photo, as the network takes them, before each step.
            after: is told the number of the step and the scores of the pictures, each the mean of its views.
            progress: is told the steps made, the steps planned and the mean score.
        """
        generators = [Generator().manual_seed(seed) for seed in self.seeds]
        with torch.inference_mode(mode=False), torch.enable_grad():
            adam = torch.optim.Adam(list(numbers), lr=self.climb.canvas.rate)
            for step in Allowance.of(self.climb.budget).spend(range(steps)):
                mine, theirs = self._views(numbers, generators)
                if before is not None and theirs is not None:
                    before(theirs)
                scores, gradient = ascent.slope(mine.detach())
                found = torch.autograd.grad(mine, list(numbers), -gradient)
                for each, slope in zip(numbers, found, strict=True):
                    each.grad = slope
                adam.step()
                means = scores.view(len(numbers), -1).mean(dim=1)
                if after is not None:
                    after(step, means)
                if progress is not None:
                    progress(step + 1, steps, float(means.mean()))

    def _views(self, numbers: Sequence[Tensor], generators: Sequence[Generator]) -> tuple[Tensor, Tensor | None]:
        """Return views of the pictures and, moved the same way, of the photo, as the network takes them."""
        model, channels = self.session.model, picture_shape(self.session.model, self.climb)[0]
        pictures = self.pictures(numbers)
        if self.beside is not None:
            beside = self.beside.to(pictures).expand(len(pictures), *self.beside.shape)
            pictures = torch.cat([pictures, beside], dim=1)
        views = torch.cat([self.climb.views.of(each, own) for each, own in zip(pictures, generators, strict=True)])
        theirs = None if self.beside is None else as_input(views[:, channels:].detach(), model)
        return as_input(views[:, :channels], model), theirs
