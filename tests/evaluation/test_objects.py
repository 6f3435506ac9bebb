"""Objects and where their evidence lies: matching and shares by pencil, planted truth on a detector that is known."""

import math

import pytest
import torch
from PIL import Image

import seewhy
from detectors import KINDS, Listed, SquareDetector, squares
from seewhy.adapters.detections import NamedRows, TorchvisionRows
from seewhy.core.cost import Cost
from seewhy.core.explanation import Explanation
from seewhy.core.sample import Geometry, Sample
from seewhy.data.truth import Truth
from seewhy.errors import TargetError
from seewhy.evaluation.object_evidence import measured
from seewhy.evaluation.objects import Thing, explained, matched, things
from seewhy.targets import Box


def detector(build=SquareDetector):
    rows = (
        NamedRows(unit="pixel", score="sigmoid", overlap=0.1)
        if build is SquareDetector
        else TorchvisionRows(classes=len(KINDS))
    )
    return seewhy.Model(build().eval(), size=48, mean=0, std=1, labels=KINDS, output=rows)


def photo_of(pictures):
    return Image.fromarray((pictures[0].movedim(0, 2) * 255).round().byte().numpy())


def test_the_surest_detection_takes_the_object():
    truths = (Truth("car", (0, 0, 10, 10)), Truth("car", (20, 0, 30, 10)), Truth("person", (0, 0, 10, 10)))
    boxes = [(0, 0, 10, 9), (0, 0, 10, 10), (20, 0, 30, 20), (50, 50, 60, 60)]
    found = matched(boxes, ["car", "car", "car", "person"], truths)
    assert found.pairs == ((0, pytest.approx(0.9)), None, (1, pytest.approx(0.5)), None)
    assert found.missed == (2,)


def test_a_crowd_is_neither_missed_nor_a_false_alarm():
    truths = (Truth("person", (0, 0, 100, 100), crowd=True),)
    found = matched([(10, 10, 20, 20), (95, 95, 120, 120)], ["person", "person"], truths)
    assert found.pairs == (None, None) and found.missed == () and found.ignored == {0}


def even(heatmap, **changes):
    """Return an explanation that holds this map of a ready input."""
    sample = changes.pop("sample", Sample(torch.zeros(3, *heatmap.shape)))
    return Explanation(
        heatmap=heatmap[None],
        score=torch.zeros(1),
        method=seewhy.method(changes.pop("method", "occlusion")),
        targets=("square",),
        unit="affinity",
        samples=(sample,),
        cost=Cost(1),
        **changes,
    )


def thing(box, truth=None):
    return Thing("0", "found", "square", 1.0, box, truth, None, Box(0))


def test_an_even_map_has_the_shares_of_the_area():
    made = measured(even(torch.ones(40, 40)), thing((10, 10, 20, 20)))
    # the box is 100 of 1600 pixels, the ring 225 - 100
    for shares in (made.for_it, made.chance):
        assert shares.inside == pytest.approx(100 / 1600, abs=2e-4)
        assert shares.ring == pytest.approx(125 / 1600, abs=2e-3)
        assert shares.inside + shares.ring + shares.outside == pytest.approx(1)


def test_evidence_is_where_it_was_put():
    values = torch.zeros(100, 100)
    values[40:60, 40:60] = 1.0
    inside = measured(even(values), thing((30, 30, 70, 70)))
    assert inside.for_it.inside > 0.99 and inside.hit
    beside = measured(even(values), thing((0, 0, 20, 20)))
    assert beside.for_it.outside > 0.99 and not beside.hit
    assert math.isnan(inside.against.inside)


def test_the_margin_of_a_letterbox_is_no_area():
    geometry = Geometry(source=(50, 100), window=(-25.0, 0.0, 75.0, 100.0), size=(100, 100))
    sample = Sample(torch.zeros(3, 100, 100), Image.new("RGB", (100, 50)), geometry)
    made = measured(even(torch.ones(100, 100), sample=sample), thing((0, 0, 50, 50)))
    # half of the picture, although a quarter of the input; the ring reaches 12.5 pixels to the right
    assert made.chance.inside == pytest.approx(0.5)
    assert made.chance.ring == pytest.approx(0.125)


def test_evidence_in_a_mask_and_in_its_box():
    values = torch.zeros(40, 40)
    values[10:20, 10:20] = 1.0
    mask = torch.zeros(40, 40, dtype=torch.bool)
    mask[10:20, 10:15] = True
    made = measured(
        even(values, method="grad-cam"), thing((10, 10, 20, 20), Truth("square", (10, 10, 20, 20), mask=mask))
    )
    assert made.in_truth == pytest.approx(0.5) and made.chance_in_truth == pytest.approx(50 / 1600)
    assert made.against is None
    large = torch.zeros(80, 80, dtype=torch.bool)
    large[20:40, 20:30] = True
    geometry = Geometry(source=(80, 80), window=(0.0, 0.0, 80.0, 80.0), size=(40, 40))
    sample = Sample(torch.zeros(3, 40, 40), Image.new("RGB", (80, 80)), geometry)
    twice = measured(
        even(values, method="grad-cam", sample=sample),
        thing((20, 20, 40, 40), Truth("square", (20, 20, 40, 40), mask=large)),
    )
    assert twice.in_truth == pytest.approx(0.5) and twice.chance_in_truth == pytest.approx(50 / 1600)


