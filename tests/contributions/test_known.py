"""Importance of channels and concepts of a layer that is known is that without a cache, and takes no pass before the layer."""

import pytest
import torch
from torch import nn

import seewhy
from seewhy.concepts.fitting import fit_dictionary
from seewhy.contributions.importance import importance_of
from seewhy.contributions.known import Known, KnownChannels
from seewhy.contributions.layer_channels import Channels
from seewhy.core.swap import Swap
from seewhy.data.dataset import dataset
from seewhy.data.features import features
from seewhy.engine.head_probe import HeadProbe
from seewhy.errors import ConfigError, LayerError, ModelError
from seewhy.targets import ClassScore


class Small(nn.Module):
    """A convolution, then the layer, then the head."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.second = nn.Sequential(nn.Conv2d(6, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Sequential(nn.Conv2d(8, 5, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3))

    def forward(self, x):
        return self.head(self.second(self.first(x).relu()))


@pytest.fixture
def network():
    return Small().eval()


@pytest.fixture
def data():
    return torch.randn(24, 3, 9, 9, generator=torch.Generator().manual_seed(1)), torch.arange(24) % 3


def same(one, other):
    assert [w.unit for w in one.weights] == [w.unit for w in other.weights]
    for mine, theirs in zip(one.weights, other.weights, strict=True):
        for kind in ("score", "magnitude", "loss"):
            for end in ("value", "low", "high"):
                assert getattr(getattr(mine, kind), end) == pytest.approx(getattr(getattr(theirs, kind), end), abs=1e-5)
    assert one.check.gap.value == pytest.approx(other.check.gap.value, abs=1e-6)


@pytest.mark.parametrize("settings", [{}, {"replace": "zero"}, {"by": "shapley"}, {"group": 0.5}, {"target": 1}])
def test_the_table_is_that_without_a_cache(network, data, tmp_path, settings):
    plain = seewhy.importance(network, data, of="channels", layer="second", **settings)
    known = seewhy.importance(network, data, of="channels", layer="second", cache=tmp_path, **settings)
    same(known, plain)
    assert known.replacement == plain.replacement


def test_so_is_that_of_concepts(network, data, tmp_path):
    given = features(seewhy.Session(network), data, "second", cache=tmp_path)
    settings = {"of": "concepts", "dictionary": fit_dictionary(given, "nmf", 4, seed=0)}
    same(seewhy.importance(network, data, cache=tmp_path, **settings), seewhy.importance(network, data, **settings))


def test_where_the_layer_is_known_no_picture_goes_through_the_network(network, data, tmp_path):
    features(seewhy.Session(network), data, "second", cache=tmp_path)
    session = seewhy.Session(network)
    found = features(session, data, "second", cache=tmp_path)
    units = KnownChannels(at="second", features=found)
    importance_of(session, found.data, units, known=Known.of(session, found))
    assert (
        session.cost.forwards == 6
    )  # a first answer, the trial of the head, with two rows, and its tape, with three; none of the 24
    again = seewhy.Session(network)
    importance_of(again, dataset(data, again.model), Channels(at="second"))
    assert again.cost.forwards > 2 * 24  # the means, and the effects


@pytest.mark.parametrize(
    "settings", [{"replace": "resample"}, {"replace": "blur"}, {"by": "contribution"}, {"of": "bands", "layer": None}]
)
def test_what_looks_at_pictures_takes_no_cache(network, data, tmp_path, settings):
    with pytest.raises(ConfigError, match="leave it out"):
        seewhy.importance(network, data, cache=tmp_path, **({"of": "channels", "layer": "second"} | settings))


def test_a_layer_that_is_passed_by_is_told(tmp_path, data):
    class Around(nn.Module):
        def __init__(self):
            super().__init__()
            self.branch, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 3)
            self.other = nn.Conv2d(3, 4, 1)

        def forward(self, x):
            return self.head((self.branch(x) + self.other(x)).relu().mean(dim=(2, 3)))

    with pytest.raises(LayerError, match="leave out the cache"):
        seewhy.importance(Around(), data, of="channels", layer="branch", cache=tmp_path)


@pytest.fixture
def probe(network, data):
    session = seewhy.Session(network)
    found = features(session, data, "second")
    return HeadProbe(found.head(session), found.raw[:5], found.outputs[:5], ClassScore(1)), found


def test_swaps_are_what_the_rest_of_the_network_makes_of_them(probe, network):
    asked, found = probe
    where = torch.zeros(1, 8, 1, 1, dtype=torch.bool)
    where[:, 2] = True
    answers = list(asked.swapped([{}, {"second": Swap(where, torch.full((1, 8, 1, 1), 0.7))}] * 40))
    changed = found.raw[:5].clone()
    changed[:, 2] = 0.7
    with torch.no_grad():
        torch.testing.assert_close(answers[0], network.head(found.raw[:5]), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(answers[79], network.head(changed), atol=1e-5, rtol=1e-5)
    assert asked.cost.partial == 80 and len(answers) == 80


def test_whatever_looks_at_the_pictures_fails(probe):
    asked, _ = probe
    with pytest.raises(ModelError, match="NaN"):
        next(asked.scores([asked.inputs]))
    with pytest.raises(LayerError, match="only what 'second' handed on is known"):
        next(asked.swapped([{"first": Swap(torch.ones(1, dtype=torch.bool), torch.zeros(1))}]))
    with pytest.raises(LayerError, match="was given is not known"):
        next(asked.swapped([{"second": Swap(torch.ones(1, dtype=torch.bool))}]))
