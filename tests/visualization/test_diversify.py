"""Diverse pictures: the likeness by an independent formula, and the law that they differ more and still score."""

import itertools

import numpy as np
import pytest
import torch
from painted import small

import seewhy
from seewhy.core.needs import Needs
from seewhy.engine.session import Session
from seewhy.targets import Channel
from seewhy.visualization.diversify import Diversity, diversify, likeness
from seewhy.visualization.maximize import Climb, as_input, maximize
from seewhy.visualization.views import Views

CLIMB = Climb(views=Views(count=2, turn=2.0, scale=0.0, shift=1.0), steps=60)


def by_hand(activation: np.ndarray) -> float:
    """Mean cosine of the Gram matrices of all pairs of rows."""
    grams = [one.reshape(len(one), -1) @ one.reshape(len(one), -1).T for one in activation]
    cosines = [(a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()) for a, b in itertools.combinations(grams, 2)]
    return float(np.mean(cosines))


def test_likeness_is_the_mean_cosine_of_gram_matrices():
    activation = torch.randn(3, 5, 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert float(likeness(activation, 3)) == pytest.approx(by_hand(activation.numpy()), abs=1e-12)
    assert float(likeness(activation[:1].expand(3, -1, -1, -1), 3)) == pytest.approx(1)
    assert float(likeness(torch.eye(4)[:2, :, None, None], 2)) == pytest.approx(0)  # each in a channel of its own


def test_views_of_a_picture_are_averaged_before_pictures_are_compared():
    activation = torch.randn(4, 3, 6, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    grams = activation[..., 0] @ activation[..., 0].transpose(1, 2)
    first, second = grams[:2].mean(0).flatten(), grams[2:].mean(0).flatten()
    expected = torch.cosine_similarity(first, second, dim=0)
    torch.testing.assert_close(likeness(activation, 2), expected)


def test_diverse_pictures_differ_more_than_plain_ones_and_keep_nine_tenths_of_the_score():
    session = Session(small())
    target, layer = Channel("down", 5), "down"
    plain = [maximize(session, target, CLIMB, seed) for seed in range(3)]
    shown = as_input(torch.cat([one.images for one in plain]), session.model)
    seen = session.network.forward(shown, Needs(frozenset({layer}))).reading.activation[layer]
    found = diversify(session, target, CLIMB, count=3, diversity=Diversity())
    assert found.layer == layer
    assert found.plain == float(plain[0].scores[0])
    assert found.likeness < float(likeness(seen, 3)) - 0.05
    assert float(found.pictures.scores.mean()) >= 0.9 * found.plain
    again = diversify(session, target, CLIMB, count=3, diversity=Diversity())
    assert torch.equal(found.pictures.images, again.pictures.images)


def test_a_class_is_compared_at_the_layer_that_methods_look_at():
    made = seewhy.visualize(small(), "b", count=2, diversity=True, steps=8)
    assert len(made) == 2
    assert "at act" in made.remarks[0]
