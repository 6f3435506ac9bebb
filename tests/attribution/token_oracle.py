"""What the tests of methods that drop tokens share: transformers as people have them, a trained one, and dropping by hand."""

from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor, nn

import seewhy
from networks import seeded
from seewhy.core.explanation import Explanation

transformers = pytest.importorskip("transformers")

SMALL = {
    "image_size": 32, "patch_size": 8, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 32, "hidden_dropout_prob": 0.0, "num_labels": 4,
}  # fmt: skip


class PlainViT(nn.Module):
    """PyTorch's own encoder; positions are added by an operator, so no layer puts the sequence out before the encoder takes it."""

    def __init__(self, *, norm_first: bool = True, token: bool = True) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 24, 8, 8)
        self.token = nn.Parameter(torch.zeros(1, int(token), 24))
        self.places = nn.Parameter(torch.zeros(1, int(token) + 16, 24))
        block = nn.TransformerEncoderLayer(24, 2, 32, batch_first=True, norm_first=norm_first)
        self.encoder = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.head = nn.Linear(24, 4)

    def sequence(self, x: Tensor) -> Tensor:
        patches = self.patches(x).flatten(2).transpose(1, 2)
        return torch.cat([self.token.expand(len(x), -1, -1), patches], dim=1) + self.places

    def answer(self, sequence: Tensor) -> Tensor:
        seen = self.encoder(sequence)
        return self.head(seen[:, 0] if self.token.shape[1] else seen.mean(dim=1))

    def forward(self, x: Tensor) -> Tensor:
        return self.answer(self.sequence(x))


class Clip(nn.Module):
    """A linear classifier on CLIP's tower for pictures."""

    def __init__(self) -> None:
        super().__init__()
        settings = {name: value for name, value in SMALL.items() if name not in ("hidden_dropout_prob", "num_labels")}
        self.tower = transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**settings))
        self.head = nn.Linear(24, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.tower(x).pooler_output)


def hugging(config: str, **settings: object) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        name = config.removesuffix("Config") + "ForImageClassification"
        own = SMALL if "depths" not in settings else {"image_size": 32, "num_labels": 4}
        return getattr(transformers, name)(getattr(transformers, config)(**(own | settings)))

    return build


TRANSFORMERS: dict[str, Callable[[], nn.Module]] = {
    "vit": hugging("ViTConfig"),
    "deit": hugging("DeiTConfig"),
    "dinov2": hugging("Dinov2Config"),
    "dinov2 with registers": hugging("Dinov2WithRegistersConfig", num_register_tokens=3),
    "clip": Clip,
    "plain": PlainViT,
    "plain, norm last": lambda: PlainViT(norm_first=False),
    "plain, mean of patches": lambda: PlainViT(token=False),
}
WINDOWS = {
    "swin": hugging("SwinConfig", patch_size=4, embed_dim=8, depths=[2, 2], num_heads=[2, 2], window_size=4),
    "pvt": hugging(
        "PvtConfig", hidden_sizes=[8, 16], depths=[1, 1], num_encoder_blocks=2, num_attention_heads=[1, 2],
        sequence_reduction_ratios=[2, 1], mlp_ratios=[2, 2], patch_sizes=[4, 2], strides=[4, 2],
    ),
}  # fmt: skip


def built(name: str) -> nn.Module:
    torch.manual_seed(0)
    return seeded((TRANSFORMERS | WINDOWS)[name]())


def pictures(count: int = 2) -> Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def explained(
    network: nn.Module, images: Tensor, key: str, *, target: object = 1, rows: int | None = None, **settings
) -> Explanation:
    session = seewhy.Session(seewhy.Model(network, mean=0.5, std=0.5), rows=rows)
    return session.explain(images, target, seewhy.method(key, **settings))


def without(network: PlainViT, images: Tensor, dropped: list[int]) -> Tensor:
    """What a plain transformer answers when some patches are taken out of its sequence, with no engine in between."""
    extra = network.token.shape[1]
    kept = [n for n in range(extra + 16) if n - extra not in dropped]
    with torch.no_grad():
        return network.answer(network.sequence(images)[:, kept])


COLOURS = torch.tensor([[1.5, -0.5, -0.5], [-0.5, 1.5, -0.5], [-0.5, -0.5, 1.5], [1.0, 1.0, -1.0]])


def spotted(count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Noise with one coloured square of 2 x 2 patches: pictures, class (the colour), and where the square is on the grid of 8 x 8."""
    generator = torch.Generator().manual_seed(seed)
    images = 0.5 * torch.randn(count, 3, 32, 32, generator=generator)
    classes = torch.randint(4, (count,), generator=generator)
    corners = torch.randint(7, (count, 2), generator=generator)
    squares = torch.zeros(count, 8, 8, dtype=torch.bool)
    for image, square, index, (row, column) in zip(images, squares, classes, corners.tolist(), strict=True):
        image[:, 4 * row : 4 * row + 8, 4 * column : 4 * column + 8] += COLOURS[index][:, None, None]
        square[row : row + 2, column : column + 2] = True
    return images, classes, squares


@cache
def trained() -> nn.Module:
    """A vision transformer that has learned to name the colour of the square; about ten seconds."""
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        **(SMALL | {"patch_size": 4, "hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64})
    )
    network = transformers.ViTForImageClassification(config).train()
    adam = torch.optim.AdamW(network.parameters(), lr=2e-3)
    for step in range(250):
        images, classes, _ = spotted(32, 1000 + step)
        adam.zero_grad()
        nn.functional.cross_entropy(network(images).logits, classes).backward()
        adam.step()
    return network.eval()
