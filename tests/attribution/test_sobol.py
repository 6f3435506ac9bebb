"""Sobol: indices in closed form on networks whose cells are pixels."""

from itertools import islice

import pytest
import torch
from gradient_oracle import explained
from torch import nn

import seewhy
from seewhy.ops.filters import resize
from seewhy.ops.masks import sobol_pairs
from seewhy.ops.sensitivity import total_order


def test_on_a_linear_network_each_pixel_has_the_share_of_its_squared_effect(linear, images):
    effect = (linear.weight[1] * images).sum(dim=1).detach()
    expected = effect**2 / (effect**2).sum(dim=(1, 2), keepdim=True)
    found = explained(linear, images, "sobol", cells=8, samples=256, fill="zero")
    torch.testing.assert_close(found.heatmap, expected, rtol=0, atol=0.02)
    within = ((found.heatmap - expected).abs() <= 4 * found.error + 1e-12).double().mean()
    assert within > 0.97


class Product(nn.Module):
    """The product of two corners of the image, each less a half: nothing but interaction."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 1, bias=False)
        self.layer.weight.data.fill_(1.0)

    def forward(self, x):
        x = self.layer(x)
        return ((x[:, :, 0, 0] - 0.5) * (x[:, :, 3, 3] - 0.5)).expand(-1, 2)


def test_what_two_cells_do_together_counts_for_both():
    images = torch.ones(1, 1, 4, 4, dtype=torch.float64)
    found = explained(Product().double(), images, "sobol", cells=4, samples=512, fill="zero").heatmap[0]
    expected = torch.zeros(4, 4).double()
    expected[0, 0] = expected[3, 3] = 1
    torch.testing.assert_close(found, expected, rtol=0, atol=0.05)


def test_by_hand(cnn, images):
    """Rows a, b, then a with one value of b in turn, upsampled; the estimator of Jansen, interpolated between cells."""
    pairs = islice(sobol_pairs(6, torch.Generator().manual_seed(3)), 6)
    base, other = map(torch.stack, zip(*pairs, strict=True))

    def scores(cells):
        masks = resize(cells.view(-1, 3, 2), (8, 8))
        with torch.no_grad():
            return torch.stack([cnn(mask * images)[:, 1] for mask in masks])

    mixed = []
    for cell in range(6):
        changed = base.clone()
        changed[:, cell] = other[:, cell]
        mixed.append(scores(changed))
    indices, errors = total_order(scores(base), scores(other), torch.stack(mixed, dim=1))
    found = explained(cnn, images, "sobol", cells=(3, 2), samples=6, fill="zero", seed=3)
    torch.testing.assert_close(found.heatmap, resize(indices.view(3, 3, 2), (8, 8)), rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(found.error, resize(errors.view(3, 3, 2), (8, 8)), rtol=1e-7, atol=1e-10)


def test_what_it_costs(cnn, images):
    assert explained(cnn, images, "sobol", cells=(2, 3), samples=5).cost == seewhy.Cost(1 + 5 * 8)
    short = explained(cnn, images, "sobol", cells=(2, 3), samples=5, budget=23)
    assert short.cost == seewhy.Cost(1 + 2 * 8)
    assert "the budget of 23 was spent after 2 of 5 samples" in short.notes[0]
    hurried = explained(cnn, images, "sobol", cells=2, samples=1000, budget="0.000001s", rows=1)
    assert hurried.cost == seewhy.Cost(1 + 2 * 6)


def test_the_cost_on_a_network_is_known_beforehand(cnn, images):
    session = seewhy.Session(seewhy.Model(cnn, mean=0.0, std=1.0))
    for settings in ({"samples": 3}, {"samples": 3, "cells": (2, 5)}, {"cells": 2, "budget": 30}):
        method = seewhy.method("sobol", **settings)
        assert session.cost_of(method, images) == session.explain(images, 1, method).cost
    assert session.cost_of(seewhy.method("sobol", budget="1s"), images) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 1}, "at least 2 samples"),
        ({"cells": 0}, "at least 1 cell"),
        ({"budget": 50}, "a budget of at least 2 x 51 forwards with these cells, got 50"),
        ({"cells": (7,)}, "one for each of the 2 axes"),
    ],
)
def test_bad_settings(settings, message, cnn, images):
    with pytest.raises(seewhy.ConfigError, match=message):
        explained(cnn, images, "sobol", **settings)
