"""Concepts found in features: a planted one comes first, what does nothing counts nothing, and all of it is said and saved."""

import dataclasses
import json

import pytest
import torch
from PIL import Image
from planted_concepts import Layered, channels_as_concepts, features_of, pictures, session_of

import seewhy
from seewhy.concepts.discovered import Concepts
from seewhy.concepts.finding import Wishes, discovered
from seewhy.concepts.loading import load_dictionary
from seewhy.errors import ConfigError, DataError, LayerError
from seewhy.report.concepts_page import concepts_page
from seewhy.report.concepts_picture import concepts_picture

LABELS = ("frog", "ship")


def planted(count=48):
    """Return a network that looks at direction 0 alone, and pictures: the planted direction is strong in frogs, the others come and go."""
    generator = torch.Generator().manual_seed(0)
    parts = torch.eye(4)
    strength = torch.rand(count, 4, 4, 4, generator=generator) * (torch.rand(count, 4, 4, 4, generator=generator) < 0.3)
    labels = torch.arange(count) % 2
    strength[labels == 0, 0] += 1.5
    strength[:, 3] *= 0.2
    inputs = torch.einsum("nkhw,kc->nchw", strength, parts)
    weight = torch.stack([4 * parts[0], parts[1] * 0])
    return session_of(weight, labels=LABELS), inputs, labels


@pytest.fixture(scope="module")
def found() -> Concepts:
    session, inputs, labels = planted()
    return seewhy.discover(session.model, (inputs, labels), layer="layer", count=4, kind="nmf")


def test_a_planted_concept_is_found_comes_first_and_is_named(found):
    first = found.concepts[0]
    atom = found.dictionary.atoms[first.number]
    assert float(atom[0] / atom.norm()) > 0.99
    assert first.name == f"concept {first.number} (100 % frog)"
    assert first.size.low > 10 * max(one.size.high for one in found.concepts[1:])
    assert next(iter(first.speaks_for)) == "frog"
    assert first.effects["frog"].low > 0
    assert first.effects["ship"].value == pytest.approx(0, abs=1e-3)  # its class does not look at it
    assert first.stability > 0.95
    assert first.prevalence == pytest.approx(0.5, abs=0.1)


def test_effects_add_up_to_what_all_concepts_do(found):
    session, inputs, labels = planted()
    features = features_of(session, inputs, labels)
    rest = features.rows - found.dictionary.decode(found.dictionary.encode(features.rows))
    own = session.model.module.weight.detach()[labels]
    whole = (features.pooled * own).sum(dim=1)
    left = (rest.view(len(inputs), -1, 4).mean(dim=1) * own).sum(dim=1)
    total = sum(one.effect.value for one in found.concepts)
    assert total == pytest.approx(float((whole - left).mean()), rel=1e-3)


def test_shares_and_figures_are_said(found):
    assert found.figures.explained > 0.99
    assert found.figures.agreement.value == 1.0
    assert found.figures.additive
    assert "4 concepts (NMF) of layer" in repr(found)
    assert "100 % frog" in repr(found)
    assert found[found.concepts[2].number] is found.concepts[2]
    assert [one.size.value for one in found] == sorted((one.size.value for one in found), reverse=True)


def test_the_table_for_notebooks_is_escaped(found):
    hostile = dataclasses.replace(found.concepts[0], name="<script>")
    assert "<script>" not in dataclasses.replace(found, concepts=(hostile,))._repr_html_()


def test_what_is_saved_is_read_back(found, tmp_path):
    path = found.save(tmp_path / "found.json")
    told = json.loads(path.read_text())
    assert told["concepts"][0]["name"].endswith("(100 % frog)")
    assert told["figures"]["weighed"] == 48
    back = load_dictionary(tmp_path / "found.safetensors")
    assert torch.equal(back.atoms, found.dictionary.atoms)
    assert back.names == found.dictionary.names
    with pytest.raises(DataError, match="already"):
        found.save(path)
    with pytest.raises(DataError, match=r"\.json"):
        found.save(tmp_path / "found.csv")


