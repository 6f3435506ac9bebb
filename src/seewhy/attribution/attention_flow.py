"""Attention flow: the most attention that can flow from the class token to each patch."""

from dataclasses import dataclass

import numpy as np
import torch

from seewhy.core.attending import WHERE_NOT_WHEN, AttentionMethod, check_fusion
from seewhy.core.attention import AttentionTrace
from seewhy.core.method import Attribution, Source
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.errors import MethodError
from seewhy.ops.flow import largest_flows
from seewhy.ops.rollout import Fusion, fused, with_way_past


@register
@dataclass(frozen=True)
class AttentionFlow(AttentionMethod):
    """Take attention for the capacity of pipes between the layers of a transformer, and ask how much can flow to each patch.

    map_j = the largest flow from the class token above the last layer to patch j below the first, where from token i to token j of layer l
    no more than B_l[i, j] can flow, B_l = (A_l + I) / 2. One flow is computed for each patch, as if the others were not there. Where the
    answer is read from several tokens without a place, each supplies an equal part of 1; where from none, all tokens do.

    Args:
        heads: how heads are mixed: "mean" (as in the paper), "max" or "min".

    Returns:
        Heatmap (b, h, w), or (b, t, h, w), on the patches, from 0 to 1: the part of the class token's whole supply that can reach the patch.

    Raises:
        MethodError: the network has no self-attention over places of the picture, or merges tokens on the way.

    Limits: slow: seconds for each image of 196 patches and 12 layers, and minutes for a thousand patches. The same for every target.
        A patch counts by its narrowest place: mostly its own layer or the class token's, so many patches get the same value.
    Source: Abnar and Zuidema 2020, Quantifying Attention Flow in Transformers, arXiv 2005.00928, section 3.2.
    """

    heads: Fusion = "mean"

    key = "attention-flow"
    title = "Attention flow"
    access = "layers"
    signed = False
    map_unit = "share of the flow"
    source = Source("Abnar & Zuidema 2020, Quantifying Attention Flow in Transformers", "2005.00928", "section 3.2")
    merit = "attention over all layers as a flow, which no single layer can make larger than it is"
    caution = "slow; the same for every class; many patches share one narrow place and one value"

    def __post_init__(self) -> None:
        check_fusion(self.key, self.heads)

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, and a note where it says nothing of time."""
        traces = probe.attention()
        if len({(trace.extra, trace.grid) for trace in traces}) > 1:
            raise MethodError(
                f"attention flow wants the same tokens in all layers, and here there are {traces[0].grid} at first and {traces[-1].grid} at last; "
                "use 'attention-rollout'"
            )
        capacities = [self._capacity(trace) for trace in traces]  # per layer (b, n, n)
        supplies, places = traces[-1].asked().double().cpu().numpy(), range(traces[0].extra, traces[0].tokens)
        flows = [
            largest_flows(supply, [capacity[image] for capacity in capacities], places)
            for image, supply in enumerate(supplies)
        ]
        found = torch.from_numpy(np.stack(flows)).to(traces[0].weights)
        notes = (WHERE_NOT_WHEN,) if all(trace.by_frame for trace in traces) else ()
        return Attribution(found.view(len(found), *traces[0].grid), notes=notes)

    def _capacity(self, trace: AttentionTrace) -> np.ndarray:
        mixed = with_way_past(fused(trace.weights, self.heads))
        matrix: np.ndarray = trace.spread(mixed, alone=1.0).double().cpu().numpy()
        return matrix
