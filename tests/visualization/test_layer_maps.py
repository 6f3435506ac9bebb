"""What a layer gives: equal to hooked activations, in the right order, on the right pixels of the photo."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import seewhy
from networks import Linear, SmallCNN, SmallViT, seeded
from seewhy.core.sample import Sample
from seewhy.data.picture import sample
from seewhy.errors import ConfigError, LayerError, ModelError
from seewhy.visualization.layer_maps import LayerMaps, layer_maps


def session(network: nn.Module, size: int = 8) -> seewhy.Session:
    return seewhy.Session(seewhy.Model(network, size=size, mean=0.5, std=0.25))


def hooked(network: nn.Module, layer: str, inputs: Tensor) -> Tensor:
    """The output of a layer, by a hook of its own."""
    kept: list[Tensor] = []
    handle = network.get_submodule(layer).register_forward_hook(lambda *given: kept.append(given[2].clone()))
    with torch.no_grad():
        network(inputs)
    handle.remove()
    return kept[0]


def made(maps: Tensor) -> LayerMaps:
    return LayerMaps("layer", maps, Sample(torch.zeros(3, 8, 8)), "network")


@pytest.mark.parametrize("layer", ["stem.0", "stem", "down", "act"])
def test_maps_are_the_hooked_activations(layer, images):
    network = seeded(SmallCNN())
    found = layer_maps(session(network), Sample(images[1]), layer)
    assert found.spatial
    assert torch.allclose(found.maps, hooked(network, layer, images[1:2])[0], atol=1e-12)


def test_tokens_come_as_maps_and_the_class_token_is_named_as_left_out(images):
    network = seeded(SmallViT())
    found = layer_maps(session(network), Sample(images[0]), "blocks.1")
    tokens = hooked(network, "blocks.1", images[:1])[0, 1:]
    for row in range(4):
        for column in range(4):
            assert torch.allclose(found.maps[:, row, column], tokens[4 * row + column], atol=1e-12)
    assert "1 token has no place in the photo" in found.notes[0]
    assert torch.allclose(found.norm().flatten(), tokens.norm(dim=1))


def test_components_are_those_of_the_tokens(images):
    network = seeded(SmallViT())
    found = layer_maps(session(network), Sample(images[0]), "blocks.1")
    tokens = hooked(network, "blocks.1", images[:1])[0, 1:].numpy()
    centred = tokens - tokens.mean(axis=0)
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    maps, components = found.components()
    sign = np.sign(axes[0][np.abs(axes[0]).argmax()])
    assert np.allclose(maps[0].flatten(), centred @ axes[0] * sign, atol=1e-9)
    assert np.allclose(components.shares, (values**2 / (values**2).sum())[:3], atol=1e-9)


def test_a_layer_without_places_gives_a_number_for_each_feature(images):
    network = seeded(SmallCNN())
    found = layer_maps(session(network), Sample(images[0]), "head")
    assert not found.spatial
    assert torch.allclose(found.maps, network(images[:1])[0], atol=1e-12)
    assert "no places" in found.notes[0]
    with pytest.raises(LayerError, match="4 numbers without a place"):
        found.norm()


def test_strongest_equals_a_brute_force_sort_and_leaves_dead_channels_out():
    generator = torch.Generator().manual_seed(2)
    maps = torch.randn(30, 5, 6, generator=generator).clamp(-1.5, 1.5).round(decimals=1)  # many peaks are equal
    maps[[4, 17]] = 0
    found = made(maps)
    ranked = []
    left = [n for n in range(30) if maps[n].any()]
    while left:
        best = max(left, key=lambda n: (float(maps[n].abs().max()), float(maps[n].abs().mean()), -n))
        ranked.append(best)
        left.remove(best)
    assert found.strongest(30) == ranked
    assert found.strongest(7) == ranked[:7]
    means = {n: float(maps[n].abs().mean()) for n in ranked}
    assert found.strongest(30, "mean") == sorted(ranked, key=lambda n: -means[n])
    assert found.dead == [4, 17]


def test_facts_by_pencil():
    fact = made(torch.tensor([[[0.0, 1.0, 0.0], [0.0, -3.0, 2.0]], torch.zeros(2, 3).tolist()])).facts(0)
    assert (fact.mean, fact.least, fact.most, fact.peak, fact.place, fact.zeros) == (0, -3, 2, -3, (1, 1), 0.5)
    assert not fact.dead
    assert made(torch.zeros(2, 2, 2)).facts(1).dead


def test_a_channel_that_is_the_picture_itself_lands_on_its_pixels(photo):
    network = Linear(size=(3, 32, 32)).eval()
    made_of = sample(photo, seewhy.Model(network, size=32, mean=0.0, std=1.0))
    found = layer_maps(session(network, 32), made_of, "layer")
    drawn = found.in_source(found.maps[0]).numpy()
    red = np.asarray(Image.open(photo), dtype=float)[..., 0] / 255
    seen = np.isfinite(drawn)
    assert seen[:, 16:80].all()  # the middle square of 96 x 64 is what a crop sees
    assert not seen[:, :16].any()
    assert not seen[:, 80:].any()
    assert np.corrcoef(drawn[seen], red[seen])[0, 1] > 0.98
    assert np.abs(drawn[seen] - red[seen]).mean() < 0.02
    y, x = found.place_in_source(found.facts(0).place)
    assert (x - 60) ** 2 + (y - 30) ** 2 < 15**2  # the bright disc


def test_an_unknown_layer_names_the_nearest(images):
    with pytest.raises(LayerError, match=r"nearest: 'stem\.0'"):
        layer_maps(session(seeded(SmallCNN())), Sample(images[0]), "stem.00")


def test_a_black_box_has_no_layers():
    box = seewhy.Session(seewhy.Model(lambda array: array.reshape(len(array), -1)[:, :2], size=8, mean=0.5, std=0.5))
    with pytest.raises(LayerError, match="black box"):
        layer_maps(box, Sample(torch.zeros(3, 8, 8)), "stem")


def test_nan_is_refused(images):
    network = seeded(SmallCNN())
    network.down.weight.data[0] = torch.nan
    with pytest.raises(ModelError, match="NaN"):
        layer_maps(session(network), Sample(images[0]), "down")


def test_no_such_channel_order_or_photo():
    found = made(torch.ones(3, 2, 2))
    with pytest.raises(ConfigError, match="has 3 channels, from 0; there is no channel 3"):
        found.facts(3)
    with pytest.raises(ConfigError, match="'peak' or 'mean'"):
        found.strongest(3, "median")
    with pytest.raises(ConfigError, match="no photo to draw on"):
        found.in_source(found.maps[0])


def test_no_more_of_the_network_runs_than_leads_to_the_layer(images):
    network = seeded(SmallCNN())
    used = session(network)
    layer_maps(used, Sample(images[0]), "stem")  # the first pass of a session is a whole one
    before = used.cost
    layer_maps(used, Sample(images[0]), "stem")
    assert (used.cost.forwards - before.forwards, used.cost.partial - before.partial) == (0, 1)
