"""Excitation backprop: by pencil, as probabilities, and by two passes through a network whose top weights are negated."""

import copy

import pytest
import torch
from torch import Tensor, nn

import seewhy
from networks import SmallCNN, SmallViT, seeded
from spelled_twice import pair


def explained(network: nn.Module, images: Tensor, target: int = 2, **settings: object) -> seewhy.Explanation:
    model = seewhy.Model(network, mean=0.5, std=0.5)
    return seewhy.Session(model).explain(images, target, seewhy.method("excitation-backprop", **settings))


class Pencil(nn.Module):
    """Two pixels, two hidden neurons, two answers; the pixels are the layer."""

    def __init__(self) -> None:
        super().__init__()
        self.grid, self.hidden, self.top = nn.Identity(), nn.Linear(2, 2), nn.Linear(2, 2)
        self.hidden.weight.data = torch.tensor([[1.0, 3.0], [2.0, -4.0]])
        self.top.weight.data = torch.tensor([[5.0, 1.0], [2.0, -1.0]])
        self.hidden.bias.data, self.top.bias.data = torch.tensor([0.0, 3.0]), torch.tensor([100.0, 0.5])
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return self.top(self.hidden(self.grid(x).flatten(1)).relu())


ONES = torch.ones(1, 1, 1, 2, dtype=torch.float64)


class TestByPencil:
    """Pixels (1, 1) give hidden neurons (4, 1). Down from them: the first is excited 1/4 and 3/4, the second by the first pixel only."""

    def test_each_winner_is_explained_by_what_excites_it(self):
        """Answer 0 is excited by 5 * 4 = 20 and 1 * 1 = 1; biases explain nothing."""
        found = explained(Pencil(), ONES, 0, layer="grid").heatmap[0, 0]
        expected = [20 / 21 * 1 / 4 + 1 / 21, 20 / 21 * 3 / 4]
        torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))

    def test_contrast(self):
        """Answer 1 is excited by the first hidden neuron alone, its opposite by the second alone: (1/4, 3/4) - (1, 0)."""
        found = explained(Pencil(), ONES, 1, layer="grid", contrastive=True).heatmap[0, 0]
        torch.testing.assert_close(found, torch.tensor([0.0, 3 / 4], dtype=torch.float64))


class TestProbabilities:
    @pytest.mark.parametrize("layer", ["stem", "down", "auto"])
    def test_they_add_up_to_one(self, layer, images):
        """Behind rectifiers and without biases, whatever is above 0 is excited by something."""
        network = seeded(SmallCNN())
        for name, value in network.state_dict().items():
            if name.endswith(("bias", "running_mean")):
                value.zero_()
        whole = 0
        for target in range(4):
            sums = explained(network, images, target, layer=layer).heatmap.sum(dim=(1, 2))
            beside = seewhy.Session(seewhy.Model(network)).explain(images, target, "grad-cam").score
            whole += int((beside > 0).sum())
            torch.testing.assert_close(sums[beside > 0], torch.ones_like(sums[beside > 0]))
        assert whole > 3

    def test_negative_ones_are_never_made_by_a_residual_sum(self, images):
        """Also where the summands have both signs, and in every layer."""

        class Signed(SmallCNN):
            def forward(self, x: Tensor) -> Tensor:
                x = self.stem(x)
                x = self.down(x + self.body[1](self.body[0](x)) - 0.3 * x)
                return self.head(x.mean(dim=(2, 3)))

        for layer in ("stem", "down", "body.1"):
            found = explained(seeded(Signed()), images, layer=layer).heatmap
            assert (found >= 0).all()
            assert (found.sum(dim=(1, 2)) <= 1 + 1e-9).all()
            assert found.any()

    def test_the_score_itself_does_not_matter(self, images):
        """It is a probability, so a network whose answers are ten times as large has the same map."""
        small, large = seeded(SmallCNN()), seeded(SmallCNN())
        large.head.weight.data *= 10
        large.head.bias.data *= -7
        found, expected = (explained(network, images, layer="stem").heatmap for network in (small, large))
        torch.testing.assert_close(found, expected)


def test_the_contrast_is_that_of_a_network_with_a_negated_top(images):
    """The paper's two passes: the target, and its opposite, of the same weights with the other sign."""
    network = seeded(SmallCNN())
    opposite = copy.deepcopy(network)
    opposite.head.weight.data.neg_()
    first, second = (explained(one, images, layer="stem").heatmap for one in (network, opposite))
    found = explained(network, images, layer="stem", contrastive=True).heatmap
    torch.testing.assert_close(found, (first - second).relu())


def test_modules_and_functions_give_the_same_map(images):
    modules, functions = pair()
    functions.fc2.bias.data, modules.fc2.bias.data = (torch.zeros(4, dtype=torch.float64) for _ in range(2))
    for contrastive in (False, True):
        first, second = (
            explained(network, images, layer="conv1", contrastive=contrastive).heatmap
            for network in (modules, functions)
        )
        torch.testing.assert_close(first, second)


def test_classes_differ_more_with_the_contrast(images):
    network = seeded(SmallCNN())

    def overlap(**settings: object) -> Tensor:
        one, other = (
            explained(network, images, target, layer="stem", **settings).heatmap.flatten(1) for target in (1, 2)
        )
        return torch.nn.functional.cosine_similarity(one, other).mean()

    assert overlap(contrastive=True) < overlap() - 0.2


def test_a_transformer_is_refused(images):
    with pytest.raises(seewhy.MethodError):
        explained(seeded(SmallViT()), images, layer="patches")
