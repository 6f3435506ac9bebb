"""Maps, keypoints, frames, instances, ordered classes, found labels: numbers by pencil, gradients by finite differences, words for what does not fit."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.core.instances import Instances
from seewhy.core.sample import Sample
from seewhy.core.trace import Reading
from seewhy.errors import TargetError
from seewhy.targets import Expectation, FoundLabels, FrameClass, Instance, Keypoint, MapMean, Near, Regression
from seewhy.targets.instances import soft_overlap

GENERATOR = torch.Generator().manual_seed(7)


def placed(target, output: torch.Tensor, size: tuple[int, ...] = (4, 6), probability="softmax"):
    return target.placed([Sample(torch.zeros(3, *size)) for _ in output], probability)


def bound(target, output: torch.Tensor, **more):
    return placed(target, output, **more).bind(Reading(output), None)


def score(target, output: torch.Tensor, then: torch.Tensor | None = None, **more) -> list[float]:
    return bound(target, output, **more)(Reading(output if then is None else then)).tolist()


DEPTH = torch.arange(24.0).view(1, 4, 6)
FLOW = torch.stack([DEPTH, -DEPTH], dim=1)


@pytest.mark.parametrize(
    ("target", "output", "expected"),
    [
        (MapMean(), DEPTH, 11.5),
        (MapMean(), DEPTH[:, None], 11.5),
        (MapMean((1, 0, 2, 2)), DEPTH, (1 + 2 + 7 + 8) / 4),
        (MapMean((1.5, 0, 1, 1)), DEPTH, 1.5),
        (MapMean((0, 0, 1, 1), sign=-1, reference=3), DEPTH, 3),
        (MapMean((0, 1, 2, 1), channel=1), FLOW, -6.5),
        (MapMean(np.eye(4, 6)), DEPTH, (0 + 7 + 14 + 21) / 4),
    ],
)
def test_the_mean_of_a_map_over_a_region(target, output, expected):
    assert score(target, output) == pytest.approx([expected])


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: score(MapMean(), FLOW), "2 maps; say which: channel=0 to 1"),
        (lambda: score(MapMean(channel=2), FLOW), "there is no map 2"),
        (lambda: score(MapMean((0, 0, 0, 3)), DEPTH), "above 0"),
        (lambda: score(MapMean((9, 0, 2, 2)), DEPTH), "outside of what the network sees"),
        (lambda: score(MapMean(np.ones((3, 3))), DEPTH), "the mask is 3 x 3"),
        (lambda: score(MapMean(), torch.zeros(1, 5)), "more:0"),
        (lambda: MapMean(sign=2), "sign is 1"),
    ],
)
def test_a_map_that_does_not_fit(ask, told):
    with pytest.raises(TargetError, match=told):
        ask()


def test_a_heat_maps_score_is_the_log_share_of_the_frozen_cell():
    heat = torch.zeros(2, 3, 4, 6)
    heat[0, 1, 2, 3], heat[1, 1, 0, 5] = 4, 2
    target = bound(Keypoint(1), heat)
    share = [np.log(np.exp(v) / (np.exp(v) + 23)) for v in (4, 2)]
    torch.testing.assert_close(target(Reading(heat)), torch.tensor(share, dtype=torch.float32))
    assert target.names == ("keypoint 1 at cell 2,3", "keypoint 1 at cell 0,5")
    moved = heat.roll(1, dims=3)  # the peak has moved on; the cell has not
    torch.testing.assert_close(
        target(Reading(moved)), torch.tensor([v - s for v, s in zip(share, (4, 2), strict=True)], dtype=torch.float32)
    )
    assert score(Keypoint(1, "confidence"), heat) == [4, 2]


POINTS = torch.tensor([[[3.0, 4.0, 0.9], [1.0, 2.0, 0.5]]])


def test_coordinates_are_scored_by_distance_direction_or_confidence():
    later = POINTS + torch.tensor([2.0, -1.0, -0.2])
    assert score(Keypoint(0), POINTS, later) == [-5.0]
    assert score(Keypoint(0), POINTS) == [0.0]
    assert score(Keypoint(0, direction=(3, 4)), POINTS) == pytest.approx([(9 + 16) / 5])
    assert score(Keypoint(1, "confidence"), POINTS, later) == pytest.approx([0.3])


def test_the_distance_of_a_point_is_refused_to_methods_that_ask_for_its_gradient():
    with pytest.raises(TargetError, match="has no gradient there"):
        bound(Keypoint(0).suited("gradients", None), POINTS)
    bound(Keypoint(0).suited("answers", None), POINTS)
    bound(Keypoint(0, direction=(1, 0)).suited("gradients", None), POINTS)


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: score(Keypoint(3), torch.zeros(1, 3, 2, 2)), "no class 3"),
        (lambda: score(Keypoint(0), torch.zeros(1, 3)), "points are heat maps"),
        (lambda: score(Keypoint(0, "distance"), torch.zeros(1, 3, 2, 2)), "points given as coordinates"),
        (lambda: score(Keypoint(0, "confidence"), POINTS[..., :2]), "without a confidence"),
        (lambda: Keypoint(0, direction=(0, 0)), "not both zero"),
    ],
)
def test_a_keypoint_that_does_not_fit(ask, told):
    with pytest.raises(TargetError, match=told):
        ask()


FRAMES = torch.tensor([[[0.0, 1], [0, -1], [0, 5], [0, 2]], [[0, 3], [0, 1], [0, 0], [0, 9]]])


@pytest.mark.parametrize(
    ("at", "expected", "names"),
    [
        (2, [5, 0], "class 1 at frame 2"),
        ((1, 4), [2, 10 / 3], "class 1 over frames 1 to 3"),
        ("max", [5, 9], "class 1 at frame 2"),
        ("onset", [1, 3], "class 1 beginning at frame 0"),
    ],
)
def test_a_class_at_frames(at, expected, names):
    target = bound(FrameClass(1, at), FRAMES)
    assert target(Reading(FRAMES)).tolist() == pytest.approx(expected)
    assert target.names[0] == names
    assert target(Reading(FRAMES.flip(1))).tolist() != pytest.approx(expected)  # the frames stay


def test_an_onset_is_the_rise_to_the_first_frame_over_the_threshold():
    late = torch.tensor([[[0.0, -4], [0, -2], [0, 1], [0, 9]]])
    assert score(FrameClass(1, "onset"), late) == [3.0]
    with pytest.raises(TargetError, match=r"never begins: its probability reaches 0\.12"):
        score(FrameClass(1, "onset"), late[:, :2])
    with pytest.raises(TargetError, match="there are no frames 4"):
        score(FrameClass(1, 4), late)
    with pytest.raises(TargetError, match=r"not \(clips, frames, classes\)"):
        score(FrameClass(1), torch.zeros(1, 4))


def test_a_network_with_an_answer_for_each_frame_is_explained_at_the_frame():
    """Each frame's score is the sum of that frame's upper half: the gradient lies there and in no other frame."""

    class PerFrame(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            upper = x[..., :4, :].sum(dim=(1, 3, 4))
            return torch.stack([0 * upper, upper], dim=2)

    with seewhy.Session(seewhy.Model(PerFrame(), frames=5, layout="bcthw")) as session:
        found = session.explain(torch.rand(1, 3, 5, 8, 8, generator=GENERATOR), FrameClass(1, 3), "saliency")
    lit = found.heatmap[0] != 0
    assert lit[3, :4].all() and lit.sum() == 32


def instances() -> torch.Tensor:
    """Three rows: a sure cat left, a dog right, an unsure cat over all; four cells."""
    chances = torch.tensor([[[0.9, 0.0], [0.1, 0.8], [0.2, 0.1]]], dtype=torch.float64)
    masks = torch.tensor([[[1.0, 1, 0, 0], [0, 0, 1, 0.5], [0.5, 0.5, 0.5, 0.5]]], dtype=torch.float64)
    return Instances(chances, masks).packed()


def test_an_instance_is_found_again_by_its_mask_wherever_its_row_has_gone():
    target = bound(Instance(0), instances())
    assert target(Reading(instances())).tolist() == pytest.approx([0.9])
    assert target(Reading(instances().flip(1))).tolist() == pytest.approx([0.9])
    assert target.names == ("class 0 (instance 0)",)
    without = instances()[:, 1:]
    assert target(Reading(without)).tolist() == pytest.approx(
        [0.2 * 1.0 / 3.0]
    )  # the third: smaller sum 1, larger sum 3
    assert target.gone(Reading(without)).tolist() == [True] and target.gone(Reading(instances())).tolist() == [False]


def test_nothing_left_gives_the_floor_and_counts_as_vanished():
    target = bound(Instance(0), instances())
    empty = Instances(torch.zeros(1, 3, 2, dtype=torch.float64), torch.zeros(1, 3, 4, dtype=torch.float64)).packed()
    assert target(Reading(empty)).tolist() == [0.0] and target.gone(Reading(empty)).tolist() == [True]


def test_soft_overlap_is_the_hard_one_for_hard_masks():
    a, b = torch.tensor([[1.0, 1, 1, 0]]), torch.tensor([[[0.0, 1, 1, 1]]])
    assert soft_overlap(a, b).item() == 0.5


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: score(Instance(2), instances()), "no instance 2; 2 were found"),
        (
            lambda: score(Instance(0, least=0.95), instances()),
            "no instance was found .the surest has a probability of 0.9",
        ),
        (lambda: score(Instance(0), torch.zeros(1, 5, 7)), "holds none"),
        (lambda: score(Instance(0), torch.zeros(1, 7)), "holds none"),
    ],
)
def test_an_instance_that_does_not_fit(ask, told):
    with pytest.raises(TargetError, match=told):
        ask()


def test_ordered_classes_have_an_expected_value():
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25]]))
    assert score(Expectation(), logits) == pytest.approx([0.75])
    assert score(Expectation((10, 20, 40), sign=-1), logits) == pytest.approx([-20])
    with pytest.raises(TargetError, match="2 values for 3 classes"):
        score(Expectation((1, 2)), logits)


def test_a_number_counts_from_its_reference_and_why_it_is_so_falls_on_either_side():
    angle = torch.tensor([[12.0], [-3.0]])
    assert score(Regression(0, sign=-1, unit="°", reference=2), angle) == [-10, 5]
    target = bound(Near(2.0), angle)
    assert target(Reading(angle)).tolist() == [0, 0]
    assert target(Reading(angle + 4)).tolist() == target(Reading(angle - 4)).tolist() == [-2, -2]
    with pytest.raises(TargetError, match="no gradient there"):
        bound(Near(2.0).suited("gradients", None), angle)


LOGITS = torch.tensor([[2.0, -1.0, 0.5, 3.0]])


def test_found_labels_are_those_at_their_operating_points_and_what_was_never_learned_is_left_out():
    chances = LOGITS.sigmoid()[0].tolist()
    target = FoundLabels((chances[0], 0.5, 0.7, float("nan")))
    assert target.found(LOGITS, None) == ([0], [3])
    assert FoundLabels(0.5).found(LOGITS, None) == ([3, 0, 2], [])
    assert score(FoundLabels(0.5), LOGITS, probability="sigmoid") == [3.0]
    assert bound(FoundLabels(0.5), LOGITS, probability="sigmoid").probability(Reading(LOGITS)).item() == pytest.approx(
        chances[3]
    )


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: score(FoundLabels(0.99), LOGITS, probability="sigmoid"), "the likeliest is class 3 with 0.95"),
        (lambda: score(FoundLabels(0.5), LOGITS), "probability='sigmoid'"),
        (lambda: score(FoundLabels((0.5, 0.5)), LOGITS, probability="sigmoid"), "2 operating points for 4 labels"),
        (lambda: FoundLabels(50), "probabilities from 0 to 1"),
    ],
)
def test_found_labels_that_do_not_fit(ask, told):
    with pytest.raises(TargetError, match=told):
        ask()


@pytest.mark.parametrize(
    ("target", "shape"),
    [
        (MapMean((1, 0, 3, 2)), (2, 1, 4, 6)),
        (Keypoint(1), (2, 3, 4, 6)),
        (Keypoint(1), (2, 3, 2)),
        (Keypoint(1, direction=(1, 2)), (2, 3, 3)),
        (FrameClass(1, "max"), (2, 4, 3)),
        (FrameClass(1, (0, 3)), (2, 4, 3)),
        (Expectation(), (2, 5)),
        (Near(0.7, value=0.3), (2, 1)),
    ],
)
def test_gradients_are_those_of_finite_differences(target, shape):
    output = torch.randn(shape, generator=GENERATOR, dtype=torch.float64)
    made = bound(target, output)
    assert torch.autograd.gradcheck(lambda seen: made(Reading(seen)), (output + 0.1).requires_grad_())
