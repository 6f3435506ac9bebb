"""LRP: against captum, stored numbers of a peer, input x gradient, and laws of conservation."""

import captum.attr
import pytest
import torch
import torch.nn.functional as F
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule, GammaRule
from torch import Tensor, nn

import seewhy
from networks import SmallCNN, SmallViT, seeded
from spelled_twice import Adjacent, OfFunctions, pair

COMPOSITES = ("epsilon", "epsilon-plus", "epsilon-gamma-box", "epsilon-alpha2-beta1")


def explained(network: nn.Module, images: Tensor, **settings: object) -> seewhy.Explanation:
    model = seewhy.Model(network, mean=0.5, std=0.5)
    return seewhy.Session(model).explain(images, 2, seewhy.method("lrp", **settings))


def without_biases(network: nn.Module) -> nn.Module:
    for part in network.modules():
        if getattr(part, "bias", None) is not None:
            part.bias.data.zero_()
        if getattr(part, "running_mean", None) is not None:
            part.running_mean.zero_()
    return network


def input_x_gradient(network: nn.Module, images: Tensor) -> Tensor:
    leaf = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network(leaf)[:, 2].sum(), leaf)
    return (images * gradient).sum(dim=1)


class VGG(nn.Module):
    """A small network in the manner of VGG."""

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers, nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2))
        self.head = nn.Sequential(nn.Linear(256, 32), nn.ReLU(), nn.Linear(32, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).flatten(1))


def vgg() -> nn.Module:
    """Return it with PyTorch's own initial weights for seed 0."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return VGG().double().eval()


def uniform_images() -> Tensor:
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1


class TestOracles:
    @pytest.mark.parametrize("network", [SmallCNN, Adjacent])
    def test_epsilon_zero_is_input_x_gradient_on_relu_networks_without_biases(self, network, images):
        """Also where max pools and ReLUs stand side by side; norms without a shift are constant factors."""
        bare = without_biases(seeded(network()))
        found = explained(bare, images, composite="epsilon", epsilon=0.0)
        torch.testing.assert_close(found.heatmap, input_x_gradient(bare, images), rtol=1e-10, atol=1e-12)

    @pytest.mark.parametrize(
        ("composite", "rule", "settings"),
        [
            ("epsilon", lambda: EpsilonRule(epsilon=0), {}),
            ("epsilon-plus", Alpha1_Beta0_Rule, {}),
            ("epsilon-gamma-box", GammaRule, {"first": "same"}),
        ],
    )
    def test_captum(self, composite, rule, settings):
        """Of images without negative values, as captum's rules are for those; its pools have a stabilizer of 1e-9, and ours is 0.

        Without biases where the two treat them differently.
        """
        network, images = vgg(), uniform_images().abs()
        if composite != "epsilon":
            without_biases(network)
        for part in network.modules():
            if isinstance(part, nn.Conv2d):
                part.rule = rule()
            elif isinstance(part, nn.Linear):
                part.rule = EpsilonRule(epsilon=0)
        expected = captum.attr.LRP(network).attribute(images.clone().requires_grad_(), 2).detach().sum(dim=1)
        found = explained(network, images, composite=composite, epsilon=0.0, **settings).heatmap
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * expected.abs().max().item())

    @pytest.mark.parametrize(
        ("composite", "first", "expected"),
        [
            ("epsilon-plus", "same", (1.889970606e-05, 1.624817093e-05, 2.201400253e-05)),
            ("epsilon-gamma-box", "box", (-2.023520177e-05, -2.122634767e-05, -3.692809109e-05)),
            ("epsilon-alpha2-beta1", "same", (-6.249413157e-05, -2.897029278e-05, -1.240667970e-04)),
        ],
    )
    def test_zennits_numbers(self, composite, first, expected):
        """Pixels that zennit 0.5.1 gave for this network's own score with all stabilizers at 1e-12."""
        network, images = vgg(), uniform_images()
        found = explained(network, images, composite=composite, first=first, epsilon=1e-12).heatmap[0, 0, :3]
        torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-7, atol=0)


