"""Planted attributes are found, noise is not, and shares are what they are by formula."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

import seewhy
from seewhy.contributions.attribute import attribute
from seewhy.contributions.attribute_model import LARGE, fitted
from seewhy.contributions.attributes import attributes
from seewhy.contributions.behaviour import Behaviour
from seewhy.data.table import Column, Joined
from seewhy.errors import ConfigError, DataError


def behaviour(loss, score=None, classes=None):
    count = len(loss)
    return Behaviour(
        names=tuple(map(str, range(count))),
        score=np.asarray(loss if score is None else score, float),
        loss=np.asarray(loss, float),
        classes=np.zeros(count, int) if classes is None else np.asarray(classes),
        target="the label of each picture",
        unit="logit",
        labels="labels",
    )


def joined(**columns):
    made = tuple(Column(name, tuple(map(str, values))) for name, values in columns.items())
    return Joined("file", tuple(range(len(made[0].cells))), made, (), ())


def planted(count, seed=0):
    """A loss that the site moves by 0, 0.5, 1, 2, with exponential noise; age and camera do nothing."""
    generator = np.random.default_rng(seed)
    site = generator.integers(0, 4, count)
    moved = np.array([0.0, 0.5, 1.0, 2.0])[site]
    loss = moved + generator.exponential(size=count)
    table = joined(
        age=generator.normal(50, 10, count).round(2),
        site=[f"s{place}" for place in site],
        camera=generator.choice(["a", "b", "c"], count),
    )
    return loss, table, moved.var() / loss.var()


@pytest.mark.parametrize("count", [200, 800])
def test_a_planted_attribute_comes_first_with_its_share(count):
    loss, table, truth = planted(count)
    found = attributes(behaviour(loss), table)
    first, *others = found.weights
    assert first.unit == "site"
    assert first.p < 0.05
    assert all(one.p > 0.05 for one in others)
    assert found.explained["loss"].low < truth < found.explained["loss"].high
    assert found.explained["loss"].value == pytest.approx(truth, abs=0.1)
    assert first.loss.value == pytest.approx(truth, abs=0.1)
    assert all(abs(one.loss.value) < 0.03 for one in others)
    assert found.check.gap.low > 0
    assert found.check.curves[0].accuracy[-1].value == pytest.approx(0, abs=0.06)


def test_levels_are_the_gaps_of_plain_means_with_the_worst_first():
    loss, table, _ = planted(200)
    found = attributes(behaviour(loss), table)
    site = np.array(table.columns[1].cells)
    levels = found.weights[0].levels
    assert [level.name for level in levels] == ["s3", "s2", "s1", "s0"]
    for level in levels:
        inside = site == level.name
        assert level.pictures == inside.sum()
        assert level.gap.value == pytest.approx(loss[inside].mean() - loss[~inside].mean())
        assert level.gap.low < level.gap.value < level.gap.high
    assert levels[0].p < 1e-6


def test_a_linear_model_has_the_shares_of_its_closed_form():
    """Over all shuffles, half the rise for a weight w is w Cov(residual, x) + w^2 Var(x) in each fold; for y = 2 a + b + noise near 4 and 1 Var(x)."""
    generator = np.random.default_rng(1)
    a, b, noise = generator.normal(size=(3, 350))
    response = 2 * a + b + noise
    known = [attribute(Column(name, tuple(map(str, values)))) for name, values in (("a", a), ("b", b))]
    model = fitted(response, known, None, 0)
    assert model.words.startswith("ridge")
    expected = np.zeros(2)
    for fold in model.folds:
        residual = response[fold.places] - fold.model.predict(fold.features)
        weights, features = fold.model.coef_, fold.features - fold.features.mean(0)
        expected += weights * (residual @ features) + weights**2 * (features**2).sum(0)
    found = model.rises(300, generator).mean(axis=0)
    np.testing.assert_allclose(found, expected / 350, rtol=0.01)
    np.testing.assert_allclose(found, [4 * a.var(), b.var()], rtol=0.15)
    assert 1 - model.whole().sum() / model.variance.sum() == pytest.approx(1 - noise.var() / response.var(), abs=0.03)


def test_trees_find_what_only_acts_together():
    """y = [a > 0] xor [b > 0]: neither alone says anything, together they are all of it; each is Sobol's total effect, half of 2 Var."""
    generator = np.random.default_rng(2)
    a, b = generator.normal(size=(2, LARGE + 800))
    response = ((a > 0) ^ (b > 0)).astype(float)
    known = [attribute(Column(name, tuple(map(str, values)))) for name, values in (("a", a), ("b", b))]
    model = fitted(response, known, None, 0)
    shares = model.rises(5, generator).mean(axis=0) / model.variance.mean()
    np.testing.assert_allclose(shares, 1.0, atol=0.12)


@pytest.mark.slow
def test_p_values_of_noise_are_uniform_and_corrected_ones_rarely_small():
    generator = np.random.default_rng(3)
    smallest, raw = [], []
    for _ in range(30):
        table = joined(
            a=generator.choice(["x", "y"], 60), b=generator.normal(size=60).round(3), c=generator.choice(["u", "v"], 60)
        )
        found = attributes(behaviour(generator.exponential(size=60)), table)
        values = sorted(weight.p for weight in found.weights)
        smallest.append(values[0])
        raw.append(values[0] / 3 if values[0] < 1 else None)
    assert np.mean(np.array(smallest) < 0.05) <= 4 / 30
    known = [1 - (1 - value) ** 3 for value in raw if value is not None]  # the smallest of three uniform ones
    assert stats.kstest(known, lambda x: np.clip(x / (1 - (2 / 3) ** 3), 0, 1)).pvalue > 0.01


