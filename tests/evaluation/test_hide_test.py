"""The hide test says yes where hiding matters, no where it does not, and its controls are what they claim to be."""

import pytest
import torch
from torch import nn

import seewhy
from seewhy.core.cost import Cost
from seewhy.engine.block import Question
from seewhy.engine.probe import NetworkProbe
from seewhy.evaluation.hide_test import HideTest, HideTestResult, control_areas, hide
from seewhy.targets import ClassScore, Contrast


class Corner(nn.Module):
    """Sees contrast in the upper left quarter of a 32 x 32 picture, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 1, bias=False)
        self.layer.weight.data.fill_(1.0)

    def forward(self, x):
        seen = self.layer(x)[:, 0, :12, :12]
        score = 5 * seen.var(dim=(1, 2)) - 2
        return torch.stack([score, -score], dim=1)


def asked(network: nn.Module, images: torch.Tensor, heatmap: torch.Tensor) -> HideTestResult | None:
    """Run the hide test with a map of our own."""
    session = seewhy.Session(seewhy.Model(network, layer="layer"))
    explanation = session.explain(images, 0, "saliency")
    explanation = seewhy.Explanation(
        heatmap,
        explanation.score,
        seewhy.method("grad-cam"),
        explanation.targets,
        "logit",
        explanation.samples,
        Cost(1, 1),
        notes=((),),
    )
    block = session.block(images, explanation.method.needs().__class__())
    return HideTest().run(NetworkProbe(Question(block, ClassScore(0)), block.needs), explanation)[0]


@pytest.fixture
def pictures():
    return torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))


def spot(rows: slice, columns: slice) -> torch.Tensor:
    heatmap = torch.zeros(1, 32, 32)
    heatmap[0, rows, columns] = 1 + torch.rand(
        heatmap[0, rows, columns].shape, generator=torch.Generator().manual_seed(1)
    )
    return heatmap


def test_the_true_place_passes(pictures):
    found = asked(Corner(), pictures, spot(slice(0, 14), slice(0, 14)))
    assert found is not None
    assert found.outcome == "passes"
    assert found.unit == "probability"
    assert found.before == pytest.approx(Corner()(pictures).softmax(dim=1)[0, 0].item())
    assert found.hidden < 0.5 * found.before
    assert found.cost == Cost(forwards=9)
    assert "does use this area" in found.sentence("corner")


def test_a_wrong_place_fails_and_the_sentence_says_so(pictures):
    found = asked(Corner(), pictures, spot(slice(18, 32), slice(18, 32)))
    assert found is not None
    assert found.outcome == "fails"
    assert found.hidden == pytest.approx(found.before, abs=0.02)
    assert "does not show what the answer rests on" in found.sentence("corner")


def test_a_contrast_is_tested_by_its_own_score(pictures):
    session = seewhy.Session(seewhy.Model(Corner(), layer="layer"))
    method = session.resolved(seewhy.method("grad-cam"), pictures)
    block = session.block(pictures, method.needs())
    question = Question(block, Contrast(0, 1))
    explanation = session.attribute(question, method, [seewhy.Sample(pictures[0])])
    (found,) = HideTest().run(NetworkProbe(question, method.needs()), explanation)
    assert found is not None
    assert found.unit == "logit"
    logits = Corner()(pictures)
    assert found.before == pytest.approx((logits[0, 0] - logits[0, 1]).item(), rel=1e-5)


def test_a_map_without_evidence_is_not_tested(pictures):
    assert asked(Corner(), pictures, torch.zeros(1, 32, 32)) is None


@pytest.mark.parametrize("shape", [(32, 32), (24, 40)])
def test_controls_have_the_same_size_and_lie_elsewhere(shape):
    area = torch.zeros(shape, dtype=torch.bool)
    area[3:12, 4:15] = True
    area[3:6, 4:8] = False
    controls = control_areas(area, 8)
    assert controls.shape == (8, *shape)
    assert controls.flatten(1).sum(dim=1).tolist() == [int(area.sum())] * 8
    assert (controls & area).flatten(1).sum(dim=1).max() <= 0.25 * area.sum()
    assert len({tuple(control.flatten().tolist()) for control in controls}) == 8


def test_hiding_leaves_what_is_far_and_blurs_what_is_inside():
    images = torch.randn(1, 3, 50, 50, generator=torch.Generator().manual_seed(0))
    area = torch.zeros(1, 50, 50, dtype=torch.bool)
    area[0, 10:30, 10:30] = True
    hidden = hide(images, torch.full_like(images, 7.0), area)
    torch.testing.assert_close(hidden[..., 15:25, 15:25], torch.full((1, 3, 10, 10), 7.0))
    torch.testing.assert_close(hidden[..., 36:, 36:], images[..., 36:, 36:])


@pytest.mark.parametrize(
    ("hidden", "controls", "outcome"),
    [
        (0.1, (0.78, 0.8, 0.79, 0.81, 0.8, 0.77, 0.8, 0.79), "passes"),
        (0.77, (0.78, 0.8, 0.79, 0.81, 0.8, 0.77, 0.8, 0.79), "unclear"),  # a gap, but a tiny one
        (0.5, (0.9, 0.4, 0.9, 0.8, 0.6, 0.7, 0.8, 0.9), "unclear"),  # one control is lower
        (0.5, (0.1, 0.2, 0.3, 0.2, 0.3, 0.2, 0.1, 0.2), "fails"),
        (0.9, (0.95, 0.95, 0.96, 0.95, 0.95, 0.95, 0.94, 0.95), "fails"),  # hiding raised the probability
    ],
)
def test_the_outcome_by_pencil(hidden, controls, outcome):
    nothing = torch.zeros(1, 1)
    result = HideTestResult(
        0.82, hidden, controls, "probability", nothing.bool(), nothing[None].bool(), nothing[None], Cost(9)
    )
    assert result.outcome == outcome


@pytest.mark.parametrize("settings", [{"share": 0}, {"share": 0.7}, {"controls": 7}])
def test_wrong_settings(settings):
    with pytest.raises(seewhy.ConfigError):
        HideTest(**settings)


def test_figures_that_differ_are_told_apart():
    nothing = torch.zeros(1, 1)
    result = HideTestResult(
        0.3521, 0.3519, (0.3516,) * 8, "probability", nothing.bool(), nothing[None].bool(), nothing[None], Cost(9)
    )
    assert "from 0.3521 to 0.3519" in result.sentence("x")
    assert "leaves 0.3516 ± 0.0000" in result.sentence("x")
    clear = HideTestResult(
        0.95, 0.1, (0.9, 0.94) * 4, "probability", nothing.bool(), nothing[None].bool(), nothing[None], Cost(9)
    )
    assert "from 0.95 to 0.10" in clear.sentence("x")
    small = HideTestResult(
        0.0012, 0.0012, (0.0012,) * 8, "probability", nothing.bool(), nothing[None].bool(), nothing[None], Cost(9)
    )
    assert "from 0.0012 to 0.0012" in small.sentence("x")
