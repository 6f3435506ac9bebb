"""One photo through a dictionary: maps that go back to the photo, and refusals of what does not fit."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy
from seewhy.api.concept_mapping import concept_map
from seewhy.concepts.fitting import fit_dictionary
from seewhy.concepts.nmf import NMF
from seewhy.data.features import features
from seewhy.errors import ConfigError, LayerError, ModelError, TargetError


def network(seed: int = 0) -> nn.Module:
    """Channels 0 to 2 are the colours; the class of each is its mean, so that a colour's atom gets the whole logit."""
    made = nn.Sequential(
        nn.Conv2d(3, 3, 1, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3)
    )
    made[0].weight.data = torch.eye(3)[:, :, None, None]
    made[4].weight.data = torch.eye(3) * (10 + seed)
    made[4].bias.data = torch.zeros(3)
    return made.eval()


def model(seed: int = 0, **more) -> seewhy.Model:
    return seewhy.Model(
        network(seed), **({"size": 16, "mean": 0.0, "std": 1.0, "labels": ["red", "green", "blue"]} | more)
    )


@pytest.fixture
def photo():
    """Twice as wide as high: left red, right green; the network sees the middle square."""
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:, :32, 0], pixels[:, 32:, 1] = 255, 255
    return Image.fromarray(pixels)


COLOURS = NMF(torch.eye(3), torch.zeros(3), ("redness", "greenness", "blueness"), "1")


def test_a_planted_concept_gets_all_of_the_logit_where_it_lies(photo):
    found = concept_map(photo, model(), COLOURS, "red")
    assert found.score == pytest.approx(5, abs=0.4)  # half of the square is red; the border is smoothed
    assert found.contributions.tolist() == pytest.approx([found.score, 0, 0], abs=1e-4)
    drawn = found.in_source(0)
    assert drawn.shape == (32, 64)
    assert bool(drawn[:, :16].isnan().all()) and bool(drawn[:, 48:].isnan().all())
    assert float(drawn[:, 18:28].mean()) == pytest.approx(10 / 256, rel=1e-2)
    assert float(drawn[:, 36:46].abs().max()) < 1e-3


def test_the_overlay_and_the_picture_are_drawn(photo):
    found = concept_map(photo, model(), COLOURS, seewhy.targets.Contrast("red", "green"))
    assert found.overlay(0).width >= 480 and found.picture().width >= 900
    against = np.asarray(found.overlay(1).convert("RGB")).astype(int)
    assert (against[..., 2] - against[..., 1]).max() > 60  # greenness speaks against: purple
    with pytest.raises(ConfigError, match="no concept 3"):
        found.overlay(3)


def test_terms_in_the_numbers_add_up(photo):
    found = concept_map(photo, model(), COLOURS, "green").numbers()
    total = found["baseline"] + sum(one["contribution"] for one in found["concepts"]) + found["offset"]
    assert total + found["rest"] + found["error"] == pytest.approx(found["score"], abs=1e-6)


def test_a_dictionary_of_another_network_layer_or_preprocessing_is_refused(photo):
    session = seewhy.Session(model())
    data = (torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.zeros(8, dtype=torch.long))
    dictionary = fit_dictionary(features(session, data, "1"), "nmf", 2)
    assert concept_map(photo, session, dictionary).photo.layer == "1"
    with pytest.raises(ModelError, match="another network"):
        concept_map(photo, model(1), dictionary)
    with pytest.raises(ModelError, match=r"other preprocessing \(std\)"):
        concept_map(photo, model(std=0.5), dictionary)
    with pytest.raises(LayerError, match="no layer"):
        concept_map(photo, model(), dataclasses.replace(COLOURS, layer="nowhere"))


def test_targets_inside_and_black_boxes_are_refused(photo):
    with pytest.raises(TargetError, match="looks at layers"):
        concept_map(photo, model(), COLOURS, seewhy.targets.Channel("1", 0))
    box = seewhy.Model(lambda x: x.mean(axis=(2, 3)), size=16, mean=0.0, std=1.0)
    with pytest.raises(LayerError, match="black box"):
        concept_map(photo, box, COLOURS)


def test_a_layer_that_something_goes_round_is_refused(photo):
    class Around(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.head = network()[:2], network()[2:]

        def forward(self, x):
            return self.head(self.inner(x) + x)

    around = seewhy.Model(Around(), size=16, mean=0.0, std=1.0)
    with pytest.raises(LayerError, match="something goes round it"):
        concept_map(photo, around, dataclasses.replace(COLOURS, layer="inner"))


def test_a_large_rest_is_said_first(photo):
    only_blue = NMF(torch.eye(3)[2:], torch.zeros(3), ("blueness",), "1")
    found = concept_map(photo, model(), only_blue, "red")
    assert found.photo.rest == pytest.approx(found.score)
    assert "The concepts miss a large part" in found.page()


def test_the_matplotlib_figure_is_the_picture(photo):
    pytest.importorskip("matplotlib")
    found = concept_map(photo, model(), COLOURS)
    [axes] = found.figure().axes
    assert np.array_equal(np.asarray(axes.images[0].get_array()), np.asarray(found.picture()))
