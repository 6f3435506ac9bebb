"""A readable model around one photo says what the network does there, and its R² is measured where it was not fitted."""

import hashlib
import json
import math
from itertools import product

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from torch import nn

import seewhy
from seewhy.errors import ConfigError, DataError
from seewhy.ops.segments import grid_segments
from seewhy.surrogates.local_surrogate import Around

SIDE, PARTS = 24, 12
SEGMENTS = grid_segments((SIDE, SIDE), PARTS)  # 3 x 4 boxes
IMAGE = torch.ones(1, 1, SIDE, SIDE)


class OnSuperpixels(nn.Module):
    """Answers with a function of which superpixels are shown; where one is hidden the picture is zero."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        shown = torch.stack([x[:, 0].double()[:, n == SEGMENTS].mean(dim=1) for n in range(PARTS)], dim=1)
        first = self.function(shown.round())
        return torch.stack([first, torch.zeros_like(first)], dim=1)


def around(function, into, **settings):
    settings = {"segments": SEGMENTS, "fill": "zero", "target": 0, "samples": 60} | settings
    return seewhy.local(IMAGE, OnSuperpixels(function), into, **settings)


def noise(shown):
    """Another number for each choice of superpixels, as good as drawn."""
    return torch.tensor(
        [
            int.from_bytes(hashlib.blake2b(bytes(map(int, row.tolist())), digest_size=4).digest()) / 2**32
            for row in shown
        ],
        dtype=torch.float64,
    )


def both(shown):
    return 5.0 * shown[:, 3] * shown[:, 8]


@pytest.fixture(scope="module")
def weights():
    return torch.linspace(-3, 4, PARTS).double()


def test_a_sum_is_found_exactly(weights):
    found = around(lambda shown: shown @ weights + 1.5, "linear", points=0.0)
    one = found.surrogates["linear"]
    torch.testing.assert_close(one.model.weights, weights, atol=1e-6, rtol=0)
    assert one.model.bias == pytest.approx(1.5, abs=1e-6)
    torch.testing.assert_close(one.effects, weights.expand(4, -1), atol=1e-6, rtol=0)
    assert found.fidelity == pytest.approx(1.0, abs=1e-9) and found.spread < 1e-9
    assert one.says == pytest.approx(one.score, abs=1e-6) and one.stability == 1.0
    assert one.verdict == "good" and not one.cautions


def test_a_sum_of_few_is_read_from_few():
    found = around(lambda shown: 2 * shown[:, 1] - 3 * shown[:, 10], "linear")
    assert found.best.model.used == (1, 10)
    assert found.best.used == ((1, 10),) * 4


def test_two_that_act_only_together_take_a_tree():
    found = around(both, "all", keep=0.5, samples=120).surrogates
    assert found["tree"].fidelity == pytest.approx(1.0, abs=1e-9)
    assert found["tree"].model.used == (3, 8) and found["tree"].model.size == 3
    # Brute force: of the best sum over all 4096 choices, each as it counts. (Two fair coins alone, all equal: 2/3.)
    every = np.array(list(product([0.0, 1.0], repeat=PARTS)))
    counts = np.exp(-((1 - np.sqrt(every.mean(axis=1))) ** 2) / 0.25**2)
    truth = every[:, 3] * every[:, 8]
    best = LinearRegression().fit(every, truth, counts).score(every, truth, counts)
    assert best < 0.8
    assert found["linear"].fidelity == pytest.approx(best, abs=0.05)


def test_what_a_tree_reads_has_the_effect_that_pencil_gives():
    found = around(both, "tree", keep=0.5, samples=120).best
    drawn = torch.tensor([True] * PARTS)
    assert float(found.model.scores(drawn[None])) == pytest.approx(5.0)
    # Showing one of the two adds 5 where the other is shown: about half of the neighbours.
    assert found.effects[0, 3] == pytest.approx(2.5, abs=0.7)
    assert torch.equal(found.effects[:, [0, 1, 2, 4, 5, 6, 7, 9, 10, 11]], torch.zeros(4, 10).double())


@pytest.mark.parametrize("into", ["linear", "tree"])
def test_noise_is_said_to_be_noise(into):
    one = around(noise, into, keep=0.5).best
    assert abs(one.fidelity) < 0.15
    assert one.verdict == "nothing" and "what it reads is noise" in one.cautions[0]
    assert "what it reads is noise" in one.text()


def test_r2_is_that_of_scikit_learn_on_neighbours_that_were_not_fitted(weights):
    """Replays the draw: the models of run 0 are fitted to each fifth neighbour, and judged on those of runs 1 to 3."""
    function = lambda shown: (shown @ weights).tanh() + shown[:, 0] * shown[:, 1]  # noqa: E731
    one = around(function, "linear", points=0.0).best
    drawn = torch.rand(300, PARTS, generator=torch.Generator().manual_seed(0)) < 0.8
    counts: dict[tuple, int] = {}
    for row in drawn.tolist():
        counts[tuple(row)] = counts.get(tuple(row), 0) + 1
    counts.pop((True,) * PARTS, None)
    shown = torch.tensor(list(counts))
    kernel = np.exp(-((1 - shown.double().mean(1).sqrt().numpy()) ** 2) / 0.25**2) * np.array(list(counts.values()))
    held = np.isin(np.arange(len(shown)) % 5, [1, 2, 3])
    truth, said = function(shown.double()).numpy(), one.model.scores(shown).numpy()
    assert one.fidelity == pytest.approx(r2_score(truth[held], said[held], sample_weight=kernel[held]), abs=1e-9)
    assert one.held_out[0] == held.sum() and one.cost.forwards == 1 + len(shown)
    fitted = np.arange(len(shown)) % 5 == 0
    assert r2_score(truth[fitted], said[fitted], sample_weight=kernel[fitted]) > one.fidelity


def test_the_same_seed_gives_the_same_and_another_one_another(weights):
    first, again = (around(lambda s: (s @ weights).sin(), "all", seed=3) for _ in range(2))
    assert first.numbers() == again.numbers()
    other = around(lambda s: (s @ weights).sin(), "all", seed=4)
    assert other.numbers()["models"] != first.numbers()["models"]


def test_a_function_of_arrays_will_do():
    first, second = (SEGMENTS == 0).numpy(), (SEGMENTS == 1).numpy()

    def network(x):
        return np.stack([x[:, 0, first].mean(1) * 3, x[:, 0, second].mean(1)], axis=1).astype(np.float32)

    found = seewhy.local(IMAGE, network, "linear", segments=SEGMENTS, fill="zero", target=0, samples=40)
    assert found.best.model.used == (0,)
    assert float(found.best.model.weights[0]) == pytest.approx(3.0, abs=1e-5)


def test_any_target_will_do(weights):
    found = around(lambda shown: shown @ weights, "linear", target=lambda answer: -2 * answer[:, 0], points=0.0)
    torch.testing.assert_close(found.best.model.weights, -2 * weights, atol=1e-6, rtol=0)


def test_a_budget_ends_the_neighbours(weights):
    found = around(lambda shown: shown @ weights, "linear", budget=100, points=0.0)
    assert found.best.cost.forwards == 101
    assert "stopped by the budget after 100 of" in " ".join(found.best.notes)
    torch.testing.assert_close(found.best.model.weights, weights, atol=1e-6, rtol=0)


def test_an_answer_that_does_not_move_is_said():
    found = around(lambda shown: shown[:, 0] * 0 + 7, "all")
    assert all(one.model.used == () for one in found.surrogates.values())
    assert "the score hardly moves" in " ".join(found.best.notes)
    json.dumps(found.numbers(), allow_nan=False)


def test_blind_choices_share_as_many_as_counting_says():
    one = around(lambda shown: 2 * shown[:, 1] - 3 * shown[:, 10], "linear").best
    both_of_two = 2 * 2 / PARTS  # expected number in common
    assert one.stability_by_chance == pytest.approx(both_of_two / (4 - both_of_two))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"samples": 3}, "at least 8 samples"),
        ({"runs": 1}, "2 runs"),
        ({"keep": 1.0}, "probability between 0 and 1"),
        ({"size": 0}, "at least 1"),
        ({"budget": 20}, "budget of at least 40 forwards"),
        ({"points": -1.0}, "at least 0"),
        ({"into": "trees"}, "nearest: 'tree'"),
    ],
)
def test_settings_that_are_none(settings, says):
    with pytest.raises(ConfigError, match=says):
        around(both, settings.pop("into", "linear"), **settings)


def test_too_few_superpixels_have_too_few_neighbours():
    with pytest.raises(ConfigError, match="only 15 different neighbours of 4 superpixels"):
        around(both, "linear", segments=grid_segments((SIDE, SIDE), 4), keep=0.5)


def test_a_size_may_be_asked_for(weights):
    assert around(lambda s: s @ weights, "linear", size=3).best.superpixels == 3
    assert around(both, "tree", size=2).best.model.size == 2


def test_what_is_saved(weights, tmp_path):
    found = around(lambda s: s @ weights + both(s), "all")
    for ending in ("html", "png", "json"):
        found.save(tmp_path / f"x.{ending}")
    page = (tmp_path / "x.html").read_text()
    assert f"<b>{found.surrogates['tree'].fidelity:.2f}</b>" in page and "Is <b>superpixel" in page
    read = json.loads((tmp_path / "x.json").read_text())
    assert read["models"]["linear"]["fidelity"] == found.surrogates["linear"].fidelity
    assert math.isclose(sum(part["share"] for part in read["superpixels"]), 1.0, abs_tol=1e-3)
    with pytest.raises(DataError, match=r"\.html, \.png or \.json"):
        found.save(tmp_path / "x.txt")


def test_the_defaults_are_those_of_the_command_line():
    from inspect import signature

    from seewhy.cli.student_commands import local

    said = {name: value.default for name, value in signature(local).parameters.items()}
    plain = Around()
    assert {name: said[name] for name in ("samples", "runs", "keep", "count", "size")} == {
        name: getattr(plain, name) for name in ("samples", "runs", "keep", "count", "size")
    }
