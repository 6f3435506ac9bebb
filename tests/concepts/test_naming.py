"""Names of concepts: only where the classes of their pictures surely say something; never from anywhere else."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from planted_concepts import SIDE, channels_as_concepts, features_of, pictures, session_of
from scipy import stats

from seewhy.concepts.naming import (
    LONGEST,
    ClassShare,
    class_names,
    class_shares,
    clean,
    distinct,
    names_by,
    names_by_class,
    names_given,
    numbered,
)
from seewhy.concepts.pictures import ConceptPictures
from seewhy.errors import ConfigError

LABELS = ("frog", "ship", "horse", "truck")


def seen(inputs, labels=None):
    """Return the pictures of some inputs, with each channel as a concept."""
    channels = inputs.shape[1]
    session = session_of(torch.ones(4, channels), labels=LABELS)
    return ConceptPictures(features_of(session, inputs, labels), channels_as_concepts(channels), session.model)


def test_a_planted_class_names_its_concept_and_a_random_one_keeps_its_number():
    inputs, labels = pictures(3, 80, seed=2), torch.arange(80) % 4
    inputs[labels == 0, 1] += 2.0  # concept 1 is strong in frogs alone
    made = seen(inputs, labels)
    shares = class_shares(made, class_names(made.features, LABELS))
    assert names_by_class(shares) == ("concept 0", "concept 1 (100 % frog)", "concept 2")
    [found] = shares[1]
    # all 10 strongest of 80 pictures are among 20 frogs; corrected for 3 concepts x 4 classes
    assert found.base == 0.25
    assert found.p == pytest.approx(12 * stats.hypergeom.pmf(10, 80, 20, 10), rel=1e-6)


def test_false_names_are_as_rare_as_stated():
    labels = torch.arange(80) % 4
    named = 0
    for seed in range(100):
        made = seen(pictures(3, 80, seed=seed), labels)
        named += any(class_shares(made, class_names(made.features, LABELS)))
    assert named <= 10  # at a level of 5 %: 5 of 100 expected, 11 or more in 1 of 90 cases


def test_classes_of_which_there_is_one_picture_each_name_nothing():
    inputs = pictures(2, 4)
    made = seen(inputs, torch.arange(4))
    assert names_by_class(class_shares(made, class_names(made.features, LABELS))) == numbered(2)


def test_folders_tell_classes_that_the_network_does_not_know(tmp_path):
    paths = []
    for place in range(4):
        folder = tmp_path / ("rust", "mildew")[place % 2]
        folder.mkdir(exist_ok=True)
        paths.append(folder / f"{place}.png")
        Image.fromarray(np.full((SIDE, SIDE, 3), 40 * place, np.uint8)).save(paths[-1])
    made = seen(pictures(2, 4))
    features = dataclasses.replace(
        made.features, data=dataclasses.replace(made.features.data, paths=tuple(paths), ready=None)
    )
    assert class_names(features, LABELS) == ("rust", "mildew", "rust", "mildew")
    one = dataclasses.replace(features, data=dataclasses.replace(features.data, paths=(paths[0],) * 4))
    assert class_names(one, LABELS) == (None,) * 4  # one folder for all tells nothing


def test_two_classes_may_share_a_name_and_equal_names_are_told_apart():
    pair = (ClassShare("cat", 0.45, 0.1, 0.0), ClassShare("dog", 0.4, 0.1, 0.0), ClassShare("ant", 0.05, 0.01, 0.01))
    assert names_by_class([pair, (), pair]) == (
        "concept 0 (45 % cat, 40 % dog)",
        "concept 1",
        "concept 2 (45 % cat, 40 % dog)",
    )
    assert distinct(["a", "b", "a"]) == ("a (0)", "b", "a (2)")


def test_a_function_of_the_users_is_given_pictures_and_its_text_is_cleaned():
    given = []

    def name(crops):
        given.append(crops)
        return "  striped\n\x1b[31m<b>fur</b>  "

    picture = Image.new("RGB", (8, 8))
    assert names_by(name, [[picture, picture], []]) == ("striped [31m<b>fur</b>", "concept 1")
    assert len(given) == 1
    assert all(isinstance(one, Image.Image) for one in given[0])
    assert len(clean("x" * 10_000)) == LONGEST
    with pytest.raises(ConfigError, match="returns a text, for concept 0 it returned int"):
        names_by(lambda crops: 7, [[picture]])


def test_names_that_are_written_down_must_be_as_many_as_concepts():
    assert names_given(["wheel", ""], 2) == ("wheel", "concept 1")
    with pytest.raises(ConfigError, match="each of the 3 concepts, got 2"):
        names_given(["wheel", "fur"], 3)
