"""How much concepts count: by pencil where the head is linear, against all orders where it is not."""

from itertools import permutations

import pytest
import torch
from planted_concepts import channels_as_concepts, features_of, pictures, replay_of, session_of

from seewhy.concepts.weighing import ORDERS, drawn_places, weighed
from seewhy.errors import ConfigError

WEIGHT = torch.tensor([[1.0, -2.0, 0.0, 3.0], [0.5, 0.0, 0.0, -1.0], [0.0, 1.0, 0.0, 0.0]])


@pytest.mark.parametrize("by", ["shapley", "ablation"])
def test_behind_a_linear_head_a_concept_counts_code_times_weight(by):
    session, inputs = session_of(WEIGHT), pictures(4)
    found = features_of(session, inputs, torch.arange(len(inputs)) % 3)
    made = weighed(replay_of(session, found, channels_as_concepts(4)), by)
    mean = inputs.mean(dim=(2, 3)).double()
    assert made.alone.additive
    assert made.exact
    assert torch.allclose(made.values, mean * WEIGHT[torch.arange(len(inputs)) % 3].double(), atol=1e-5)
    assert (made.values[:, 2].abs() < 1e-6).all()  # a concept without weight does nothing


def test_behind_a_linear_head_the_sobol_index_is_the_share_of_the_variance():
    session, inputs = session_of(WEIGHT), pictures(4)
    found = features_of(session, inputs, torch.zeros(len(inputs), dtype=torch.long))
    made = weighed(replay_of(session, found, channels_as_concepts(4)), "sobol")
    squares = (inputs.mean(dim=(2, 3)).double() * WEIGHT[0].double()).square()
    assert torch.allclose(made.values, squares / squares.sum(dim=1, keepdim=True), atol=1e-5)


def test_shapley_values_add_up_to_all_minus_none_where_effects_do_not_add_up():
    generator = torch.Generator().manual_seed(1)
    atoms_touch = torch.rand(3, 3, generator=generator)  # concepts share channels, so the squares of the head mix them
    session, inputs = session_of(torch.randn(2, 3, generator=generator), squared=True), pictures(3, count=6)
    found = features_of(session, inputs)
    dictionary = channels_as_concepts(3)
    mixed = type(dictionary)(atoms_touch, dictionary.offset, names=dictionary.names, layer="layer")
    replay = replay_of(session, found, mixed)
    made = weighed(replay, "shapley")
    assert not made.alone.additive
    rows = torch.arange(len(inputs))
    fall = (made.alone.whole - made.alone.end)[rows, made.classes].double()
    assert torch.allclose(made.values.sum(dim=1), fall, atol=1e-5)


def test_shapley_values_of_two_concepts_are_the_mean_over_both_orders():
    session, inputs = session_of(torch.tensor([[1.0, 2.0], [0.0, 0.0]]), squared=True), pictures(2, count=5)
    found = features_of(session, inputs, torch.zeros(5, dtype=torch.long))
    dictionary = channels_as_concepts(2)
    mixed = type(dictionary)(torch.tensor([[1.0, 0.5], [0.2, 1.0]]), dictionary.offset, names=("a", "b"), layer="layer")
    replay = replay_of(session, found, mixed)
    made = weighed(replay, "shapley")
    assert ORDERS == 2  # one order and its reverse are all that there are of two
    corners = {mask: replay.scores(torch.tensor([[mask]]).float())[:, 0] for mask in ((1, 1), (0, 1), (1, 0), (0, 0))}
    expected = torch.zeros(5, 2, dtype=torch.float64)
    for order in permutations(range(2)):
        left = [1, 1]
        for concept in order:
            before = corners[tuple(left)]
            left[concept] = 0
            expected[:, concept] += (before - corners[tuple(left)]) / 2
    assert torch.allclose(made.values, expected, atol=1e-6)


def test_sampled_sobol_indices_come_near_the_shares_of_an_additive_function(monkeypatch):
    session, inputs = session_of(WEIGHT), pictures(4, count=4)
    found = features_of(session, inputs, torch.zeros(4, dtype=torch.long))
    replay = replay_of(session, found, channels_as_concepts(4))
    exact = weighed(replay, "sobol").values
    monkeypatch.setattr("seewhy.concepts.replay.SAME", -1.0)  # take nothing for additive, so that it is sampled
    sampled = weighed(replay, "sobol")
    assert not sampled.alone.additive
    assert torch.allclose(sampled.values, exact, atol=0.12)
    assert (sampled.values[:, 2].abs() < 1e-9).all()


def test_masks_of_ones_are_the_networks_own_answers_and_of_zeros_those_without_concepts():
    session, inputs = session_of(WEIGHT), pictures(4, count=3)
    found = features_of(session, inputs)
    replay = replay_of(session, found, channels_as_concepts(4))
    answers = replay.answers(torch.stack([torch.ones(4), torch.zeros(4)])[None])
    bias = session.model.module.bias.detach()
    assert torch.allclose(answers[:, 0], found.outputs, atol=1e-5)
    assert torch.allclose(answers[:, 1], bias.expand(3, -1), atol=1e-5)


def test_what_is_drawn_for_a_picture_does_not_depend_on_the_others():
    session, inputs = (
        session_of(torch.randn(2, 3, generator=torch.Generator().manual_seed(3)), squared=True),
        pictures(3, 6),
    )
    found = features_of(session, inputs)
    dictionary = channels_as_concepts(3)
    mixed = type(dictionary)(torch.rand(3, 3), dictionary.offset, names=dictionary.names, layer="layer")
    replay = replay_of(session, found, mixed)
    whole = weighed(replay, "shapley", seed=4)
    part = weighed(replay.part(torch.arange(4)), "shapley", seed=4)
    assert torch.allclose(whole.values[:4], part.values, atol=1e-6)


def test_of_many_pictures_some_are_drawn_in_order_and_the_same_each_time():
    places = drawn_places(1000, 100, 0)
    assert len(places) == 100
    assert torch.equal(places, places.unique())
    assert torch.equal(places, drawn_places(1000, 100, 0))
    assert not torch.equal(places, drawn_places(1000, 100, 1))


@pytest.mark.door
def test_an_unknown_rule_is_refused_with_those_that_there_are():
    session = session_of(WEIGHT)
    found = features_of(session, pictures(4, 3))
    with pytest.raises(ConfigError, match=r"'shapley', 'sobol', 'ablation'.*'banzhaf'"):
        weighed(replay_of(session, found, channels_as_concepts(4)), "banzhaf")


def test_where_effects_do_not_add_up_fewer_pictures_are_weighed_and_all_figures_are_of_those(monkeypatch):
    monkeypatch.setattr("seewhy.concepts.weighing.SAMPLED", {"shapley": 5, "sobol": 5})
    session, inputs = session_of(torch.ones(2, 3), squared=True), pictures(3, 12)
    found = features_of(session, inputs)
    dictionary = channels_as_concepts(3)
    mixed = type(dictionary)(torch.rand(3, 3), dictionary.offset, names=dictionary.names, layer="layer")
    made = weighed(replay_of(session, found, mixed), "shapley")
    assert len(made.places) == len(made.values) == len(made.alone.whole) == 5
    assert torch.allclose(made.alone.whole, found.outputs[made.places], atol=1e-5)
