"""Concepts as directions: scores, files, and what readable models read."""

import dataclasses

import pytest
import torch
from bright_patch import concepts, data, model, noise, others, patched, unlabelled

import seewhy
from seewhy.concepts.loading import load_dictionary
from seewhy.concepts.vectors import ConceptVectors
from seewhy.data.features import features
from seewhy.errors import ConfigError, DataError, ModelError
from seewhy.surrogates.basis import ConceptScores


@pytest.fixture(scope="module")
def found():
    return seewhy.tcav(model(), data(), concepts(), layer="layer", random=others())


def test_random_pictures_score_0_on_average_and_those_of_the_concept_1():
    with_it, without = torch.randn(9, 5) + 2, torch.randn(20, 5)
    for way in ("mean difference", "ridge", "logistic"):
        made = ConceptVectors.between([with_it], without, way)
        assert float(made.encode(without).mean()) == pytest.approx(0, abs=1e-5)
        assert float(made.encode(with_it).mean()) == pytest.approx(1, abs=1e-5)


def test_new_pictures_are_scored(found):
    session = seewhy.Session(model())
    new = features(session, unlabelled(torch.cat([patched(10, 50), noise(10, 51)])), "layer")
    place = found.vectors.names.index("patch")
    scores = found.vectors.scores(new)[:, place]
    assert float(scores[:10].min()) > 0.5 > float(scores[10:].max())
    basis = ConceptScores(found.vectors)
    assert torch.allclose(basis.read(new)[:, place], scores, atol=1e-5)


def test_a_file_gives_the_same_concepts_back(found, tmp_path):
    again = load_dictionary(found.vectors.save(tmp_path / "concepts.safetensors"))
    assert isinstance(again, ConceptVectors)
    assert torch.equal(again.atoms, found.vectors.atoms) and again.names == found.vectors.names
    assert again.fingerprint == found.vectors.fingerprint and again.verified == found.vectors.verified


def test_only_concepts_that_beat_random_ones_are_kept(found):
    assert set(found.vectors.only_verified().names) == {"patch", "red"}
    none = dataclasses.replace(found.vectors, settings={"verified": [False] * 3})
    with pytest.raises(DataError, match="none of the concepts"):
        none.only_verified()


def test_another_network_is_refused(found):
    changed = model()
    changed.module.head.weight.data[0, 0] += 1
    other = features(seewhy.Session(changed), data(4), "layer")
    with pytest.raises(ModelError, match="another network"):
        found.vectors.scores(other)
    with pytest.raises(ModelError, match="layer"):
        found.vectors.scores(features(seewhy.Session(model()), data(4), "layer.0"))


def test_given_concepts_are_not_found_in_activations():
    with pytest.raises(ConfigError, match="folders of examples"):
        ConceptVectors.fit(torch.randn(9, 3), 2)
