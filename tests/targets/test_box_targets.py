"""Targets about boxes: formulas written a second time, frozen questions, clear refusals, on a detector whose truth is known."""

import pytest
import torch
from PIL import Image

import seewhy
from detectors import KINDS, SQUARE, Listed, SquareDetector, squares
from seewhy.adapters.detections import NamedRows, TorchvisionRows
from seewhy.core.trace import Reading
from seewhy.errors import TargetError
from seewhy.targets import Box, ClassScore, MissedObject, as_target

TWO = ((8, 8, 0, 0.9), (28, 28, 1, 0.8))
"""A red square with its corner at (8, 8), the surer one, and a green one."""


def by_row():
    """Return the detector as a head: a row for each place."""
    return seewhy.Model(
        SquareDetector().eval(),
        size=48,
        mean=0,
        std=1,
        labels=KINDS,
        output=NamedRows(unit="pixel", score="sigmoid", overlap=0.1),
    )


def as_list():
    """Return the detector as a list of what it is sure of, sorted anew each time."""
    return seewhy.Model(Listed().eval(), size=48, mean=0, std=1, labels=KINDS, output=TorchvisionRows(classes=2))


def iou(first, second):
    """Return the intersection over union of two boxes, in plain numbers."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(width, 0) * max(height, 0)
    area = [(one[2] - one[0]) * (one[3] - one[1]) for one in (first, second)]
    return shared / (sum(area) - shared) if sum(area) > shared else 0.0


def d_rise(box, chances, rows):
    """Return max_j IoU(b, b_j) cos(p, p_j) o_j in plain numbers; o is the likeliest class's probability."""
    best = 0.0
    for row in rows:
        other = row[4:]
        dot = sum(a * b for a, b in zip(chances, other, strict=True))
        norm = sum(a * a for a in chances) ** 0.5 * sum(b * b for b in other) ** 0.5
        best = max(best, iou(box, row[:4]) * (dot / norm if norm else 0.0) * max(other))
    return best


def frozen(model, target, picture, access="answers"):
    """Return a target bound on a picture, and what reads another."""
    asked = target.suited(access, model.output)

    def read(pixels):
        with torch.no_grad():
            return Reading(model.pick(model.module(pixels)))

    return asked.bind(read(picture), model.labels), read


@pytest.mark.parametrize("build", [by_row, as_list])
def test_affinity_is_the_formula_of_d_rise(build):
    model, picture = build(), squares(*TWO)
    bound, read = frozen(model, Box(0), picture)
    rows = read(picture).output[0].clone()
    if build is by_row:
        rows[:, 4:] = rows[:, 4:].sigmoid()
    own = max(rows.tolist(), key=lambda row: max(row[4:]))
    draws = torch.Generator().manual_seed(0)
    for _ in range(12):
        changed = picture * (torch.rand(1, 1, 48, 48, generator=draws) > 0.3) + 0.2 * torch.rand(
            1, 1, 48, 48, generator=draws
        )
        seen = read(changed)
        plain = seen.output[0].clone()
        if build is by_row:
            plain[:, 4:] = plain[:, 4:].sigmoid()
        assert float(bound(seen)) == pytest.approx(d_rise(own[:4], own[4:], plain.tolist()), abs=1e-6)


@pytest.mark.parametrize("build", [by_row, as_list])
def test_rise_of_a_box_is_brute_force_d_rise(build):
    model, picture = build(), squares(*TWO)
    method = seewhy.method("rise", samples=40, fill="black")
    with seewhy.Session(model, seed=3) as session:
        made = session.explain(picture, Box(1), methods=method)
    from seewhy.ops.masks import mask_variance, random_masks

    bound, read = frozen(model, Box(1), picture)
    draws = torch.Generator().manual_seed(3)
    stream = random_masks((48, 48), (7, 7), 0.5, draws)
    masks = torch.stack([next(stream)[0] for _ in range(40)]).double()
    scores = torch.tensor([float(bound(read(picture * mask.float()))) for mask in masks], dtype=torch.float64)
    covariance = ((masks - masks.mean(0)) * (scores - scores.mean())[:, None, None]).sum(0) / 39
    torch.testing.assert_close(made.heatmap[0].double(), covariance / mask_variance(0.5, 2), atol=1e-5, rtol=1e-3)


