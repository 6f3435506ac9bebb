"""Blocks left out, or held at their mean: what a network without the block says."""

import pytest
import torch
from torch import nn

import seewhy
from networks import SmallViT, seeded
from seewhy.contributions.blocks import Blocks
from seewhy.targets import ClassScore
from units_asked import asked_of, data_of, effects_of

ONE = ClassScore(1)


ALL = ("blocks.0", "blocks.1", "blocks.2")


class Residual(nn.Module):
    """A stem, three residual blocks of which the second changes the shape, and a linear head."""

    class Block(nn.Module):
        def __init__(self, before, width, stride):
            super().__init__()
            self.conv = nn.Conv2d(before, width, 3, stride, 1)
            self.norm = nn.BatchNorm2d(width)
            self.short = nn.Conv2d(before, width, 1, stride) if stride > 1 else None

        def forward(self, x):
            y = self.norm(self.conv(x))
            return torch.relu(y + (x if self.short is None else self.short(x)))

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.blocks = nn.Sequential(self.Block(4, 4, 1), self.Block(4, 6, 2), self.Block(6, 6, 1))
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)).mean(dim=(2, 3)))


def test_they_are_what_a_network_without_the_block_says():
    network = seeded(Residual())
    images, data = data_of(network)
    found = effects_of(network, data, Blocks(named=ALL), ONE)
    with torch.no_grad():
        first, second, third = network.blocks
        x = network.stem(images)
        after_second = second(first(x))
        whole = network(images)[:, 1]
        without_first = network.head(third(second(x)).mean(dim=(2, 3)))[:, 1]
        held = network.head(third(after_second.mean(dim=0, keepdim=True)).mean(dim=(2, 3)))[:, 1]
        without_third = network.head(after_second.mean(dim=(2, 3)))[:, 1]
    torch.testing.assert_close(
        found.score, torch.stack([whole - without_first, whole - held, whole - without_third], 1)
    )
    torch.testing.assert_close(
        found.all_gone, whole - network.head(after_second.mean(dim=0).mean(dim=(1, 2)))[1].detach()
    )


def test_each_says_how_it_is_taken_away():
    network = seeded(Residual())
    _, data = data_of(network)
    units = Blocks(named=ALL).learned(seewhy.Session(network), data, 0)
    assert units.names == ALL
    assert units.remarks == ("left out", "held at its mean", "left out")
    assert units.replacement == (
        "what the block is given where it adds to it, else its mean over 6 pictures, position by position"
    )
    held = Blocks(how="mean").learned(seewhy.Session(network), data, 0)
    assert held.remarks == ("held at its mean",) * 3
    assert held.replacement == "its mean over 6 pictures, position by position"


def test_blocks_that_cannot_be_left_out_are_not_asked_about_where_others_can():
    network = seeded(Residual())
    _, data = data_of(network)
    session = seewhy.Session(network)
    units = Blocks().learned(session, data, 0)
    assert units.names == ("blocks.0", "blocks.2")
    assert "not asked about: blocks.1" in units.notes[0]
    one_left = Blocks(named=("blocks.1",)).learned(session, data, 0)
    assert (one_left.names, one_left.notes) == (("blocks.1",), ())


def test_a_transformer_without_some_of_its_blocks():
    network = seeded(SmallViT(blocks=3))
    images, data = data_of(network)
    ((asked, _),) = asked_of(network, data, Blocks(), ONE)
    gone = torch.tensor([[True, False, True], [False, True, False], [False, False, False], [True, True, True]])
    assert asked.units.replacement == "what the block is given"
    for which, found in zip(gone, asked.units.answers(asked.probe, gone), strict=True):
        with torch.no_grad():
            x = network.patches(images).flatten(2).transpose(1, 2)
            x = torch.cat([network.token.expand(len(x), -1, -1), x], dim=1) + network.places
            for block, out in zip(network.blocks, which.tolist(), strict=True):
                x = x if out else block(x)
            expected = network.head(network.norm(x)[:, 0])
        torch.testing.assert_close(found, expected)


def test_a_block_that_adds_nothing_has_no_share_and_no_effect():
    network = seeded(SmallViT(blocks=3))
    for part in (network.blocks[1].attention.out_proj, network.blocks[1].mlp[2]):
        part.weight.data.zero_()
        part.bias.data.zero_()
    _, data = data_of(network)
    found = effects_of(network, data, Blocks(), ONE)
    torch.testing.assert_close(found.score[:, 1], torch.zeros(6).double(), atol=1e-12, rtol=0)
    torch.testing.assert_close(found.sizes[:, 1], torch.zeros(6).double())
    assert (found.sizes[:, [0, 2]] > 0.1).all()


def test_named_modules(cnn):
    images, data = data_of(cnn)
    found = effects_of(cnn, data, Blocks(named=("body", "down"), how="auto"), ONE)
    with torch.no_grad():
        x = cnn.stem(images)
        body, whole = cnn.body(x), cnn(images)[:, 1]
        fixed = cnn.head(cnn.act(cnn.down(x + body.mean(dim=0))).mean(dim=(2, 3)))[:, 1]
    torch.testing.assert_close(found.score[:, 0], whole - fixed)


@pytest.mark.parametrize("rows", [1, 4])
def test_the_size_of_the_batch_changes_nothing(rows):
    network = seeded(Residual())
    _, data = data_of(network)
    found, wanted = (effects_of(network, data, Blocks(named=ALL), ONE, rows=count).score for count in (rows, 6))
    torch.testing.assert_close(found, wanted, atol=1e-12, rtol=1e-10)


@pytest.mark.door
def test_what_cannot_be_left_out_or_held():
    network = seeded(Residual())
    _, data = data_of(network)
    session = seewhy.Session(network)
    with pytest.raises(seewhy.ConfigError, match=r"blocks\.1 hand on another shape"):
        Blocks(how="bypass").learned(session, data, 0)
    with pytest.raises(seewhy.ConfigError, match=r"blocks\.1 would be held .* a single photo"):
        Blocks(named=ALL).learned(session, data.part([0]), 0)
    with pytest.raises(seewhy.ConfigError, match="'median' is not known"):
        Blocks(how="median")
    with pytest.raises(seewhy.ConfigError, match="lies within another block"):
        Blocks(named=("blocks", "blocks.1"))
