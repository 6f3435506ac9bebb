"""The sparse autoencoder: a few non-zeros, planted directions found, nothing that depends on the batch."""

import pytest
import torch
from laid_out import as_pictures, laid_out, sparse_codes

from seewhy.concepts import sae
from seewhy.concepts.assignment import matching
from seewhy.concepts.fitting import fit_dictionary
from seewhy.concepts.sae import SparseAutoencoder, largest

COUNT, CHANNELS, ACTIVE = 16, 32, 4


def directions() -> torch.Tensor:
    """Return directions of both signs that are not at right angles."""
    drawn = torch.randn(COUNT, CHANNELS, generator=torch.Generator().manual_seed(7))
    return drawn / drawn.norm(dim=1, keepdim=True)


@pytest.fixture(scope="module")
def rows():
    """Activations of both signs, each the sum of up to four planted directions, and an offset; were there always four, it could take part of each."""
    kept = torch.rand(4096, COUNT, generator=torch.Generator().manual_seed(3)) < 0.6
    return (sparse_codes(4096, COUNT, ACTIVE) * kept) @ directions() + torch.linspace(-1, 1, CHANNELS)


@pytest.fixture(scope="module")
def fitted(rows):
    """A sparse autoencoder of as many directions."""
    return SparseAutoencoder.fit(rows, COUNT, seed=0)


def test_the_planted_directions_are_found(fitted):
    likeness = matching(directions(), fitted.atoms).likeness
    assert float(likeness.min()) > 0.95, likeness


def test_it_rebuilds_what_is_a_sum_of_few(rows, fitted):
    left = rows - fitted.decode(fitted.encode(rows))
    assert float(left.square().sum() / (rows - rows.mean(dim=0)).square().sum()) < 0.02


def test_no_more_codes_than_it_says_are_above_zero(rows, fitted):
    counts = (fitted.encode(rows) > 0).sum(dim=1)
    assert int(fitted.active) == sae.ACTIVE == int(counts.max())


def test_exactly_as_many_as_it_says_are_kept_where_as_many_are_above_zero(rows, fitted):
    drive = (rows - fitted.offset) @ fitted.encoder.T / fitted.scale + fitted.bias
    enough = (drive > 0).sum(dim=1) >= sae.ACTIVE
    assert int(enough.sum()) > 100
    assert ((fitted.encode(rows) > 0).sum(dim=1)[enough] == sae.ACTIVE).all()


def test_the_largest_are_kept_and_only_these():
    values = torch.tensor([[0.0, 3.0, 1.0, 2.0], [5.0, 0.0, 0.0, 4.0]])
    assert largest(values, 2).tolist() == [[0.0, 3.0, 0.0, 2.0], [5.0, 0.0, 0.0, 4.0]]


def test_directions_have_length_one(fitted):
    torch.testing.assert_close(fitted.atoms.norm(dim=1), torch.ones(COUNT))


def test_no_direction_stays_dead(rows, fitted):
    assert (fitted.encode(rows) > 0).any(dim=0).all()


def test_a_dead_direction_is_put_where_the_worst_explained_lie(rows):
    training = sae._Training.begun(rows - rows.mean(dim=0), COUNT, ACTIVE, seed=0)
    training.step(0)
    with torch.no_grad():
        training.bias[3] = -1e6
        training.fired[:], training.fired[3] = 1, 0
        training._revive()
        codes, _ = training._rest(training.rows)
    assert float(training.bias.detach()[3]) == 0
    assert float(training.atoms.detach()[3].norm()) == pytest.approx(1, abs=1e-5)
    assert bool((codes[:, 3] > 0).any())


def test_codes_scale_with_activations(rows):
    one, other = (SparseAutoencoder.fit(factor * rows, COUNT, seed=0) for factor in (1.0, 1000.0))
    torch.testing.assert_close(other.encode(1000 * rows[:50]) / 1000, one.encode(rows[:50]), rtol=2e-2, atol=2e-2)


def test_auto_takes_it_for_both_signs_and_says_why(rows):
    made = fit_dictionary(laid_out(as_pictures(rows)), "auto", COUNT)
    assert made.key == "sae"
    assert "some activations are negative" in made.settings["chosen"]


def test_auto_takes_nmf_where_nothing_is_negative(rows):
    made = fit_dictionary(laid_out(as_pictures(rows.relu())), "auto", 4)
    assert made.key == "nmf"
    assert made.settings["chosen"] == "no activation is negative"
