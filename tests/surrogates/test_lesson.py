"""Three parts of the pictures without a common one, each with its share of every class."""

import pytest
import torch

from seewhy.data.dataset import Dataset
from seewhy.data.features import Features
from seewhy.data.shelf import Fingerprint
from seewhy.errors import ConfigError, DataError
from seewhy.surrogates.lesson import Lesson, Splits


def made(outputs, labels):
    count = len(outputs)
    data = Dataset(tuple(map(str, range(count))), tuple(labels.tolist()))
    return Features("a", outputs, None, outputs, labels, data, Fingerprint("", "", {}), (8, 8))


def test_every_picture_is_in_one_part_and_each_class_in_all():
    classes = torch.arange(100) % 4
    splits = Splits.drawn(classes, 0)
    assert torch.cat([splits.fit, splits.choose, splits.report]).sort().values.tolist() == list(range(100))
    for part, share in ((splits.fit, 0.5), (splits.choose, 0.2), (splits.report, 0.3)):
        counts = torch.bincount(classes[part])
        assert (counts - 25 * share).abs().max() <= 1


def test_the_same_seed_draws_the_same_parts_and_another_others():
    classes = torch.arange(60) % 3
    first, again, other = (Splits.drawn(classes, seed) for seed in (1, 1, 2))
    assert torch.equal(first.fit, again.fit) and not torch.equal(first.fit, other.fit)


@pytest.mark.parametrize(("classes", "why"), [([0] * 30, "one class only"), (list(range(30)), "too few of each class")])
def test_what_cannot_be_learned_is_said(classes, why):
    with pytest.raises(DataError, match=why):
        Splits.drawn(torch.tensor(classes), 0)


def test_a_rare_class_is_not_learned_but_counts():
    outputs = torch.eye(3)[torch.tensor([0] * 10 + [1] * 10 + [2] * 2)]
    features = made(outputs, outputs.argmax(1))
    lesson = Lesson.of(outputs, features, torch.arange(22))
    assert lesson.classes == (0, 1)
    assert len(lesson.learnable().x) == 20 and len(lesson.x) == 22


def test_the_network_teaches_probabilities_and_labels_teach_the_truth():
    outputs = torch.tensor([[2.0, 0.0], [0.0, 1.0]] * 5)
    labels = torch.tensor([1, 1] * 3 + [0, 0] * 2)
    network, truth = (Lesson.of(outputs, made(outputs, labels), torch.arange(10), by) for by in ("network", "labels"))
    torch.testing.assert_close(network.targets[0], torch.tensor([0.8808, 0.1192]), atol=1e-4, rtol=0)
    assert truth.targets[0].tolist() == [0.0, 1.0]
    assert network.taught.tolist() == [0, 1] * 5 and truth.taught.tolist() == labels.tolist()


def test_labels_that_are_not_known_cannot_teach():
    outputs = torch.eye(2).repeat(5, 1)
    with pytest.raises(ConfigError, match="10 of 10 pictures have none"):
        Lesson.of(outputs, made(outputs, -torch.ones(10, dtype=torch.long)), torch.arange(10), "labels")
