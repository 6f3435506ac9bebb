"""HSIC: which parts of the image the score depends on, in whatever way."""

from dataclasses import dataclass
from math import prod

import torch

from seewhy.core.budget import Allowance
from seewhy.core.cost import Cost
from seewhy.core.method import Attribution, Source
from seewhy.core.perturbing import PerturbationMethod
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.core.values import as_value
from seewhy.errors import ConfigError
from seewhy.ops.filters import resize
from seewhy.ops.masks import balanced_cells, cell_masks, per_axis
from seewhy.ops.sensitivity import hsic

LEAST = 4
"""Masks without which dependence is not told from chance at all."""


@register
@dataclass(frozen=True)
class HSIC(PerturbationMethod):
    """Show and hide cells of the image at random; a cell gets the dependence of the score on whether it is shown.

    map_i = HSIC(m_i, f) = tr(K_i H L H) / n^2, with H = 1 - 1/n, K_i a Gaussian kernel of width 1/2 between the n values of cell i (0 or 1), and L one
    between the n scores, as wide as the median distance of two scores. This is the biased estimator: never negative, and of order 1 / n
    for a cell that does not matter; the figure says how much that is.

    Args:
        fill: what is shown where the image is hidden.
        budget: the most that may be spent, masks or a time.
        samples: masks, at least 4. Memory grows with their square: 500 take 1 MB for each image.
        cells: along each axis: one number, or one for each axis.
        keep: how likely a cell is shown, between 0 and 1.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, interpolated between cells; not negative, without a unit. The figure is the value
        that cells get by chance, on average, if none mattered.

    Limits: says that the score depends on a cell, not whether the cell speaks for or against the target.
    Source: Novello, Fel and Vigouroux 2022, Making Sense of Dependence: Efficient Black-box Explanations Using Dependence Measure, arXiv 2206.06219,
        section 3. Differs in: masks are interpolated between cells; the kernel of the cells, of which only equal or unequal counts, is
        their kernel times 1 - exp(-2); the level of chance is given.
    """

    samples: int = 500
    cells: int | tuple[int, ...] = 7
    keep: float = 0.5

    key = "hsic"
    title = "HSIC"
    signed = False
    map_unit = "dependence"
    source = Source("Novello, Fel and Vigouroux 2022, Making Sense of Dependence", "2206.06219", "section 3")
    merit = "any kind of dependence, from few masks; wants only answers"
    caution = "unsigned; compare with the value that chance gives, which is among the figures"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "cells", as_value(self.cells))
        fewest = min((self.cells,) if isinstance(self.cells, int) else self.cells)
        if self.samples < LEAST or fewest < 1 or not 0 < self.keep < 1:
            raise ConfigError(
                f"hsic wants at least {LEAST} samples, at least 1 cell and keep between 0 and 1, "
                f"got {self.samples}, {self.cells!r} and {self.keep}"
            )
        if (Allowance.of(self.budget).forwards or LEAST) < LEAST:
            raise ConfigError(f"hsic wants a budget of at least {LEAST} forwards, got {self.budget}")

    def cost(self) -> Cost | None:
        """Return the image and each mask; None where the budget is a time."""
        allowance = Allowance.of(self.budget)
        if allowance.seconds is not None:
            return None
        return Cost(1 + min(self.samples, allowance.forwards or self.samples))

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, and what chance would give."""
        size = tuple(probe.inputs.shape[2:])
        cells = per_axis(self.cells, len(size), "cells")
        plan = balanced_cells(self.samples, prod(cells), self.keep, probe.generator()).to(probe.inputs)
        masks = cell_masks(self.affordable(plan, LEAST), cells, size)
        scores = torch.stack(list(probe.masked(masks, self.hidden(probe))))  # (n, b)
        found, chance = hsic(plan[: len(scores)].to(scores), scores)
        short = f"the budget of {self.budget} was spent after {len(scores)} of {self.samples} masks"
        notes = () if len(scores) == self.samples else (short,)
        return Attribution(resize(found.view(-1, *cells), size), notes=notes, figures={"HSIC by chance": chance})
