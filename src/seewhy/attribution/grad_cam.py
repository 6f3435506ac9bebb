"""Grad-CAM: the map that most people mean when they say heatmap."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from seewhy.core.method import AUTO, Method, Source
from seewhy.core.needs import Needs, at
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.ops.channels import over_positions, weighted_sum


@register
@dataclass(frozen=True)
class GradCAM(Method):
    """Weight each channel of a layer by its mean gradient, sum, keep what speaks for the target.

    map = relu(sum_k w_k A_k), with w_k the mean over positions of d score / d A_k.

    Args:
        layer: the layer; "auto" is the last one with a grid.

    Returns:
        Heatmap (b, *spatial) at the layer's resolution, not negative. Its values are comparable between classes of one image, but
        they do not add up to the score unless average pooling and one linear layer follow.

    Limits: averaging the gradient over positions can light up places that the network does not use, if what follows the layer
        treats positions differently; compare with HiResCAM. A coarse grid shows objects, not details.
    Source: Selvaraju et al. 2017, Grad-CAM, arXiv 1610.02391, equations 1 and 2. Differs in: nothing.

    Example:
        >>> seewhy.explain("photo.jpg", method="grad-cam").heatmap.shape
        torch.Size([1, 7, 7])
    """

    layer: str = AUTO

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

    def attribute(self, probe: Probe) -> Float[Tensor, "b *spatial"]:
        """Return the heatmap."""
        trace = probe.trace()
        activation, gradient = trace.activation[self.layer], trace.gradient[self.layer]  # (b, c, *spatial)
        weights = over_positions(gradient)  # (b, c), equation 1
        return weighted_sum(weights, activation).relu()  # equation 2
