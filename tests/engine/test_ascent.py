"""An ascent: scores and gradients are the network's own, and no more of it runs than leads to the target."""

import torch
from torch import nn

from networks import SmallCNN, seeded
from seewhy.api import Session
from seewhy.rules.rectifiers import reviving
from seewhy.targets import Channel, ClassScore


def test_scores_and_gradients_are_those_of_autograd():
    network = seeded(SmallCNN())
    images = torch.rand(3, 3, 32, 32, dtype=torch.float64)
    wanted = images.clone().requires_grad_()
    score = network(wanted)[:, 2]
    score.sum().backward()
    ascent = Session(network).ascent(ClassScore(2), images[:1])
    scores, gradient = ascent.slope(images)
    torch.testing.assert_close(scores, score.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradient, wanted.grad, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(ascent.scores(images), score.detach(), rtol=1e-4, atol=1e-5)


def test_what_follows_the_layer_does_not_run():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.Flatten(), nn.Linear(5 * 12 * 12, 3))
    session = Session(network.eval())
    ascent = session.ascent(Channel("0", 1), torch.rand(1, 3, 16, 16))
    ran = []
    session.network.module[2].register_forward_hook(lambda *_: ran.append(True))
    before = session.cost
    scores, gradient = ascent.slope(torch.rand(2, 3, 16, 16))
    assert not ran
    assert scores.shape == (2,)
    assert gradient.abs().sum() > 0
    assert session.cost.partial - before.partial == 2
    assert session.cost.forwards == before.forwards
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_dead_unit_is_woken_by_what_would_open_it():
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU6())
    with torch.no_grad():
        network[0].weight.fill_(2.0)
        network[0].bias.fill_(-50.0)
    images = torch.rand(1, 1, 4, 4)
    asleep = Session(network).ascent(Channel("1", 0), images).slope(images)[1]
    assert not asleep.any()
    awake = Session(network).ascent(Channel("1", 0), images, revival=reviving).slope(images)[1]
    torch.testing.assert_close(awake, torch.full_like(images, 2 / 16))
    above = Session(network).ascent(-1 * Channel("1", 0), images + 100, revival=reviving).slope(images + 100)[1]
    torch.testing.assert_close(above, torch.full_like(images, -2 / 16))


def test_only_the_last_shut_rectifier_is_opened():
    """Behind the one that is shut by its bias, another lies that halves the picture: its own gradient is kept."""
    network = nn.Sequential(nn.ReLU(), nn.Conv2d(1, 1, 1), nn.ReLU())
    with torch.no_grad():
        network[1].weight.fill_(3.0)
        network[1].bias.fill_(-50.0)
    images = torch.linspace(-1, 1, 16).view(1, 1, 4, 4)
    awake = Session(network).ascent(Channel("2", 0), images, revival=reviving).slope(images)[1]
    torch.testing.assert_close(awake, 3 / 16 * (images > 0))


def test_a_unit_that_nothing_reaches_through_the_last_rectifier_is_sought_before_it():
    network = nn.Sequential(nn.ReLU(), nn.Conv2d(1, 1, 1), nn.ReLU())
    with torch.no_grad():
        network[1].weight.fill_(3.0)
        network[1].bias.fill_(-50.0)
    images = torch.full((1, 1, 4, 4), -1.0)
    awake = Session(network).ascent(Channel("2", 0), images, revival=reviving).slope(images)[1]
    torch.testing.assert_close(awake, torch.full_like(images, 3 / 16))


def test_a_unit_at_its_ceiling_climbs_on_by_what_lies_before_it():
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU6())
    with torch.no_grad():
        network[0].weight.fill_(2.0)
        network[0].bias.fill_(50.0)
    images = torch.rand(1, 1, 4, 4)
    score, gradient = Session(network).ascent(Channel("1", 0), images, revival=reviving).slope(images)
    torch.testing.assert_close(score, torch.tensor([6.0]))
    torch.testing.assert_close(gradient, torch.full_like(images, 2 / 16))


def test_what_nothing_can_wake_is_tried_once():
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU())
    with torch.no_grad():
        network[0].weight.zero_()
        network[0].bias.fill_(-1.0)
    session = Session(network)
    images = torch.rand(1, 1, 4, 4)
    ascent = session.ascent(Channel("1", 0), images, revival=reviving)
    assert not ascent.slope(images)[1].any()
    before = session.cost.partial
    assert not ascent.slope(images)[1].any()
    assert session.cost.partial - before == 1
