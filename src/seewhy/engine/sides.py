"""On which side a layer has its channels: on the first axis after the batch, or on the last."""

from collections.abc import Iterable, Sequence

from torch import nn

FIRST = (
    nn.modules.conv._ConvNd,
    nn.modules.batchnorm._NormBase,
    nn.GroupNorm,
    nn.LocalResponseNorm,
    nn.PixelShuffle,
    nn.Upsample,
    nn.modules.pooling._MaxPoolNd,
    nn.modules.pooling._AvgPoolNd,
    nn.modules.pooling._AdaptiveAvgPoolNd,
    nn.modules.pooling._AdaptiveMaxPoolNd,
)
"""Layers whose channels are on the first axis after the batch, whatever the sizes say."""


def plain_side(module: nn.Module | None) -> str | None:
    """Return where a plain layer has its channels, "first" or "last"; None for a module that does not tell by itself."""
    return "first" if isinstance(module, FIRST) else "last" if _works_on_last(module) else None


def _works_on_last(module: nn.Module | None) -> bool:
    """Say whether a module works on the last axis, and does not turn its input first, as layer norms for images do."""
    return type(module).forward in (nn.LayerNorm.forward, nn.Linear.forward) if isinstance(module, nn.Module) else False


def inner_side(module: nn.Module | None, shape: Sequence[int]) -> str:
    """Tell from the layers inside a module where its channels are: "first", "last", "mixed" or, without a sign, "none"."""
    signs = set() if module is None else set(_signs(module.modules(), shape))
    return "mixed" if len(signs) > 1 else signs.pop() if signs else "none"


def _signs(modules: Iterable[nn.Module], shape: Sequence[int]) -> Iterable[str]:
    for part in modules:
        if isinstance(part, (nn.LayerNorm, nn.Linear)):
            channels = part.normalized_shape[-1] if isinstance(part, nn.LayerNorm) else part.out_features
            if _works_on_last(part) and channels == shape[-1]:
                yield "last"
        elif isinstance(part, (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase)):
            channels = part.out_channels if isinstance(part, nn.modules.conv._ConvNd) else part.num_features
            if channels == shape[1]:
                yield "first"
