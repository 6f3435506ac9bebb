"""Targets that compare activations: numbers by pencil, and what does not fit is said."""

import pytest
import torch

from seewhy.core.trace import Reading
from seewhy.errors import TargetError
from seewhy.targets import Channel, Direction, Distance, Likeness, Neuron, as_target


def reading(activation: torch.Tensor) -> Reading:
    return Reading(torch.zeros(len(activation), 2), {"layer": activation})


def score(target, activation: torch.Tensor) -> torch.Tensor:
    return target.bind(reading(activation), None)(reading(activation))


GRID = torch.tensor([[[[3.0, 0.0]], [[4.0, 5.0]]]])
"""One image, two channels, one row of two places: (3, 4) and (0, 5)."""


def test_a_direction_is_the_mean_dot_product_with_the_unit_vector():
    torch.testing.assert_close(score(Direction("layer", [2.0, 0.0]), GRID), torch.tensor([1.5]))
    torch.testing.assert_close(score(Direction("layer", [3.0, 4.0]), GRID), torch.tensor([(5.0 + 4.0) / 2]))


def test_the_cosine_weighs_what_points_elsewhere_less_but_never_below_a_tenth():
    # place 1: dot 3, cosine 3/5; place 2: dot 0
    torch.testing.assert_close(score(Direction("layer", [1.0, 0.0], power=2), GRID), torch.tensor([3 * 0.36 / 2]))
    # against the direction: the cosine is -3/5, taken as 0.1
    torch.testing.assert_close(score(Direction("layer", [-1.0, 0.0], power=1), GRID), torch.tensor([-3 * 0.1 / 2]))


def test_an_axis_is_a_channel_and_a_position_is_a_neuron():
    activation = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(0))
    axis = torch.eye(5)[3]
    torch.testing.assert_close(score(Direction("layer", axis), activation), score(Channel("layer", 3), activation))
    for place in ("center", (2, 1)):
        torch.testing.assert_close(
            score(Direction("layer", axis, position=place), activation), score(Neuron("layer", 3, place), activation)
        )


def test_a_layer_without_positions_has_directions_too():
    vectors = torch.tensor([[3.0, 4.0], [1.0, 1.0]])
    torch.testing.assert_close(score(Direction("layer", [0.0, 1.0]), vectors), torch.tensor([4.0, 1.0]))


def test_likeness_of_features_to_themselves_is_their_mean_squared_length_whatever_the_power():
    for power in (0.0, 1.0, 3.0):
        torch.testing.assert_close(score(Likeness("layer", GRID[0], power), GRID), torch.tensor([25.0]))
    torch.testing.assert_close(score(Likeness("layer", GRID[0], 2.0), 3 * GRID), torch.tensor([75.0]))


def test_distance_is_0_at_the_features_1_in_silence_and_squares():
    target = Distance("layer", GRID[0])
    both = torch.cat([GRID, 0 * GRID, 3 * GRID])
    torch.testing.assert_close(score(target, both), torch.tensor([0.0, 1.0, 4.0]))


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (lambda: score(Direction("layer", [1.0, 0.0, 0.0]), GRID), "2 channels; a direction of 3 numbers"),
        (lambda: Direction("layer", [0.0, 0.0]), "not all of them zero"),
        (lambda: Direction("layer", [1.0, 0.0], power=-1), "power"),
        (lambda: score(Direction("layer", [1.0, 0.0], position=(0, 2)), GRID), "1 x 2"),
        (lambda: score(Likeness("layer", torch.ones(2, 3, 3)), GRID), r"\(2, 1, 2\) here and gave \(2, 3, 3\)"),
        (lambda: Distance("layer", torch.zeros(2, 1, 2)), "nothing but zeros"),
        (lambda: score(Channel("layer", 2), GRID), "2 channels, 0 to 1"),
    ],
)
def test_what_does_not_fit_is_said(target, told):
    with pytest.raises(TargetError, match=told):
        target()


def test_short_forms_name_units():
    assert as_target("blocks.8:20") == Channel("blocks.8", 20)
    assert as_target("features.3.conv:7@center") == Neuron("features.3.conv", 7, "center")
    assert as_target("layer4#1:7@3,4") == Neuron("layer4#1", 7, (3, 4))


def test_targets_of_a_layer_do_not_read_the_answer():
    target = 2 * Direction("layer", [1.0, 0.0]) - Distance("other", GRID[0])
    assert not target.reads_answer()
    assert target.needs().layers == {"layer", "other"}