def test_the_score_of_a_frozen_row_does_not_follow_the_surest():
    model = by_row()
    bound, read = frozen(model, Box(0), squares(*TWO), "gradients")
    assert bound.names == ("red",) and bound.unit == "logit"
    # brightness over the ring is 0.8: 12 (0.8 - 0.5)
    assert float(bound(read(squares(*TWO)))) == pytest.approx(3.6, abs=1e-4)
    only_green = squares(TWO[1])
    assert float(bound(read(only_green))) == pytest.approx(-6.0, abs=1e-4)


def test_a_box_of_another_class_that_overlaps_more_does_not_take_the_place():
    model = as_list()
    picture = squares((8, 8, 0, 0.9), (10, 10, 1, 0.8))
    bound, read = frozen(model, Box(0), picture)
    assert bound.names == ("red",)
    both, alone = float(bound(read(picture))), float(bound(read(squares((8, 8, 0, 0.9)))))
    assert both == pytest.approx(alone, abs=0.02) and both > 0.9


def test_rows_that_are_sorted_anew_are_matched_and_give_gradient():
    picture = squares(*TWO)
    with seewhy.Session(as_list()) as session:
        listed = session.explain(picture, Box(1), methods="saliency").heatmap[0]
    with seewhy.Session(by_row()) as session:
        by_place = session.explain(picture, Box(1), methods="saliency").heatmap[0]
    chance = torch.tensor(12 * (0.7 - 0.5)).sigmoid()
    torch.testing.assert_close(listed, by_place * chance * (1 - chance), atol=1e-4, rtol=1e-3)


def test_where_nothing_is_found_the_affinity_is_zero_and_it_is_gone():
    bound, read = frozen(as_list(), Box(0), squares(*TWO))
    nothing = read(torch.full((1, 3, 48, 48), 0.1))
    assert float(bound(nothing)) == 0 and bool(bound.gone(nothing)[0])
    assert not bool(bound.gone(read(squares(*TWO)))[0])


def test_vanishing_is_counted_and_told():
    picture = squares(*TWO)
    method = seewhy.method("occlusion", window=16, stride=16, fill="black")
    with seewhy.Session(as_list()) as session:
        made = session.explain(picture, Box(0), methods=method)
    # of nine windows of 16 pixels only the first holds the square at (8, 8), and the others leave it as it is
    assert made.figures["share of changed images in which it is not found"][0] == pytest.approx(1 / 9)
    assert "red: not found in 1 of 9 changed images (11%)" in made.notes[0]


def test_targets_that_cannot_vanish_count_nothing():
    from networks import SmallCNN, seeded

    with seewhy.Session(seewhy.Model(seeded(SmallCNN()), size=8, mean=0, std=1)) as session:
        made = session.explain(torch.rand(1, 3, 8, 8), methods="occlusion")
    assert not any("share of changed" in name for name in made.figures)


def test_what_is_counted_of_a_block_is_what_is_counted_one_by_one():
    both = torch.cat([squares(*TWO), squares((20, 4, 0, 0.9))])
    with seewhy.Session(as_list()) as session:
        for key in ("rise", "kernel-shap"):
            method = seewhy.method(key, samples=60)
            together = session.explain(both, Box(0), methods=method)
            name = "share of changed images in which it is not found"
            alone = [session.explain(both[at : at + 1], Box(0), methods=method) for at in range(2)]
            assert together.figures[name] == tuple(one.figures[name][0] for one in alone)
            for at, one in enumerate(alone):
                torch.testing.assert_close(together.heatmap[at], one.heatmap[0], atol=1e-4, rtol=1e-3)


