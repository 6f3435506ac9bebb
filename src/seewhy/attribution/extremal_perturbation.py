"""Extremal perturbation: of all smooth regions of one area, the one that keeps most of the score."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.learning import affordable_steps, learn, steps_within
from seewhy.core.method import Attribution, Source
from seewhy.core.perturbing import PerturbationMethod
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.errors import ConfigError
from seewhy.ops.filters import resize
from seewhy.ops.learned_masks import area_loss, cells_of, max_spread

RAMP = 1000
"""How much the constraint on the area gains from the first step to the last."""


@register
@dataclass(frozen=True)
class ExtremalPerturbation(PerturbationMethod):
    """For each of several areas learn the smooth mask of that area that keeps most of the score, and average the masks.

    map = mean over areas a of m_a, with m_a = argmax kept(m) - lambda * mean (sorted(m) - step_a)^2 over smooth masks m, where kept(m) =
    (score(x seen through m) - score(fill)) / |score(x) - score(fill)| and step_a is 0, and 1 on the share a of the places. A mask is the
    smooth maximum of Gaussian hills on a coarse grid, so that it cannot have holes or edges finer than they are.

    Args:
        areas: shares of the picture that are kept, each above 0 and below 1.
        steps: of Adam, at least 1; all areas take them together.
        cells: of the mask along the shorter side.
        width: deviation of the hills, as a share of the shorter side.
        strictness: lambda at the last step; it grows from a thousandth of that, so that the place is found before the edge is drawn.
        keeps: the share of the score at which the least area is reported.
        rate: how far a step goes, about.
        fill: what is shown where something is hidden: "black", "white", "zero", "mean", "blur", "noise", or an image (c, *spatial) as
            the network takes it.
        budget: the most that may be spent: forwards (500) or a time ("30s"); the masks are then those learned so far. None is no limit.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, 0 to 1: the mean share of each pixel that is kept. Figures say how much of the
        score each area keeps, how large its mask came out, and the least area that keeps the share `keeps` (1 where none does).

    Limits: the best mask of a small area need not lie within that of a larger one. A mask may keep more than the whole score, where what it
        hides speaks against the target. A search ends in some maximum, not in the best. Finer parts than `width` are not told apart.
    Source: Fong, Patrick and Vedaldi 2019, Understanding Deep Networks via Extremal Perturbations and Smooth Masks, arXiv 1910.08485,
        sections 3.1 to 3.3. Differs in: image and fill are mixed instead of blurring each pixel by its mask, as a half-open mask then shows
        the network nothing and the search fails; Gaussian hills, spread one axis after the other on the coarse grid and enlarged linearly;
        Adam; the score's share of its height above the fill; the mean over the areas instead of the sum.
    """

    areas: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4)
    steps: int = 100
    cells: int = 32
    width: float = 0.09
    strictness: float = 300.0
    keeps: float = 0.9
    rate: float = 0.05

    temperature = 0.05
    key = "extremal-perturbation"
    title = "Extremal Perturbation"
    access = "gradients"
    signed = False
    map_unit = "share kept"
    source = Source(
        "Fong, Patrick and Vedaldi 2019, Understanding Deep Networks via Extremal Perturbations and Smooth Masks",
        "1910.08485",
        "sections 3.1-3.3",
    )
    merit = "says how much of the picture is enough; nothing to weigh against each other but the area"
    caution = "each area is a search of its own, and may end beside the best; no finer than its hills"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "areas", tuple(self.areas))
        if not self.areas or not all(0 < area < 1 for area in self.areas):
            raise ConfigError(f"{self.key} wants at least one area, each above 0 and below 1, got {self.areas}")
        if min(self.steps, self.cells) < 1:
            raise ConfigError(f"{self.key} wants at least 1 step and 1 cell, got {self.steps} and {self.cells}")
        if min(self.width, self.strictness, self.rate) <= 0 or self.keeps <= 0:
            raise ConfigError(
                f"{self.key} wants a width, strictness, rate and keeps above 0, "
                f"got {self.width}, {self.strictness}, {self.rate} and {self.keeps}"
            )

    def cost(self) -> Cost | None:
        """Return image, fill, and for each area the steps and the last look; None where a clock ends the search."""
        steps, count = affordable_steps(self.budget, self.steps, len(self.areas)), len(self.areas)
        return None if steps is None else Cost(2 + count * (steps + 1), count * steps)

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, and what each area keeps."""
        images, fill = probe.inputs, self.hidden(probe)
        size, count = tuple(images.shape[2:]), len(self.areas)
        floor = next(probe.scores([fill]))
        height = probe.score() - floor
        span = height.abs().where(height != 0, 1)
        areas = torch.tensor(self.areas).to(images).repeat_interleave(len(images))  # (areas * b)

        def shown(cells: Float[Tensor, "m b *cells"], step: int) -> Float[Tensor, "m b c *spatial"]:
            return torch.stack([torch.lerp(fill, images, self._mask(one, size)[:, None]) for one in cells])

        def penalty(cells: Float[Tensor, "m b *cells"], step: int) -> Float[Tensor, ""]:
            drawn = self._mask(cells.flatten(0, 1), size)
            strictness = self.strictness * float(RAMP ** ((step + 1) / self.steps - 1))
            return strictness * area_loss(drawn, areas).sum()

        grid = cells_of(size, self.cells)
        drawn = torch.rand(grid, generator=probe.generator(), dtype=torch.float64)  # no two alike: equals have no order
        start = (0.495 + 0.01 * drawn).to(images).expand(count, len(images), *grid)
        cells = learn(
            probe,
            start,
            steps=steps_within(self.budget, self.steps, count),
            shown=shown,
            pull=lambda _: (-1 / span).expand(count, -1),
            penalty=penalty,
            rate=self.rate,
        )
        masks = torch.stack([self._mask(one, size).clamp(0, 1) for one in cells])  # (m, b, *spatial)
        scores = torch.stack(list(probe.masked(masks, fill)))
        return Attribution(masks.mean(dim=0), figures=self._figures((scores - floor) / span, masks))

    def _mask(self, cells: Float[Tensor, "b *cells"], size: tuple[int, ...]) -> Float[Tensor, "b *spatial"]:
        """Return smooth masks of the size of the picture."""
        return resize(max_spread(cells, self.width, self.temperature), size)

    def _figures(
        self, kept: Float[Tensor, "m b"], masks: Float[Tensor, "m b *spatial"]
    ) -> dict[str, Float[Tensor, " b"]]:
        """Return what each area keeps, how large its mask is, and the least area that keeps enough."""
        figures = {}
        for area, share, mask in zip(self.areas, kept, masks, strict=True):
            figures[f"share of the score kept by {area:.0%}"] = share
            figures[f"size of the mask of {area:.0%}"] = mask.flatten(1).mean(dim=1)
        areas = torch.tensor(self.areas).to(kept)[:, None]
        least = torch.where(kept >= self.keeps, areas, 1).amin(dim=0)
        return figures | {f"least area that keeps {self.keeps:.0%} of the score": least}
