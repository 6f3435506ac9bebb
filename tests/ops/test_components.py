import pytest
import torch

from seewhy.ops.components import first_component


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_svd(features):
    """The first component of one image (c, n), its sign left open."""
    rows = (features - features.mean(dim=1, keepdim=True)).T  # (n, c)
    _, _, right = torch.linalg.svd(rows, full_matrices=False)
    return rows @ right[0]


def correlation(first, second):
    return torch.corrcoef(torch.stack([first, second]))[0, 1]


@pytest.mark.parametrize(("channels", "positions"), [(5, 12), (12, 5), (8, 8), (1, 6)])
def test_equals_a_full_decomposition_up_to_the_sign(channels, positions):
    features = drawn(3, channels, positions)
    for found, image in zip(first_component(features), features, strict=True):
        expected = by_svd(image)
        torch.testing.assert_close(found.abs(), expected.abs(), rtol=1e-7, atol=1e-9)
        assert correlation(found, expected).abs() > 1 - 1e-9


@pytest.mark.parametrize(("channels", "positions"), [(5, 12), (12, 5)])
def test_rises_with_the_mean_over_channels(channels, positions):
    features = drawn(20, channels, positions)
    for found, image in zip(first_component(features), features, strict=True):
        assert correlation(found, image.mean(dim=0)) > 0


def test_a_rank_one_image_by_pencil():
    """Channels 3 and 4 times the pattern (0, 0, 0, 4): centred (-1, -1, -1, 3), times the length of (3, 4), which is 5."""
    features = torch.tensor([3.0, 4.0])[None, :, None] * torch.tensor([0.0, 0.0, 0.0, 4.0])
    torch.testing.assert_close(first_component(features), torch.tensor([[-5.0, -5.0, -5.0, 15.0]]))
    torch.testing.assert_close(first_component(-features), torch.tensor([[5.0, 5.0, 5.0, -15.0]]))  # follows the mean


def test_where_the_mean_is_flat_the_largest_entry_is_positive():
    pattern = torch.tensor([[1.0, 0.0, -3.0, 2.0]])
    found = first_component(torch.stack([pattern, -pattern], dim=1))
    torch.testing.assert_close(found, 2**0.5 * torch.tensor([[-1.0, 0.0, 3.0, -2.0]]))


def test_each_image_on_its_own():
    features = drawn(4, 6, 9)
    apart = torch.cat([first_component(image[None]) for image in features])
    torch.testing.assert_close(first_component(features), apart, rtol=1e-9, atol=1e-12)


def test_constant_features_give_zero():
    assert not first_component(torch.full((2, 3, 4), 7.0)).any()
