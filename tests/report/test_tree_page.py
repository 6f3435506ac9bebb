"""The page of a tree holds every question and every answer, its figures add up, and it asks nothing of any network."""

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.concepts.nmf import NMF
from seewhy.data.features import features
from seewhy.report.album import Album
from seewhy.report.student_page import student_page
from seewhy.report.tree_map import MARGIN, SLOT, places, tree_map
from seewhy.surrogates.basis import ConceptScores, PooledChannels, RandomDirections
from seewhy.surrogates.distilling import Course, Material, distilled
from seewhy.surrogates.flow import Flow
from seewhy.surrogates.hierarchy import Hierarchy
from seewhy.surrogates.lesson import Splits
from seewhy.surrogates.tree import Tree

LABELS = ("red", "green", "blue", "<none>")


class Colours(nn.Module):
    """Each colour has its class by its mean; the last class is that of pictures without a colour."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.ReLU()

    def forward(self, x):
        mean = self.layer(x - 0.5).mean(dim=(2, 3))
        return torch.cat([30 * mean, mean.new_full((len(x), 1), 2.0)], dim=1)


@pytest.fixture(scope="module")
def session():
    return seewhy.Session(seewhy.Model(Colours(), size=8, mean=0.0, std=1.0, labels=LABELS, name="colours"))


@pytest.fixture(scope="module")
def material(session):
    """Pictures with a square of a colour, or none; the size of the square makes some doubtful."""
    generator = torch.Generator().manual_seed(0)
    classes = torch.arange(160) % 4
    pictures = 0.3 * torch.rand(160, 3, 8, 8, generator=generator)
    sides = torch.randint(1, 7, (160,), generator=generator).tolist()
    for row, (which, side) in enumerate(zip(classes.tolist(), sides, strict=True)):
        if which < 3:
            pictures[row, which, :side, :side] = 0.95
            pictures[row, (which + 1) % 3, 6:, 6:] = 0.9
    found = features(session, (pictures, classes), "layer")
    dictionary = NMF(torch.eye(3), torch.zeros(3), names=("reddish", "greenish & <b>", "bluish"), layer="layer")
    return Material(found, ConceptScores(dictionary), Splits.drawn(found.predicted, 0), LABELS)


@pytest.fixture(scope="module", params=[Tree, Hierarchy])
def student(request, material):
    return distilled(request.param, material, Course(draws=1))


@pytest.fixture(scope="module")
def html(student, material, session):
    return student_page(student, material, session.model, name="squares")


def flow_of(student, material):
    given = material.features.part(material.splits.report)
    return Flow.of(student.surrogate, student.basis.read(given), given, student.classes)


def test_each_question_and_each_answer_is_there_once(student, html):
    model = student.surrogate
    assert len(re.findall(r'<article class="card" id="n(\d+)"', html)) == len(model.inner) > 1
    assert len(re.findall(r'<article class="leaf" id="n(\d+)"', html)) == len(model.leaves)
    assert sorted(map(int, re.findall(r'id="n(\d+)"', html))) == list(range(len(model.children)))


def test_the_answers_add_up_to_all_pictures(student, material, html):
    ends = [int(count) for count in re.findall(r"(\d+) pictures? ends? here", html)]
    same = [int(count) for count in re.findall(r"the network says the same of (\d+)", html)]
    total = len(material.splits.report)
    assert sum(ends) == total
    assert sum(same) == round(student.fidelity * total)


def test_what_goes_wrong_at_questions_adds_up_to_the_disagreements(student, material, html):
    wrong = [int(count) for count in re.findall(r"<b>(\d+) go(?:es)? wrong here</b>", html)]
    flow = flow_of(student, material)
    assert sum(wrong) == int((flow.lost >= 0).sum()) and bool(wrong) == bool((~flow.agrees).any())


def test_it_asks_nothing_of_any_network_and_escapes_names(html):
    assert not re.search(r'(?:src|href)="(?!data:|#)', html)
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "<none>" not in html and "&lt;none&gt;" in html
    assert "greenish & <b>" not in html and "greenish &amp; &lt;b&gt;" in html


def test_every_picture_that_is_shown_is_held(html):
    held = set(re.findall(r'<symbol id="(p\d+)"', html))
    assert held and set(re.findall(r'<use href="#(p\d+)"', html)) <= held


def test_photos_can_be_followed_to_their_leaf(student, html):
    ways = re.findall(r'data-nodes="([\d ]+)"', html)
    leaves = set(student.surrogate.leaves.tolist())
    assert ways and all(way.split()[0] == "0" and int(way.split()[-1]) in leaves for way in ways)
    assert html.count("It went left") + html.count("It went right") == sum(len(way.split()) - 1 for way in ways)


def test_on_the_map_what_is_below_lies_below_and_streams_are_as_wide_as_their_pictures(student, material):
    model, flow = student.surrogate, flow_of(student, material)
    where = places(model)
    for node in model.inner.tolist():
        left, right = (where[child] for child in model.children[node].tolist())
        assert left.x < where[node].x < right.x and left.y == right.y > where[node].y
    ends = sorted(where[leaf].x for leaf in model.leaves.tolist())
    assert min(b - a for a, b in pairwise(ends)) >= SLOT and ends[0] > MARGIN
    drawn = tree_map(model, flow, ["x"] * len(where))
    for child in range(1, len(where)):
        assert sum(one["count"] for one in drawn["streams"] if one["child"] == child) == flow.count(child)
    widths = {one["width"] / one["count"] for one in drawn["streams"] if one["width"] > 1}
    assert max(widths) - min(widths) < 0.02


def test_a_photo_is_dark_where_the_concept_does_not_light_up(material, session):
    album = Album.of(material.features, material.basis, session.model)
    row = next(row for row in range(160) if material.features.activation[row, 0].gt(0).sum() > 8 and row % 4 == 0)
    whole, lit = (torch.from_numpy(np.array(album._drawn(row, number, 1.0))) for number in (-1, 0))
    assert torch.equal(whole[:8, :8], lit[:8, :8])
    assert (lit[70:, 70:].float().sum() / whole[70:, 70:].sum()) == pytest.approx(0.3, abs=0.02)
    assert album.photo(3).number == album.photo(3).number != album.photo(4).number


def test_channels_are_shown_as_well_and_random_directions_without_pictures(material, session):
    for basis, pictures in (
        (PooledChannels("layer", 3), True),
        (RandomDirections.drawn(material.features, 3, 0), False),
    ):
        own = replace(material, basis=basis)
        page = student_page(distilled(Tree, own, Course(draws=1)), own, session.model)
        assert ('<use href="#p' in page) == pictures and "Question by question" in page


def test_a_tree_that_asks_nothing_has_a_page_as_well(material, session):
    still = replace(material.features, raw=torch.ones_like(material.features.raw))
    own = replace(material, features=still)
    page = student_page(distilled(Tree, own, Course(draws=1)), own, session.model)
    assert len(re.findall(r'<article class="leaf"', page)) == 1 and '<article class="card"' not in page
    assert f"{len(material.splits.report)} pictures end here" in page and "Answered nowhere" in page
