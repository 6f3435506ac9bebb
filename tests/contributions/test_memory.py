"""Memory lines: against differences of a network that is stopped, changed and run on; and what is planted."""

import pytest
import torch
from torch import nn

import seewhy
from clips import FRAMES, NETWORKS, SIDE, layout_of, planted_clip
from seewhy.contributions.memory import memory_lines
from seewhy.core.cost import Cost
from seewhy.targets import ClassScore

T, TARGET = 5, ClassScore(1)


class Reads(nn.Module):
    """A recurrent layer or cell that reads four pixels a frame; takes (b, t, c, h, w)."""

    def __init__(self, memory, width=4):
        super().__init__()
        self.memory, self.head = memory, nn.Linear(width, 3)

    def forward(self, clips):
        frames = clips.flatten(2)
        if isinstance(self.memory, nn.RNNBase):
            return self.head(self.memory(frames)[0][:, -1])
        state = None
        for frame in frames.unbind(dim=1):
            state = self.memory(frame, state)
        return self.head(state[0] if isinstance(state, tuple) else state)


def built(memory, width=4):
    network = Reads(memory, width).double().eval()
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(5)
        for parameter in network.parameters():
            parameter.normal_()
    return network


def clips(count=2):
    return torch.randn(count, 1, T, 2, 2, generator=torch.Generator().manual_seed(6), dtype=torch.float64)


def lines(network, inputs, target=TARGET):
    model = seewhy.Model(network, size=2, frames=T, layout="btchw")
    return {line.layer: line for line in memory_lines(seewhy.Session(model), inputs, target)}


def run_on(network, frames, state):
    """The score of what follows from a state on."""
    for frame in frames.unbind(dim=1):
        state = network.memory(frame, state)
    return network.head(state[0] if isinstance(state, tuple) else state)[:, 1]


@pytest.mark.parametrize("build", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
@torch.no_grad()
def test_against_differences_of_a_network_that_is_stopped_and_run_on(build):
    """Central differences of the score in each number of (h, c) after each step."""
    network, inputs, small = built(build(4, 4)), clips(), 1e-5
    frames, state, whole, hidden = inputs.transpose(1, 2).flatten(2), None, [], []
    for step in range(T):
        state = network.memory(frames[:, step], state)
        parts = state if isinstance(state, tuple) else (state,)
        squares = []
        for place, part in enumerate(parts):
            slopes = []
            for number in range(part.shape[1]):
                ends = []
                for sign in (1, -1):
                    moved = [one.clone() for one in parts]
                    moved[place][:, number] += sign * small
                    given = tuple(moved) if len(parts) > 1 else moved[0]
                    ends.append(run_on(network, frames[:, step + 1 :], given))
                slopes.append((ends[0] - ends[1]) / (2 * small))
            squares.append(torch.stack(slopes, dim=1).square().sum(dim=1))
        whole.append(sum(squares).sqrt())
        hidden.append(squares[0].sqrt())
    found = lines(network, inputs)["memory"]
    torch.testing.assert_close(found.whole.double(), torch.stack(whole, dim=1), rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(found.hidden.double(), torch.stack(hidden, dim=1), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("layer", "cell"), [(nn.LSTM, nn.LSTMCell), (nn.GRU, nn.GRUCell), (nn.RNN, nn.RNNCell)])
def test_a_layer_has_the_line_of_its_cell_in_a_loop(layer, cell):
    one, other = built(layer(4, 4, batch_first=True)), built(cell(4, 4))
    with torch.no_grad():
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(other.memory, name).copy_(getattr(one.memory, f"{name}_l0"))
        other.head.load_state_dict(one.head.state_dict())
    first, second = lines(one, clips())["memory"], lines(other, clips())["memory"]
    for name in ("whole", "hidden", "reached"):
        torch.testing.assert_close(getattr(first, name), getattr(second, name))


def test_each_layer_and_direction_has_a_line():
    network = built(nn.GRU(4, 4, num_layers=2, bidirectional=True, batch_first=True), width=8)
    found = lines(network, clips())
    assert list(found) == ["memory", "memory, backward", "memory, layer 1", "memory, layer 1, backward"]
    last = found["memory, layer 1, backward"].whole  # the head reads the last frame, where this direction begins
    assert last[:, -1].min() > 0
    assert not last[:, :-1].any()


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - {"3d"}))
def test_what_is_planted_comes_in_with_its_frames_and_stays(name):
    """Before frame 5 the state holds nothing of the score, behind frame 7 as much at every step; at the end all of it."""
    network = NETWORKS[name]().eval()
    model = seewhy.Model(network, size=SIDE, frames=FRAMES, layout=layout_of(network))
    session, clip = seewhy.Session(model), planted_clip()
    (line,) = memory_lines(session, clip, ClassScore(0))
    reached, score = line.reached[0], float(session.predict(clip)[0, 0])
    assert reached[:5].abs().max() < 0.01 * score
    assert 0 < reached[5] < reached[6] < reached[7]
    torch.testing.assert_close(reached[8:15], reached[7].expand(7), rtol=0.01, atol=0)
    assert float(reached[15]) == pytest.approx(score, rel=1e-4)
    assert line.whole[0].min() > 0.3 * line.whole[0].max()  # nothing is forgotten


def test_one_forward_and_one_backward():
    network = built(nn.LSTM(4, 4, batch_first=True))
    session = seewhy.Session(seewhy.Model(network, size=2, frames=T, layout="btchw"))
    memory_lines(session, clips(2), ClassScore(1))
    assert session.cost == Cost(forwards=2, backwards=2)
    assert torch.is_grad_enabled()


def test_what_has_no_memory_is_refused():
    model = seewhy.Model(NETWORKS["3d"]().eval(), size=SIDE, frames=FRAMES, layout="bcthw")
    with pytest.raises(seewhy.LayerError, match="no recurrent layer or cell"):
        memory_lines(seewhy.Session(model), planted_clip(), ClassScore(0))


def test_a_target_inside_of_the_network_is_refused():
    network = built(nn.LSTM(4, 4, batch_first=True))
    with pytest.raises(seewhy.TargetError, match="asked about its answer"):
        lines(network, clips(), seewhy.targets.Neuron("head", 1))
