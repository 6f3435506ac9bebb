"""What is said of given concepts: the page, its words, and what must be read first."""

import dataclasses
import json
import re

import pytest

from seewhy.concepts.erasure import Erased, Erasure
from seewhy.concepts.gate import Gate
from seewhy.concepts.sensitivity import Sensitivity, TriedConcept
from seewhy.concepts.tcav import Influence
from seewhy.contributions.table import Estimate
from seewhy.render.text import PAPER
from seewhy.report import tcav_words as words
from seewhy.report.tcav_page import tcav_page
from seewhy.report.tcav_picture import tcav_picture
from seewhy.report.tcav_strips import Shown


def influence(category: int, effect: float, corrected: float) -> Influence:
    around = Estimate(effect, effect - 1, effect + 1)
    share = Estimate(float(effect > 0), 0.0, 1.0)
    return Influence(category, share, around, (0.0, 1.0), (-0.5, 0.75), corrected / 4, 0.001, 30, 60, corrected)


def erasure() -> Erasure:
    none = Estimate(0.0, 0.0, 0.0)
    lost = Erased(0.9, Estimate(0.4, 0.3, 0.5), none, Estimate(0.05, 0.0, 0.1), 0.1, Estimate(0.35, 0.2, 0.45), 30)
    kept = dataclasses.replace(lost, fall=none, beyond=Estimate(-0.05, -0.1, 0.0))
    return Erasure(lost, {0: lost, 1: kept}, 0.08, 0.08)


@pytest.fixture
def found() -> Sensitivity:
    seen = TriedConcept(
        "striped",
        20,
        Gate(0.9, (0.4, 0.6), 0.005, 0.005),
        0.01,
        (influence(0, 3, 0.004), influence(1, -2, 0.3)),
        erasure(),
    )
    unseen = TriedConcept(
        "<b>", 20, Gate(0.5, (0.4, 0.6), 0.6, 0.005), 0.6, (influence(0, 1, 1.0), influence(1, 2, 0.01))
    )
    return Sensitivity(
        (seen, unseen), {0: "zebra", 1: "horse"}, None, "layer4", 60, "60 random pictures", 4, 999, "as labelled",
        left_out={"spotted": "1 picture"}, broken={"a.jpg": "no picture"}, settings={"way": "ridge"},
    )  # fmt: skip


@pytest.fixture
def page(found) -> str:
    pictures = {concept.name: Shown((), (), ()) for concept in found.concepts}
    return tcav_page(found, found.numbers(), pictures, name="photos", command="seewhy tcav a b")


def test_what_random_pictures_do_not_do_is_said_first_and_what_they_do_is_not(found):
    assert words.lines(found) == [
        "“striped” speaks for zebra: +3.0 logits (+2.0 to +4.0); without it 40 points (30 to 50) fewer of its pictures are right.",
        "“<b>”: not told from random pictures.",
    ]  # the effect of <b> on horse is none of a concept


def test_a_loss_that_random_directions_cost_too_is_not_told(found):
    lost = found.concepts[0].erasure.classes[0]
    assert lost.certain
    assert not dataclasses.replace(lost, worst=0.4).certain
    assert not dataclasses.replace(lost, beyond=Estimate(0.1, -0.1, 0.3)).certain


def test_a_chance_at_its_least_might_be_smaller(found):
    one = found.concepts[0].influences[0]
    assert words.chance(0.004, one) == "p ≤ 0.004"  # raw 0.001, the least of 999 draws
    assert words.chance(0.3, found.concepts[0].influences[1]) == "p = 0.30"


def test_a_concept_that_is_not_there_is_marked_and_not_hidden(page):
    cards = re.findall(r'<section class="card (\w+)".*?<bdi>(.*?)</bdi>', page, re.DOTALL)
    assert cards == [("passes", "striped"), ("fails", "&lt;b&gt;")]


def test_classes_stand_from_for_to_against(page):
    rows = re.findall(r'<tr(?: class="(\w+)")?><th scope="row" class="name"><bdi>(.*?)</bdi>', page)
    assert rows == [("sure", "zebra"), ("", "horse"), ("sure", "horse"), ("", "zebra")]


def test_what_was_left_out_is_read_first(page):
    assert page.index("spotted is left out") < page.index("In short")
    assert "a.jpg: no picture" in page


def test_the_numbers_travel_inside(page, found):
    inside = re.search(r'<script type="application/json" id="numbers-json">(.*?)</script>', page, re.DOTALL)[1]
    assert json.loads(inside) == json.loads(json.dumps(found.numbers()))
    assert "<b>" not in inside


def test_the_picture_shows_what_random_pictures_do_behind_the_bars(found):
    drawn = tcav_picture(found, {concept.name: Shown((), (), ()) for concept in found.concepts}, "photos")
    colours = {colour for _, colour in drawn.getcolors(1 << 20)}
    assert {PAPER, (216, 211, 200)} <= colours
