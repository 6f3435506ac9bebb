"""Sums of small trees: planted ones are found, splits are the best by brute force, leaves are fitted as scikit-learn fits them."""

import json
from itertools import islice, pairwise

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from seewhy.surrogates.growing import DEEPEST, LEAST, RIDGE, TreeSum
from seewhy.surrogates.lesson import Lesson
from seewhy.surrogates.measure import report
from seewhy.surrogates.rules import ROWS, Rules, said
from seewhy.surrogates.small_tree import LEAF, Condition, SmallTree
from seewhy.surrogates.softmax import PENALTY, fitted


def lesson(outputs, x):
    return Lesson(x, outputs, outputs.argmax(1), tuple(range(outputs.shape[1])))


def draw(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def planted():
    """Two trees: one asks number 0; the other asks number 1 and, where that is high, number 2."""
    x = torch.where(draw(600, 8) > 0.5, 0.9, 0.1)
    score = 3.0 * (x[:, 0] > 0.5) + 3.0 * ((x[:, 1] > 0.5) & (x[:, 2] > 0.5)) - 3
    return x, torch.stack([-score / 2, score / 2], dim=1)


@pytest.fixture(scope="module")
def grown():
    x = draw(400, 6, seed=1)
    outputs = 8 * torch.stack([x[:, 0], x[:, 1] * x[:, 2], (x[:, 3] - 0.5).abs(), 1 - x[:, 0]], dim=1)
    return x, outputs, list(Rules.path(lesson(outputs, x)))


def test_a_planted_sum_of_two_trees_is_found_with_as_many_splits(planted):
    x, outputs = planted
    three = next(model for model in Rules.path(lesson(outputs, x)) if model.size == 3)
    asked = sorted(sorted(tree.number[tree.number != LEAF].tolist()) for tree in three.trees)
    assert asked == [[0], [1, 2]]
    torch.testing.assert_close(three.scores(x).softmax(1), outputs.softmax(1), atol=0.03, rtol=0)
    assert all(abs(value - 0.5) < 1e-6 for tree in three.trees for value in tree.threshold[tree.number != LEAF])


def test_the_first_split_is_the_best_of_all_by_brute_force():
    x = (10 * draw(80, 5, seed=2)).round()
    targets = (5 * draw(80, 3, seed=3)).softmax(dim=1).double()
    growing = TreeSum(x, targets, torch.ones(5, dtype=torch.bool))
    next(growing.grow(1))
    rest, bend = targets - targets.mean(dim=0), targets.mean(dim=0) * (1 - targets.mean(dim=0))

    def fall(number, threshold):
        low = x[:, number] <= threshold
        sides = [(rest[side].sum(0).square() / (side.sum() * bend + RIDGE)).sum() for side in (low, ~low)]
        return float(sum(sides)) if LEAST <= low.sum() <= 80 - LEAST else -np.inf

    best = max((fall(n, (a + b) / 2), n, (a + b) / 2) for n in range(5) for a, b in pairwise(x[:, n].unique().tolist()))
    tree = growing.trees[0]
    assert (tree.number[0], tree.threshold[0]) == (best[1], best[2])


def test_leaves_are_fitted_together_as_scikit_learn_fits_a_logistic_regression():
    columns = (draw(300, 5, seed=4) > 0.5).double()
    labels = (columns[:, :3] + draw(300, 3, seed=5)).argmax(1)
    targets = torch.eye(3, dtype=torch.float64)[labels]
    weights, bias = fitted(columns, targets, torch.zeros(5, 3), torch.zeros(3), steps=300)
    peer = LogisticRegression(C=1 / (PENALTY * 300), tol=1e-9, max_iter=2000).fit(columns.numpy(), labels.numpy())
    wanted = torch.from_numpy(peer.predict_proba(columns.numpy()))
    torch.testing.assert_close((columns @ weights + bias).softmax(1), wanted, atol=2e-3, rtol=0)


def test_trees_and_bias_add_up_to_the_scores_and_a_picture_is_accounted_for(grown):
    x, _, models = grown
    last = models[-1]
    torch.testing.assert_close(last.terms(x).sum(2) + last.bias, last.scores(x))
    rules = last.account(x[7])
    assert len(rules) == len(last.trees)
    torch.testing.assert_close(torch.tensor([rule.adds for rule in rules]).sum(0) + last.bias, last.scores(x[7:8])[0])
    assert all((x[7, one.number] > one.threshold) == one.above for rule in rules for one in rule.conditions)


def test_each_tree_is_in_the_mean_zero_over_what_it_was_learned_from(grown):
    x, _, models = grown
    torch.testing.assert_close(
        models[-1].terms(x).mean(dim=0), torch.zeros(4, len(models[-1].trees)), atol=1e-5, rtol=0
    )


def test_sizes_are_numbers_of_splits_and_rules_stay_short(grown):
    x, _, models = grown
    assert [model.size for model in models[:7]] == [1, 2, 3, 4, 5, 6, 8]
    for tree in models[-1].trees:
        assert max(len(way) for way in tree.paths().values()) <= DEEPEST
        assert int(torch.bincount(tree.leaf(x))[list(tree.paths())].min()) >= LEAST
    assert models[-1].sizes["rules"] == sum(len(tree.paths()) for tree in models[-1].trees)


def test_it_is_its_own_student(grown):
    x, _, models = grown
    itself = models[6].scores(x)
    assert report(itself, lesson(itself, x), "abcd").fidelity.value == 1
    again = max(
        report(model.scores(x), lesson(itself, x), "abcd").fidelity.value for model in Rules.path(lesson(itself, x))
    )
    assert again > 0.97


def test_a_number_that_never_moves_is_never_asked(grown):
    x, outputs, _ = grown
    still = torch.cat([torch.full((400, 1), 0.3), x], dim=1)
    still[::2, 0] += 1e-8
    for model in Rules.path(lesson(outputs, still)):
        assert all(0 not in tree.number.tolist() for tree in model.trees)


def test_what_is_written_down_is_read_back_bit_for_bit(grown):
    x, _, models = grown
    again = Rules.from_plain(json.loads(json.dumps(models[-1].plain())))
    assert torch.equal(again.scores(x), models[-1].scores(x))


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("left", [0, 0, 0]),
        ("left", [9, 0, 0]),
        ("number", [-2, -1, -1]),
        ("values", [[0.0]] * 2),
        ("threshold", [float("nan"), 0, 0]),
    ],
)
def test_a_broken_tree_is_refused(part, value):
    tree = {
        "number": [0, -1, -1],
        "threshold": [0.5, 0, 0],
        "left": [1, 0, 0],
        "right": [2, 0, 0],
        "values": [[0.0], [1.0], [2.0]],
    }
    assert SmallTree.from_plain(tree).splits == 1
    with pytest.raises(ValueError, match="tree"):
        SmallTree.from_plain({**tree, part: value})


