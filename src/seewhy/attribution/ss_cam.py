"""SS-CAM: Score-CAM with scores averaged over noisy masks."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.channel_masking import ChannelMaskMethod
from seewhy.core.method import Source
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.errors import ConfigError
from seewhy.ops.masks import channel_mask


@register
@dataclass(frozen=True)
class SSCAM(ChannelMaskMethod):
    """Average the score of each channel's mask over noisy copies of the channel, then go on as Score-CAM does.

    map = relu(sum_k w_k A_k), w = softmax_k(1/n sum_i f(x seen through H(A_k + e_i)) - f(fill)), H as in Score-CAM, e_i Gaussian on the layer's grid of
    deviation noise * (max A_k - min A_k). Every channel meets the same noise, so that their scores differ by the channels alone.

    Args:
        layer: the layer; "auto" is the last one with a grid.
        channels: ask about so many channels of each image only, those that vary most over the positions; None asks about all.
        budget: the most that may be spent, forwards or a time; channels that vary most come first.
        fill: what is shown where the mask is 0.
        samples: noisy copies of each channel, at least 1; the paper takes 35.
        noise: standard deviation, as a share of the range of values of each channel; 0 gives Score-CAM.

    Returns:
        Heatmap (b, *spatial) at the layer's resolution, not negative, in units of the activation.

    Limits: those of Score-CAM, at `samples` times its cost; `channels` bounds it.
    Source: Wang et al. 2020, SS-CAM: Smoothed Score-CAM for Sharper Visual Feature Localization, arXiv 2006.14255, section 3 (smoothing of
        the feature maps). Differs in: noise relative to each channel's range, not of deviation 2 whatever the scale; the same noise for
        each channel; masks stay between 0 and 1.
    """

    samples: int = 10
    noise: float = 0.15

    key = "ss-cam"
    title = "SS-CAM"
    source = Source("Wang et al. 2020, SS-CAM: Smoothed Score-CAM", "2006.14255", "section 3")
    merit = "Score-CAM whose weights do not hang on the exact shape of a mask"
    caution = "many forwards for each channel; what was said of Score-CAM holds"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.samples < 1 or self.noise < 0:
            raise ConfigError(
                f"ss-cam wants samples of at least 1 and noise of at least 0, got {self.samples} and {self.noise}"
            )

    @property
    def looks(self) -> int:
        """One mask for each noisy copy."""
        return self.samples

    def masks(self, channel: Float[Tensor, "b *grid"], probe: Probe) -> Iterator[Float[Tensor, "b *spatial"]]:
        """Yield H(A_k + e_i) for each i; the generator starts anew for each channel."""
        generator, size = probe.generator(), tuple(probe.inputs.shape[2:])
        flat = channel.flatten(1)
        deviation = self.noise * (flat.amax(dim=1) - flat.amin(dim=1)).view(-1, *[1] * (channel.dim() - 1))
        for _ in range(self.samples):
            drawn = torch.randn(1, *channel.shape[1:], generator=generator).to(channel)
            yield channel_mask(channel + deviation * drawn, size)
