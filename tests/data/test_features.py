"""What a layer gives for each picture is what the network gives, computed once."""

import pytest
import torch
from torch import nn

from seewhy.api import Session
from seewhy.core.needs import Needs
from seewhy.data.features import features
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
