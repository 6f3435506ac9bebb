"""The additive model: planted curves are found, curves and bias add up to the score, each curve is what it says at its knots."""

import json

import numpy as np
import pytest
import torch

from seewhy.surrogates.additive import ROWS, Additive, Curve, hats, knots_of
from seewhy.surrogates.lesson import Lesson
from seewhy.surrogates.measure import report


def lesson(outputs, x):
    return Lesson(x, outputs, outputs.argmax(1), tuple(range(outputs.shape[1])))


def draw(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def planted():
    """Number 2 counts by how far it is from its middle, number 5 by how large it is."""
    x = draw(800, 8)
    score = 10 * (x[:, 2] - 0.5).abs() + 3 * x[:, 5] - 4
    return x, torch.stack([-score / 2, score / 2], dim=1)


@pytest.fixture(scope="module")
def models(planted):
    x, outputs = planted
    return list(Additive.path(lesson(outputs, x)))


def test_planted_curves_are_found_also_one_that_falls_and_rises(planted, models):
    x, outputs = planted
    assert models[0].numbers == (2,) and models[1].numbers == (2, 5)
    assert float((models[1].scores(x).softmax(1) - outputs.softmax(1)).abs().mean()) < 0.03
    curve = models[1].curves[0]
    fall = float(curve.values[2, 1] - curve.values[0, 1])  # from quantile 0.02 to the middle: half of 10 x 0.48
    assert abs(fall + 2.4) < 0.3


def test_curves_and_bias_add_up_to_the_scores(planted, models):
    x, _ = planted
    assert torch.equal(models[-1].terms(x).sum(2) + models[-1].bias, models[-1].scores(x))
    assert models[-1].terms(x).shape == (800, 2, len(models[-1].numbers))


def test_a_curve_is_straight_between_its_knots_and_level_beyond():
    knots, values = torch.tensor([0.0, 1.0, 3.0]), torch.tensor([[1.0, 0.0], [3.0, -1.0], [-1.0, 2.0]])
    at = torch.tensor([-5.0, 0.0, 0.25, 1.0, 2.0, 3.0, 9.0])
    wanted = np.stack([np.interp(at.numpy(), knots.numpy(), values[:, j].numpy()) for j in range(2)], axis=1)
    torch.testing.assert_close(Curve(0, knots, values).at(at), torch.from_numpy(wanted).float())
    assert torch.equal(hats(at, knots).sum(dim=1), torch.ones(7))


def test_each_curve_is_in_the_mean_zero_over_what_it_was_learned_from(planted, models):
    x, _ = planted
    torch.testing.assert_close(models[2].terms(x).mean(dim=0), torch.zeros(2, 3), atol=1e-5, rtol=0)


def test_sizes_are_numbers_read(models):
    assert [model.size for model in models] == [1, 2, 3, 4, 5, 6, 8]
    assert all(len(set(model.numbers)) == model.size for model in models)


def test_it_is_its_own_student(planted, models):
    x, _ = planted
    itself = models[1].scores(x)
    assert report(itself, lesson(itself, x), "ab").fidelity.value == 1
    again = list(Additive.path(lesson(itself, x)))[1]
    assert report(again.scores(x), lesson(itself, x), "ab").fidelity.value > 0.98


def test_a_number_that_never_moves_is_never_read_and_one_of_two_values_is(planted):
    x, outputs = planted
    still = torch.cat([torch.full((800, 1), 0.3), (x[:, 5:6] > 0.99).float(), x], dim=1)
    *_, last = Additive.path(lesson(outputs, still))
    assert 0 not in last.numbers
    assert knots_of(still[:, 1]).tolist() == [0, 1]
    assert torch.isfinite(last.scores(still)).all()


def test_what_is_written_down_is_read_back_bit_for_bit(planted, models):
    x, _ = planted
    again = Additive.from_plain(json.loads(json.dumps(models[-1].plain())))
    assert torch.equal(again.scores(x), models[-1].scores(x))


@pytest.mark.parametrize(
    ("curve", "told"),
    [
        ({"number": 0, "knots": [0.0, 0.0], "values": [[0.0], [1.0]]}, "rise"),
        ({"number": 0, "knots": [0.0, 1.0], "values": [[0.0]]}, "fit"),
        ({"number": -1, "knots": [0.0, 1.0], "values": [[0.0], [1.0]]}, "number -1"),
        ({"number": 0, "knots": [0.0, 1.0], "values": [[0.0], [float("inf")]]}, "finite"),
    ],
)
def test_a_broken_curve_is_refused(curve, told):
    with pytest.raises(ValueError, match=told):
        Additive.from_plain({"curves": [curve], "bias": [0.0]})


def test_the_same_seed_gives_the_same_model_where_pictures_are_drawn():
    x = draw(ROWS + 100, 3, seed=1)
    outputs = torch.stack([4 * x[:, 0], 4 * x[:, 1]], dim=1)
    first, again, other = (next(iter(Additive.path(lesson(outputs, x), seed))).scores(x) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_text_says_what_is_added_at_the_knots():
    model = Additive(
        (Curve(1, torch.tensor([0.0, 2.0]), torch.tensor([[-1.0, 0.5], [1.0, -0.5]])),), torch.tensor([0.5, -0.5])
    )
    assert model.text(("ears", "fur"), ("dog", "cat")) == (
        "to begin with: dog +0.50, cat -0.50\nfur = 0 | 2\n  dog: -1.00 | +1.00\n  cat: +0.50 | -0.50"
    )
