"""Guided backprop and the deconvnet at a single rectifier, in every spelling, and what is said where there is none."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seewhy.core.rules import Coverage
from seewhy.engine.ruling.ruled import Ruled
from seewhy.rules.rectifiers import DECONVNET, GUIDED, blindness, remarks

SPELLINGS = {
    "nn.ReLU": nn.ReLU(),
    "nn.ReLU in place": lambda x: nn.ReLU(inplace=True)(1 * x),
    "F.relu": F.relu,
    "F.relu in place": lambda x: F.relu(1 * x, inplace=True),
    "F.relu_": lambda x: F.relu_(1 * x),
    "torch.relu": torch.relu,
    "torch.relu_": lambda x: torch.relu_(1 * x),
    "Tensor.relu": lambda x: x.relu(),
    "clamp(min=0)": lambda x: x.clamp(min=0),
    "clamp(0)": lambda x: x.clamp(0),
    "clamp_": lambda x: (1 * x).clamp_(min=0),
    "clip": lambda x: torch.clip(x, 0.0),
    "clamp_min": lambda x: x.clamp_min(0),
    "clamp(0, inf)": lambda x: torch.clamp(x, 0, float("inf")),
    "threshold": lambda x: F.threshold(x, 0, 0),
    "nn.Threshold": nn.Threshold(0, 0),
    "part of a tensor": lambda x: _written(1 * x),
}
SIX = {
    "nn.ReLU6": nn.ReLU6(),
    "nn.ReLU6 in place": lambda x: nn.ReLU6(inplace=True)(1 * x),
    "F.relu6": F.relu6,
    "hardtanh": lambda x: F.hardtanh(x, 0, 6),
    "hardtanh by name": lambda x: F.hardtanh(x, min_val=0.0, max_val=6.0),
    "clamp": lambda x: x.clamp(0, 6),
    "clamp by name": lambda x: torch.clamp(x, min=0, max=6),
}
NOT = {
    "clamp(min=-1)": lambda x: x.clamp(min=-1),
    "clamp(max=0)": lambda x: x.clamp(max=0),
    "clamp_max": lambda x: x.clamp_max(0),
    "hardtanh": F.hardtanh,
    "threshold": lambda x: F.threshold(x, 0, -3),
    "leaky relu": F.leaky_relu,
    "gelu": F.gelu,
}


def _written(x):
    """Rectify a slice in place, then the rest."""
    x[:2].relu_()
    x[2:].relu_()
    return x


def back(function, numbers, given, rules):
    """Return value, what comes back where `given` comes in, and the kinds that were met with a rule of their own."""
    leaf = torch.tensor(numbers, dtype=torch.float64, requires_grad=True)
    mode = Ruled(rules)
    with mode:
        value = function(leaf)
    (gradient,) = torch.autograd.grad(value, leaf, torch.tensor(given, dtype=torch.float64))
    return value.tolist(), gradient.tolist(), {kind for kind, _, _ in mode.coverage().met}


NUMBERS, GIVEN = (-2.0, -1.0, 3.0, 4.0), (5.0, -6.0, 7.0, -8.0)


@pytest.mark.parametrize("name", SPELLINGS)
class TestReLU:
    def test_guided(self, name):
        value, gradient, met = back(SPELLINGS[name], NUMBERS, GIVEN, GUIDED)
        assert (value, gradient) == ([0, 0, 3, 4], [0, 0, 7, 0])
        assert "relu" in met

    def test_deconvnet(self, name):
        value, gradient, met = back(SPELLINGS[name], NUMBERS, GIVEN, DECONVNET)
        assert (value, gradient) == ([0, 0, 3, 4], [5, 0, 7, 0])
        assert "relu" in met


@pytest.mark.parametrize("name", SIX)
class TestReLU6:
    def test_guided(self, name):
        value, gradient, met = back(SIX[name], (-2.0, 3.0, 4.0, 8.0), (5.0, -6.0, 7.0, 9.0), GUIDED)
        assert (value, gradient) == ([0, 3, 4, 6], [0, 0, 7, 0])
        assert "relu6" in met

    def test_deconvnet(self, name):
        value, gradient, met = back(SIX[name], (-2.0, 3.0, 4.0, 8.0), (5.0, -6.0, 7.0, 9.0), DECONVNET)
        assert (value, gradient) == ([0, 3, 4, 6], [5, 0, 7, 9])
        assert "relu6" in met


@pytest.mark.parametrize("name", NOT)
def test_what_is_no_rectifier_keeps_its_gradient_and_is_named(name):
    leaf = torch.tensor(NUMBERS, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(NOT[name](leaf), leaf, torch.tensor(GIVEN, dtype=torch.float64))
    _, gradient, met = back(NOT[name], NUMBERS, GIVEN, GUIDED)
    assert gradient == expected.tolist()
    assert not met & {"relu", "relu6"}


def test_the_note_says_at_which_share_there_was_no_rule():
    met = (("relu", 3, "exact rule"), ("gelu", 1, "fallback gradient"), ("softmax", 2, "fallback gradient"))
    (note,) = remarks(Coverage("guided backprop", met))
    assert "at 3 of 6 nonlinear operations (gelu x 1, softmax x 2) the plain gradient was taken" in note
    assert remarks(Coverage("guided backprop", met[:1])) == ()


def test_a_deconvnet_is_blind_where_nothing_but_rectifiers_chooses():
    met = (("convolution", 3, "exact rule"), ("relu", 3, "exact rule"), ("flatten", 1, "exact rule"))
    assert "any other gives this map" in blindness(Coverage("deconvnet", met))[0]
    assert blindness(Coverage("deconvnet", (*met, ("max pool", 1, "exact rule")))) == ()
    assert blindness(Coverage("deconvnet", (*met, ("gelu", 1, "fallback gradient")))) == ()
