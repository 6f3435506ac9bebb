import math

import numpy as np
import pytest
import torch
from scipy.stats import t

from seewhy.ops.bootstrap import interval, resampled_means


def drawn(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_means_have_the_spread_of_a_mean():
    values = torch.randn(200, 1, generator=drawn(1), dtype=torch.float64)
    means = resampled_means(values, drawn(), draws=20_000)
    assert means.mean().item() == pytest.approx(values.mean().item(), abs=0.002)
    assert means.std().item() == pytest.approx(values.std(correction=0).item() / math.sqrt(200), rel=0.02)


def test_interval_of_a_mean_is_that_of_student():
    values = torch.randn(40, 1, generator=drawn(2), dtype=torch.float64)
    low, high = interval(resampled_means(values, drawn(), draws=50_000), torch.tensor([40]))
    half = t.ppf(0.975, 39) * values.std().item() / math.sqrt(40)
    assert low.item() == pytest.approx(values.mean().item() - half, abs=0.06 * half)
    assert high.item() == pytest.approx(values.mean().item() + half, abs=0.06 * half)


def test_few_cases_are_covered_as_often_as_promised():
    """The plain percentiles of eight cases hold the mean in some 89 % of samples; the expanded ones come near 95 %."""
    samples = np.random.default_rng(0).normal(size=(8, 3000))
    means = resampled_means(torch.from_numpy(samples), drawn(), draws=1000)
    low, high = interval(means, torch.full((3000,), 8))
    held = ((low <= 0) & (high >= 0)).double().mean().item()
    plain = ((means.quantile(0.025, dim=0) <= 0) & (means.quantile(0.975, dim=0) >= 0)).double().mean().item()
    assert 0.935 < held < 0.965
    assert plain < 0.915


def test_nan_is_no_case():
    values = torch.tensor([[1.0, 5.0], [2.0, math.nan], [3.0, 7.0], [4.0, math.nan]], dtype=torch.float64)
    means = resampled_means(values, drawn(), draws=4000)
    kept = means[:, 1][~means[:, 1].isnan()]
    assert set(kept.unique().tolist()) <= {5.0 + 2 * k / n for n in range(1, 5) for k in range(n + 1)}
    assert kept.mean().item() == pytest.approx(6.0, abs=0.05)
    assert means[:, 1].isnan().double().mean().item() == pytest.approx(1 / 16, abs=0.02)  # neither of the two is drawn
    low, high = interval(means, torch.tensor([4, 2]))
    assert (low[1].item(), high[1].item()) == (5.0, 7.0)


def test_the_same_cases_are_drawn_for_all_columns_and_sets():
    values = torch.randn(30, 2, generator=drawn(3), dtype=torch.float64)
    both = resampled_means(values, drawn(5))
    alone = resampled_means(values[:, 1:], drawn(5))
    torch.testing.assert_close(both[:, 1:], alone, rtol=0, atol=1e-15)
    sums = resampled_means(values.sum(dim=1, keepdim=True), drawn(5))
    torch.testing.assert_close(both.sum(dim=1, keepdim=True), sums)


def test_one_case_has_no_spread():
    means = resampled_means(torch.tensor([[3.0]], dtype=torch.float64), drawn())
    low, high = interval(means, torch.tensor([1]))
    assert low.item() == high.item() == 3.0
