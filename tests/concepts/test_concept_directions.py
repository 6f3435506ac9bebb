"""Directions of concepts: against other formulas, and against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

from seewhy.concepts.directions import LOGISTIC_STRENGTH, Span, steps, way_of, ways
from seewhy.errors import ConfigError


def rows(count: int, channels: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, channels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sides(positive: int, total: int) -> tuple[torch.Tensor, torch.Tensor]:
    inside = (torch.arange(total) < positive).double()[None]
    return inside, 1 - inside


def cosine(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one @ other) / (one.norm() * other.norm()))


def test_the_step_of_the_mean_difference_is_the_difference_of_the_means():
    x = torch.tensor([[1.0, 2], [3, 4], [0, 0], [0, 2], [3, -2]], dtype=torch.float64)
    step = steps("mean difference", x, *sides(2, 5))
    assert step.tolist() == [[1.0, 3.0]]


@pytest.mark.parametrize("way", ["ridge", "logistic"])
def test_a_step_is_as_long_as_the_means_lie_apart_along_it(way):
    x = rows(30, 6)
    x[:10] += 1
    step = steps(way, x, *sides(10, 30))[0]
    unit = step / step.norm()
    assert float(step.norm()) == pytest.approx(abs(float((x[:10].mean(dim=0) - x[10:].mean(dim=0)) @ unit)))


@pytest.mark.parametrize(("count", "channels"), [(40, 7), (12, 50)])
def test_ridge_is_that_of_scikit_learn(count, channels):
    x = rows(count, channels)
    x[:5] += 0.7
    penalty = float(((x - x.mean(dim=0)) ** 2).sum(dim=1).mean())
    answers = np.where(np.arange(count) < 5, 1.0, -1.0)
    theirs = torch.from_numpy(Ridge(alpha=penalty).fit(x.numpy(), answers).coef_)
    assert cosine(steps("ridge", x, *sides(5, count))[0], theirs) == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("way", ways())
def test_the_span_of_the_pictures_gives_what_all_channels_give(way):
    """For ridge this is the dual against the primal form."""
    x = rows(14, 60)
    x[:6, :3] += 1
    span = Span.of(x)
    assert span.rows.shape == (14, 13)
    full = steps(way, x - x.mean(dim=0), *sides(6, 14))[0]
    reduced = (steps(way, span.rows, *sides(6, 14)) @ span.axes)[0]
    assert torch.allclose(full, reduced, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("way", ways())
def test_many_fits_at_once_are_the_fits_one_by_one(way):
    x = rows(20, 5)
    generator = torch.Generator().manual_seed(1)
    inside = torch.randint(3, (6, 20), generator=generator).double()
    inside[:, 10:] = 0
    inside[:, 0] = 1
    outside = torch.randint(3, (6, 20), generator=generator).double()
    outside[:, :10] = 0
    outside[:, 19] = 1
    together = steps(way, x, inside, outside)
    alone = torch.cat([steps(way, x, one[None], two[None]) for one, two in zip(inside, outside, strict=True)])
    assert torch.allclose(together, alone, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("way", ["mean difference", "ridge"])
def test_a_picture_that_counts_twice_is_there_twice(way):
    x = rows(9, 4)
    inside, outside = sides(4, 9)
    inside[0, 1] = 2
    doubled = torch.cat([x[1:2], x])
    assert torch.allclose(steps(way, x, inside, outside), steps(way, doubled, *sides(5, 10)), atol=1e-12)


def test_logistic_is_that_of_scikit_learn():
    x = rows(60, 6)
    x[:20, 0] += 2
    centred = x - x.mean(dim=0)
    scale = float((centred**2).sum(dim=1).mean() ** 0.5)
    inputs = np.concatenate([centred.numpy() / scale, np.ones((60, 1))], axis=1)
    labels = np.arange(60) < 20
    weights = np.where(labels, 0.5 / 20, 0.5 / 40)
    theirs = LogisticRegression(C=1 / LOGISTIC_STRENGTH, fit_intercept=False, tol=1e-10, max_iter=5000)
    theirs.fit(inputs, labels, sample_weight=weights)
    mine = steps("logistic", x, *sides(20, 60))[0]
    assert cosine(mine, torch.from_numpy(theirs.coef_[0, :6])) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("way", ways())
def test_pictures_that_are_all_the_same_give_no_direction(way):
    assert not steps(way, torch.ones(8, 3, dtype=torch.float64), *sides(3, 8)).any()


def test_ways_are_found_by_short_names_and_others_refused():
    assert way_of("mean") == way_of("mean-difference") == "mean difference"
    with pytest.raises(ConfigError, match="nearest: 'ridge'"):
        way_of("rige")
