"""What a page says beside the question: probabilities as the model states them, and none where it states none."""

import pytest
import torch
from torch import nn

import seewhy
from seewhy.core.trace import Reading
from seewhy.engine.model import Model
from seewhy.report.alternatives import alternatives, left_out
from seewhy.report.examine import Examination, ask, examine
from seewhy.report.numbers import numbers
from seewhy.targets import ClassScore, FoundLabels, Prompts, Region, Regression

LOGITS = torch.tensor([[2.0, -1.0, 0.5, 3.0]])
LABELS = ["a", "b", "c", "d"]


def said(target, probability, most=3, classes=None):
    model = Model(nn.Identity(), labels=LABELS, probability=probability)
    return alternatives(Reading(LOGITS), target, classes, model, most)


def test_probabilities_are_those_that_the_model_states():
    soft, sig = LOGITS.softmax(dim=1)[0], LOGITS.sigmoid()[0]
    assert [(one.name, one.probability) for one in said(ClassScore(), "softmax")] == [
        (LABELS[n], pytest.approx(float(soft[n]))) for n in (3, 0, 2)
    ]
    assert [one.probability for one in said(ClassScore(), "sigmoid")] == pytest.approx(
        [float(sig[n]) for n in (3, 0, 2)]
    )
    assert said(ClassScore(), "none") == ()
    assert [one.asked for one in said(ClassScore(), "softmax", classes=(0,))] == [False, True, False]


def test_all_found_labels_are_said_and_those_never_learned_are_named():
    target = FoundLabels((0.5, 0.5, float("nan"), 0.5))
    assert [one.name for one in said(target, "sigmoid", most=1)] == ["d", "a"]
    assert left_out(LOGITS, target, LABELS) == ("left out, because the network has never learned it: c",)


def test_prompts_stand_beside_each_other():
    target = Prompts(("x", "y"), 1, None, torch.eye(4)[:2], 1.0)
    made = alternatives(Reading(LOGITS), target, None, Model(nn.Identity(), probability="none"), 5)
    assert [one.name for one in made] == ["x", "y"] and [one.asked for one in made] == [False, True]
    assert sum(one.probability for one in made) == pytest.approx(1)


class Pooled(nn.Module):
    """One or more numbers from a 3 x 3 convolution, averaged; or its map."""

    def __init__(self, outputs: int, *, dense: bool = False) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.conv, self.act, self.dense = nn.Conv2d(3, outputs, 3, padding=1), nn.ReLU(), dense

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = self.act(self.conv(x))
        return made if self.dense else made.mean(dim=(2, 3))


def report(network: nn.Module, target, photo, **stated):
    model = Model(network, size=32, mean=0.5, std=0.5, **stated)
    with seewhy.Session(model) as session:
        [sample] = session.samples([photo])
        return examine(ask(session, sample, target, seewhy.method("grad-cam"), Examination()))


def test_a_page_of_several_labels_has_sigmoids_throughout(photo):
    made = report(Pooled(4), FoundLabels(0.5), photo, labels=LABELS, probability="sigmoid")
    assert len(made.answers) == 4 == len(made.top)
    assert all(
        answer.probability == pytest.approx(1 / (1 + torch.exp(torch.tensor(-answer.score)).item()), abs=1e-5)
        for answer in made.answers
    )
    if made.hide_test is not None:
        assert made.hide_test.before == pytest.approx(made.explained.probability, abs=1e-5)
    assert made.limit == pytest.approx(
        max(float(abs(answer.heatmap[answer.heatmap == answer.heatmap]).max()) for answer in made.answers), rel=0.2
    )


def test_a_page_of_a_number_says_no_probability(photo):
    made = report(Pooled(2), Regression(1), photo, probability="none")
    assert made.top == () and made.explained.probability is None
    assert numbers(made)["answers"][0]["probability"] is None


def test_a_page_of_a_region_has_the_mean_probability_of_the_class_over_it(photo):
    made = report(Pooled(3, dense=True), Region(mask=None, index=_most(photo)), photo)
    assert made.top == () and 1 / 3 < made.explained.probability <= 1
    assert made.hide_test is None or made.hide_test.unit == "probability"


def _most(photo) -> int:
    model = Model(Pooled(3, dense=True), size=32, mean=0.5, std=0.5)
    with seewhy.Session(model) as session:
        answer = session.predict(session.samples([photo])[0].inputs[None])
    return int(answer.argmax(dim=1).flatten().mode().values)


def test_a_page_says_which_part_of_the_picture_is_asked_about(photo):
    mask = torch.zeros(64, 96)
    mask[32:, 64:] = 1  # the photo is 96 x 64; a third of its width and half of its height
    made = report(Pooled(3, dense=True), Region(0, mask=mask), photo, fit="squash")
    [line] = [line for line in made.cautions if line.startswith("asked about")]
    assert "17 %" in line and "lower right" in line
