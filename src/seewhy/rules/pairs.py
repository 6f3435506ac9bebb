"""Differences between images and the images beside them, in one pass: rows 0 to b belong to the first, rows b to 2b to the second."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from seewhy.core.rules import Operation
from seewhy.errors import MethodError
from seewhy.rules.carrying import carried

Function = Callable[[Tensor], Tensor]


def halves(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rows of the images and of those beside them, in the order of the pass.

    Raises:
        MethodError: the first axis does not hold the images, so that there are no pairs.
    """
    if tensor.dim() == 0 or len(tensor) % 2:
        raise MethodError(
            f"differences from a baseline are taken where images lie along the first axis; this network makes {tuple(tensor.shape)} "
            "of a pair of images on its way; use 'integrated-gradients' or 'expected-gradients', which fit any network with gradients"
        )
    first, second = tensor.chunk(2)
    return first, second


def both(tensor: Tensor) -> Tensor:
    """Return what is the same for an image and the one beside it, for the rows of both."""
    return torch.cat([tensor, tensor])


def middle(tensor: Tensor) -> Tensor:
    """Return the mean of each image and the one beside it, for the rows of both, detached."""
    first, second = halves(tensor.detach())
    return both(torch.lerp(first, second, 0.5))


def hanging(values: Any) -> list[Tensor]:
    """Return those of an operation's arguments that hang on the input; weights do not."""
    if isinstance(values, Tensor):
        return [values] if values.requires_grad and not isinstance(values, nn.Parameter) else []
    return [tensor for value in values for tensor in hanging(value)] if isinstance(values, (list, tuple)) else []


def put(values: Any, made: dict[int, Tensor]) -> Any:
    """Return arguments with some tensors, known by their id, replaced."""
    if isinstance(values, (list, tuple)):
        return type(values)(put(value, made) for value in values)
    return made.get(id(values), values)


def at_middle(operation: Operation) -> Any:
    """Run an operation, with the gradient that it has at the middle of each pair.

    For sums of products of two things, and for squares, that is the multiplier: d(a b) = mean(b) da + mean(a) db, without remainder.
    """
    hang = hanging((*operation.args, *operation.kwargs.values()))
    return carried_all(operation.run(), _at(operation, {id(one): carried(middle(one), one) for one in hang}))


def product(first: Tensor, second: Tensor) -> Tensor:
    """Multiply two tensors that hang on the input, by the rule of `at_middle`."""
    return carried(first.detach() * second.detach(), carried(middle(first), first) * carried(middle(second), second))


def squared(tensor: Tensor) -> Tensor:
    """Square a tensor, by the same rule."""
    return product(tensor, tensor)


def carried_all(values: Any, carriers: Any) -> Any:
    """Return values with the gradients of carriers, for a tensor or a tuple of them."""
    if isinstance(values, Tensor):
        return carried(values, carriers) if carriers.requires_grad else values
    return tuple(carried_all(value, carrier) for value, carrier in zip(values, carriers, strict=True))


def _at(operation: Operation, made: dict[int, Tensor]) -> Any:
    kwargs = {name: put(value, made) for name, value in operation.kwargs.items()}
    return operation.function(*put(operation.args, made), **kwargs)


def wide(tensor: Tensor) -> Tensor:
    """Return half precision as float32: a quotient of two differences has no digits to lose."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def pointwise(operation: Operation) -> Tensor:
    """Run a function of each number alone, with difference of output by difference of input as the gradient.

    Raises:
        MethodError: several of its arguments hang on the input.
    """
    hang = hanging((*operation.args, *operation.kwargs.values()))
    if len(hang) != 1:
        raise MethodError(
            f"there is no rule for {operation.kind} where {len(hang)} of its arguments hang on the image; "
            "a perturbation method such as 'rise' fits any network"
        )
    value = operation.run()
    start, rest = hang[0], [*operation.args, *operation.kwargs.values()]
    others = {id(one): wide(one) for one in rest if isinstance(one, Tensor) and one is not start}

    def function(at: Tensor) -> Tensor:
        found: Tensor = _at(operation, others | {id(start): at})
        return found

    spread = start.expand(value.shape)
    return carried(value, spread * secant(function, wide(spread.detach())).to(spread.dtype))


def secant(function: Function, at: Tensor) -> Tensor:
    """Return the slope of a pointwise function between each pair, for the rows of both.

    Where the two are so near to each other that their difference has few digits left, the mean of the derivatives at both ends is nearer to
    the slope than the quotient is, unless a kink lies between them: then the derivatives differ by more than their distance explains.
    """
    near = torch.finfo(at.dtype).eps ** (1 / 3)
    with torch.enable_grad():
        leaf = at.detach().requires_grad_()
        value = function(leaf)
        (slope,) = torch.autograd.grad(value.sum(), leaf)
    (first, second), (high, low), (here, there) = halves(leaf.detach()), halves(value.detach()), halves(slope)
    way = first - second
    close = (way == 0) | ((way.abs() < near) & ((here - there).abs() <= 2 * way.abs()))
    return both(torch.where(close, (here + there) / 2, (high - low) / way.masked_fill(close, 1)))
