"""Gradient rollout: attention times its gradient, gathered over all layers."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from seewhy.core.attending import AttentionMethod, Share, down
from seewhy.core.attention import AttentionTrace
from seewhy.core.method import Source
from seewhy.core.probe import Probe
from seewhy.core.registry import register


@register
@dataclass(frozen=True)
class GradientRollout(AttentionMethod):
    """Follow the attention that speaks for the target through all layers of a transformer.

    R = I; for each layer from the first: R <- R + C R, with C = mean_h relu(dS/dA_h * A_h); map = the class token's row of R - I. S is the score
    and A_h the attention of head h. Where the answer is read from several tokens without a place, each counts equally; where from
    none, all tokens do. Tokens that were merged between two stages (Swin) share what the merged one has.

    Clips: attention along time and attention within frames (TimeSformer) are layers of their own, over all tokens. A class token with a copy
    in each frame has the rows of all copies, added and not averaged: that each counts for a T-th is in the gradient already. This is ours.

    Returns:
        Heatmap (b, h, w), or (b, t, h, w), on the patches of the first layer, not negative, without a unit: products of attention and gradient of several
        layers are added.

    Raises:
        MethodError: the network has no self-attention over places of the picture, tokens that cannot be followed, or a target that does
            not depend on its attention.

    Limits: evidence against the target is cut off head by head before it can cancel. Values and the layers between attention enter
        through the gradient at one point only.
    Source: Chefer, Gur and Wolf 2021, Generic Attention-model Explainability, arXiv 2103.15679, equations 5 and 6. Differs in: networks
        without a class token, windows and merged tokens are not in the paper.
    """

    key = "gradient-rollout"
    title = "Gradient rollout"
    signed = False
    map_unit = "relative"
    source = Source("Chefer et al. 2021, Generic Attention-model Explainability", "2103.15679", "equations 5-6")
    merit = "what of a transformer's attention speaks for this class, over all layers"
    caution = "cuts off what speaks against the class head by head; positive even where nothing is in favour"

    def attribute(self, probe: Probe) -> Float[Tensor, "b *spatial"]:
        """Return the heatmap."""
        traces = probe.attention(gradients=True)
        asked = traces[-1].asked()
        itself = down(traces, asked, lambda _, share: share)  # the row of I
        return traces[0].drawn(down(traces, asked, _through) - itself).clamp_min(0)  # no less than zero by rounding


def _through(trace: AttentionTrace, share: Share) -> Share:
    favourable = (trace.slope * trace.weights).relu().mean(dim=1)  # equation 5
    return share + trace.carried(share, favourable, divided=False)  # equation 6, for one row of R
