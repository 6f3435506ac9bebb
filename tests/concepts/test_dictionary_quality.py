"""Shares of a dictionary: by pencil, by brute force, and through the network's own head."""

import pytest
import torch
from laid_out import as_pictures, laid_out, parts, session_for, sparse_codes

from seewhy.concepts.fitting import fit_dictionary
from seewhy.concepts.kinds import kinds
from seewhy.concepts.nmf import NMF
from seewhy.concepts.pca import PCA
from seewhy.concepts.quality import CONSTANT, DEAD, dead, quality, rebuilt

COUNT, CHANNELS = 4, 12


@pytest.fixture(scope="module")
def session():
    return session_for(CHANNELS)


@pytest.fixture(scope="module")
def found(session):
    generator = torch.Generator().manual_seed(1)
    rows = sparse_codes(512, COUNT, 2) @ parts(COUNT, CHANNELS) + 0.2 * torch.rand(512, CHANNELS, generator=generator)
    return laid_out(as_pictures(rows), session)


def share(rows, rebuilt_rows):
    """Return R² as the textbook has it."""
    rest = (rows - rebuilt_rows).double().square().sum()
    return float(1 - rest / (rows - rows.mean(dim=0)).double().square().sum())


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_shares_are_those_of_a_brute_force(found, kind):
    one = fit_dictionary(found, kind, COUNT)
    rows, codes = found.rows, one.encode(found.rows)
    mean, usual = rows.mean(dim=0), codes.mean(dim=0)
    got = quality(one, found)
    assert got.explained == pytest.approx(share(rows, one.decode(codes)), abs=1e-5)
    for number, concept in enumerate(got.concepts):
        alone = mean + (codes[:, number] - usual[number])[:, None] * one.atoms[number]
        without = codes.clone()
        without[:, number] = usual[number]
        assert concept.alone == pytest.approx(share(rows, alone), abs=1e-4)
        assert concept.lost == pytest.approx(got.explained - share(rows, one.decode(without)), abs=1e-4)
        assert concept.active == pytest.approx(float((codes[:, number] != 0).double().mean()))
    assert got.active == pytest.approx(float((codes != 0).sum(dim=1).double().mean()))


def test_components_at_right_angles_explain_alone_what_is_lost_without_them(found):
    got = quality(PCA.fit(found.rows, COUNT), found)
    for concept in got.concepts:
        assert concept.alone == pytest.approx(concept.lost, abs=1e-4)
    assert sum(concept.alone for concept in got.concepts) == pytest.approx(got.explained, abs=1e-4)


def test_a_dictionary_of_all_channels_keeps_everything(session, found):
    whole = NMF(torch.eye(CHANNELS), torch.zeros(CHANNELS))
    got = quality(whole, found, found.head(session))
    assert got.explained == pytest.approx(1, abs=1e-5)
    assert got.answers.agreement.value == 1
    assert got.answers.r2 == pytest.approx(1, abs=1e-5)


def test_answers_are_those_to_rebuilt_activations(session, found):
    one = fit_dictionary(found, "nmf", COUNT)
    got = quality(one, found, found.head(session))
    weight = session.network.module.weight.detach()
    answers = rebuilt(one, found).mean(dim=(2, 3)) @ weight.T
    same = (answers.argmax(dim=1) == found.predicted).double().mean()
    given, wanted = (v - v.mean(dim=1, keepdim=True) for v in (answers, found.outputs))
    r2 = 1 - (given - wanted).square().sum() / (wanted - wanted.mean(dim=0)).square().sum()
    assert got.answers.agreement.value == pytest.approx(float(same))
    assert got.answers.r2 == pytest.approx(float(r2), abs=1e-4)


def test_planted_concepts_keep_more_of_the_answer_than_random_directions(session, found):
    got = quality(fit_dictionary(found, "nmf", COUNT), found, found.head(session))
    assert got.answers.r2 > got.control.r2 + 0.2


def test_as_many_random_directions_as_channels_keep_everything(session, found):
    got = quality(NMF(torch.eye(CHANNELS), torch.zeros(CHANNELS)), found, found.head(session))
    assert got.control.r2 == pytest.approx(1, abs=1e-4)


def test_dead_and_constant_concepts_are_named():
    rows = torch.rand(32, 4, generator=torch.Generator().manual_seed(0))
    rows[:, 1], rows[:, 2] = 0, 0.5
    got = quality(NMF(torch.eye(4), torch.zeros(4)), laid_out(as_pictures(rows)))
    assert [concept.note for concept in got.concepts] == ["", DEAD, CONSTANT, ""]
    assert dead(got, ("a", "b", "c", "d")) == (f"b ({DEAD})", f"c ({CONSTANT})")
    assert got.concepts[1].lost == got.concepts[2].lost == pytest.approx(0, abs=1e-6)
