"""IS-CAM: with one step Score-CAM; with several by hand."""

import pytest
import torch
from gradient_oracle import explained
from test_score_cam import activation_of

import seewhy
from seewhy.ops.filters import resize


def test_with_one_step_it_is_score_cam(cnn, images):
    found = explained(cnn, images, "is-cam", layer="down", steps=1)
    torch.testing.assert_close(found.heatmap, explained(cnn, images, "score-cam", layer="down").heatmap)


def test_by_hand(cnn, images):
    """Scores are averaged over a quarter, a half, three quarters and all of the mask before the softmax."""
    expected = []
    for image, activation in zip(images, activation_of(cnn, images), strict=True):
        means = []
        for channel in activation:
            mask = resize(channel[None], (8, 8))
            mask = (mask - mask.min()) / (mask.max() - mask.min())
            with torch.no_grad():
                means.append(cnn(torch.stack([0.25 * part * mask * image for part in (1, 2, 3, 4)]))[:, 1].mean())
        weights = torch.softmax(torch.stack(means), dim=0)
        expected.append(torch.relu((weights[:, None, None] * activation).sum(dim=0)))
    found = explained(cnn, images, "is-cam", layer="down", steps=4)
    torch.testing.assert_close(found.heatmap, torch.stack(expected), rtol=1e-9, atol=1e-12)
    assert found.cost == seewhy.Cost(1 + 4 * 8)


def test_a_bad_setting():
    with pytest.raises(seewhy.ConfigError, match="is-cam wants steps of at least 1, got 0"):
        seewhy.method("is-cam", steps=0)