def test_more_classes_than_are_searched_along_and_more_pictures_than_are_read():
    x = draw(ROWS + 200, 6, seed=6)
    outputs = 20 * (x[:, :1] - torch.linspace(0, 1, 20)).square().neg()
    first, again, other = (next(islice(Rules.path(lesson(outputs, x), seed), 2, None)) for seed in (0, 0, 1))
    assert {int(number) for tree in first.trees for number in tree.number if number >= 0} == {0}
    assert torch.equal(first.scores(x), again.scores(x))
    assert not torch.equal(first.scores(x), other.scores(x))


def test_text_says_what_must_hold_and_what_is_added():
    tree = SmallTree(
        torch.tensor([1, -1, -1]), torch.tensor([0.5, 0, 0]), torch.tensor([1, 0, 0]), torch.tensor([2, 0, 0]),
        torch.tensor([[0.0, 0.0], [0.25, -0.25], [-1.0, 1.0]]),
    )  # fmt: skip
    text = Rules((tree,), torch.tensor([0.5, -0.5])).text(("ears", "fur"), ("dog", "cat"))
    assert text == (
        "to begin with: dog +0.50, cat -0.50\ntree 1\n  if fur ≤ 0.5: dog +0.25, cat -0.25\n  if fur > 0.5: cat +1.00, dog -1.00"
    )


def test_conditions_on_one_number_are_drawn_together():
    way = [Condition(0, 0.9, above=False), Condition(1, 2.0, above=True), Condition(0, 0.25, above=True)]
    assert said(way, ("fur", "ears")) == "0.25 < fur ≤ 0.9 and ears > 2"
