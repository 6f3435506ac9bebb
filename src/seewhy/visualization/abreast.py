"""Several pictures that climb side by side, and are judged also by what they are together or beside a photo."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from seewhy.core.budget import Allowance
from seewhy.engine.ascent import Ascent
from seewhy.engine.session import Session
from seewhy.visualization.maximize import Climb, Progress, as_input, as_seen, pace, picture_shape, view_size
from seewhy.visualization.regular import contrast, total_variation


@dataclass
class Rein:
    """The weight of a side condition, which is found on the way.

    Attributes:
        weight: at present.
        least, most: between these it stays.
        quicker, slower: factors by which it grows and shrinks.
    """

    weight: float
    least: float = 0.0
    most: float = float("inf")
    quicker: float = 1.1
    slower: float = 0.85

    def pull(self, *, tighter: bool) -> None:
        """Make the condition weigh a little more, or less."""
        self.weight = min(self.most, max(self.least, self.weight * (self.quicker if tighter else self.slower)))


class Abreast:
    """Pictures that climb in one batch, each with random numbers of its own.

    Args:
        session: of the network.
        climb: how each is made.
        seeds: one for each picture.
        beside: a photo (c, h, w) with values from 0 to 1 that is moved as the pictures are; None where there is none.
    """

    def __init__(
        self, session: Session, climb: Climb, seeds: Sequence[int], beside: Float[Tensor, "c h w"] | None = None
    ) -> None:
        self._model, self._climb, self._beside = session.model, climb, beside
        self._shape = picture_shape(session.model, climb)
        self._generators = [Generator().manual_seed(seed) for seed in seeds]
        with torch.inference_mode(mode=False):
            begun = [climb.canvas.begin(self._shape, generator) for generator in self._generators]
            self._numbers = [numbers.clone().requires_grad_() for numbers in begun]

    def pictures(self, share: float = 1.0) -> Float[Tensor, "n c h w"]:
        """Return the pictures as they are now, or those of a share of their numbers."""
        return torch.stack([self._climb.canvas.picture(numbers * share, self._shape) for numbers in self._numbers])

    @torch.no_grad()
    def finished(self, share: float = 1.0) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n c h w"]]:
        """Return the pictures, and the same as the network takes them; without a graph."""
        pictures = self.pictures(share)
        return pictures, as_seen(pictures, self._model, self._climb)

    def rise(
        self,
        ascent: Ascent,
        *,
        steps: int,
        before: Callable[[Float[Tensor, "n c h w"]], None] | None = None,
        after: Callable[[int, float], None] | None = None,
        progress: Progress | None = None,
    ) -> list[float]:
        """Make the pictures score higher, and return the mean score at each step.

        Args:
            ascent: what the pictures score.
            steps: of gradient ascent.
            before: is shown the views of the photo, as the network takes them, before each step.
            after: is told the number of the step and the mean score.
            progress: is told the steps made, the steps planned and the mean score.
        """
        curve: list[float] = []
        with torch.inference_mode(mode=False), torch.enable_grad():
            adam = torch.optim.Adam(self._numbers, lr=self._climb.canvas.rate)
            for step in Allowance.of(self._climb.budget).spend(range(steps)):
                pictures = self.pictures()
                mine, theirs = self._views(pictures)
                if before is not None and theirs is not None:
                    before(theirs)
                scores, gradient = ascent.slope(mine.detach())
                adam.param_groups[0]["lr"] = self._climb.canvas.rate * pace(step, steps)
                self._descend(pictures, mine, gradient)
                adam.step()
                curve.append(float(scores.mean()))
                if after is not None:
                    after(step, curve[-1])
                if progress is not None:
                    progress(step + 1, steps, curve[-1])
        return curve

    def _descend(self, pictures: Tensor, views: Tensor, gradient: Tensor) -> None:
        """Give the numbers the gradient of what is made small: minus the mean scores, and what the pictures are punished for."""
        ends, slopes = [views], [gradient * (-len(pictures) / len(views))]
        if self._climb.tv or self._climb.l2:
            held = [self._climb.tv * total_variation(one) + self._climb.l2 * contrast(one) for one in pictures]
            ends.append(torch.stack(held).sum())
            slopes.append(torch.ones_like(ends[1]))
        found = torch.autograd.grad(ends, self._numbers, slopes)
        for numbers, slope in zip(self._numbers, found, strict=True):
            numbers.grad = slope

    def _views(self, pictures: Float[Tensor, "n c h w"]) -> tuple[Tensor, Tensor | None]:
        """Return views of the pictures and, moved the same way, of the photo, as the network takes them."""
        channels, size = self._shape[0], view_size(self._model, self._climb)
        if self._beside is not None:
            beside = self._beside.to(pictures).expand(len(pictures), *self._beside.shape)
            pictures = torch.cat([pictures, beside], dim=1)
        pairs = zip(pictures, self._generators, strict=True)
        views = torch.cat([self._climb.views.of(one, generator, size) for one, generator in pairs])
        theirs = None if self._beside is None else as_input(views[:, channels:].detach(), self._model)
        return as_input(views[:, :channels], self._model), theirs
