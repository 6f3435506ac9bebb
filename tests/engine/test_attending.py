"""Attention as the engine reads it, against the plain implementations, by hand, by differences, and by brute force."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import seewhy
from attention_oracle import CASES, SWIN, VIT, Case, drawn_weights, probe_of, returned_weights, spelled
from networks import SmallCNN, SmallViT, seeded
from seewhy.engine.attention import record as attention_record
from seewhy.engine.recording import first_of
from seewhy.targets import Channel

transformers = pytest.importorskip("transformers")


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("name", CASES)
def test_weights_are_those_of_the_plain_implementation(name, implementation):
    case = CASES[name]
    images = case.images()
    traces = probe_of(case.build(implementation), images).attention()
    expected = returned_weights(case.build("eager"), images, case.attention)
    assert len(traces) == len(expected) == (3 if "swin" not in name else 4)
    for trace, weights in zip(traces, expected, strict=True):
        torch.testing.assert_close(trace.weights, weights, rtol=0, atol=1e-6)
        torch.testing.assert_close(trace.weights.sum(dim=-1), torch.ones_like(trace.weights[..., 0]), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "extra", "grid"),
    [("vit", 1, (4, 6)), ("deit", 2, (4, 6)), ("dinov2", 1, (4, 6)), ("registers", 5, (4, 6))],
)
def test_tokens_and_the_module(name, extra, grid):
    traces = probe_of(CASES[name].build(), CASES[name].images()).attention()
    assert {(trace.extra, trace.grid) for trace in traces} == {(extra, grid)}
    assert all(trace.slots is None and trace.tokens == extra + 24 for trace in traces)
    modules = dict(CASES[name].build().named_modules())
    assert [type(modules[trace.layer]).__name__ for trace in traces] == [CASES[name].attention] * 3


class Similarity(nn.Module):
    """The image tower of CLIP, and how similar its embedding is to each of some texts."""

    def __init__(self, implementation: str) -> None:
        super().__init__()
        config = transformers.CLIPVisionConfig(
            image_size=32, patch_size=8, projection_dim=12, attn_implementation=implementation, **VIT
        )
        self.tower = transformers.CLIPVisionModelWithProjection(config)
        self.texts = nn.Parameter(torch.zeros(4, 12))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.tower(x).image_embeds, dim=-1) @ F.normalize(self.texts, dim=-1).T


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_the_image_tower_of_clip(implementation):
    images = CASES["vit"].images()[..., :32]
    traces = probe_of(drawn_weights(Similarity(implementation)), images).attention(gradients=True, layerwise="mean")
    expected = returned_weights(drawn_weights(Similarity("eager")), images, "CLIPAttention")
    assert len(traces) == 3
    for trace, weights in zip(traces, expected, strict=True):
        torch.testing.assert_close(trace.weights, weights, rtol=0, atol=1e-6)
        assert (trace.extra, trace.grid) == (1, (4, 4))
        assert trace.gradient.abs().max() > 1e-6
        assert trace.own_gradient.abs().max() > 1e-6
    assert traces[-1].read == (0,)


class Encoder(nn.Module):
    """`nn.TransformerEncoder` over patches without a class token; tokens come first where `batch_first` is off."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 2, 2)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=batch_first, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 4)
        self.batch_first = batch_first

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2)
        tokens = self.encoder(tokens.permute(0, 2, 1) if self.batch_first else tokens.permute(2, 0, 1))
        return self.head(tokens.mean(dim=1 if self.batch_first else 0))


@pytest.mark.parametrize("batch_first", [True, False])
def test_torchs_own_encoder(images, batch_first):
    network = seeded(Encoder(batch_first))
    inputs: list[Tensor] = []
    for layer in network.encoder.layers:
        layer.norm1.register_forward_hook(lambda module, args, output: inputs.append(output))
    network.train()  # the fused path of eval mode does not call the norm
    for part in network.modules():
        part.dropout = 0.0 if isinstance(part, nn.MultiheadAttention) else getattr(part, "dropout", None)
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    network(images)
    traces = probe_of(network, images).attention()
    for trace, layer, given in zip(traces, network.encoder.layers, inputs, strict=False):
        _, weights = layer.self_attn(given, given, given, average_attn_weights=False)
        torch.testing.assert_close(trace.weights, weights, rtol=0, atol=1e-12)
        assert (trace.extra, trace.grid) == (0, (4, 4))
    assert [trace.layer for trace in traces] == ["encoder.layers.0.self_attn", "encoder.layers.1.self_attn"]
    assert traces[-1].read == tuple(range(16))


