"""SS-CAM: without noise Score-CAM; with noise by hand."""

import pytest
import torch
from gradient_oracle import explained
from test_score_cam import activation_of

import seewhy
from seewhy.ops.filters import resize


def test_without_noise_it_is_score_cam(cnn, images):
    found = explained(cnn, images, "ss-cam", layer="down", samples=3, noise=0.0)
    torch.testing.assert_close(found.heatmap, explained(cnn, images, "score-cam", layer="down").heatmap)
    assert found.cost == seewhy.Cost(1 + 3 * 8)


def test_by_hand(cnn, images):
    """Scores are averaged over noisy copies of a channel before the softmax; all channels and images meet the same noise."""
    generator = torch.Generator().manual_seed(7)
    noise = [torch.randn(1, 4, 4, generator=generator).double() for _ in range(3)]
    expected = []
    for image, activation in zip(images, activation_of(cnn, images), strict=True):
        means = []
        for channel in activation:
            deviation, scores = 0.3 * (channel.max() - channel.min()), []
            for drawn in noise:
                mask = resize(channel[None] + deviation * drawn, (8, 8))
                mask = (mask - mask.min()) / (mask.max() - mask.min())
                with torch.no_grad():
                    scores.append(cnn((mask * image)[None])[0, 1])
            means.append(torch.stack(scores).mean())
        weights = torch.softmax(torch.stack(means), dim=0)
        expected.append(torch.relu((weights[:, None, None] * activation).sum(dim=0)))
    found = explained(cnn, images, "ss-cam", layer="down", samples=3, noise=0.3, seed=7).heatmap
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("settings", [{"samples": 0}, {"noise": -0.1}])
def test_bad_settings(settings):
    with pytest.raises(seewhy.ConfigError, match="ss-cam wants samples of at least 1 and noise of at least 0"):
        seewhy.method("ss-cam", **settings)