def test_an_attribute_that_stands_for_the_class_alone_does_nothing_beyond_it():
    generator = np.random.default_rng(4)
    classes = generator.integers(0, 4, 320)
    loss = np.array([0.0, 1.0, 2.0, 3.0])[classes] + generator.exponential(size=320)
    site = np.where(generator.random(320) < 0.8, classes, generator.integers(0, 4, 320))
    table = joined(site=[f"s{place}" for place in site], light=generator.choice(["day", "night"], 320))
    held = attributes(behaviour(loss, classes=classes), table)
    assert all(weight.p > 0.05 for weight in held.weights)
    assert abs(held.weights[0].loss.value) < 0.05
    assert held.explained["loss, by the class alone"].low > 0.3
    assert held.replacement.endswith("of its class")
    blind = attributes(behaviour(loss), table)
    assert blind.weights[0].unit == "site"
    assert blind.weights[0].p < 0.05
    assert any("may stand for harder classes" in note for note in blind.notes)


def test_attributes_that_move_together_are_not_told_apart():
    loss, table, _ = planted(200)
    twin = Column("scanner", tuple(f"scanner of {cell}" for cell in table.columns[1].cells))
    found = attributes(behaviour(loss), replace(table, columns=(*table.columns, twin)))
    pair = {weight.unit: weight for weight in found.weights if weight.unit in ("site", "scanner")}
    assert all(weight.p is None and "determined by the other" in weight.note for weight in pair.values())


def test_the_same_seed_gives_the_same_and_another_one_nearly():
    loss, table, _ = planted(120)
    first, again, other = (attributes(behaviour(loss), table, seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert other.weights[0].loss.value == pytest.approx(first.weights[0].loss.value, abs=0.1)


def test_a_negative_share_is_not_cut_off():
    generator = np.random.default_rng(5)
    found = attributes(behaviour(generator.exponential(size=60)), joined(a=generator.choice(["x", "y"], 60)))
    assert found.explained["loss"].low < 0
    assert found.check is None


@pytest.mark.parametrize(
    ("count", "column", "loss", "message"),
    [
        (3, "ab", None, "3 pictures have a row in the table; attributes take at least 20"),
        (
            30,
            "a",
            None,
            "no column of the table says anything about these 30 pictures: 'c': it is 'a' for every picture",
        ),
        (30, "ab", 1.0, "the loss is the same for all pictures"),
        (30, "ab", np.nan, "not finite"),
    ],
)
def test_what_cannot_be_done_is_told(count, column, loss, message):
    values = np.random.default_rng(6).exponential(size=count) if loss is None else np.full(count, loss)
    with pytest.raises(DataError, match=message):
        attributes(behaviour(values), joined(c=[column[place % len(column)] for place in range(count)]))


def test_a_score_that_never_moves_has_no_shares():
    loss, table, _ = planted(60)
    found = attributes(behaviour(loss, score=np.ones(60)), table)
    assert found.explained["score"].value == 0
    assert all(weight.score.value == 0 for weight in found.weights)


class Bright(nn.Module):
    """Two classes; the logit of the second is the mean of the input."""

    def forward(self, inputs):
        mean = inputs.mean(dim=(1, 2, 3))
        return torch.stack([torch.zeros_like(mean), mean], dim=1)


def test_from_a_network_and_a_file_to_the_table(tmp_path):
    """Pictures of one class; the darker half comes from one site, where the loss is higher by the formula log(1 + exp(-mean))."""
    generator = torch.Generator().manual_seed(0)
    dark = torch.arange(40) % 2 == 1
    inputs = torch.rand(40, 3, 4, 4, generator=generator) + torch.where(dark, 0.0, 2.0)[:, None, None, None]
    path = tmp_path / "meta.csv"
    rows = [f"image {place},{'north' if dark[place] else 'south'},{place % 3}" for place in range(36)]
    path.write_text("\n".join(["name,site,turn", *rows]))
    model = seewhy.Model(Bright(), labels=("dark", "bright"))
    found = seewhy.importance(model, (inputs, torch.ones(40, dtype=torch.long)), "attributes", table=path)
    assert found.pictures == 36
    assert "4 of 40 pictures have no row" in found.notes[-1]
    assert found.weights[0].unit == "site"
    assert found.weights[0].p < 0.05
    loss = torch.nn.functional.softplus(-inputs.mean(dim=(1, 2, 3)))[:36]
    gap = float(loss[dark[:36]].mean() - loss[~dark[:36]].mean())
    assert found.weights[0].levels[0].name == "north"
    assert found.weights[0].levels[0].gap.value == pytest.approx(gap, rel=1e-4)
    assert seewhy.importance(model, (inputs, torch.ones(40, dtype=torch.long)), "attributes", table=path) == found
    with pytest.raises(ConfigError, match="table="):
        seewhy.importance(model, inputs, "attributes")
    with pytest.raises(ConfigError, match="not of bands"):
        seewhy.importance(model, inputs, "bands", table=path)
    with pytest.raises(ConfigError, match="for other kinds"):
        seewhy.importance(model, inputs, "attributes", table=path, by="shapley")
