"""The atlas of a layer: every unit once, the planted one first, an end by budget or interrupt, names escaped."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import seewhy
from networks import SmallCNN, seeded
from seewhy.api import surveying
from seewhy.errors import ConfigError, TargetError
from seewhy.evaluation.layer_study import MOST_UNITS, chosen_units
from seewhy.report.atlas_page import LARGEST, atlas_page, detail
from seewhy.visualization.maximize import Climb

QUICK = Climb(steps=4)


@pytest.fixture(scope="module")
def model():
    labels = ["<i>one</i>", "two", "three", "four"]
    return seewhy.Model(seeded(SmallCNN()), size=8, mean=0.5, std=0.5, labels=labels, name="small")


@pytest.fixture(scope="module")
def data():
    inputs = torch.randn(10, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return inputs, torch.arange(10) % 4


@pytest.fixture(scope="module")
def made(model, data):
    return seewhy.atlas(model, "down", data, climb=QUICK)


def test_every_unit_has_a_card_with_the_numbers_of_the_json(made, tmp_path):
    numbers = made.numbers()
    assert [unit["channel"] for unit in numbers["units"]] == list(range(8))
    page = made.page()
    assert page.count("<article ") == 8
    assert json.loads(re.search(r'id="numbers-json">(.*?)</script>', page, re.DOTALL)[1]) == numbers
    assert json.loads(made.save(tmp_path / "a.json").read_text()) == numbers
    assert "<i>one</i>" not in page
    for unit in numbers["units"]:
        assert f'data-channel="{unit["channel"]}"' in page


def test_importance_and_ratio_are_those_of_the_units_own_card(made, model, data):
    unit = made.atlas.units[3]
    card = seewhy.unit(model, "down:3", data, climb=QUICK, pictures=2).card
    assert unit.importance.value == pytest.approx(card.importance.value, abs=1e-9)
    assert unit.reached.value == pytest.approx(card.trust.reached.value, abs=1e-9)
    assert unit.reached.natural == pytest.approx(card.highest, abs=1e-9)
    assert [one.place for one in sorted(made.atlas.units, key=lambda one: one.place)] == list(range(1, 9))


def test_interrupt_keeps_what_is_done(model, data, monkeypatch):
    real, calls = surveying.quick_studies, []

    def stopped(*arguments, **named):
        for study in real(*arguments, **named):
            if len(calls) == 2:
                raise KeyboardInterrupt
            calls.append(study)
            yield study

    monkeypatch.setattr(surveying, "quick_studies", stopped)
    found = seewhy.atlas(model, "down", data, climb=QUICK)
    assert found.interrupted
    assert [unit.channel for unit in found.atlas.units] == [0, 1]
    assert "2 of 8 units are done; then it was interrupted." in found.page()


def test_spent_budget_ends_it_and_says_so(model, data):
    found = seewhy.atlas(model, "down", data, climb=QUICK, budget="0.001s")
    assert len(found.atlas.units) == 1
    assert "the budget was spent" in found.atlas.cautions[0]


def test_price_is_told_before_the_work(model, data):
    told = []
    seewhy.atlas(model, "down", data, units="2-3", climb=QUICK, ablated=5, price=told.append)
    assert told == [
        "2 units: 20 forwards for natural pictures, 10 partial forwards without each unit, "
        "16 steps of ascent at most (4 for each of 2 pictures a unit)"
    ]


def test_units_are_numbers_and_ranges():
    assert chosen_units("0-2,7,1", 8, "layer") == ((0, 1, 2, 7), False)
    assert chosen_units(None, 3, "layer") == ((0, 1, 2), False)
    assert chosen_units(None, 1280, "layer") == (tuple(range(320)), True)
    with pytest.raises(TargetError, match="units 0 to 7"):
        chosen_units("3-9", 8, "layer")
    with pytest.raises(ConfigError, match="numbers and ranges"):
        chosen_units("a", 8, "layer")


def test_an_atlas_is_a_page_or_numbers(made, tmp_path):
    with pytest.raises(ConfigError, match="written as"):
        made.save(tmp_path / "a.png")


@pytest.mark.slow
def test_the_largest_atlas_stays_under_its_size_even_of_noise(made):
    """320 units whose pictures are pure noise, which no compression makes small."""
    noise = np.random.default_rng(0)
    side, patch = detail(MOST_UNITS)

    def picture(width, height):
        return Image.fromarray(noise.integers(0, 255, (height, width, 3), np.uint8))

    unit = made.atlas.units[0]
    row = replace(unit.top, picture=picture(6 * patch + 10, patch))
    noisy = replace(unit, made=picture(2 * side + 2, side), top=row, strip=row)
    html = atlas_page(replace(made.atlas, units=tuple(replace(noisy, channel=n) for n in range(MOST_UNITS))))
    assert html.count("<article ") == MOST_UNITS
    assert len(html.encode()) < LARGEST
