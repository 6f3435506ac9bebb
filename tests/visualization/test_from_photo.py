"""Caricature, inversion and accentuation: each keeps its promise in numbers."""

import numpy as np
import pytest
import torch
from painted import planted, small
from PIL import Image

import seewhy
from seewhy.core.needs import Needs
from seewhy.engine.session import Session
from seewhy.errors import ConfigError, LayerError, ShapeError, TargetError
from seewhy.targets import Distance
from seewhy.visualization.accentuate import Overlaid, halfway
from seewhy.visualization.photos import as_photo, features_of


def activations(model: seewhy.Model, picture: torch.Tensor, layer: str) -> torch.Tensor:
    """What a layer gives on a picture with values from 0 to 1."""
    session = Session(model)
    inputs = (picture - torch.tensor(model.mean)[:, None, None]) / torch.tensor(model.std)[:, None, None]
    return session.network.forward(inputs[None], Needs(frozenset({layer}))).reading.activation[layer][0]


def test_a_photo_is_the_network_s_input_with_values_from_0_to_1(photo):
    model = small()
    seen = as_photo(photo, model)
    prepared = seewhy.Session(model).samples(photo)[0].inputs
    torch.testing.assert_close((seen - 0.5) / 0.25, prepared)


def test_channels_in_another_order_are_put_right(photo):
    rgb, bgr = as_photo(photo, small()), as_photo(photo, _bgr())
    torch.testing.assert_close(rgb, bgr)


def _bgr() -> seewhy.Model:
    model = small()
    return seewhy.Model(model.module, size=16, mean=model.mean, std=model.std, channels="bgr")


def test_a_caricature_repeats_more_than_the_photo_itself(photo):
    model = small()
    made = seewhy.caricature(photo, model, ["stem", "down"])
    assert made.targets == ("caricature at stem", "caricature at down")
    assert all(float(score) > own > 0 for score, own in zip(made.scores, made.photo_scores, strict=True))
    features = activations(model, made.photo, "down")
    got = activations(model, made.images[1], "down")
    dot = (features * got).sum(dim=0)
    cosine = dot / (features.norm(dim=0) * got.norm(dim=0))
    assert float(made.scores[1]) == pytest.approx(float((dot * cosine.clamp_min(0.1)).mean()), rel=1e-3)


def test_an_inversion_comes_near_the_photo_s_activations(photo):
    model = small()
    made = seewhy.invert(photo, model, "down", tv=0.0)
    first = seewhy.invert(photo, model, "down", tv=0.0, steps=1)
    assert float(made.scores[0]) < float(first.scores[0]) / 5
    features, got = activations(model, made.photo, "down"), activations(model, made.images[0], "down")
    expected = float((features - got).square().sum() / features.square().sum())
    assert float(made.scores[0]) == pytest.approx(expected, rel=1e-3)


def test_an_accentuated_photo_scores_higher_and_stays_as_near_as_it_must(photo):
    model = small()
    for within in (0.1, 0.4):
        made = seewhy.accentuate(photo, model, ["b", "down:2"], within=within, layer="stem", steps=40)
        for index in range(2):
            assert float(made.scores[index]) > made.photo_scores[index]
            features = activations(model, made.photo, "stem")
            moved = activations(model, made.images[index], "stem") - features
            assert float(moved.norm() / features.norm()) <= within + 1e-4
    assert torch.equal(made.images, seewhy.accentuate(photo, model, ["b", "down:2"], layer="stem", steps=40).images)


def test_without_a_target_the_predicted_class_is_accentuated(photo):
    session = seewhy.Session(small())
    predicted = session.explain(photo).targets[0]
    assert seewhy.accentuate(photo, session, steps=2).targets == (predicted,)


def test_no_change_over_a_photo_is_the_photo():
    picture = torch.rand(3, 8, 10, generator=torch.Generator().manual_seed(0)) * 0.98 + 0.01
    canvas = Overlaid(picture)
    numbers = canvas.begin((3, 8, 10), torch.Generator())
    torch.testing.assert_close(canvas.picture(numbers, (3, 8, 10)), picture, rtol=1e-4, atol=1e-5)


def test_features_are_what_the_layer_gives_and_halfway_is_a_layer_with_a_grid(photo):
    session = Session(small())
    seen = as_photo(photo, session.model)
    features = features_of(session, seen, "body.0")
    torch.testing.assert_close(features.tensor(), activations(session.model, seen, "body.0"), rtol=1e-4, atol=1e-4)
    assert halfway(session, (3, 16, 16)) == "body.1"


def test_what_cannot_be_done_is_said(photo):
    model = small()
    with pytest.raises(LayerError, match="nearest: 'down'"):
        seewhy.caricature(photo, model, "donw")
    with pytest.raises(ConfigError, match="no layer is named"):
        seewhy.invert(photo, model, [])
    with pytest.raises(ConfigError, match="above 0"):
        seewhy.accentuate(photo, model, "a", within=0)
    with pytest.raises(TargetError, match="no class 'aa'"):
        seewhy.accentuate(photo, model, "aa")
    with pytest.raises(TargetError, match="nothing but zeros"):
        seewhy.invert(Image.fromarray(np.zeros((20, 20, 3), dtype=np.uint8)), planted(), "act")
    with pytest.raises(TargetError, match="must be prepared at the size"):
        seewhy.visualize(model, -1 * Distance("down", torch.ones(8, 4, 4)), steps=2)


def test_a_photo_of_four_channels_is_a_tensor():
    picture = torch.rand(4, 16, 16, generator=torch.Generator().manual_seed(0))
    made = seewhy.accentuate(picture, small(4), "a", steps=3)
    assert made.images.shape == (1, 4, 16, 16)
    with pytest.raises(ShapeError, match="takes 4 channels"):
        seewhy.accentuate("photo.jpg", small(4), "a", steps=3)
