import pytest
import torch

import seewhy
from attention_oracle import CASES, returned_weights, spelled
from networks import SmallViT, seeded


@pytest.mark.parametrize(("block", "layer"), [(0, 0), (1, 1), (-1, 1), (-2, 0)])
@pytest.mark.parametrize("heads", ["mean", "max", "min"])
def test_the_class_tokens_row(block, layer, heads, images):
    network = seeded(SmallViT())
    weights, _ = spelled(network, images)
    rows = weights[layer][:, :, 0, 1:].view(3, 2, 4, 4)
    expected = {"mean": rows.mean(dim=1), "max": rows.amax(dim=1), "min": rows.amin(dim=1)}[heads]
    found = seewhy.Session(seewhy.Model(network)).explain(
        images, 0, seewhy.method("raw-attention", block=block, heads=heads)
    )
    torch.testing.assert_close(found.heatmap, expected)


def test_without_a_class_token_every_token_counts():
    case = CASES["swin"]
    images = case.images()
    weights = returned_weights(case.build("eager"), images, case.attention)[-2]  # whole windows, not shifted
    each = (
        weights.mean(dim=(1, 2)).view(2, 2, 3, 4, 4) / 6
    )  # (b, windows down, across, size, size); one of six windows looks
    expected = each.transpose(2, 3).reshape(2, 8, 12)
    found = seewhy.Session(seewhy.Model(case.build())).explain(images, 0, seewhy.method("raw-attention", block=-2))
    torch.testing.assert_close(found.heatmap, expected, rtol=0, atol=1e-8)


def test_every_target_has_the_same_map(images):
    session = seewhy.Session(seewhy.Model(seeded(SmallViT())), rows=3)
    maps = [session.explain(images, target, "raw-attention").heatmap for target in (0, 3)]
    assert torch.equal(*maps)


@pytest.mark.door
def test_bad_settings(images):
    with pytest.raises(seewhy.ConfigError, match="'mean', 'max' or 'min', got 'sum'"):
        seewhy.method("raw-attention", heads="sum")
    with pytest.raises(seewhy.ConfigError, match="number of a layer"):
        seewhy.method("raw-attention", block="last")
    with pytest.raises(seewhy.MethodError, match="no attention layer 2: the network has 2"):
        seewhy.Session(seewhy.Model(seeded(SmallViT()))).explain(images, 0, seewhy.method("raw-attention", block=2))
