"""Tubes of a clip's map, on paper."""

import pytest
import torch

from seewhy.errors import ConfigError, ShapeError
from seewhy.ops.tubes import margins, threshold, tubes


def two_blobs():
    """Return a map with a heavy blob that moves right in frames 1 to 3, and a light one that stands still in frames 3 to 5."""
    heatmap = torch.zeros(6, 10, 12)
    for step, frame in enumerate((1, 2, 3)):
        heatmap[frame, 1:3, 1 + step : 3 + step] = 2.0 + step
    heatmap[3:6, 7:9, 9:11] = 1.0
    return heatmap


def test_two_separated_blobs_are_two_tubes_with_exact_boxes():
    heavy, light = tubes(two_blobs(), held=1.0)
    assert [(part.frame, part.top, part.left, part.bottom, part.right) for part in heavy.slices] == [
        (1, 1, 1, 3, 3),
        (2, 1, 2, 3, 4),
        (3, 1, 3, 3, 5),
    ]
    assert [part.mass for part in heavy.slices] == [8.0, 12.0, 16.0]
    assert [(part.frame, part.top, part.left, part.bottom, part.right) for part in light.slices] == [
        (frame, 7, 9, 9, 11) for frame in (3, 4, 5)
    ]
    assert (heavy.mass, light.mass) == (36.0, 12.0)
    assert (heavy.share, light.share) == (0.75, 0.25)
    assert heavy.peak.frame == 3
    assert light.peak.frame == 3  # the earliest of equals
    assert [part.centre for part in heavy.slices] == [(2.0, 2.0), (2.0, 3.0), (2.0, 4.0)]


def test_cells_of_tubes_are_the_cells_at_or_above_the_threshold():
    heatmap = torch.rand(5, 8, 8, generator=torch.Generator().manual_seed(3))
    found = tubes(heatmap, held=0.4, least=0)
    marked = torch.stack([tube.cells for tube in found]).sum(dim=0)
    assert torch.equal(marked, (heatmap >= threshold(heatmap, 0.4)).long())  # each cell in one tube at most
    assert sum(tube.mass for tube in found) >= 0.4 * float(heatmap.double().sum())
    assert sum(part.mass for tube in found for part in tube.slices) == pytest.approx(sum(t.mass for t in found))


def test_the_threshold_is_that_of_the_smallest_set():
    heatmap = torch.tensor([4.0, 3.0, 2.0, 1.0, -5.0, 0.0]).view(1, 2, 3)
    assert threshold(heatmap, 0.4) == 4.0
    assert threshold(heatmap, 0.41) == 3.0
    assert threshold(heatmap, 0.7) == 3.0
    assert threshold(heatmap, 1.0) == 1.0
    assert threshold(-heatmap.abs(), 0.5) == float("inf")


def test_corners_in_time_touch_and_gaps_do_not():
    heatmap = torch.zeros(4, 5, 5)
    heatmap[0, 0, 0] = heatmap[1, 1, 1] = 1.0
    assert len(tubes(heatmap, held=1.0)) == 1
    apart = torch.zeros(4, 5, 5)
    apart[0, 0, 0] = apart[2, 0, 0] = 1.0
    assert len(tubes(apart, held=1.0)) == 2


def test_small_tubes_are_dropped_and_a_quantile_is_another_threshold():
    assert len(tubes(two_blobs(), held=1.0, least=0.3)) == 1
    heatmap = two_blobs()
    [only] = tubes(heatmap, quantile=1 - 4 / heatmap.numel())
    assert [part.frame for part in only.slices] == [3]


def test_no_evidence_gives_no_tube():
    assert tubes(torch.zeros(3, 4, 4)) == []
    assert tubes(-torch.ones(3, 4, 4)) == []
    assert tubes(torch.zeros(3, 4, 4), quantile=0.5) == []


@pytest.mark.door
def test_what_is_no_map_of_a_clip_is_refused():
    with pytest.raises(ShapeError, match=r"\(t, h, w\)"):
        tubes(torch.zeros(4, 4))
    with pytest.raises(ConfigError, match="held"):
        tubes(torch.zeros(3, 4, 4), held=0)


def test_margins_of_maps_that_are_pure():
    time, place = torch.tensor([0.0, 1.0, 3.0]), torch.rand(4, 5, generator=torch.Generator().manual_seed(0))
    when = margins(time[:, None, None].expand(3, 4, 5))
    where = margins(place.expand(3, 4, 5))
    assert (when.time, when.space, when.interaction) == pytest.approx((1, 0, 0), abs=1e-12)
    assert (where.time, where.space, where.interaction) == pytest.approx((0, 1, 0), abs=1e-12)
    moving = torch.eye(4)[:, :, None]  # one place a frame: no frame and no place has more than another
    only = margins(moving)
    assert (only.time, only.space, only.interaction) == pytest.approx((0, 0, 1), abs=1e-12)
    assert margins(torch.full((3, 4, 5), 0.3)) is None


def test_margins_of_a_sum_are_the_variances_of_its_terms():
    time, place = torch.tensor([0.0, 1.0, 5.0]), torch.tensor([2.0, 3.0, -1.0, 0.0])
    found = margins(time[:, None, None] + place.view(1, 2, 2))
    a, b = float(time.var(correction=0)), float(place.var(correction=0))
    assert found.time == pytest.approx(a / (a + b))
    assert found.space == pytest.approx(b / (a + b))
    assert found.interaction == pytest.approx(0, abs=1e-12)
