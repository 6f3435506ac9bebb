"""The layer that methods look at, and where its cells lie in the picture, for the kinds of network that people have.

One patch of a picture of noise is painted over. The cells of the chosen layer that answer to it must lie where the patch is, so a
grid that is transposed, or shifted by a class token, fails. Networks are built from small configurations, with seeded weights.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import seewhy
from seewhy.core.needs import at
from seewhy.targets import as_target

transformers = pytest.importorskip("transformers")
SMALL = {"num_labels": 4, "hidden_dropout_prob": 0.0}
VIT = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


@dataclass(frozen=True)
class Case:
    """A network, the size of its input, and the layer and grid that must be found."""

    build: Callable[[], nn.Module]
    size: tuple[int, int]
    layer: str
    grid: tuple[int, int]
    exact: bool = True  # the painted patch is one cell; in convolutions, whose fields overlap, the next one may win
    channels: int = 3
    layout: str = "bchw"


def hf(config: str, **settings: object) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        network = config.removesuffix("Config") + "ForImageClassification"
        return getattr(transformers, network)(getattr(transformers, config)(num_labels=4, **settings))

    return build


class VGG(nn.Module):
    """Convolutions that end in a max pool, as in VGG."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inside, outside in ((channels, 6), (6, 8), (8, 8)):
            layers += [nn.Conv2d(inside, outside, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(32, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.pool(self.features(x)))


class Residual(nn.Module):
    """A residual block whose ReLU and sum are functional."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, 2, 1)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1)
        self.bn = nn.BatchNorm2d(outside)
        self.inside, self.outside = inside, outside

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn(self.conv2(F.relu(self.conv1(x))))
        short = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.outside - self.inside))
        return F.relu(y + short)


class FunctionalResNet(nn.Module):
    """Blocks of functional residuals and F.avg_pool2d over the whole grid."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.layer1, self.layer2 = Residual(channels, 6), nn.Sequential(Residual(6, 8), Residual(8, 8))
        self.linear = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer2(self.layer1(x))
        return self.linear(F.avg_pool2d(x, x.shape[2:]).flatten(1))


class ChannelLast(nn.Module):
    """Patches, then blocks that keep their channels last, as some ConvNeXt and Swin codes do."""

    class Block(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.norm, self.up, self.down = (
                nn.LayerNorm(width),
                nn.Linear(width, 2 * width),
                nn.Linear(2 * width, width),
            )

        def forward(self, x: Tensor) -> Tensor:
            return x + self.down(F.gelu(self.up(self.norm(x))))

    def __init__(self, width: int = 12, bhwc: bool = False) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 16, 16)
        self.blocks = nn.Sequential(self.Block(width), self.Block(width))
        self.head = nn.Linear(width, 4)
        self.bhwc = bhwc

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x.movedim(-1, 1) if self.bhwc else x).permute(0, 2, 3, 1)
        return self.head(self.blocks(x).mean(dim=(1, 2)))


class Flat(nn.Module):
    """Patches as (b, c, n): the positions are last and have one axis."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.flatten = nn.Conv2d(3, 10, 16, 16), nn.Flatten(2)
        self.mix = nn.Conv1d(10, 10, 1)
        self.head = nn.Linear(10, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.mix(self.flatten(self.stem(x)))).mean(dim=2))


CASES = {
    "vgg": Case(VGG, (64, 96), "features.7", (16, 24), exact=False),
    "vgg, 1 channel": Case(lambda: VGG(1), (32, 32), "features.7", (8, 8), exact=False, channels=1),
    "vgg, 4 channels": Case(lambda: VGG(4), (48, 32), "features.7", (12, 8), exact=False, channels=4),
    "functional resnet": Case(FunctionalResNet, (96, 64), "layer2", (12, 8), exact=False),
    "functional resnet, 32 px": Case(FunctionalResNet, (32, 32), "layer2", (4, 4), exact=False),
    "resnet": Case(
        hf("ResNetConfig", embedding_size=8, hidden_sizes=[8, 12, 16], depths=[1, 1, 1], layer_type="basic"),
        (160, 224),
        "resnet.encoder",
        (10, 14),
        exact=False,
    ),
    "efficientnet": Case(
        hf(
            "EfficientNetConfig", image_size=128, width_coefficient=0.25, depth_coefficient=0.25, hidden_dim=320, depth_divisor=8,
            pooling_type="mean",
        ),
        (128, 192),
        "efficientnet.encoder",
        (4, 6),
        exact=False,
    ),
    "mobilenet v2": Case(
        hf("MobileNetV2Config", depth_multiplier=0.25, min_depth=4, finegrained_output=False),
        (192, 128),
        "mobilenet_v2.conv_1x1",
        (6, 4),
        exact=False,
    ),
    "convnext": Case(
        hf("ConvNextConfig", hidden_sizes=[8, 12, 16], depths=[1, 1, 1], num_stages=3),
        (192, 256),
        "convnext.encoder",
        (12, 16),
        exact=False,
    ),
    "convnext v2": Case(
        hf("ConvNextV2Config", hidden_sizes=[8, 12, 16], depths=[1, 1, 1], num_stages=3),
        (224, 160),
        "convnextv2.encoder",
        (14, 10),
        exact=False,
    ),
    "channels last": Case(ChannelLast, (192, 256), "blocks", (12, 16)),
    "channels as many as rows": Case(lambda: ChannelLast(14), (224, 224), "blocks", (14, 14)),
    "input bhwc": Case(lambda: ChannelLast(bhwc=True), (64, 96), "blocks", (4, 6), layout="bhwc"),
    "flat": Case(Flat, (64, 96), "mix", (4, 6)),
    "vit": Case(
        hf("ViTConfig", image_size=(192, 256), patch_size=16, **VIT), (192, 256), "vit.layers.1.layernorm_before", (12, 16)
    ),
    "vit, 32 px": Case(
        hf("ViTConfig", image_size=32, patch_size=8, **VIT), (32, 32), "vit.layers.1.layernorm_before", (4, 4)
    ),
    "vit, as wide as its grid": Case(
        hf("ViTConfig", image_size=128, patch_size=16, **(VIT | {"hidden_size": 64})),
        (128, 128),
        "vit.layers.1.layernorm_before",
        (8, 8),
    ),
    "deit": Case(hf("DeiTConfig", image_size=(160, 224), patch_size=16, **VIT), (160, 224), "deit.layers.1.layernorm_before", (10, 14)),
    "dinov2": Case(hf("Dinov2Config", image_size=112, patch_size=14, **VIT), (112, 168), "dinov2", (8, 12)),
    "dinov2 with registers": Case(
        hf("Dinov2WithRegistersConfig", image_size=112, patch_size=14, num_register_tokens=4, **VIT),
        (168, 112),
        "dinov2_with_registers",
        (12, 8),
    ),
    "swin": Case(
        hf("SwinConfig", image_size=(128, 192), patch_size=4, embed_dim=8, depths=[2, 2], num_heads=[2, 2], window_size=4),
        (128, 192),
        "swin.layernorm",
        (16, 24),
    ),
    "swin v2": Case(
        hf("Swinv2Config", image_size=(192, 128), patch_size=4, embed_dim=8, depths=[2, 2], num_heads=[2, 2], window_size=4),
        (192, 128),
        "swinv2.layernorm",
        (24, 16),
    ),
    "pvt": Case(
        hf(
            "PvtConfig", image_size=128, hidden_sizes=[8, 16], depths=[1, 1], num_encoder_blocks=2, num_attention_heads=[1, 2],
            sequence_reduction_ratios=[2, 1], mlp_ratios=[2, 2], patch_sizes=[4, 2], strides=[4, 2],
        ),
        (128, 128),
        "pvt.encoder.block.1.0.layer_norm_1",
        (16, 16),
    ),
    "segformer": Case(
        hf(
            "SegformerConfig", hidden_sizes=[8, 16], depths=[1, 1], num_encoder_blocks=2, num_attention_heads=[1, 2],
            sr_ratios=[2, 1], mlp_ratios=[2, 2], patch_sizes=[7, 3], strides=[4, 2],
        ),
        (96, 160),
        "segformer",
        (12, 20),
        exact=False,
    ),
}  # fmt: skip


def seeded(case: Case) -> seewhy.Model:
    torch.manual_seed(0)
    network = case.build().eval()
    generator = torch.Generator().manual_seed(1)
    for name, value in network.named_parameters():
        if "squeeze_excite" in name:  # a gate that listens to the whole picture hides where a change came from
            value.data = torch.zeros_like(value)
        elif value.dim() > 1:  # a signal that neither dies nor drowns in attention that mixes everything
            value.data = torch.randn(value.shape, generator=generator) * (1.5 / value[0].numel()) ** 0.5
        elif "lambda" in name or "layer_scale" in name or name.endswith("gamma"):
            value.data = torch.full_like(value, 0.5)
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    for norm in norms:  # as after training: without its statistics a deep network lets the signal die
        norm.momentum = 1.0
        norm.train()
    if norms:
        network(torch.randn(8, case.channels, *case.size, generator=generator))
    return seewhy.Model(network.eval(), layout=case.layout)


@pytest.mark.parametrize("name", CASES)
def test_the_layer_its_grid_and_its_places(name: str) -> None:
    case = CASES[name]
    session = seewhy.Session(seeded(case))
    size, (rows, columns) = case.size, case.grid
    blank = torch.randn(1, case.channels, *size, generator=torch.Generator().manual_seed(3))
    layer = session.network.target_layer(blank)
    layers, _ = session.network.layers(size, case.channels)
    grid = {row.name: row.grid for row in layers}[layer.partition("#")[0]]
    assert grid is not None
    assert (layer, grid.size) == (case.layer, case.grid)

    heatmap = session.explain(
        torch.randn(2, case.channels, *size, generator=torch.Generator().manual_seed(4)), 0, "grad-cam"
    ).heatmap
    assert heatmap.shape == (2, rows, columns)

    empty = session.network.forward(blank, at(layer)).reading.activation[layer].detach()
    for row, column in ((1, columns - 2), (rows - 2, 1), (rows // 2, 0), (0, columns // 2)):
        painted = paint(blank, case.grid, row, column)
        made = session.network.forward(painted, at(layer))
        trace = made.trace(as_target(0).bind(made.reading, None))
        change = trace.activation[layer] - empty
        felt = change.norm(dim=1).mean(dim=0)  # over sixteen patterns
        there = divmod(int(felt.argmax()), columns)
        slack = 0 if case.exact else 1
        assert abs(there[0] - row) <= slack
        assert abs(there[1] - column) <= slack
        if row in (rows // 2, 0) or (min(case.grid) < 5 and not case.exact):
            continue  # on the border of two quarters, or seen from both
        effect = (trace.gradient[layer] * change).sum(dim=1)  # (16, rows, columns), to first order
        shares = torch.stack([effect[:, part[0], part[1]].sum(dim=(1, 2)).abs().mean() for part in quarters(case.grid)])
        assert int(shares.argmax()) == int(occluded(session, painted, blank).argmax())


def paint(blank: Tensor, grid: tuple[int, int], row: int, column: int) -> Tensor:
    """Paint the part of the picture that one cell of the grid sees with sixteen patterns, one per row of the batch."""
    down, across = blank.shape[2] // grid[0], blank.shape[3] // grid[1]
    patterns = torch.randn(16, blank.shape[1], down, across, generator=torch.Generator().manual_seed(2))
    painted = blank.repeat(16, 1, 1, 1)
    painted[:, :, row * down : (row + 1) * down, column * across : (column + 1) * across] = 3 * patterns
    return painted


def quarters(size: tuple[int, int]) -> list[tuple[slice, slice]]:
    """The four quarters of a picture or a grid."""
    return [
        (slice(top, top + size[0] // 2), slice(left, left + size[1] // 2))
        for top in (0, size[0] // 2)
        for left in (0, size[1] // 2)
    ]


def occluded(session: seewhy.Session, painted: Tensor, blank: Tensor) -> Tensor:
    """How much the score of class 0 changes, on average, when a quarter of the picture is put back to what it was."""
    changes = []
    for part in quarters((blank.shape[2], blank.shape[3])):
        put_back = painted.clone()
        put_back[:, :, part[0], part[1]] = blank[:, :, part[0], part[1]]
        changes.append((session.predict(painted)[:, 0] - session.predict(put_back)[:, 0]).abs().mean())
    return torch.stack(changes)
