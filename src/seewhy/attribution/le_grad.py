"""LeGrad: how sensitive the score of each layer's own output is to that layer's attention."""

from dataclasses import dataclass
from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.attending import AttentionMethod
from seewhy.core.attention import AttentionTrace, Pool
from seewhy.core.method import Attribution, Source
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.errors import ConfigError


@register
@dataclass(frozen=True)
class LeGrad(AttentionMethod):
    """Average over the layers of a transformer how much more attention to each patch would raise the score of that layer's own output.

    map_j = mean_l mean_h mean_i relu(dS_l/dA_lh[i, j]), with S_l the score that the network's head gives to the mean of the tokens that block
    l puts out, and A_lh the attention of head h in block l, whose rows are the tokens i that look.

    Args:
        last: how many of the last layers; None is all of them.
        pool: what the head is given of a layer's tokens: "mean": the mean of all of them in the place of each; "head": each as it is,
            so that the head reads the class token, or whatever it reads of the network's own output.

    Returns:
        Heatmap (b, h, w), or (b, t, h, w), on the patches, not negative, in units of the score per unit of attention.

    Raises:
        MethodError: the network has no self-attention over places of the picture, its head cannot be applied to single layers, as where
            attention is factorized into time and space, or the target looks inside the network.

    Limits: the head was trained for the last layer, and for the class token where it reads that: what it makes of earlier layers and of
        mean tokens need not mean much; `last` and `pool` leave them out. What attention is worth is
        judged by an endless small change of it. In a pyramid (Swin) only the last stage is seen: earlier ones are too narrow for the head.
    Source: Bousselham et al. 2024, LeGrad: An Explainability Method for Vision Transformers via Feature Formation Sensitivity,
        arXiv 2404.03214, section 3. Differs in: the map is not stretched to 0 to 1; all layers are used, the authors' code takes some of
        the last.
    """

    last: int | None = None
    pool: Pool = "mean"

    key = "le-grad"
    title = "LeGrad"
    signed = False
    map_unit = "{unit} per unit of attention"
    source = Source("Bousselham et al. 2024, LeGrad", "2404.03214", "section 3")
    merit = "sharp maps of transformers, of CLIP and its texts too; every layer has its say"
    caution = "applies the head to layers that it was not trained for"

    def __post_init__(self) -> None:
        if self.last is not None and self.last < 1:
            raise ConfigError(f"le-grad looks at 1 or more of the last layers, or None for all; got {self.last}")
        if self.pool not in get_args(Pool):
            raise ConfigError(f"le-grad pools tokens by 'head' or 'mean', got {self.pool!r}")

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, and a note where the head does not fit some layers."""
        traces = probe.attention(layerwise=self.pool)
        asked = traces if self.last is None else traces[-self.last :]
        maps = [_sensitivity(trace, trace.own_gradient) for trace in asked if trace.own_gradient is not None]
        left_out = len(asked) - len(maps)
        note = f"the head fits the output of {len(maps)} of {len(asked)} layers; the others are left out"
        return Attribution(torch.stack(maps).mean(dim=0), notes=(note,) if left_out else ())


def _sensitivity(trace: AttentionTrace, gradient: Float[Tensor, "rows heads m m"]) -> Float[Tensor, "b *spatial"]:
    """Average over the heads and over the tokens that look."""
    each = trace.weights.new_full((trace.images, trace.tokens), 1 / trace.tokens)
    return trace.drawn(trace.carried(each, gradient.relu().mean(dim=1)))
