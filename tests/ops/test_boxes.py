"""Boxes against pencil and against counting pixels."""

import itertools

import pytest
import torch

from seewhy.ops.boxes import areas, corners, covered, grown, kept, overlaps, within


def by_counting(first, second, side=24):
    """Return the intersection over union of boxes with whole corners: pixels that both hold, of those that either holds."""
    marks = []
    for x1, y1, x2, y2 in (first, second):
        mark = torch.zeros(side, side, dtype=torch.bool)
        mark[y1:y2, x1:x2] = True
        marks.append(mark)
    both, either = (marks[0] & marks[1]).sum(), (marks[0] | marks[1]).sum()
    return float(both) / float(either)


def test_overlap_is_the_share_of_pixels_that_both_hold():
    draws = torch.Generator().manual_seed(0)
    for _ in range(200):
        first, second = torch.randint(0, 12, (2, 4), generator=draws)
        first[2:] += first[:2] + 1
        second[2:] += second[:2] + 1
        wanted = by_counting(first.tolist(), second.tolist())
        assert float(overlaps(first.double(), second.double())) == pytest.approx(wanted, abs=1e-12)


def test_touching_boxes_do_not_overlap_and_small_ones_are_exact():
    # a box of one pixel more on each side, as some libraries count, would give 0.25 and more here
    assert float(overlaps(torch.tensor([0.0, 0, 1, 1]), torch.tensor([1.0, 0, 2, 1]))) == 0
    assert float(overlaps(torch.tensor([0.0, 0, 0.5, 0.5]), torch.tensor([0.25, 0, 0.75, 0.5]))) == pytest.approx(1 / 3)


def test_boxes_without_area_overlap_nothing_and_give_no_nan():
    flat, real = torch.zeros(3, 4), torch.tensor([0.0, 0, 2, 2])
    assert overlaps(flat, real).tolist() == [0, 0, 0]
    assert overlaps(flat, flat).tolist() == [0, 0, 0]
    turned = torch.tensor([5.0, 5, 1, 1])
    assert float(areas(turned)) == 0


def test_overlap_has_the_gradient_of_its_formula():
    box = torch.tensor([1.0, 2, 6, 7], dtype=torch.float64, requires_grad=True)
    other = torch.tensor([2.0, 1, 9, 5], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda one: overlaps(one, other), (box,))


@pytest.mark.parametrize(
    ("written", "four"), [("xyxy", (2, 3, 8, 7)), ("xywh", (2, 3, 6, 4)), ("cxcywh", (5, 5, 6, 4))]
)
def test_one_box_in_three_forms(written, four):
    assert corners(torch.tensor(four, dtype=torch.float32), written).tolist() == [2, 3, 8, 7]


def test_a_grown_box_has_half_as_much_again_on_both_axes():
    assert grown(torch.tensor([10.0, 20, 14, 28]), 0.5).tolist() == [9, 18, 15, 30]


def test_covered_pixels_add_up_to_the_area_inside():
    box = torch.tensor([-1.25, 2.5, 4.75, 6.0])
    share = covered(box, (8, 6))
    assert float(share.sum()) == pytest.approx(float(areas(within(box, (8, 6)))))
    assert share[2, 0] == 0.5 and share[3, 4] == 0.75 and share[3, 5] == 0 and share[5, 0] == 1


def test_of_two_boxes_of_one_class_the_surer_stays():
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [50, 50, 60, 60]])
    scores = torch.tensor([0.6, 0.9, 0.8, 0.1])
    kinds = torch.tensor([0, 0, 1, 0])
    assert kept(boxes, scores, kinds, 0.5).tolist() == [1, 2, 3]
    assert kept(boxes, scores, kinds, 0.9).tolist() == [1, 2, 0, 3]
    assert kept(boxes[:0], scores[:0], kinds[:0], 0.5).tolist() == []


def test_what_stays_is_what_the_definition_says():
    draws = torch.Generator().manual_seed(1)
    boxes = torch.randint(0, 20, (30, 4), generator=draws).float()
    boxes[:, 2:] += boxes[:, :2] + 4
    scores, kinds = torch.rand(30, generator=draws), torch.randint(0, 2, (30,), generator=draws)
    stay: list[int] = []
    for at in scores.argsort(descending=True).tolist():
        rivals = [one for one in stay if kinds[one] == kinds[at]]
        if all(float(overlaps(boxes[one], boxes[at])) <= 0.3 for one in rivals):
            stay.append(at)
    assert kept(boxes, scores, kinds, 0.3).tolist() == stay
    assert all(
        float(overlaps(boxes[a], boxes[b])) <= 0.3 for a, b in itertools.combinations(stay, 2) if kinds[a] == kinds[b]
    )
