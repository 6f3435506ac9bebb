"""Score-CAM: weigh each channel by how the score does when only what the channel marks is shown."""

from collections.abc import Iterator
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from seewhy.core.channel_masking import ChannelMaskMethod
from seewhy.core.method import Source
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.ops.masks import channel_mask


@register
@dataclass(frozen=True)
class ScoreCAM(ChannelMaskMethod):
    """Show the image through each channel of a layer, weigh the channels by the softmax of the scores, sum, keep what speaks for the target.

    map = relu(sum_k w_k A_k), w = softmax_k(f(x seen through H_k) - f(fill)), H_k the channel A_k resized to the input and brought to the range
    from 0 to 1. The score of the fill is the same for every k and leaves the softmax, so it is not computed.

    Args:
        layer: the layer; "auto" is the last one with a grid.
        channels: ask about so many channels of each image only, those with the largest standard deviation over the positions; the
            others get the weight 0. None asks about all, as in the paper.
        budget: the most that may be spent, forwards or a time; channels that vary most come first.
        fill: what is shown where the mask is 0: "zero" in the network's units gives the paper's product of mask and image.

    Returns:
        Heatmap (b, *spatial) at the layer's resolution, not negative, in units of the activation. A channel that is constant masks nothing
        and gets the weight 0.

    Limits: one forward for each channel. The softmax of logits is nearly all on a few channels; a masked image is nothing that the
        network has seen; a channel is judged by what it shows, not by what the network makes of it.
    Source: Wang et al. 2020, Score-CAM, arXiv 1910.01279, algorithm 1. Differs in: resized with aligned cells, not aligned corners;
        constant channels do not count.
    """

    key = "score-cam"
    title = "Score-CAM"
    source = Source("Wang et al. 2020, Score-CAM", "1910.01279", "algorithm 1")
    merit = "needs no gradient, so none that vanishes or is noisy misleads it"
    caution = "a forward for each channel; judges channels by images seen through masks, which the network never saw"

    @property
    def looks(self) -> int:
        """One mask of each channel."""
        return 1

    def masks(self, channel: Float[Tensor, "b *grid"], probe: Probe) -> Iterator[Float[Tensor, "b *spatial"]]:
        """Yield H_k."""
        yield channel_mask(channel, tuple(probe.inputs.shape[2:]))
