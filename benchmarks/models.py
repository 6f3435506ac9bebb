"""The networks and pictures that every row uses, and the work-around that lets torchvision be imported beside a CPU torch."""

import copy
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

import seewhy
from seewhy.data.picture import sample

PHOTOS = Path(__file__).parent.parent / "examples" / "photos"


def prepare_torchvision() -> None:
    """Put empty modules in place of the two that register torchvision's compiled operators.

    They fail where the compiled part does not load, as with a torchvision built for CUDA beside a torch built for the CPU, and
    nothing here uses those operators. Call it before anything imports torchvision.
    """
    for name in ("_meta_registrations", "_autograd_registrations"):
        sys.modules.setdefault(f"torchvision.{name}", ModuleType(name))


@dataclass(frozen=True)
class Case:
    """What is explained, the same for everybody: network, layer, images, and per target a class for each image."""

    model: seewhy.Model
    layer: str
    images: Tensor
    classes: Sequence[Sequence[int]]

    @property
    def network(self) -> nn.Module:
        return self.model.module

    @property
    def module(self) -> nn.Module:
        """The layer itself."""
        return self.network.get_submodule(self.layer)

    def double(self) -> "Case":
        """Return the same case in float64: there two ways of one formula differ by rounding only, and no ReLU flips."""
        network = copy.deepcopy(self.network).double()
        return replace(self, model=replace(self.model, module=network), images=self.images.double())


class Reached(Exception):  # noqa: N818 (nothing went wrong)
    """Ends a pass at the layer that was wanted."""


class UpTo(nn.Module):
    """A network that ends at a layer, as one would write it by hand: a hook keeps what the layer gives, and stops the pass."""

    def __init__(self, network: nn.Module, layer: str) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(requires_grad=False)
        self.network.get_submodule(layer).register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        self.output = output
        raise Reached

    def forward(self, images: Tensor) -> Tensor:
        with suppress(Reached):
            self.network(images)
        return self.output


class Logits(nn.Module):
    """A network of transformers whose answer is the bare tensor that every library takes."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images).logits


@cache
def lite0() -> tuple[seewhy.Model, str]:
    """EfficientNet-Lite0 with its ImageNet weights, and its last layer with a grid."""
    return seewhy.load_model("efficientnet-lite0"), "head"


@cache
def resnet50() -> tuple[seewhy.Model, str]:
    """ResNet-50 with random weights (its costs are those of the trained one), and its last stage."""
    prepare_torchvision()
    from transformers import ResNetConfig, ResNetForImageClassification

    torch.manual_seed(0)
    network = Logits(ResNetForImageClassification(ResNetConfig(num_labels=1000))).eval()
    layer = "network.resnet.encoder.stages.3"
    return seewhy.Model(network, size=224, mean=0.5, std=0.25, layer=layer, name="ResNet-50"), layer


@cache
def vit() -> tuple[seewhy.Model, str]:
    """ViT-B/16 with random weights and fused attention, and its last block."""
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    network = Logits(ViTForImageClassification(ViTConfig(num_labels=1000))).eval()
    layer = "network.vit.layers.11"
    return seewhy.Model(network, size=224, mean=0.5, std=0.5, name="ViT-B"), layer


@cache
def vgg() -> tuple[seewhy.Model, str]:
    """Thirteen convolutions of VGG-16 with random weights, pooled to one linear layer."""
    torch.manual_seed(0)
    plan = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)
    parts: list[nn.Module] = []
    channels = 3
    for width in plan:
        parts += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)] if width else [nn.MaxPool2d(2)]
        channels = width or channels
    network = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)).eval()
    return seewhy.Model(network, size=224, mean=0.5, std=0.25, name="VGG-like"), "29"


NETWORKS = {"Lite0": lite0, "ResNet-50": resnet50, "ViT-B": vit, "VGG-like": vgg}


def case(network: str, batch: int, targets: int = 1, layer: str | None = None) -> Case:
    """Return a case of example photos, mirrored and repeated as needed, and each photo's own most likely classes."""
    model, own = NETWORKS[network]()
    layer = layer or own
    photos = [sample(path, model).inputs for path in sorted(PHOTOS.glob("*.jpg"))]
    images = torch.stack(list(islice(cycle([*photos, *(photo.flip(-1) for photo in photos)]), batch)))
    with torch.no_grad():
        classes = model.module(images).topk(targets, dim=1).indices.T.tolist()
    return Case(model, layer, images, classes)
