"""What a layer adds to its output beyond what is linear in its input."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


def adds_constant(module: nn.Module) -> bool:
    """Say whether a layer adds a constant to its output: a bias, the shift of a norm, the ceiling of a ReLU6."""
    return isinstance(module, nn.Hardtanh) or _bias(module) is not None


def constant(module: nn.Module, output: Tensor) -> Tensor:
    """Return what a layer adds to its output beyond what is linear in its input, in a shape that broadcasts to the output.

    Args:
        module: a layer that adds a constant.
        output: what it put out: (b, c, *spatial), or (b, n, c) where it has no grid.

    For a convolution or a linear layer that is its bias; for a batch norm in eval mode it is bias - mean * weight / deviation; for a
    ReLU6 it is 6 where it is saturated, since there the output does not follow the input.
    """
    if isinstance(module, nn.Hardtanh):
        return output * ((output <= module.min_val) | (output >= module.max_val))
    bias = _bias(module)
    if bias is None:
        return output.new_zeros(())
    channels_last = output.dim() == 3 and output.shape[-1] == len(bias)
    return bias.detach().to(output).view(-1, *[1] * (0 if channels_last else output.dim() - 2))


def _bias(module: nn.Module) -> Float[Tensor, " c"] | None:
    """Return the constant per channel that an affine layer adds; None for any other layer."""
    if (
        isinstance(module, nn.modules.batchnorm._BatchNorm)
        and module.running_mean is not None
        and module.running_var is not None
    ):
        scale = torch.rsqrt(module.running_var + module.eps)
        scale = scale if module.weight is None else scale * module.weight
        shift = -module.running_mean * scale
        return shift if module.bias is None else shift + module.bias
    return module.bias if isinstance(module, (nn.modules.conv._ConvNd, nn.Linear)) else None
