"""Recurrent layers run in training mode without dropout, as cuDNN goes back in no other: the numbers are those of eval mode, bit for bit.

No GPU is needed: what cuDNN wants to see is looked at where the fused operation is called.
"""

import itertools

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

import seewhy
from seewhy.engine.network import Network

KINDS = {
    "lstm": (nn.LSTM, {}),
    "lstm with a projection": (nn.LSTM, {"proj_size": 3}),
    "gru": (nn.GRU, {}),
    "rnn": (nn.RNN, {}),
}
T, SIDE = 6, 4


class Reads(nn.Module):
    """A recurrent layer that reads the pixels of each frame; takes (b, t, c, h, w)."""

    def __init__(self, kind="lstm", *, both=False, batch_first=True, packed=False):
        super().__init__()
        build, more = KINDS[kind]
        self.memory = build(
            SIDE * SIDE, 8, num_layers=2, dropout=0.5, bidirectional=both, batch_first=batch_first, **more
        )
        width = (3 if "projection" in kind else 8) * (2 if both else 1)
        self.head, self.packed = nn.Linear(width, 3), packed

    def forward(self, clips):
        frames = clips.flatten(2) if self.memory.batch_first else clips.flatten(2).transpose(0, 1)
        if self.packed:
            lengths = torch.full((len(clips),), T)
            frames = nn.utils.rnn.pack_padded_sequence(frames, lengths, batch_first=self.memory.batch_first)
        steps = self.memory(frames)[0]
        if self.packed:
            steps = nn.utils.rnn.pad_packed_sequence(steps, batch_first=self.memory.batch_first)[0]
        return self.head(steps.mean(dim=1 if self.memory.batch_first else 0))


class Stubborn(Reads):
    """Cannot be copied, so it is lent."""

    def __deepcopy__(self, memo):
        raise RuntimeError("only one of me")


class Dropping(nn.LSTM):
    """Runs in a way of its own that depends on its mode."""

    def forward(self, x, states=None):
        return super().forward(nn.functional.dropout(x, 0.5, training=self.training), states)


def built(make, *args, **settings):
    """Return a network with frozen weights: torch takes another way, which rounds differently, where weights want a gradient."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make(*args, **settings).eval().requires_grad_(False)


def clips(count=2):
    return torch.randn(count, 1, T, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def session(network):
    return seewhy.Session(seewhy.Model(network, size=SIDE, frames=T, layout="btchw"))


@torch.no_grad()
def answered(network, inputs):
    """The answer of the network itself, in eval mode."""
    return network(inputs.transpose(1, 2))


class Calls(TorchFunctionMode):
    """Keeps the modes with which fused recurrent operations are called."""

    def __init__(self):
        super().__init__()
        self.modes = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function.__name__ in ("lstm", "gru", "rnn_tanh"):
            self.modes.append([value for value in args if type(value) in (bool, float)])
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize(("both", "batch_first", "packed"), itertools.product((False, True), repeat=3))
@pytest.mark.parametrize("kind", KINDS)
def test_answer_and_gradient_are_those_of_eval_mode(kind, both, batch_first, packed):
    network, inputs = built(Reads, kind, both=both, batch_first=batch_first, packed=packed), clips(1)
    leaf = inputs.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network(leaf.transpose(1, 2))[:, 1].sum(), leaf)
    made = session(network)
    assert torch.equal(made.predict(inputs), answered(network, inputs))
    assert torch.equal(made.explain(inputs, 1, "saliency").heatmap, gradient.abs().amax(dim=1))


def test_the_fused_operation_is_called_as_cudnn_wants_it():
    """Dropout 0 and training, which is where cuDNN keeps what its way back needs."""
    with Calls() as seen:
        session(built(Reads)).predict(clips())
    assert seen.modes[-1][1:3] == [0.0, True]  # has_biases, dropout, train, ...


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("make", [Reads, Stubborn])
def test_the_users_own_network_is_as_it_was(make, training):
    network = built(make).train(training)
    network.head.eval()
    flags = torch.backends.cudnn.enabled, torch.backends.cudnn.deterministic
    session(network).explain(clips(), 1, "saliency")
    assert network.memory.training == network.training == training
    assert network.memory.dropout == 0.5
    assert not network.head.training
    assert flags == (torch.backends.cudnn.enabled, torch.backends.cudnn.deterministic)


def test_a_network_that_is_lent_has_only_its_recurrent_layers_in_training_mode():
    network = built(Stubborn)
    modes = []
    network.memory.register_forward_hook(
        lambda *_: modes.append((network.memory.training, network.memory.dropout, network.head.training))
    )
    expected = answered(network, clips())
    assert torch.equal(session(network).predict(clips()), expected)
    assert modes[-1] == (True, 0.0, False)


def test_a_network_that_fails_while_lent_is_put_back():
    network = built(Stubborn)
    network.head = nn.Linear(5, 3)
    with pytest.raises(seewhy.ModelError):
        session(network).predict(clips())
    assert not network.memory.training
    assert network.memory.dropout == 0.5


def test_a_layer_that_runs_in_a_way_of_its_own_stays_in_eval_mode():
    class Own(Reads):
        def __init__(self):
            super().__init__()
            self.memory = Dropping(SIDE * SIDE, 8, batch_first=True)

    network = built(Own)
    assert torch.equal(session(network).predict(clips()), answered(network, clips()))
    assert not Network(seewhy.Model(network, frames=T, layout="btchw")).module.memory.training


def test_it_is_written_down():
    found = session(built(Reads)).explain(clips(1), 1, "saliency")
    assert found.provenance["recurrent_layers"].startswith("memory: in training mode without dropout")
    with_none = nn.Sequential(nn.Flatten(), nn.Linear(T * SIDE * SIDE, 3))
    assert "recurrent_layers" not in session(with_none).explain(clips(1), 1, "saliency").provenance