def test_small_vit_by_hand(images):
    network = seeded(SmallViT())
    weights, _ = spelled(network, images)
    for trace, expected in zip(probe_of(network, images).attention(), weights, strict=True):
        torch.testing.assert_close(trace.weights, expected)


def test_gradients_by_differences(images):
    """The score with one weight nudged up and down, for some weights of each layer."""
    network = seeded(SmallViT())
    traces = probe_of(network, images[:1], 2).attention(gradients=True)
    for layer, head, row, column in [
        (0, 0, 0, 3),
        (0, 1, 7, 7),
        (0, 1, 16, 0),
        (1, 0, 0, 5),
        (1, 1, 0, 0),
        (1, 1, 4, 2),
    ]:
        scores = []
        for step in (1e-4, -1e-4):
            nudges = [torch.zeros(1, 2, 17, 17, dtype=torch.float64) for _ in traces]
            nudges[layer][0, head, row, column] = step
            scores.append(spelled(network, images[:1], nudges)[1][-1][0, 2].item())
        slope = (scores[0] - scores[1]) / 2e-4
        assert traces[layer].gradient[0, head, row, column].item() == pytest.approx(slope, rel=1e-5, abs=1e-11)


def test_own_gradients_by_hand(images):
    network = seeded(SmallViT(blocks=3))
    traces = probe_of(network, images, 1).attention(layerwise="head")
    weights, answers = spelled(network, images)
    for trace, table, answer in zip(traces, weights, answers, strict=True):
        (expected,) = torch.autograd.grad(answer[:, 1].sum(), table, retain_graph=True)
        torch.testing.assert_close(trace.own_gradient, expected)


def test_own_gradients_of_the_mean_token(images):
    """With a head that reads the class token, the mean of all tokens in its place is what the head gets."""
    network = seeded(SmallViT())

    class Averages(SmallViT):
        def forward(self, x):
            x = self.patches(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.token.expand(len(x), -1, -1), x], dim=1) + self.places
            return self.head(self.norm(self.blocks(x).mean(dim=1)))

    averages = seeded(Averages())
    found = probe_of(network, images).attention(layerwise="mean")
    expected = probe_of(averages, images).attention(layerwise="head")
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.own_gradient, other.own_gradient)


@pytest.mark.parametrize("name", ["vit", "registers", "swin"])
def test_the_last_layers_own_gradient_is_its_gradient(name):
    trace = probe_of(CASES[name].build(), CASES[name].images()).attention(gradients=True, layerwise="head")[-1]
    torch.testing.assert_close(trace.own_gradient, trace.gradient)


def test_earlier_stages_of_a_pyramid_have_no_own_gradient():
    traces = probe_of(CASES["swin"].build(), CASES["swin"].images()).attention(layerwise="head")
    assert [trace.own_gradient is None for trace in traces] == [True, True, False, False]


@pytest.mark.parametrize(
    ("case", "read"),
    [
        (CASES["deit"], (0,)),
        (Case("DeiTConfig", (32, 48), VIT | {"patch_size": 8}, "", "DeiTForImageClassificationWithTeacher"), (0, 1)),
        (CASES["registers"], (0, *range(5, 29))),
        (Case("BeitConfig", (32, 32), VIT | {"patch_size": 8}, ""), tuple(range(1, 17))),
    ],
    ids=["class", "distillation", "class and patches", "patches"],
)
def test_the_tokens_that_the_answer_is_read_from(case, read):
    probe = probe_of(case.build(), case.images())
    for trace in (probe.attention()[-1], probe.attention()[-1], probe.attention(gradients=True)[-1]):  # found, known
        assert trace.read == read
    asked = probe.attention()[-1].asked()[0]
    named = [token for token in read if token < len(asked) - 24] if len(asked) > 17 else list(read)
    assert asked.nonzero()[:, 0].tolist() == named
    assert asked.sum() == pytest.approx(1)


