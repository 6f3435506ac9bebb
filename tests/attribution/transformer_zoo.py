"""Stock transformers with random weights, and the changes to them that laws of propagation are about."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import seewhy
from networks import SmallViT

transformers = pytest.importorskip("transformers")
VIT = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "image_size": 32,
    "patch_size": 8,
}
SWIN = {"image_size": 32, "patch_size": 2, "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4}


class Tower(nn.Module):
    """The picture half of CLIP; its answer is the embedding."""

    def __init__(self, **settings: object) -> None:
        super().__init__()
        config = transformers.CLIPVisionConfig(projection_dim=7, **VIT, **settings)
        self.tower = transformers.CLIPVisionModelWithProjection(config)

    def forward(self, x: Tensor) -> Tensor:
        return self.tower(x).image_embeds


def stock(name: str, **settings: object) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        config = getattr(transformers, f"{name}Config")(num_labels=4, **settings)
        return getattr(transformers, f"{name}ForImageClassification")(config)

    return build


ZOO: dict[str, Callable[[], nn.Module]] = {
    "ViT": stock("ViT", **VIT),
    "ViT with attention written out": stock("ViT", attn_implementation="eager", **VIT),
    "DeiT": stock("DeiT", **VIT),
    "DINOv2": stock("Dinov2", **VIT),
    "DINOv2 with registers and gates": stock("Dinov2WithRegisters", use_swiglu_ffn=True, **VIT),
    "Swin": stock("Swin", **SWIN),
    "CLIP": Tower,
    "nn.MultiheadAttention": SmallViT,
}


def made(name: str, *, constants: bool = True, **settings: object) -> nn.Module:
    """Return a network of the zoo with weights for seed 0, in float64.

    Without constants nothing is added anywhere: no biases, no embeddings of places, no class token, no registers.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = (stock(name, **settings) if settings else ZOO[name])()
        for label, value in network.named_parameters():
            added = label.endswith("bias") or any(
                word in label for word in ("token", "position", "places", "class_emb")
            )
            if added and not constants:
                value.data.zero_()
            elif "norm" not in label or not label.endswith("weight"):
                value.data.normal_(0, 0.15)
    return network.double().eval()


def size_of(name: str) -> int:
    return 8 if name == "nn.MultiheadAttention" else 32


def images_for(name: str) -> Tensor:
    return torch.randn(
        2, 3, size_of(name), size_of(name), generator=torch.Generator().manual_seed(3), dtype=torch.float64
    )


def explained(
    network: nn.Module, images: Tensor, key: str, target: int | seewhy.Target = 2, **settings: object
) -> seewhy.Explanation:
    return seewhy.Session(seewhy.Model(network, mean=0.5, std=0.5)).explain(
        images, target, seewhy.method(key, **settings)
    )
