"""What a student is worth, by pencil."""

import pytest
import torch

from seewhy.errors import ConfigError
from seewhy.surrogates.frontier import at_size, smallest_within
from seewhy.surrogates.lesson import Lesson
from seewhy.surrogates.linear import Linear
from seewhy.surrogates.measure import explained, report

NAMES = ("cat", "dog", "cow")


def scores(said):
    return torch.eye(3)[torch.tensor(said)]


def test_shares_are_counted_by_hand():
    network, truth, said = [0, 0, 1, 1, 2, 2], [0, 1, 1, 0, 2, -1], [0, 0, 1, 0, 1, 2]
    found = report(scores(said), Lesson(torch.zeros(6, 1), scores(network), torch.tensor(truth), (0, 1, 2)), NAMES)
    assert found.fidelity.value == pytest.approx(4 / 6)
    assert found.accuracy.value == pytest.approx(3 / 5)  # of the five whose label is known
    assert found.network.value == pytest.approx(3 / 5)
    assert found.errors == 2 and found.on_errors.value == pytest.approx(
        1 / 2
    )  # the first error is shared, the second not
    assert found.recall == {"cat": 1.0, "dog": 0.5, "cow": 0.5}


def test_a_student_of_itself_is_perfect():
    outputs = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    found = report(outputs, Lesson(torch.zeros(40, 1), outputs, outputs.argmin(1), (0, 1, 2)), NAMES)
    assert found.fidelity.value == 1 and found.r2 == pytest.approx(1) and found.on_errors.value == 1
    assert found.accuracy.value == 0


def test_a_class_that_was_not_learned_cannot_be_agreed_on():
    lesson = Lesson(torch.zeros(4, 1), scores([0, 1, 2, 2]), torch.full((4,), -1), (0, 1))
    found = report(torch.eye(2)[torch.tensor([0, 1, 0, 1])], lesson, NAMES)
    assert found.unlearned == 0.5 and found.fidelity.value == 0.5
    assert found.accuracy is None and found.on_errors is None and found.errors == 0


def test_a_factor_and_a_shift_of_each_picture_do_not_matter_to_what_is_explained():
    outputs = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    shift = torch.randn(50, 1, generator=torch.Generator().manual_seed(1))
    assert explained(0.01 * outputs + shift, outputs) == pytest.approx(1)
    assert abs(explained(torch.randn(50, 4, generator=torch.Generator().manual_seed(2)), outputs)) < 0.1


def test_the_smallest_within_the_points_is_taken():
    fidelities = [0.5, 0.8, 0.89, 0.9, 0.88]
    assert [smallest_within(fidelities, points) for points in (0, 1, 10, 50)] == [3, 2, 1, 0]
    with pytest.raises(ConfigError, match="at least 0"):
        smallest_within(fidelities, -1)


def test_the_control_of_a_size_is_never_larger():
    def model(count):
        weights = torch.zeros(2, 8)
        weights[:, :count] = 1
        return Linear(weights, torch.zeros(2), torch.zeros(8), torch.ones(8))

    models = [model(count) for count in (2, 4, 6)]
    assert [at_size(models, size).size for size in (1, 2, 3.5, 5, 9)] == [2, 2, 2, 4, 6]
