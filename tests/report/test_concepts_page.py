"""The page of concepts: it says what was measured, marks what is shaky, and names no answer beside which a concept is slight."""

import dataclasses
import re

import pytest
import torch

import seewhy
from seewhy.concepts.discovered import Concepts
from seewhy.contributions.table import Estimate
from seewhy.report import concepts_words as words
from seewhy.report.concepts_page import concepts_page
from seewhy.report.concepts_picture import concepts_picture


class Pools(torch.nn.Module):
    """A layer of 4 x 4 places that each see their own part of the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Sequential(torch.nn.AvgPool2d(4), torch.nn.ReLU())
        self.weight = torch.nn.Parameter(torch.eye(3))

    def forward(self, x):
        return self.layer(x).mean(dim=(2, 3)) @ self.weight


@pytest.fixture(scope="module")
def found() -> Concepts:
    inputs = torch.rand(24, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    model = seewhy.Model(Pools(), size=16, mean=0.0, std=1.0, labels=("ant", "bee", "<cat>"), name="pools")
    return seewhy.discover(model, (inputs, torch.arange(24) % 3), layer="layer", count=2, kind="pca")


def changed(found: Concepts, **facts) -> Concepts:
    """Return the same with other facts about the first concept."""
    return dataclasses.replace(found, concepts=(dataclasses.replace(found.concepts[0], **facts), *found.concepts[1:]))


def test_each_concept_shows_its_patches_and_the_whole_pictures(found):
    page = concepts_page(found)
    assert found.pictures.local
    assert page.count('<img class="crop"') == page.count('<img class="veil"') == sum(len(one.top) for one in found)
    assert "<cat>" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert len(page.encode()) < 6_000_000


def test_bars_share_one_scale_and_their_intervals_lie_on_it(found):
    page = concepts_page(changed(found, size=Estimate(2.0, 1.0, 4.0)))
    # the axis runs to 4: the bar ends in its middle, the interval goes from a quarter to the end
    assert 'style="width:50.0%"></i><u style="left:25.0%;width:75.0%"' in page


def test_an_unstable_concept_is_marked_and_named_above_everything_else(found):
    page = concepts_page(changed(found, stability=0.799))
    name = found.concepts[0].name.replace(" %", "\u00a0%")
    assert words.stability_text(dataclasses.replace(found.concepts[0], stability=0.799)) == "0.79, unstable"
    assert f"“{name}” is unstable" in page or "concepts are unstable" in page
    steady = dataclasses.replace(
        found, concepts=tuple(dataclasses.replace(one, stability=0.9) for one in found.concepts)
    )
    assert "unstable" not in " ".join(words.cautions(steady))
    assert words.tiles(steady)[2][0] == "2 of 2"


def test_concepts_that_keep_no_more_than_random_directions_are_said_to(found):
    even = dataclasses.replace(
        found.figures, agreement=Estimate(0.5, 0.4, 0.6), control=Estimate(0.5, 0.4, 0.6), explained=0.3
    )
    said = " ".join(words.cautions(dataclasses.replace(found, figures=even)))
    assert "no more of its answers than from random directions" in said
    assert "explain only 30\u00a0%" in said


def test_an_answer_beside_which_a_concept_is_slight_is_not_named(found):
    one = dataclasses.replace(found.concepts[0], speaks_for={"ant": 2.0, "bee": 0.21, "wasp": 0.19})
    assert words.speaks(one) == [("ant", "+2"), ("bee", "+0.21")]


def test_the_picture_has_a_row_for_each_concept(found):
    short = concepts_picture(dataclasses.replace(found, concepts=found.concepts[:1]))
    assert concepts_picture(found).height > short.height + 200  # two rows of pictures of 104 pixels
