"""The card of a unit: what it finds on a network whose units are known, and that page, picture and JSON say the same."""

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

import seewhy
from networks import SmallCNN, SmallViT, seeded
from seewhy.errors import ConfigError, LayerError, TargetError
from seewhy.evaluation.unit_study import placed, unit_of
from seewhy.evaluation.unit_trust import Path as Way
from seewhy.evaluation.unit_trust import PathPoint, Trust, reached
from seewhy.render.bar import figures
from seewhy.report.unit_words import far_beyond, made_verdict
from seewhy.visualization.canvas import Pixels
from seewhy.visualization.maximize import Climb
from seewhy.visualization.views import Views

PATTERN = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat_interleave(2, 0).repeat_interleave(2, 1)
QUICK = Climb(Pixels(), Views(count=1, turn=0, scale=0, shift=0), steps=60, patient=True)


class Planted(torch.nn.Module):
    """Unit 2 of `look` answers to a chequer of 2 x 2 pixels in a cell of 4 x 4, unit 4 to nothing; the head is linear in the mean activations."""

    def __init__(self):
        super().__init__()
        self.look = torch.nn.Conv2d(3, 5, 4, stride=4, bias=False)
        generator = torch.Generator().manual_seed(1)
        self.look.weight.data = 0.05 * torch.randn(5, 3, 4, 4, generator=generator)
        self.look.weight.data[2], self.look.weight.data[4] = PATTERN / 48, 0.0
        self.head = torch.nn.Linear(5, 3)
        self.head.weight.data = torch.randn(3, 5, generator=generator)
        self.head.weight.data[1, 2] = 30.0

    def forward(self, x):
        return self.head(self.look(x).mean(dim=(2, 3)))


@pytest.fixture(scope="module")
def planted():
    labels = ["plain", "<b>chequer</b>", "other"]
    return seewhy.Model(Planted().eval(), size=16, mean=0.5, std=0.5, labels=labels, name="planted")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """24 pictures of smooth noise; every fourth has a chequer in its middle."""
    place = tmp_path_factory.mktemp("natural")
    generator = torch.Generator().manual_seed(0)
    rough = torch.rand(24, 3, 4, 4, generator=generator)
    smooth = torch.nn.functional.interpolate(rough, size=16, mode="bilinear") * 0.4 + 0.3
    for number, picture in enumerate(smooth):
        if number % 4 == 0:
            picture[:, 4:8, 4:8] += 0.12 * (1 + number / 24) * PATTERN
        pixels = (picture.clamp(0, 1) * 255).round().byte().movedim(0, 2).numpy()
        Image.fromarray(pixels).save(place / f"{'chequer' if number % 4 == 0 else 'plain'} {number:02d}.png")
    return place


@pytest.fixture(scope="module")
def card(planted, folder):
    return seewhy.unit(planted, "look:2", folder, climb=QUICK, pictures=3)


def test_made_pictures_reach_the_pattern_and_lift_their_own_unit(card):
    trust = card.card.trust
    assert trust.reached.ratio >= 1
    assert trust.rank.rank == 1
    assert trust.rank.units == 4  # the dead one cannot be ranked
    values = [one.value for one in card.card.made]
    assert values == sorted(values, reverse=True)


def test_natural_patches_are_the_planted_pictures_and_the_strip_ascends(card):
    assert all(patch.name.startswith("chequer") for patch in card.card.top[:6])
    values = [patch.value for patch in card.card.strip]
    assert values == sorted(values)


def test_class_of_the_pattern_is_spoken_for_and_the_head_is_its_weight(card, planted):
    first = card.card.speaks_for[0]
    assert first.name == "<b>chequer</b>"
    head = planted.module.head.weight[:, 2].detach()
    named = {one.name: one.weight.value for one in (*card.card.speaks_for, *card.card.speaks_against)}
    other = planted.labels.index("other")
    if "other" in named:
        assert named["other"] / first.weight.value == pytest.approx(float(head[other] / head[1]), rel=1e-3)
    assert first.weight.low <= first.weight.value <= first.weight.high


def test_page_and_json_say_the_same_and_names_are_escaped(card, tmp_path):
    page = card.page()
    numbers = card.numbers()
    embedded = json.loads(re.search(r'id="numbers-json">(.*?)</script>', page, re.DOTALL)[1])
    assert embedded == numbers
    assert json.loads(card.save(tmp_path / "card.json").read_text()) == numbers
    assert "<b>chequer</b>" not in page
    assert "&lt;b&gt;chequer&lt;/b&gt;" in page
    for one in numbers["made"]:
        assert f"<b>{figures(one['value'])}</b>" in page
    for patch in (*numbers["top"], *numbers["strip"]):
        assert f"<b>{figures(patch['value'])}</b>" in page
    for check in numbers["checks"]:
        assert check["name"] in page
    assert "http" not in page.replace("Content-Security-Policy", "").replace("http-equiv", "")


