import pytest
import torch
from planted import LooksAt, answered, box, noise

import seewhy
from seewhy.contributions.regions import Regions, Superpixels, superpixels, where
from seewhy.core.values import Array


def test_boxes_cover_the_picture_once():
    pixels = Regions(rows=3, columns=4).pixels((12, 12))
    assert torch.equal(torch.bincount(pixels.flatten()), torch.full((12,), 12))
    assert pixels[5, 7] == 1 * 4 + 2
    assert Regions(rows=3, columns=4).names[6] == "row 2, column 3"


def test_the_region_that_a_network_looks_at_comes_first():
    network = LooksAt(box(2, 1))
    made = seewhy.importance(network, answered(network, noise(40)), "regions", count=4, replace="mean")
    assert made.weights[0].unit == "row 3, column 2"
    assert all(weight.magnitude.high < 1e-12 for weight in made.weights[1:])
    assert made.check.gap.low > 0
    assert made.check.words.startswith("The ranking holds")
    assert "mean colour" in made.replacement
    assert any("registered" in note for note in made.notes)


def test_the_effect_of_a_region_is_the_sum_that_goes():
    network, inputs = LooksAt(box(0, 3)), noise(5)
    made = seewhy.importance(network, (inputs, torch.ones(5)), "regions", count=4, replace="zero", check=False)
    wanted = inputs[:, 0, :3, 9:].sum(dim=(1, 2))
    best = made.weights[0]
    assert best.unit == "row 1, column 4"
    assert best.score.value == pytest.approx(wanted.mean().item())
    assert best.magnitude.value == pytest.approx(wanted.abs().mean().item())


def test_places_are_those_of_the_ranked_units():
    network = LooksAt(box(2, 1))
    made = seewhy.importance(network, noise(1), "regions", count=4, replace="zero")
    places = made.places.tensor()
    assert (places[6:9, 3:6] == 0).all()
    assert (places == 0).sum() == 9


def test_superpixels_follow_the_edge_of_a_thing():
    image = torch.zeros(3, 32, 32)
    image[:, 8:24, 8:24] = 1.0
    units = superpixels(image, 16)
    found = units.pixels((32, 32))
    inside = found[8:24, 8:24].unique()
    outside = torch.cat([found[:8].flatten(), found[24:].flatten(), found[8:24, :8].flatten()]).unique()
    assert not set(inside.tolist()) & set(outside.tolist())
    assert len(units.names) == int(found.max()) + 1


def test_names_say_where():
    assert where(torch.tensor([0.1, 0.9])) == "upper right"
    assert where(torch.tensor([0.5, 0.5])) == "centre"
    assert Superpixels(segments=Array.of(torch.tensor([[0, 1], [0, 1]]))).names == (
        "superpixel 1, centre left",
        "superpixel 2, centre right",
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Regions(rows=1, columns=1), "at least two"),
        (lambda: Regions(fill="pink"), "pink"),
        (lambda: Regions(rows=20, columns=20).pixels((12, 12)), "fewer"),
        (lambda: superpixels(torch.zeros(3, 8, 8), 1), "at least two"),
        (lambda: Regions(repeats=0), "at least once"),
    ],
)
def test_wrong_settings_are_told(call, words):
    with pytest.raises(seewhy.SeewhyError, match=words):
        call()