def windows_by_hand(grid: tuple[int, int], size: int, shift: int) -> Tensor:
    """For each place of a picture, its position among all tokens of all windows: padded, rolled, cut."""
    height, width = grid
    index = torch.arange(height * width).view(height, width)
    index = F.pad(index, (0, -width % size, 0, -height % size), value=-1)
    index = torch.roll(index, (-shift, -shift), (0, 1))
    down, across = index.shape[0] // size, index.shape[1] // size
    flat = index.view(down, size, across, size).transpose(1, 2).flatten()
    return torch.stack([(flat == place).nonzero()[0, 0] for place in range(height * width)])


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("name", ["swin", "swin, padded"])
def test_places_in_windows_by_hand(name, implementation):
    case = CASES[name]
    traces = probe_of(case.build(implementation), case.images()).attention()
    fine = (case.size[0] // 4, case.size[1] // 4)
    coarse = (-(-fine[0] // 2), -(-fine[1] // 2))
    assert [trace.grid for trace in traces] == [fine, fine, coarse, coarse]
    for number, trace in enumerate(traces):
        shift = 2 * (number % 2)
        expected = windows_by_hand(trace.grid, 4, shift)
        windows = len(trace.weights) // 2 * 16
        assert torch.equal(trace.slots, torch.stack([expected, expected + windows]))


@pytest.mark.parametrize("name", ["swin", "swin, padded"])
def test_places_in_windows_by_brute_force(name):
    """One token at a time is changed before a block; the tokens of the block's output that change are those that look at it."""
    case = CASES[name]
    network, images = case.build(), case.images(1)
    traces = probe_of(network, images).attention()
    for number, (stage, block) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        layer, given = network.swin.encoder.layers[stage].blocks[block], []
        handle = layer.register_forward_pre_hook(
            lambda module, args, kwargs, given=given: given.append((args, kwargs)), with_kwargs=True
        )
        with torch.no_grad():
            network(images)
            handle.remove()
            (x, *rest), kwargs = given[0]
            before = first_of(layer(x, *rest, **kwargs))
            table = traces[number].spread(traces[number].weights)[0]  # (heads, n, n)
            assert table.shape == (2, x.shape[1], x.shape[1])
            for token in range(0, x.shape[1], 5):
                changed = x.clone()
                changed[0, token] += torch.randn(
                    x.shape[-1], dtype=x.dtype, generator=torch.Generator().manual_seed(token)
                )
                felt = (first_of(layer(changed, *rest, **kwargs)) - before)[0].abs().amax(dim=-1) > 1e-12
                looking = (table[:, :, token] > 1e-20).any(dim=0)
                looking[token] = True
                assert torch.equal(felt, looking)


def test_rows_add_up_within_windows_and_padding_takes_its_part():
    plain = probe_of(CASES["swin"].build(), CASES["swin"].images()).attention()
    padded = probe_of(CASES["swin, padded"].build(), CASES["swin, padded"].images()).attention()
    for trace in plain:
        torch.testing.assert_close(
            trace.spread(trace.weights).sum(dim=-1).mean(), torch.tensor(1.0, dtype=torch.float64)
        )
    sums = padded[0].spread(padded[0].weights).sum(dim=-1)
    assert sums.max() <= 1 + 1e-9
    assert sums.min() < 0.9


@pytest.mark.parametrize("name", ["vit", "swin, padded"])
def test_carried_is_the_product_with_the_spread_matrix(name):
    traces = probe_of(CASES[name].build(), CASES[name].images()).attention()
    for trace in traces:
        share = torch.rand(2, trace.tokens, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        matrix = trace.weights.mean(dim=1)
        expected = torch.einsum("bi,bij->bj", share, trace.spread(matrix))
        torch.testing.assert_close(trace.carried(share, matrix), expected)


def test_swin_of_a_batch_is_swin_of_each_image():
    case = CASES["swin, padded"]
    network, images = case.build(), case.images(3)
    together = probe_of(network, images).attention(gradients=True)
    for index in range(3):
        alone = probe_of(network, images[index : index + 1]).attention(gradients=True)
        for one, other in zip(together, alone, strict=True):
            torch.testing.assert_close(one.spread(one.weights)[index], other.spread(other.weights)[0])
            torch.testing.assert_close(one.spread(one.slope)[index], other.spread(other.slope)[0])


def test_swin_v2_and_its_cosines():
    case = Case("Swinv2Config", (64, 64), SWIN, "Swinv2SelfAttention")
    images = case.images()
    traces = probe_of(case.build("eager"), images).attention()
    plain_network = case.build("eager")
    for part in plain_network.modules():
        if type(part).__name__ == case.attention:  # its third argument says whether weights are returned
            part.register_forward_pre_hook(lambda module, args: (*args[:2], True))
    expected = returned_weights(plain_network, images, case.attention)
    for number, (trace, weights) in enumerate(zip(traces, expected, strict=True)):
        torch.testing.assert_close(trace.weights, weights, rtol=0, atol=1e-6)
        shift = 2 if number == 1 else 2 * (number % 2)
        assert torch.equal(trace.slots[0], windows_by_hand(trace.grid, 4, shift))


class ByHand(nn.Module):
    """One layer of attention, as people write it; `attend` is what differs."""

    def __init__(self, attend, heads: int = 2) -> None:
        super().__init__()
        self.patches, self.norm, self.qkv = nn.Conv2d(3, 8, 2, 2), nn.LayerNorm(8), nn.Linear(8, 24)
        self.heads, self.attend = heads, attend
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.patches(x).flatten(2).transpose(1, 2))
        q, k, v = self.qkv(x).reshape(len(x), 16, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return self.head(self.attend(q, k, v).transpose(1, 2).flatten(2).mean(dim=1))


def plain(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return torch.softmax(q @ k.transpose(-2, -1) / 2, dim=-1) @ v


def joined(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    weights = torch.bmm(q.flatten(0, 1), k.flatten(0, 1).transpose(1, 2)).div(2).softmax(-1)
    return torch.bmm(weights, v.flatten(0, 1)).unflatten(0, q.shape[:2])


def summed(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    weights = F.dropout(F.softmax(torch.einsum("bhid,bhjd->bhij", q, k) / 2, dim=3), training=False)
    return torch.einsum("bhij,bhjd->bhid", weights, v)


def fused_by_torch(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, scale=0.5)


@pytest.mark.parametrize("attend", [plain, joined, summed, fused_by_torch])
def test_attention_as_people_write_it(attend, images):
    expected = probe_of(seeded(ByHand(plain)), images).attention(gradients=True)[0]
    found = probe_of(seeded(ByHand(attend)), images).attention(gradients=True)[0]
    assert found.weights.shape == (3, 2, 16, 16)
    assert (found.extra, found.grid) == (0, (4, 4))
    torch.testing.assert_close(found.weights, expected.weights)
    torch.testing.assert_close(found.gradient, expected.gradient)
    q, k, _ = (
        seeded(ByHand(plain))
        .qkv(seeded(ByHand(plain)).norm(seeded(ByHand(plain)).patches(images).flatten(2).transpose(1, 2)))
        .reshape(3, 16, 3, 2, -1)
        .permute(2, 0, 3, 1, 4)
    )
    torch.testing.assert_close(found.weights, (q @ k.transpose(-2, -1) / 2).softmax(dim=-1))


def dropping(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, dropout_p=0.5)


def talking(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    weights = torch.softmax(q @ k.transpose(-2, -1), dim=-1)
    return (weights + 0.1 * weights.flip(1)) @ v


def reduced(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return torch.softmax(q @ k[:, :, ::2].transpose(-2, -1), dim=-1) @ v[:, :, ::2]


@pytest.mark.parametrize(
    ("attend", "reason"),
    [
        (dropping, "could not be recomputed"),
        (talking, "1 softmax.* not understood"),
        (reduced, "lets 16 tokens look at 8 others"),
    ],
)
def test_refuses_what_it_cannot_read(attend, reason, images):
    with pytest.raises(seewhy.MethodError, match=reason):
        probe_of(seeded(ByHand(attend)), images).attention()


def test_refuses_networks_without_attention(images):
    with pytest.raises(
        seewhy.MethodError, match=r"no self-attention that its answer depends on; use .* 'grad-cam' or 'rise'"
    ):
        probe_of(seeded(SmallCNN()), images).attention()


def test_an_answer_that_changes_is_noticed(images, monkeypatch):
    """Where attention is spelled out, and wrongly, the network's answer tells."""
    right = attention_record.spelled_multi_head
    monkeypatch.setattr(attention_record, "spelled_multi_head", lambda operation: (1.01 * right(operation)[0], None))
    for layerwise in (None, "mean"):
        with pytest.raises(seewhy.MethodError, match="answer changes while its attention is read"):
            probe_of(seeded(SmallViT()), images).attention(layerwise=layerwise)


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_a_pool_that_the_answer_makes_no_use_of_is_left_out(implementation):
    """SigLIP runs its attention pool for classifiers too, which average the tokens instead."""
    case = Case("SiglipConfig", (32, 48), {}, "SiglipAttention")

    def build(implementation: str) -> nn.Module:
        vision = {"image_size": 48, "patch_size": 8, **VIT}
        config = transformers.SiglipConfig(vision_config=vision, num_labels=4, attn_implementation=implementation)
        return drawn_weights(transformers.SiglipForImageClassification(config))

    images = torch.cat([case.images(), case.images()[:, :, :16]], dim=2)
    traces = probe_of(build(implementation), images).attention(gradients=True, layerwise="mean")
    expected = returned_weights(build("eager"), images, "SiglipAttention")
    assert len(traces) == len(expected) == 3
    for trace, weights in zip(traces, expected, strict=True):
        torch.testing.assert_close(trace.weights, weights, rtol=0, atol=1e-6)
        assert (trace.extra, trace.grid) == (0, (6, 6))
    assert traces[-1].read == tuple(range(36))


class Past(SmallViT):
    """The head reads the first block too, past the last."""

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], dim=1) + self.places
        first = self.blocks[0](x)
        return self.head(self.norm(self.blocks[1](first) + first)[:, 0])


@pytest.mark.parametrize("count", [1, 3])
def test_refuses_to_apply_a_head_that_sees_more_than_the_last_block(count, images):
    with pytest.raises(seewhy.MethodError, match=r"cannot be applied|answer changes where its head"):
        probe_of(seeded(Past()), images[:count]).attention(layerwise="head")


def test_a_target_inside_the_network(images):
    network, target = seeded(SmallViT()), Channel("blocks.0.norm2", 3)
    traces = probe_of(network, images, target).attention(gradients=True)
    assert traces[0].gradient.abs().max() > 0
    assert not traces[1].gradient.any()  # it lies behind the channel
    with pytest.raises(seewhy.MethodError, match="looks inside the network"):
        probe_of(network, images, target).attention(layerwise="head")


def test_nothing_stays_in_the_network_and_the_mode_of_gradients_is_kept(images):
    network = seeded(SmallViT())
    probe = probe_of(network, images)
    twin = probe._block.network.module
    with torch.no_grad():
        probe.attention(gradients=True, layerwise="head")
        assert not torch.is_grad_enabled()
    for part in twin.modules():
        assert not part._forward_hooks and not part._forward_pre_hooks
    assert all(not weight.requires_grad for weight in twin.parameters())


def test_passes_are_counted(images):
    probe = probe_of(seeded(SmallViT()), images)
    probe.attention()
    assert (probe.cost.forwards, probe.cost.backwards) == (2, 0)
    probe.attention(gradients=True)
    assert (probe.cost.forwards, probe.cost.backwards) == (3, 1)
    probe.attention(layerwise="head")
    assert (probe.cost.forwards, probe.cost.backwards) == (4, 2)
    spent = probe._block.network.spent
    assert (spent.forwards, spent.backwards) == (12, 6)


def test_half_precision(images):
    traces = probe_of(seeded(SmallViT()).bfloat16(), images.bfloat16()).attention(gradients=True)
    exact = probe_of(seeded(SmallViT()), images).attention(gradients=True)
    for one, other in zip(traces, exact, strict=True):
        assert one.weights.dtype == one.gradient.dtype == torch.float32
        torch.testing.assert_close(one.weights.double(), other.weights, rtol=0, atol=2e-2)


def test_windows_in_half_precision():
    case = CASES["swin"]
    traces = probe_of(case.build().bfloat16(), case.images().bfloat16()).attention()
    for number, trace in enumerate(traces):
        expected = windows_by_hand(trace.grid, 4, 2 * (number % 2))
        assert torch.equal(trace.slots[0], expected)
