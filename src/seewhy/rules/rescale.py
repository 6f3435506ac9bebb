"""The Rescale rule: the way back asks by how much each number differs from a baseline, and so leaves no remainder.

Images and baselines run in one pass; see `seewhy.rules.pairs`. Of each operation the rewrite keeps the value, and gives as gradient a
multiplier m with sum of m * (difference of input) = difference of output. Functions of one number have the quotient of both. What mixes
numbers is put together from sums, products, quotients and roots, each of which has a multiplier without remainder.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from seewhy.core.needs import INPUT, Needs
from seewhy.core.probe import Probe
from seewhy.core.rules import Coverage, Operation, Rewrite, Rules
from seewhy.errors import MethodError
from seewhy.rules.carrying import carried
from seewhy.rules.kinds import LINEAR
from seewhy.rules.pairs import (
    at_middle,
    both,
    carried_all,
    halves,
    hanging,
    middle,
    pointwise,
    product,
    secant,
    squared,
    wide,
)

POINTWISE = (
    *("relu", "relu6", "hardtanh", "threshold", "clamp", "leaky_relu", "rrelu", "prelu", "elu", "selu", "celu"),
    *("gelu", "silu", "mish", "hardswish", "hardsigmoid", "sigmoid", "log_sigmoid", "tanh", "tanhshrink"),
    *("softplus", "softsign", "hardshrink", "softshrink", "exp", "exp2", "expm1", "log", "log1p", "log2", "log10"),
    *("sqrt", "rsqrt", "abs", "absolute", "pow", "float_power", "erf", "erfc", "sin", "cos", "atan", "arctan"),
    *("special_expit", "sinh", "cosh", "asinh", "logit"),
)
"""Functions of each number alone."""


def root(tensor: Tensor) -> Tensor:
    """Return the square root, with the multiplier 1 / (sqrt(s) + sqrt(s0)); 0 where both are 0."""
    first, second = halves(tensor.detach().sqrt())
    total = first + second
    slope = torch.where(total > 0, 1 / total.masked_fill(total == 0, 1), 0)
    return carried(tensor.detach().sqrt(), tensor * both(slope))


def dividing(operation: Operation) -> Tensor:
    """Divide a by b; linear where b does not hang on the input.

    Raises:
        MethodError: the quotient is rounded.
    """
    above, below = operation.argument(0, "input"), operation.argument(1, "other")
    if operation.kwargs.get("rounding_mode"):
        raise MethodError("a rounded quotient has no gradient; a perturbation method such as 'rise' fits any network")
    if not hanging([below]):
        out: Tensor = operation.run()
        return out
    return carried(operation.run(), quotient(above, below))


def quotient(above: Tensor, below: Tensor) -> Tensor:
    """Return y = a / b, of which a may be a constant: the rule of products for y b = a, so dy = (da - mean(y) db) / mean(b).

    That stays small where a baseline without contrast has a spread of almost 0, unlike the product of a and 1 / b. Only where b changes its
    sign the mean may be 0; there it is that product: dy = mean(1 / b) da - mean(a) db / (b b0).
    """
    value = above.detach() / below.detach()
    (b, b0), middle_y, middle_b = halves(below.detach()), middle(value), middle(below)
    turns = both(b * b0 <= 0)
    by_above = torch.where(turns, middle(1 / below), 1 / middle_b.masked_fill(turns, 1))
    by_below = -torch.where(turns, _middle_of(above, value) * both(1 / (b * b0)), middle_y * by_above)
    carrier = below * by_below
    return carried(value, carrier + above * by_above if above.requires_grad else carrier)


def _middle_of(above: Tensor, like: Tensor) -> Tensor:
    """Return the mean over each pair of what may be a constant."""
    return middle(above.detach().expand_as(like))


def swapped_dividing(operation: Operation) -> Tensor:
    """Divide a constant by x, as Python's operator gives it, and torch.reciprocal."""
    below, above = operation.input, operation.argument(1, "other", 1)
    return carried(operation.run(), quotient(torch.as_tensor(above).to(below), below))


def rooted(operation: Operation) -> Tensor:
    """A norm or a standard deviation: the root of a square, which is a sum of products.

    Raises:
        MethodError: a norm that is no root of squares.
    """
    value = operation.run()
    power = operation.argument(1, "p" if operation.kind == "norm" else "ord", 2)
    spectral = operation.kind == "linalg_norm" and power == 2 and not isinstance(operation.argument(2, "dim"), int)
    if operation.kind != "std" and (power not in (2, 2.0, "fro", None) or spectral):
        raise MethodError(
            f"there is no rule for the norm of order {power!r}; a perturbation method such as 'rise' fits any network"
        )

    def square(*args: object, **kwargs: object) -> Tensor:
        found: Tensor = operation.function(*args, **kwargs).square()
        return found

    return carried(value, root(at_middle(operation.replaced(square))))


