import pytest
import torch
from torch import nn

import seewhy
from clip_transformers import clips, made, model_of
from seewhy.core.needs import Needs
from seewhy.engine.block import Question
from seewhy.engine.probe import NetworkProbe
from seewhy.errors import MethodError
from seewhy.ops.rollout import with_way_past
from seewhy.targets import as_target

T, H, W = 8, 4, 4
PLACES = H * W


def traced(network, given, **asked):
    session = seewhy.Session(network if isinstance(network, seewhy.Model) else model_of(network))
    probe = NetworkProbe(Question(session.block(given, Needs()), as_target(0)), Needs())
    return probe.attention(**asked)


def drawn(network, given, method, target=0):
    model = network if isinstance(network, seewhy.Model) else model_of(network)
    return seewhy.Session(model).explain(given, target, method).heatmap


def own_weights(network, given):
    """What the network itself makes of its softmax, layer after layer, part of the graph; and its answer."""
    seen = []
    hooks = [
        module.register_forward_hook(lambda module, args, output: (output.requires_grad_(), seen.append(output))[0])
        for name, module in network.named_modules()
        if name.endswith("attn_drop")
    ]
    answer = network(given.transpose(1, 2)).logits
    for hook in hooks:
        hook.remove()
    return seen, answer


def whole(table, time, mean=True):
    """Tables (rows, m, m) of one clip as one over all tokens in the network's order: class token, then place by place with all its frames.

    By sums of Kronecker products: along time, one table a place; within frames, one table a frame, the class token apart.
    """
    found = torch.zeros(1 + PLACES * T, 1 + PLACES * T, dtype=table.dtype)
    for number, one in enumerate(table):
        chosen = torch.zeros(len(table), len(table), dtype=table.dtype)
        chosen[number, number] = 1
        if time:
            found[1:, 1:] += torch.kron(chosen, one)
            continue
        found[1:, 1:] += torch.kron(one[1:, 1:].contiguous(), chosen)
        frame = chosen[number]
        found[0, 1:] += torch.kron(one[0, 1:].contiguous(), frame) / (T if mean else 1)
        found[1:, 0] += torch.kron(one[1:, 0].contiguous(), frame)
        found[0, 0] += one[0, 0] / (T if mean else 1)
    return found


def in_time_order(row):
    return row[1:].view(PLACES, T).T.reshape(T, H, W)


def by_clip(table, clip, count):
    return table.view(count, -1, *table.shape[1:])[clip]


def test_divided_rollout_is_the_product_over_all_tokens():
    network, given = made("timesformer").double(), clips(2, dtype=torch.float64)
    weights, _ = own_weights(network, given)
    found = drawn(network, given, "attention-rollout")
    identity = torch.eye(1 + PLACES * T, dtype=torch.float64)
    for clip in range(2):
        rollout = identity
        for number, table in enumerate(weights):
            mixed = whole(by_clip(table, clip, 2).mean(dim=1), time=number % 2 == 0)
            if number % 2 == 0:
                mixed[0, 0] = 1  # the class token takes no part along time
            rollout = (0.5 * mixed + 0.5 * identity) @ rollout
        torch.testing.assert_close(rollout.sum(dim=-1), torch.ones(1 + PLACES * T, dtype=torch.float64))
        torch.testing.assert_close(found[clip], in_time_order(rollout[0]), rtol=0, atol=1e-7)


def test_divided_gradient_rollout_is_the_product_over_all_tokens():
    network, given = made("timesformer").double(), clips(2, dtype=torch.float64)
    weights, answer = own_weights(network, given)
    slopes = torch.autograd.grad(answer[:, 1].sum(), weights)
    found = drawn(network, given, "gradient-rollout", 1)
    for clip in range(2):
        relevance = torch.eye(1 + PLACES * T, dtype=torch.float64)
        for number, (table, slope) in enumerate(zip(weights, slopes, strict=True)):
            favourable = by_clip((table * slope).relu().mean(dim=1), clip, 2)
            relevance = relevance + whole(favourable, time=number % 2 == 0, mean=False) @ relevance
        torch.testing.assert_close(found[clip], in_time_order(relevance[0]), rtol=1e-5, atol=1e-10)


