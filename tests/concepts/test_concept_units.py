"""Concepts as units: by pencil on a linear head, and the same as from cached features."""

import dataclasses

import pytest
import torch
from planted_concepts import channels_as_concepts, features_of, pictures, replay_of, session_of

import seewhy
from networks import SmallViT, seeded
from seewhy.concepts.nmf import NMF
from seewhy.concepts.pca import PCA
from seewhy.concepts.units import ConceptUnits
from seewhy.concepts.weighing import weighed
from seewhy.data.features import features
from seewhy.data.shelf import Fingerprint
from seewhy.errors import ConfigError, LayerError

WEIGHT = torch.tensor([[1.0, -2.0, 0.0, 3.0], [0.5, 0.0, 0.0, -1.0], [0.0, 1.0, 0.0, 0.0]])


def table(session, data, dictionary, **settings):
    return seewhy.importance(session.model, data, of="concepts", dictionary=dictionary, check=False, **settings)


def test_ablation_and_shapley_are_code_times_weight_behind_a_linear_head():
    session, inputs = session_of(WEIGHT), pictures(4, 12)
    labels = torch.zeros(12, dtype=torch.long)
    expected = inputs.mean(dim=(0, 2, 3)) * WEIGHT[0]
    for by in ("ablation", "shapley"):
        found = table(session, (inputs, labels), channels_as_concepts(4), by=by)
        values = {weight.unit: weight.score.value for weight in found.weights}
        assert [values[f"concept {k}"] for k in range(4)] == pytest.approx(expected.tolist(), abs=1e-5)
        assert found.weights[0].unit == "concept 3"
        assert found.kind == "concepts"
        assert found.layer == "layer"


def test_the_ranking_is_checked_like_that_of_other_units():
    session, inputs = session_of(torch.tensor([[5.0, 0.0, 0.0], [0.0, 0.1, 0.0]])), pictures(3, 40)
    inputs[20:, 0] = 0  # the second half is of class 1: it lacks what speaks for class 0
    session.model.module.bias.data = torch.tensor([-1.0, 0.0])
    labels = torch.arange(40) // 20
    found = seewhy.importance(session.model, (inputs, labels), of="concepts", dictionary=channels_as_concepts(3))
    assert found.weights[0].unit == "concept 0"
    assert found.check is not None
    assert found.check.curves[1].order == "by activation"


@pytest.mark.parametrize("kind", [NMF, PCA])
def test_units_and_cached_features_agree(kind):
    session, inputs = (
        session_of(torch.randn(3, 5, generator=torch.Generator().manual_seed(0)), squared=True),
        pictures(5, 10),
    )
    found = features_of(session, inputs)
    made = kind.fit(found.rows, 3, 0)
    dictionary = dataclasses.replace(made, names=("a", "b", "c"), layer="layer")
    alone = weighed(replay_of(session, found, dictionary), "ablation").values.mean(dim=0)
    units = {
        weight.unit: weight.score.value
        for weight in table(session, (inputs, torch.full((10,), -1)), dictionary).weights
    }
    assert [units[name] for name in "abc"] == pytest.approx(alone.tolist(), abs=1e-4)


def test_tokens_without_a_place_stay():
    network = seeded(SmallViT()).float()
    model = seewhy.Model(network, size=8, mean=0.5, std=0.25)
    session = seewhy.Session(model)
    inputs = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    layer = "blocks.0"
    found = features(session, (inputs, torch.full((6,), -1)), layer)
    made = dataclasses.replace(PCA.fit(found.rows, 2, 0), names=("a", "b"), layer=layer)
    alone = weighed(replay_of(session, found, made), "ablation").values.mean(dim=0)
    units = {one.unit: one.score.value for one in table(session, (inputs, torch.full((6,), -1)), made).weights}
    assert [units["a"], units["b"]] == pytest.approx(alone.tolist(), rel=1e-3, abs=1e-5)


def test_a_dictionary_of_another_network_or_width_is_refused():
    session, inputs = session_of(WEIGHT), pictures(4, 6)
    data = (inputs, torch.zeros(6, dtype=torch.long))
    foreign = dataclasses.replace(channels_as_concepts(4), fingerprint=Fingerprint("", "another", {}))
    with pytest.raises(ConfigError, match=r"made for another network.*seewhy concepts"):
        table(session, data, foreign)
    with pytest.raises(LayerError, match=r"5 channels.*has 4"):
        table(session, data, channels_as_concepts(5))
    with pytest.raises(ConfigError, match="concepts are those of a dictionary"):
        seewhy.importance(session.model, data, of="concepts")
    with pytest.raises(ConfigError, match="dictionary is a setting of concepts, not of bands"):
        seewhy.importance(session.model, data, of="bands", dictionary=channels_as_concepts(4))
    with pytest.raises(ConfigError, match="subtracted"):
        table(session, data, channels_as_concepts(4), replace="mean")
    with pytest.raises(ConfigError, match="'ablation' or 'shapley'"):
        table(session, data, channels_as_concepts(4), by="contribution")


def test_what_stands_in_the_place_of_a_concept_is_said():
    units = ConceptUnits(channels_as_concepts(2))
    assert units.names == ("concept 0", "concept 1")
    assert "code times atom" in units.replacement
