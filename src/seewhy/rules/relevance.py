"""Rules of relevance propagation for linear maps: how the relevance of an output is shared among what it is a sum of.

An output z_j = sum_i x_i w_ij + b_j is a sum of contributions x_i w_ij, and each rule shares R_j in proportion to some of them. The
rules are written for the coefficient c = R / x of relevance: with c_j coming back at the output, a carrier D_j, a sum over inputs that is
linear in x, and the ratio z_j / D_j held constant, autograd returns c_i = sum_j (d D_j / d x_i) (z_j / D_j) c_j. That is R_i = x_i c_i, the
rule's share of R_j = z_j c_j. So relevance is activation times gradient at every layer, and nothing is ever divided by an activation.

Rules without the factor x_i, for the first layer, return R itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.rules import Operation, Rewrite
from seewhy.errors import MethodError
from seewhy.rules.carrying import carried

Biases = Literal["absorb", "share"]
"""Whether a bias keeps its share of the relevance, or what it would get is shared among the inputs."""

_WITH_SUMMAND = ("addmm", "baddbmm", "addmv", "addbmm")


@dataclass(frozen=True, eq=False)
class Linear:
    """An operation that is linear in one thing that hangs on the input: z = run(x, weight, bias).

    Attributes:
        run: the operation, for any input, weight and bias of these shapes.
        x, weight, bias: what it was called with; weight and bias are held constant.
        axes: those of one output over which the size of the outputs is measured: never one that may count images.
    """

    run: Callable[[Tensor, Tensor, Tensor | None], Tensor]
    x: Tensor
    weight: Tensor
    bias: Tensor | None
    axes: tuple[int, ...]

    @classmethod
    def of(cls, operation: Operation) -> "Linear":
        """Read a convolution, a linear map, or a product of which one factor is constant.

        Raises:
            MethodError: a product of several things that hang on the input.
        """
        if operation.kind in ("matmul", "einsum"):
            return _product(operation)
        weight, bias = operation.argument(1, "weight"), operation.argument(2, "bias")
        axes = (-1,) if operation.kind == "linear" else tuple(range(1, operation.input.dim()))
        return cls(operation.on, operation.input, weight.detach(), None if bias is None else bias.detach(), axes)

    def total(self, biases: Biases) -> Float[Tensor, "..."]:
        """Return the sum of what shares in the relevance."""
        return self.run(self.x, self.weight, self.bias if biases == "absorb" else None)

    def positive(self, biases: Biases) -> Float[Tensor, "..."]:
        """Return the sum of the positive contributions, x+ w+ + x- w-, and b+."""
        bias = None if self.bias is None or biases == "share" else self.bias.clamp(min=0)
        return self._by_sign(self.weight.clamp(min=0), self.weight.clamp(max=0), bias)

    def negative(self, biases: Biases) -> Float[Tensor, "..."]:
        """Return the sum of the negative contributions, x+ w- + x- w+, and b-."""
        bias = None if self.bias is None or biases == "share" else self.bias.clamp(max=0)
        return self._by_sign(self.weight.clamp(max=0), self.weight.clamp(min=0), bias)

    def _by_sign(self, above: Tensor, below: Tensor, bias: Tensor | None) -> Float[Tensor, "..."]:
        under = self.x < 0
        if not under.any():  # behind a rectifier
            return self.run(self.x, above, bias)
        return self.run(self.x.masked_fill(under, 0), above, bias) + self.run(
            self.x.masked_fill(~under, 0), below, None
        )


def _product(operation: Operation) -> Linear:
    """Read x @ w, w @ x, b + x @ w or an einsum of two."""
    args = list(operation.args)
    begin = 1 if operation.kind == "einsum" or _name(operation) in _WITH_SUMMAND else 0
    if operation.kind == "einsum" and len(args) == 2 and isinstance(args[1], (list, tuple)):
        args[1:] = args[1]
    places = [place for place in range(begin, len(args)) if isinstance(args[place], Tensor)]
    live = [place for place in places if args[place].requires_grad]
    if len(places) != 2 or len(live) != 1:
        raise MethodError(
            f"a {operation.kind} of {len(live) or 'no'} things that depend on the image, as in attention, has no rule here; "
            "'attn-lrp' and 'cp-lrp' have rules for it"
        )
    (at,), (other,) = live, [place for place in places if place != live[0]]
    bias = args[0].detach() if operation.kind != "einsum" and begin else None

    def run(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        given = list(args)
        given[at], given[other] = x, weight
        if operation.kind != "einsum" and begin:
            given[0] = torch.zeros_like(args[0]) if bias is None else bias
        made: Tensor = operation.function(*given, **operation.kwargs)
        return made

    return Linear(run, args[at], args[other].detach(), bias, (-1,))


def _name(operation: Operation) -> str:
    return str(getattr(operation.function, "__name__", ""))


def _share(
    value: Float[Tensor, "*shape"], of: Float[Tensor, "*shape"], linear: Linear, epsilon: float, empty: float = 0.0
) -> Float[Tensor, "*shape"]:
    """Return value / (of + sign(of) * epsilon * s), with s the root mean square of the outputs; `empty` where that is 0 / 0."""
    value, of = value.detach(), of.detach()
    size = value.square().mean(dim=linear.axes, keepdim=True).sqrt()
    stable = of + torch.where(of < 0, -epsilon * size, epsilon * size)
    nothing = stable == 0
    return torch.where(nothing, empty, value / stable.masked_fill(nothing, 1))


def live(operation: Operation) -> int:
    """Return how many of the things that an operation takes hang on the input."""
    lists = [given for given in operation.args if isinstance(given, (list, tuple))]
    given = [*operation.args, *operation.kwargs.values(), *(part for parts in lists for part in parts)]
    return sum(isinstance(one, Tensor) and one.requires_grad for one in given)


def epsilon_rule(epsilon: float, biases: Biases = "absorb") -> Rewrite:
    """R_i = sum_j x_i w_ij / (z_j + epsilon s sign z_j) R_j: all contributions share, those of small sums less."""

    def rewrite(operation: Operation) -> Tensor:
        linear = Linear.of(operation)
        total = linear.total(biases)
        value = total if biases == "absorb" else linear.total("absorb")
        return carried(value, total * _share(value, total, linear, epsilon, empty=1.0))

    return rewrite


def gamma_rule(gamma: float, epsilon: float, biases: Biases = "absorb") -> Rewrite:
    """R_i = sum_j (x_i w_ij + gamma [x_i w_ij of the sign of z_j]) / (the same, summed over i) R_j: those that agree with the sum weigh more."""

    def rewrite(operation: Operation) -> Tensor:
        linear = Linear.of(operation)
        total = linear.total(biases)
        value = total if biases == "absorb" else linear.total("absorb")
        favoured = total + gamma * torch.where(total < 0, linear.negative(biases), linear.positive(biases))
        return carried(value, favoured * _share(value, favoured, linear, epsilon))

    return rewrite


def alpha_beta_rule(alpha: float, beta: float, epsilon: float, biases: Biases = "absorb") -> Rewrite:
    """R_i = sum_j (alpha [x_i w_ij]+ / z_j+ - beta [x_i w_ij]- / z_j-) R_j, with alpha - beta = 1; beta = 0 is the z+ rule."""

    def rewrite(operation: Operation) -> Tensor:
        linear = Linear.of(operation)
        value, positive = linear.total("absorb").detach(), linear.positive(biases)
        carrier = alpha * positive * _share(value, positive, linear, epsilon)
        if beta:
            negative = linear.negative(biases)
            carrier = carrier - beta * negative * _share(value, negative, linear, epsilon)
        return carried(value, carrier)

    return rewrite


def _ones(linear: Linear, operation: Operation) -> Tensor:
    """Return ones whose gradient is taken for that of the input, so what comes back there is relevance itself; 0 where the image was padded."""
    ones = torch.ones_like(linear.x)
    seen = ones if operation.moved is None else operation.moved(ones.new_ones(()))
    return carried(ones, linear.x) * seen


def box_rule(low: Float[Tensor, "b c *spatial"], high: Float[Tensor, "b c *spatial"], epsilon: float) -> Rewrite:
    """R_i = sum_j (x_i w_ij - l_i w_ij+ - h_i w_ij-) / (the same, summed over i) R_j: for pixels between l and h, which may be zero or negative."""

    def rewrite(operation: Operation) -> Tensor:
        linear, move = Linear.of(operation), operation.moved or (lambda image: image)
        ones = _ones(linear, operation)
        x, weight = linear.x.detach(), linear.weight
        carrier = linear.run(x * ones, weight, None)
        carrier = carrier - linear.run(move(low).to(x) * ones, weight.clamp(min=0), None)
        carrier = carrier - linear.run(move(high).to(x) * ones, weight.clamp(max=0), None)
        value = linear.total("absorb").detach()
        return carried(value, carrier * _share(value, carrier, linear, epsilon))

    return rewrite


def _of_weights(change: Callable[[Tensor], Tensor], epsilon: float) -> Rewrite:
    def rewrite(operation: Operation) -> Tensor:
        linear = Linear.of(operation)
        carrier = linear.run(_ones(linear, operation), change(linear.weight), None)
        value = linear.total("absorb").detach()
        return carried(value, carrier * _share(value, carrier, linear, epsilon))

    return rewrite


def squares_rule(epsilon: float) -> Rewrite:
    """R_i = sum_j w_ij^2 / (sum_i w_ij^2) R_j: by the weights alone, whatever the pixels are."""
    return _of_weights(torch.square, epsilon)


def flat_rule(epsilon: float) -> Rewrite:
    """R_i = sum_j 1 / (number of i) R_j: every pixel that a unit sees gets the same."""
    return _of_weights(torch.ones_like, epsilon)
