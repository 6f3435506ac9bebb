"""Attention rollout: attention multiplied through all layers."""

from dataclasses import dataclass

from seewhy.core.attending import WHERE_NOT_WHEN, AttentionMethod, check_fusion, down
from seewhy.core.method import Attribution, Source
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.errors import ConfigError
from seewhy.ops.rollout import Fusion, discarded, fused, with_way_past


@register
@dataclass(frozen=True)
class AttentionRollout(AttentionMethod):
    """Follow attention through all layers of a transformer, half of everything going past each layer.

    map = q B_L ... B_2 B_1, with B_l = (A_l + I) / 2, A_l the attention of layer l with its heads mixed, rows that add up to 1, and q = 1
    for the class token. Where the answer is read from several tokens without a place, each counts equally; where from none, all tokens
    do. Tokens that were merged between two stages (Swin) share what the merged one has.

    Clips: attention that is factorized (TimeSformer: along time within each place, then within each frame) is composed over all tokens, a
    layer for each: per block (A_space + I) / 2 (A_time + I) / 2. Along time the class token keeps all it has; within frames its row is the
    mean of those of its copies, as the network takes their mean. That is what the network adds up, written as one table; the
    composition is ours. Where each frame is a row and frames never look at each other, each gets an equal part: such a map says nothing of time.

    Args:
        heads: how heads are mixed: "mean" (as in the paper), "max" or "min".
        discard: for each token, this share of those that it looks at least at is left out; 0 leaves out none, as in the paper.

    Returns:
        Heatmap (b, h, w), or (b, t, h, w), on the patches of the first layer, not negative: the share of the class token that comes from
        each patch.

    Raises:
        MethodError: the network has no self-attention over places of the picture, or tokens that cannot be followed.

    Limits: says nothing of a class: the map is the same for every target. Values, heads' outputs and the layers between are taken to keep
        what they are given, and the ways past each layer to carry half. Deep networks give maps that are nearly even.
    Source: Abnar and Zuidema 2020, Quantifying Attention Flow in Transformers, arXiv 2005.00928, section 3.1, equation 1. Differs in: other
        ways to mix heads and the leaving out are customs of vision transformers, no part of the paper.
    """

    heads: Fusion = "mean"
    discard: float = 0.0

    key = "attention-rollout"
    title = "Attention rollout"
    access = "layers"
    signed = False
    map_unit = "share of attention"
    source = Source("Abnar & Zuidema 2020, Quantifying Attention Flow in Transformers", "2005.00928", "equation 1")
    merit = "where a transformer's answer gathers from, over all layers, for one pass"
    caution = "the same for every class; knows nothing of values, and is nearly even in deep networks"

    def __post_init__(self) -> None:
        check_fusion(self.key, self.heads)
        if not 0 <= self.discard < 1:
            raise ConfigError(f"attention-rollout leaves out a share from 0 to below 1, got {self.discard}")

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, and a note where it says nothing of time."""
        traces = probe.attention()
        found = down(
            traces,
            traces[-1].asked(),
            lambda trace, share: trace.carried(
                share, with_way_past(discarded(fused(trace.weights, self.heads), self.discard)), alone=1.0
            ),
        )
        notes = (WHERE_NOT_WHEN,) if all(trace.by_frame for trace in traces) else ()
        return Attribution(traces[0].drawn(found), notes=notes)
