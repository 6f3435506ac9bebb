"""Gradient ascent finds what planted units look for, repeats bit for bit, and ends when it should."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from clips import Planted3D
from networks import SmallCNN, SmallViT, seeded
from seewhy.engine.model import Model
from seewhy.engine.session import Session
from seewhy.errors import ConfigError, ModelError
from seewhy.targets import Channel, ClassScore
from seewhy.visualization.canvas import Fourier, Pixels
from seewhy.visualization.maco import Maco
from seewhy.visualization.maximize import Climb, as_input, as_seen, maximize, pace, settled
from seewhy.visualization.regular import contrast, total_variation
from seewhy.visualization.views import Views

STILL = Views(count=1, turn=0.0, scale=0.0, shift=0.0)
GENTLE = Views(count=2, turn=5.0, scale=0.05, shift=1.0)


def session(network, size=16, channels=3):
    facts = {"size": size, "mean": [0.5] * channels, "std": [0.25] * channels}
    return Session(Model(network, **facts, channels="grey" if channels == 1 else "rgb"))


class Scene(nn.Module):
    """One number: the sum of pixels times weights."""

    def __init__(self, weight):
        super().__init__()
        self.layer = nn.Conv2d(len(weight), 1, weight.shape[1:], bias=False)
        self.layer.weight.data = weight[None]

    def forward(self, x):
        return self.layer(x).flatten(1)


@pytest.mark.parametrize("canvas", [Pixels(), Fourier(decay=0.0, finest=None)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_linear_unit_gets_the_signs_of_its_weights(canvas, channels):
    weight = torch.randn(channels, 16, 16, generator=torch.Generator().manual_seed(0))
    climb = Climb(canvas, STILL, steps=150, patient=True)
    made = maximize(session(Scene(weight), channels=channels), Channel("layer", 0), climb)
    agreed = ((made.images[0] - 0.5).sign() == weight.sign()).float()
    assert made.images.shape == (1, channels, 16, 16)
    assert float((agreed * weight.abs()).sum() / weight.abs().sum()) > (0.94 if channels == 3 else 0.98)


class Detector(nn.Module):
    """Channel 1 fires on one pattern, as a matched filter without mean; channel 0 on its opposite."""

    def __init__(self, pattern):
        super().__init__()
        kernel = pattern - pattern.mean()
        self.look = nn.Conv2d(3, 2, pattern.shape[1:], bias=False)
        self.look.weight.data = torch.stack([-kernel, kernel])
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.look(x)).amax(dim=(2, 3))


def ring(size=9):
    """A red ring on blue."""
    place = torch.arange(size) - size // 2
    inside = ((torch.hypot(place[:, None].float(), place[None].float()) - 3).abs() < 1).float()
    return torch.stack([inside, torch.zeros_like(inside), 1 - inside])


@pytest.mark.parametrize("canvas", [Pixels(), Fourier(), Fourier(decay=1.0, finest=None)])
def test_a_planted_pattern_is_reached_or_surpassed(canvas):
    pattern = ring()
    one = session(Detector(pattern), size=24)
    planted = torch.full((1, 3, 24, 24), 0.5)
    planted[0, :, 7:16, 7:16] = pattern
    own = one.ascent(Channel("act", 1), as_input(planted, one.model)).scores(as_input(planted, one.model))
    made = maximize(one, Channel("act", 1), Climb(canvas, GENTLE, steps=96))
    assert own > 0
    assert made.scores[0] >= own[0]


def test_the_score_is_that_of_the_picture_as_it_is(cnn):
    one = session(cnn)
    made = maximize(one, ClassScore(2), Climb(views=GENTLE, steps=8))
    answer = cnn(((made.images - 0.5) / 0.25).double())
    assert float(made.scores[0]) == pytest.approx(answer[0, 2].item(), rel=1e-5)
    assert len(made.curves) == 1 and len(made.curves[0]) == 8


@pytest.mark.parametrize("canvas", [Pixels(), Fourier(), Maco()])
def test_the_same_seed_gives_the_same_picture_after_others_and_another_seed_another(cnn, canvas):
    climb = Climb(canvas, replace(GENTLE, noise=0.05, crop=(0.6, 1.0)), steps=6)
    alone = maximize(session(cnn), ClassScore(1), climb, seed=4)
    busy = session(cnn)
    maximize(busy, Channel("body", 0), climb, seed=9)
    torch.randn(5)
    again, other = (maximize(busy, ClassScore(1), climb, seed=seed) for seed in (4, 5))
    assert torch.equal(alone.images, again.images) and torch.equal(alone.scores, again.scores)
    assert not torch.equal(alone.images, other.images)


@pytest.mark.parametrize("canvas", [Pixels(), Fourier(), Maco()])
@pytest.mark.parametrize("target", [ClassScore(0), Channel("blocks.1", 3)])
def test_a_transformer_is_climbed_and_scores_more_than_the_start(canvas, target):
    one = session(seeded(SmallViT()), size=8)
    begun = maximize(one, target, Climb(canvas, GENTLE, steps=1))
    made = maximize(one, target, Climb(canvas, GENTLE, steps=60))
    assert made.scores[0] > begun.scores[0]


def test_a_picture_may_have_another_size_than_the_network_wants():
    one = session(seeded(SmallViT()), size=8)
    climb = Climb(size=(20, 12), views=GENTLE, steps=4)
    made = maximize(one, ClassScore(0), climb)
    seen = as_seen(made.images, one.model, climb)
    assert made.images.shape == (1, 3, 20, 12) and seen.shape == (1, 3, 8, 8)
    assert float(made.scores[0]) == pytest.approx(float(one.predict(seen)[0, 0]), rel=1e-5)


def test_an_oblong_picture_and_one_channel():
    one = Session(Model(seeded(SmallCNN(channels=1)), size=(12, 20), mean=0.5, std=0.25, channels="grey"))
    assert maximize(one, ClassScore(0), Climb(views=GENTLE, steps=2)).images.shape == (1, 1, 12, 20)


def test_channels_come_back_as_rgb_from_a_network_that_takes_bgr():
    weight = torch.stack([torch.ones(16, 16), torch.zeros(16, 16), -torch.ones(16, 16)])
    model = Model(Scene(weight), size=16, mean=[0.5] * 3, std=[0.25] * 3, channels="bgr")
    [image] = maximize(Session(model), Channel("layer", 0), Climb(Pixels(deviation=0.0), STILL, steps=40)).images
    assert image[2].mean() > 0.6
    assert image[0].mean() < 0.4


def test_total_variation_and_contrast_are_taken_off(cnn):
    plain, smooth, pale = (
        maximize(session(cnn), ClassScore(1), Climb(Pixels(), STILL, steps=60, **weights)).images[0]
        for weights in ({}, {"tv": 300.0}, {"l2": 300.0})
    )
    assert total_variation(smooth) < 0.3 * total_variation(plain)
    assert contrast(pale) < 0.3 * contrast(plain)


def test_a_climb_ends_when_nothing_is_gained_and_goes_on_when_told():
    constant = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Sigmoid())
    nn.init.zeros_(constant[0].weight)
    one = session(constant)
    quick, patient = (
        maximize(one, Channel("1", 0), Climb(views=STILL, steps=100, patient=patient)) for patient in (False, True)
    )
    assert len(quick.curves[0]) == 64 and len(patient.curves[0]) == 100


def test_settled_compares_two_stretches_of_steps():
    assert not settled([1.0] * 63)
    assert settled([1.0] * 64)
    assert not settled([1.0] * 32 + [1.02] * 32)
    assert settled([1.0] * 32 + [1.005] * 32)
    assert not settled([-1.0] * 32 + [-0.9] * 32)
    assert settled([-1.0] * 32 + [-1.5] * 32)


def test_the_step_length_falls_from_all_of_it_to_a_tenth():
    assert pace(0, 100) == 1.0
    assert pace(50, 100) == pytest.approx(0.55)
    assert pace(99, 100) == pytest.approx(0.1, abs=0.001)


def test_a_budget_of_steps_and_progress(cnn):
    told = []
    maximize(
        session(cnn), ClassScore(0), Climb(views=GENTLE, steps=50, budget=3), progress=lambda *news: told.append(news)
    )
    assert [news[:2] for news in told] == [(1, 50), (2, 50), (3, 50)]


def test_what_is_missing_or_wrong_is_said(cnn):
    with pytest.raises(ModelError, match="size, mean and std"):
        maximize(Session(Model(cnn)), ClassScore(0), Climb())
    with pytest.raises(ConfigError, match="steps=0"):
        Climb(steps=0)
    with pytest.raises(ConfigError, match="2 x 2"):
        Climb(size=(1, 8))


def test_no_picture_is_made_for_a_network_that_takes_clips():
    model = Model(Planted3D().eval(), size=32, frames=16, mean=0.0, std=1.0, layout="bcthw")
    with pytest.raises(ModelError, match="takes clips"):
        maximize(Session(model), ClassScore(0), Climb(steps=2))
