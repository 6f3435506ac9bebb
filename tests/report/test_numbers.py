"""Every number of a report in values that JSON knows."""

import json
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np
import pytest

from seewhy.report.numbers import FORMAT, numbers


def test_numbers_survive_json_and_hold_what_was_reported(make):
    report = make()
    found = numbers(report)
    assert json.loads(json.dumps(numbers(report), allow_nan=False)) == found
    assert found["format"] == FORMAT
    assert found["photo"] == {"name": "chelsea.png", "width": 1200, "height": 800}
    assert [answer["score"] for answer in found["answers"]] == [9.125, 7.5, 2.0]
    assert found["top"][3] == {"name": "window screen", "probability": 0.0021}
    assert found["hide_test"]["controls"] == [0.66, 0.69, 0.58]
    assert found["channels"][1] == {"index": 17, "contribution": -0.31, "share": 0.09}
    assert found["provenance"] == {"seed": 0, "model": {"name": "lite0"}}


def test_maps_are_summed_up_over_what_was_seen(make):
    report = make()
    summary = numbers(report)["answers"][0]["map"]
    seen = report.answers[0].heatmap[:, 20:100]
    assert summary["highest"] == seen.max()
    assert summary["mean"] == pytest.approx(seen.mean())
    assert summary["seen_share"] == pytest.approx(80 / 120)
    assert numbers(report)["answers"][1]["where"] == "lower right"
    assert numbers(report)["answers"][2]["concentration"] is None


def test_what_is_not_finite_becomes_null_and_other_types_become_plain(make):
    odd = {
        "nan": np.float32("nan"),
        "inf": float("-inf"),
        "array": np.arange(3),
        "half": np.float16(0.5),
        "flag": np.array([1]).any(),
        "path": PurePosixPath("a/b"),
        1: {"b", "a"},
        "big": 2**70,
    }
    first, *others = make().answers
    report = make(provenance=odd, answers=(replace(first, concentration=float("nan")), *others))
    found = json.loads(json.dumps(numbers(report), allow_nan=False))
    assert found["concentration"] is None
    assert found["provenance"] == {
        "nan": None,
        "inf": None,
        "array": [0, 1, 2],
        "half": 0.5,
        "flag": True,
        "path": "a/b",
        "1": ["a", "b"],
        "big": 2**70,
    }


def test_parts_that_were_not_run_are_null(make):
    found = numbers(make(hide_test=None, channels=(), channels_share=None))
    assert found["hide_test"] is None
    assert found["channels"] == []
    assert found["channels_share"] is None


def test_a_map_that_was_nowhere_seen_has_no_numbers(make):
    report = make()
    blind = replace(report.answers[1], heatmap=np.full((4, 4), np.nan))
    summary = numbers(make(answers=(report.answers[0], blind)))["answers"][1]["map"]
    assert summary == {
        "lowest": None,
        "highest": None,
        "mean": None,
        "seen_share": 0.0,
    }
