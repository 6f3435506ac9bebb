import torch
from scipy.stats import spearmanr

from seewhy.ops.ranking import rank_correlation, ranks


def test_ties_share_the_mean_of_their_ranks():
    assert ranks(torch.tensor([3.0, 1.0, 3.0, 0.0])).tolist() == [2.5, 1.0, 2.5, 0.0]


def test_equals_scipy_with_and_without_ties():
    rows = torch.randn(4, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows[1] = rows[1].round()
    expected = torch.tensor(spearmanr(rows.numpy(), axis=1).statistic)
    torch.testing.assert_close(rank_correlation(rows), expected)


def test_a_constant_row_agrees_with_nothing():
    rows = torch.stack([torch.arange(5.0), torch.ones(5)])
    found = rank_correlation(rows)
    assert found[0, 0] == 1
    assert found[0, 1].isnan() and found[1, 1].isnan()
