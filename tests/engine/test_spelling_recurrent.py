"""Recurrent layers, unrolled: the numbers of torch's fused operations, whatever they are made of."""

import itertools

import pytest
import torch
from torch import nn

from seewhy.core.rules import Rules
from seewhy.engine.ruling.ruled import Ruled

KINDS = {
    "lstm": (nn.LSTM, {}),
    "lstm with a projection": (nn.LSTM, {"proj_size": 3}),
    "gru": (nn.GRU, {}),
    "rnn": (nn.RNN, {}),
    "rnn of rectifiers": (nn.RNN, {"nonlinearity": "relu"}),
}
WAYS = list(itertools.product((False, True), repeat=4))


def flat(made):
    """Every tensor of what a recurrent layer or cell gives."""
    if isinstance(made, torch.Tensor):
        return [made]
    if isinstance(made, nn.utils.rnn.PackedSequence):
        return [made.data]
    return [tensor for part in made for tensor in flat(part)]


def unrolled(module, *given):
    mode = Ruled(Rules("no rules"))
    with mode:
        made = flat(module(*given))
    assert {"tanh", "relu"} & {kind for kind, _ in mode.met}, "it was not unrolled"
    return made


def same(module, *given):
    for found, wanted in zip(unrolled(module, *given), flat(module(*given)), strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)


def numbers(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1)).requires_grad_()


@pytest.mark.parametrize(("both", "deep", "batch_first", "bias"), WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_gives_what_the_fused_one_gives(kind, both, deep, batch_first, bias):
    build, more = KINDS[kind]
    torch.manual_seed(0)
    layers = 2 if deep else 1
    settings = {"bidirectional": both, "num_layers": layers, "batch_first": batch_first, "bias": bias}
    module = build(4, 5, dropout=0.4 if deep else 0.0, **settings, **more).eval()
    same(module, numbers(3, 6, 4))


@pytest.mark.parametrize("kind", KINDS)
def test_clips_of_different_length(kind):
    """A packed sequence: each clip ends, and backward begins, at its own last frame."""
    build, more = KINDS[kind]
    torch.manual_seed(0)
    module = build(4, 5, num_layers=2, bidirectional=True, batch_first=True, **more).eval()
    packed = nn.utils.rnn.pack_padded_sequence(numbers(3, 6, 4), [6, 2, 4], batch_first=True, enforce_sorted=False)
    same(module, packed)


def test_a_state_that_is_given():
    torch.manual_seed(0)
    same(nn.LSTM(4, 5).eval(), numbers(6, 3, 4), (numbers(1, 3, 5), numbers(1, 3, 5)))
    same(nn.GRU(4, 5).eval(), numbers(6, 3, 4), numbers(1, 3, 5))


def test_one_clip_without_an_axis_for_clips():
    torch.manual_seed(0)
    same(nn.LSTM(4, 5).eval(), numbers(6, 4))


@pytest.mark.parametrize("build", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_a_cell(build):
    torch.manual_seed(0)
    cell = build(4, 5)
    state = (numbers(3, 5), numbers(3, 5)) if build is nn.LSTMCell else numbers(3, 5)
    same(cell, numbers(3, 4))
    same(cell, numbers(3, 4), state)


def test_its_gradient_is_that_of_the_fused_one():
    """Unrolled, nothing but the way of computing changes, so neither does the derivative."""
    torch.manual_seed(0)
    module, x = nn.GRU(4, 5, bidirectional=True).double().eval(), numbers(6, 3, 4).double()
    found, wanted = (
        torch.autograd.grad(made[0].square().sum(), x)[0] for made in (unrolled(module, x), flat(module(x)))
    )
    torch.testing.assert_close(found, wanted)
