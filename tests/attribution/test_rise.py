"""RISE: its expectation in closed form on a linear network, its standard error, its formula by hand."""

from itertools import islice

import pytest
import torch
from gradient_oracle import explained
from torch import Tensor

import seewhy
from seewhy.ops.masks import random_masks


def spline(distance: Tensor) -> Tensor:
    """Return the cubic B-spline, which is the hat function convolved with itself: 2 / 3 at 0, 0 from 2 on."""
    d = distance.abs()
    return torch.where(d < 1, 2 / 3 - d**2 + d**3 / 2, (2 - d).clamp_min(0) ** 3 / 6)


def likeness(size: int, cells: int) -> Tensor:
    """Return the correlation of two pixels of a mask along an axis."""
    place = torch.arange(size).double() * cells / size
    return spline(place[:, None] - place) / (2 / 3)


def slopes_of(linear, images: Tensor, cells: tuple[int, int]) -> Tensor:
    """Return Cov(m_p, f) / Var(m_p) of a linear network: each pixel's share, spread by the correlation of the masks."""
    share = (linear.weight[1] * (images - images.mean(dim=(2, 3), keepdim=True))).sum(dim=1).detach()
    return torch.einsum("bhw,yh,xw->byx", share, *(likeness(8, count) for count in cells))


@pytest.mark.parametrize(("cells", "keep"), [(3, 0.5), ((2, 5), 0.3)])
def test_on_a_linear_network_it_is_the_slope_within_its_standard_error(cells, keep, linear, images):
    found = explained(linear, images, "rise", cells=cells, keep=keep, samples=2000, fill="mean")
    away = (
        found.heatmap - slopes_of(linear, images, cells if isinstance(cells, tuple) else (cells, cells))
    ) / found.error
    assert away.abs().max() < 4.5
    assert 0.8 < away.square().mean().sqrt() < 1.25


def test_the_standard_error_is_the_spread_over_seeds(linear, images):
    runs = [explained(linear, images[:1], "rise", samples=40, seed=seed, fill="mean") for seed in range(40)]
    spread = torch.stack([run.heatmap for run in runs]).std(dim=0)
    stated = torch.stack([run.error for run in runs]).mean(dim=0)
    assert (stated / spread).log().abs().mean() < 0.2


def masked_scores(network, images: Tensor, masks: Tensor, fill: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.stack([network(fill + mask * (images - fill))[:, 1] for mask in masks[:, None]])


@pytest.fixture
def drawn() -> Tensor:
    return torch.cat(list(islice(random_masks((8, 8), (4, 4), 0.4, torch.Generator().manual_seed(7)), 30)))


def test_the_centred_map_by_hand(cnn, images, drawn):
    scores = masked_scores(cnn, images, drawn, torch.zeros_like(images))  # (n, b)
    centred = scores - scores.mean(dim=0)
    variance = 0.4 * 0.6 * (2 / 3) ** 2
    expected = torch.einsum("nb,nhw->bhw", centred, drawn) / 29 / variance
    found = explained(cnn, images, "rise", samples=30, cells=4, keep=0.4, seed=7, fill="zero")
    torch.testing.assert_close(found.heatmap, expected, rtol=1e-9, atol=1e-11)
    first, second = (
        torch.einsum("nb,nhw->bhw", part - part.mean(dim=0), masks)
        for part, masks in ((scores[::2], drawn[::2]), (scores[1::2], drawn[1::2]))
    )
    r = torch.stack(
        [torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1] for a, b in zip(first, second, strict=True)]
    )
    [(name, figures)] = found.figures.items()
    assert "reliability" in name
    torch.testing.assert_close(torch.tensor(figures).double(), (2 * r / (1 + r)) * (r > 0), rtol=1e-6, atol=1e-8)


def test_the_plain_map_by_hand(cnn, images, drawn):
    scores = masked_scores(cnn, images, drawn, torch.zeros_like(images))
    expected = torch.einsum("nb,nhw->bhw", scores, drawn) / (30 * 0.4)  # equation 6
    found = explained(cnn, images, "rise", samples=30, cells=4, keep=0.4, seed=7, fill="zero", centred=False)
    torch.testing.assert_close(found.heatmap, expected, rtol=1e-9, atol=1e-11)
    products = scores[..., None, None] * drawn[:, None] / 0.4
    torch.testing.assert_close(found.error, products.std(dim=0) / 30**0.5, rtol=1e-7, atol=1e-10)


def test_centring_needs_far_fewer_masks_when_the_score_is_far_from_zero(linear, images):
    """The plain sum also holds the mean score times the mean mask, whose noise grows with the score."""
    linear.bias.data += 50
    truth = slopes_of(linear, images[:1], (7, 7)).flatten()

    def quality(samples: int, centred: bool) -> float:
        maps = [
            explained(linear, images[:1], "rise", samples=samples, centred=centred, seed=seed, fill="mean").heatmap
            for seed in range(8)
        ]
        return sum(float(torch.corrcoef(torch.stack([one.flatten(), truth]))[0, 1]) for one in maps) / len(maps)

    assert quality(50, True) > quality(400, False) + 0.1


class TestBudget:
    def test_forwards_are_counted_and_the_rest_is_said(self, cnn, images):
        found = explained(cnn, images, "rise", samples=50, budget=12)
        assert found.cost == seewhy.Cost(1 + 12) == found.method.cost()
        assert "the budget of 12 was spent after 12 of 50 masks" in found.notes[0]
        whole = explained(cnn, images, "rise", samples=12)
        torch.testing.assert_close(found.heatmap, whole.heatmap)
        assert whole.notes[0] == ()

    def test_a_time_gives_a_map_at_once(self, cnn, images):
        found = explained(cnn, images, "rise", samples=10**9, budget="0.000001s", rows=1)
        assert found.cost == seewhy.Cost(1 + 4)
        torch.testing.assert_close(found.heatmap, explained(cnn, images, "rise", samples=4).heatmap)


def test_masks_are_made_on_the_fly(cnn, images, monkeypatch):
    """However many masks there are, no more of them live at once than one pass holds, and a few."""
    import weakref

    import seewhy.attribution.rise as module

    living, most = weakref.WeakSet(), 0

    def watched(*args: object):
        nonlocal most
        for mask in random_masks(*args):
            living.add(mask)
            most = max(most, len(living))
            yield mask

    monkeypatch.setattr(module, "random_masks", watched)
    explained(cnn, images, "rise", samples=300, rows=12)
    assert most <= 12 // 3 + 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 3}, "at least 4 samples"),
        ({"cells": 0}, "at least 1 cell"),
        ({"keep": 1.0}, "keep between 0 and 1"),
        ({"budget": 3}, "a budget of at least 4 forwards, got 3"),
        ({"cells": (7, 7, 7)}, "one for each of the 2 axes"),
    ],
)
def test_bad_settings(settings, message, cnn, images):
    with pytest.raises(seewhy.ConfigError, match=message):
        explained(cnn, images, "rise", **settings)