def std_and_mean(operation: Operation) -> tuple[Tensor, Tensor]:
    """Standard deviation and mean at once."""
    spread, mean = at_middle(operation.replaced(torch.var_mean))
    return carried_all(operation.run(), (root(spread), mean))  # type: ignore[no-any-return]


def standardized(x: Tensor, axes: tuple[int, ...], eps: float, *, centred: bool = True) -> Tensor:
    """Return (x - mean) / sqrt(variance + eps): centring, which is linear, divided by the root of a mean of squares."""
    x = wide(x)
    away = x - x.mean(dim=axes, keepdim=True) if centred else x
    return quotient(away, root(squared(away).mean(dim=axes, keepdim=True) + eps))


def layer_norm(operation: Operation) -> Tensor:
    """Layer norm and RMS norm over the last axes."""
    x, shape = operation.input, operation.argument(1, "normalized_shape")
    centred = operation.kind == "layer norm"
    eps = operation.argument(4 if centred else 3, "eps", 1e-5 if centred else None)
    eps = torch.finfo(x.dtype).eps if eps is None else eps
    made = standardized(x, tuple(range(-len(shape), 0)), eps, centred=centred)
    weight, bias = operation.argument(2, "weight"), operation.argument(3, "bias") if centred else None
    return carried(operation.run(), _affine(made, weight, bias))


def group_norm(operation: Operation) -> Tensor:
    """Group norm: (b, c, *spatial), each group of channels for itself."""
    x, groups = operation.input, operation.argument(1, "num_groups")
    eps = operation.argument(4, "eps", 1e-5)
    made = standardized(x.reshape(len(x), groups, -1), (2,), eps).reshape(x.shape)
    return carried(operation.run(), _by_channel(made, operation.argument(2, "weight"), operation.argument(3, "bias")))


def instance_norm(operation: Operation) -> Tensor:
    """Instance norm: each channel for itself, or, by running statistics, an affine map."""
    x = operation.input
    if not operation.argument(5, "use_input_stats", default=True):
        out: Tensor = operation.run()
        return out
    made = standardized(x, tuple(range(2, x.dim())), operation.argument(7, "eps", 1e-5))
    return carried(operation.run(), _by_channel(made, operation.argument(3, "weight"), operation.argument(4, "bias")))


