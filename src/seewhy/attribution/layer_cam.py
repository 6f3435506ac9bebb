"""LayerCAM: a map that stays sharp at early layers, and joins several of them."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.method import AUTO, Method, Source
from seewhy.core.needs import Needs, at
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.errors import ConfigError
from seewhy.ops.channels import ratio
from seewhy.ops.filters import resize


@register
@dataclass(frozen=True)
class LayerCAM(Method):
    """Weight each value of a layer by its own gradient where that is positive; sum over channels.

    map = relu(sum_k relu(g_k) * A_k), with g_k = d score / d A_k. Maps of several layers are each divided by their maximum, resized to the
    finest of their grids and joined position by position.

    Args:
        layer: the layer, or a tuple of layers; "auto" is the last one with a grid.
        fuse: how maps of several layers are joined: "max" (as in the paper) or "mean".

    Returns:
        Heatmap (b, *spatial) at the layer's resolution, not negative, in units of the score; for several layers at the resolution of
        the finest one, without a unit, from 0 to 1.

    Limits: evidence against the target is left out before it can cancel, so what is bright need not decide. Early layers show edges
        of the object and of what stands beside it.
    Source: Jiang et al. 2021, LayerCAM, IEEE Transactions on Image Processing 30, doi 10.1109/TIP.2021.3089943.
        Differs in: maps of early layers are not enlarged by tanh (equation 9) before they are joined.
    """

    layer: str | tuple[str, ...] = AUTO
    fuse: Literal["max", "mean"] = "max"

    key = "layer-cam"
    title = "LayerCAM"
    family = "cam"
    signed = False
    resolution = "layer"
    source = Source("Jiang et al. 2021, LayerCAM, doi 10.1109/TIP.2021.3089943")
    merit = "sharp at early layers, and joins several"
    caution = "leaves out evidence against the target before it can cancel; early layers show edges"

    def __post_init__(self) -> None:
        if self.fuse not in ("max", "mean"):
            raise ConfigError(f"layer-cam joins layers by 'max' or 'mean', got {self.fuse!r}")
        if not self.layer:
            raise ConfigError("layer-cam wants at least one layer")

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers, one or several."""
        return (self.layer,) if isinstance(self.layer, str) else self.layer

    def needs(self) -> Needs:
        """Return activation and gradient of each layer."""
        return at(*self.layers)

    def attribute(self, probe: Probe) -> Float[Tensor, "b *spatial"]:
        """Return the heatmap."""
        trace = probe.trace()
        maps = [(trace.gradient[name].relu() * trace.activation[name]).sum(dim=1).relu() for name in self.layers]
        if len(maps) == 1:
            return maps[0]
        finest = max((tuple(drawn.shape[1:]) for drawn in maps), key=lambda size: torch.Size(size).numel())
        joined = torch.stack([resize(_to_one(drawn), finest) for drawn in maps])  # (layers, b, *spatial)
        return joined.amax(dim=0) if self.fuse == "max" else joined.mean(dim=0)


def _to_one(maps: Float[Tensor, "b *spatial"]) -> Float[Tensor, "b *spatial"]:
    """Divide each map by its maximum; a map of zeros stays."""
    return ratio(maps, maps.flatten(1).amax(dim=1).view(-1, *[1] * (maps.dim() - 1)))
