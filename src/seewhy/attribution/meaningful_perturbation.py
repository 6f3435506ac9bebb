"""Meaningful perturbation: the smallest smooth region whose removal takes the score away."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.learning import affordable_steps, learn, steps_within
from seewhy.core.method import Attribution, Source
from seewhy.core.perturbing import PerturbationMethod
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.errors import ConfigError
from seewhy.ops.learned_masks import cells_of, gauss_enlarged, variation
from seewhy.ops.scales import scales


@register
@dataclass(frozen=True)
class MeaningfulPerturbation(PerturbationMethod):
    """Learn the mask that hides as little as possible, smoothly, and takes the score down to that of the fill.

    map = 1 - m, with m = argmin relu(kept(m) - rest) + sparsity * mean (1 - m) + smoothness * mean |grad m|^power, where kept(m) = (score(m x +
    (1 - m) fill) - score(fill)) / |score(x) - score(fill)|. The mask is coarse, and enlarged by a Gaussian; at each step image and fill
    are shifted by a few pixels, so that the mask does not fit to single pixels.

    Args:
        steps: of Adam, at least 1.
        cells: of the mask along the shorter side; the authors' 28 are 8 pixels wide at 224.
        blur: deviation of the Gaussian that enlarges the mask, in cells.
        rest: share of the score that may be left; nothing is gained by hiding more.
        sparsity: what hiding the whole picture costs; at 1 a region is hidden if it holds more of the score than of the area.
        smoothness: what edges cost.
        power: of the edge's height; 3 forbids steep edges and hardly minds gentle ones.
        jitter: greatest shift, as a share of the shorter side; the authors' 4 pixels of 224.
        rate: how far a step goes, about.
        fill: what is shown where something is hidden: "black", "white", "zero", "mean", "blur", "noise", or an image (c, *spatial) as
            the network takes it.
        budget: the most that may be spent: forwards (500) or a time ("30s"); the mask is then the one learned so far. None is no limit.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, 0 to 1: the share of each pixel that is hidden. What is left of the score is
        reported as a figure.

    Limits: a search ends in some minimum, not in the best, and another seed, fill or sparsity ends in another. What a network says of
        half-hidden pictures is not what it was trained to say, and a mask may find just that. Where the fill scores higher than the
        image there is nothing to take away, and the map is empty.
    Source: Fong and Vedaldi 2017, Interpretable Explanations of Black Boxes by Meaningful Perturbation, arXiv 1704.03296, equation 4.
        Differs in: the score's share of its height above the fill, which has no unit, instead of a probability; below the fill nothing
        more is gained; the search begins at a half everywhere instead of a disc; one shift a step.
    """

    steps: int = 200
    cells: int = 28
    blur: float = 0.625
    rest: float = 0.1
    sparsity: float = 1.0
    smoothness: float = 1.0
    power: float = 3.0
    jitter: float = 0.018
    rate: float = 0.1

    key = "meaningful-perturbation"
    title = "Meaningful Perturbation"
    access = "gradients"
    signed = False
    map_unit = "share hidden"
    source = Source(
        "Fong and Vedaldi 2017, Interpretable Explanations of Black Boxes by Meaningful Perturbation",
        "1704.03296",
        "equation 4",
    )
    merit = "shows one region, and that hiding it takes the score away"
    caution = "one search of many that end differently; the region may fool the network rather than explain it"

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.steps, self.cells) < 1 or min(self.jitter, self.sparsity, self.smoothness) < 0:
            raise ConfigError(
                f"{self.key} wants at least 1 step and 1 cell, and a jitter, sparsity and smoothness of at least 0, "
                f"got {self.steps}, {self.cells}, {self.jitter}, {self.sparsity} and {self.smoothness}"
            )
        if self.power < 1 or min(self.blur, self.rate) <= 0:
            raise ConfigError(
                f"{self.key} wants a power of at least 1, and a blur and rate above 0, got {self.power}, {self.blur} and {self.rate}"
            )

    def cost(self) -> Cost | None:
        """Return image, fill, steps and the last look; None where a clock ends the search."""
        steps = affordable_steps(self.budget, self.steps, masks=1)
        return None if steps is None else Cost(3 + steps, steps)

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, and the share of the score that is left."""
        images, fill = probe.inputs, self.hidden(probe)
        floor = next(probe.scores([fill]))
        height = probe.score() - floor
        span = height.abs().where(height != 0, 1)
        size = tuple(images.shape[2:])
        most = torch.tensor([round(self.jitter * scale) + 1 for scale in scales(size)])
        shifts = (torch.rand(self.steps, len(size), generator=probe.generator()) * most).long()

        def shown(masks: Float[Tensor, "1 b *cells"], step: int) -> Float[Tensor, "1 b c *spatial"]:
            drawn = gauss_enlarged(masks[0], size, self.blur)[:, None]
            return torch.lerp(_shifted(fill, shifts[step]), _shifted(images, shifts[step]), drawn)[None]

        def penalty(masks: Float[Tensor, "1 b *cells"], step: int) -> Float[Tensor, ""]:
            cells = masks[0, 0].numel()
            return (self.sparsity * (1 - masks).sum() + self.smoothness * variation(masks[0], self.power).sum()) / cells

        start = torch.full((1, len(images), *cells_of(size, self.cells)), 0.5).to(images)
        masks = learn(
            probe,
            start,
            steps=steps_within(self.budget, self.steps, masks=1),
            shown=shown,
            pull=lambda score: (score > floor + self.rest * height) / span,  # d relu(kept - rest) / d score
            penalty=penalty,
            rate=self.rate,
        )[0]
        mask = gauss_enlarged(masks, size, self.blur).clamp(0, 1)
        left = (next(probe.masked([mask], fill)) - floor) / span
        return Attribution(1 - mask, figures={"share of the score left": left})


def _shifted(images: Float[Tensor, "b c *spatial"], shift: Int[Tensor, " axes"]) -> Float[Tensor, "b c *spatial"]:
    """Return the images moved towards larger coordinates; what comes in at the border repeats it."""
    for axis, pixels in enumerate(shift.tolist(), start=2):
        places = (torch.arange(images.shape[axis], device=images.device) - pixels).clamp_min(0)
        images = images.index_select(axis, places)
    return images