def _by_channel(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    shape = (1, -1, *[1] * (x.dim() - 2))
    return _affine(x, *(None if one is None else one.view(shape) for one in (weight, bias)))


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def normalize(operation: Operation) -> Tensor:
    """Divide by the Euclidean norm, which is at least eps.

    Raises:
        MethodError: another norm than the Euclidean one.
    """
    x, power = operation.input, operation.argument(1, "p", 2.0)
    if power != 2:
        raise MethodError(
            f"there is no rule for division by the norm of order {power}; a perturbation method such as 'rise' fits any network"
        )
    dim, eps = operation.argument(2, "dim", 1), operation.argument(3, "eps", 1e-12)
    length = root(squared(wide(x)).sum(dim=dim, keepdim=True))
    floor = length * secant(lambda at: at.clamp_min(eps), length.detach())
    return carried(operation.run(), quotient(wide(x), carried(length.detach().clamp_min(eps), floor)))


def local_response_norm(operation: Operation) -> Tensor:
    """Return x / (k + alpha * mean of x^2 over neighbouring channels)^beta."""
    x, size = operation.input, operation.argument(1, "size")
    alpha, beta, k = (
        operation.argument(place, name, default)
        for place, name, default in ((2, "alpha", 1e-4), (3, "beta", 0.75), (4, "k", 1.0))
    )
    square = squared(wide(x)).movedim(1, -1)
    mean = F.pad(square, (size // 2, (size - 1) // 2)).unfold(-1, size, 1).mean(dim=-1).movedim(-1, 1)
    below = k + alpha * mean
    power = carried(below.detach() ** beta, below * secant(lambda at: at**beta, below.detach()))
    return carried(operation.run(), quotient(wide(x), power))


def _shared(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Return m, the logarithmic mean of the probabilities of a pair, and its sum over the classes, for the rows of both.

    The logarithmic mean (p - p0) / (log p - log p0) is the multiplier of p = exp(log p), and lies between p and p0.
    """
    first, second = halves(x.detach().log_softmax(dim))
    apart = (first - second).abs().nan_to_num(0)  # both masked: minus infinity twice
    shrunk = torch.where(apart > 0, -torch.expm1(-apart) / apart.masked_fill(apart == 0, 1), 1)
    mean = torch.maximum(first, second).exp() * shrunk
    return both(mean), both(mean.sum(dim, keepdim=True))


def softmax(operation: Operation) -> Tensor:
    """Return p_i = exp(x_i - L), with L = logsumexp(x): dp_i = m_i (dx_i - dL), and dL = sum_j m_j dx_j / sum_j m_j, as the dp_i add up to 0."""
    x, dim = wide(operation.input), operation.argument(1, "dim")
    m, total = _shared(x, dim)
    x = x.nan_to_num(neginf=0)  # m is 0 at masked places
    return carried(operation.run(), m * (x - (m * x).sum(dim, keepdim=True) / total))


def log_softmax(operation: Operation) -> Tensor:
    """Return log p_i = x_i - L, with dL as above."""
    x, dim = wide(operation.input), operation.argument(1, "dim")
    m, total = _shared(x, dim)
    return carried(operation.run(), x - (m * x.nan_to_num(neginf=0)).sum(dim, keepdim=True) / total)


def log_sum_exp(operation: Operation) -> Tensor:
    """Return L, with dL as above."""
    x, dim, value = wide(operation.input), operation.argument(1, "dim"), operation.run()
    flat = _last(x, dim)
    m, total = _shared(flat, -1)
    return carried(value, ((m * flat.nan_to_num(neginf=0)).sum(-1) / total[..., 0]).reshape(value.shape))


def _last(x: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """Return the tensor with some axes joined into one, the last."""
    axes = sorted(axis % x.dim() for axis in (dim if isinstance(dim, (tuple, list)) else (dim,)))
    return x.movedim(axes, list(range(-len(axes), 0))).flatten(-len(axes))


def gated(operation: Operation) -> Tensor:
    """GLU: one half of the channels times the sigmoid of the other."""
    left, gate = operation.input.chunk(2, dim=operation.argument(1, "dim", -1))
    opened = carried(gate.sigmoid(), gate * secant(torch.sigmoid, wide(gate.detach())).to(gate.dtype))
    return carried(operation.run(), product(left, opened))


def largest(flat: Tensor, index: Tensor) -> Tensor:
    """Carry the difference between maxima by the one place that holds the larger of both.

    Where the image's maximum is the larger one, its place differs by at least as much, so the multiplier lies between 0 and 1; else the
    same holds of the place of the baseline's maximum.

    Args:
        flat: what is compared, in the last axis.
        index: the places of the maxima.
    """
    (first, second), (mine, other) = halves(flat.detach()), halves(index)
    high, low = first.gather(-1, mine), second.gather(-1, other)
    place = torch.where(high >= low, mine, other)
    way = first.gather(-1, place) - second.gather(-1, place)
    slope = torch.where(way == 0, 1, (high - low) / way.masked_fill(way == 0, 1))
    return flat.gather(-1, both(place)) * both(slope)


def max_pool(operation: Operation) -> Tensor | tuple[Tensor, Tensor]:
    """Max pool and adaptive max pool, windows that overlap included."""
    name = getattr(operation.function, "__name__", "").removesuffix("_with_indices")
    x, axes = operation.input, int(name[-2])
    kwargs = {key: value for key, value in operation.kwargs.items() if key != "return_indices"}
    index = getattr(F, f"{name}_with_indices")(x.detach(), *operation.args[1:], **kwargs, return_indices=True)[1]
    found = largest(x.flatten(-axes), index.flatten(-axes)).reshape(index.shape)
    value = operation.run()
    return carried(value, found) if isinstance(value, Tensor) else (carried(value[0], found), value[1])


def extreme(operation: Operation) -> object:
    """Largest or least over axes, or of two tensors.

    Raises:
        MethodError: the largest of all numbers, whatever the image.
    """
    sign = -1 if operation.kind.startswith("min") or operation.kind == "amin" else 1
    x, second = operation.input, operation.argument(1, "other")
    value = operation.run()
    if isinstance(second, Tensor):
        pair = sign * torch.stack([x.expand_as(value), second.expand_as(value)], dim=-1)
        return carried(value, sign * largest(pair, pair.argmax(dim=-1, keepdim=True))[..., 0])
    dim = operation.argument(1, "dim")
    if dim is None or dim == ():
        raise MethodError(f"{operation.kind} over a whole batch mixes images; say over which axes")
    flat = sign * _last(x, dim)
    found = sign * largest(flat, flat.argmax(dim=-1, keepdim=True))[..., 0]
    if isinstance(value, Tensor):
        return carried(value, found.reshape(value.shape))
    return type(value)((carried(value[0], found.reshape(value[0].shape)), value[1]))


def chosen(operation: Operation) -> Tensor:
    """Choose by a mask, which must be the same for image and baseline.

    Raises:
        MethodError: it is not.
    """
    out: Tensor = operation.run()
    mask = operation.argument(
        0 if operation.kind == "where" else 1, "condition" if operation.kind == "where" else "mask"
    )
    if isinstance(mask, Tensor) and mask.dim() == out.dim() and len(mask) == len(out) and len(out) % 2 == 0:
        first, second = mask.chunk(2)
        if not torch.equal(first, second):
            raise MethodError(
                f"{operation.kind} chooses by a mask that depends on the image, which no multiplier can follow; "
                "use 'integrated-gradients', or a perturbation method such as 'rise'"
            )
    return out


def _bilinear(operation: Operation) -> object:
    """Sums of products: plain where one factor hangs on the input, by the rule of `at_middle` where two do.

    Raises:
        MethodError: where more do.
    """
    hang = hanging((*operation.args, *operation.kwargs.values()))
    if len(hang) < 2:
        return operation.run()
    most = 3 if operation.kind in _TWO_AND_A_SUM else 2
    if len(hang) > most:
        raise MethodError(
            f"there is no rule for {operation.kind} of {len(hang)} tensors that hang on the image; "
            "use 'integrated-gradients', or a perturbation method such as 'rise'"
        )
    return at_middle(operation)


_TWO_AND_A_SUM = ("matmul", "addcmul", "lerp", "linear", "convolution", "transposed convolution")
"""Kinds that may add a third tensor to the product of two."""

_REWRITES: dict[str, Rewrite] = {
    **dict.fromkeys(POINTWISE, pointwise),
    **dict.fromkeys(("mul", "matmul", "einsum", "bilinear", "addcmul", "lerp"), _bilinear),
    **dict.fromkeys(("linear", "convolution", "transposed convolution"), _bilinear),
    **dict.fromkeys(("square", "var", "var_mean"), at_middle),
    **dict.fromkeys(("norm", "linalg_norm", "linalg_vector_norm", "std"), rooted),
    **dict.fromkeys(("max pool", "adaptive max pool"), max_pool),
    **dict.fromkeys(("amax", "amin", "max", "min", "maximum", "minimum"), extreme),
    **dict.fromkeys(("layer norm", "rms norm"), layer_norm),
    **dict.fromkeys(("where", "masked_fill"), chosen),
    "std_mean": std_and_mean,
    "group norm": group_norm,
    "instance norm": instance_norm,
    "normalize": normalize,
    "local_response_norm": local_response_norm,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "logsumexp": log_sum_exp,
    "glu": gated,
    "div": dividing,
    "reciprocal": swapped_dividing,
}

RESCALE = Rules("DeepLIFT", _REWRITES, exact=LINEAR, on_fallback="refuse")
"""Every operation has a multiplier without remainder, or the network is refused."""

LEFT_OVER = {torch.float64: 1e-4, torch.float32: 1e-2}
"""How much of the map's magnitude its sum may miss: far more than rounding, far less than a wrong pair of rows does.

In half precision rounding may be all there is, so nothing is concluded from it."""
ROUNDINGS = 1000
"""Units of rounding of the scores that are no remainder, where a score hardly depends on the image."""


def contributions(
    probe: Probe, start: Float[Tensor, "b c *spatial"]
) -> tuple[Float[Tensor, "b *spatial"], Float[Tensor, " b"], Coverage]:
    """Return the sum over channels of multiplier times difference from a baseline, the difference of the scores, and what was met.

    Raises:
        MethodError: the differences leave a remainder, so the network does something that the rules cannot see.
    """
    made = probe.propagated(RESCALE, Needs(), beside=start)
    heatmap = ((made.trace.inputs - start) * made.trace.gradient[INPUT]).sum(dim=1)
    score = made.trace.score
    beside = score if made.beside is None else made.beside
    _check_remainder(heatmap, score, beside, made.trace.output.dtype)
    return heatmap, score - beside, made.coverage


def _check_remainder(
    heatmap: Float[Tensor, "b *spatial"], score: Float[Tensor, " b"], beside: Float[Tensor, " b"], kind: torch.dtype
) -> None:
    if kind not in LEFT_OVER:
        return
    flat = heatmap.flatten(1)
    missed, size = (score - beside - flat.sum(dim=1)).abs(), flat.abs().sum(dim=1)
    rounding = ROUNDINGS * torch.finfo(kind).eps * (score.abs() + beside.abs())
    if (missed > LEFT_OVER[kind] * size + rounding).any():
        raise MethodError(
            f"the differences from the baseline leave a remainder of {float(missed.max()):.3g} in a map of {float(size.max()):.3g}, although "
            "each operation has a rule: the network does something that the rules cannot see, such as another order of the axes, or a part "
            "outside of the graph; use 'integrated-gradients' or 'expected-gradients'"
        )
