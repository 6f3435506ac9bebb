"""Laws of grids: which shapes are grids, which are refused, and that what is refused is never drawn."""

import pytest
import torch
from torch import Tensor, nn

import seewhy
from seewhy.engine.grid import Grid
from seewhy.engine.grids import find_grid, grid_of, places_in


@pytest.mark.parametrize(
    ("shape", "size", "grid"),
    [
        ((1, 64, 7, 7), (224, 224), Grid((7, 7), "channel-first")),
        ((1, 7, 7, 64), (224, 224), Grid((7, 7), "channel-last")),
        ((1, 7, 7, 8), (224, 224), Grid((7, 7), "channel-last")),  # 7 x 8 would fit to a cell, 7 x 7 fits better
        ((1, 8, 7, 7), (224, 224), Grid((7, 7), "channel-first")),
        ((1, 16, 6, 8), (192, 256), Grid((6, 8), "channel-first")),
        ((1, 6, 8, 16), (192, 256), Grid((6, 8), "channel-last")),
        ((1, 12, 7, 5), (224, 160), Grid((7, 5), "channel-first")),
        ((1, 288, 35, 35), (299, 299), Grid((35, 35), "channel-first")),  # convolutions without padding
        ((1, 197, 192), (224, 224), Grid((14, 14), "tokens", 1)),
        ((1, 198, 192), (224, 224), Grid((14, 14), "tokens", 2)),
        ((1, 261, 384), (224, 224), Grid((16, 16), "tokens", 5)),  # DINOv2 with four registers
        ((1, 193, 30), (192, 256), Grid((12, 16), "tokens", 1)),
        ((1, 141, 30), (224, 160), Grid((14, 10), "tokens", 1)),
        ((1, 145, 30), (200, 200), Grid((12, 12), "tokens", 1)),  # 200 is no multiple of 16
        ((1, 49, 768), (224, 224), Grid((7, 7), "tokens")),
        ((1, 9, 30), (32, 32), Grid((2, 2), "tokens", 5)),
        ((1, 48, 192), (192, 256), None),  # (b, n, c) with 6 x 8 places, or (b, c, n) with 12 x 16
        ((1, 10, 48), (192, 256), Grid((6, 8), "flat")),
        ((1, 4, 1, 1), (32, 32), None),
        ((1, 10), (32, 32), None),
        ((1, 5, 40, 7), (224, 224), None),
        (
            (1, 8, 4, 7, 7),
            (16, 112, 112),
            Grid((4, 7, 7), "channel-first"),
        ),  # a clip: frames have a stride of their own
        ((1, 4, 7, 7, 8), (16, 112, 112), Grid((4, 7, 7), "channel-last")),
    ],
)
def test_shapes(shape: tuple[int, ...], size: tuple[int, ...], grid: Grid | None) -> None:
    assert grid_of(shape, size) == grid


@pytest.mark.parametrize("form", ["channel-first", "channel-last", "tokens", "flat"])
def test_every_form_gives_the_same_picture(form: str) -> None:
    picture = torch.arange(2 * 5 * 3 * 4).view(2, 5, 3, 4).float()
    extra = torch.full((2, 5, 2), -1.0)
    flat = torch.cat([extra, picture.flatten(2)], dim=2)
    given = {
        "channel-first": picture,
        "channel-last": picture.movedim(1, -1),
        "tokens": flat.transpose(1, 2),
        "flat": flat,
    }[form]
    grid = Grid((3, 4), form, 2 if form in ("tokens", "flat") else 0)
    assert torch.equal(grid.apply(given), picture)


def test_tokens_lie_on_a_grid_that_the_maps_have() -> None:
    places = places_in([Grid((56, 40), "channel-first"), None, Grid((9,), "tokens"), Grid((14, 10), "channel-last")])
    assert {(56, 40), (28, 20), (14, 10), (7, 5), (4, 3), (3, 2), (2, 2)} <= places.sizes
    assert grid_of((1, 141, 30), (224, 160), None, places) == Grid((14, 10), "tokens", 1)
    assert grid_of((1, 100, 30), (224, 224), None) == Grid((10, 10), "tokens")  # a guess, where there are no maps
    assert (
        grid_of((1, 100, 30), (224, 224), None, places_in([Grid((14, 14), "channel-first")])) is None
    )  # a hundred queries


