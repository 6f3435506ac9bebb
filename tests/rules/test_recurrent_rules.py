"""Relevance through recurrent layers: against LRP of an LSTM and of a GRU written out by hand, and the law that it is conserved."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.targets import ClassScore

FRAMES, SIDE = 5, 2
METHODS = {
    "lrp": {"composite": "epsilon", "epsilon": 0.0},
    "cp-lrp": {"epsilon": 0.0},
    "attn-lrp": {"gamma": 0.0, "epsilon": 0.0},
}


class Reads(nn.Module):
    """A recurrent layer, or a cell in a loop, that reads the pixels of each frame; takes (b, t, c, h, w)."""

    def __init__(self, memory):
        super().__init__()
        self.memory, self.head = memory, nn.Linear(4, 3)

    def forward(self, clips):
        frames = clips.flatten(2)
        if isinstance(self.memory, nn.RNNBase):
            return self.head(self.memory(frames)[0][:, -1])
        state = None
        for frame in frames.unbind(dim=1):
            state = self.memory(frame, state)
        return self.head(state[0] if isinstance(state, tuple) else state)


class WrittenOut(nn.Module):
    """A ConvLSTM cell from convolution, sigmoid, tanh and products, in a loop; takes (b, t, c, h, w)."""

    def __init__(self):
        super().__init__()
        self.gates, self.head = nn.Conv2d(5, 16, 3, padding=1), nn.Linear(4, 3)

    def forward(self, clips):
        h = c = clips.new_zeros(len(clips), 4, *clips.shape[3:])
        for frame in clips.unbind(dim=1):
            take, forget, show, new = self.gates(torch.cat([frame, h], dim=1)).chunk(4, dim=1)
            c = forget.sigmoid() * c + take.sigmoid() * new.tanh()
            h = show.sigmoid() * c.tanh()
        return self.head(h.mean(dim=(2, 3)))


MEMORIES = {
    "lstm": lambda: Reads(nn.LSTM(4, 4, batch_first=True)),
    "two-layer lstm": lambda: Reads(nn.LSTM(4, 4, num_layers=2, batch_first=True, dropout=0.5)),
    "gru": lambda: Reads(nn.GRU(4, 4, batch_first=True)),
    "rnn": lambda: Reads(nn.RNN(4, 4, batch_first=True)),
    "rnn of rectifiers": lambda: Reads(nn.RNN(4, 4, batch_first=True, nonlinearity="relu")),
    "lstm cell": lambda: Reads(nn.LSTMCell(4, 4)),
    "gru cell": lambda: Reads(nn.GRUCell(4, 4)),
    "rnn cell": lambda: Reads(nn.RNNCell(4, 4)),
    "conv lstm": WrittenOut,
}


def built(name, *, biases):
    torch.manual_seed(3)
    network = MEMORIES[name]().double().eval()
    with torch.no_grad():
        for label, parameter in network.named_parameters():
            parameter.mul_(2 if "bias" not in label or biases else 0)
    return network


def clips(count=2):
    return torch.randn(count, 1, FRAMES, SIDE, SIDE, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def explained(network, inputs, key, **settings):
    model = seewhy.Model(network, size=SIDE, mean=0, std=1, frames=FRAMES, layout="btchw")
    return seewhy.Session(model).explain(inputs, ClassScore(1), seewhy.method(key, **settings))


@pytest.mark.parametrize("key", METHODS)
@pytest.mark.parametrize("name", MEMORIES)
def test_without_biases_relevance_adds_up_to_the_score(name, key):
    network, inputs = built(name, biases=False), clips()
    found = explained(network, inputs, key, **METHODS[key])
    scores = network(inputs.transpose(1, 2))[:, 1].detach()
    assert scores.abs().min() > 1e-3
    torch.testing.assert_close(found.heatmap.flatten(1).sum(dim=1), scores, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn", "lstm cell", "gru cell", "conv lstm"])
def test_deep_lift_adds_up_through_gates_too(name):
    network, inputs = built(name, biases=True), clips()
    found = explained(network, inputs, "deep-lift", baseline="zero")
    scores = [network(given.transpose(1, 2))[:, 1].detach() for given in (inputs, torch.zeros_like(inputs))]
    torch.testing.assert_close(found.heatmap.flatten(1).sum(dim=1), scores[0] - scores[1], rtol=1e-6, atol=1e-9)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def shared(relevance, given, weight, total):
    """R_i = sum_j x_i w_ji / z_j R_j."""
    return given * (weight.T @ (relevance / total))


def by_hand_lstm(frames, memory, head):
    """Arras et al. 2017, section 3.2: the forward pass of one clip, then relevance from the last step to the first."""
    w, u, b = memory.weight_ih_l0, memory.weight_hh_l0, memory.bias_ih_l0 + memory.bias_hh_l0
    w, u, b = (np.split(one.detach().numpy(), 4) for one in (w, u, b))
    h = c = np.zeros(4)
    kept = []
    for x in frames:
        z = [w[k] @ x + u[k] @ h + b[k] for k in range(4)]
        take, forget, new, show = sigmoid(z[0]), sigmoid(z[1]), np.tanh(z[2]), sigmoid(z[3])
        before = (h, c)
        c = forget * c + take * new
        h = show * np.tanh(c)
        kept.append((x, before, z[2], take * new, forget * before[1], c))
    row = head.weight[1].detach().numpy()
    of_h, of_c = row * h, np.zeros(4)  # the bias of the head keeps its share
    found = []
    for x, (h, _), z, taken, remembered, c in reversed(kept):
        of_c = of_c + of_h
        of_new, of_c = taken / c * of_c, remembered / c * of_c
        found.append(shared(of_new, x, w[2], z))
        of_h = shared(of_new, h, u[2], z)
    return np.array(found[::-1])


def by_hand_gru(frames, memory, head):
    """The same for a GRU: h' = (1 - keep) new + keep h, new = tanh(W x + b + reset (U h + b'))."""
    parts = (memory.weight_ih_l0, memory.weight_hh_l0, memory.bias_ih_l0, memory.bias_hh_l0)
    w, u, b, d = (np.split(one.detach().numpy(), 3) for one in parts)
    h, kept = np.zeros(4), []
    for x in frames:
        reset, keep = (sigmoid(w[k] @ x + b[k] + u[k] @ h + d[k]) for k in range(2))
        inner = u[2] @ h + d[2]
        z = w[2] @ x + b[2] + reset * inner
        before, h = h, (1 - keep) * np.tanh(z) + keep * h
        kept.append((x, before, z, reset, (1 - keep) * np.tanh(z), keep * before, h))
    of_h, found = head.weight[1].detach().numpy() * h, []
    for x, before, z, reset, new, remembered, h in reversed(kept):
        of_new, passed = new / h * of_h, remembered / h * of_h
        found.append(shared(of_new, x, w[2], z))
        of_h = passed + before * (u[2].T @ (reset * of_new / z))
    return np.array(found[::-1])


@pytest.mark.parametrize("key", METHODS)
@pytest.mark.parametrize(("name", "by_hand"), [("lstm", by_hand_lstm), ("gru", by_hand_gru)])
def test_lrp_of_a_recurrent_layer_by_hand(name, by_hand, key):
    """With biases, which keep their share."""
    network, inputs = built(name, biases=True), clips(1)
    frames = inputs[0, 0].flatten(1).numpy()
    wanted = by_hand(frames, network.memory, network.head).reshape(FRAMES, SIDE, SIDE)
    found = explained(network, inputs, key, **METHODS[key]).heatmap[0]
    torch.testing.assert_close(found, torch.from_numpy(wanted), rtol=1e-6, atol=1e-9)


def test_a_cell_in_a_loop_has_the_map_of_the_layer():
    """One LSTM, as a layer and as a cell that is called for each frame."""
    layer, cell = built("lstm", biases=True), built("lstm cell", biases=True)
    with torch.no_grad():
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(cell.memory, name).copy_(getattr(layer.memory, f"{name}_l0"))
        cell.head.load_state_dict(layer.head.state_dict())
    maps = [explained(network, clips(), "lrp", composite="epsilon").heatmap for network in (layer, cell)]
    torch.testing.assert_close(*maps)
