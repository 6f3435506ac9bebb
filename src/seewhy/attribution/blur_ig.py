"""Blur integrated gradients: what each detail adds as a blurred image becomes sharp."""

from dataclasses import dataclass
from itertools import pairwise, tee

from seewhy.core.cost import Cost
from seewhy.core.method import Attribution, Method, Source
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.errors import ConfigError
from seewhy.ops.filters import diffusion
from seewhy.ops.streams import total

FINE = 0.3
"""Deviation in pixels below which steps are equal; above, each deviation is the same multiple of the next."""


@register
@dataclass(frozen=True)
class BlurIG(Method):
    """Integrate the gradient along the path on which the image comes out of a blur, times what each step changes.

    map = sum_j sum_c (z_j+1 - z_j)_c * d score((z_j + z_j+1) / 2) / d x_c, where z_0 is the most blurred image and z_steps the image
    itself. The blur is a Gaussian; its deviation s falls in equal steps of log(s + 0.3 pixels).

    Args:
        steps: gradients per image, at least 1.
        blur: deviation of the first Gaussian, as a share of the shorter side; the authors take 50 pixels of 299.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, in units of the score; positive speaks for the target. The sum equals the
        score at the image minus the score at the most blurred image; the residual says by how much it does not.

    Limits: evenly coloured areas do not change on the way, so edges and textures get everything; what the network sees in the blurred
        image already is not explained.
    Source: Xu et al. 2020, Attribution in Scale and Space, arXiv 2004.03383, section 3. Differs in: gradients in the middle of each
        step, which makes the sum exact for quadratic scores; the image is mirrored at its border, so the blur keeps its mean; spacing.
    """

    steps: int = 32
    blur: float = 1 / 6

    key = "blur-ig"
    title = "Blur IG"
    family = "gradient"
    signed = True
    resolution = "input"
    complete = True
    source = Source("Xu et al. 2020, Attribution in Scale and Space", "2004.03383", "section 3")
    merit = "a path of natural pictures, from blurred to sharp; no colour stands for nothing"
    caution = "edges and textures get everything; evenly coloured areas get nothing"

    def __post_init__(self) -> None:
        if self.steps < 1 or self.blur <= 0:
            raise ConfigError(f"{self.key} wants at least 1 step and a blur above 0, got {self.steps} and {self.blur}")

    def needs(self) -> Needs:
        """Return nothing beyond the score of the image."""
        return Needs()

    def cost(self) -> Cost:
        """Return the image, the blurred image, and a forward and backward per step."""
        return Cost(2 + self.steps, self.steps)

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, and the residual per image."""
        images = probe.inputs
        sigmas = self._widths(self.blur * min(images.shape[2:]))
        forth, back = tee(pairwise(diffusion(images, sigmas)))
        gradients = probe.gradients((before + after) / 2 for before, after in forth)
        parts = ((after - before) * gradient for (before, after), gradient in zip(back, gradients, strict=True))
        heatmap = total(parts).sum(dim=1)
        [blurred] = probe.scores(diffusion(images, sigmas[:1]))
        return Attribution.adding_up(heatmap, probe.score() - blurred)

    def _widths(self, widest: float) -> list[float]:
        """Return the deviations in pixels at the ends of the steps, from the widest to none."""
        ratio = 1 + widest / FINE
        return [FINE * (ratio ** (1 - step / self.steps) - 1) for step in range(self.steps + 1)]
