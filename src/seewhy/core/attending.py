"""What methods have in common that read the attention of a transformer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from seewhy.core.attention import AttentionTrace
from seewhy.core.cost import Cost
from seewhy.core.method import Method
from seewhy.core.needs import Needs
from seewhy.errors import ConfigError, MethodError
from seewhy.ops.rollout import finer

Share = Float[Tensor, "b n"]
WHERE_NOT_WHEN = "each frame has an equal part of this map, whatever it shows: frames do not look at each other here, so it says where, not when"
"""What a reader of attention must know whose weights add up to 1 in each frame."""


@dataclass(frozen=True)
class AttentionMethod(Method):
    """A method that reads attention weights, or their gradients, in one pass of its own.

    Networks without self-attention over places of the picture are refused.
    """

    family: ClassVar = "attention"
    resolution: ClassVar = "layer"

    def needs(self) -> Needs:
        """Return nothing beyond the score of the image: attention is read in a pass of its own."""
        return Needs()

    def cost(self) -> Cost | None:
        """Return the shared forward, the pass in which attention is read, and one way back where gradients are asked for."""
        return Cost(2, 1 if self.access == "gradients" else 0)


def down(
    traces: Sequence[AttentionTrace], share: Float[Tensor, "b last"], step: Callable[[AttentionTrace, Share], Share]
) -> Float[Tensor, "b first"]:
    """Take shares of the last layer's tokens through all layers, the last one first.

    Where tokens were merged between two layers, what the merged one has is divided equally among those that it was made of.

    Args:
        traces: the layers, first one first.
        share: what each token of the last layer has.
        step: what becomes of shares in one layer.

    Raises:
        MethodError: the tokens of a layer are not those of the layer before, nor merged from them in equal boxes.
    """
    above = traces[-1]
    for trace in reversed(traces):
        known = finer(share, trace.extra, above.grid, trace.grid) if above.extra == trace.extra else None
        if known is None:
            raise MethodError(
                f"between {trace.layer!r} and {above.layer!r} the tokens change from {trace.grid} to {above.grid} with {trace.extra} and "
                f"{above.extra} others, and attention cannot be followed; 'raw-attention' looks at one layer only"
            )
        share, above = step(trace, known), trace
    return share


def check_fusion(key: str, heads: str) -> None:
    """Raise `ConfigError` for a way to mix heads that is not known."""
    if heads not in ("mean", "max", "min"):
        raise ConfigError(f"{key} mixes heads by 'mean', 'max' or 'min', got {heads!r}")
