"""Grad-CAM: the map that most people mean when they say heatmap."""

from dataclasses import dataclass
from typing import Literal, get_args

from seewhy.core.method import AUTO, Attribution, Method, Source
from seewhy.core.needs import Needs, at
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.errors import ConfigError
from seewhy.ops.channels import over_positions, weighted_sum

Over = Literal["all", "frame"]
_TWO = "of the two definitions of Grad-CAM for clips and volumes, this is the one with a weight for each channel"
OVER_ALL = f"{_TWO}, averaged over all three axes (over='all')"
OVER_FRAME = f"{_TWO} in each frame or slice, averaged over its places alone (over='frame')"


@register
@dataclass(frozen=True)
class GradCAM(Method):
    """Weight each channel of a layer by its mean gradient, sum, keep what speaks for the target.

    map = relu(sum_k w_k A_k), with w_k the mean over positions of d score / d A_k: for clips and volumes, over all of (t, h, w).

    Args:
        layer: the layer; "auto" is the last one with a grid.
        over: of clips and volumes: "all" is the paper's formula with another axis: one weight for each channel, averaged over time and space.
            "frame" is the other definition in use, as in PySlowFast: a weight for each channel and frame, averaged over (h, w) alone, so
            that frames whose gradient differs weigh differently. Of pictures both are the same.

    Returns:
        Heatmap (b, *spatial) at the layer's resolution, not negative. Its values are comparable between classes of one image, but
        they do not add up to the score unless average pooling and one linear layer follow.

    Raises:
        ConfigError: `over` is neither.

    Limits: averaging the gradient over positions can light up places that the network does not use, if what follows the layer
        treats positions differently; compare with HiResCAM. Over "all" frames, a frame that the network ignores lights up where it holds
        what counts in others. A coarse grid shows objects, not details.
    Source: Selvaraju et al. 2017, Grad-CAM, arXiv 1610.02391, equations 1 and 2. Differs in: nothing; the paper has no time.

    Example:
        >>> seewhy.explain("photo.jpg", method="grad-cam").heatmap.shape
        torch.Size([1, 7, 7])
    """

    layer: str = AUTO
    over: Over = "all"

    key = "grad-cam"
    title = "Grad-CAM"
    family = "cam"
    signed = False
    resolution = "layer"
    source = Source("Selvaraju et al. 2017, Grad-CAM", "1610.02391", "equations 1-2")
    merit = "cheap, robust, passes sanity checks; the first one to try"
    caution = "a coarse grid; averaging gradients over places can light up places that the network does not use"

    def needs(self) -> Needs:
        """Return activation and gradient of the layer."""
        return at(self.layer)

    def __post_init__(self) -> None:
        if self.over not in get_args(Over):
            raise ConfigError(f"{self.key}: over is {' or '.join(map(repr, get_args(Over)))}, got {self.over!r}")

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, and of clips and volumes which definition it has."""
        trace = probe.trace()
        activation, gradient = trace.activation[self.layer], trace.gradient[self.layer]  # (b, c, *spatial)
        if activation.dim() < 5:
            return Attribution(weighted_sum(over_positions(gradient), activation).relu())
        if self.over == "all":
            return Attribution(weighted_sum(over_positions(gradient), activation).relu(), notes=(OVER_ALL,))
        weights = gradient.mean(dim=(-2, -1), keepdim=True)  # (b, c, t, 1, 1), equation 1 frame by frame
        return Attribution((weights * activation).sum(dim=1).relu(), notes=(OVER_FRAME,))
