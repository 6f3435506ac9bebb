"""What follows a layer, run alone, is bit for bit what the whole network gives; where a network cannot be cut, the whole of it runs."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import seewhy
from networks import SmallCNN, seeded
from seewhy.core.cost import Cost
from seewhy.core.needs import Needs
from seewhy.engine.block import Question
from seewhy.engine.grid import raw_with
from seewhy.engine.probe import NetworkProbe
from seewhy.targets import as_target

COUNT = 4


class Base(nn.Module):
    """Two convolutions and a head; what happens between them is for the subclasses."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.second = nn.Conv2d(6, 6, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.head = nn.Linear(6, 4)

    def answer(self, x: Tensor) -> Tensor:
        return self.head(x.mean(dim=(2, 3)))


class InPlace(Base):
    """Writes in place before and behind the cut, by operators, methods and modules, results kept."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.first(x))
        y += 0.1 * y.mean(dim=1, keepdim=True)
        z = self.second(y)
        z += y
        z.add_(1.0).mul_(0.5)
        return self.answer(self.relu(z))


class Statement(Base):
    """Writes into a tensor before the cut by a statement whose result is dropped, and reads it behind the cut."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        torch.relu_(y)
        y.view(len(y), -1).mul_(2.0)
        return self.answer(self.second(y) + y)


class WrittenBehind(Base):
    """Behind the cut, writes into what was made before it, and reads it again."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        z = self.second(y)
        y.add_(z)
        return self.answer(z * y)


class ReadsTheImage(Base):
    """The image itself is read behind the cut, and so is the number of rows that a tensor has."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(self.first(x))
        return self.answer(y.reshape(x.shape[0], 6, *x.shape[2:]) * x[:, :1])


class Twice(Base):
    """One layer runs three times."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.first(x))
        y = self.relu(self.second(y))
        return self.answer(self.relu(self.second(y) - 0.1))


class Pair(nn.Module):
    """Puts out its activation and something besides."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(6, 6, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, int], Tensor]:
        y = self.layer(x)
        return y, {"rows": len(y)}, y.mean(dim=(2, 3))


class Tuples(Base):
    """A layer puts out a tuple, the later parts of which are read behind the cut."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair()

    def forward(self, x: Tensor) -> Tensor:
        y, _, mean = self.pair(self.first(x))
        low, high = torch.split(y, 3, dim=1)
        return self.answer(torch.cat([high, low], dim=1)) + self.head(mean)


def hf(config: str, **settings: object) -> nn.Module:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    name = config.removesuffix("Config") + "ForImageClassification"
    return getattr(transformers, name)(getattr(transformers, config)(num_labels=4, **settings)).double().eval()


VIT = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
CASES: dict[str, tuple[Callable[[], nn.Module], int, str]] = {
    "small cnn, skip across": (lambda: seeded(SmallCNN()), 8, "body"),
    "small cnn, in-place stem": (lambda: seeded(SmallCNN()), 8, "stem"),
    "small cnn, last": (lambda: seeded(SmallCNN()), 8, "act"),
    "in place": (lambda: seeded(InPlace()), 8, "second"),
    "in place, early": (lambda: seeded(InPlace()), 8, "first"),
    "statement": (lambda: seeded(Statement()), 8, "second"),
    "written behind": (lambda: seeded(WrittenBehind()), 8, "second"),
    "reads the image": (lambda: seeded(ReadsTheImage()), 8, "second"),
    "second call": (lambda: seeded(Twice()), 8, "relu#1"),
    "last call": (lambda: seeded(Twice()), 8, "relu#2"),
    "tuple": (lambda: seeded(Tuples()), 8, "pair"),
    "resnet": (
        lambda: hf("ResNetConfig", embedding_size=8, hidden_sizes=[8, 16], depths=[2, 2]),
        32,
        "resnet.encoder.stages.1.layers.0",
    ),
    "resnet, inside a block": (
        lambda: hf("ResNetConfig", embedding_size=8, hidden_sizes=[8, 16], depths=[2, 2]),
        32,
        "resnet.encoder.stages.1.layers.1.layer.0",
    ),
    "vit": (lambda: hf("ViTConfig", image_size=32, patch_size=8, **VIT), 32, "vit.layers.0"),
    "swin": (
        lambda: hf(
            "SwinConfig", image_size=32, patch_size=4, embed_dim=8, depths=[2, 2], num_heads=[2, 2], window_size=4
        ),
        32,
        "swin.encoder.layers.0",
    ),
}


def images_of(size: int, count: int = 2) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def asked(
    network: nn.Module, images: Tensor, layer: str, rows: int = COUNT
) -> tuple[NetworkProbe, list[Tensor], seewhy.Session]:
    """Return a probe of the network, and variants of what the layer gives for the images."""
    session = seewhy.Session(seewhy.Model(network, mean=0.5, std=0.5), rows=rows)
    needs = Needs(frozenset({layer}))
    probe = NetworkProbe(Question(session.block(images, needs), as_target(1)), needs)
    generator = torch.Generator().manual_seed(5)
    activation = probe.trace().activation[layer]
    return probe, [activation * torch.rand(activation.shape, generator=generator) for _ in range(COUNT)], session


def whole(probe: NetworkProbe, layer: str, variants: list[Tensor]) -> Tensor:
    """Return the scores (variants, images) that the whole network gives, image by image with all variants in one pass."""
    block = probe._block
    raw, grid = block.shared.nodes[layer].detach(), block.shared.grids[layer]
    found = []
    for index, image in enumerate(block.inputs):
        rows = torch.stack([raw_with(raw, grid, variant)[index] for variant in variants])
        made = block.network.forward(image.expand(len(rows), *image.shape), Needs(), {layer: rows})
        found.append(made.reading.output[:, 1])
    return torch.stack(found, dim=1)


@pytest.mark.parametrize("case", CASES)
def test_what_follows_the_layer_gives_bit_for_bit_what_the_whole_network_gives(case):
    build, size, layer = CASES[case]
    probe, variants, session = asked(build(), images_of(size), layer)
    before = session.cost
    found = torch.stack(list(probe.replayed(layer, variants)))
    spent = session.cost - before
    assert probe.remarks == ()
    assert torch.equal(found, whole(probe, layer, variants))
    assert found.std() > 0  # the variants matter
    assert probe.cost == Cost(2, partial=COUNT)
    # the trial: one row and two on tape, two rows replayed and two of the whole network; then the other image's tape
    assert (spent.forwards, spent.partial) == (3 + 2 + 1, 2 * COUNT + 2)


@pytest.mark.parametrize("case", ["small cnn, skip across", "in place", "vit"])
def test_a_hand_written_hook_agrees(case):
    build, size, layer = CASES[case]
    network, images = build(), images_of(size, 1)
    probe, variants, _ = asked(network, images, layer)
    raw, grid = probe._block.shared.nodes[layer], probe._block.shared.grids[layer]
    expected = []
    for variant in variants:
        put = raw_with(raw, grid, variant)
        handle = network.get_submodule(layer).register_forward_hook(lambda *_, put=put: put.clone())
        with torch.no_grad():
            answer = network(images)
        handle.remove()
        expected.append((answer if isinstance(answer, Tensor) else answer.logits)[:, 1])
    torch.testing.assert_close(torch.stack(list(probe.replayed(layer, variants))), torch.stack(expected))


class ByRows(Base):
    """Goes another way for a single image."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        y = torch.relu(y) + 0.0 if len(y) == 1 else torch.relu(y)
        return self.answer(self.second(y))


