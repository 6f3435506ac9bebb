"""The multipliers of single operations: they keep the value, leave no remainder, and become the gradient where the pair is near."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seewhy.core.rules import NotCovered
from seewhy.engine.ruling.ruled import Ruled
from seewhy.errors import MethodError
from seewhy.rules.pairs import halves, secant
from seewhy.rules.rescale import RESCALE

ROWS = 2
WEIGHT = torch.linspace(-1, 1, 6, dtype=torch.float64)
MASK = torch.zeros(8, 8, dtype=torch.float64).masked_fill(torch.ones(8, 8, dtype=torch.bool).triu(1), float("-inf"))


def normed(module: nn.Module) -> nn.Module:
    """Give a norm weights of its own."""
    for value in module.parameters():
        value.data = torch.linspace(-1, 2, value.numel()).view(value.shape).double()
    return module.double().eval()


OPERATIONS = {
    "relu": F.relu,
    "relu_": lambda x: (1 * x).relu_(),
    "F.relu in place": lambda x: F.relu(1 * x, inplace=True),
    "clamp(min=0)": lambda x: x.clamp(min=0),
    "clamp": lambda x: x.clamp(-0.5, 0.7),
    "relu6": lambda x: F.relu6(3 * x),
    "hardtanh": F.hardtanh,
    "threshold": lambda x: F.threshold(x, 0.3, 0.3),
    "leaky relu": F.leaky_relu,
    "prelu": lambda x: F.prelu(x, WEIGHT),
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,
    "gelu tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "silu in place": lambda x: F.silu(1 * x, inplace=True),
    "mish": F.mish,
    "hardswish": lambda x: F.hardswish(3 * x),
    "hardsigmoid": lambda x: F.hardsigmoid(3 * x),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": F.softplus,
    "log sigmoid": F.logsigmoid,
    "exp": torch.exp,
    "log": lambda x: (x.square() + 0.1).log(),
    "sqrt": lambda x: (x.square() + 0.1).sqrt(),
    "rsqrt": lambda x: (x.square() + 0.1).rsqrt(),
    "abs": torch.abs,
    "square": torch.square,
    "x ** 3": lambda x: x**3,
    "2 ** x": lambda x: 2**x,
    "erf": torch.erf,
    "x * x": lambda x: x * x,
    "gate": lambda x: x * x.mean(dim=(2, 3), keepdim=True).sigmoid(),
    "gate in place": lambda x: (1 * x).mul_(x.sigmoid()),
    "x / (1 + |x|)": lambda x: x / (1 + x.abs()),
    "x / what changes its sign": lambda x: x.flip(1) / (x + 0.01),
    "1 / x": lambda x: 1 / x,
    "x / 2": lambda x: x / 2,
    "2 - x": lambda x: 2 - x,
    "reciprocal": torch.reciprocal,
    "matmul": lambda x: x @ x.transpose(2, 3),
    "bmm": lambda x: torch.bmm(x.flatten(1, 2), x.flatten(1, 2).transpose(1, 2)),
    "baddbmm": lambda x: torch.baddbmm(x[:, 0], x[:, 1], x[:, 2]),
    "einsum": lambda x: torch.einsum("bchw,bdhw->bcd", x, x.sigmoid()),
    "addcmul": lambda x: torch.addcmul(x, x.tanh(), x, value=0.5),
    "lerp": lambda x: torch.lerp(x, x.flip(1), x.sigmoid()),
    "softmax": lambda x: x.softmax(dim=-1),
    "softmax over channels": lambda x: F.softmax(4 * x, dim=1),
    "softmax of a pair that is far apart": lambda x: (900 * x).softmax(dim=-1),
    "masked softmax": lambda x: (x + MASK).softmax(dim=-1),
    "log softmax": lambda x: x.log_softmax(dim=1),
    "logsumexp": lambda x: x.logsumexp(dim=1),
    "logsumexp over two axes": lambda x: x.logsumexp(dim=(1, 3), keepdim=True),
    "attention": lambda x: F.scaled_dot_product_attention(x, x.flip(1), x.tanh()),
    "attention with a mask": lambda x: F.scaled_dot_product_attention(x, x, x, attn_mask=MASK),
    "attention, causal": lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
    "glu": lambda x: F.glu(x, dim=1),
    "max pool": lambda x: F.max_pool2d(x, 2),
    "max pool, windows that overlap": lambda x: F.max_pool2d(x, 3, 2, 1),
    "max pool with places": lambda x: nn.MaxPool2d(3, 1, return_indices=True)(x)[0],
    "max pool, dilated, up": lambda x: F.max_pool2d(x, 2, 3, dilation=2, ceil_mode=True),
    "max pool 1d": lambda x: F.max_pool1d(x.flatten(2), 5, 3),
    "max pool 3d": lambda x: F.max_pool3d(x, 2),
    "torch.max_pool2d": lambda x: torch.max_pool2d(x, 3, 2),
    "relu and max pool": lambda x: F.max_pool2d(F.relu(x), 3, 2),
    "max pool and relu": lambda x: F.relu(F.max_pool2d(x, 3, 2)),
    "adaptive max pool": lambda x: F.adaptive_max_pool2d(x, 3),
    "adaptive max pool with places": lambda x: nn.AdaptiveMaxPool2d(3, return_indices=True)(x)[0],
    "amax": lambda x: x.amax(dim=(2, 3)),
    "amin": lambda x: x.amin(dim=1, keepdim=True),
    "max": lambda x: x.max(dim=1)[0],
    "min": lambda x: x.min(dim=2, keepdim=True).values,
    "maximum": lambda x: torch.maximum(x, x.flip(1)),
    "maximum with a constant": lambda x: torch.maximum(x, torch.zeros(1, dtype=x.dtype)),
    "minimum": lambda x: torch.min(x, x.mean(dim=1, keepdim=True)),
    "layer norm": normed(nn.LayerNorm(8)),
    "layer norm over three axes": lambda x: F.layer_norm(x, (6, 8, 8)),
    "rms norm": normed(nn.RMSNorm(8)),
    "group norm": normed(nn.GroupNorm(3, 6)),
    "instance norm": normed(nn.InstanceNorm2d(6, affine=True)),
    "instance norm by running statistics": normed(nn.InstanceNorm2d(6, affine=True, track_running_stats=True)),
    "normalize": lambda x: F.normalize(x, dim=1),
    "local response norm": lambda x: F.local_response_norm(x, 3, alpha=0.5, k=0.7),
    "norm": lambda x: x.norm(dim=1),
    "torch.norm": lambda x: torch.norm(x, p=2, dim=(1, 2), keepdim=True),
    "vector norm": lambda x: torch.linalg.vector_norm(x, dim=(2, 3)),
    "var": lambda x: x.var(dim=1),
    "std": lambda x: x.std(dim=(2, 3), keepdim=True, unbiased=False),
    "var and mean": lambda x: torch.cat(torch.var_mean(x, dim=1, correction=0), dim=1),
    "std and mean": lambda x: torch.cat(torch.std_mean(x, dim=1), dim=1),
    "choice by a constant mask": lambda x: torch.where(MASK == 0, x, 2 * x),
    "average pool": lambda x: F.avg_pool2d(x, 2),
    "interpolation": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "multi-head attention": lambda x: attend(x.flatten(2).transpose(1, 2)),
}


def attend(tokens: Tensor) -> Tensor:
    """Self-attention with the batch first, weights from a seed."""
    torch.manual_seed(1)
    module = nn.MultiheadAttention(6, 2, batch_first=True).double().eval().requires_grad_(False)
    return module(tokens, tokens, tokens, need_weights=False)[0]


def images(seed: int = 0) -> Tensor:
    return torch.randn(2 * ROWS, 6, 8, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def back(function, rows: Tensor, rules=RESCALE):
    """Run a function under rules; return its value and, for a weighted sum of the images' outputs, the multipliers."""
    leaf = rows.clone().requires_grad_()
    with Ruled(rules):
        value = function(leaf)
    weights = torch.randn(value[:ROWS].shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    (gradient,) = torch.autograd.grad((weights * value[:ROWS]).sum(), leaf)
    return value.detach(), weights, gradient[:ROWS]


@pytest.mark.parametrize("name", OPERATIONS)
class TestEveryOperation:
    def test_leaves_no_remainder(self, name):
        rows = images()
        value, weights, multiplier = back(OPERATIONS[name], rows)
        with torch.no_grad():
            assert torch.equal(value, OPERATIONS[name](rows)) or torch.allclose(value, OPERATIONS[name](rows), 1e-12)
        explained = (weights * (value[:ROWS] - value[ROWS:])).flatten(1).sum(dim=1)
        found = (multiplier * (rows[:ROWS] - rows[ROWS:])).flatten(1).sum(dim=1)
        torch.testing.assert_close(found, explained, rtol=1e-10, atol=1e-10)

    def test_is_the_gradient_where_image_and_baseline_are_one(self, name):
        rows = images()[:ROWS].repeat(2, 1, 1, 1)
        _, weights, multiplier = back(OPERATIONS[name], rows)
        leaf = rows.clone().requires_grad_()
        (gradient,) = torch.autograd.grad((weights * OPERATIONS[name](leaf)[:ROWS]).sum(), leaf)
        torch.testing.assert_close(multiplier, gradient[:ROWS], rtol=1e-8, atol=1e-9)


def test_ties_of_a_max_pool():
    """Both places of a tie may carry the difference, but only once."""
    rows = (2 * images()).round()
    value, weights, multiplier = back(lambda x: F.max_pool2d(F.relu(x), 3, 2, 1), rows)
    explained = (weights * (value[:ROWS] - value[ROWS:])).flatten(1).sum(dim=1)
    found = (multiplier * (rows[:ROWS] - rows[ROWS:])).flatten(1).sum(dim=1)
    torch.testing.assert_close(found, explained, rtol=1e-12, atol=1e-12)


def test_the_multipliers_of_a_max_pool_lie_between_0_and_1():
    leaf = images().requires_grad_()
    with Ruled(RESCALE):
        pooled = F.max_pool2d(leaf, 2)
    (multiplier,) = torch.autograd.grad(pooled[:ROWS].sum(), leaf)
    assert multiplier.min() >= 0 and multiplier.max() <= 1
    assert (multiplier[:ROWS] > 0).sum() == pooled[:ROWS].numel()  # one place a window


def test_of_a_product_by_pencil():
    """From (1, 2) to (3, 7): 21 - 2 = 2 * (2 + 7) / 2 + 5 * (1 + 3) / 2."""
    leaf = torch.tensor([[3.0, 7.0], [1.0, 2.0]], dtype=torch.float64, requires_grad=True)
    with Ruled(RESCALE):
        value = leaf[:, 0] * leaf[:, 1]
    (multiplier,) = torch.autograd.grad(value[0], leaf)
    assert multiplier[0].tolist() == [4.5, 2.0]


def test_of_a_softmax_by_pencil():
    """Of (log 3, 0) and (0, 0): p = 3/4, 1/4 beside 1/2, 1/2, whose logarithmic means are m = (1/4) / log(3/2) and (1/4) / log 2."""
    leaf = torch.tensor([[3.0, 1.0], [1.0, 1.0]], dtype=torch.float64).log().requires_grad_()
    with Ruled(RESCALE):
        value = leaf.softmax(dim=1)
    (multiplier,) = torch.autograd.grad(value[0, 0], leaf)
    m, n = 0.25 / torch.log(torch.tensor([1.5, 2.0], dtype=torch.float64))
    torch.testing.assert_close(multiplier[0], torch.stack([m - m * m / (m + n), -m * n / (m + n)]))


def test_a_baseline_without_contrast_does_not_blow_up_a_layer_norm():
    """Its spread is sqrt(eps); multipliers by 1 / sqrt(eps), a thousand, would cancel only in the sum."""
    rows = images()
    rows[ROWS:] = 0
    _, _, multiplier = back(lambda x: F.layer_norm(x, (8,), eps=1e-6), rows)
    assert multiplier.abs().max() < 20


def test_a_quotient_of_nearby_numbers_keeps_its_digits():
    """Differences of 1e-12 have 4 digits left; the mean derivative has all of them."""
    start = torch.linspace(-2, 2, 9, dtype=torch.float64)
    rows = torch.stack([start + 1e-12, start])
    slope = secant(torch.sigmoid, rows)[0]
    torch.testing.assert_close(slope, start.sigmoid() * (1 - start.sigmoid()), rtol=1e-10, atol=0)


def test_a_kink_between_nearby_numbers_is_seen():
    rows = torch.tensor([[1e-7], [-3e-7]], dtype=torch.float64)
    assert secant(F.relu, rows).flatten().tolist() == pytest.approx([0.25, 0.25])


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: torch.where(x > 0, x, 2 * x), "mask that depends on the image"),
        (lambda x: x.masked_fill(x > 0, 0), "mask that depends on the image"),
        (lambda x: torch.einsum("bchw,bchw,bchw->b", x, x, 1 * x), "einsum of 3"),
        (lambda x: torch.pow(x.abs(), x), "pow where 2"),
        (lambda x: x.norm(p=1, dim=1), "norm of order 1"),
        (lambda x: F.normalize(x, p=1), "norm of order 1"),
        (lambda x: torch.div(x, x, rounding_mode="floor"), "rounded"),
        (lambda x: x.max(), "mixes images"),
        (lambda x: x.permute(1, 0, 2, 3)[:5].relu(), "along the first axis"),
    ],
)
def test_what_has_no_multiplier_is_refused(function, words):
    with pytest.raises(MethodError, match=words), Ruled(RESCALE):
        function(images().requires_grad_())


def test_a_refusal_says_what_was_met():
    with pytest.raises(NotCovered) as caught, Ruled(RESCALE):
        torch.pow(images().requires_grad_().abs(), 1 * images().requires_grad_())
    assert caught.value.coverage.kinds("unsupported") == ("pow",)
    assert "abs" in caught.value.coverage.kinds("exact rule")


def test_halves_are_the_images_and_those_beside_them():
    rows = torch.arange(4.0)
    first, second = halves(rows)
    assert (first.tolist(), second.tolist()) == ([0, 1], [2, 3])