def test_another_number_of_rows_is_no_picture() -> None:
    assert find_grid(torch.rand(6, 16, 12), 1, (64, 64)) is None
    assert find_grid(torch.rand(6, 16, 12), 6, (64, 64)) == Grid((4, 4), "tokens")


def test_the_layer_decides_where_sizes_do_not() -> None:
    shape, size = (1, 64, 50), (224, 224)  # 7 x 7 + 1 tokens of width 64 = 8 x 8, or the other way round
    assert grid_of((1, 50, 64), size, nn.LayerNorm(64)) == Grid((7, 7), "tokens", 1)
    block = nn.TransformerEncoderLayer(64, 2, 32, batch_first=True)
    assert grid_of((1, 50, 64), size, block) == Grid((7, 7), "tokens", 1)
    assert grid_of(shape, size, nn.Conv1d(3, 64, 1)) == Grid((7, 7), "flat", 1)
    assert grid_of((1, 64, 49), size, nn.ReLU()) is None
    cube = (1, 14, 14, 14)
    assert grid_of(cube, size, nn.Conv2d(3, 14, 1)).form == "channel-first"
    assert grid_of(cube, size, nn.LayerNorm(14)).form == "channel-last"
    assert grid_of(cube, size, nn.Sequential(nn.Linear(14, 28), nn.GELU(), nn.Linear(28, 14))).form == "channel-last"
    assert grid_of(cube, size, nn.ReLU()).form == "channel-first"
    assert grid_of(cube, size, nn.Sequential(nn.Conv2d(3, 14, 1), nn.LayerNorm(14))) is None


def test_a_layer_norm_that_turns_its_input_is_not_taken_by_its_type() -> None:
    class Norm2d(nn.LayerNorm):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.movedim(1, -1)).movedim(-1, 1)

    assert grid_of((1, 8, 7, 7), (224, 224), Norm2d(8)).form == "channel-first"


def test_attention_weights_are_no_picture() -> None:
    weights = torch.randn(1, 2, 65, 65).softmax(dim=-1)
    assert find_grid(weights, 1, (96, 96)) is None
    assert find_grid(torch.rand(1, 2, 65, 65), 1, (96, 96)) == Grid((65, 65), "channel-first")


