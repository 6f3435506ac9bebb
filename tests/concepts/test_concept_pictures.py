"""A concept in pictures: which, where in them, and at what size."""

import numpy as np
import pytest
import torch
from PIL import Image
from planted_concepts import channels_as_concepts, features_of, pictures, session_of

import seewhy
from seewhy.concepts.field import field_of
from seewhy.concepts.nmf import NMF
from seewhy.concepts.pictures import DIM, ConceptPictures, enlarged
from seewhy.data.features import features
from seewhy.visualization.patches import Field


def seen(inputs, **settings):
    session = session_of(torch.ones(2, inputs.shape[1]))
    return ConceptPictures(
        features_of(session, inputs), channels_as_concepts(inputs.shape[1]), session.model, **settings
    )


@pytest.fixture
def photos(tmp_path):
    """Five photos of 40 x 40 pixels, all black but for a bright square at a place of its own; the last is the first, saved again."""
    generator = np.random.default_rng(0)
    for number in range(4):
        pixels = generator.integers(0, 60, (40, 40, 3)).astype(np.uint8)
        row, column = 10 * (number % 2), 10 * number
        pixels[row : row + 10, column : column + 10] = 200 + 10 * number
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    with Image.open(tmp_path / "3.png") as last:
        last.save(tmp_path / "4.png", compress_level=1)
    return tmp_path


@pytest.fixture
def made(photos):
    """These photos, seen through the red channel of a layer of 4 x 4 places."""

    class Pooled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Sequential(torch.nn.AvgPool2d(10), torch.nn.ReLU())
            self.weight = torch.nn.Parameter(torch.ones(2, 3))

        def forward(self, x):
            return self.layer(x).mean(dim=(2, 3)) @ self.weight.T

    model = seewhy.Model(Pooled(), size=40, mean=0.0, std=1.0)
    session = seewhy.Session(model)
    found = features(session, photos, "layer")
    return session, ConceptPictures(found, channels_as_concepts(3), model, Field(5.0))


def test_the_strongest_come_first_and_the_weakest_on_request():
    inputs = pictures(2, 6)
    made = seen(inputs)
    order = inputs.amax(dim=(2, 3))[:, 1].argsort(descending=True).tolist()
    assert [one.picture for one in made.strongest(1, 3)] == order[:3]
    assert [one.picture for one in made.strongest(1, 2, weakest=True)] == order[::-1][:2]
    among = torch.tensor([0, 2, 4])
    assert [one.picture for one in made.strongest(1, 9, among)] == [row for row in order if row in (0, 2, 4)]
    assert made.strongest(1, 1)[0].value == pytest.approx(float(inputs[order[0], 1].max()))


def test_a_picture_that_is_nearly_the_same_as_one_before_is_left_out(made):
    _, shown = made
    assert [one.name.rsplit("/", 1)[1] for one in shown.strongest(0, 9)] == ["3.png", "2.png", "1.png", "0.png"]
    assert len(shown.strongest(0, 9, distinct=False)) == 5


def test_the_patch_lies_around_the_place_where_the_concept_is_strongest_at_the_pictures_own_resolution(made):
    _, shown = made
    for row in range(4):
        patch = shown.patch(row, 0)
        assert (patch.top, patch.left) == (10 * (row % 2), 10 * row)
        assert (patch.bottom, patch.right) == (patch.top + 10, patch.left + 10)
        crop = np.asarray(shown.crop(row, 0))
        assert crop.shape == (10, 10, 3)
        assert (crop == 200 + 10 * row).all()
    assert shown.crop(0, 0, 64).size == (64, 64)


def test_a_patch_as_large_as_the_picture_is_the_picture(made):
    _, shown = made
    whole = shown.renewed(field=Field(18.0))
    assert not whole.local
    assert whole.crop(1, 0).size == (40, 40)
    assert shown.renewed(field=None).crop(1, 0).size == (40, 40)


def test_what_was_computed_stays_when_only_names_or_the_field_change(made):
    _, shown = made
    codes = shown.codes
    assert shown.renewed(field=None).codes is codes


def test_a_picture_is_dark_where_the_concept_does_not_light_up(made):
    _, shown = made
    lit = np.asarray(shown.shown(0, 0, 40), float)
    plain = np.asarray(shown.picture(0), float)
    assert np.allclose(lit[2:8, 2:8], plain[2:8, 2:8], atol=1)  # its bright square
    # elsewhere it is between the light that is left and its share of the peak
    corner = plain[30:, 30:]
    assert (lit[30:, 30:] >= DIM * corner - 1).all()
    assert lit[30:, 30:].mean() < 0.7 * corner.mean()


def test_small_pictures_keep_their_pixels_as_squares_and_large_ones_are_smoothed():
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0, 0] = 255
    big = np.asarray(enlarged(Image.fromarray(pixels), (8, 8)))
    assert set(np.unique(big)) == {0, 255}
    assert (big[:4, :4] == 255).all()
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8))
    assert len(np.unique(np.asarray(enlarged(noise, (8, 8))))) > 2


def test_the_field_is_that_of_the_layer(made):
    session, shown = made
    found = field_of(session, shown)
    assert found is not None
    # the mean over 10 x 10 pixels: 95 % of its gradient lies within the square of its cell
    assert found.reach == pytest.approx(5.0, abs=0.5)
    assert found.shift == (0.0, 0.0)


def test_a_layer_without_places_shows_whole_pictures(photos):
    model = seewhy.Model(
        torch.nn.Sequential(torch.nn.AvgPool2d(10), torch.nn.Flatten(), torch.nn.ReLU(), torch.nn.Linear(48, 2)),
        size=40,
        mean=0.0,
        std=1.0,
    )
    session = seewhy.Session(model)
    found = features(session, photos, "2")
    dictionary = NMF(torch.eye(48)[:3], torch.zeros(48), names=("a", "b", "c"), layer="2")
    shown = ConceptPictures(found, dictionary, model)
    assert field_of(session, shown) is None
    assert not shown.local
    assert shown.light(0, 0, 8) is None
    assert shown.crop(0, 0).size == (40, 40)