def test_a_missed_object_is_as_near_as_any_row_comes():
    weak = squares((8, 8, 0, 0.5))  # brightness over the ring 0.4, under the 0.5 that is needed
    model = by_row()
    bound, read = frozen(model, MissedObject((8, 8, 16, 16), "red"), weak)
    assert bound.names == ("missed red",)
    assert float(bound(read(weak))) == pytest.approx(float(torch.tensor(12 * -0.1).sigmoid()), abs=1e-4)
    assert bool(bound.gone(read(weak))[0]) and not bool(bound.gone(read(squares((8, 8, 0, 0.9))))[0])
    half, _ = frozen(model, MissedObject((8, 8, 16, 12), "red"), weak)
    assert float(half(read(weak))) == pytest.approx(0.5 * float(torch.tensor(12 * -0.1).sigmoid()), abs=1e-4)
    row, _ = frozen(model, MissedObject((8, 8, 16, 16), "red"), weak, "gradients")
    assert float(row(read(weak))) == pytest.approx(-1.2, abs=1e-4) and row.unit == "logit"


def test_what_hides_a_missed_object_is_found():
    # the square at (20, 20) would be found alone; the wide bright block beside it takes its contrast away
    picture = squares((20, 20, 0, 0.8))
    picture[:, 0, 16:32, 28:36] = 0.9
    model = by_row()
    with seewhy.Session(model, seed=0) as session:
        found = model.output.found(session.predict(picture))
        assert all(iou(one.box, (20, 20, 28, 28)) < 0.5 for one in found)
        made = session.explain(
            picture,
            MissedObject((20, 20, 28, 28), "red"),
            methods=seewhy.method("occlusion", window=8, stride=2, fill="black"),
        )
    against = (-made.at((48, 48))[0]).clamp_min(0)
    assert float(against[14:34, 26:36].sum() / against.sum()) > 0.6
    assert float(against[20:28, 20:27].sum() / against.sum()) < 0.1
    cleared = picture.clone()
    cleared[:, 0, 16:32, 28:36] = 0.1
    again = model.output.found(model.pick(model.module(cleared)))
    assert any(iou(one.box, (20, 20, 28, 28)) > 0.9 for one in again)


def test_boxes_of_the_source_are_taken_to_the_input():
    photo = Image.new("RGB", (96, 144), (25, 25, 25))  # twice and three times as large: pad leaves 32 of 48 columns
    for top, left, colour, brightness in TWO:
        channel = [25, 25, 25]
        channel[colour] = round(255 * brightness)
        photo.paste(tuple(channel), (3 * (left - 8), 3 * top, 3 * (left - 8 + SQUARE), 3 * (top + SQUARE)))
    model = seewhy.Model(
        SquareDetector().eval(),
        size=48,
        mean=0,
        std=1,
        labels=KINDS,
        fit="pad",
        output=NamedRows(unit="pixel", score="sigmoid", overlap=0.1),
    )
    with seewhy.Session(model) as session:
        by_place = session.explain(photo, Box((60, 84, 84, 108)), methods="saliency")
        by_number = session.explain(photo, "box:green", methods="saliency")
        missed = session.explain(photo, "missed:green@60,84,24,24", methods="occlusion")
    assert by_place.targets == ("green",)
    assert torch.equal(by_place.heatmap, by_number.heatmap)
    assert float(missed.score[0]) == pytest.approx(float(by_place.score[0].sigmoid()), abs=1e-3)


