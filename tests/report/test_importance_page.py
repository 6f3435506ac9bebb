"""The page and the picture of a table: every number is that of the table, every name is escaped, the words say what the numbers say."""

import json
import re
from html import unescape

import numpy as np
import pytest
import torch
from PIL import Image

from seewhy.contributions.table import Check, Curve, Estimate, Importance, Interaction, Level, Weight
from seewhy.core.sample import Geometry, Sample
from seewhy.core.values import Array
from seewhy.report import importance_words as words
from seewhy.report.importance_map import weight_map, weight_scene
from seewhy.report.importance_page import MOST_ROWS, importance_page
from seewhy.report.importance_picture import importance_picture
from seewhy.report.importance_table import MOST_CLASSES, MOST_UNITS, per_class

NASTY = '<script>alert("x")</script>&'


def estimate(value, reach=0.1):
    return Estimate(value, value - reach, value + reach)


def weight(name, value, **more):
    return Weight(name, estimate(value), estimate(abs(value)), estimate(value / 4, 0.02), **more)


def curve(order, power):
    shares = np.linspace(0, 1, 5)
    heights = [estimate(float(height), 0.05) for height in (1 - shares) ** power]
    return Curve(order, (0, 1, 2, 3, 4), tuple(heights), estimate(float(np.mean((1 - shares) ** power)), 0.02))


def check(gap=0.2):
    return Check(
        (curve("this ranking", 3), curve("by activation", 2), curve("random order", 1)),
        estimate(gap),
        0.9,
        "The ranking holds: so.",
    )


def table(**changes):
    classes = [f"class {place}" for place in range(25)]
    weights = tuple(
        weight(
            f"{NASTY} {place}", 2.0 - place, classes={name: estimate(place - at / 5) for at, name in enumerate(classes)}
        )
        for place in range(4)
    )
    given = {
        "kind": "channels",
        "weights": weights,
        "replacement": "the mean of the channel",
        "pictures": 60,
        "target": "the label of each picture",
        "unit": "logit",
        "labels": "labels",
        "layer": "blocks.12",
        "check": check(),
        "interactions": (Interaction("one", NASTY, estimate(0.4)),),
        "notes": (f"a note {NASTY}",),
        "broken": {f"{NASTY}.png": "it is empty"},
        "provenance": {"seed": 3},
    }
    return Importance(**given | changes)


def page_of(found, **more):
    return importance_page(found, found.numbers(), name=NASTY, **more)


def test_the_numbers_inside_the_page_are_those_of_the_table():
    found = table()
    inside = re.search(r'<script type="application/json" id="numbers-json">(.*?)</script>', page_of(found), re.DOTALL)
    assert json.loads(inside[1]) == json.loads(json.dumps(found.numbers()))


def test_every_effect_stands_in_the_table_with_its_interval():
    found = table()
    page = page_of(found)
    values = re.findall(r'<td class="wide" data-label="([^"]*)" data-value="([^"]*)">', page)
    expected = [value for one in found.weights for value in (one.score.value, one.loss.value)]
    assert [float(value) for _, value in values] == expected
    assert [label for label, _ in values[:2]] == ["fall of the score, logit", "rise of the loss, nats"]
    for one in found.weights:
        for effect in (one.score, one.loss):
            assert words.estimate_text(effect, found) in page


def test_bars_stand_where_their_values_are():
    """The axis of the scores goes from -2 to 3 (values -1.1 to 2.1, in steps of 1), so zero is at 40 % and 2 at 80 %."""
    first = re.search(r'<div class="bar"[^>]*>(.*?)</div>', page_of(table()), re.DOTALL)[1]
    assert 'class="zero" style="left:40.0%"' in first
    assert 'class="fill pos" style="left:40.0%;width:40.0%"' in first
    assert 'class="whisker" style="left:78.0%;width:4.0%"' in first


def test_the_curve_goes_through_its_points_and_controls_lie_under_it():
    page = page_of(table())
    lines = re.findall(r'<polyline class="(\w+)" points="([^"]*)"', page)
    assert [kind for kind, _ in lines] == ["chance", "other", "own"]
    points = [tuple(map(float, pair.split(","))) for pair in lines[0][1].split()]
    heights = [1000 * (1 - share) for share in (0, 0.25, 0.5, 0.75, 1)]
    assert [x for x, _ in points] == [0, 250, 500, 750, 1000]
    low, high = -0.2, 1.2  # of the axis
    np.testing.assert_allclose(
        [y for _, y in points], [1000 * (high - h / 1000) / (high - low) for h in heights], atol=1
    )


def test_nothing_that_anybody_named_becomes_a_tag():
    page = page_of(table())
    assert "<script>alert" not in page
    assert unescape(page).count("<script>alert") >= 8
    assert page.count("<script") == 2  # the numbers and the page's own
    assert "http" not in re.sub(r'http-equiv|"http://www.w3.org/2000/svg"', "", page)


