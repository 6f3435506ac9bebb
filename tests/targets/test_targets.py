"""Targets give the number that they name, bound on the unperturbed input."""

import pytest
import torch
from torch import nn

import seewhy
from seewhy.core.trace import Reading
from seewhy.targets import (
    Channel,
    ClassScore,
    Contrast,
    Custom,
    Label,
    Margin,
    Neuron,
    Rank,
    Regression,
    as_target,
    top,
)

LABELS = ["tabby", "tiger cat", "sulphur-crested cockatoo", "crane", "crane"]
LOGITS = torch.tensor([[2.0, 1.0, 0.5, -1.0, 0.0], [0.0, 3.0, 2.5, 1.0, 4.0]])


def score(target, reading=None, then=None):
    """Bind on one reading and score another (the same one by default)."""
    reading = reading or Reading(LOGITS)
    bound = target.bind(reading, LABELS)
    return bound(then or reading), bound


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (ClassScore(), [2.0, 4.0]),
        (ClassScore(1), [1.0, 3.0]),
        (ClassScore("Tiger_Cat"), [1.0, 3.0]),
        (ClassScore("sulphur crested cockatoo"), [0.5, 2.5]),
        (ClassScore((1, 2)), [1.0, 2.5]),
        (ClassScore(1, "probability"), LOGITS.softmax(dim=1)[:, 1].tolist()),
        (ClassScore(1, "log-probability"), LOGITS.log_softmax(dim=1)[:, 1].tolist()),
        (Rank(1), [1.0, 3.0]),
        (Margin(), [1.0, 1.0]),
        (Margin(3), [-3.0, -3.0]),
        (Contrast("tabby", "tiger cat"), [1.0, -3.0]),
        (Label(2), [0.5, 2.5]),
        (Label("tabby", "probability"), LOGITS.sigmoid()[:, 0].tolist()),
        (Regression(3), [-1.0, 1.0]),
        (Regression(3, sign=-1), [1.0, -1.0]),
        (Custom(lambda output: output.square().sum(dim=1)), LOGITS.square().sum(dim=1).tolist()),
        (ClassScore(0) - ClassScore(1), [1.0, -3.0]),
        (2 * ClassScore(0) + ClassScore(1), [5.0, 3.0]),
        (-ClassScore(0), [-2.0, 0.0]),
    ],
)
def test_the_number(target, expected):
    torch.testing.assert_close(score(target)[0], torch.tensor(expected))


@pytest.mark.parametrize("target", [ClassScore(), Rank(0), Margin()])
def test_what_was_decided_stays_decided(target):
    perturbed = Reading(LOGITS.flip(1))
    found, bound = score(target, then=perturbed)
    assert bound.classes == (None if isinstance(target, Margin) else (0, 4))
    other = {ClassScore: 0, Rank: 0, Margin: perturbed.output[0, 1]}[type(target)]
    assert found[0].item() == pytest.approx(float(perturbed.output[0, 0] - other))


def test_names_and_units():
    assert score(ClassScore())[1].names == ("tabby", "crane")
    assert score(Contrast(0, 1))[1].names == ("tabby rather than tiger cat",) * 2
    assert score(ClassScore(0) - 2 * ClassScore(1))[1].names == ("tabby - 2 * tiger cat",) * 2
    assert score(ClassScore(0) - ClassScore(1, "probability"))[1].unit == "mixed units"
    assert score(Regression(0, sign=-1, unit="degrees"))[1].names == ("less of tabby",) * 2
    assert [rank.rank for rank in top(3)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (ClassScore("tigre cat"), "nearest: 'tiger cat'"),
        (ClassScore("crane"), "names 2 classes; say which by index: 3, 4"),
        (ClassScore(5), "the network has 5, from 0 to 4"),
        (ClassScore(-1), "there is no class -1"),
        (ClassScore((0, 1, 2)), "3 classes for 2 images"),
        (Rank(5), "no rank 5"),
        (Contrast(1, 1), "two different classes"),
        (Custom(lambda output: output), r"wanted shape \(2,\), got \(2, 5\)"),
        (Custom(lambda output: 3.0), "returned float"),
    ],
)
def test_a_target_that_does_not_fit(target, words):
    with pytest.raises(seewhy.TargetError, match=words):
        score(target)


@pytest.mark.door
def test_a_class_that_is_neither_index_nor_name():
    with pytest.raises(seewhy.TargetError, match="an index or a name, got float"):
        score(ClassScore(1.5))


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (torch.zeros(2, 3, 4, 4), "not \\(images, classes\\)"),
        (torch.zeros(2, 1), "a single number"),
        (torch.zeros(2), "shape \\(2,\\)"),
    ],
)
def test_a_class_is_asked_of_a_network_that_has_none(output, words):
    with pytest.raises(seewhy.TargetError, match=words):
        ClassScore().bind(Reading(output), None)


def test_a_name_needs_labels():
    with pytest.raises(seewhy.TargetError, match="the model has no labels"):
        ClassScore("tabby").bind(Reading(LOGITS), None)


@pytest.mark.door
@pytest.mark.parametrize(
    "make",
    [
        lambda: ClassScore(0, "odds"),
        lambda: Regression(0, sign=2),
        lambda: top(0),
        lambda: as_target(1.5),
        lambda: as_target(True),
    ],
)
def test_wrong_settings(make):
    with pytest.raises(seewhy.TargetError):
        make()


def test_regression_of_a_network_with_one_output():
    assert Regression().bind(Reading(torch.tensor([1.0, 2.0])), None)(Reading(torch.tensor([3.0, 4.0]))).tolist() == [
        3.0,
        4.0,
    ]


def test_inside_the_network(cnn, images):
    kept = {}
    handle = cnn.body[0].register_forward_hook(lambda module, args, output: kept.update(a=output.clone()))
    cnn(images)
    handle.remove()
    session = seewhy.Session(seewhy.Model(cnn, layer="stem"))
    channel = session.explain(images, Channel("body.0", 2), "saliency")
    torch.testing.assert_close(channel.score, kept["a"][:, 2].mean(dim=(1, 2)).detach())
    neuron = session.explain(images, Neuron("body.0", 2, (3, 4)), "saliency")
    torch.testing.assert_close(neuron.score, kept["a"][:, 2, 3, 4].detach())
    strongest = session.explain(images, Neuron("body.0", 2), "saliency")
    torch.testing.assert_close(strongest.score, kept["a"][:, 2].flatten(1).amax(dim=1).detach())
    rows = (neuron.heatmap > 0).nonzero()[:, 1]
    assert rows.min() >= 1 and rows.max() <= 5  # two 3 x 3 convolutions reach two pixels
    with pytest.raises(seewhy.TargetError, match="6 channels"):
        session.explain(images, Channel("body.0", 6), "saliency")
    with pytest.raises(seewhy.TargetError, match="no position"):
        session.explain(images, Neuron("body.0", 0, (8, 0)), "saliency")


def test_a_neuron_behind_a_layer_is_explained_at_the_layer(cnn, images):
    explanation = seewhy.Session(seewhy.Model(cnn, layer="stem")).explain(images, Channel("body.1", 0), "grad-cam")
    assert explanation.heatmap.shape == (3, 8, 8)
    assert explanation.unit == "activation"


def test_a_vector_layer_as_a_target(images):
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 5), nn.ReLU(), nn.Linear(5, 2)).double()
    explanation = seewhy.Session(network).explain(images, Channel("1", 3), "saliency")
    expected = network[1].weight[3].detach().view(3, 8, 8).abs().amax(dim=0)
    torch.testing.assert_close(explanation.heatmap, expected.expand(3, 8, 8))