def test_the_mean_of_copies_has_its_division_in_the_gradient():
    """A whole table A with rows A_f / T of the class token: A * dS/dA is A_f * dS/dA_f, with no division left. By finite differences."""
    network, given = made("timesformer").double(), clips(1, dtype=torch.float64)
    weights, answer = own_weights(network, given)
    (slope,) = torch.autograd.grad(answer[0, 1], [weights[-1]])
    step, (frame, head, place) = 1e-4, (3, 1, 7)

    def nudge(module, args, output):
        changed = output.clone()
        changed[frame, head, 0, place] *= 1 + step  # the whole table's number, and so the copy's, changes by this share
        return changed

    handle = network.timesformer.encoder.layer[-1].attention.attention.attn_drop.register_forward_hook(nudge)
    with torch.no_grad():
        moved = network(given.transpose(1, 2)).logits[0, 1]
    handle.remove()
    by_difference = (moved - answer[0, 1].detach()) / step
    torch.testing.assert_close(
        by_difference, (weights[-1] * slope)[frame, head, 0, place].detach(), rtol=1e-3, atol=1e-9
    )


@pytest.mark.parametrize("kind", ["videomae", "vivit", "timesformer"])
def test_rows_add_up_to_one_and_shares_are_carried_as_by_the_whole_table(kind):
    given = clips(3, dtype=torch.float64)
    traces = traced(made(kind).double(), given)
    assert [trace.grid for trace in traces] == [(T if kind == "timesformer" else T // 2, H, W)] * len(traces)
    for trace in traces:
        mixed = with_way_past(trace.weights.mean(dim=1))
        table = trace.spread(mixed, alone=1.0)
        torch.testing.assert_close(table.sum(dim=-1), torch.ones(3, trace.tokens, dtype=torch.float64))
        share = torch.rand(3, trace.tokens, dtype=torch.float64)
        torch.testing.assert_close(trace.carried(share, mixed, alone=1.0), torch.einsum("bi,bij->bj", share, table))


def test_attention_over_the_whole_clip_in_the_order_place_by_place():
    """The joint kind of TimeSformer has its tokens place by place; its class token's row, put into the order of time."""
    network, given = made("timesformer", attention_type="joint_space_time").double(), clips(2, dtype=torch.float64)
    weights, _ = own_weights(network, given)
    expected = torch.stack([in_time_order(row) for row in weights[-1].mean(dim=1)[:, 0]])
    torch.testing.assert_close(drawn(network, given, "raw-attention"), expected, rtol=0, atol=1e-7)


class Table(nn.Module):
    """Attention whose weights stand in a table for each row of one clip."""

    def __init__(self, table):
        super().__init__()
        self.table = table.log()

    def forward(self, tokens):
        queries = torch.zeros_like(tokens)[:, None]
        table = self.table.repeat(len(tokens) // len(self.table), 1, 1)[:, None]
        return nn.functional.scaled_dot_product_attention(queries, queries, tokens[:, None], attn_mask=table)[:, 0]


class Divided(nn.Module):
    """A class token and (t, h, w) patches of one pixel whose attention stands in tables: along time, then within frames.

    Args:
        time: (h * w, t, t).
        space: (t, 1 + h * w, 1 + h * w).
        joined: how the copies of the class token become one.
    """

    def __init__(self, time, space, joined="mean"):
        super().__init__()
        self.patches = nn.Conv3d(1, 2, 1)
        self.token = nn.Parameter(torch.tensor([[[0.3, -0.2]]], dtype=torch.float64))
        self.along_time, self.within_frames, self.joined = Table(time), Table(space), joined
        self.sequence, self.between, self.behind = nn.Identity(), nn.Identity(), nn.Identity()

    def forward(self, clips):
        cells = self.patches(clips.transpose(1, 2)).movedim(1, -1)  # (b, t, h, w, c)
        b, t, h, w, c = cells.shape
        tokens = cells.reshape(b, t * h * w, c)
        tokens = self.sequence(torch.cat([self.token.expand(b, -1, -1), tokens], dim=1))
        patches = tokens[:, 1:].view(b, t, h * w, c).transpose(1, 2).reshape(b * h * w, t, c)
        mixed = self.along_time(patches).view(b, h * w, t, c).transpose(1, 2).reshape(b, t * h * w, c)
        patches = self.between(tokens[:, 1:] + mixed)
        rows = torch.cat([tokens[:, :1].repeat_interleave(t, dim=0), patches.view(b * t, h * w, c)], dim=1)
        mixed = self.within_frames(rows).view(b, t, 1 + h * w, c)
        copies = mixed[:, :, 0]
        copied = copies.mean(dim=1) if self.joined == "mean" else copies[:, 0]
        more = torch.cat([copied[:, None], mixed[:, :, 1:].reshape(b, t * h * w, c)], dim=1)
        return self.behind(torch.cat([tokens[:, :1], patches], dim=1) + more)[:, 0]


def looking_at_one(t, places, frame, place, before):
    """Tables in which the class token looks at one place of one frame only, and that token only at another frame, along time."""
    time = torch.eye(t, dtype=torch.float64).expand(places, -1, -1).clone()
    time[place, frame] = 0
    time[place, frame, before] = 1
    space = torch.eye(1 + places, dtype=torch.float64).expand(t, -1, -1).clone()
    space[frame, 0] = 0
    space[frame, 0, 1 + place] = 1
    return time.clamp_min(1e-300), space.clamp_min(1e-300)


def toy(t, h, w, tables, **kind):
    torch.manual_seed(0)
    return seewhy.Model(Divided(*tables, **kind).double(), frames=t, layout="btchw"), torch.rand(
        2, 1, t, h, w, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )


def test_by_pencil_what_is_looked_at_in_one_frame_comes_from_another():
    """Of 5 frames, the class token looks at place (1, 2) of frame 3 in that frame's copy, elsewhere at itself; that token looks at frame 1.

    Half of the class token goes past; a fifth of the other half is the copy of frame 3. Of that tenth, half goes past attention along
    time and stays in frame 3, half comes from frame 1: 1/20 each.
    """
    model, given = toy(5, 2, 3, looking_at_one(5, 6, frame=3, place=5, before=1))
    expected = torch.zeros(2, 5, 2, 3, dtype=torch.float64)
    expected[:, 3, 1, 2] = expected[:, 1, 1, 2] = 1 / 20
    torch.testing.assert_close(drawn(model, given, "attention-rollout"), expected)
    only = torch.zeros_like(expected)
    only[:, 3, 1, 2] = 1 / 5
    torch.testing.assert_close(drawn(model, given, "raw-attention"), only)


def test_a_class_token_that_is_not_the_mean_of_its_copies_is_refused():
    model, given = toy(5, 2, 3, looking_at_one(5, 6, frame=3, place=5, before=1), joined="first")
    with pytest.raises(MethodError, match="not the mean of its copies"):
        drawn(model, given, "attention-rollout")


def test_a_class_token_outside_of_a_layer_has_no_row_there():
    with pytest.raises(MethodError, match=r"takes no part in .*temporal_attention"):
        drawn(made("timesformer"), clips(1), seewhy.method("raw-attention", block=0))


def test_le_grad_of_divided_attention_is_refused():
    with pytest.raises(MethodError, match="factorized into time and space"):
        drawn(made("timesformer"), clips(1), "le-grad")


@pytest.mark.parametrize("kind", ["videomae", "vivit", "timesformer"])
@pytest.mark.parametrize("method", ["attention-rollout", "raw-attention", "gradient-rollout"])
def test_clips_together_and_alone_have_the_same_maps(kind, method):
    network, given = made(kind), clips(3)
    together = drawn(network, given, method)
    alone = torch.cat([drawn(network, given[number : number + 1], method) for number in range(3)])
    torch.testing.assert_close(together, alone)


class EachFrame(nn.Module):
    """A vision transformer that sees each frame as a row, and the mean of what it answers."""

    def __init__(self):
        super().__init__()
        transformers = pytest.importorskip("transformers")
        torch.manual_seed(0)
        config = transformers.ViTConfig(
            hidden_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            image_size=32,
            patch_size=8,
        )
        self.eye, self.head = transformers.ViTModel(config, add_pooling_layer=False), nn.Linear(24, 3)

    def forward(self, given):
        seen = self.eye(given.flatten(0, 1)).last_hidden_state[:, 0]
        return self.head(seen).unflatten(0, given.shape[:2]).mean(dim=1)


@pytest.mark.parametrize("method", ["attention-rollout", "raw-attention", "gradient-rollout"])
def test_frames_that_are_rows_have_the_maps_of_pictures(method):
    """For a mean over frames: each frame's map is a T-th of that of the picture, by the same network for pictures."""

    class Picture(nn.Module):
        def __init__(self):
            super().__init__()
            self.clip = EachFrame()

        def forward(self, pictures):
            return self.clip(pictures[:, None])

    given = clips(2, frames=5, dtype=torch.float64)
    model = seewhy.Model(EachFrame().double().eval(), frames=5, layout="btchw")
    explained = seewhy.Session(model).explain(given, 0, method)
    found = explained.heatmap
    assert any("where, not when" in note for note in explained.notes[0]) == (method != "gradient-rollout")
    pictures = given.transpose(1, 2).flatten(0, 1)
    alone = seewhy.Session(seewhy.Model(Picture().double().eval())).explain(pictures, 0, method).heatmap
    if (
        method == "gradient-rollout"
    ):  # a sum of products of different degree in the gradient: only its support is compared
        assert torch.equal(found.flatten(0, 1) > 0, alone > 0)
        return
    torch.testing.assert_close(found.flatten(0, 1), alone / 5, rtol=1e-5, atol=1e-9)


class Windows(nn.Module):
    """Attention within windows of 2 x 2 x 3 places, shifted along all axes in the second block, as in a Swin for clips."""

    window, shift = (2, 2, 3), (1, 1, 2)

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.cut = nn.Conv3d(3, 6, (2, 8, 8), stride=(2, 8, 8))
        self.blocks = nn.ModuleList([WindowBlock(self.window, shift) for shift in ((0, 0, 0), self.shift)])
        self.norm, self.head = nn.LayerNorm(6), nn.Linear(6, 3)

    def forward(self, given):
        tokens = self.cut(given).movedim(1, -1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(self.norm(tokens).mean(dim=(1, 2, 3)))


class WindowBlock(nn.Module):
    def __init__(self, window, shift):
        super().__init__()
        self.norm, self.attend, self.shift, self.window = nn.LayerNorm(6), Looking(), shift, window

    def forward(self, tokens):
        b, *size, c = tokens.shape
        (t, h, w), cells = self.window, [many // one for many, one in zip(size, self.window, strict=True)]
        moved = self.norm(tokens).roll([-one for one in self.shift], dims=(1, 2, 3))
        cut = moved.view(b, cells[0], t, cells[1], h, cells[2], w, c).permute(0, 1, 3, 5, 2, 4, 6, 7)
        mixed = self.attend(cut.reshape(-1, t * h * w, c)).view(b, *cells, t, h, w, c)
        back = mixed.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(b, *size, c)
        return tokens + back.roll(self.shift, dims=(1, 2, 3))


class Looking(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(6, 6) for _ in range(3))

    def forward(self, tokens):
        weights = (self.query(tokens) @ self.key(tokens).transpose(1, 2)).softmax(dim=-1)
        return (weights.unsqueeze(1) @ self.value(tokens).unsqueeze(1)).squeeze(1)


def test_windows_over_time_and_place_by_brute_force():
    """Which tokens look at each other: those whose shifted places lie in one window."""
    network, given = Windows().double().eval(), clips(2, frames=8, dtype=torch.float64)[..., :24]
    traces = traced(seewhy.Model(network, frames=8, layout="bcthw"), given)
    size = (4, 4, 3)
    places = torch.cartesian_prod(*(torch.arange(cells) for cells in size))
    tokens = network.cut(given).movedim(1, -1)
    for trace, block in zip(traces, network.blocks, strict=True):
        shifted = (places - torch.tensor(block.shift)) % torch.tensor(size) // torch.tensor(Windows.window)
        together = (shifted[:, None] == shifted[None]).all(dim=-1)
        normed = block.norm(tokens).flatten(1, 3)
        logits = block.attend.query(normed) @ block.attend.key(normed).transpose(1, 2)
        expected = logits.masked_fill(~together, -torch.inf).softmax(dim=-1)
        assert trace.grid == size
        torch.testing.assert_close(trace.spread(trace.weights.mean(dim=1)), expected.detach())
        tokens = block(tokens)
