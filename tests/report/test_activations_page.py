"""The page of activations: what is read off it is what the layer gives, and nothing foreign gets in."""

import json
import re

import numpy as np
import pytest

import seewhy
from networks import SmallCNN, seeded
from seewhy.data.picture import sample
from seewhy.report.activations_page import activations_page
from seewhy.visualization.activations import activations


@pytest.fixture
def model() -> seewhy.Model:
    return seewhy.Model(seeded(SmallCNN()), size=16, mean=0.5, std=0.25, name="<b>small</b>")


def inside(page: str) -> dict:
    """The numbers that travel in the page."""
    return json.loads(re.search(r'id="numbers-json">(.*?)</script>', page, re.DOTALL)[1])


def test_values_that_are_read_off_are_the_maps(model, photo):
    found = seewhy.activations(photo, model, "down", channels=5)
    read = inside(activations_page(found))["read"]
    assert (read["rows"], read["columns"], read["averaged"]) == (8, 8, False)
    values = np.array(read["values"]) * np.array(read["peaks"])[:, None] / 1000
    maps = found.maps.numpy().reshape(5, -1)
    assert (np.abs(values - maps) <= np.abs(maps).max(axis=1, keepdims=True) * 0.00051).all()
    assert (read["window"], read["source"]) == ([0, 16, 64, 80], [64, 96])


def test_large_grids_are_averaged_down_and_say_so(photo):
    model = seewhy.Model(seeded(SmallCNN()), size=56, mean=0.5, std=0.25)
    found = seewhy.activations(photo, model, "stem", channels=2)
    read = inside(activations_page(found))["read"]
    assert read["averaged"]
    by_hand = found.maps.numpy().reshape(2, 28, 2, 28, 2).mean(axis=(2, 4)).reshape(2, -1)
    assert np.allclose(np.array(read["values"]) * np.array(read["peaks"])[:, None] / 1000, by_hand, atol=0.01)


def test_every_shown_channel_has_a_tile_with_its_numbers(model, photo):
    found = seewhy.activations(photo, model, "act", channels=4)
    page = activations_page(found)
    for fact in found.facts:
        assert f"<b>channel {fact.index}</b>" in page
        assert f"peak {fact.peak:.3g} at row {fact.place[0]}, column {fact.place[1]}" in page
    assert page.count('class="map"') == 4


def test_names_are_text_and_nothing_is_asked_of_a_network(model, photo):
    with seewhy.Session(model) as session:
        made = sample(photo, model)
        named = type(made)(made.inputs, made.picture, made.geometry, '<img src="x">.png')
        page = activations_page(activations(session, named, "down"), "seewhy '<script>'")
    assert '<img src="x">' not in page
    assert "<b>small</b>" not in page
    assert "'<script>'" not in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "://" not in re.sub(r'data:image/[^"]*', "", page)


def test_features_without_places_are_bars(model, photo):
    page = activations_page(seewhy.activations(photo, model, "head"))
    assert page.count("feature ") >= 4
    assert 'class="map"' not in page
    assert "no map" in page
    widths = [float(width) for width in re.findall(r"left:[\d.]+%;width:([\d.]+)%", page)]
    values = np.abs(inside(page)["channels"][0]["peak"]), inside(page)["shown"]
    assert len(widths) == len(values[1]) == 4
    assert widths == sorted(widths, reverse=True)
