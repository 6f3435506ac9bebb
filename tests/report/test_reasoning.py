"""The student's own map and reasons: they add up to its score."""

import pytest
import torch

import seewhy
from networks import SmallCNN, seeded
from seewhy.api import Session
from seewhy.api.distilling import distillation
from seewhy.data.features import features
from seewhy.report.reasoning import reasoning
from seewhy.report.reasoning_view import _field


@pytest.fixture(scope="module")
def made():
    """Students of a small network over concepts, whose head is sharpened so that it is sure of several classes."""
    network = seeded(SmallCNN()).float()
    network.head.weight.data *= 40
    session = Session(seewhy.Model(network, size=8, mean=0.0, std=1.0, labels=("ant", "bee", "cat", "dog")))
    x = torch.randn(120, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    x = (
        x
        * torch.linspace(0.2, 2, 120)[torch.randperm(120, generator=torch.Generator().manual_seed(1)), None, None, None]
    )
    with torch.no_grad():
        answers = network.eval()(x)
        network.head.bias.data -= answers.mean(dim=0)
        labels = network(x).argmax(dim=1)
    given = features(session, (x, labels), "act")
    return distillation(session, given, ["linear", "additive", "rules"], count=4), given


@pytest.mark.parametrize("kind", ["linear", "additive", "rules"])
def test_start_and_reasons_add_up_to_the_score(made, kind):
    student, given = made[0].students[kind], made[1]
    scores = student.scores(given)
    for row in range(0, 120, 17):
        found = reasoning(student, given, row)
        assert found.answer == student.learned[int(scores[row].argmax())]
        assert found.network == student.labels[int(given.predicted[row])]
        assert found.agrees is (found.answer == found.network)
        for case in found.cases:
            total = case.start + sum(reason.adds for reason in case.reasons)
            assert total == pytest.approx(case.score, abs=1e-3)
            assert case.score == pytest.approx(float(scores[row, student.learned.index(case.answer)]), abs=1e-3)
        assert len(found.cases) == (1 if found.agrees or not found.learned else 2)


def test_the_map_of_a_linear_student_adds_up_to_its_score_but_for_start_and_what_is_usual(made):
    student, given = made[0].students["linear"], made[1]
    model = student.surrogate
    for row in (0, 40, 80):
        case = reasoning(student, given, row).cases[0]
        place = student.learned.index(case.answer)
        field = _field(student, given.part([row]), case)
        usual = float((model.weights[place] * model.mean / model.scale).sum())
        assert field.sum() == pytest.approx(case.score - case.start + usual, rel=1e-3, abs=1e-3)


def test_a_disagreement_is_said_first(made):
    student, given = made[0].students["rules"], made[1]
    apart = (student.predict(given) != given.predicted).nonzero()[:, 0].tolist()
    assert apart, "the test wants a student that errs"
    found = reasoning(student, given, apart[0])
    assert found.lines()[0].startswith(
        f"They disagree: the student says {found.answer}, the network says {found.network}"
    )