class TestConservation:
    @pytest.mark.parametrize("composite", COMPOSITES)
    def test_without_biases_nothing_is_lost(self, composite, images):
        found = explained(without_biases(seeded(SmallCNN())), images, composite=composite, epsilon=0.0, first="same")
        assert found.residual.abs().max() < 1e-12

    @pytest.mark.parametrize("first", ["box", "flat", "squares"])
    def test_a_rule_for_the_first_layer_hands_on_all_that_reaches_it(self, first, images):
        """Also what that layer's own bias would keep, so only later biases are missing: none here."""
        network = without_biases(seeded(SmallCNN()))
        found = explained(network, images, composite="epsilon", epsilon=0.0, first=first)
        assert found.residual.abs().max() < 1e-11

    def test_biases_that_share_hand_on_all(self, images):
        network = vgg()
        found = explained(network, uniform_images(), composite="epsilon-plus", epsilon=0.0, biases="share")
        kept = explained(network, uniform_images(), composite="epsilon-plus", epsilon=0.0)
        assert found.residual.abs().max() < 1e-12
        assert kept.residual.abs().max() > 0.1

    def test_the_residual_is_the_score_less_the_sum_of_the_map(self, cnn, images):
        found = explained(cnn, images)
        torch.testing.assert_close(found.residual, cnn(images)[:, 2].detach() - found.heatmap.sum(dim=(1, 2)))

    def test_the_share_that_arrives_is_a_figure(self, cnn, images):
        found = explained(cnn, images)
        shares = torch.tensor(found.figures["share of the score that arrives at the map"], dtype=torch.float64)
        torch.testing.assert_close(shares, found.heatmap.sum(dim=(1, 2)) / found.score)

    def test_a_ceiling_passes_relevance_on(self):
        """Above 6 the gradient of ReLU6 is 0; its relevance is not."""
        network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False), nn.ReLU6(), nn.Linear(3, 4, bias=False))
        network[1].weight.data.fill_(5.0)
        images = torch.ones(1, 1, 2, 2, dtype=torch.float64)
        found = explained(network.double(), images, epsilon=0.0)
        torch.testing.assert_close(found.heatmap, (network(images)[:, 2] / 4).view(1, 1, 1).expand(1, 2, 2).detach())
        assert not input_x_gradient(network, images).any()


class TestAnySpelling:
    @pytest.mark.parametrize("composite", COMPOSITES)
    def test_modules_and_functions_give_the_same_map(self, composite, images):
        modules, functions = pair()
        assert isinstance(functions, OfFunctions)
        first, second = (explained(network, images, composite=composite).heatmap for network in (modules, functions))
        torch.testing.assert_close(first, second, rtol=1e-6, atol=1e-9)

    @pytest.mark.parametrize("first", ["box", "flat", "squares", "same"])
    def test_padding_outside_of_the_first_convolution_changes_nothing(self, first, images):
        class Outside(SmallCNN):
            def forward(self, x: Tensor) -> Tensor:
                self.stem[0].padding = (0, 0)
                return super().forward(F.pad(x, (1, 1, 1, 1)))

        inside, outside = seeded(SmallCNN()), seeded(Outside())
        settings = {"composite": "epsilon-plus", "first": first}
        torch.testing.assert_close(
            explained(inside, images, **settings).heatmap, explained(outside, images, **settings).heatmap
        )

    def test_a_merged_norm_is_one_that_the_convolution_has_in_its_weights(self, images):
        network = seeded(SmallCNN())
        plain = seeded(SmallCNN())
        for stage in (plain.stem, plain.body):
            stage[0].weight.data, stage[0].bias.data = nn.utils.fusion.fuse_conv_bn_weights(
                stage[0].weight,
                stage[0].bias,
                stage[1].running_mean,
                stage[1].running_var,
                1e-5,
                stage[1].weight,
                stage[1].bias,
            )
            stage[1] = nn.Identity()
        for composite in COMPOSITES:
            found, expected = (explained(one, images, composite=composite).heatmap for one in (network, plain))
            torch.testing.assert_close(found, expected)

    @pytest.mark.parametrize("groups", [2, 4])
    def test_a_grouped_convolution_is_a_whole_one_with_zeros(self, groups, images):
        def network(grouped: bool) -> nn.Module:
            middle = nn.Conv2d(4, 4, 3, padding=1, groups=groups if grouped else 1)
            return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), middle, nn.ReLU(), nn.Flatten(), nn.Linear(144, 4))

        grouped = seeded(network(True))
        whole = seeded(network(False))
        whole.load_state_dict({**grouped.state_dict(), "2.weight": torch.zeros(4, 4, 3, 3, dtype=torch.float64)})
        size = 4 // groups
        for group in range(groups):
            rows = slice(group * size, (group + 1) * size)
            whole[2].weight.data[rows, rows] = grouped[2].weight.data[rows]
        for composite in COMPOSITES:
            found, expected = (explained(one, images, composite=composite).heatmap for one in (grouped, whole))
            torch.testing.assert_close(found, expected)


