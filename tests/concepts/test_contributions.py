"""Concept contributions add up to the score, and a planted concept gets what it adds."""

import dataclasses

import pytest
import torch
from torch import nn

from networks import SmallViT, seeded
from seewhy.api import Session
from seewhy.concepts.contributions import contributions
from seewhy.concepts.fitting import fit_dictionary
from seewhy.concepts.kinds import kinds
from seewhy.concepts.vectors import ConceptVectors
from seewhy.data.features import features
from seewhy.errors import ConfigError, TargetError
from seewhy.targets import Channel, ClassScore, Contrast


def network(behind: nn.Module) -> nn.Module:
    return seeded(nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), behind))


def affine() -> nn.Module:
    return network(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)))


def curved() -> nn.Module:
    return network(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 4)))


PICTURES = torch.randn(24, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABELS = torch.arange(24) % 4


def setting(module, layer="1"):
    session = Session(module)
    given = features(session, (PICTURES, LABELS), layer)
    return session, given, given.head(session)


def split(given, head, target, dictionary):
    return contributions(head, given.raw, given.outputs, target, dictionary)


@pytest.mark.parametrize("kind", sorted(kinds()))
@pytest.mark.parametrize("target", [ClassScore(), ClassScore(2), Contrast(1, 3)])
def test_terms_add_up_on_an_affine_head(kind, target):
    _, given, head = setting(affine())
    if kind not in fitted():
        pytest.skip(f"{kind} is not fitted to activations alone")
    found = split(given, head, target, fit_dictionary(given, kind, 4))
    assert found.affine and found.steps == 1
    total = found.baseline + found.contributions.sum(dim=1) + found.offset + found.rest
    torch.testing.assert_close(total, found.score, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.maps.sum(dim=(2, 3)), found.contributions)
    torch.testing.assert_close(found.residual, found.rest, atol=1e-5, rtol=1e-5)


def fitted():
    return {"nmf", "pca", "kmeans", "sae"}


def test_the_score_is_the_networks():
    session, given, head = setting(affine())
    found = split(given, head, Contrast(1, 3), fit_dictionary(given, "nmf", 4))
    logits = session.predict(PICTURES)
    torch.testing.assert_close(found.score.double(), (logits[:, 1] - logits[:, 3]).double(), atol=1e-5, rtol=1e-5)
    bias = session.network.module[2][2].bias
    torch.testing.assert_close(found.baseline.double(), (bias[1] - bias[3]).expand(24), atol=1e-6, rtol=1e-5)


def test_on_a_curved_head_more_places_are_taken_and_the_error_is_told():
    _, given, head = setting(curved())
    found = split(given, head, ClassScore(0), fit_dictionary(given, "nmf", 4))
    assert not found.affine and found.steps > 1
    total = found.baseline + found.contributions.sum(dim=1) + found.offset + found.rest + found.error
    torch.testing.assert_close(total, found.score)
    assert float(found.error.abs().max()) < 2e-3 * float(found.score.abs().max())


def test_a_probability_is_split_too():
    _, given, head = setting(affine())
    found = split(given, head, ClassScore(unit="probability"), fit_dictionary(given, "pca", 4))
    assert not found.affine
    torch.testing.assert_close(found.score, given.outputs.double().softmax(dim=1).amax(dim=1), atol=1e-5, rtol=1e-5)
    assert float(found.error.abs().max()) < 5e-3


def test_a_planted_concept_gets_everything():
    """The logit is 3 x the mean of u along one atom, so that atom gets all of it, and the others nothing."""
    module = affine()
    _, given, _ = setting(module)
    dictionary = fit_dictionary(given, "nmf", 3)
    pencil = torch.linalg.pinv(dictionary.atoms.double())[:, 1]  # reads the code of atom 1, and 0 of the others
    module[2][2].weight.data[0] = 3 * pencil
    module[2][2].bias.data[0] = 0.5
    _, given, head = setting(module)
    found = split(given, head, ClassScore(0), dictionary)
    codes = dataclasses.replace(dictionary, fingerprint=None).codes(given).mean(dim=(2, 3)).double()
    torch.testing.assert_close(found.contributions[:, 1], 3 * codes[:, 1], atol=1e-4, rtol=1e-4)
    assert float(found.contributions[:, [0, 2]].abs().max()) < 1e-5
    torch.testing.assert_close(found.baseline, torch.full((24,), 0.5, dtype=torch.float64))


def test_permuting_concepts_permutes():
    _, given, head = setting(curved())
    dictionary = fit_dictionary(given, "kmeans", 4)
    order = torch.tensor([2, 0, 3, 1])
    other = dataclasses.replace(dictionary, atoms=dictionary.atoms[order])
    first, second = (split(given, head, ClassScore(1), one) for one in (dictionary, other))
    torch.testing.assert_close(second.maps, first.maps[:, order], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(second.rest_map, first.rest_map, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("target", [ClassScore(2), Contrast(0, 1)])
def test_a_complete_dictionary_gives_hires_cam(target):
    session, given, head = setting(affine())
    complete = fit_dictionary(given, "pca", 6)
    found = split(given, head, target, complete)
    cam = session.explain(PICTURES, target, "hires-cam").heatmap
    assert session.explain(PICTURES, target, "hires-cam").method.layer == "1"
    whole = found.maps.sum(dim=1) + found.offset_map
    torch.testing.assert_close(whole.double(), cam, atol=1e-5, rtol=1e-5)
    assert float(found.rest_map.abs().max()) < 1e-5


def test_on_tokens_the_class_token_belongs_to_the_baseline():
    session = Session(seeded(SmallViT()))
    given = features(session, (PICTURES, LABELS), "blocks.0")
    head = given.head(session)
    found = split(given, head, ClassScore(0), fit_dictionary(given, "pca", 3))
    assert found.maps.shape == (24, 3, 4, 4)
    total = found.baseline + found.contributions.sum(dim=1) + found.offset + found.rest + found.error
    torch.testing.assert_close(total, found.score, atol=1e-5, rtol=1e-5)
    none = given.with_activation(torch.zeros_like(given.activation))
    torch.testing.assert_close(found.baseline, head.answers(none)[:, 0], atol=1e-5, rtol=1e-5)


def test_a_layer_without_places_has_one_number_a_concept():
    _, given, head = setting(affine(), "2.1")
    found = split(given, head, ClassScore(3), fit_dictionary(given, "pca", 6))
    assert found.maps.shape == (24, 6)
    total = found.baseline + found.contributions.sum(dim=1) + found.offset
    torch.testing.assert_close(total, found.score, atol=1e-5, rtol=1e-5)


def test_targets_that_look_inside_and_other_channels_are_refused():
    _, given, head = setting(affine())
    dictionary = fit_dictionary(given, "pca", 3)
    with pytest.raises(TargetError, match="looks at layers"):
        split(given, head, Channel("1", 0), dictionary)
    narrow = dataclasses.replace(dictionary, atoms=dictionary.atoms[:, :4], offset=dictionary.offset[:4])
    with pytest.raises(ConfigError, match="for 4 channels, and layer '1' has 6"):
        split(given, head, ClassScore(0), narrow)


def test_concept_vectors_that_are_alike_do_not_count_twice():
    """Activations are 2 d + 3 e with d and e at 45 degrees: the pencil codes come out, and nothing is left over."""
    session, given, head = setting(affine())
    d, e = torch.zeros(6), torch.zeros(6)
    d[0], e[0], e[1] = 1.0, 1.0, 1.0
    planted = torch.zeros_like(given.activation) + (2 * d + 3 * e)[None, :, None, None]
    vectors = ConceptVectors(torch.stack([d, e]), torch.zeros(6), ("d", "e"), "1")
    found = contributions(head, planted, head.answers(planted), ClassScore(1), vectors)
    weight = session.network.module[2][2].weight[1]
    torch.testing.assert_close(found.contributions[0], torch.stack([2 * weight[0], 3 * (weight[0] + weight[1])]))
    assert float(found.rest.abs().max()) < 1e-5


def test_needs_only_passes_of_the_head():
    session, given, head = setting(affine())
    before = session.cost
    split(given, head, ClassScore(0), fit_dictionary(given, "pca", 3))
    assert (session.cost - before).forwards == 0
