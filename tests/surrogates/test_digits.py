"""Real digits, a network trained here: readable models of it reach what they promise."""

import importlib.util
from pathlib import Path

import pytest
import torch

import seewhy

EXAMPLE = Path(__file__).parents[2] / "examples" / "distill_digits.py"


@pytest.fixture(scope="module")
def digits():
    spec = importlib.util.spec_from_file_location("distill_digits", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    with torch.random.fork_rng():
        pictures, labels = example.digits()
        network = example.trained(pictures[: example.LEARNED], labels[: example.LEARNED])
    model = seewhy.Model(network, size=8, mean=0, std=1, channels="grey", name="digits")
    return model, (pictures[example.LEARNED :], labels[example.LEARNED :])


def test_a_linear_student_of_ten_non_zeros_a_class_says_what_the_network_says(digits):
    model, data = digits
    student = seewhy.distill(model, data, into="linear", points=0)
    ten = max((point for point in student.frontier.points if point.size <= 10), key=lambda point: point.size)
    assert ten.fidelity >= 0.9
    assert student.report.network.value > 0.85
    assert abs(student.accuracy - student.report.network.value) < 0.05


def test_the_labels_can_teach(digits):
    model, data = digits
    student = seewhy.distill(model, data, into="linear", teacher="labels")
    assert student.by == "labels"
    assert student.accuracy > 0.85


def test_the_same_seed_gives_the_same_student(digits):
    model, data = digits
    first, again = (seewhy.distill(model, data, into="linear", seed=3) for _ in range(2))
    assert first.text() == again.text() and first.report == again.report
