import pytest
import torch
from token_oracle import built, explained, pictures, without

import seewhy
from seewhy.attribution.tis import cluster_means


class TestClusters:
    def test_three_groups_are_their_means(self):
        centres = torch.tensor([[0.0, 0, 0, 9], [5, 0, 5, 0], [0, 7, 7, 7]], dtype=torch.float64)
        noise = 0.1 * torch.randn(30, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        rows = centres.repeat_interleave(10, dim=0) + noise
        found = cluster_means(rows, 3, seed=0)
        expected = rows.view(3, 10, 4).mean(dim=1)
        order = torch.cdist(expected, found).argmin(dim=1)
        assert sorted(order.tolist()) == [0, 1, 2]
        torch.testing.assert_close(found[order], expected)

    def test_no_more_clusters_than_rows_that_differ(self):
        rows = torch.tensor([[1.0, 2], [1, 2], [3, 4]], dtype=torch.float64)
        assert sorted(cluster_means(rows, 9, seed=0).tolist()) == [[1, 2], [3, 4]]


def test_by_hand_with_a_cluster_for_each_channel():
    """With as many clusters as channels each channel is a mask: the half of the tokens on which it is largest."""
    network, images = built("plain"), pictures(1)
    layer = "encoder.layers.0"
    with torch.no_grad():
        channels = network.encoder.layers[0](network.sequence(images))[0, 1:].T  # (24, 16)
    masks = torch.zeros(24, 16, dtype=torch.float64)
    scores = torch.zeros(24, dtype=torch.float64)
    for n, channel in enumerate(channels):
        kept = channel.topk(8).indices.tolist()
        masks[n, kept] = 1
        scores[n] = without(network, images, [token for token in range(16) if token not in kept])[0, 1]
    expected = (scores @ masks) / masks.sum(dim=0) - scores.mean()
    found = explained(network, images, "tis", layer=layer, samples=24)
    torch.testing.assert_close(found.heatmap, expected.view(1, 4, 4), rtol=1e-7, atol=1e-9)
    assert found.figures["share of tokens in some subset"] == (1.0,)


def test_keep_is_the_share_that_stays(monkeypatch):
    """A quarter of 16 tokens, and those without a place."""
    from seewhy.engine.probe import NetworkProbe

    seen = []
    real = NetworkProbe.with_tokens

    def spy(self, layer, kept):
        return real(self, layer, (seen.append(one.shape) or one for one in kept))

    monkeypatch.setattr(NetworkProbe, "with_tokens", spy)
    explained(built("vit"), pictures(2), "tis", samples=5, keep=0.25)
    assert seen == [(1, 4)] * 10


def test_tokens_of_no_subset_are_zero_and_counted():
    found = explained(built("plain"), pictures(1), "tis", samples=2, keep=0.1)
    lit = int((found.heatmap != 0).sum())
    assert lit <= 4
    assert found.figures["share of tokens in some subset"][0] == pytest.approx(lit / 16)


def test_several_layers_are_clustered_together():
    network, images = built("plain"), pictures()
    alone = explained(network, images, "tis", layer="encoder.layers.0", samples=8).heatmap
    joined = explained(network, images, "tis", layer=("encoder.layers.0", "encoder.layers.1.norm1"), samples=8).heatmap
    assert not torch.allclose(alone, joined)
    with pytest.raises(seewhy.LayerError, match="grid"):
        explained(network, images, "tis", layer=("encoder.layers.0", "head"))


def test_the_budget_ends_the_samples():
    found = explained(built("plain"), pictures(), "tis", samples=16, budget=5)
    assert 5 <= found.cost.partial <= 7  # two of them try whether the network can be cut


@pytest.mark.parametrize("settings", [{"samples": 1}, {"keep": 0.0}, {"keep": 1.0}, {"layer": ()}, {"budget": -1}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(seewhy.ConfigError):
        seewhy.method("tis", **settings)