class Aliased(Base):
    """Behind the cut, writes through a view that was made before it, and reads the tensor under it."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        flat = y.view(len(y), -1)
        z = self.second(y)
        flat.add_(z.view(len(z), -1))
        return self.answer(y * z)


class Draws(Base):
    """Drops at random in eval mode."""

    def forward(self, x: Tensor) -> Tensor:
        return self.answer(self.second(F.dropout(self.first(x), 0.5, training=True)))


@pytest.mark.parametrize(
    ("network", "why"),
    [(ByRows, "depend on the number of images"), (Aliased, "does more than feed it"), (Draws, "draws random numbers")],
)
def test_a_network_that_cannot_be_cut_runs_whole_and_says_so(network, why):
    probe, variants, _ = asked(seeded(network()), images_of(8), "second")
    found = torch.stack(list(probe.replayed("second", variants)))
    assert torch.equal(found, whole(probe, "second", variants))
    assert len(probe.remarks) == 1 and why in probe.remarks[0] and "cannot be cut at 'second'" in probe.remarks[0]
    assert probe.cost == Cost(1 + COUNT)


class ByValue(Base):
    """Goes another way for dark images."""

    def forward(self, x: Tensor) -> Tensor:
        if float(x.mean()) > 0:
            return self.answer(self.second(self.first(x)))
        return self.answer(self.second(torch.tanh(self.first(x)) * 2))


def test_an_image_that_takes_another_way_runs_whole():
    images = images_of(8)
    images -= images.mean(dim=(1, 2, 3), keepdim=True)
    images[0] += 1
    images[1] -= 1
    probe, variants, _ = asked(seeded(ByValue()), images, "second")
    found = torch.stack(list(probe.replayed("second", variants)))
    assert torch.equal(found, whole(probe, "second", variants))
    assert "cannot be cut" in " ".join(probe.remarks)


def test_the_number_of_rows_in_a_pass_changes_nothing():
    scores = []
    for rows in (1, 3):
        probe, variants, _ = asked(seeded(SmallCNN()), images_of(8), "body", rows)
        scores.append(torch.stack(list(probe.replayed("body", variants))))
    torch.testing.assert_close(*scores, rtol=1e-12, atol=1e-13)


def test_tapes_are_shared_by_all_who_ask_about_a_block():
    probe, variants, session = asked(seeded(SmallCNN()), images_of(8), "body")
    list(probe.replayed("body", variants))
    before = session.cost
    again = NetworkProbe(Question(probe._block, as_target(2)), Needs(frozenset({"body"})))
    list(again.replayed("body", variants))
    assert session.cost - before == Cost(partial=2 * COUNT)
    assert again.cost == Cost(2, partial=COUNT)  # its bill holds what it needed, shared or not


def test_a_target_inside_the_part_that_does_not_run_is_refused_by_the_cut():
    """What a target reads before the cut is not on the tape, so the whole network runs."""
    session = seewhy.Session(seewhy.Model(seeded(SmallCNN()), mean=0.5, std=0.5), rows=COUNT)
    target = seewhy.targets.Neuron("stem", 2)
    needs = Needs(frozenset({"body"})) | target.needs()
    probe = NetworkProbe(Question(session.block(images_of(8), needs), target), needs)
    activation = probe.trace().activation["body"]
    scores = torch.stack(list(probe.replayed("body", [activation * 0, activation])))
    torch.testing.assert_close(scores, probe.score().expand(2, -1))  # nothing behind the stem changes it
    assert probe.cost.partial == 0
