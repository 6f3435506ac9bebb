"""Regions of a segmenter: numbers by pencil, frozen on the unperturbed answer, and the map lies where the planted network looks."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.core.sample import Sample
from seewhy.core.trace import Reading
from seewhy.errors import TargetError
from seewhy.targets import Region

LABELS = ["sky", "road", "person"]


def maps() -> torch.Tensor:
    """Three classes on 4 x 6 cells: person in two pieces (four cells and one), road below, sky elsewhere."""
    made = torch.zeros(1, 3, 4, 6, dtype=torch.float64)
    made[0, 0] = 1
    made[0, 1, 3] = 2
    made[0, 2, :2, :2] = torch.tensor([[3.0, 4.0], [5.0, 6.0]])
    made[0, 2, 1, 5] = 7
    return made


def bound(target: Region, output: torch.Tensor, size: tuple[int, int] = (4, 6), probability="softmax"):
    samples = [Sample(torch.zeros(3, *size)) for _ in output]
    return target.placed(samples, probability).bind(Reading(output), LABELS)


def score(target: Region, output: torch.Tensor, **more) -> list[float]:
    return bound(target, output, **more)(Reading(output)).tolist()


def mask(rows: slice, columns: slice) -> np.ndarray:
    made = np.zeros((4, 6))
    made[rows, columns] = 1
    return made


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Region("person"), (3 + 4 + 5 + 6 + 7) / 5),
        (Region("person", reduce="sum"), 25),
        (Region("person", component=0), 4.5),
        (Region("person", component=1), 7),
        (Region("person", component=(5.5, 1.5)), 7),
        (Region(1), 2),
        (Region("person", mask=mask(slice(0, 1), slice(0, 3))), (3 + 4 + 0) / 3),
        (Region("person", mask=mask(slice(0, 1), slice(0, 3)), cut="false-negative"), 0),
        (Region("person", mask=mask(slice(0, 1), slice(0, 3)), cut="false-positive"), (5 + 6 + 7) / 3),
        (Region("road", unit="probability"), float(np.exp(2) / (np.exp(2) + 1 + np.exp(1)))),
        (Region("road", unit="log-probability"), float(2 - np.log(np.exp(2) + 1 + np.exp(1)))),
    ],
)
def test_the_number(target, expected):
    assert score(target, maps()) == pytest.approx([expected])


def test_a_border_is_the_cells_on_either_side_of_the_edge():
    output = torch.zeros(1, 2, 9, 9)
    output[0, 0] = 1
    output[0, 1, 2:7, 2:7] = 2
    values = torch.arange(81.0).view(9, 9)
    band = bound(Region(1, cut="border", width=1), output, size=(9, 9))
    seen = torch.zeros(1, 2, 9, 9)
    seen[0, 1] = values
    ring = torch.zeros(9, 9, dtype=torch.bool)
    ring[1:8, 2:7] = ring[2:7, 1:8] = True  # grown by one: no corners
    ring[3:6, 3:6] = False  # shrunk by one
    assert float(band(Reading(seen))[0]) == pytest.approx(float(values[ring].mean()))


def test_the_region_stays_where_it_was_when_the_image_changes():
    target = bound(Region("person"), maps())
    changed = torch.full_like(maps(), -9.0)
    changed[0, 2, 0, 0] = 1
    assert float(target(Reading(changed))) == pytest.approx((1 - 9 * 4) / 5)


@pytest.mark.parametrize("unit", ["logit", "probability", "log-probability"])
@pytest.mark.parametrize("exclusive", [True, False])
def test_the_gradient_is_that_of_finite_differences(unit, exclusive):
    output = torch.randn(2, 3, 4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    target = bound(Region((0, 2), unit=unit, exclusive=exclusive), output)
    assert torch.autograd.gradcheck(lambda seen: target(Reading(seen)), output.requires_grad_())


def test_a_batch_of_two_with_one_target_freezes_each_image_by_itself():
    both = torch.cat([maps(), maps().flip(3)])
    target = bound(Region("person", component=0), both)
    torch.testing.assert_close(target(Reading(both)), torch.tensor([4.5, 4.5], dtype=torch.float64))
    assert bound(Region(("person", "road")), both).names == ("person", "road")


def test_one_map_holds_where_it_is_above_zero_and_sigmoid_models_have_overlapping_classes():
    assert score(Region(), torch.tensor([[[[-1.0, 3.0], [1.0, -5.0]]]]), size=(2, 2)) == [2.0]
    assert score(Region(), torch.tensor([[[-1.0, 3.0], [1.0, -5.0]]]), size=(2, 2)) == [2.0]
    both = torch.tensor([[[[2.0, -1.0]], [[1.0, -2.0]]]])
    assert score(Region(1), both, size=(1, 2), probability="sigmoid") == [1.0]
    with pytest.raises(TargetError, match="road is predicted nowhere"):
        score(Region(1), both, size=(1, 2))


def test_a_mask_at_source_size_counts_cells_of_a_coarser_answer_by_the_share_that_it_covers():
    output = torch.tensor([[[[1.0, 2.0], [4.0, 8.0]], [[0.0, 0.0], [0.0, 0.0]]]])
    source = np.zeros((8, 8))
    source[0:4, 0:6] = 1  # all of the first cell, half of the second
    assert score(Region(0, mask=source), output, size=(8, 8)) == pytest.approx([(1 + 0.5 * 2) / 1.5])


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (
            lambda: score(Region(), maps()),
            r"a region of which class\? predicted here: sky \(54 %\), road \(25 %\), person \(21 %\)",
        ),
        (
            lambda: score(Region("person"), maps().clamp_max(0)),
            "image 0: person is predicted nowhere. predicted here: sky",
        ),
        (lambda: score(Region("person", component=2), maps()), "no component 2; the region has 2 connected pieces"),
        (lambda: score(Region("person", component=(3.0, 3.0)), maps()), "lies in no part of the region"),
        (lambda: score(Region("person", mask=np.ones((5, 6))), maps()), "the mask is 5 x 6, and the input is 4 x 6"),
        (
            lambda: score(Region("person", mask=mask(slice(0, 1), slice(0, 2)), cut="false-negative"), maps()),
            "predicted all over it",
        ),
        (
            lambda: score(Region("road", mask=mask(slice(3, 4), slice(0, 6)), cut="false-positive"), maps()),
            "nowhere outside of the mask",
        ),
        (lambda: Region("road", cut="false-negative"), "needs a mask"),
        pytest.param(lambda: Region("road", cut="edge"), "one of whole, false-negative", marks=pytest.mark.door),
        (lambda: Region("road", mask=np.ones((4, 6))).bind(Reading(maps()), LABELS), "ask with seewhy.explain"),
        (lambda: score(Region("road"), maps()[0, :, :, 0][None, :, 0]), r"region:NAME|label:NAME"),
        (lambda: score(Region(3), maps()), "there is no class 3"),
        (lambda: score(Region("person"), maps() * float("nan")), "NaN"),
    ],
)
def test_what_does_not_fit_is_said(ask, told):
    with pytest.raises(TargetError, match=told):
        ask()


class Planted(nn.Module):
    """A segmenter whose score of class 1 at a place is the mean of the picture around the mirrored place, 3 x 3; class 0 is 0.5."""

    def __init__(self) -> None:
        super().__init__()
        self.around = nn.Conv2d(3, 1, 3, padding=1, bias=False)
        self.around.weight.data.fill_(1 / 27)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = self.around(x).flip(3)
        return torch.cat([torch.full_like(seen, 0.5), seen], dim=1)


@pytest.mark.parametrize("method", ["saliency", "input-x-gradient", "integrated-gradients", "occlusion", "rise"])
def test_the_map_of_a_region_lies_where_the_network_looks_and_not_where_the_region_is(method):
    picture = torch.full((1, 3, 24, 24), 0.1)
    picture[0, :, 8:13, 3:8] = 1  # on the left, so the class is predicted on the right
    settings = {
        "occlusion": {"window": 3, "stride": 2},
        "rise": {"budget": 500},
        "integrated-gradients": {"baseline": "zero"},
    }.get(method, {})
    with seewhy.Session(seewhy.Model(Planted())) as session:
        found = session.explain(picture, Region(1), seewhy.method(method, **settings))
    strong = found.at((24, 24))[0].clamp_min(0)
    strong = strong.where(strong >= 0.5 * strong.max(), torch.zeros(()))
    there = strong[6:15, 1:10].sum() / strong.sum()
    assert there > 0.9, f"{method}: {there:.2f} of the strongest evidence lies around the spot"
    assert strong[:, 14:].sum() == 0 or method == "rise"


def test_a_picture_of_a_file_and_a_mask_in_its_pixels_agree_after_a_crop(photo):
    """The class is predicted over the bright disc; a mask of the disc in source pixels gives nearly the same score."""

    class Bright(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            light = x.mean(dim=1, keepdim=True)
            return torch.cat([0.5 - light, light - 0.5], dim=1)

    model = seewhy.Model(Bright(), size=32, mean=0.0, std=1.0)
    y, x = np.mgrid[:64, :96]
    disc = ((x - 60) ** 2 + (y - 30) ** 2) < 200
    with seewhy.Session(model) as session:
        of_class, of_mask = session.explain(photo, [Region(1), Region(1, mask=disc)], "saliency")
    assert float(of_class.score) == pytest.approx(float(of_mask.score), abs=0.02)
    assert (
        torch.cosine_similarity(of_class.heatmap.flatten(), of_mask.heatmap.flatten(), dim=0) > 0.9
    )  # half cells at the edge