def test_a_saved_dictionary_is_looked_at_on_the_same_network_only(found, tmp_path):
    found.save(tmp_path / "found.json")
    session, inputs, labels = planted()
    again = seewhy.discover(session.model, (inputs, labels), dictionary=tmp_path / "found.safetensors")
    assert [one.name for one in again] == [one.name for one in found]
    assert again.concepts[0].size.value == pytest.approx(found.concepts[0].size.value)
    other = session_of(torch.ones(2, 4))
    with pytest.raises(seewhy.ModelError, match="another network"):
        seewhy.discover(other.model, (inputs, labels), dictionary=tmp_path / "found.safetensors")
    with pytest.raises(ConfigError, match="of layer 'layer', asked is 'other'"):
        seewhy.discover(session.model, (inputs, labels), dictionary=found.dictionary, layer="other")


def test_the_same_seed_gives_the_same_concepts(found):
    session, inputs, labels = planted()
    again = seewhy.discover(session.model, (inputs, labels), layer="layer", count=4, kind="nmf")
    assert torch.equal(again.dictionary.atoms, found.dictionary.atoms)
    assert again.numbers() == found.numbers()


def test_a_dead_concept_is_listed_last_and_has_no_pictures():
    session, inputs, labels = planted()
    inputs[:, 2] = 0
    made = discovered(session, features_of(session, inputs, labels), channels_as_concepts(4))
    last = made.concepts[-1]
    assert last.number == 2
    assert "dead" in last.note
    assert last.top == ()
    assert last.size.value == 0
    assert len(made.living) == 3
    page = concepts_page(made)
    assert 'id="concept-2"' not in page
    assert "dead: it is active nowhere" in page
    assert concepts_picture(made).width > 1000


def test_names_come_from_a_function_or_a_list_and_are_escaped_on_the_page():
    session, inputs, labels = planted()
    features, dictionary = features_of(session, inputs, labels), channels_as_concepts(4)
    sizes = []

    def name(crops):
        sizes.append(len(crops))
        assert all(isinstance(one, Image.Image) for one in crops)
        return "<b>fur</b>"

    made = discovered(session, features, dictionary, Wishes(names=name, top=3))
    assert sizes == [3, 3, 3, 3]
    assert made.dictionary.names == tuple(f"<b>fur</b> ({number})" for number in range(4))
    page = concepts_page(made)
    assert "<b>fur" not in page
    assert "&lt;b&gt;fur" in page
    listed = discovered(session, features, dictionary, Wishes(names=["a", "b", "c", "d"]))
    assert listed.dictionary.names == ("a", "b", "c", "d")
    plain = discovered(session, features, dictionary, Wishes(names=None))
    assert plain.dictionary.names == tuple(f"concept {number}" for number in range(4))
    with pytest.raises(ConfigError, match="'classes', None, a list"):
        Wishes(names="folders")


def test_where_something_goes_round_the_layer_importance_is_said_to_be_unknown():
    class Round(Layered):
        def forward(self, x):
            return super().forward(x) + x.mean(dim=(1, 2, 3), keepdim=True)[:, :, 0, 0]

    model = seewhy.Model(Round(torch.ones(2, 3)), size=4, mean=0.0, std=1.0)
    session, inputs = seewhy.Session(model), pictures(3, 12)
    with pytest.raises(LayerError, match="goes round it"):
        features_of(session, inputs).head(session)
    made = seewhy.discover(model, (inputs, torch.full((12,), -1)), layer="layer", count=2)
    assert all(one.size is None for one in made)
    assert made.figures.agreement is None
    assert [one.share for one in made] == sorted((one.share for one in made), reverse=True)
    page = concepts_page(made)
    assert "Importance is not known" in page
    assert "goes round it" in page


def test_too_few_pictures_are_refused_with_what_to_do():
    session = session_of(torch.ones(2, 4))
    data = (pictures(4, 3), torch.zeros(3, dtype=torch.long))
    with pytest.raises(DataError, match="3 pictures are fewer than 4 concepts"):
        seewhy.discover(session.model, data, layer="layer", count=4)