def test_picture_is_drawn_and_files_are_kept(card, tmp_path):
    path = card.save(tmp_path / "card.png")
    with Image.open(path) as drawn:
        assert drawn.width >= 1200
        assert np.asarray(drawn.convert("L")).std() > 5
    with pytest.raises(seewhy.DataError):
        card.save(path)
    with pytest.raises(seewhy.DataError, match="card is written as"):
        card.save(tmp_path / "card.pdf")


def test_dead_unit_says_so_and_shows_what_there_is(planted, folder):
    found = seewhy.unit(planted, "look:4", folder, climb=QUICK, pictures=1).card
    assert found.constant == 0.0
    assert "dead" in found.cautions[0]
    assert found.verdict.startswith("A dead unit here: it gives 0")
    assert found.importance is None
    assert found.trust.rank is None
    seewhy.api.units.Unit(found).page()
    seewhy.api.units.Unit(found).picture()


def test_three_pictures_without_labels_give_a_card_with_its_doubts(planted, tmp_path):
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 255, (20, 16, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"x{number}.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    made = seewhy.unit(planted, "look:0", tmp_path, climb=QUICK, pictures=2)
    found = made.card
    assert found.pictures == 3
    assert any("Only 3 natural pictures" in line for line in found.cautions)
    assert any("network's own answers" in line for line in found.cautions)
    assert any("could not be read" in line for line in found.notes)
    assert "broken.png" in made.page()


def test_layer_without_spatial_axes_has_a_card(planted, folder):
    made = seewhy.unit(planted, "head:1", folder, climb=QUICK, pictures=2)
    assert all(patch.whole is None for patch in made.card.top)
    assert made.card.top[0].name.startswith("chequer")
    made.page()
    made.picture()


def test_transformer_has_a_card():
    model = seewhy.Model(seeded(SmallViT()), size=8, mean=0.5, std=0.5, name="vit")
    inputs = torch.randn(12, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    made = seewhy.unit(model, "blocks.0:3", (inputs, torch.zeros(12, dtype=torch.long)), climb=QUICK, pictures=2)
    assert made.card.units == 8
    assert made.card.importance is not None
    made.page()


def test_strength_is_measured_against_every_picture_of_the_search(card, planted, folder):
    """What is usual may come from a few pictures only; the strongest natural one may not be among them."""
    few = seewhy.unit(planted, "look:2", folder, climb=QUICK, pictures=1, natural=3, ablated=0).card
    assert few.pictures == 3
    assert few.importance is None
    assert few.highest == pytest.approx(card.card.highest, abs=1e-6)
    assert few.trust.reached.natural == few.highest


def test_pictures_that_got_nowhere_agree_on_nothing(planted, folder):
    still = Climb(Pixels(), Views(count=1, turn=0, scale=0, shift=0), steps=1)
    found = seewhy.unit(planted, "look:2", folder, climb=still, pictures=2).card
    assert found.verdict.startswith("Read the natural patches")
    assert {check.name: check.holds for check in found.checks}["several starts"] is None


def test_same_seed_same_card(planted, folder):
    first, second = (
        seewhy.unit(planted, "look:1", folder, climb=QUICK, pictures=1, seed=4).numbers() for _ in range(2)
    )
    assert first == second


def test_wrong_units_are_told_at_once(planted, folder):
    with pytest.raises(ConfigError, match="layer and the number of a channel"):
        seewhy.unit(planted, "look", folder)
    with pytest.raises(LayerError, match="'look'"):
        seewhy.unit(planted, "lok:1", folder)
    with pytest.raises(TargetError, match="5 channels"):
        seewhy.unit(planted, "look:5", folder, climb=QUICK)
    assert unit_of("a:b.0:12") == ("a:b.0", 12)


def test_way_to_a_unit_ends_at_its_layer_and_skips_what_holds_others():
    model = seewhy.Model(seeded(SmallCNN()), size=8, mean=0.5, std=0.5)
    place = placed(seewhy.Session(model), "act")
    assert place.path[-1] == "act"
    assert "stem" not in place.path or not any(name.startswith("stem.") for name in place.path)
    assert len(set(place.path)) == len(place.path)


def test_a_picture_far_beyond_all_natural_ones_is_no_proof():
    assert far_beyond(reached(30.0, 10.0))
    assert not far_beyond(reached(29.0, 10.0))
    assert not far_beyond(reached(5.0, -1.0))


@pytest.mark.parametrize(
    ("ratio", "usual", "said"),
    [
        (3.0, 0.5, "no natural picture here comes near"),
        (3.0, 0.1, "may be read together"),
        (2.0, 0.5, "may be read together"),
    ],
)
def test_far_beyond_natural_pictures_only_the_natural_way_lets_both_be_read_together(ratio, usual, said):
    """At a usual likeness of 0.5 any photo lies in the band from 0.4 on, so the way says nothing; at 0.1 it holds."""
    way = Way((PathPoint("a", made=0.5, top=0.6, low=0.4, high=0.7, usual=usual, index=None),), None)
    assert said in made_verdict(Trust(reached(ratio * 10, 10.0), None, None, None, way))
