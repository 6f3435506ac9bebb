"""The class hierarchy finds planted groups and planted splits; its scores say the class in which the path ends."""

import json

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from seewhy.errors import ConfigError
from seewhy.surrogates.hierarchy import Hierarchy, linked
from seewhy.surrogates.lesson import Lesson
from seewhy.surrogates.sparse_logistic import PENALTY, order_of, sparse_logistic, standard

CLASSES = ("cat", "dog", "car", "truck")


@pytest.fixture
def grouped():
    """Four classes in two groups: number 0 tells the groups apart, 1 and 2 the classes of each; the network's answers follow."""
    generator = torch.Generator().manual_seed(0)
    group, one = (torch.randint(0, 2, (600,), generator=generator) for _ in range(2))
    x = 0.3 * torch.randn(600, 7, generator=generator)
    x[:, 0] += 2.0 * group
    x[:, 1] += torch.where(group == 0, 2.0 * one, 1.0)
    x[:, 2] += torch.where(group == 1, 2.0 * one, 1.0)
    classes = 2 * group + one
    outputs = 6 * torch.eye(4)[classes] + 2 * (torch.arange(4) // 2 == group[:, None])
    return x, outputs, classes


def model_of(grouped, size=1):
    x, outputs, classes = grouped
    return list(Hierarchy.path(Lesson(x, outputs, classes, (0, 1, 2, 3))))[size - 1]


def test_planted_groups_are_found_and_planted_numbers_decide(grouped):
    model = model_of(grouped)
    groups = {frozenset(model.classes_below(node)) for node in model.inner.tolist()}
    assert groups == {frozenset({0, 1, 2, 3}), frozenset({0, 1}), frozenset({2, 3})}
    read = {
        tuple(sorted(model.classes_below(node))): order_of(model.weights[node]).tolist()
        for node in model.inner.tolist()
    }
    assert read == {(0, 1, 2, 3): [0], (0, 1): [1], (2, 3): [2]}
    assert (model.scores(grouped[0]).argmax(1) == grouped[2]).float().mean() > 0.98
    assert model.size == 1 and model.mean_path == 2


def test_groups_come_from_what_is_read_where_the_labels_teach(grouped):
    x, outputs, classes = grouped
    shuffled = outputs[:, [0, 2, 1, 3]]  # a network that would group otherwise
    first = next(iter(Hierarchy.path(Lesson(x, shuffled, classes, (0, 1, 2, 3), "labels"))))
    assert {frozenset(first.classes_below(node)) for node in first.children[0].tolist()} == {
        frozenset({0, 1}),
        frozenset({2, 3}),
    }


def test_the_largest_score_is_where_the_path_ends_and_only_that_is_positive(grouped):
    x = torch.randn(300, 7, generator=torch.Generator().manual_seed(9))
    model = model_of(grouped, 3)
    scores = model.scores(x)
    assert torch.equal(model.answer[model.ends(x)], scores.argmax(dim=1))
    assert ((scores > 0).sum(dim=1) == 1).all()


def test_terms_and_bias_add_up_to_the_odds(grouped):
    x, model = grouped[0], model_of(grouped, 4)
    for node in model.inner.tolist():
        torch.testing.assert_close(
            model.terms(x, node).sum(1) + model.bias[node], model.odds(x)[:, node], atol=1e-4, rtol=0
        )


def test_a_hierarchy_is_its_own_student(grouped):
    x = torch.randn(400, 7, generator=torch.Generator().manual_seed(9))
    model = model_of(grouped, 2)
    outputs = 3 * model.scores(x)
    *_, again = Hierarchy.path(Lesson(x, outputs, outputs.argmax(1), (0, 1, 2, 3)))
    assert (again.scores(x).argmax(1) == outputs.argmax(1)).float().mean() > 0.97


def test_what_is_written_down_predicts_the_same(grouped):
    x, model = grouped[0], model_of(grouped, 3).called({"pets": ("cat", "dog")}, CLASSES)
    again = Hierarchy.from_plain(json.loads(json.dumps(model.plain())))
    assert torch.equal(again.scores(x), model.scores(x)) and again.names == model.names
    assert again.plain() == model.plain()


def test_a_plain_hierarchy_that_is_none_is_refused(grouped):
    plain = model_of(grouped).plain()
    for change in (
        {"member": [0] * 7},
        {"bias": [0.0]},
        {"weights": [[[99, 1.0]]] + [[]] * 6},
        {"children": [[5, 6]] * 7},
    ):
        with pytest.raises(ValueError, match=r"nodes|leaves|not read"):
            Hierarchy.from_plain(plain | change)


def test_groups_are_called_by_their_classes_or_as_the_user_wants(grouped):
    model = model_of(grouped)
    nodes = {frozenset(model.classes_below(node)): node for node in model.inner.tolist()}
    pets = nodes[frozenset({0, 1})]
    assert set(model.group(pets, CLASSES).split(", ")) == {"cat", "dog"}
    assert model.called({"pets": ("dog", "cat")}, CLASSES).group(pets, CLASSES) == "pets"
    with pytest.raises(ConfigError, match="no fork has just the classes car, cat"):
        model.called({"odd": ("cat", "car")}, CLASSES)


def test_text_gives_each_group_the_sum_that_speaks_for_it(grouped):
    model = model_of(grouped, 2)
    numbers = [f"n{i}" for i in range(7)]
    lines = model.text(numbers, CLASSES).splitlines()
    assert len(lines) == 2 + 6 and "larger sum" in lines[0]
    for node in model.inner.tolist():
        left, right = model.sums(node, numbers)
        weights = {numbers[place]: float(model.weights[node, place]) for place in range(7)}
        for text, sign in ((left, -1), (right, 1)):
            told = dict(part.split(" ")[::-1] for part in text.split(" + ") if " " in part)
            assert told == {name: f"{abs(w):.2f}" for name, w in weights.items() if w * sign > 0}


def test_two_classes_are_one_fork_and_still_numbers_are_never_read():
    x = torch.cat([torch.ones(40, 1), torch.randn(40, 2, generator=torch.Generator().manual_seed(0))], dim=1)
    classes = (x[:, 1] > 0).long()
    for model in Hierarchy.path(Lesson(x, 5 * torch.eye(2)[classes], classes, (0, 1))):
        assert len(model.inner) == 1 and model.mean_path == 1
        assert not model.weights[:, 0].any() and torch.isfinite(model.scores(x)).all()


def test_ward_joins_the_nearest_first():
    rows = torch.tensor([[0.0], [10.0], [1.0], [12.0]], dtype=torch.float64)
    children, member = linked(rows)
    groups = [sorted(member[below].tolist()) for below in children[children[0]].tolist()]
    assert sorted(groups) == [[0, 2], [1, 3]]


def test_a_split_with_all_numbers_is_the_penalized_regression_of_scikit_learn():
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(300, 4, generator=generator)
    target = (x[:, 0] - 2 * x[:, 1] + torch.randn(300, generator=generator) > 0).float()
    weight = torch.rand(300, generator=generator) + 0.1
    *_, (weights, bias) = sparse_logistic(x, target, weight, [4])
    share = (weight / weight.sum() * 300).numpy()
    peer = LogisticRegression(C=1 / (PENALTY * 300), tol=1e-10, max_iter=1000).fit(x.numpy(), target.numpy(), share)
    torch.testing.assert_close(weights, torch.from_numpy(peer.coef_[0]).float(), atol=2e-3, rtol=0)
    assert float(bias) == pytest.approx(peer.intercept_[0], abs=2e-3)


def test_soft_targets_are_what_two_weighted_rows_would_be():
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(1))
    soft = torch.rand(50, generator=torch.Generator().manual_seed(2))
    (one,) = sparse_logistic(x, soft, torch.ones(50), [2])
    both, sure = torch.cat([x, x]), torch.cat([torch.ones(50), torch.zeros(50)])
    (two,) = sparse_logistic(both, sure, torch.cat([soft, 1 - soft]), [2])
    torch.testing.assert_close(one[0], two[0], atol=1e-4, rtol=0)


def test_standard_reads_what_never_moves_as_nothing():
    mean, scale = standard(torch.tensor([[1.0, 2.0], [3.0, 2.0]]))
    assert mean.tolist() == [2.0, 2.0] and scale[1] == float("inf") and float(scale[0]) == pytest.approx(2**0.5)
