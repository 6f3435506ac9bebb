import pytest
import torch
from gradient_oracle import explained, gradient

import seewhy


def test_by_hand(cnn, images):
    generator = torch.Generator().manual_seed(7)
    spread = (images.flatten(1).amax(dim=1) - images.flatten(1).amin(dim=1)).view(3, 1, 1, 1)
    copies = [images + 0.15 * spread * torch.randn(1, 3, 8, 8, generator=generator) for _ in range(5)]
    expected = sum((gradient(cnn, copy) ** 2).sum(dim=1) for copy in copies) / 5
    found = explained(cnn, images, "smooth-grad-squared", samples=5, seed=7).heatmap
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_on_a_linear_network_it_is_the_squared_weight(linear, images):
    expected = linear.weight[1].detach().square().sum(dim=0).expand(3, 8, 8)
    torch.testing.assert_close(explained(linear, images, "smooth-grad-squared", samples=3).heatmap, expected)


def test_settings_out_of_range_are_refused():
    with pytest.raises(seewhy.ConfigError, match="at least"):
        seewhy.method("smooth-grad-squared", samples=0)
