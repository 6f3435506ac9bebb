from itertools import combinations, permutations

import pytest
import torch
from planted import SIZE, Gate, noise
from torch import nn

import seewhy
from seewhy.contributions.importance import importance_of
from seewhy.contributions.measuring import Plan
from seewhy.contributions.regions import Regions
from seewhy.contributions.shapley import Shapley
from seewhy.contributions.study import Study
from seewhy.data.dataset import dataset
from seewhy.engine.session import Session
from seewhy.targets import ClassScore


class Crooked(nn.Module):
    """Anything but additive in the boxes of a grid of 3 x 2; boxes 0 and 1 play the same part."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, x):
        cells = [half.mean(dim=(1, 2, 3)) for row in x.tensor_split(3, dim=2) for half in row.tensor_split(2, dim=3)]
        a, b, c, d, e, f = cells
        score = (a * b + (a + b) * c.exp()) * 3 + torch.tanh(d * e - f) + f
        return torch.stack([-score, score, score * 0], dim=1)


def asked(image, units, target=None, rows=None):
    session = Session(seewhy.Model(Crooked()), rows=rows)
    data = dataset((image, torch.ones(len(image))), session.model)
    study = Study(session, data, units, target or ClassScore(1))
    return [one.asked[0] for one in study.asked("test", range(len(image)), 1)]


GRID = Regions(rows=3, columns=2, fill="zero")


def worth(image, there):
    shown = image.clone()
    box = GRID.pixels((SIZE, SIZE))
    shown[..., ~torch.isin(box, torch.tensor(sorted(there)))] = 0.0
    return float(Crooked()(shown)[0, 1])


def brute_force(image):
    values = torch.zeros(6, dtype=torch.float64)
    worths = {
        there: worth(image, there) for count in range(7) for there in map(frozenset, combinations(range(6), count))
    }
    for order in permutations(range(6)):
        there = frozenset()
        for unit in order:
            values[unit] += worths[there | {unit}] - worths[there]
            there = there | {unit}
    return values / 720


def test_exact_values_are_those_of_all_orders():
    image = noise(1, seed=4) + 0.5
    (one,) = asked(image, GRID)
    plan = Shapley(samples=20)
    assert plan.exact(6)  # 64 coalitions cost no more than 20 orders of 6 units
    found = plan.values(one, 0)
    torch.testing.assert_close(found.score, brute_force(image))
    assert found.orders is None
    assert not found.error.any()


def test_sampled_values_come_near_within_their_errors():
    image = noise(1, seed=4) + 0.5
    (one,) = asked(image, GRID)
    wanted = Shapley(samples=20).values(one, 0).score
    plan = Shapley(samples=10)
    found = plan.values(one, 1)
    assert not plan.exact(6)
    assert (found.score - wanted).abs().max() < 4 * found.error[0].max()
    many = [Shapley(samples=8).values(one, seed).score for seed in range(40)]
    torch.testing.assert_close(torch.stack(many).mean(dim=0), wanted, rtol=0.03, atol=0.03)


@pytest.mark.parametrize("plan", [Shapley(samples=4), Shapley(samples=20), Shapley(samples=6, truncation=0.4)])
def test_values_add_up(plan):
    image = noise(1, seed=5) + 0.5
    (one,) = asked(image, GRID)
    found = plan.values(one, 2)
    assert found.score.sum().item() == pytest.approx(found.fall, abs=1e-12)
    assert found.fall == pytest.approx(worth(image, set(range(6))) - worth(image, set()), abs=1e-12)
    full, empty = (Crooked()(shown).log_softmax(dim=1)[0, 1].item() for shown in (image, image * 0))
    assert found.loss.sum().item() == pytest.approx(full - empty, abs=1e-9)


def test_units_that_play_the_same_part_are_worth_the_same():
    image = noise(1, seed=6)
    image[..., :4, 6:] = image[..., :4, :6].clone()
    (one,) = asked(image, GRID)
    found = Shapley().values(one, 0).score
    assert found[0].item() == pytest.approx(found[1].item(), abs=1e-12)
    assert found[0].item() != pytest.approx(found[2].item(), abs=1e-3)


def test_a_truncated_order_asks_less_and_shares_the_rest():
    """Once the score is that of nothing, nobody is asked: here it is, as soon as either half of an "and" is gone."""
    session = Session(seewhy.Model(Gate("and")), rows=1)
    data = dataset((torch.ones(1, 3, SIZE, SIZE, dtype=torch.float64), torch.ones(1)), session.model)
    units = Regions(rows=1, columns=12, fill="zero")
    study = Study(session, data, units, ClassScore(1))

    def spent(plan):
        (one,) = [questions.asked[0] for questions in study.asked("test", [0])]
        before = session.cost.forwards
        found = plan.values(one, 0)
        return found, session.cost.forwards - before

    whole, most = spent(Shapley(samples=4))
    short, few = spent(Shapley(samples=4, truncation=0.5))
    assert most == 1 + 4 * 11
    assert few < 0.7 * most
    assert short.score.sum().item() == pytest.approx(whole.score.sum().item(), abs=1e-12)


def test_a_budget_ends_with_whole_pairs():
    (one,) = asked(noise(1), GRID)
    found = Shapley(samples=10, budget=1 + 2 * 2 * 5).values(one, 0)
    assert found.orders == 4
    with pytest.raises(seewhy.ConfigError, match="take 11 answers"):
        Shapley(samples=10, budget=8).values(one, 0)


def test_data_has_the_mean_over_pictures_whatever_the_batch():
    images = noise(6, seed=9) + 0.3
    tables = []
    for rows in (1, 4):
        session = Session(seewhy.Model(Crooked()), rows=rows)
        data = dataset((images, torch.ones(6)), session.model)
        tables.append(
            importance_of(session, data, GRID, ClassScore(1), Plan(by="shapley", samples=2, rows=rows, check=False))
        )
    for first, second in zip(tables[0].weights, tables[1].weights, strict=True):
        assert first.unit == second.unit
        assert first.score.value == pytest.approx(second.score.value, abs=1e-12)
        assert first.score.low == pytest.approx(second.score.low, abs=1e-12)
    total = sum(weight.score.value for weight in tables[0].weights)
    falls = [worth(image[None], set(range(6))) - worth(image[None], set()) for image in images]
    assert total == pytest.approx(sum(falls) / 6, abs=1e-12)


def test_one_photo_has_intervals_of_its_orders():
    session = Session(seewhy.Model(Crooked()))
    data = dataset((noise(1, seed=4) + 0.5, torch.ones(1)), session.model)
    made = importance_of(
        session, data, Regions(rows=4, columns=4, fill="zero"), ClassScore(1), Plan(by="shapley", samples=12)
    )
    best = made.weights[0]
    assert best.score.low < best.score.value < best.score.high
    assert any("12 random orders" in note for note in made.notes)
    assert made.check is None


@pytest.mark.parametrize(
    ("settings", "words"), [({"samples": 3}, "even"), ({"samples": 0}, "even"), ({"truncation": 1.0}, "share")]
)
def test_wrong_settings_of_shapley(settings, words):
    with pytest.raises(seewhy.ConfigError, match=words):
        Shapley(**settings)
