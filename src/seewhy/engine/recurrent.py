"""Recurrent layers of a network in eval mode through which a gradient comes back on every device."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

_STOCK = (nn.LSTM.forward, nn.GRU.forward, nn.RNN.forward)


def recurrent_layers(network: nn.Module) -> dict[str, nn.RNNBase]:
    """Return torch's own LSTM, GRU and plain recurrent layers, by name; a class that runs them in its own way is not among them."""
    return {
        name: part
        for name, part in network.named_modules()
        if isinstance(part, nn.RNNBase) and type(part).forward in _STOCK
    }


def open_recurrent(network: nn.Module) -> None:
    """Have the recurrent layers of a network run in training mode without dropout; for a private twin.

    That is what they compute in eval mode: dropout between their layers is the only thing that the mode changes. cuDNN keeps what its way
    back needs in training mode alone, and refuses to go back otherwise.
    """
    for layer in recurrent_layers(network).values():
        layer.training, layer.dropout = True, 0.0


@contextmanager
def opened_recurrent(network: nn.Module) -> Iterator[None]:
    """Do the same while the block runs, and put mode and dropout back; for the user's own network."""
    before = [(layer, layer.training, layer.dropout) for layer in recurrent_layers(network).values()]
    try:
        open_recurrent(network)
        yield
    finally:
        for layer, training, dropout in before:
            layer.training, layer.dropout = training, dropout
