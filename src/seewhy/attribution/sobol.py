"""Sobol: which part of the image explains how much of the score's ups and downs, alone and together with others."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.budget import Allowance
from seewhy.core.cost import Cost
from seewhy.core.method import Anatomy, Attribution, Source
from seewhy.core.perturbing import PerturbationMethod
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.core.values import as_value
from seewhy.errors import ConfigError
from seewhy.ops.filters import resize
from seewhy.ops.masks import cell_masks, per_axis, sobol_pairs
from seewhy.ops.sensitivity import total_order


@register
@dataclass(frozen=True)
class Sobol(PerturbationMethod):
    """Mask cells of the image to random degrees; a cell gets its share in the variance of the score, interactions included.

    map_i = ST_i = E[(f(a) - f(a with value i of b))^2] / (2 Var f), with a and b independent masks of values between 0 (the fill) and 1 (the
    image), one for each cell, interpolated linearly. The total-order indices are estimated as Jansen does, from a scrambled Sobol sequence.

    Args:
        fill: what is shown where the image is hidden.
        budget: the most that may be spent; whole rows of cells + 2 masks are made, at least 2 of them.
        samples: rows, at least 2; each costs as many masks as there are cells, and 2. Powers of two fill the sequence evenly.
        cells: along each axis: one number, or one for each axis.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, interpolated between cells; not negative, a share of the variance. The sum over the
        cells is 1 where they add up without interaction, and more where they act together. The standard error is in `error`.

    Limits: says how much a cell matters, not whether it speaks for or against the target. Where few samples meet a rare, strong effect
        the estimate is rough.
    Source: Fel et al. 2021, Look at the Variance! Efficient Black-box Explanations with Sobol-based Sensitivity Analysis, arXiv 2111.04138,
        section 3. Differs in: masks are interpolated between cells; any fill; the standard error is given.
    """

    samples: int = 32
    cells: int | tuple[int, ...] = 7

    key = "sobol"
    title = "Sobol"
    signed = False
    map_unit = "share of the variance of the {unit}"
    source = Source("Fel et al. 2021, Look at the Variance!", "2111.04138", "section 3")
    merit = "counts what cells do together as well as alone; wants only answers"
    caution = "unsigned: a cell that speaks against the target is as bright; many forwards"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "cells", as_value(self.cells))
        fewest = min((self.cells,) if isinstance(self.cells, int) else self.cells)
        if self.samples < 2 or fewest < 1:
            raise ConfigError(
                f"sobol wants at least 2 samples and at least 1 cell, got {self.samples} and {self.cells!r}"
            )

    def cost(self) -> Cost | None:
        """Return None: how many cells there are depends on the axes of the image."""
        return None

    def cost_on(self, anatomy: Anatomy) -> Cost | None:
        """Return the image and each mask; None where the budget is a time."""
        allowance = Allowance.of(self.budget)
        if allowance.seconds is not None:
            return None
        row = prod(per_axis(self.cells, len(anatomy.input_shape) - 1, "cells")) + 2
        return Cost(1 + row * self._rows(row))

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap and its standard error."""
        size = tuple(probe.inputs.shape[2:])
        cells = per_axis(self.cells, len(size), "cells")
        row = prod(cells) + 2
        plan = self._plan(prod(cells), self._rows(row), probe)
        masks = cell_masks(self.affordable(plan, least=2 * row), cells, size)
        scores = list(probe.masked(masks, self.hidden(probe)))
        made = len(scores) // row  # a row that the clock cut short is left out
        table = torch.stack(scores[: made * row]).view(made, row, -1)
        indices, errors = total_order(table[:, 0], table[:, 1], table[:, 2:])  # (b, cells)
        short = f"the budget of {self.budget} was spent after {made} of {self.samples} samples"
        return Attribution(
            resize(indices.view(-1, *cells), size),
            notes=() if made == self.samples else (short,),
            error=resize(errors.view(-1, *cells), size),
        )

    def _rows(self, row: int) -> int:
        """Return how many rows of masks the budget allows; raise where it allows no two."""
        rows = min(self.samples, (Allowance.of(self.budget).forwards or self.samples * row) // row)
        if rows < 2:
            raise ConfigError(
                f"sobol wants a budget of at least 2 x {row} forwards with these cells, got {self.budget}"
            )
        return rows

    def _plan(self, cells: int, rows: int, probe: Probe) -> Iterator[Float[Tensor, " d"]]:
        """Yield the values of the cells, mask by mask: a, b, then a with each value of b in turn."""
        for pair in islice(sobol_pairs(cells, probe.generator()), rows):
            base, other = (part.to(probe.inputs) for part in pair)
            yield from (base, other)
            yield from torch.where(torch.eye(cells, dtype=torch.bool, device=base.device), other, base)
