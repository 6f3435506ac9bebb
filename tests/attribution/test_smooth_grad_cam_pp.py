import pytest
import torch
from cam_oracle import drawn, layer_of

import seewhy


def test_without_noise_it_is_grad_cam_pp(cnn, images):
    plain = drawn(cnn, images, seewhy.method("grad-cam-pp", layer="body"))
    smooth = drawn(cnn, images, seewhy.method("smooth-grad-cam-pp", layer="body", samples=3, noise=0.0))
    torch.testing.assert_close(smooth, plain)


def test_by_the_printed_formula(cnn, images):
    generator = torch.Generator().manual_seed(7)
    span = (images.amax(dim=(1, 2, 3)) - images.amin(dim=(1, 2, 3))).view(-1, 1, 1, 1)
    pairs = []
    for _ in range(5):
        noise = torch.randn(1, 3, 8, 8, generator=generator).double()
        pairs.append(layer_of(cnn, "body", images + 0.2 * span * noise, 1)[:2])
    activation = torch.stack([pair[0] for pair in pairs]).mean(dim=0)
    gradients = torch.stack([pair[1] for pair in pairs])
    first, second, third = gradients.mean(dim=0), (gradients**2).mean(dim=0), (gradients**3).mean(dim=0)
    below = 2 * second + activation.sum(dim=(2, 3), keepdim=True) * third.clamp_min(0)
    weights = (second / below * first.clamp_min(0)).sum(dim=(2, 3), keepdim=True)
    expected = (weights * activation).sum(dim=1).clamp_min(0)
    method = seewhy.method("smooth-grad-cam-pp", layer="body", samples=5, noise=0.2)
    torch.testing.assert_close(drawn(cnn, images, method, target=1, seed=7), expected)


def test_noise_is_relative_to_the_range_of_each_image(cnn, images):
    """A network that first divides by ten sees ten times the image the same way, noise included."""

    class Tenth(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = cnn

        def forward(self, x):
            return self.inner(x / 10)

    plain = drawn(cnn, images, seewhy.method("smooth-grad-cam-pp", layer="body"))
    scaled = drawn(Tenth().eval(), 10 * images, seewhy.method("smooth-grad-cam-pp", layer="inner.body"))
    torch.testing.assert_close(scaled, plain)


def test_refuses_settings_out_of_range():
    with pytest.raises(seewhy.ConfigError, match="samples of at least 1"):
        seewhy.method("smooth-grad-cam-pp", samples=0)
