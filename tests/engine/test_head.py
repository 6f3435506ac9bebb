"""The head of a network, from activations to answers without pictures, says what the whole network says."""

import pytest
import torch
from torch import nn

from seewhy.core.needs import Needs
from seewhy.engine.head import Head
from seewhy.engine.model import Model
from seewhy.engine.network import Network
from seewhy.errors import LayerError


class Branched(nn.Module):
    """A convolution, a block whose branch goes round its inner convolution, and a linear head."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.inner = nn.Conv2d(4, 4, 3, padding=1)
        self.joined = nn.Identity()
        self.linear = nn.Linear(4, 5)

    def forward(self, x):
        x = self.stem(x).relu()
        x = self.joined(self.inner(x).relu() + x)
        return self.linear(x.mean(dim=(2, 3)))


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Network(Model(Branched()))


@pytest.fixture
def images():
    return torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def activations(network, layer, images):
    made = network.forward(images, Needs(outputs=frozenset({layer})))
    return made.nodes[layer].detach(), made.reading.output.detach()


@pytest.mark.parametrize("layer", ["stem", "joined"])
def test_answers_are_those_of_the_whole_network_for_pictures_it_has_not_seen(network, images, layer):
    head = Head.of(network, layer, images[:2])
    raw, answers = activations(network, layer, images)
    torch.testing.assert_close(head.answers(raw[2:]), answers[2:])


def test_the_gradient_is_that_of_the_linear_head(network, images):
    raw, _ = activations(network, "joined", images)
    classes = torch.tensor([0, 1, 2, 3, 4, 0])
    found = Head.of(network, "joined", images[:2]).gradients(raw, classes)
    weight = network.module.linear.weight[classes]  # the mean over 64 positions hands each a 64th
    torch.testing.assert_close(found, (weight / 64)[:, :, None, None].expand(-1, -1, 8, 8).contiguous())


def test_a_layer_with_a_branch_round_it_has_no_head(network, images):
    with pytest.raises(LayerError, match="something goes round it"):
        Head.of(network, "inner", images[:2])


def test_one_picture_is_enough(network, images):
    raw, answers = activations(network, "joined", images)
    torch.testing.assert_close(Head.of(network, "joined", images[:1]).answers(raw), answers)


def test_scores_and_slopes_of_any_score_of_the_answers(network, images):
    raw, answers = activations(network, "joined", images)
    head = Head.of(network, "joined", images[:2])
    scores, slopes = head.slopes(raw, lambda reading: reading.output[:, 1] - 2 * reading.output[:, 3])
    torch.testing.assert_close(scores, answers[:, 1] - 2 * answers[:, 3])
    weight = (network.module.linear.weight[1] - 2 * network.module.linear.weight[3]) / 64
    torch.testing.assert_close(slopes, weight[None, :, None, None].expand(6, -1, 8, 8).contiguous())
