"""Channel contribution: how much each channel of a layer adds to the decision."""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float, Int
from torch import Tensor

from seewhy.core.probe import Probe
from seewhy.errors import ConfigError

Normalization = Literal["positions", "magnitude"]


@dataclass(frozen=True, eq=False)
class ChannelContribution:
    """What each channel of a layer adds to the score.

    Attributes:
        layer: the layer.
        contribution: H (b, c), signed: positive speaks for the target. Divided by the number of positions Z, or by sum |H|.
        share: |H| of each channel over the sum of all (b, c); zero where nothing contributes.
        maps: gradient times activation (b, c, *spatial): where each channel contributes; its sum over positions is Z times H.
    """

    layer: str
    contribution: Float[Tensor, "b c"]
    share: Float[Tensor, "b c"]
    maps: Float[Tensor, "b c *spatial"]

    def strongest(self, count: int) -> Int[Tensor, "b count"]:
        """Return the channels of largest |H|, strongest first."""
        return self.share.topk(min(count, self.share.shape[1]), dim=1).indices


def channel_contribution(probe: Probe, layer: str, normalize: Normalization = "positions") -> ChannelContribution:
    """Split the score's linear part at a layer over its channels.

    H_i = (1 / Z) sum_jk (d y / d A_ijk) A_ijk: activation times gradient, summed over the positions of channel i.
    The sum of H over the channels is the mean over positions of the HiResCAM map. Grad-CAM instead multiplies the mean gradient
    with the activation at each place; the mean of its map before the ReLU equals the sum of H only where the gradient is the same
    at every position, as with average pooling and one linear layer. There Z * sum H is also the logit minus the bias.

    Args:
        probe: images, target and network; must want the activation and the gradient of the layer.
        layer: a layer with a grid.
        normalize: "positions" divides by Z, the number of positions; "magnitude" divides by sum |H|, so that magnitudes add up to 1.

    Returns:
        Contributions in units of the score per position (or as shares of magnitude), with a map for each channel.

    Limits: a first-order statement about this input; channels that only act together, or beyond a saturated unit, are missed.
    """
    if normalize not in ("positions", "magnitude"):
        raise ConfigError(f"normalize is 'positions' or 'magnitude', got {normalize!r}")
    trace = probe.trace()
    maps = trace.gradient[layer] * trace.activation[layer]  # (b, c, *spatial)
    mean = maps.flatten(2).mean(dim=2)  # (b, c), Z = number of positions
    magnitude = mean.abs().sum(dim=1, keepdim=True)
    share = (mean.abs() / magnitude).nan_to_num(0.0)
    contribution = mean if normalize == "positions" else (mean / magnitude).nan_to_num(0.0)
    return ChannelContribution(layer, contribution, share, maps)
