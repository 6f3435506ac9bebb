import pytest
import torch

from seewhy.ops.rollout import discarded, finer, fused, with_way_past


def test_heads_are_mixed():
    weights = torch.tensor([[[[0.2, 0.8], [1.0, 0.0]], [[0.6, 0.4], [0.0, 1.0]]]])
    assert fused(weights, "mean")[0].tolist() == [pytest.approx([0.4, 0.6]), pytest.approx([0.5, 0.5])]
    assert fused(weights, "max")[0].tolist() == [pytest.approx([0.6, 0.8]), pytest.approx([1.0, 1.0])]
    assert fused(weights, "min")[0].tolist() == [pytest.approx([0.2, 0.4]), pytest.approx([0.0, 0.0])]


def test_the_least_are_left_out_row_by_row():
    matrix = torch.tensor([[[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.15, 0.05], [0.4, 0.3, 0.2, 0.1], [0.0, 0.0, 0.5, 0.5]]])
    assert discarded(matrix, 0.5)[0, :2].tolist() == [pytest.approx([0, 0, 0.3, 0.4]), pytest.approx([0.7, 0, 0.15, 0])]
    assert torch.equal(discarded(matrix, 0.2), matrix)  # less than one of four
    assert (discarded(matrix, 0.999) > 0).sum(dim=-1).tolist() == [[1, 1, 1, 1]]


def test_half_goes_past():
    """Rows that no longer add up to 1 are made to first; a row of zeros lets everything past."""
    matrix = torch.tensor([[[0.5, 0.5], [0.1, 0.3]], [[0.0, 0.0], [0.0, 1.0]]])
    found = with_way_past(matrix)
    assert found[0].tolist() == [pytest.approx([0.75, 0.25]), pytest.approx([0.125, 0.875])]
    assert found[1].tolist() == [pytest.approx([1.0, 0.0]), pytest.approx([0.0, 1.0])]


def test_merged_tokens_share_equally():
    """Two cells above, 3 x 2 below: the last row is padded above, so it has fewer children. The class token keeps its part."""
    share = torch.tensor([[0.5, 0.4, 0.2]])
    found = finer(share, 1, (2, 1), (3, 2))
    assert found.tolist() == [pytest.approx([0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])]


def test_sums_are_kept():
    share = torch.rand(2, 12, generator=torch.Generator().manual_seed(0))
    for fine in ((6, 8), (5, 7), (3, 4), (9, 12)):
        torch.testing.assert_close(finer(share, 0, (3, 4), fine).sum(dim=1), share.sum(dim=1))


def test_sizes_that_are_no_multiples_have_no_merging():
    share = torch.rand(1, 12)
    assert finer(share, 0, (3, 4), (2, 4)) is None
    assert finer(share, 0, (4, 3), (5, 3)) is None
