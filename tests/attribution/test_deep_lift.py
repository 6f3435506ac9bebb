import pytest
import torch
import torch.nn.functional as F
from captum.attr import DeepLift
from gradient_oracle import Quadratic, explained
from torch import Tensor, nn

import seewhy
from networks import seeded
from seewhy.targets import ClassScore, Custom, Label, Margin
from spelled_twice import Adjacent, OfModules, pair

transformers = pytest.importorskip("transformers")
VIT = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def lifted(network, images, baseline="black", target=1, **settings):
    return explained(network, images, "deep-lift", target=target, baseline=baseline, **settings)


def off(found) -> float:
    """The largest residual, beside the magnitude of its map."""
    return float((found.residual.abs() / found.heatmap.abs().flatten(1).sum(dim=1)).max())


def test_on_a_linear_network_it_is_weight_times_difference(linear, images):
    found = lifted(linear, images, "white")
    torch.testing.assert_close(found.heatmap, (linear.weight[1] * (images - 1)).sum(dim=1).detach())


def test_one_rectifier_by_pencil():
    """relu(x + y - 1) from (0, 0) to (3, 2): 4 of score for 5 of difference, so 4/5 each; the gradient would give 1."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 1), nn.ReLU(), nn.Linear(1, 2)).double()
    network[1].weight.data, network[1].bias.data = torch.ones(1, 2).double(), torch.tensor([-1.0]).double()
    network[3].weight.data, network[3].bias.data = torch.tensor([[0.0], [1.0]]).double(), torch.zeros(2).double()
    found = lifted(network, torch.tensor([[[[3.0, 2.0]]]], dtype=torch.float64))
    torch.testing.assert_close(found.heatmap, torch.tensor([[[2.4, 1.6]]], dtype=torch.float64))


def test_where_the_gradient_is_gone_the_difference_is_not():
    """1 - relu(1 - x), the paper's example of saturation (figure 1): at x = 2 the gradient is 0, the contribution 1."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 2)).double()
    for layer in (network[1], network[3]):
        layer.weight.data.fill_(-1), layer.bias.data.fill_(1)
    picture = torch.full((1, 1, 1, 1), 2.0, dtype=torch.float64)
    assert float(lifted(network, picture).heatmap) == pytest.approx(1)
    assert float(explained(network, picture, "input-x-gradient").heatmap) == 0


def test_by_products_of_matrices(images):
    """W3 diag(d2) W2 diag(d1) W1 (x - x0), with d the quotients of differences, each layer by itself."""
    network = seeded(
        nn.Sequential(nn.Flatten(), nn.Linear(192, 9), nn.Tanh(), nn.Linear(9, 8), nn.SiLU(), nn.Linear(8, 4))
    )
    with torch.no_grad():
        for one, found in zip(images, lifted(network, images, "white").heatmap, strict=True):
            states = [torch.stack([one, torch.ones_like(one)])]
            for layer in network:
                states.append(layer(states[-1]))
            slopes = [(y[0] - y[1]) / (x[0] - x[1]) for x, y in ((states[2], states[3]), (states[4], states[5]))]
            chain = network[5].weight[1] @ slopes[1].diag() @ network[3].weight @ slopes[0].diag() @ network[1].weight
            expected = (chain * (one - 1).flatten()).view(3, 8, 8).sum(dim=0)
            torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("act", [nn.ReLU, nn.ELU, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.LeakyReLU])
@pytest.mark.parametrize("level", [0.0, 1.0, -0.25])
def test_is_the_same_as_in_captum(images, act, level):
    network, start = seeded(OfModules(act)), torch.full_like(images, level)
    expected = DeepLift(network).attribute(images, start, target=1).sum(dim=1).detach()
    found = lifted(network, images, start[0])
    torch.testing.assert_close(found.heatmap, expected, rtol=1e-9, atol=1e-11)


