"""HSIC: which parts of the image the score depends on, in whatever way."""

from dataclasses import dataclass
from math import prod

import torch

from seewhy.core.masking import LEAST, RandomMaskMethod
from seewhy.core.method import Attribution, Source
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.ops.filters import resize
from seewhy.ops.masks import balanced_cells, cell_masks, per_axis
from seewhy.ops.sensitivity import hsic


@register
@dataclass(frozen=True)
class HSIC(RandomMaskMethod):
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

    key = "hsic"
    title = "HSIC"
    signed = False
    map_unit = "dependence"
    source = Source("Novello, Fel and Vigouroux 2022, Making Sense of Dependence", "2206.06219", "section 3")
    merit = "any kind of dependence, from few masks; wants only answers"
    caution = "unsigned; compare with the value that chance gives, which is among the figures"

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, and what chance would give."""
        size = tuple(probe.inputs.shape[2:])
        cells = per_axis(self.cells, len(size), "cells")
        plan = balanced_cells(self.samples, prod(cells), self.keep, probe.generator()).to(probe.inputs)
        masks = cell_masks(self.affordable(plan, LEAST), cells, size)
        scores = torch.stack(list(probe.masked(masks, self.hidden(probe))))  # (n, b)
        found, chance = hsic(plan[: len(scores)].to(scores), scores)
        return Attribution(
            resize(found.view(-1, *cells), size), notes=self.remarks(len(scores)), figures={"HSIC by chance": chance}
        )
