"""Every label at its operating point: the right ones, a map each that is the map of its own logit, on one scale."""

import math

import pytest
import torch

import seewhy
from networks import SmallCNN, seeded
from seewhy.targets import Label


def model(points=None, probability="sigmoid") -> seewhy.Model:
    return seewhy.Model(
        seeded(SmallCNN()).float(),
        size=16,
        mean=0.5,
        std=0.5,
        labels=list("abcd"),
        probability=probability,
        operating_points=points,
    )


def test_found_labels_have_the_map_of_their_own_logit(photo):
    with seewhy.Session(model()) as session:
        [sample] = session.samples([photo])
        chances = session.predict(sample.inputs[None]).sigmoid()[0].tolist()
        found = seewhy.labels_above(photo, session, sorted(chances)[1])
        assert len(found.found) == 3
        for one in found.found:
            assert one.probability == pytest.approx(chances[one.index], abs=1e-6)
            known = session.explain(photo, Label(one.name), "grad-cam")
            torch.testing.assert_close(one.explanation.heatmap, known.heatmap)
    assert found.limit == max(float(one.explanation.heatmap.abs().max()) for one in found.found)
    assert found.overlay(1).width > 100


def test_the_models_own_points_and_labels_never_learned(photo):
    points = [0.0, 0.0, math.nan, 1.0]
    found = seewhy.labels_above(photo, model(points))
    assert {one.name for one in found.found} == {"a", "b"} and found.left_out == ("c",)
    assert seewhy.labels_above(photo, model(), 1.0).found == ()


def test_a_model_that_does_not_say_so_is_refused(photo):
    with pytest.raises(seewhy.TargetError, match="probability='sigmoid'"):
        seewhy.labels_above(photo, model(probability="softmax"))
