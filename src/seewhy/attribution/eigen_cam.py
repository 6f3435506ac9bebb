"""Eigen-CAM: what the channels of a layer vary together in, whatever the class."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from seewhy.core.method import AUTO, Method, Source
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.ops.components import first_component


@register
@dataclass(frozen=True)
class EigenCAM(Method):
    """Project each position of a layer on the first principal direction of its channels, for each image on its own.

    map = relu((A - mean(A)) v), with v the first right singular vector of the centred activation (positions x channels). Its sign is the
    one that makes the projection rise with the mean activation.

    Args:
        layer: the layer; "auto" is the last one with a grid.

    Returns:
        Heatmap (b, *spatial) at the layer's resolution, not negative, in units of the activation.

    Limits: the target plays no part: the map is the same for every class. Shows what stands out in the features of this image, often the
        largest object or the contrast of object and ground, not what the network decides by.
    Source: Muhammad and Yeasin 2020, Eigen-CAM, arXiv 2008.00299. Differs in: features are centred, as a principal
        component is defined; the sign, which the paper leaves open, is settled; what is below the mean is cut off.
    """

    layer: str = AUTO

    key = "eigen-cam"
    title = "Eigen-CAM"
    access = "layers"
    family = "cam"
    signed = False
    resolution = "layer"
    map_unit = "activation"
    source = Source("Muhammad and Yeasin 2020, Eigen-CAM", "2008.00299")
    merit = "needs no class and no gradient; often clean on busy pictures"
    caution = "the same map for every class: shows what stands out, not what decides"

    def needs(self) -> Needs:
        """Return the activation of the layer."""
        return Needs(activations=frozenset({self.layer}))

    def attribute(self, probe: Probe) -> Float[Tensor, "b *spatial"]:
        """Return the heatmap."""
        activation = probe.trace().activation[self.layer]  # (b, c, *spatial)
        projection = first_component(activation.flatten(2))  # (b, n)
        return projection.view(len(activation), *activation.shape[2:]).relu()
