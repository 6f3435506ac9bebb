"""The sparse linear model finds a planted one, in its order, and says by how much each number counts."""

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from seewhy.surrogates.lesson import Lesson
from seewhy.surrogates.linear import PENALTY, Linear


def lesson(outputs, x):
    return Lesson(x, outputs, outputs.argmax(1), tuple(range(outputs.shape[1])))


@pytest.fixture
def x():
    return torch.randn(600, 12, generator=torch.Generator().manual_seed(0))


def test_planted_weights_are_found_one_by_one_largest_first(x):
    planted = torch.zeros(3, 12)
    for row, (large, small) in enumerate([(2, 5), (7, 1), (9, 4)]):
        planted[row, large], planted[row, small] = -3.0 if row == 2 else 3.0, 1.5
    one, two, *_ = Linear.path(lesson(x @ planted.T, x))
    assert [row.nonzero()[:, 0].tolist() for row in one.weights] == [[2], [7], [9]]
    assert [row.nonzero()[:, 0].tolist() for row in two.weights] == [[2, 5], [1, 7], [4, 9]]
    assert (two.scores(x).argmax(1) == (x @ planted.T).argmax(1)).float().mean() > 0.98


def test_with_all_numbers_it_is_the_penalized_logistic_regression_of_scikit_learn(x):
    labels = x[:, :3].argmax(1)
    x = x[:, :4] * torch.tensor([1.0, 5.0, 0.2, 1.0]) + 3
    *_, full = Linear.path(Lesson(x, torch.zeros(600, 3), labels, (0, 1, 2), "labels"))
    z = ((x - full.mean) / full.scale).double().numpy()
    peer = LogisticRegression(C=1 / (PENALTY * len(z)), tol=1e-8, max_iter=1000).fit(z, labels.numpy())
    assert full.size == 4
    wanted = torch.from_numpy(peer.predict_proba(z)).float()
    torch.testing.assert_close(full.scores(x).softmax(dim=1), wanted, atol=0.02, rtol=0)


def test_terms_and_bias_add_up_to_the_scores(x):
    *_, last = Linear.path(lesson(x[:, :3], x))
    torch.testing.assert_close(last.terms(x).sum(dim=2) + last.bias, last.scores(x))


def test_sizes_grow_by_the_number_that_they_say(x):
    outputs = x @ torch.randn(12, 3, generator=torch.Generator().manual_seed(1))
    sizes = [model.size for model in Linear.path(lesson(outputs, x))]
    assert sizes == [1, 2, 3, 4, 5, 6, 8, 10]


def test_a_number_that_never_moves_is_never_read(x):
    still = torch.cat([torch.full((600, 1), 7.0), x], dim=1)
    for model in Linear.path(lesson(x[:, :2], still)):
        assert not model.weights[:, 0].any()
        assert torch.isfinite(model.scores(still)).all()


def test_what_is_written_down_is_read_back(x):
    still = torch.cat([torch.full((600, 1), 7.0), x], dim=1)
    *_, last = Linear.path(lesson(x[:, :3], still))
    again = Linear.from_plain(last.plain())
    assert torch.equal(again.scores(still), last.scores(still))


def test_a_line_for_each_class_largest_weight_first(x):
    model = Linear(torch.tensor([[0.0, -2.0, 1.0], [0.0, 0.0, 0.0]]), torch.zeros(2), torch.zeros(3), torch.ones(3))
    assert model.text(("a", "b", "c"), ("cat", "dog")) == "cat: -2.00 b, +1.00 c\ndog: the bias alone"
