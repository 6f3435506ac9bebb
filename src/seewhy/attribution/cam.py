"""CAM: the first class activation map, for networks that end in average pooling and one linear layer."""

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.method import AUTO, Method, Source
from seewhy.core.needs import Needs, at
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.errors import MethodError
from seewhy.ops.channels import over_positions, weighted_sum

TOLERANCE = 1e-4
"""How far gradients may differ, relative to the largest one of the image, and still count as the same."""


@register
@dataclass(frozen=True)
class CAM(Method):
    """Weight each channel of a layer by its weight in the linear layer that follows the average pooling.

    map = sum_k w_k A_k, with w_k the weight of channel k for the target. With Z positions the score is the mean of the map plus the
    bias, so w_k is Z times the gradient, which must then be the same at every position and for every input. Both are measured, the
    latter on the negative of the image under noise, instead of being read off the names of layers.

    Args:
        layer: the layer; "auto" is the last one with a grid.

    Returns:
        Heatmap (b, *spatial) at the layer's resolution, in units of the score; negative values speak against the target. Its mean
        over positions is the score minus the bias of the target.

    Raises:
        MethodError: something other than average pooling and one linear layer lies between the layer and the target.

    Limits: says what the last linear layer sums; what a position of the layer sees of the picture can be nearly all of it.
    Source: Zhou et al. 2016, Learning Deep Features for Discriminative Localization, arXiv 1512.04150, equations 1 and 2. Differs in:
        weights come from the gradient; those of two classes subtract, so that contrasts can be asked for.
    """

    layer: str = AUTO

    key = "cam"
    title = "CAM"
    family = "cam"
    signed = True
    resolution = "layer"
    source = Source(
        "Zhou et al. 2016, Learning Deep Features for Discriminative Localization", "1512.04150", "equations 1-2"
    )
    merit = "exact: adds up to the logit on networks that end in average pooling"
    caution = "only for networks that end in average pooling and one linear layer; a coarse grid"

    def needs(self) -> Needs:
        """Return activation and gradient of the layer."""
        return at(self.layer)

    def cost(self) -> Cost:
        """Return the shared pass, and one more that checks whether the method fits."""
        return Cost(2, 2)

    def attribute(self, probe: Probe) -> Float[Tensor, "b *spatial"]:
        """Return the heatmap."""
        trace = probe.trace()
        activation, gradient = trace.activation[self.layer], trace.gradient[self.layer]  # (b, c, *spatial)
        other = probe.stand_in("noise") - probe.inputs
        elsewhere = next(iter(probe.traces([other], at(self.layer)))).gradient[self.layer]
        weights = over_positions(gradient)  # (b, c)
        self._require(_same(gradient, weights), "the gradient differs between positions")
        self._require(_same(elsewhere, weights), "the gradient depends on the image")
        positions = activation[0, 0].numel()
        return weighted_sum(positions * weights, activation)  # equation 2

    def _require(self, fits: Bool[Tensor, " b"], why: str) -> None:
        if not fits.all():
            raise MethodError(
                f"average pooling and one linear layer must follow {self.layer!r}, and the target be a logit, but {why}; "
                "use 'hires-cam', which holds for any network, or 'grad-cam'"
            )


def _same(gradient: Float[Tensor, "b c *spatial"], weights: Float[Tensor, "b c"]) -> Bool[Tensor, " b"]:
    """Say for which images the gradient equals the weights at every position."""
    largest = weights.abs().amax(dim=1)  # (b,)
    apart = (gradient.flatten(2) - weights[..., None]).abs().flatten(1).amax(dim=1)  # (b,)
    return apart <= TOLERANCE * largest
