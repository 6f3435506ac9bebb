"""Each rule of relevance propagation against the textbook's formula, written out over all contributions x_i w_ij of a layer.

The weights w are read off a layer by its Jacobian; the rules themselves never see a matrix.
"""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seewhy.core.rules import Operation
from seewhy.engine.operations import kind_of
from seewhy.errors import MethodError
from seewhy.rules.relevance import (
    alpha_beta_rule,
    box_rule,
    epsilon_rule,
    flat_rule,
    gamma_rule,
    squares_rule,
)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


W, B = drawn(4, 3, 3, 3, seed=1), drawn(4, seed=2)
LAYERS = {
    "linear": ((5,), lambda x: (F.linear, (x, drawn(4, 5, seed=1), B))),
    "linear of tokens": ((3, 5), lambda x: (F.linear, (x, drawn(4, 5, seed=1), B))),
    "convolution": ((3, 5, 5), lambda x: (F.conv2d, (x, W, B, 2, 1))),
    "without a bias": ((3, 5, 5), lambda x: (F.conv2d, (x, W, None, 1, 1))),
    "grouped": ((4, 4, 4), lambda x: (F.conv2d, (x, drawn(4, 2, 3, 3, seed=1), B, 1, 1, 1, 2))),
    "depthwise": ((4, 4, 4), lambda x: (F.conv2d, (x, drawn(4, 1, 3, 3, seed=1), B, 1, 1, 1, 4))),
    "dilated": ((3, 6, 6), lambda x: (F.conv2d, (x, W, B, 1, 2, 2))),
    "transposed": ((3, 3, 3), lambda x: (F.conv_transpose2d, (x, drawn(3, 2, 3, 3, seed=1), drawn(2, seed=2), 2))),
    "one axis": ((3, 7), lambda x: (F.conv1d, (x, W[..., 0], B, 1, 1))),
    "three axes": ((3, 3, 3, 3), lambda x: (F.conv3d, (x, drawn(4, 3, 2, 2, 2, seed=1), B))),
    "product": ((3, 5), lambda x: (torch.matmul, (x, drawn(5, 4, seed=1)))),
    "product from the left": ((5, 3), lambda x: (torch.matmul, (drawn(4, 5, seed=1), x))),
    "sum and product": ((5,), lambda x: (torch.addmm, (B.expand(1, 4), x, drawn(5, 4, seed=1)))),
    "einsum": ((3, 2, 2), lambda x: (torch.einsum, ("bchw,kchw->bk", x, drawn(4, 3, 2, 2, seed=1)))),
}


def operation(layer: str, x: Tensor) -> Operation:
    function, args = LAYERS[layer][1](x)
    return Operation(kind_of(function), function, args, {})


def relevance(rule, layer: str, x: Tensor, given: Tensor) -> Tensor:
    """Return x * c at the input, where c comes back from given / z at the output."""
    leaf = x.clone().requires_grad_()
    out = rule(operation(layer, leaf))
    torch.testing.assert_close(out.detach(), operation(layer, x).run(), rtol=1e-12, atol=1e-12)
    (back,) = torch.autograd.grad(out, leaf, given / out.detach())
    return back


