"""Given concepts on a network that provably uses one of them; and what is wrong with what is given."""

import json

import numpy as np
import pytest
import torch
from bright_patch import concepts, data, model, noise, others, patched, unlabelled
from PIL import Image

import seewhy
from networks import SmallViT, seeded
from seewhy.data.features import features
from seewhy.errors import ConfigError, DataError, TargetError


def tried(given=None, **settings):
    settings = {"layer": "layer", "random": others(), **settings}
    return seewhy.tcav(model(), data(), concepts() if given is None else given, **settings)


@pytest.fixture(scope="module")
def found():
    return tried()


def test_the_planted_concept_is_first_and_significant_for_its_class(found):
    assert found.concepts[0].name == "patch"
    assert found.concepts[0].verified
    one = found.of("patch", "bright")
    assert (one.direction, one.share.value) == ("for", 1.0)
    assert one.corrected <= 0.05 and one.effect.low > one.random_effect[1]
    gone = found.concepts[0].erasure.classes[0]
    assert gone.fall.value == 1.0 and gone.beyond.low > 0  # with four channels, some random direction does it too


def test_the_effect_is_the_pencil_value(found):
    session = seewhy.Session(model())
    patch, random = (features(session, source, "layer").pooled for source in (concepts()["patch"], others()))
    weights = session.model.module.head.weight[2].detach()
    assert found.of("patch", "red").effect.value == pytest.approx(
        float((patch.mean(0) - random.mean(0)) @ weights), rel=1e-4
    )


def test_a_planted_random_concept_is_not_there_but_not_hidden(found):
    nothing = found["nothing"]
    assert not nothing.verified
    assert not any(one.significant for one in nothing.influences)
    assert found.concepts[-1].name == "nothing"
    assert not found.numbers()["concepts"][-1]["verified"]


def test_a_class_that_does_not_read_the_layer_feels_nothing(found):
    assert all(found.of(name, "dull").effect.value == 0.0 for name in ("patch", "red", "nothing"))
    assert found.of("patch", "dull").corrected == 1.0


def test_chances_are_corrected_for_all_concepts_and_classes(found):
    assert found.tests == 9
    assert found.of("patch", "bright").corrected == pytest.approx(9 * found.of("patch", "bright").chance, rel=0.5)


def test_the_same_seed_gives_the_same_whatever_the_order_of_the_pictures(found):
    session = seewhy.Session(model())
    shuffled = torch.randperm(20, generator=torch.Generator().manual_seed(3))

    def seen(source):
        return features(session, source, "layer")

    given = {name: seen(source).part(shuffled) for name, source in concepts().items()}
    mixed = torch.randperm(90, generator=torch.Generator().manual_seed(4))
    again = seewhy.tcav(
        session.model, seen(data()).part(mixed), given, layer="layer", random=seen(others()).part(mixed[mixed < 60])
    )
    for concept in found.concepts:
        twin = again[concept.name]
        assert (twin.gate, twin.influences) == (concept.gate, concept.influences)
        assert twin.erasure.everything == concept.erasure.everything


def test_other_concepts_beside_it_do_not_change_an_effect(found):
    alone = tried({"patch": concepts()["patch"]}, erase=False, classes=["red"])
    assert alone.of("patch", "red").effect == found.of("patch", "red").effect
    assert alone["patch"].erasure is None
    assert alone.tests == 1


def test_without_random_pictures_the_data_stand_in_and_that_is_said():
    found = tried(random=None)
    assert "without its own pictures" in " ".join(found.notes)
    assert found.of("patch", "bright").others == 60  # of 90, less the 30 of the class
    assert found.concepts[0].name == "patch" and found.of("patch", "bright").direction == "for"


def test_classes_are_asked_for_by_name_and_unknown_ones_refused_with_the_nearest():
    assert list(tried(classes="red", erase=False).classes.values()) == ["red"]
    with pytest.raises(TargetError, match="nearest: 'bright'"):
        tried(classes=["brigt"])
    with pytest.raises(ConfigError, match="nearest: 'patch'"):
        tried(erase=False)["pach"]


def test_a_concept_of_one_picture_is_left_out_and_the_others_are_done():
    found = tried({"patch": concepts()["patch"], "single": unlabelled(noise(1, 5))}, erase=False)
    assert [concept.name for concept in found.concepts] == ["patch"]
    assert "at least 2" in found.left_out["single"]


