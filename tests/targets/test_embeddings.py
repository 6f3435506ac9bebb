"""Embedders and image-text networks: numbers by pencil, gradients by finite differences, and what does not fit is said."""

import pytest
import torch

from seewhy.core.trace import Reading
from seewhy.errors import TargetError
from seewhy.targets import Prompts, Similarity, Triplet

OWN = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
TEXTS = torch.tensor([[2.0, 0.0], [0.0, 0.5], [1.0, 1.0]])


def score(target, reading=None) -> list[float]:
    reading = reading or Reading(OWN)
    return target.bind(reading, None)(reading).tolist()


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Similarity([1.0, 0.0]), [0.6, 0.0]),
        (Similarity([10.0, 0.0], "cosine", threshold=0.5), [0.1, -0.5]),
        (Similarity([1.0, 2.0], "dot"), [11.0, 4.0]),
        (Similarity([0.0, 0.0, 1.0][1:], "distance"), [-(18**0.5), -1.0]),
        (Similarity([[1.0, 0.0], [0.0, 1.0]]), [0.6, 1.0]),
        (Triplet([1.0, 0.0], [0.0, 1.0]), [-0.2, -1.0]),
    ],
)
def test_the_number(target, expected):
    assert score(target) == pytest.approx(expected)


def test_a_layers_mean_over_places_is_an_embedding():
    activation = torch.zeros(1, 2, 1, 2)
    activation[0, :, 0] = torch.tensor([[2.0, 4.0], [0.0, 8.0]])  # mean (3, 4)
    reading = Reading(torch.zeros(1, 9, 9, 9), {"pool": activation})
    target = Similarity([1.0, 0.0], layer="pool")
    assert score(target, reading) == pytest.approx([0.6])
    assert not target.reads_answer() and target.needs().layers == {"pool"}


def test_a_batch_is_taken_apart_with_its_references():
    target = Similarity([[1.0, 0.0], [0.0, 1.0]]).part(slice(1, 2), 2)
    assert score(target, Reading(OWN[1:])) == [1.0]
    with pytest.raises(TargetError, match="2 embeddings for 3 images"):
        Similarity([[1.0, 0.0], [0.0, 1.0]]).part(slice(0, 1), 3)


@pytest.mark.parametrize(
    ("index", "unit", "expected"),
    [
        (0, "cosine", [0.6, 0.0]),
        (1, "logit", [8.0, 10.0]),
        (1, "probability", [None, None]),
        (None, None, [None, None]),
    ],
)
def test_prompts_are_cosines_with_a_scale_and_a_softmax_over_all(index, unit, expected):
    target = Prompts(("x", "y", "both"), index, unit, TEXTS, 10.0)
    logits = 10 * torch.tensor([[0.6, 0.8, 1.4 / 2**0.5], [0.0, 1.0, 0.5**0.5]])
    chosen = logits.argmax(dim=1) if index is None else torch.full((2,), index)
    known = (logits.softmax(dim=1) if unit == "probability" else logits.log_softmax(dim=1)).gather(1, chosen[:, None])[
        :, 0
    ]
    wanted = known.tolist() if expected[0] is None else expected
    assert score(target) == pytest.approx(wanted, abs=1e-6)
    assert target.bind(Reading(OWN), None).names == tuple(("x", "y", "both")[int(n)] for n in chosen)


def test_the_text_that_fits_best_is_frozen():
    bound = Prompts(("x", "y"), None, "cosine", TEXTS[:2]).bind(Reading(OWN), None)
    assert bound.names == ("y", "y")
    assert bound(Reading(torch.tensor([[1.0, 0.0], [1.0, 0.0]]))).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    "target",
    [
        Similarity([1.0, 2.0]),
        Similarity([1.0, 2.0], "distance"),
        Triplet([1.0, 0.3], [0.2, 1.0]),
        Prompts(("x", "y", "z"), 0, None, TEXTS, 5.0),
    ],
)
def test_gradients_are_those_of_finite_differences(target):
    own = OWN.double()
    bound = target.bind(Reading(own), None)
    assert torch.autograd.gradcheck(lambda seen: bound(Reading(seen)), own.requires_grad_())


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: score(Similarity([1.0, 0.0, 0.0])), "have 2 numbers, and the one to compare with has shape"),
        (lambda: Similarity([0.0, 0.0]), "not all zero"),
        pytest.param(lambda: Similarity([1.0], "cos"), "one of cosine, dot, distance", marks=pytest.mark.door),
        (lambda: score(Similarity([1.0, 0.0]), Reading(torch.zeros(1, 2, 3, 3))), "name a layer"),
        (lambda: score(Prompts(("x",), 0, None, TEXTS[:1, :1])), "2 numbers, and those of the texts have 1"),
        (lambda: Prompts(("x", "x")), "no two the same"),
        (lambda: Prompts(("x",), unit="probability"), "name rivals"),
        (lambda: Prompts(("x", "y"), embeddings=TEXTS), r"2 prompts want embeddings \(2, d\)"),
        (lambda: Prompts(("x", "y"), 2), "no prompt 2"),
        (lambda: Prompts(("x", "y")).suited("answers", None), "no text side"),
        (lambda: score(Prompts(("x", "y"))), "not embedded yet"),
    ],
)
def test_what_does_not_fit_is_said(ask, told):
    with pytest.raises(TargetError, match=told):
        ask()
