"""Where the sequence of tokens is whole, and dropping works, in transformers of several makes."""

import pytest
import torch
from torch import Tensor, nn

import seewhy
from networks import SmallViT, seeded


def token_layer(network: nn.Module, size: int = 8) -> str:
    session = seewhy.Session(seewhy.Model(network))
    return session.network.token_layer(session.network.accept(torch.randn(1, 3, size, size, dtype=torch.float64)))


class Embedded(nn.Module):
    """A small transformer whose sequence is put out by one module, and handed on by another that leaves it as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.dropout = seeded(SmallViT()), nn.Dropout()

    def forward(self, x: Tensor) -> Tensor:
        inner = self.inner
        x = inner.patches(x).flatten(2).transpose(1, 2)
        x = self.dropout(torch.cat([inner.token.expand(len(x), -1, -1), x], dim=1) + inner.places)
        return inner.head(inner.norm(inner.blocks(x))[:, 0])


class Fixed(Embedded):
    """One that reads its tokens into a layer for exactly so many."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(17, 4).double()

    def forward(self, x: Tensor) -> Tensor:
        inner = self.inner
        x = inner.patches(x).flatten(2).transpose(1, 2)
        x = self.dropout(torch.cat([inner.token.expand(len(x), -1, -1), x], dim=1) + inner.places)
        return self.mix(inner.blocks(x).mean(dim=2))


def test_what_a_layer_is_given_where_no_layer_puts_it_out():
    assert token_layer(seeded(SmallViT())) == "blocks:in"


def test_a_layer_that_puts_it_out_gives_its_name():
    assert token_layer(Embedded().double().eval()) == "dropout"


def test_not_before_the_positions_are_added():
    """The patches alone could be dropped too, were it not for the sum behind them."""

    class Patches(Embedded):
        def forward(self, x: Tensor) -> Tensor:
            inner = self.inner
            x = self.dropout(inner.patches(x).flatten(2).transpose(1, 2)) + inner.places[:, 1:]
            return inner.head(inner.norm(inner.blocks(x)).mean(dim=1))

    assert token_layer(Patches().double().eval()) == "inner.blocks:in"


def test_a_network_that_wants_all_tokens_has_no_such_place():
    with pytest.raises(seewhy.LayerError, match="no sequence of tokens from which some can be dropped"):
        token_layer(Fixed().double().eval())


def test_what_a_layer_is_given_can_be_watched_and_replaced():
    """Activation and gradient at "blocks:in" are those of the sequence itself, by plain autograd."""
    network = seeded(SmallViT())
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = seewhy.Session(seewhy.Model(network)).explain(images, 1, seewhy.method("hires-cam", layer="blocks:in"))
    patches = network.patches(images).flatten(2).transpose(1, 2)
    sequence = torch.cat([network.token.expand(2, -1, -1), patches], dim=1) + network.places
    sequence = sequence.detach().requires_grad_()
    score = network.head(network.norm(network.blocks(sequence))[:, 0])[:, 1].sum()
    [gradient] = torch.autograd.grad(score, sequence)
    expected = (gradient * sequence).sum(dim=2)[:, 1:].view(2, 4, 4)
    torch.testing.assert_close(found.heatmap, expected.detach())
