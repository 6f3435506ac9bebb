import pytest
import torch
from torch import nn

import seewhy
from clip_transformers import clips, made, model_of
from seewhy.core.needs import Needs
from seewhy.engine.grid import Grid, raw_with
from seewhy.engine.grids import find_grid
from seewhy.engine.token_grids import NOWHERE

ORDERS = {
    "t h w": (0, 1, 2),
    "h w t": (1, 2, 0),
    "w t h": (2, 0, 1),
    "t w h": (0, 2, 1),
    "h t w": (1, 0, 2),
    "w h t": (2, 1, 0),
}


class Sequence(nn.Module):
    """Tubelets of 2 x 8 x 4 as tokens, in an order that is said, and a block that mixes them; takes (b, t, c, h, w)."""

    def __init__(self, order, extra=0, convolves=True, tubelet=(2, 8, 4)):
        super().__init__()
        self.order, self.tubelet, self.convolves = order, tubelet, convolves
        self.cut = nn.Conv3d(3, 12, tubelet, stride=tubelet)
        self.more = nn.Parameter(torch.randn(1, extra, 12))
        self.first, self.mix, self.norm = (
            nn.Identity(),
            nn.MultiheadAttention(12, 2, batch_first=True),
            nn.LayerNorm(12),
        )
        self.head = nn.Linear(12, 3)

    def forward(self, clips):
        if self.convolves:
            cells = self.cut(clips.transpose(1, 2))  # (b, c, t, h, w)
        else:
            t, h, w = self.tubelet
            cut = clips.unfold(1, t, t).unfold(3, h, h).unfold(4, w, w)  # (b, t, c, h, w, *tubelet)
            cells = nn.functional.linear(cut.movedim(2, -4).flatten(4), self.cut.weight.flatten(1)).movedim(-1, 1)
        tokens = cells.permute(0, *(2 + axis for axis in self.order), 1).flatten(1, 3)
        tokens = self.first(torch.cat([self.more.expand(len(tokens), -1, -1), tokens], dim=1))
        tokens = self.norm(tokens + self.mix(tokens, tokens, tokens, need_weights=False)[0])
        return self.head(tokens.mean(dim=1))


def grids_of(network, frames=8, height=32, width=24):
    torch.manual_seed(0)
    session = seewhy.Session(seewhy.Model(network.eval(), frames=frames, layout="btchw"))
    return {layer.name: layer.grid for layer in session.network.layers((frames, height, width))[0]}


@pytest.mark.parametrize("convolves", [True, False])
@pytest.mark.parametrize("extra", [0, 1, 2])
@pytest.mark.parametrize("name", ORDERS)
def test_the_order_of_tokens_is_measured(name, extra, convolves):
    order = ORDERS[name]
    torch.manual_seed(3)
    grids = grids_of(Sequence(order, extra, convolves))
    expected = Grid((4, 4, 6), "tokens", extra, order=() if name == "t h w" else order)
    assert grids["first"] == grids["norm"] == expected


def test_an_order_that_is_none_of_the_axes_has_no_grid():
    """Rows of a chessboard: the black tokens first, then the white ones."""

    class Shuffled(Sequence):
        def forward(self, clips):
            tokens = self.cut(clips.transpose(1, 2)).flatten(2).transpose(1, 2)
            tokens = self.first(torch.cat([tokens[:, ::2], tokens[:, 1::2]], dim=1))
            return self.head(self.norm(tokens).mean(dim=1))

    torch.manual_seed(0)
    grids = grids_of(Shuffled((0, 1, 2)))
    assert grids["first"] is None
    assert grids["norm"] is None
    assert grids["cut"] == Grid((4, 4, 6), "channel-first")


def test_sequences_of_other_lengths_have_no_grid():
    class Queries(Sequence):
        def forward(self, clips):
            tokens = self.first(self.cut(clips.transpose(1, 2)).flatten(2).transpose(1, 2))
            return self.head(self.norm(tokens[:, :50]).mean(dim=1))

    assert grids_of(Queries((0, 1, 2)))["norm"] is None