def test_a_network_of_functions_gives_the_map_of_its_twin_of_modules(images):
    """Peers that watch modules take the plain gradient at functional rectifiers, and no longer add up."""
    modules, functions = pair()
    maps = [lifted(network, images).heatmap for network in (modules, functions)]
    torch.testing.assert_close(*maps, rtol=1e-11, atol=1e-13)
    _, delta = DeepLift(functions).attribute(images, 0 * images, target=1, return_convergence_delta=True)
    assert delta.abs().max() > 0.01
    assert lifted(functions, images).residual.abs().max() < 1e-13


def test_max_pools_beside_rectifiers_add_up(images):
    """Windows that overlap, ties of zeros; a peer that keeps modules' inputs and outputs by hooks misses here."""
    network = seeded(Adjacent())
    for kind in ("noise", "black", "white", "blur"):
        assert lifted(network, images, kind).residual.abs().max() < 1e-13


def test_squares_split_as_on_any_path(images):
    """A sum of squares of pixels has no mixed terms, so there is one answer: w (x^2 - x0^2) + v (x - x0)."""
    network = Quadratic()
    found = lifted(network, images, "white")
    torch.testing.assert_close(found.heatmap, network.integral(torch.ones_like(images), images, 1))


def vit(**settings):
    return transformers.ViTForImageClassification(
        transformers.ViTConfig(num_labels=4, image_size=32, patch_size=8, **VIT, **settings)
    )


