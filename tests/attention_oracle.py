"""Vision transformers of `transformers` from small configurations, and attention by other ways than the engine's."""

from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import seewhy
from seewhy.core.needs import Needs
from seewhy.core.target import Target
from seewhy.engine.block import Question
from seewhy.engine.probe import NetworkProbe
from seewhy.targets import as_target

VIT = {"hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
SWIN = {"patch_size": 4, "embed_dim": 8, "depths": [2, 2], "num_heads": [2, 2], "window_size": 4}


@dataclass(frozen=True)
class Case:
    """A configuration, the size of its input, and the module that computes attention."""

    config: str
    size: tuple[int, int]
    settings: dict[str, object]
    attention: str
    network: str = ""

    def build(self, implementation: str = "sdpa") -> nn.Module:
        """Make the network with seeded float64 weights."""
        transformers = pytest.importorskip("transformers")
        config = getattr(transformers, self.config)(
            num_labels=4, attn_implementation=implementation, **({"image_size": self.size} | self.settings)
        )
        name = self.network or self.config.removesuffix("Config") + "ForImageClassification"
        return drawn_weights(getattr(transformers, name)(config))

    def images(self, count: int = 2) -> Tensor:
        """Seeded images."""
        generator = torch.Generator().manual_seed(3)
        return torch.randn(count, 3, *self.size, dtype=torch.float64, generator=generator)


CASES = {
    "vit": Case("ViTConfig", (32, 48), VIT | {"patch_size": 8}, "ViTAttention"),
    "deit": Case("DeiTConfig", (32, 48), VIT | {"patch_size": 8}, "DeiTAttention"),
    "dinov2": Case("Dinov2Config", (56, 84), VIT | {"patch_size": 14, "image_size": 56}, "Dinov2Attention"),
    "registers": Case(
        "Dinov2WithRegistersConfig",
        (56, 84),
        VIT | {"patch_size": 14, "image_size": 56, "num_register_tokens": 4},
        "Dinov2WithRegistersAttention",
    ),
    "swin": Case("SwinConfig", (64, 96), SWIN, "SwinAttention"),
    "swin, padded": Case("SwinConfig", (56, 72), SWIN, "SwinAttention"),
}


def drawn_weights(network: nn.Module) -> nn.Module:
    """Give a network seeded weights under which attention is far from even."""
    generator = torch.Generator().manual_seed(1)
    for value in network.parameters():
        value.data = torch.randn(value.shape, generator=generator) * (0.3 if value.dim() > 1 else 0.1)
    return network.double().eval()


def probe_of(network: nn.Module | seewhy.Model, images: Tensor, target: int | Target = 0) -> NetworkProbe:
    """A probe of these images."""
    model = network if isinstance(network, seewhy.Model) else seewhy.Model(network)
    session = seewhy.Session(model)
    asked = as_target(target)
    block = session.block(session.network.accept(images), asked.needs())
    return NetworkProbe(Question(block, asked), Needs())


def returned_weights(network: nn.Module, images: Tensor, kind: str) -> list[Tensor]:
    """Attention weights as the plain implementation itself returns them, layer by layer."""
    found: list[Tensor] = []
    for module in network.modules():
        if type(module).__name__ == kind:
            module.register_forward_hook(lambda module, args, output: found.append(output[1]))
    with torch.no_grad():
        network(images)
    return found


def spelled(
    network: nn.Module, images: Tensor, nudges: list[Tensor] | None = None
) -> tuple[list[Tensor], list[Tensor]]:
    """Run a `SmallViT` by hand; return the weights of each layer, and the answers of its head to the output of each block.

    Weights are leaves of the graph from block to block, so that each answer can be differentiated at each layer's own weights.
    """
    x = network.patches(images).flatten(2).transpose(1, 2)
    x = torch.cat([network.token.expand(len(x), -1, -1), x], dim=1) + network.places
    weights, answers = [], []
    for number, block in enumerate(network.blocks):
        part = block.attention
        y = block.norm1(x)
        q, k, v = (
            F.linear(y, w, b).unflatten(-1, (part.num_heads, -1)).transpose(1, 2)
            for w, b in zip(part.in_proj_weight.chunk(3), part.in_proj_bias.chunk(3), strict=True)
        )
        table = torch.einsum("bhid,bhjd->bhij", q, k) / q.shape[-1] ** 0.5
        table = table.exp() / table.exp().sum(dim=-1, keepdim=True)
        if nudges is not None:
            table = table + nudges[number]
        weights.append(table)
        mixed = torch.einsum("bhij,bhjd->bihd", table, v).flatten(2)
        x = x + part.out_proj(mixed)
        x = x + block.mlp(block.norm2(x))
        answers.append(network.head(network.norm(x)[:, 0]))
    return weights, answers
