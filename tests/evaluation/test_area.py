"""Concentration and place are what pencil gives."""

import math

import pytest
import torch

import seewhy
from seewhy.evaluation.area import concentration, evidence_area, place
from seewhy.ops.areas import share_inside, strongest


def explained(heatmap: torch.Tensor, size: int = 10) -> seewhy.Explanation:
    """Return an explanation with a given map of one 10 x 10 image."""
    samples = tuple(seewhy.Sample(torch.zeros(3, size, size)) for _ in heatmap)
    names = ("x",) * len(heatmap)
    return seewhy.Explanation(
        heatmap,
        torch.zeros(len(heatmap)),
        seewhy.method("grad-cam"),
        names,
        "logit",
        samples,
        seewhy.Cost(1, 1),
        notes=((),) * len(heatmap),
    )


def test_an_even_map_is_as_concentrated_as_the_area_is_large():
    assert concentration(explained(torch.ones(1, 10, 10))).item() == pytest.approx(0.2)


def test_a_single_spot_is_fully_concentrated_and_its_area_is_the_spot():
    heatmap = torch.zeros(1, 10, 10)
    heatmap[0, 3, 4] = 2.0
    explanation = explained(heatmap)
    assert concentration(explanation).item() == 1
    assert evidence_area(explanation).sum() == 1


def test_a_ramp_by_pencil():
    heatmap = torch.arange(100.0).view(1, 10, 10)  # the top 20 cells hold 80 + ... + 99 of 0 + ... + 99
    assert concentration(explained(heatmap)).item() == pytest.approx(sum(range(80, 100)) / sum(range(100)))


def test_negative_evidence_does_not_count_and_none_at_all_is_nan():
    assert math.isnan(concentration(explained(-torch.ones(1, 10, 10))).item())
    assert not evidence_area(explained(-torch.ones(1, 10, 10))).any()


def test_the_strongest_area_is_exact_with_ties():
    area = strongest(torch.zeros(2, 7, 5), 0.2)
    assert area.flatten(1).sum(dim=1).tolist() == [7, 7]


def test_share_inside_by_pencil():
    maps = torch.tensor([[[1.0, -5.0], [2.0, 1.0]]])
    area = torch.tensor([[[False, True], [True, False]]])
    assert share_inside(maps, area).tolist() == [0.5]


@pytest.mark.parametrize(
    ("rows", "columns", "words"),
    [
        (slice(0, 30), slice(0, 30), "upper left"),
        (slice(30, 60), slice(30, 60), "centre"),
        (slice(60, 90), slice(30, 60), "lower centre"),
        (slice(30, 60), slice(60, 90), "centre right"),
        (slice(0, 30), slice(0, 60), "upper left and upper centre"),
        (slice(0, 90), slice(0, 90), "spread over the whole picture"),
        (slice(0, 0), slice(0, 0), ""),
    ],
)
def test_the_place_in_words(rows, columns, words):
    area = torch.zeros(90, 90, dtype=torch.bool)
    area[rows, columns] = True
    assert place(area) == words
