"""IS-CAM: Score-CAM with scores averaged while the mask is faded in."""

from collections.abc import Iterator
from dataclasses import dataclass

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
class ISCAM(ChannelMaskMethod):
    """Average the score of each channel's mask over the way from nothing to the mask, then go on as Score-CAM does.

    map = relu(sum_k w_k A_k), w = softmax_k(1/n sum_i f(x seen through (i/n) H_k) - f(fill)), i from 1 to n, H_k as in Score-CAM.

    Args:
        layer: the layer; "auto" is the last one with a grid.
        channels: ask about so many channels of each image only, those that vary most over the positions; None asks about all.
        budget: the most that may be spent, forwards or a time; channels that vary most come first.
        fill: what is shown where the mask is 0.
        steps: stages of each mask, at least 1; 1 gives Score-CAM.

    Returns:
        Heatmap (b, *spatial) at the layer's resolution, not negative, in units of the activation.

    Limits: those of Score-CAM, at `steps` times its cost; `channels` bounds it.
    Source: Naidu et al. 2020, IS-CAM: Integrated Score-CAM for axiomatic-based explanations, arXiv 2010.03023, section 3. Differs in: stage i is
        i/n of the mask, so the last is the mask itself; adding the stages up, as implementations do, shows the image brighter than it is.
    """

    steps: int = 10

    key = "is-cam"
    title = "IS-CAM"
    source = Source("Naidu et al. 2020, IS-CAM: Integrated Score-CAM", "2010.03023", "section 3")
    merit = "Score-CAM whose weights do not hang on one saturated score"
    caution = "several forwards for each channel; what was said of Score-CAM holds"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps < 1:
            raise ConfigError(f"is-cam wants steps of at least 1, got {self.steps}")

    @property
    def looks(self) -> int:
        """One mask for each stage."""
        return self.steps

    def masks(self, channel: Float[Tensor, "b *grid"], probe: Probe) -> Iterator[Float[Tensor, "b *spatial"]]:
        """Yield (i/n) H_k for each i."""
        whole = channel_mask(channel, tuple(probe.inputs.shape[2:]))
        return (whole * (stage / self.steps) for stage in range(1, self.steps + 1))