@pytest.mark.parametrize("order", ORDERS.values())
def test_activations_go_to_the_grid_and_back(order):
    grid = Grid((2, 3, 5), "tokens", 2, order=order)
    raw = torch.rand(2, 32, 4)
    assert torch.equal(raw_with(raw, grid, grid.apply(raw)), raw)


@pytest.mark.parametrize("order", ORDERS.values())
def test_a_place_on_the_grid_is_the_token_of_that_place(order):
    size = (2, 3, 5)
    places = torch.cartesian_prod(*(torch.arange(cells) for cells in size)).view(*size, 3)
    tokens = places.permute(*order, 3).reshape(1, -1, 3)
    assert torch.equal(Grid(size, "tokens", order=order).apply(tokens)[0].movedim(0, -1), places)


@pytest.mark.parametrize(
    ("kind", "extra", "order"), [("videomae", 0, ()), ("vivit", 1, ()), ("timesformer", 1, (1, 2, 0))]
)
@pytest.mark.parametrize("planted", [(5, 1, 2), (0, 3, 3), (7, 0, 1)])
def test_only_tokens_of_the_changed_frame_and_place_change(kind, extra, order, planted):
    """One patch of one frame is changed: on the grid, the first tokens differ in that cell alone."""
    session = seewhy.Session(model_of(made(kind)))
    layer = f"{kind}.embeddings"
    changed = clips(1)
    frame, row, column = planted
    changed[:, :, frame, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] += 1
    before, after = (activation_of(session, layer, given) for given in (clips(1), changed))
    time = frame // (1 if kind == "timesformer" else 2)
    assert (before != after).any(dim=1)[0].nonzero().tolist() == [[time, row, column]]
    found = next(one.grid for one in session.network.layers((8, 32, 32))[0] if one.name == layer)
    assert (found.extra, found.order) == (extra, order)


def activation_of(session, layer, given):
    return session.block(given, Needs(frozenset({layer}))).shared.reading.activation[layer].detach()


def test_rows_that_may_be_frames_or_places_have_no_grid():
    """Sixteen frames of 4 x 4 patches: a table of 16 x 16 tokens is frames of patches, or patches with their frames."""
    assert find_grid(torch.rand(16, 16, 5), 1, (16, 32, 32), nn.LayerNorm(5), NOWHERE) is None
    assert find_grid(torch.rand(8, 16, 5), 1, (8, 32, 32), nn.LayerNorm(5), NOWHERE) == Grid(
        (8, 4, 4), "tokens", frames=8
    )
    session = seewhy.Session(model_of(made("timesformer", frames=16)))
    layers = {layer.name: layer.grid for layer in session.network.layers((16, 32, 32))[0]}
    block = "timesformer.encoder.layer.0"
    assert layers[f"{block}.temporal_attention"] is None
    assert layers[f"{block}.attention"] == Grid((16, 4, 4), "tokens", 1, frames=16)
    assert layers[block] == Grid((16, 4, 4), "tokens", 1, order=(1, 2, 0))


def test_a_layer_whose_order_is_not_known_is_refused_with_the_reason():
    class Shuffled(Sequence):
        def forward(self, clips):
            tokens = self.cut(clips.transpose(1, 2)).flatten(2).transpose(1, 2)
            tokens = self.norm(torch.cat([tokens[:, ::2], tokens[:, 1::2]], dim=1))
            tokens = self.norm(tokens + self.mix(tokens, tokens, tokens, need_weights=False)[0])
            return self.head(self.first(tokens).mean(dim=1))

    torch.manual_seed(0)
    session = seewhy.Session(seewhy.Model(Shuffled((0, 1, 2)).eval(), frames=8, layout="btchw"))
    given = torch.randn(1, 3, 8, 32, 24)
    with pytest.raises(
        seewhy.LayerError, match=r"96 numbers .* in no order of time, height and width that could be measured"
    ):
        session.explain(given, 0, seewhy.method("hires-cam", layer="first"))
    with pytest.raises(seewhy.MethodError, match="96 tokens, and no layer before it tells where they lie"):
        session.explain(given, 0, "attention-rollout")