class TestFirstLayer:
    def test_a_way_past_it_is_not_lost(self, images):
        """Relevance of the first layer's own rule, and of pixels that reach the head beside it, add up to the score."""

        class Beside(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv, self.head = nn.Conv2d(3, 3, 3, padding=1, bias=False), nn.Linear(192, 4, bias=False)

            def forward(self, x: Tensor) -> Tensor:
                return self.head((self.conv(x).relu() + x).flatten(1))

        network = seeded(Beside())
        flat = explained(network, images, composite="epsilon", epsilon=0.0, first="flat")
        assert flat.residual.abs().max() < 1e-12
        same = explained(network, images, composite="epsilon", epsilon=0.0)
        assert (flat.heatmap - same.heatmap).abs().max() > 0.01

    def test_two_first_layers_add_their_shares(self, images):
        class Two(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.near, self.far = nn.Conv2d(3, 4, 1, bias=False), nn.Conv2d(3, 4, 3, padding=1, bias=False)
                self.head = nn.Linear(256, 4, bias=False)

            def forward(self, x: Tensor) -> Tensor:
                return self.head((self.near(x) + self.far(x)).relu().flatten(1))

        found = explained(seeded(Two()), images, composite="epsilon", epsilon=0.0, first="squares")
        assert found.residual.abs().max() < 1e-12

    @pytest.mark.parametrize("first", ["box", "flat"])
    def test_channels_may_come_last(self, first, images):
        class Last(SmallCNN):
            def forward(self, x: Tensor) -> Tensor:
                return super().forward(x.permute(0, 3, 1, 2))

        usual = explained(seeded(SmallCNN()), images, first=first).heatmap
        model = seewhy.Model(seeded(Last()), mean=0.5, std=0.5, layout="bhwc")
        found = seewhy.Session(model).explain(images, 2, seewhy.method("lrp", first=first)).heatmap
        torch.testing.assert_close(found, usual)


class TestGatesAndNorms:
    def test_a_gate_is_held_constant(self, images):
        """A block that squeezes and excites: x * sigmoid(w x). All relevance goes to x, as if the gate were a number."""

        class Gated(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv, self.gate, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 4), nn.Linear(4, 4)
                self.kept: Tensor | None = None

            def forward(self, x: Tensor) -> Tensor:
                x = self.conv(x).relu()
                gate = self.gate(x.mean(dim=(2, 3))).sigmoid() if self.kept is None else self.kept[: len(x)]
                return self.head((x * gate[..., None, None]).mean(dim=(2, 3)))

        free, fixed = seeded(Gated()), seeded(Gated())
        with torch.no_grad():
            image = images[:1]
            fixed.kept = free.gate(free.conv(image).relu().mean(dim=(2, 3))).sigmoid()
        found, expected = (explained(one, image).heatmap for one in (free, fixed))
        torch.testing.assert_close(found, expected)

    def test_silu_by_name_and_written_out(self, images):
        class Written(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return x * torch.sigmoid(x)

        def network(act: nn.Module) -> nn.Module:
            return seeded(nn.Sequential(nn.Conv2d(3, 4, 3), act, nn.Flatten(), nn.Linear(144, 4)))

        found, expected = (explained(network(act), images).heatmap for act in (nn.SiLU(), Written()))
        torch.testing.assert_close(found, expected)

    def test_a_group_norm_conserves_without_a_shift(self, images):
        network = nn.Sequential(
            nn.Conv2d(3, 4, 3),
            nn.GroupNorm(2, 4),
            nn.ReLU(),
            nn.Conv2d(4, 4, 3),
            nn.InstanceNorm2d(4, affine=True),
            nn.GELU(),
        )
        network = without_biases(seeded(nn.Sequential(*network, nn.Flatten(), nn.Linear(64, 4))))
        assert explained(network, images, epsilon=0.0).residual.abs().max() < 1e-12


class TestRefusals:
    def test_attention(self, images):
        with pytest.raises(seewhy.MethodError, match="'attn-lrp' and 'cp-lrp' have rules"):
            explained(seeded(SmallViT()), images)

    def test_a_first_layer_that_sees_something_else(self, images):
        class Scales(SmallCNN):
            def forward(self, x: Tensor) -> Tensor:
                return super().forward(x * 2 - 1)

        with pytest.raises(seewhy.MethodError, match="computes with the image before its first layer"):
            explained(seeded(Scales()), images, first="flat")
        assert explained(seeded(Scales()), images, first="same").heatmap.any()

    def test_a_box_without_colours(self, cnn, images):
        with pytest.raises(seewhy.ConfigError, match="state mean and std"):
            seewhy.Session(seewhy.Model(cnn)).explain(images, 2, seewhy.method("lrp", composite="epsilon-gamma-box"))

    @pytest.mark.parametrize("settings", [{"epsilon": -1.0}, {"gamma": -0.1}])
    def test_negative_numbers(self, settings):
        with pytest.raises(seewhy.ConfigError, match="must not be negative"):
            seewhy.method("lrp", **settings)

    @pytest.mark.door
    @pytest.mark.parametrize("settings", [{"composite": "zeta"}, {"first": "last"}, {"biases": "drop"}])
    def test_rules_that_are_none(self, settings):
        with pytest.raises(seewhy.ConfigError, match=next(iter(settings.values()))):
            seewhy.method("lrp", **settings)


def test_what_was_met_is_reported(cnn, images):
    coverage = explained(cnn, images).coverage
    assert coverage.kinds("fallback gradient") == ()
    assert {"convolution", "relu", "add", "mean", "linear"} <= set(coverage.kinds("exact rule"))
    assert "batch norm" not in coverage.kinds("exact rule")