def matrix(layer: str, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return contributions x_i w_ij (i, j), the weights, and the bias (j) of a layer that sees one image."""
    jacobian = torch.func.jacrev(lambda y: operation(layer, y).run())(x)
    weights = jacobian.reshape(-1, x.numel()).T
    bias = operation(layer, torch.zeros_like(x)).run().flatten()
    return x.flatten()[:, None] * weights, weights, bias


def shared(parts: Tensor, rest: Tensor, given: Tensor) -> Tensor:
    """Share what is given among parts (i, j) in proportion; the rest (j) takes part, and keeps what it gets."""
    whole = parts.sum(dim=0) + rest
    return torch.where(whole == 0, 0, parts / whole * given.flatten()).sum(dim=1)


def case(layer: str, *, positive: bool) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    x = drawn(1, *LAYERS[layer][0], seed=3)
    x = x.abs() if positive else x
    given = drawn(*operation(layer, x).run().shape, seed=4)
    return (x, given, *matrix(layer, x))


everywhere = pytest.mark.parametrize(
    ("layer", "positive"), [(layer, sign) for layer in LAYERS for sign in (True, False)]
)


@everywhere
class TestAgainstTheTextbook:
    def test_epsilon(self, layer, positive):
        x, given, parts, _, bias = case(layer, positive=positive)
        found = x * relevance(epsilon_rule(0.0), layer, x, given)
        torch.testing.assert_close(found.flatten(), shared(parts, bias, given))

    def test_epsilon_that_counts(self, layer, positive):
        x, given, parts, _, bias = case(layer, positive=positive)
        z = operation(layer, x).run()
        axes = tuple(range(1, z.dim())) if operation(layer, x).kind.endswith("convolution") else (-1,)
        size = z.square().mean(dim=axes, keepdim=True).sqrt().expand_as(z).flatten()
        found = x * relevance(epsilon_rule(0.3), layer, x, given)
        torch.testing.assert_close(found.flatten(), shared(parts, bias + 0.3 * size * z.flatten().sign(), given))

    def test_gamma(self, layer, positive):
        x, given, parts, _, bias = case(layer, positive=positive)
        z = operation(layer, x).run().flatten()
        favoured = parts + 0.7 * torch.where(parts.sign() == z.sign(), parts, 0)
        rest = bias + 0.7 * torch.where(bias.sign() == z.sign(), bias, 0)
        found = x * relevance(gamma_rule(0.7, 0.0), layer, x, given)
        torch.testing.assert_close(found.flatten(), shared(favoured, rest, given))

    @pytest.mark.parametrize(("alpha", "beta"), [(1, 0), (2, 1)])
    def test_alpha_and_beta(self, layer, positive, alpha, beta):
        x, given, parts, _, bias = case(layer, positive=positive)
        expected = alpha * shared(parts.clamp(min=0), bias.clamp(min=0), given)
        if beta:
            expected = expected - beta * shared(parts.clamp(max=0), bias.clamp(max=0), given)
        found = x * relevance(alpha_beta_rule(alpha, beta, 0.0), layer, x, given)
        torch.testing.assert_close(found.flatten(), expected)

    def test_biases_may_be_shared(self, layer, positive):
        x, given, parts, _, bias = case(layer, positive=positive)
        nothing = torch.zeros_like(bias)
        found = x * relevance(epsilon_rule(0.0, "share"), layer, x, given)
        torch.testing.assert_close(found.flatten(), shared(parts, nothing, given))
        torch.testing.assert_close(found.sum(), given.flatten()[(parts != 0).any(dim=0)].sum())
        found = x * relevance(alpha_beta_rule(1, 0, 0.0, "share"), layer, x, given)
        torch.testing.assert_close(found.flatten(), shared(parts.clamp(min=0), nothing, given))

    def test_box_squares_and_flat_give_relevance_itself(self, layer, positive):
        x, given, parts, weights, bias = case(layer, positive=positive)
        low, high = torch.full_like(x, -3.0), torch.full_like(x, 4.0)
        nothing = torch.zeros_like(bias)
        inside = parts + 3 * weights.clamp(min=0) - 4 * weights.clamp(max=0)
        found = relevance(box_rule(low, high, 0.0), layer, x, given)
        torch.testing.assert_close(found.flatten(), shared(inside, nothing, given))
        found = relevance(squares_rule(0.0), layer, x, given)
        torch.testing.assert_close(found.flatten(), shared(weights.square(), nothing, given))
        found = relevance(flat_rule(0.0), layer, x, given)
        torch.testing.assert_close(found.flatten(), shared((weights != 0).double(), nothing, given))


@pytest.mark.parametrize(
    "rule",
    [epsilon_rule(0.1), gamma_rule(0.5, 0.1), alpha_beta_rule(2, 1, 0.1)],
    ids=["epsilon", "gamma", "alpha-beta"],
)
@pytest.mark.parametrize("layer", ["without a bias", "product"])
def test_units_of_a_layer_change_no_relevance(rule, layer):
    """Epsilon is a share of the layer's outputs, so a layer whose numbers are a hundred times as large has the same map."""
    x = drawn(1, *LAYERS[layer][0], seed=3)
    given = drawn(*operation(layer, x).run().shape, seed=4)
    torch.testing.assert_close(relevance(rule, layer, 100 * x, given) * 100, relevance(rule, layer, x, given))


def test_rows_of_a_batch_do_not_know_of_each_other():
    x = drawn(3, 3, 5, 5, seed=3) * torch.tensor([1.0, 10.0, 0.1]).view(3, 1, 1, 1)
    given = drawn(*operation("convolution", x).run().shape, seed=4)
    whole = relevance(gamma_rule(0.5, 0.2), "convolution", x, given)
    parts = [relevance(gamma_rule(0.5, 0.2), "convolution", x[n : n + 1], given[n : n + 1]) for n in range(3)]
    torch.testing.assert_close(whole, torch.cat(parts))


def test_where_a_unit_has_nothing_to_share_relevance_stays_finite():
    x = torch.zeros(1, 5, dtype=torch.float64, requires_grad=True)
    for rule in (epsilon_rule(0.0), gamma_rule(0.5, 0.0), alpha_beta_rule(2, 1, 0.0)):
        out = rule(operation("linear", x))
        (back,) = torch.autograd.grad(out, x, torch.ones_like(out))
        assert torch.isfinite(back).all()


def test_a_product_of_two_things_from_the_image_is_refused():
    x = drawn(1, 3, 3, seed=3).requires_grad_()
    with pytest.raises(MethodError, match="'attn-lrp' and 'cp-lrp'"):
        epsilon_rule(0.0)(Operation("matmul", torch.matmul, (x, x), {}))
