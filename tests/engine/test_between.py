"""A layer that gives a point between two of its outputs: exact, whatever its layout and whatever runs beside it."""

import pytest
import torch
from torch import Tensor, nn

import seewhy
from networks import seeded
from seewhy.core.needs import Needs, at
from seewhy.engine.block import Question
from seewhy.engine.probe import NetworkProbe
from seewhy.targets import as_target


class Tokens(nn.Module):
    """Patches and a class token, mixed by attention; the answer is read from the class token."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 6, 2, stride=2)
        self.cls = nn.Parameter(torch.randn(1, 1, 6))
        self.block = nn.TransformerEncoderLayer(6, 2, 12, 0.0, batch_first=True)
        self.last = nn.TransformerEncoderLayer(6, 2, 12, 0.0, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        tokens = self.block(torch.cat([self.cls.expand(len(x), -1, -1), tokens], dim=1))
        return self.tail(tokens)

    def tail(self, tokens: Tensor) -> Tensor:
        return self.head(self.last(tokens)[:, 0])


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, int]:
        return self.conv(x), 7


class Tuples(nn.Module):
    """A layer that gives a tuple, and whose output goes on with its channels last."""

    def __init__(self) -> None:
        super().__init__()
        self.block = Pair()
        self.last = nn.Linear(4, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        out, seven = self.block(x)
        assert seven == 7
        return self.tail(out)

    def tail(self, out: Tensor) -> Tensor:
        return self.head(self.last(out.movedim(1, -1)).relu().mean(dim=(1, 2)))


def asked(network: nn.Module, images: Tensor, needs: Needs, rows: int | None = None) -> NetworkProbe:
    session = seewhy.Session(seewhy.Model(network, mean=0.0, std=1.0), rows=rows)
    return NetworkProbe(Question(session.block(images, needs), as_target(1)), needs)


@pytest.mark.parametrize("rows", [1, 7])
@pytest.mark.parametrize("kind", [Tokens, Tuples])
def test_the_score_and_gradient_are_those_of_the_rest_of_the_network(kind, images, rows):
    network = seeded(kind())
    needs = Needs(activations=frozenset({"block"}))
    probe = asked(network, images, needs, rows)
    end = probe.trace()
    [start] = probe.traces([torch.zeros_like(images)], needs)
    raw = [trace.raw["block"] for trace in (start, end)]
    places = [0.0, 0.3, 1.0]
    for place, trace in zip(places, probe.between("block", start, end, iter(places)), strict=True):
        point = (raw[0] + place * (raw[1] - raw[0])).requires_grad_()
        score = network.tail(point)[:, 1]
        [gradient] = torch.autograd.grad(score.sum(), point)
        torch.testing.assert_close(trace.score, score.detach())
        if kind is Tokens:
            gradient = gradient[:, 1:].transpose(1, 2).reshape(3, 6, 4, 4)
        torch.testing.assert_close(trace.gradient["block"], gradient)
    torch.testing.assert_close(trace.score, end.score)
    assert (probe.cost.forwards, probe.cost.backwards) == (1 + 1 + 3, 3)


def test_a_branch_around_the_layer_sees_the_images(cnn, images):
    """The sum x + body(x): x stays that of the images, the body goes from the start to the end."""
    needs = Needs(activations=frozenset({"body"}))
    probe = asked(cnn, images, needs)
    [start] = probe.traces([torch.zeros_like(images)], needs)
    [middle] = probe.between("body", start, probe.trace(), [0.5])
    stem = cnn.stem(images)
    body = (cnn.body(stem) + cnn.body(cnn.stem(torch.zeros_like(images)))) / 2
    expected = cnn.head(torch.relu(cnn.down(stem + body)).mean(dim=(2, 3)))[:, 1]
    torch.testing.assert_close(middle.score, expected.detach())


def test_one_call_of_a_layer_that_runs_twice(images):
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(self.conv(x).square()).mean(dim=(2, 3))

    network = seeded(Twice())
    for call, rest in (("conv#0", lambda y: network.conv(y.square())), ("conv#1", lambda y: y)):
        needs = at(call)
        probe = asked(network, images, needs)
        end = probe.trace()
        [start] = probe.traces([torch.zeros_like(images)], needs)
        [middle] = probe.between(call, start, end, [0.25])
        point = 0.75 * start.activation[call] + 0.25 * end.activation[call]
        torch.testing.assert_close(middle.score, rest(point).mean(dim=(2, 3))[:, 1].detach())


def test_nothing_is_left_behind(cnn, images):
    needs = Needs(activations=frozenset({"stem"}))
    probe = asked(cnn, images, needs)
    before = next(iter(probe.scores([images])))
    [start] = probe.traces([torch.zeros_like(images)], needs)
    list(probe.between("stem", start, probe.trace(), [0.5]))
    assert torch.equal(next(iter(probe.scores([images]))), before)
