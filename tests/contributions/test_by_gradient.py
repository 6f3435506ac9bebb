"""The contribution formula: what adds up, what it is to first order."""

import pytest
import torch

import seewhy
from networks import SmallViT, seeded
from seewhy.contributions.by_gradient import contributed
from seewhy.contributions.channels import channel_contribution
from seewhy.contributions.effects import effects
from seewhy.contributions.layer_channels import Channels
from seewhy.data.dataset import dataset
from seewhy.targets import ClassScore
from units_asked import asked_of, data_of

ZERO = ClassScore(0)


def asked_about(network, images, labels, units, target=ZERO):
    ((asked, _),) = asked_of(network, dataset((images, torch.tensor(labels)), seewhy.Model(network)), units, target)
    return asked


def test_before_average_pool_and_linear_head_it_adds_up_to_the_logit_minus_the_bias(cnn, images):
    asked = asked_about(cnn, images, [1, 0, 2], Channels(at="act", fill="zero", gradients=True), ClassScore((1, 0, 2)))
    found = contributed(asked, range(3))
    logits = cnn(images).detach().gather(1, torch.tensor([1, 0, 2])[:, None])[:, 0]
    torch.testing.assert_close(found.score.sum(dim=1), logits - cnn.head.bias.detach()[[1, 0, 2]])
    torch.testing.assert_close(found.all_gone, found.score.sum(dim=1))  # linear: zeros take away the same
    torch.testing.assert_close(found.whole, logits)


def test_it_is_the_channel_contribution_times_the_number_of_positions(cnn, images):
    asked = asked_about(cnn, images, [0, 0, 0], Channels(at="body", fill="zero", gradients=True), ClassScore(2))
    expected = channel_contribution(asked.probe, "body").contribution * 64
    torch.testing.assert_close(contributed(asked, range(3)).score, expected)


def test_the_loss_is_to_first_order_what_a_little_less_of_a_channel_does(cnn, images):
    labels = torch.tensor([1, 0, 2])
    found = contributed(
        asked_about(cnn, images, [1, 0, 2], Channels(at="body", fill="zero", gradients=True)), range(3)
    ).loss
    for channel in range(6):
        losses = []
        for factor in (1 - 1e-5, 1 + 1e-5):
            scale = torch.ones(6, 1, 1, dtype=torch.float64)
            scale[channel] = factor
            handle = cnn.body.register_forward_hook(lambda module, args, output, scale=scale: output * scale)
            with torch.no_grad():
                losses.append(torch.nn.functional.cross_entropy(cnn(images), labels, reduction="none"))
            handle.remove()
        torch.testing.assert_close(found[:, channel], (losses[0] - losses[1]) / 2e-5, atol=1e-6, rtol=1e-6)


def test_a_vector_has_no_positions_to_sum_over(cnn, images):
    asked = asked_about(cnn, images, [1, 1, 1], Channels(at="head:in", fill="zero", gradients=True), ClassScore(1))
    found = contributed(asked, range(3)).score
    with torch.no_grad():
        x = cnn.stem(images)
        given = cnn.act(cnn.down(x + cnn.body(x))).mean(dim=(2, 3))
    torch.testing.assert_close(found, cnn.head.weight[1].detach() * given)


@pytest.mark.parametrize("fill", ["mean", "resample", "blur"])
@pytest.mark.parametrize("layer", ["act", "head:in"])
def test_where_all_that_follows_is_linear_it_is_what_ablation_finds(cnn, fill, layer):
    _, data = data_of(cnn)
    units = Channels(at=layer, fill=fill, gradients=True)
    ((asked, places),) = asked_of(cnn, data, units, ZERO)
    torch.testing.assert_close(contributed(asked, places).score, effects([asked], places).score)


def test_tokens_with_a_place_are_compared_with_their_mean():
    network = seeded(SmallViT())
    _, data = data_of(network)
    ((asked, places),) = asked_of(network, data, Channels(at="blocks.0", fill="mean", gradients=True), ZERO)
    trace = asked.probe.trace()
    made, gradient = trace.activation["blocks.0"], trace.gradient["blocks.0"]
    expected = (gradient * (made - made.mean(dim=(0, 2, 3), keepdim=True))).sum(dim=(2, 3))
    torch.testing.assert_close(contributed(asked, places).score, expected)


@pytest.mark.door
def test_units_without_gradients(cnn, images):
    with pytest.raises(seewhy.ConfigError, match="channels of a layer"):
        contributed(asked_about(cnn, images, [0, 0, 0], Channels(at="body")), range(3))
