"""Activations of a photo as a sheet, as arrays and as numbers."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import seewhy
from networks import SmallCNN, seeded
from seewhy.errors import ConfigError, DataError
from seewhy.visualization.activation_cells import colours, ends, risen


@pytest.fixture
def model() -> seewhy.Model:
    """A small network of which channel 2 of `down` is dead behind its rectifier."""
    network = seeded(SmallCNN())
    network.down.weight.data[2] = 0
    network.down.bias.data[:] = 2
    network.down.bias.data[2] = -1
    return seewhy.Model(network, size=16, mean=0.5, std=0.25, name="small")


def test_arrays_hold_the_raw_maps_of_the_channels_that_are_named(model, photo, tmp_path):
    found = seewhy.activations(photo, model, "act", channels=[5, 2])
    path = found.save(tmp_path / "maps.npz")
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["channels"].tolist() == [5, 2]
        assert np.array_equal(arrays["maps"], found.layer.maps[[5, 2]])
        assert str(arrays["layer"]) == "act"
        assert np.allclose(arrays["norm"], np.sqrt((found.layer.maps.numpy() ** 2).sum(axis=0)))
        flat = found.layer.maps.flatten(1).numpy().T
        rebuilt = (flat - flat.mean(axis=0)) @ arrays["axes"].T
        assert np.allclose(arrays["components"].reshape(3, -1), rebuilt.T, atol=1e-9)
        assert json.loads(arrays["about"].tobytes())["geometry"]["source"] == [64, 96]


def test_numbers_tell_of_every_channel_and_of_the_dead(model, photo, tmp_path):
    found = seewhy.activations(photo, model, "act", channels=3)
    told = json.loads(found.save(tmp_path / "numbers.json").read_text())
    assert told["dead"] == [2]
    assert told["shown"] == list(found.channels) == found.layer.strongest(3)
    assert len(told["channels"]) == 8
    assert told["channels"][2]["zeros"] == 1
    one = told["channels"][found.channels[0]]
    flat = found.layer.maps[found.channels[0]]
    assert one["peak"] == pytest.approx(float(flat.max()))
    assert float(flat[one["row"], one["column"]]) == pytest.approx(one["peak"])
    # 16 x 16 inputs, 8 x 8 positions: the middle 64 of 96 columns, 8 pixels to a position
    assert (one["x"], one["y"]) == (16 + 8 * one["column"] + 4, 8 * one["row"] + 4)
    assert "1 of 8 channels is zero everywhere on this photo." in found.sentences


def test_each_scale_ends_where_it_says(model, photo):
    own = seewhy.activations(photo, model, "down", channels=4)
    one = seewhy.activations(photo, model, "down", channels=4, scale="one")
    peaks = [float(own.layer.maps[n].abs().max()) for n in own.channels]
    assert [own.limit(fact) for fact in own.facts] == pytest.approx(peaks)
    assert [one.limit(fact) for fact in one.facts] == pytest.approx([max(peaks)] * 4)
    assert "each map's scale ends at its own peak" in own.sentences[0]
    assert "all maps share one scale" in one.sentences[0]


def test_signed_where_any_activation_is_negative(model, photo):
    assert seewhy.activations(photo, model, "down").layer.signed
    assert not seewhy.activations(photo, model, "act").layer.signed


def test_the_sheet_shows_the_map_where_the_channel_is_active(tmp_path):
    """A channel that answers to red: its cell is coloured over the red half and grey over the other."""
    network = seeded(SmallCNN()).float()
    network.stem = torch.nn.Conv2d(3, 6, 1)
    network.stem.weight.data.zero_()
    network.stem.weight.data[3, 0] = 1
    network.stem.bias.data.zero_()
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, :32] = (255, 0, 0)
    found = seewhy.activations(pixels, seewhy.Model(network, size=16, mean=0.0, std=1.0), "stem", channels=1)
    assert found.channels == (3,)
    cell = np.asarray(found._cell(found.photo_at(200), found.facts[0])[0]).astype(int)
    spread = cell.max(axis=-1) - cell.min(axis=-1)
    assert spread[:, :80].min() > 60  # coloured
    assert spread[:, 120:].max() < 6  # grey


def test_a_layer_without_places_is_drawn_as_bars(model, photo):
    found = seewhy.activations(photo, model, "head")
    assert found.sheet().size[0] == 640
    assert found.channels == tuple(found.layer.maps.abs().argsort(descending=True).tolist())
    assert "no map" in found.sentences[-1]


def test_a_layer_that_is_silent_still_gives_a_sheet_that_says_so(model, photo):
    model.module.down.weight.data.zero_()
    model.module.down.bias.data.fill_(-1)
    found = seewhy.activations(photo, model, "act")
    assert found.channels == ()
    assert "8 of 8 channels are zero everywhere on this photo." in found.sentences
    assert found.numbers()["components"]["explained"] == [0, 0, 0]
    assert min(found.sheet().size) > 100


def test_components_become_colours_from_their_second_to_their_98th_percentile():
    ramp = np.linspace(0, 1, 101).reshape(1, 101)
    painted = colours(np.stack([ramp, -ramp, np.full((1, 101), 3.0)]))
    assert painted[0, 2].tolist() == [0, 255, 128]
    assert painted[0, 98].tolist() == [255, 0, 128]
    assert painted[0, 50].tolist() == [128, 128, 128]
    assert colours(ramp[None])[0, 50].tolist() == [128, 128, 128]


def test_the_picture_is_a_png(model, photo):
    with Image.open(BytesIO(seewhy.activations(photo, model, "act")._repr_png_())) as picture:
        assert picture.format == "PNG"


def test_wrong_wishes_are_told(model, photo, tmp_path: Path):
    with pytest.raises(ConfigError, match="no channel 8"):
        seewhy.activations(photo, model, "act", channels=[8])
    with pytest.raises(ConfigError, match="'own' or 'one'"):
        seewhy.activations(photo, model, "act", scale="both")
    with pytest.raises(DataError, match=r"\.png, \.npz or \.json, not \.jpg"):
        seewhy.activations(photo, model, "act").save(tmp_path / "x.jpg")


def test_a_norm_that_is_the_same_everywhere_is_not_drawn_as_if_it_were_not():
    """Behind a layer norm every token has the same length, and only rounding differs."""
    photo = Image.new("RGB", (40, 40), (90, 90, 90))
    noise = np.random.default_rng(0).uniform(-1e-5, 1e-5, (40, 40))
    drawn = np.asarray(risen(photo, 13.9 + noise, 40))
    assert (drawn == 90).all()
    assert ends(13.9 - 1e-5, 13.9 + 1e-5) == "13.9 everywhere"
    assert ends(2.0, 3.0) == "clear 2, strongest 3"
    assert (np.asarray(risen(photo, 13.9 + 1e3 * noise, 40)) != 90).any()
