"""Random CAM: a control. A method that does no better than this has found nothing about the class."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.method import AUTO, Method, Source
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.ops.channels import weighted_sum


@register
@dataclass(frozen=True)
class RandomCAM(Method):
    """Weight the channels of a layer by random numbers, in place of gradients, and go on as Grad-CAM does.

    map = relu(sum_k w_k A_k), with w_k drawn uniformly between -1 and 1, the same for each image.

    Args:
        layer: the layer; "auto" is the last one with a grid.

    Returns:
        Heatmap (b, *spatial) at the layer's resolution, not negative, in units of the activation.

    Limits: explains nothing, and is meant to: it says how good a map looks, or scores, that knows the features but not the class.
    Source: Gildenblat 2021, pytorch-grad-cam, RandomCAM; there is no paper. Differs in: drawn from a seed, so it can be had again.
    """

    layer: str = AUTO

    key = "random-cam"
    title = "Random CAM"
    access = "layers"
    family = "control"
    signed = False
    resolution = "layer"
    map_unit = "arbitrary"
    source = Source("Gildenblat 2021, pytorch-grad-cam, RandomCAM")
    merit = "what a map looks like that knows nothing; any method should beat it"
    caution = "a control: random weights, no knowledge of the class"

    def needs(self) -> Needs:
        """Return the activation of the layer."""
        return Needs(activations=frozenset({self.layer}))

    def attribute(self, probe: Probe) -> Float[Tensor, "b *spatial"]:
        """Return the heatmap."""
        activation = probe.trace().activation[self.layer]  # (b, c, *spatial)
        drawn = torch.rand(1, activation.shape[1], generator=probe.generator()).to(activation)
        return weighted_sum((2 * drawn - 1).expand(len(activation), -1), activation).relu()
