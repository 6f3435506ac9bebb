import pytest
import torch
import torch.nn.functional as F
from gradient_oracle import explained, probe_of

import seewhy
from networks import Linear
from seewhy.core.learning import learn
from seewhy.core.needs import Needs
from seewhy.ops.learned_masks import gauss_enlarged


def planted(
    size: int = 16, corner: tuple[int, int] = (4, 6), side: int = 6
) -> tuple[Linear, torch.Tensor, torch.Tensor]:
    """A linear network that adds up one square of the picture, bright pictures, and where the square is."""
    network = Linear((3, size, size), classes=2)
    square = torch.zeros(size, size, dtype=torch.bool)
    square[corner[0] : corner[0] + side, corner[1] : corner[1] + side] = True
    network.weight.data = torch.zeros(2, 3, size, size)
    network.weight.data[1] = square.float()
    network.bias.data = torch.zeros(2)
    images = 0.5 + torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return network.double().eval(), images, square


class TestThePlantedSquare:
    @pytest.fixture(scope="class")
    def found(self):
        network, images, square = planted()
        settings = {"steps": 150, "cells": 16, "jitter": 0, "fill": "zero"}
        return explained(network, images, "meaningful-perturbation", **settings), square

    def test_what_is_hidden_is_the_square(self, found):
        explanation, square = found
        for heatmap in explanation.heatmap:
            hidden = heatmap > 0.5
            assert (hidden & square).sum() / (hidden | square).sum() > 0.8

    def test_the_score_falls_to_the_rest_and_no_further(self, found):
        explanation, _ = found
        for left in explanation.figures["share of the score left"]:
            assert left == pytest.approx(0.1, abs=0.05)


def test_the_figure_is_what_the_network_says_of_the_mask():
    network, images, _ = planted()
    explanation = explained(network, images, "meaningful-perturbation", steps=20, fill="zero")
    shown = images * (1 - explanation.heatmap)[:, None]
    expected = network(shown)[:, 1] / network(images)[:, 1]  # the fill scores 0
    torch.testing.assert_close(torch.tensor(explanation.figures["share of the score left"]).double(), expected)


def test_where_hiding_costs_more_than_it_gains_nothing_is_hidden(cnn, images):
    found = explained(cnn, images, "meaningful-perturbation", steps=60, sparsity=1e3, smoothness=0.0)
    assert found.heatmap.max() < 1e-6


def test_the_search_written_out_in_plain_torch():
    """The loss and Adam, with autograd through the network itself, on one that rewards hiding."""
    network, pictures, _ = planted(8, (2, 3), 3)
    nothing, whole = network(0 * pictures)[:, 1].detach(), network(pictures)[:, 1].detach()
    cells = torch.full((2, 8, 8), 0.5, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([cells], lr=0.1)
    for _ in range(15):
        masks = gauss_enlarged(cells, (8, 8), 0.625)
        kept = (network(pictures * masks[:, None])[:, 1] - nothing) / (whole - nothing)
        down, across = F.pad(cells.diff(dim=1), (0, 0, 0, 1)), F.pad(cells.diff(dim=2), (0, 1))
        edges = (down**2 + across**2 + 1e-300) ** 1.5
        adam.zero_grad()
        ((kept - 0.1).relu().sum() + (0.7 * (1 - cells) + 2 * edges).sum() / 64).backward()
        adam.step()
        cells.data.clamp_(0, 1)
    settings = {"steps": 15, "fill": "zero", "jitter": 0, "sparsity": 0.7, "smoothness": 2.0}
    found = explained(network, pictures, "meaningful-perturbation", **settings).heatmap
    expected = 1 - gauss_enlarged(cells, (8, 8), 0.625).detach()
    assert expected.max() > 0.5 and expected.min() < 0.1
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)


class TestTheDerivative:
    """One step of plain descent is read off Adam's first step only in sign; so the loop is driven with a stub that keeps it."""

    def test_it_is_that_of_the_whole_loss(self, cnn, images, monkeypatch):
        """Against finite differences of score and penalty together, with no engine in between."""
        start = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        fill, kept = torch.zeros_like(images), {}

        def shown(masks, step):
            big = masks.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
            return torch.stack([torch.lerp(fill, images, one[:, None]) for one in big])

        def loss(masks):
            scores = torch.stack([cnn(pictures)[:, 1] for pictures in shown(masks, 0)])
            return scores.square().sum() + masks.pow(3).sum()

        class Keep(torch.optim.SGD):
            def step(self):
                kept["gradient"] = self.param_groups[0]["params"][0].grad.clone()

        monkeypatch.setattr(torch.optim, "Adam", Keep)
        learn(
            probe_of(cnn, images, Needs()),
            start,
            steps=range(1),
            shown=shown,
            pull=lambda score: 2 * score,
            penalty=lambda masks, step: masks.pow(3).sum(),
            rate=0.1,
        )
        with torch.no_grad():
            for place in [(0, 0, 0, 0), (1, 2, 3, 1), (0, 1, 2, 2), (1, 0, 1, 3)]:
                moved = torch.zeros_like(start)
                moved[place] = 1e-5
                slope = (loss(start + moved) - loss(start - moved)) / 2e-5
                assert float(kept["gradient"][place]) == pytest.approx(float(slope), rel=1e-4, abs=1e-6)


class TestBudget:
    def test_forwards_end_the_search(self, cnn, images):
        found = explained(cnn, images, "meaningful-perturbation", steps=50, budget=7)
        assert found.cost == found.method.cost() == seewhy.Cost(10, 7)
        same = explained(cnn, images, "meaningful-perturbation", steps=7)
        torch.testing.assert_close(found.heatmap, same.heatmap)

    def test_a_clock_ends_it_too(self, cnn, images):
        found = explained(cnn, images, "meaningful-perturbation", steps=100_000, budget="0.3s")
        assert found.method.cost() is None
        assert 1 <= found.cost.backwards < 100_000


def test_a_shift_moves_image_and_fill_and_repeats_the_border():
    from seewhy.attribution.meaningful_perturbation import _shifted

    image = torch.arange(12.0).view(1, 1, 3, 4)
    found = _shifted(image, torch.tensor([1, 2]))
    expected = torch.tensor([[0, 0, 0, 1], [0, 0, 0, 1], [4, 4, 4, 5]]).float()
    assert torch.equal(found[0, 0], expected)


def test_clips_have_masks_over_their_frames():
    class Middle(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Conv3d(1, 1, 1)

        def forward(self, x):
            seen = x[:, :, 2:4, 1:3].sum(dim=(1, 2, 3, 4))
            return torch.stack([seen, -seen], dim=1) + 0 * self.layer(x).sum(dim=(1, 2, 3, 4))[:, None]

    clip = torch.ones(1, 1, 6, 4, 4, dtype=torch.float64)
    session = seewhy.Session(seewhy.Model(Middle().double()))
    method = seewhy.method("meaningful-perturbation", steps=80, jitter=0, fill="zero", smoothness=0.0, blur=0.3)
    heatmap = session.explain(clip, 0, method).heatmap[0]
    assert heatmap[2:4, 1:3].min() > 0.5
    assert heatmap[:2].max() < 0.2 and heatmap[4:].max() < 0.2


@pytest.mark.parametrize(
    "settings",
    [
        {"steps": 0},
        {"cells": 0},
        {"jitter": -1},
        {"sparsity": -1.0},
        {"power": 0.5},
        {"blur": 0.0},
        {"rate": 0.0},
        {"budget": 0},
    ],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(seewhy.ConfigError):
        seewhy.method("meaningful-perturbation", **settings)
