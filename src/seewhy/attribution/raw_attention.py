"""Raw attention: what the class token looks at in one layer."""

from dataclasses import dataclass

from seewhy.core.attending import WHERE_NOT_WHEN, AttentionMethod, check_fusion
from seewhy.core.method import Attribution, Source
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.errors import ConfigError, MethodError
from seewhy.ops.rollout import Fusion, fused


@register
@dataclass(frozen=True)
class RawAttention(AttentionMethod):
    """Show how much the class token looks at each patch in one layer of a transformer, the heads averaged.

    map_j = sum_i q_i mean_h A_h[i, j], with A_h = softmax(Q_h K_h^T / sqrt(d)) of the chosen layer and q = 1 for the class token. Where the
    answer is read from several tokens without a place (class and distillation), each counts equally; where from none, as after an
    average over all patches, all tokens do.

    Clips: where the class token has a copy in each frame (TimeSformer, layers within frames), each frame gets the same sum of attention, an equal
    part; such a map says where in a frame, not when. Layers along time, in which the class token takes no part, are refused.

    Args:
        block: which attention layer, counted from 0; -1 is the last.
        heads: how heads are mixed: "mean", "max" or "min".

    Returns:
        Heatmap (b, h, w), or (b, t, h, w), on the patches of that layer, not negative: the share of the attention that each patch gets.

    Raises:
        MethodError: the network has no self-attention over places of the picture, or not so many layers of it.

    Limits: says nothing of a class: the map is the same for every target. Values and later layers decide what is done with what is
        looked at; weights may be changed a lot without a change of the answer (Jain and Wallace 2019). In late layers patches hold
        what they have gathered from others, and bright patches of the background are often used as notes (Darcet et al. 2024).
    Source: Vaswani et al. 2017, Attention Is All You Need, arXiv 1706.03762, equation 1; shown for the class token by Caron et al. 2021,
        DINO, arXiv 2104.14294. Differs in: heads are mixed rather than shown one by one.
    """

    block: int = -1
    heads: Fusion = "mean"

    key = "raw-attention"
    title = "Raw attention"
    access = "layers"
    signed = False
    map_unit = "share of attention"
    source = Source("Vaswani et al. 2017, Attention Is All You Need", "1706.03762", "equation 1")
    merit = "what one layer of a transformer looks at, as it is"
    caution = "the same for every class; being looked at is not being decisive"

    def __post_init__(self) -> None:
        check_fusion(self.key, self.heads)
        if not isinstance(self.block, int):
            raise ConfigError(f"raw-attention wants the number of a layer, -1 for the last; got {self.block!r}")

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, and a note where it says nothing of time."""
        traces = probe.attention()
        if not -len(traces) <= self.block < len(traces):
            raise MethodError(f"there is no attention layer {self.block}: the network has {len(traces)}, from 0")
        trace = traces[self.block]
        asked = traces[-1].asked() if trace.tokens == traces[-1].tokens else trace.asked()
        if bool((asked * trace.outside()).any()):
            raise MethodError(
                f"the token that the answer is read from takes no part in {trace.layer!r}, which looks along time only; choose another `block`"
            )
        found = trace.drawn(trace.carried(asked, fused(trace.weights, self.heads)))
        alike = trace.by_frame or trace.copies is not None
        return Attribution(found, notes=(WHERE_NOT_WHEN,) if alike else ())
