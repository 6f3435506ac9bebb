"""Taking a concept out of activations: against pencil."""

import pytest
import torch
from bright_patch import data, model

import seewhy
from seewhy.concepts.erasure import DRAWS, Eraser, erased
from seewhy.data.features import features


@pytest.fixture(scope="module")
def eraser() -> Eraser:
    session = seewhy.Session(model())
    given = features(session, data(12), "layer")
    return Eraser(given, given.head(session), given.labels, seed=0)


def test_what_is_left_of_a_direction_is_the_middle():
    activation = torch.tensor([[[[1.0, 4.0]], [[2.0, -2.0]]]])  # one picture, two channels, two places
    left = erased(activation, torch.tensor([1.0, 1.0]), torch.tensor([3.0, 0.0]))
    assert left.tolist() == [[[[1.0, 1.0]], [[2.0, -2.0]]]]
    slanted = erased(activation, torch.tensor([1.0, 1.0]), torch.tensor([1.0, 1.0]))
    assert torch.allclose(
        slanted, torch.tensor([[[[0.5, 4.0]], [[1.5, -2.0]]]])
    )  # a - ((a - o) . v) v with v = (1, 1) / sqrt 2


def test_the_logits_without_a_direction_are_those_of_pencil(eraser):
    direction = torch.tensor([1.0, 2.0, 0.0, -1.0])
    unit, head = direction / direction.norm(), eraser.head.network.module.head
    pooled = eraser.features.pooled
    pencil = pooled - ((pooled - eraser.middle.float()) @ unit)[:, None] * unit
    wanted = pencil @ head.weight.T + head.bias
    made = erased(eraser.features.activation, eraser.middle.float(), direction)
    assert torch.allclose(eraser.head.answers(eraser.features.with_activation(made)), wanted, atol=1e-5)


def test_without_the_channel_of_the_patch_no_picture_is_bright(eraser):
    found = eraser.erasure(torch.tensor([1.0, 0, 0, 0]), [0, 1, 2])
    assert found.classes[0].before == 1.0
    assert found.classes[0].fall.value == 1.0
    assert found.classes[1].fall.value == 0.0
    assert found.classes[0].beyond.value == pytest.approx(1.0 - found.classes[0].matched.value)
    assert found.everything.fall.value == pytest.approx((found.classes[0].fall.value + found.classes[2].fall.value) / 3)


def test_directions_of_the_same_variance_have_it(eraser):
    spread = eraser.spread
    for wanted in (1.5 * float(spread[0]), float(spread.mean()), 0.9 * float(spread[-1])):
        drawn = eraser.matched(wanted)
        assert torch.allclose(drawn.norm(dim=1), torch.ones(DRAWS).double())
        centred = eraser.features.rows.double() - eraser.middle
        assert torch.allclose(
            (centred @ drawn.T).var(dim=0, unbiased=False), torch.full((DRAWS,), wanted).double(), rtol=1e-4
        )
    assert float((drawn[0] - drawn[1]).norm()) > 1e-3


def test_erasing_twice_changes_nothing_more(eraser):
    direction = torch.tensor([0.3, -1.0, 2.0, 0.1])
    once = erased(eraser.features.activation, eraser.middle.float(), direction)
    assert torch.allclose(erased(once, eraser.middle.float(), direction), once, atol=1e-6)