def test_noise_within_two_standard_errors_is_no_evidence():
    values = torch.full((40, 40), 0.01)
    values[10:20, 10:20] = 1.0
    noisy = measured(even(values), thing((8, 8, 22, 22)))
    told = measured(even(values, error=torch.full((1, 40, 40), 0.02)), thing((8, 8, 22, 22)))
    assert noisy.for_it.inside < 0.9
    assert told.for_it.inside > 0.99


@pytest.mark.parametrize("build", [SquareDetector, Listed])
def test_masks_shown_once_give_the_maps_of_each_object_alone(build):
    model = detector(build)
    sample = Sample(squares((8, 8, 0, 0.9), (28, 28, 1, 0.8))[0])
    method = seewhy.method("rise", samples=60)
    with seewhy.Session(model, seed=2) as session:
        listed, _ = things(session, sample, None, 8)
        before = session.cost.forwards
        together = explained(session, sample, listed, method)
        spent = session.cost.forwards - before
        alone = session.answer([sample], [one.target for one in listed], [method])
    assert [one.name for one in listed] == ["red", "green"]
    assert spent <= 62 + 8  # the image, 60 masks, and what finding merged norms may cost; not 60 for each object
    for one, (other,) in zip(together, alone, strict=True):
        torch.testing.assert_close(one.heatmap, other.heatmap, atol=1e-5, rtol=1e-3)
        torch.testing.assert_close(one.error, other.error, atol=1e-5, rtol=1e-3)
        torch.testing.assert_close(one.score, other.score)
        assert one.figures.keys() == other.figures.keys()
        for name, values in one.figures.items():
            assert values == pytest.approx(other.figures[name], abs=1e-5)
        assert one.targets == other.targets and one.unit == other.unit and one.cost == other.cost


@pytest.mark.parametrize("key", ["rise", "hires-cam", "saliency", "occlusion"])
def test_the_evidence_for_a_square_lies_in_its_box_and_ring(key):
    """The truth: a square's score depends on its own pixels and the ring of four pixels around it, and on nothing else."""
    settings = {
        "rise": {"samples": 400, "cells": 8, "fill": "black"},
        "occlusion": {"window": 4, "stride": 2, "fill": "black"},
    }
    photo = photo_of(squares((8, 8, 0, 0.9), (28, 28, 1, 0.8)))
    report = seewhy.objects(photo, detector(), method=seewhy.method(key, **settings.get(key, {})))
    assert [one.thing.name for one in report.objects] == ["red", "green"]
    for one in report.objects:
        evidence = one.evidence
        assert evidence.hit
        assert evidence.for_it.inside > 5 * evidence.chance.inside
        # by magnitude half of the gradient lies in the box and half on the 192 pixels around it, of which 80 belong to the ring of the table
        assert evidence.for_it.outside < {"rise": 0.5, "saliency": 0.5 * 112 / 192 + 0.02}.get(key, 0.15)


def test_missed_objects_of_the_truth_are_explained_and_counted():
    photo = photo_of(squares((8, 8, 0, 0.9), (28, 28, 1, 0.45)))
    truths = (
        Truth("red", (8, 8, 16, 16)),
        Truth("green", (28, 28, 36, 36)),
        Truth("blue", (0, 0, 8, 8)),
        Truth("red", (0, 0, 40, 40), crowd=True),
    )
    report = seewhy.objects(photo, detector(), truths, method=seewhy.method("occlusion", window=4, stride=4))
    assert [(one.thing.label, one.thing.status, one.thing.name) for one in report.objects] == [
        ("0", "right", "red"),
        ("missed 0", "missed", "green"),
    ]
    assert report.objects[0].thing.overlap == pytest.approx(1.0)
    assert report.objects[0].evidence.hit_truth
    assert report.notes[0].startswith("marked objects: 1 of 2 found, 1 missed; false alarms: 0 of 1 detections")
    assert any("classes that the network has not are left out: blue" in note for note in report.notes)


def test_what_cannot_be_listed_is_told():
    nothing = photo_of(squares())
    with pytest.raises(TargetError, match="nothing was found"):
        seewhy.objects(nothing, detector())
    with pytest.raises(TargetError, match="does not say how it gives them"):
        seewhy.objects(nothing, seewhy.Model(torch.nn.Flatten(), size=48, mean=0, std=1))
    with pytest.raises(TargetError, match="no labels"):
        seewhy.objects(
            nothing,
            seewhy.Model(SquareDetector(), size=48, mean=0, std=1, output=NamedRows(unit="pixel", score="sigmoid")),
            [Truth("red", (1, 1, 9, 9))],
        )