@pytest.mark.door
@pytest.mark.parametrize(
    ("target", "said"),
    [
        (lambda: Box((0.1, 0.1, 0.4, 0.4)), "in shares of the picture"),
        (lambda: Box((10, 10, 4, 20)), "has no area"),
        (lambda: Box((1, 2, 3)), "four numbers"),
        (lambda: Box((0, 0, float("nan"), 4)), "four finite numbers"),
        (lambda: Box(-1), "numbered from 0"),
        (lambda: Box(0, side="middle"), "one of left, top, right, bottom"),
        (lambda: MissedObject((0, 0, 1, 1), "red"), "in shares of the picture"),
        (lambda: MissedObject("nowhere", "red"), "four numbers"),
    ],
)
def test_boxes_that_are_none_are_refused(target, said):
    with pytest.raises(TargetError, match=said):
        target()


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (Box(2), "no detection 2; 2 were found"),
        (Box("blue"), "no class 'blue'"),
        (Box((40, 0, 48, 8)), "no detection overlaps"),
        (MissedObject((60, 60, 70, 70), "red"), "outside"),
        (MissedObject((0, 0, 8, 8), "blue"), "no class 'blue'"),
    ],
)
def test_questions_about_what_is_not_there_are_refused(target, said):
    photo = Image.fromarray((squares(*TWO)[0].movedim(0, 2) * 255).byte().numpy())
    with seewhy.Session(by_row()) as session, pytest.raises(TargetError, match=said):
        session.explain(photo, target, methods="saliency")


def test_an_empty_answer_says_what_to_ask_instead():
    with seewhy.Session(as_list()) as session, pytest.raises(TargetError, match=r"nothing was found.*MissedObject"):
        session.explain(torch.full((1, 3, 48, 48), 0.1), Box(0), methods="occlusion")


def test_of_a_batch_of_two_the_image_without_the_detection_is_named():
    both = torch.cat([squares(*TWO), squares(TWO[0])])
    with seewhy.Session(as_list()) as session:
        assert session.explain(both, Box(0), methods="occlusion").targets == ("red", "red")
        with pytest.raises(TargetError, match="image 1: there is no detection 1; 1 were found"):
            session.explain(both, Box(1), methods="occlusion")


def test_boxes_of_the_answer_in_the_wrong_unit_are_refused():
    model = seewhy.Model(
        lambda images: {
            "boxes": torch.rand(len(images), 3, 4).sort(dim=-1).values[..., [0, 1, 2, 3]],
            "scores": torch.ones(len(images), 3, 1),
        },
        size=48,
        mean=0,
        std=1,
        output=NamedRows(unit="pixel"),
    )
    with seewhy.Session(model) as session, pytest.raises(TargetError, match="unit='share'"):
        session.explain(torch.rand(1, 3, 48, 48), Box(0), methods="occlusion")


def test_edges_are_asked_by_gradients_alone_where_rows_have_no_identity():
    with seewhy.Session(as_list()) as session, pytest.raises(TargetError, match="edge"):
        session.explain(squares(*TWO), Box(0, side="left"), methods="occlusion")


def test_a_missed_object_that_no_row_overlaps_has_no_gradient():
    with seewhy.Session(as_list()) as session, pytest.raises(TargetError, match="no row of the network overlaps"):
        session.explain(squares(TWO[0]), MissedObject((30, 30, 38, 38), "red"), methods="saliency")


def test_targets_add_and_their_parts_are_suited_each():
    with seewhy.Session(by_row()) as session:
        two = session.explain(squares(*TWO), Box(0) - Box(1), methods="saliency")
        assert two.targets == ("red - green",)
        assert float(two.score[0]) == pytest.approx(3.6 - 2.4, abs=1e-3)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("box:2", Box(2)),
        ("box:person", Box("person")),
        ("box:60,40,200,220", Box((60, 40, 200, 220))),
        ("box:2:left", Box(2, side="left")),
        ("missed:traffic light@60,40,140,180", MissedObject((60, 40, 200, 220), "traffic light")),
        ("missed:3@60,40,140,180", MissedObject((60, 40, 200, 220), 3)),
    ],
)
def test_targets_are_written_as_text(text, wanted):
    assert as_target(text) == wanted


@pytest.mark.parametrize("text", ["box:", "box:1,2,3", "missed:person", "missed:person@1,2,3", "missed:person@a,b,c,d"])
def test_text_that_is_no_target_gets_an_example(text):
    with pytest.raises(TargetError, match=r"for instance|four numbers"):
        as_target(text)


def test_a_class_is_no_question_for_rows():
    with seewhy.Session(by_row()) as session, pytest.raises(TargetError):
        session.explain(squares(*TWO), ClassScore(0), methods="saliency")
