"""HSIC: cells that matter stand out from chance, others do not; the formula by hand."""

import pytest
import torch
from gradient_oracle import explained
from torch import nn

import seewhy
from seewhy.ops.filters import resize
from seewhy.ops.masks import balanced_cells
from seewhy.ops.sensitivity import hsic


class OneCorner(nn.Module):
    """Looks at one corner of the image only, and not in a straight line."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 1, bias=False)
        self.layer.weight.data.fill_(1.0)

    def forward(self, x):
        return torch.cos(self.layer(x)[:, :, 0, 0]).expand(-1, 2)


def test_only_the_cell_that_the_score_depends_on_is_above_chance():
    images = torch.ones(1, 1, 4, 4, dtype=torch.float64)
    found = explained(OneCorner().double(), images, "hsic", cells=4, samples=200, fill="zero")
    [(chance,)] = found.figures.values()
    others = found.heatmap.flatten()[1:]
    assert found.heatmap[0, 0, 0] > 50 * chance
    assert others.max() < 12 * chance and 0.3 * chance < others.mean() < 2 * chance


def test_by_hand(cnn, images):
    plan = balanced_cells(20, 6, 0.3, torch.Generator().manual_seed(3))
    masks = resize(plan.view(20, 2, 3), (8, 8))
    with torch.no_grad():
        scores = torch.stack([cnn(mask * images)[:, 1] for mask in masks])
    expected, chance = hsic(plan, scores)
    found = explained(cnn, images, "hsic", cells=(2, 3), samples=20, keep=0.3, fill="zero", seed=3)
    torch.testing.assert_close(found.heatmap, resize(expected.view(3, 2, 3), (8, 8)), rtol=1e-8, atol=1e-12)
    torch.testing.assert_close(torch.tensor(found.figures["HSIC by chance"]), chance.float(), rtol=1e-6, atol=0)


def test_the_scale_and_place_of_the_score_do_not_matter(linear, images):
    """The kernel of the scores is as wide as their median distance."""
    before = explained(linear, images, "hsic", samples=30).heatmap
    linear.weight.data *= 1000
    linear.bias.data += 7
    torch.testing.assert_close(explained(linear, images, "hsic", samples=30).heatmap, before)


def test_a_budget(cnn, images):
    found = explained(cnn, images, "hsic", samples=50, budget=12)
    assert found.cost == seewhy.Cost(1 + 12) == found.method.cost()
    assert "the budget of 12 was spent after 12 of 50 masks" in found.notes[0]
    hurried = explained(cnn, images, "hsic", samples=500, budget="0.000001s", rows=1)
    assert hurried.cost == seewhy.Cost(1 + 4)
    assert hurried.method.cost() is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 3}, "at least 4 samples"),
        ({"cells": 0}, "at least 1 cell"),
        ({"keep": 0.0}, "keep between 0 and 1"),
        ({"budget": 2}, "a budget of at least 4 forwards, got 2"),
        ({"cells": (7,)}, "one for each of the 2 axes"),
    ],
)
def test_bad_settings(settings, message, cnn, images):
    with pytest.raises(seewhy.ConfigError, match=message):
        explained(cnn, images, "hsic", **settings)