class Tokens(nn.Module):
    """A small transformer whose attention weights, projections and pooled vector are layers of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 12, 8, 8)
        self.query, self.softmax = nn.Linear(12, 12), nn.Softmax(dim=-1)
        self.norm, self.pooled, self.head = nn.LayerNorm(12), nn.Identity(), nn.Linear(12, 3)
        self.relu = nn.ReLU()
        self.never = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.patches(x)).flatten(2).transpose(1, 2)
        q = self.query(x)
        x = self.norm(x + self.softmax(q @ x.transpose(1, 2)) @ x)
        return self.head(self.pooled(self.relu(x).mean(dim=1)))


@pytest.fixture
def tokens() -> seewhy.Session:
    torch.manual_seed(0)
    return seewhy.Session(Tokens())


def explained(session: seewhy.Session, layer: str) -> Tensor:
    heatmap: Tensor = session.explain(torch.randn(1, 3, 32, 48), 0, seewhy.method("grad-cam", layer=layer)).heatmap
    return heatmap


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("pooled", "no spatial grid"),
        ("head", "no spatial grid"),
        ("never", "does not run"),
        ("relu", "name one call: relu#0 to relu#1"),
        ("relu#2", "no call 2"),
        ("nrom", "nearest: 'norm'"),
        ("", "no layer ''"),
    ],
)
def test_a_wrong_choice_is_refused(tokens: seewhy.Session, layer: str, words: str) -> None:
    with pytest.raises(seewhy.LayerError, match=words):
        explained(tokens, layer)


def test_calls_of_one_module(tokens: seewhy.Session) -> None:
    assert explained(tokens, "relu#0").shape == (1, 4, 6)
    assert explained(tokens, "relu#1").shape == (1, 4, 6)


def test_attention_weights_are_refused_as_a_layer() -> None:
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches, self.softmax, self.head = nn.Conv2d(3, 8, 4, 4), nn.Softmax(dim=-1), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = self.patches(x).flatten(2).transpose(1, 2)
            weights = self.softmax(x[:, None] @ x[:, None].transpose(2, 3))  # (b, 1, 64, 64), as large as the picture
            return self.head((weights[:, 0] @ x).mean(dim=1))

    session = seewhy.Session(Heads())
    with pytest.raises(seewhy.LayerError, match="no spatial grid"):
        session.explain(torch.randn(1, 3, 32, 32), 0, seewhy.method("grad-cam", layer="softmax"))
    assert session.network.target_layer(torch.randn(1, 3, 32, 32)) == "patches"


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_precisions(dtype: torch.dtype) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    network.to(dtype)
    session = seewhy.Session(network)
    layers, chosen = session.network.layers((16, 24))
    assert chosen == "1"
    assert [layer.grid.size for layer in layers if layer.grid is not None] == [(8, 12)] * 2
    assert session.explain(torch.randn(1, 3, 16, 24), 0).heatmap.dtype == (
        torch.float64 if dtype == torch.float64 else torch.float32
    )


def test_frozen_and_made_in_inference_mode() -> None:
    with torch.inference_mode():
        network = nn.Sequential(
            nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
        )
        network.requires_grad_(requires_grad=False)
        before = torch.random.get_rng_state()
        session = seewhy.Session(network)
        assert session.network.layers((16, 24))[1] == "1"
        assert session.explain(torch.randn(1, 3, 16, 24), 0).heatmap.shape == (1, 8, 12)
        torch.random.set_rng_state(before)
    assert all(not weight.requires_grad and weight.grad is None for weight in network.parameters())


def test_listing_layers_draws_nothing_of_the_callers_random_numbers() -> None:
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head((self.conv(x) + torch.rand(1)).relu().mean(dim=(2, 3)))

    session = seewhy.Session(Noisy())
    before = torch.random.get_rng_state()
    session.network.layers((16, 16))
    assert torch.equal(before, torch.random.get_rng_state())


def test_no_layer_fits() -> None:
    session = seewhy.Session(nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 8), nn.ReLU(), nn.Linear(8, 3)))
    layers, chosen = session.network.layers((16, 16))
    assert chosen is None
    assert [layer.name for layer in layers] == ["0", "1", "2", "3"]
    with pytest.raises(seewhy.LayerError, match=r"no layer of .* 16 x 16"):
        session.explain(torch.randn(1, 3, 16, 16), 0, "grad-cam")


def test_a_class_token_alone_after_the_last_attention_is_passed_over() -> None:
    """The norm after the last block has a grid, yet the answer reads one token of it: methods must look before the attention."""

    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, 8, 8, 8)
            self.token = nn.Parameter(torch.randn(1, 1, 8))
            self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True, dropout=0.0)
            self.after, self.head = nn.LayerNorm(8), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = self.patches(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.token.expand(len(x), -1, -1), x], dim=1)
            return self.head(self.after(self.block(x))[:, 0])

    torch.manual_seed(0)
    assert seewhy.Session(Last()).network.target_layer(torch.randn(1, 3, 32, 48)) == "block.norm1"


def test_a_layer_is_not_passed_over_because_an_identity_hands_on_its_tensor() -> None:
    """As timm writes norms: norm, an identity in place of dropout, and a ReLU that works in place on what the identity gave."""

    class NormAct(nn.BatchNorm2d):
        def __init__(self, channels: int) -> None:
            super().__init__(channels)
            self.drop, self.act = nn.Identity(), nn.ReLU(inplace=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.act(self.drop(super().forward(x)))

    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1), NormAct(4), nn.Dropout(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )
    assert seewhy.Session(network).network.target_layer(torch.randn(1, 3, 16, 24)) == "1"