NETWORKS = {
    "vit": (vit, 32),
    "swin": (
        lambda: transformers.SwinForImageClassification(
            transformers.SwinConfig(
                num_labels=4, image_size=64, patch_size=4, embed_dim=12, depths=[1, 2], num_heads=[2, 2], window_size=4
            )
        ),
        64,
    ),
    "swin v2": (
        lambda: transformers.Swinv2ForImageClassification(
            transformers.Swinv2Config(
                num_labels=4, image_size=64, patch_size=4, embed_dim=12, depths=[1, 2], num_heads=[2, 2], window_size=4
            )
        ),
        64,
    ),
    "convnext": (
        lambda: transformers.ConvNextForImageClassification(
            transformers.ConvNextConfig(num_labels=4, hidden_sizes=[8, 12, 16, 24], depths=[1, 1, 2, 1])
        ),
        64,
    ),
    "convnext v2": (
        lambda: transformers.ConvNextV2ForImageClassification(
            transformers.ConvNextV2Config(num_labels=4, hidden_sizes=[8, 12, 16, 24], depths=[1, 1, 2, 1])
        ),
        64,
    ),
    "resnet": (
        lambda: transformers.ResNetForImageClassification(
            transformers.ResNetConfig(
                num_labels=4, embedding_size=8, hidden_sizes=[8, 12, 16], depths=[1, 1, 1], layer_type="basic"
            )
        ),
        64,
    ),
    "efficientnet": (
        lambda: transformers.EfficientNetForImageClassification(
            transformers.EfficientNetConfig(
                num_labels=4,
                image_size=64,
                width_coefficient=0.25,
                depth_coefficient=0.25,
                hidden_dim=320,
                depth_divisor=8,
            )
        ),
        64,
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("baseline", ["black", "blur"])
def test_adds_up_on_whole_networks(name, baseline):
    """Attention, windows, GELU, SiLU, gates, layer norms, response norms: the sum misses the difference by rounding."""
    build, size = NETWORKS[name]
    network = seeded(build())
    pictures = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = lifted(network, pictures, baseline)
    assert off(found) < (1e-9 if name == "efficientnet" else 1e-13)
    assert not found.coverage.kinds("fallback gradient")
    start = {"black": torch.zeros_like(pictures)}.get(baseline)
    if start is not None:
        with torch.no_grad():
            difference = (network(pictures).logits - network(start).logits)[:, 1]
        torch.testing.assert_close(
            found.heatmap.sum(dim=(1, 2)), difference, rtol=0, atol=1e-9 * float(found.heatmap.abs().sum())
        )


def test_the_spelling_of_attention_changes_nothing():
    """Fused attention is spelled out; the eager one takes its softmax in float32."""
    fused, eager = vit(), vit(attn_implementation="eager")
    eager.load_state_dict(fused.state_dict())
    pictures = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    maps = [lifted(network.double().eval(), pictures).heatmap for network in (fused, eager)]
    torch.testing.assert_close(*maps, rtol=1e-5, atol=1e-7)


class Kinks(nn.Module):
    """Hardswish, ReLU6, squeeze and excitation, group, instance and response norm, a mix by softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.group, self.instance = nn.Conv2d(3, 6, 3), nn.GroupNorm(2, 6), nn.InstanceNorm2d(6, affine=True)
        self.squeeze, self.pool, self.head = nn.Conv2d(6, 6, 1), nn.AdaptiveMaxPool2d(2), nn.Linear(24, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.hardswish(self.group(self.conv(x)))
        x = x * F.hardsigmoid(self.squeeze(F.adaptive_avg_pool2d(x, 1)))
        x = F.relu6(F.local_response_norm(self.instance(x), 3)) * x.softmax(dim=1)
        return self.head(self.pool(x).flatten(1)) ** 2 / 2


def test_adds_up_through_everything_else(images):
    assert lifted(seeded(Kinks()), images, "noise").residual.abs().max() < 1e-12


@pytest.mark.parametrize(
    "target",
    [
        ClassScore(1, unit="probability"),
        ClassScore(2, unit="log-probability"),
        Label(1, unit="probability"),
        Margin(),
        Custom(lambda output: output.square().sum(dim=1)),
        ClassScore(1, unit="probability") - ClassScore(2),
    ],
)
def test_adds_up_for_targets_that_are_no_logits(cnn, images, target):
    found = lifted(cnn, images, "white", target)
    assert found.residual.abs().max() < 1e-12


def test_of_the_image_itself_nothing_is_left(cnn, images):
    found = lifted(cnn, images[:1], images[0].double())
    assert found.heatmap.abs().max() < 1e-5  # a baseline that is given is kept in float32


def test_adds_up_in_single_precision(images):
    network = seeded(Kinks()).float()
    assert off(lifted(network, images.float(), "noise")) < 1e-5


def test_a_score_that_hardly_depends_on_the_image_is_no_remainder(cnn, images):
    """What is left is the rounding of a score of 1e9."""
    cnn.head.bias.data += 1e9
    found = lifted(cnn, images)
    assert 0 < found.residual.abs().max() < 1e-6


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(24, 5, batch_first=True), nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x.permute(0, 2, 1, 3).flatten(2))[0][:, -1])


def test_a_recurrent_layer_adds_up(images):
    """Its gates and what they let through share as products do, without remainder."""
    network = seeded(Recurrent())
    found = lifted(network, images)
    scores = network(images)[:, 1] - network(torch.zeros_like(images))[:, 1]
    torch.testing.assert_close(found.heatmap.flatten(1).sum(dim=1), scores.detach(), rtol=1e-6, atol=1e-9)


class TokensFirst(nn.Module):
    """Tokens along the first axis, images along the second."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm, self.head = nn.Conv2d(3, 6, 2, 2), nn.LayerNorm(6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.stem(x).flatten(2).permute(2, 0, 1)
        return self.head(F.gelu(self.norm(tokens)).mean(dim=0))


class Cut(nn.Module):
    """Half of the image goes around the graph."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(192, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1)) + self.head(x.detach().flatten(1) ** 2)


@pytest.mark.parametrize(("build", "words"), [(TokensFirst, "remainder"), (Cut, "remainder")])
def test_what_the_rules_cannot_see_is_refused(build, words, images):
    with pytest.raises(seewhy.MethodError, match=words):
        lifted(seeded(build()), images)


def test_the_cost_is_one_pass_of_both(cnn, images):
    cost = lifted(cnn, images).cost
    assert (cost.forwards, cost.backwards) == (3, 2)


@pytest.mark.door
def test_an_unknown_baseline_is_named(cnn, images):
    with pytest.raises(seewhy.ConfigError, match="'grey' does not stand for nothing"):
        lifted(cnn, images, "grey")
    with pytest.raises(seewhy.ShapeError, match="must have the shape of the network's input"):
        lifted(cnn, images, torch.zeros(3, 4, 4))
