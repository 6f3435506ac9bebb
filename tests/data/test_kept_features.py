"""What a layer gives for each picture is what the network gives, computed once."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy
from seewhy.api import Session
from seewhy.core.needs import Needs
from seewhy.data.features import features, features_of
from seewhy.errors import DataError, LayerError


@pytest.fixture
def session():
    torch.manual_seed(0)
    return Session(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)))


@pytest.fixture
def data():
    return torch.randn(20, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 3


def test_they_are_the_layers_output(session, data):
    found = features(session, data, "1")
    made = session.network.forward(data[0], Needs(outputs=frozenset({"1"})))
    torch.testing.assert_close(found.raw, made.nodes["1"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.pooled, made.nodes["1"].mean(dim=(2, 3)), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.outputs, made.reading.output, atol=1e-5, rtol=1e-5)
    assert found.labels.tolist() == data[1].tolist()
    assert found.rows.shape == (20 * 36, 4)
    torch.testing.assert_close(found.rows[36], found.activation[1, :, 0, 0])


def test_the_second_time_costs_no_pass(session, data, tmp_path):
    first = features(session, data, "1", cache=tmp_path)
    before = session.cost
    again = features(session, data, "1", cache=tmp_path)
    assert (session.cost - before).forwards == 0
    assert torch.equal(first.raw, again.raw) and torch.equal(first.outputs, again.outputs)


def test_other_weights_are_not_taken_from_the_cache(session, data, tmp_path):
    first = features(session, data, "1", cache=tmp_path)
    other = Session(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    )
    assert not torch.equal(first.raw, features(other, data, "1", cache=tmp_path).raw)


def test_a_layer_of_vectors_has_no_positions(session, data):
    found = features(session, data, "4")
    assert found.cells == () and found.pooled.shape == (20, 3)


def test_features_come_back_unless_another_layer_is_asked(session, data):
    found = features(session, data, "1")
    assert features(session, found) is found
    with pytest.raises(LayerError, match="layer '1', asked is '0'"):
        features(session, found, "0")


def test_too_much_is_refused(session, data, monkeypatch):
    monkeypatch.setattr("seewhy.data.features.LARGEST", 1000)
    with pytest.raises(DataError, match="take fewer pictures, or a later layer"):
        features(session, data, "1")


def test_several_layers_take_one_pass_and_are_those_of_each_alone(session, data):
    before = session.cost
    both = features_of(session, data, ("1", "4"))
    assert (session.cost - before).forwards == 20
    for layer, found in zip(("1", "4"), both, strict=True):
        alone = features(session, data, layer)
        assert found.layer == layer
        assert torch.equal(found.raw, alone.raw) and torch.equal(found.outputs, alone.outputs)


def test_of_several_layers_only_those_that_are_missing_take_a_pass(session, data, tmp_path):
    features(session, data, "1", cache=tmp_path)
    before = session.cost
    features_of(session, data, ("1", "4", "1"), cache=tmp_path)
    assert (session.cost - before).forwards == 20
    before = session.cost
    features_of(session, data, ("4", "1"), cache=tmp_path)
    assert (session.cost - before).forwards == 0


def test_a_fit_that_is_the_models_own_is_the_same_whether_it_is_said_or_not(tmp_path):
    photos = [Image.fromarray(np.full((12, 20, 3), 9 * n, np.uint8)) for n in range(3)]
    for n, photo in enumerate(photos):
        photo.save(tmp_path / f"{n}.png")
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    stated = {"size": 8, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    own = Session(seewhy.Model(network, fit="squash", **stated))
    first = features(own, tmp_path, "1", cache=tmp_path / "cache")
    for session, fit in ((own, "squash"), (Session(seewhy.Model(network, fit="pad", **stated)), "squash")):
        before = session.cost
        again = features(session, tmp_path, "1", fit=fit, cache=tmp_path / "cache")
        assert (session.cost - before).forwards == 0
        assert torch.equal(first.raw, again.raw)
    features(own, tmp_path, "1", fit="pad", cache=tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_pictures_that_cannot_be_read_are_left_out_of_the_cache_too(tmp_path, session):
    for n in range(4):
        Image.fromarray(np.full((8, 8, 3), 30 * n, np.uint8)).save(tmp_path / f"{n}.png")
    (tmp_path / "1.png").write_bytes(b"no picture")
    stated = Session(seewhy.Model(session.model.module, size=8, mean=(0.5,) * 3, std=(0.5,) * 3))
    for _ in range(2):
        found = features(stated, tmp_path, "1", cache=tmp_path / "cache")
        assert len(found) == len(found.data) == 3
        assert [name[-5:] for name in found.data.names] == ["0.png", "2.png", "3.png"]
        assert [name[-5:] for name in found.data.broken] == ["1.png"]


@pytest.mark.parametrize("damage", ["cut", "other", "empty"])
def test_a_damaged_file_of_the_cache_is_named(session, data, tmp_path, damage):
    features(session, data, "1", cache=tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[: len(whole) // 2], "other": b"x" * 300, "empty": b""}[damage])
    with pytest.raises(DataError, match=rf"{path.name}.*delete it"):
        features(session, data, "1", cache=tmp_path)


def test_a_run_that_ends_early_leaves_no_file(session, data, tmp_path):
    def end(done, of):
        if done > 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        features(session, data, "1", cache=tmp_path, progress=end)
    assert not list(tmp_path.iterdir())


def test_one_shape_for_all(session):
    class Growing(nn.Module):
        """Gives a row less for dark pictures."""

        def forward(self, x):
            return x[..., : 4 if float(x.sum()) > 0 else 3, :]

    growing = Session(nn.Sequential(Growing(), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    inputs = torch.cat([torch.ones(16, 3, 8, 8), -torch.ones(4, 3, 8, 8)])
    with pytest.raises(LayerError, match="features are of one shape"):
        features(growing, (inputs, torch.zeros(20, dtype=torch.long)), "0")