def test_what_is_left_out_is_said():
    many = tuple(weight(f"channel {place}", 1.0 / (1 + place)) for place in range(MOST_ROWS + 5))
    assert "5 more of lower rank" in page_of(table(weights=many, check=None))
    wide = per_class(table())
    assert wide.values.shape == (4, MOST_CLASSES)
    assert "the 20 of 25 classes" in wide.left
    long = per_class(
        table(weights=tuple(weight(f"u {n}", 1.0, classes={"a": estimate(1.0), "b": estimate(2.0)}) for n in range(40)))
    )
    assert long.values.shape == (MOST_UNITS, 2)
    assert "the first 30 of 40 units" in long.left


def test_a_single_class_has_no_table():
    assert per_class(table(weights=(weight("a", 1.0, classes={"only": estimate(1.0)}),))) is None


@pytest.mark.parametrize(("gap", "outcome"), [(0.2, "passes"), (0.05, "unclear"), (-0.2, "fails")])
def test_the_outcome_is_that_of_the_interval_of_the_gap(gap, outcome):
    found = table(check=check(gap))
    assert words.outcome(found) == outcome
    page = page_of(found)
    assert f'class="outcome {outcome}"' in page
    assert ("Read this first" in page) is True  # a picture could not be read
    warned = re.search(r'<aside class="cautions".*?</aside>', page, re.DOTALL)[0]
    assert ("The ranking holds: so." in warned) == (outcome != "passes")


def test_one_picture_says_that_the_ranking_is_not_checked():
    found = table(pictures=1, check=None)
    assert "takes several pictures" in words.check_line(found)
    assert words.asked(found, "cat.jpg")[0] == "cat.jpg: one picture, 4 channels"


def test_a_first_unit_that_speaks_against_is_told_with_its_own_sign():
    found = table(weights=(weight("channel 3", -2.0), weight("channel 4", 1.0)))
    assert words.first_line(found) == (
        "Channel 3 counts most: without it the score rises by 2 logit on average (95 % interval 1.9 to 2.1), so it speaks against "
        "the answer."
    )


SHARE = Estimate(0.3, 0.2, 0.4)


def attributes(share=SHARE):
    levels = (Level("fog", 20, estimate(0.5), 0.004), Level("sun", 40, estimate(-0.3), 0.5))
    return table(
        kind="attributes",
        layer="",
        unit="share of the variance",
        weights=(weight("weather", 0.3, p=0.0004, levels=levels), weight("age", -0.0004, p=None)),
        explained={"loss": share, "score": share},
        interactions=(),
    )


def test_attributes_have_shares_p_values_and_gaps():
    page = page_of(attributes())
    assert "explain 30\u00a0% of how the loss differs" in page
    assert "&lt; 0.001" in page
    assert "+0.50 (+0.40 to +0.60)" in page
    assert "links, not causes" in page
    assert words.heading(attributes()) == "Which attributes tell where the network fails?"


def test_a_share_that_chance_would_give_is_called_nothing():
    found = attributes(Estimate(-0.02, -0.1, 0.05))
    assert "explain nothing of the loss" in words.explained_line(found)
    assert words.first_line(found) == ""
    assert words.signed_percent(-0.0004) == "0.0 %"
    assert words.signed_percent(-0.123) == "-12 %"


def test_the_picture_holds_all_parts_at_one_width():
    whole, bare = (importance_picture(found) for found in (table(), table(check=None)))
    assert whole.width == bare.width == 1000
    assert whole.height > bare.height + 300
    assert importance_picture(attributes()).width == 1000


def test_the_map_colours_each_unit_where_it_lies():
    places = torch.full((8, 8), -1)
    places[:, :4], places[:, 4:] = 0, 1
    weights = (weight("left", 2.0), weight("right", -2.0))
    found = table(weights=weights, places=Array.of(places), pictures=1, check=None)
    picture = Image.new("RGB", (160, 160), (128, 128, 128))
    sample = Sample(torch.zeros(3, 8, 8), picture, Geometry((160, 160), (0.0, 0.0, 160.0, 160.0), (8, 8)), "grey")
    drawn = np.asarray(weight_scene(found, sample)).astype(int)
    assert drawn.shape == (480, 480, 3)
    left, right = drawn[200, 60], drawn[200, 420]
    assert left[0] > left[2] + 40  # orange
    assert right[2] > right[1] + 40  # purple
    paper = (np.abs(drawn - [251, 250, 248]).max(axis=2) < 3)[:, :200]
    rows, columns = np.nonzero(paper)  # the disc with the rank, on the middle of pixel (3, 1)
    assert (rows.mean(), columns.mean()) == pytest.approx((210, 90), abs=3)
    assert weight_map(found, sample).height > 480
    assert "data:image/webp" in page_of(found, sample=sample)