def test_a_concept_whose_pictures_are_the_same_to_the_layer_is_left_out():
    same = unlabelled(noise(1, 5).expand(6, -1, -1, -1))
    found = tried({"patch": concepts()["patch"], "same": same}, erase=False)
    assert "gives the same for all of its 6 pictures" in found.left_out["same"]


def test_too_few_pictures_to_reach_the_level_is_said():
    found = tried({"two": unlabelled(patched(2, 5))}, random=others(4), erase=False)
    assert found.of("two", "bright").least == pytest.approx(1 / 15)
    assert found.of("two", "bright").direction == ""
    assert "too few to reach 5%" in " ".join(found.notes)


def test_nothing_that_can_be_used_is_refused(tmp_path):
    with pytest.raises(DataError, match="none of the 1 concepts"):
        tried({"single": unlabelled(noise(1, 5))})
    with pytest.raises(DataError, match="no such folder"):
        tried(tmp_path / "missing")
    with pytest.raises(DataError, match="no folders in it"):
        tried(tmp_path)
    with pytest.raises(DataError, match="there are no concepts"):
        tried({})
    with pytest.raises(DataError, match="folder of folders"):
        tried(3)
    with pytest.raises(ConfigError, match="at least 50"):
        tried(repeats=10)
    with pytest.raises(DataError, match="1 random pictures"):
        tried(random=others(1))


def test_unreadable_pictures_are_set_aside_and_said(tmp_path):
    for name, pictures in (("patch", patched(6, 20)), ("plain", noise(6, 21))):
        (tmp_path / name).mkdir()
        for number, picture in enumerate(pictures):
            pixels = (255 * picture.permute(1, 2, 0)).round().byte().numpy()
            Image.fromarray(np.ascontiguousarray(pixels)).save(tmp_path / name / f"{number}.png")
    (tmp_path / "plain" / "broken.png").write_bytes(b"no picture")
    (tmp_path / "stray.png").write_bytes(b"")
    found = tried(tmp_path, erase=False)
    assert {concept.name: concept.pictures for concept in found.concepts} == {"patch": 6, "plain": 6}
    assert [name.endswith("broken.png") for name in found.broken] == [True]
    assert "1 pictures beside the folders" in found.notes[0]
    one = tried(tmp_path / "patch", erase=False)
    assert [concept.name for concept in one.concepts] == ["patch"]
    assert "one concept" in one.notes[0]


def test_labels_that_are_not_known_are_what_the_network_says():
    pictures, _ = data()
    found = seewhy.tcav(model(), unlabelled(pictures), concepts(), layer="layer", random=others())
    assert found.right == "as the network says untouched"
    assert found.concepts[0].erasure.everything.before == 1.0


@pytest.mark.parametrize("way", ["ridge", "logistic"])
def test_other_ways_find_the_planted_concept_too(way):
    found = tried(way=way, erase=False, classes=["bright"])
    assert found.of("patch", "bright").direction == "for"
    assert not found["nothing"].verified


def test_everything_goes_into_a_file_of_plain_values(found, tmp_path):
    kept = json.loads(found.save(tmp_path / "found.json").read_text())
    assert kept["concepts"][0]["classes"]["bright"]["direction"] == "for"
    assert kept == json.loads(json.dumps(found.numbers(), allow_nan=False))
    with pytest.raises(DataError, match=r"found\.json"):
        found.save(tmp_path / "found.json")


def test_the_layer_of_a_transformer_is_one_that_everything_passes_through_and_a_silent_one_is_said():
    transformer = seewhy.Model(seeded(SmallViT()).float(), size=8, mean=0, std=1)
    settings = {"random": others(), "repeats": 50}
    found = seewhy.tcav(transformer, unlabelled(noise(40, 1)), concepts(), **settings)
    assert any(one.effect.value for one in found["patch"].influences)
    silent = seewhy.tcav(transformer, unlabelled(noise(40, 1)), concepts(), layer="blocks.1", **settings)
    assert "choose an earlier layer" in silent.notes[0]
    assert not any(one.effect.value for one in silent["patch"].influences)
