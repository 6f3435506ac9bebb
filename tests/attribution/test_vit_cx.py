import pytest
import torch
from gradient_oracle import explained

import seewhy
from seewhy.attribution.vit_cx import cluster_masks
from seewhy.ops.filters import resize


class TestMasks:
    def test_alike_channels_are_joined_and_flat_ones_left_out(self):
        """Two that differ by a factor, one on the other side, one that is the same everywhere; the larger cluster comes first."""
        left, right = torch.tensor([[3.0, 1, 0, 0]]), torch.tensor([[0.0, 0, 0, 2]])
        channels = torch.cat([right, left, 5 * left + 1, torch.full((1, 4), 7.0)]).view(4, 2, 2)
        found = cluster_masks(channels, 0.1)
        torch.testing.assert_close(found, torch.tensor([[[1, 1 / 3], [0, 0]], [[0, 0], [0, 1]]]))

    def test_no_two_of_a_cluster_are_further_apart_than_the_distance(self):
        """Complete linkage: with four directions 10 degrees apart, cosine 0.985 joins neighbours only."""
        angles = torch.tensor([0.0, 10, 20, 30]).deg2rad()
        channels = torch.stack([torch.cos(angles), torch.sin(angles), torch.ones(4)], dim=1)
        channels = torch.cat([channels, torch.zeros(4, 1)], dim=1).view(4, 2, 2)  # the zero keeps the scaling in place
        assert len(cluster_masks(channels, 1e-6)) == 4
        assert len(cluster_masks(channels, 1.0)) == 1

    def test_where_all_channels_are_flat_there_is_no_mask(self):
        assert cluster_masks(torch.ones(3, 2, 2), 0.1).shape == (0, 2, 2)


def test_by_hand_on_a_small_cnn(cnn, images):
    """With a tiny distance every channel is a mask: the formula written out over them."""
    seen = {}
    handle = cnn.act.register_forward_hook(lambda part, given, out: seen.update(a=out.detach()))
    cnn(images[:1])
    handle.remove()
    total = coverage = torch.zeros(8, 8, dtype=torch.float64)
    masks, scores = [], []
    for channel in seen["a"][0]:
        if channel.max() > channel.min():
            mask = resize(((channel - channel.min()) / (channel.max() - channel.min()))[None], (8, 8))[0]
            masks.append(mask)
            scores.append(cnn(images[:1] * mask)[0, 1].detach())
    mean = torch.stack(scores).mean()
    for mask, score in zip(masks, scores, strict=True):
        total, coverage = total + (score - mean) * mask, coverage + mask
    found = explained(cnn, images[:1], "vit-cx", layer="act", distance=1e-9)
    torch.testing.assert_close(found.heatmap[0], torch.where(coverage > 0, total / coverage, 0), rtol=1e-8, atol=1e-10)
    assert found.figures["masks"] == (float(len(masks)),)


def test_a_place_that_all_masks_show_is_not_bright_for_that(cnn, images):
    """If every mask scores alike, the map is zero, whatever the coverage: here the score does not depend on the picture."""
    cnn.head.weight.data.zero_()
    found = explained(cnn, images, "vit-cx", layer="act")
    torch.testing.assert_close(found.heatmap, torch.zeros_like(found.heatmap), rtol=0, atol=1e-12)


def test_the_budget_ends_the_masks(cnn, images):
    found = explained(cnn, images, "vit-cx", distance=1e-9, budget=3)
    assert found.figures["masks"] == (3.0,) * 3


@pytest.mark.parametrize("settings", [{"distance": 0.0}, {"distance": 1.5}, {"budget": "never"}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(seewhy.ConfigError):
        seewhy.method("vit-cx", **settings)
