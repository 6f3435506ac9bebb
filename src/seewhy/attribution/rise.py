"""RISE: show random parts of the image, and see which pixels go with a high score."""

from dataclasses import dataclass
from itertools import islice

from seewhy.core.masking import LEAST, RandomMaskMethod
from seewhy.core.method import Attribution, Source
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.ops.masks import mask_variance, per_axis, random_masks
from seewhy.ops.sensitivity import Moments, moments, reliability
from seewhy.ops.streams import paired

FIGURE = "reliability of the map (split half)"


@register
@dataclass(frozen=True)
class RISE(RandomMaskMethod):
    """Show the image through random masks; a pixel gets the slope of the score against how much of the pixel is shown.

    map_p = Cov(m_p, f) / Var(m_p), with f the score of the image seen through mask m (the fill where m is 0). The covariance is the unbiased
    one of the masks that were drawn; the variance, keep (1 - keep) (2/3)^axes, is known and the same for every pixel. Not centred,
    as in the paper: map_p = sum_i f_i m_ip / (n keep).

    Args:
        fill: what is shown where the image is hidden.
        budget: the most that may be spent, masks or a time; the map of the masks made until then is drawn.
        samples: masks, at least 4.
        cells: how many mask cells fit along each axis: one number, or one for each axis.
        keep: how likely a cell is shown, between 0 and 1.
        centred: True for the covariance. The paper's sum holds the mean score times the mean mask besides, which says nothing about
            the pixels and whose noise hides what does: the same map then takes several times as many masks.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, in units of the score: what showing a pixel together with its surroundings adds, the
        rest being shown at random. Not centred: the mean score while the pixel is shown. The standard error of each pixel is in
        `error`; the figure is the correlation over pixels that this map has with another of as many masks.

    Limits: an estimate; below a reliability of about 0.8 the places of the map are not settled. Blurred by the size of a cell. What it
        says holds for images of which about half is hidden, which the network has never seen.
    Source: Petsiuk et al. 2018, RISE, arXiv 1806.07421, equation 6. Differs in: centred by default; mask nodes lie exactly a
        cell apart and shifts are continuous, so that pixels at the border have the same law; any fill; the score is the target's own.
    """

    centred: bool = True

    key = "rise"
    title = "RISE"
    signed = True
    source = Source("Petsiuk et al. 2018, RISE", "1806.07421", "equation 6")
    merit = "wants only answers; says for each pixel how sure it is, and may be stopped at any time"
    caution = "an estimate: look at its reliability; blurred by the size of a mask cell"

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, its standard error and its reliability."""
        size = tuple(probe.inputs.shape[2:])
        drawn = random_masks(size, per_axis(self.cells, len(size), "cells"), self.keep, probe.generator())
        masks = (mask.to(probe.inputs) for mask in islice(drawn, self.samples))
        fill = self.hidden(probe)
        pairs = paired(self.affordable(masks, LEAST), lambda shown: probe.masked(shown, fill))
        centre, offset = (self.keep, probe.score()) if self.centred else (0.0, 0 * probe.score())
        halves = moments(pairs, centre, offset, size)
        return self._estimate(halves, len(size))

    def _estimate(self, halves: tuple[Moments, Moments], axes: int) -> Attribution:
        """Return what the sums over both halves of the masks give."""
        whole = halves[0] + halves[1]
        if self.centred:
            unit = mask_variance(self.keep, axes)
            heatmap, error = whole.covariance / unit, whole.covariance_error / unit
            agreed = reliability(halves[0].covariance, halves[1].covariance)
        else:
            heatmap, error = whole.product / self.keep, whole.product_error / self.keep
            agreed = reliability(halves[0].product, halves[1].product)
        return Attribution(heatmap, notes=self.remarks(whole.count), error=error, figures={FIGURE: agreed})
