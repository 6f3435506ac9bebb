"""Eigen-Grad-CAM: Eigen-CAM of activations weighted by their gradients, so that the class counts."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from seewhy.core.method import AUTO, Method, Source
from seewhy.core.needs import Needs, at
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.ops.components import first_component


@register
@dataclass(frozen=True)
class EigenGradCAM(Method):
    """Project each position of gradient times activation on the first principal direction of its channels, for each image on its own.

    map = relu((M - mean(M)) v), with M = g * A and v the first right singular vector of the centred M (positions x channels). Its sign is
    the one that makes the projection rise with the sum of M over channels, which is HiResCAM.

    Args:
        layer: the layer; "auto" is the last one with a grid.

    Returns:
        Heatmap (b, *spatial) at the layer's resolution, not negative, in units of the score.

    Limits: a principal component is what varies most, not what adds up to the score: compare with HiResCAM.
    Source: Gildenblat 2021, pytorch-grad-cam, EigenGradCAM, after Muhammad and Yeasin 2020, arXiv 2008.00299; there is no paper. Differs
        in: the sign, which is arbitrary there, is settled.
    """

    layer: str = AUTO

    key = "eigen-grad-cam"
    title = "Eigen-Grad-CAM"
    family = "cam"
    signed = False
    resolution = "layer"
    source = Source("Gildenblat 2021, pytorch-grad-cam, EigenGradCAM, after Muhammad and Yeasin 2020", "2008.00299")
    merit = "like Eigen-CAM, but for one class"
    caution = "shows what varies most among the evidence, not what adds up to the score"

    def needs(self) -> Needs:
        """Return activation and gradient of the layer."""
        return at(self.layer)

    def attribute(self, probe: Probe) -> Float[Tensor, "b *spatial"]:
        """Return the heatmap."""
        trace = probe.trace()
        evidence = trace.gradient[self.layer] * trace.activation[self.layer]  # (b, c, *spatial)
        projection = first_component(evidence.flatten(2))  # (b, n)
        return projection.view(len(evidence), *evidence.shape[2:]).relu()
