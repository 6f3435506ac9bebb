"""Words about maps are right about where the evidence is, and round nothing away."""

from dataclasses import replace

import numpy as np
import pytest

from seewhy.report.axis import axis
from seewhy.report.picture import picture
from seewhy.report.words import answer_value, evidence, hide_line, probability, quantity


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00"),
        (1.0, "1.00"),
        (0.004, "under 0.01"),
        (0.9999, "over 0.99"),
        (0.712, "0.71"),
        (0.01, "0.01"),
        (0.99, "0.99"),
    ],
)
def test_probabilities_are_never_rounded_to_certainty(value, text):
    assert probability(value) == text


def test_values_carry_their_unit(make):
    first = make().answers[0]
    assert quantity(0.712, "probability") == "0.71"
    assert quantity(3.14159, "logit") == "3.14 logit"
    assert answer_value(first, "logit") == "p = 0.71"
    assert answer_value(replace(first, probability=0.001), "logit") == "p under 0.01"
    assert answer_value(replace(first, probability=None), "logit") == "9.12 logit"


def test_the_hide_test_in_one_line(make):
    test = make().hide_test
    assert hide_line(test) == "hide test passes: 0.71 → 0.19 with this area blurred; 0.64 for 3 other areas (mean)"
    assert (
        hide_line(replace(test, controls=(), outcome="unclear"))
        == "hide test is unclear: 0.71 → 0.19 with this area blurred; no control areas"
    )


def test_evidence_of_maps_without_any(make):
    report = make(signed=True)
    assert "zero everywhere" in evidence(report, 2)
    against = replace(report.answers[1], heatmap=-report.answers[1].heatmap, concentration=None, where="")
    assert evidence(make(signed=True, answers=(report.answers[0], against)), 1) == "Nothing on the map speaks for it."


def test_the_picture_shows_the_map_of_the_chosen_answer(make):
    report = make()
    shown = np.asarray(picture(report), dtype=int)
    colour = np.ptp(shown, axis=2)[:300]
    peak = colour[:, : colour.shape[1] // 2].max()
    assert peak > 120  # evidence at the upper left
    other = np.asarray(picture(make(chosen=1, hide_test=None)), dtype=int)
    assert other.shape[1] == shown.shape[1]
    assert np.ptp(other, axis=2)[:300, : other.shape[1] // 2].max() < peak / 2


@pytest.mark.parametrize(
    ("values", "from_zero", "labels"),
    [
        ([0.71, 0.19, 0.66], True, ("0.0", "0.2", "0.4", "0.6", "0.8")),
        ([0.004, 0.001], True, ("0.000", "0.001", "0.002", "0.003", "0.004")),
        ([1.0], True, ("0.0", "0.2", "0.4", "0.6", "0.8", "1.0")),
        ([-3.2, 8.1], False, ("-5", "0", "5", "10")),
        ([0.0, 0.0], True, ("0.0", "0.2", "0.4", "0.6", "0.8", "1.0")),
        ([5.0], False, None),
        ([1234.0, 5678.0], False, ("1000", "2000", "3000", "4000", "5000", "6000")),
    ],
)
def test_axis_has_round_ticks_around_all_values(values, from_zero, labels):
    made = axis(values, from_zero=from_zero)
    if labels:
        assert made.labels == labels
    assert made.ticks[0] <= min(values)
    assert made.ticks[-1] >= max(values)
    assert 2 <= len(made.ticks) <= 6
    np.testing.assert_allclose(np.diff(made.ticks), made.ticks[1] - made.ticks[0])


def test_a_place_on_the_axis_is_in_proportion():
    made = axis([0.0, 10.0], from_zero=True)
    assert [made.percent(value) for value in (0.0, 2.5, 10.0, 11.0, -1.0)] == [0, 25, 100, 100, 0]
