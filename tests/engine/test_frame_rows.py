"""Frames as rows, and frames in a loop: which layers have a grid (t, h, w), measured; and what is refused."""

import pytest
import torch
from torch import nn

import seewhy
from clips import FRAMES, NETWORKS, SIDE, ConvLSTM, FramesLSTM, LoopLSTM, layout_of, planted_clip
from networks import seeded
from seewhy.core.cost import Cost
from seewhy.core.needs import Needs, at
from seewhy.core.swap import Swap
from seewhy.engine.block import Bill, Question
from seewhy.engine.probe import NetworkProbe
from seewhy.targets import ClassScore, as_target

T, PIXELS = 8, 12


class Eye(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.relu = nn.Conv2d(3, 5, 3, padding=1), nn.ReLU()

    def forward(self, frames):
        return self.relu(self.conv(frames))


class Frames(nn.Module):
    """Sees frames as rows, in an order that `fold` and `unfold` make of clips (b, t, c, h, w); the answer depends on their order in time."""

    def __init__(self, steps=T):
        super().__init__()
        self.eye, self.head = Eye(), nn.Linear(5 * steps, 4)

    def fold(self, clips):
        return clips.flatten(0, 1)

    def unfold(self, seen, clips):
        return seen.unflatten(0, (len(clips), -1))

    def forward(self, clips):
        seen = self.eye(self.fold(clips)).tanh().mean(dim=(2, 3))
        return self.head(self.unfold(seen, clips).flatten(1))


class FrameByFrame(Frames):
    """(t * b, ...): the first frames of all clips, then the second ones."""

    def fold(self, clips):
        return clips.transpose(0, 1).flatten(0, 1)

    def unfold(self, seen, clips):
        return seen.unflatten(0, (-1, len(clips))).transpose(0, 1)


class Backward(Frames):
    """The last frame first."""

    def fold(self, clips):
        return clips.flip(1).flatten(0, 1)


class EverySecond(Frames):
    def __init__(self):
        super().__init__(T // 2)

    def fold(self, clips):
        return clips[:, 1::2].flatten(0, 1)


class Tubelets(Frames):
    """Two frames beside each other are one row of six channels."""

    def __init__(self):
        super().__init__(T // 2)
        self.eye.conv = nn.Conv2d(6, 5, 3, padding=1)

    def fold(self, clips):
        return clips.unflatten(1, (-1, 2)).flatten(2, 3).flatten(0, 1)


class Windows(nn.Module):
    """Eight windows of the picture, all frames in each: as many rows as there are frames."""

    def __init__(self):
        super().__init__()
        self.eye, self.head = Eye(), nn.Linear(5 * T, 4)
        self.eye.conv = nn.Conv2d(3 * T, 5, 3, padding=1)

    def forward(self, clips):
        parts = clips.flatten(1, 2).unflatten(2, (2, 6)).unflatten(4, (4, 3))  # (b, t c, 2, 6, 4, 3)
        rows = parts.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)
        seen = self.eye(nn.functional.interpolate(rows, size=(6, 6)))
        return self.head(seen.mean(dim=(2, 3)).unflatten(0, (len(clips), -1)).flatten(1))


class Loop(nn.Module):
    """The same as `Frames`, in a loop."""

    order = range(T)

    def __init__(self):
        super().__init__()
        self.eye, self.head = Eye(), nn.Linear(5 * T, 4)

    def forward(self, clips):
        seen = [self.eye(clips[:, step]).tanh().mean(dim=(2, 3)) for step in self.order]
        return self.head(torch.cat(seen, dim=1))


class BackwardLoop(Loop):
    order = range(T - 1, -1, -1)


class OneClipOnly(Frames):
    """As tutorials write it: the clips are gone, only frames are left."""

    def forward(self, clips):
        return self.head(self.eye(clips.view(T, 3, PIXELS, PIXELS)).tanh().mean(dim=(2, 3)).view(1, -1))


def session(network):
    return seewhy.Session(seewhy.Model(network, size=PIXELS, frames=T, layout="btchw", mean=0, std=1))


def clips(count=2):
    return torch.randn(count, 3, T, PIXELS, PIXELS, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def listed(network):
    layers, chosen = session(network).network.layers((T, PIXELS, PIXELS))
    return {layer.name: layer for layer in layers}, chosen


@pytest.mark.parametrize(
    ("build", "frames"), [(Frames, T), (EverySecond, T // 2), (Tubelets, T // 2), (Loop, T), (OneClipOnly, T)]
)
def test_frames_in_their_order_have_a_grid(build, frames):
    layers, chosen = listed(seeded(build()))
    assert chosen == "eye.relu" or layers[chosen].grid == layers["eye.relu"].grid
    assert layers["eye.conv"].grid.size == (frames, PIXELS, PIXELS)


@pytest.mark.parametrize("build", [FrameByFrame, Backward, Windows, BackwardLoop])
def test_rows_that_are_no_frames_in_order_are_refused(build):
    network = seeded(build())
    layers, chosen = listed(network)
    assert layers["eye.conv"].grid is None
    assert chosen is None
    with pytest.raises(seewhy.LayerError, match="no layer of"):
        session(network).explain(clips(), 1, "grad-cam")
    with pytest.raises(seewhy.LayerError, match=r"rows for 1 clip are not found to be their frames|runs 8 times"):
        session(network).explain(clips(), 1, seewhy.method("grad-cam", layer="eye.relu"))


@pytest.mark.parametrize("build", [FrameByFrame, Backward, Windows, BackwardLoop, OneClipOnly])
def test_methods_that_look_at_the_input_do_not_mind(build):
    network, inputs = seeded(build()), clips(1)
    leaf = inputs.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network(leaf.transpose(1, 2))[:, 1].sum(), leaf)
    torch.testing.assert_close(session(network).explain(inputs, 1, "saliency").heatmap, gradient.abs().amax(dim=1))


def looping_pair():
    """A network that folds frames and one that loops over them, with the same weights."""
    folded, loop = seeded(Frames()), seeded(Loop())
    loop.load_state_dict(folded.state_dict())
    return folded, loop


CAMS = sorted(
    key for key, method in seewhy.methods().items() if method.family == "cam" and key not in ("cam", "libra-grad")
)


@pytest.mark.parametrize("key", [*CAMS, "layer-integrated-gradients", "layer-conductance", "full-grad", "lrp"])
def test_a_loop_has_the_map_of_rows(key):
    """Activations, gradients, what is put in their place and replayed: all calls together are one layer."""
    folded, loop = looping_pair()
    maps = [session(network).explain(clips(), 1, key).heatmap for network in (folded, loop)]
    assert maps[0].any() and maps[0].shape[1] == T
    torch.testing.assert_close(*maps, rtol=1e-6, atol=1e-9)


def swaps_of(count):
    """Channels in all frames, and whole frames, of one layer and of two."""
    nothing = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    for number in range(count):
        channel = torch.zeros(1, 5, 1, 1, dtype=torch.bool)
        channel[0, number % 5] = True
        frame = torch.zeros(2 * T, 5, 1, 1, dtype=torch.bool)
        frame[number] = True
        for where in (channel, frame):
            yield {"eye.conv": Swap(where, nothing), "eye.relu": Swap(where, nothing)}
            yield {"eye.conv": Swap(channel, nothing), "eye.relu": Swap(where, None)}


@pytest.mark.parametrize("count", [1, 8])
def test_what_is_swapped_in_a_loop_is_what_is_swapped_in_rows(count):
    """By whole passes where there are few, replayed where there are many."""
    needs = Needs(outputs=frozenset({"eye.conv", "eye.relu", "eye.relu:in"}))
    answers = []
    for network in looping_pair():
        made = session(network)
        block = made.block(made.network.accept(clips()), needs)
        probe = NetworkProbe(Question(block, ClassScore(1)), needs, Bill())
        answers.append(torch.stack(list(probe.swapped(swaps_of(count)))))
    assert answers[0].std(dim=0).min() > 0
    torch.testing.assert_close(*answers)


def test_two_clips_at_once_are_as_one_by_one():
    network, inputs = looping_pair()[1], clips(2)
    both = session(network).explain(inputs, 1, "ablation-cam").heatmap
    each = [session(network).explain(one[None], 1, "ablation-cam").heatmap for one in inputs]
    torch.testing.assert_close(both, torch.cat(each))


@pytest.mark.parametrize("name", NETWORKS)
def test_all_frames_come_from_one_forward_and_one_backward(name):
    network = NETWORKS[name]().eval()
    made = seewhy.Session(seewhy.Model(network, size=SIDE, frames=FRAMES, layout=layout_of(network)))
    found = made.explain(planted_clip(), 0, "grad-cam")
    assert found.cost == Cost(1, 1)
    assert made.cost == Cost(1, 1)
    assert found.heatmap.shape[1] == FRAMES


def question(network, inputs, needs, target):
    made = seewhy.Session(seewhy.Model(network, size=SIDE, frames=FRAMES, layout="btchw"))
    return NetworkProbe(Question(made.block(inputs, needs), target), needs, Bill())


def test_a_hidden_state_has_a_grid_and_its_whole_derivative():
    """Of the state of a ConvLSTM at step t, the derivative is that through all later steps: against autograd on a loop written anew."""
    torch.manual_seed(0)
    network, inputs = ConvLSTM().double().eval(), planted_clip().double()
    network.cell.gates.weight.data.add_(0.3 * torch.randn_like(network.cell.gates.weight))
    trace = question(network, inputs, at("cell"), ClassScore(0)).trace()
    hidden, state = [], None
    for frame in inputs.transpose(1, 2).unbind(dim=1):
        seen = network.eye(frame)
        state = network.cell(seen, state or (torch.zeros_like(seen), torch.zeros_like(seen)))
        state = (state[0].requires_grad_() if not state[0].requires_grad else state[0], state[1])
        hidden.append(state[0])
    gradients = torch.autograd.grad(network.head(state[0].mean(dim=(2, 3)))[:, 0].sum(), hidden)
    torch.testing.assert_close(trace.activation["cell"], torch.stack(hidden, dim=2).detach())
    assert gradients[0].any()
    torch.testing.assert_close(trace.gradient["cell"], torch.stack(gradients, dim=2))


def test_a_state_is_chosen_only_where_there_is_nothing_else():
    """It says when something is remembered, not when it was seen; the gates inside its cell count as part of it."""
    layers, chosen = seewhy.Session(
        seewhy.Model(ConvLSTM().eval(), size=SIDE, frames=FRAMES, layout="btchw")
    ).network.layers((FRAMES, SIDE, SIDE))
    carries = {layer.name: layer.carries for layer in layers}
    assert carries["cell"] and not carries["eye.relu"]
    assert chosen == "eye.relu"


def test_a_map_of_a_state_says_what_it_is():
    made = seewhy.Session(seewhy.Model(ConvLSTM().eval(), size=SIDE, frames=FRAMES, layout="btchw"))
    for layer, told in (("cell", True), ("eye.relu", False)):
        found = made.explain(planted_clip(), 0, seewhy.method("grad-cam", layer=layer))
        assert any("hands on a state" in note for note in found.notes[0]) == told


@pytest.mark.parametrize(
    ("build", "layer", "words"),
    [
        (FramesLSTM, "memory", "numbers over time, and no places"),
        (LoopLSTM, "memory", "runs 16 times per pass; name one call"),
        (LoopLSTM, "eye.relu#3", "one call of several"),
        (LoopLSTM, "eye.relu#16", "there is no call 16"),
    ],
)
def test_a_layer_without_places_is_refused_clearly(build, layer, words):
    network = build().eval()
    made = seewhy.Session(seewhy.Model(network, size=SIDE, frames=FRAMES, layout="btchw"))
    with pytest.raises(seewhy.LayerError, match=words):
        made.explain(planted_clip(), 0, seewhy.method("grad-cam", layer=layer))


def test_one_call_can_still_be_asked_for():
    network, inputs = looping_pair()[1], clips()
    needs = Needs(outputs=frozenset({"eye.conv#3"}))
    made = session(network)
    node = made.block(made.network.accept(inputs), needs).shared.nodes["eye.conv#3"]
    torch.testing.assert_close(node, network.eye.conv(inputs[:, :, 3]).detach())


def test_a_clip_of_one_frame():
    class One(Frames):
        def __init__(self):
            super().__init__(1)

    network, inputs = seeded(One()), clips()[:, :, :1]
    found = seewhy.Session(seewhy.Model(network, size=PIXELS, frames=1, layout="btchw")).explain(inputs, 1, "hires-cam")
    assert found.heatmap.shape == (2, 1, PIXELS, PIXELS)


def test_a_channel_can_be_asked_about_over_all_frames():
    """A target that looks at a layer in a loop sees (b, c, t, h, w)."""
    folded, loop = looping_pair()
    target = as_target(lambda output: output[:, 0] * 2)
    maps = [session(network).explain(clips(), target, "grad-cam").heatmap for network in (folded, loop)]
    torch.testing.assert_close(*maps)
