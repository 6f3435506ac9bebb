"""The attention of a transformer in one pass: its weights, recomputed where fused attention returns none, and their gradients."""

from seewhy.core.attention import AttentionTrace
from seewhy.engine.block import Bill, Question
from seewhy.errors import MethodError


def attention_of(question: Question, bill: Bill, *, gradients: bool, layerwise: bool) -> tuple[AttentionTrace, ...]:
    """Return the attention of each layer; see `seewhy.core.probe.Probe.attention`."""
    raise MethodError("attention is not read yet")
