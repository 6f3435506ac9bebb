"""FEM: where the channels of a layer are unusually active, whatever the class."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from seewhy.core.method import AUTO, Method, Source
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.errors import ConfigError


@register
@dataclass(frozen=True)
class FEM(Method):
    """Mark where each channel exceeds its mean by some deviations, and add the marks, each channel as strong as its mean.

    map = sum_k mean(A_k) [A_k >= mean(A_k) + deviations * std(A_k)], mean and (population) standard deviation over positions. A channel
    that is the same everywhere marks nothing.

    Args:
        layer: the layer; "auto" is the last one with a grid.
        deviations: how far above its mean a value stands out, at least 0.

    Returns:
        Heatmap (b, *spatial) at the layer's resolution, in units of the activation; not negative.

    Limits: the target plays no part: the map is the same for every class. On a small grid few values lie two deviations above the mean,
        and on one of four positions or fewer none can.
    Source: Fuad et al. 2020, Features Understanding in 3D CNNs for Actions Recognition in Video, doi 10.1109/IPTA50016.2020.9286629.
        Differs in: channels whose mean is negative count for nothing; not divided by its maximum. (pytorch-grad-cam
        computes something else: activations weighted by the share of marked positions.)
    """

    layer: str = AUTO
    deviations: float = 2.0

    key = "fem"
    title = "FEM"
    access = "layers"
    family = "cam"
    signed = False
    resolution = "layer"
    map_unit = "activation"
    source = Source(
        "Fuad et al. 2020, Features Understanding in 3D CNNs for Actions Recognition in Video, doi 10.1109/IPTA50016.2020.9286629",
    )
    merit = "needs no class and no gradient: which features are unusual here"
    caution = "the same map for every class: shows where features are unusually strong, not what decides"

    def __post_init__(self) -> None:
        if self.deviations < 0:
            raise ConfigError(f"fem wants deviations of at least 0, got {self.deviations}")

    def needs(self) -> Needs:
        """Return the activation of the layer."""
        return Needs(activations=frozenset({self.layer}))

    def attribute(self, probe: Probe) -> Float[Tensor, "b *spatial"]:
        """Return the heatmap."""
        activation = probe.trace().activation[self.layer]  # (b, c, *spatial)
        flat = activation.flatten(2)  # (b, c, n)
        mean, deviation = flat.mean(dim=2, keepdim=True), flat.std(dim=2, keepdim=True, correction=0)  # (b, c, 1)
        marked = (flat >= mean + self.deviations * deviation) & (flat > mean)
        return (mean.relu() * marked).sum(dim=1).view(len(flat), *activation.shape[2:])
