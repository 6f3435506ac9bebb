"""Recurrent layers and cells, spelled out step by step: the same numbers from linear maps, sigmoids, tanh and products."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from seewhy.core.rules import Operation

State = tuple[Tensor, ...]
"""What is handed on from step to step: (h,), or (h, c) of an LSTM."""


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights of one cell, its gates one above the other as torch keeps them.

    Attributes:
        given: of what the cell is given.
        hidden: of its own last output.
        given_bias, hidden_bias: None where it has none.
        projection: of an LSTM that shortens its output; None where it does not.
    """

    given: Float[Tensor, "gates_h f"]
    hidden: Float[Tensor, "gates_h h"]
    given_bias: Float[Tensor, " gates_h"] | None = None
    hidden_bias: Float[Tensor, " gates_h"] | None = None
    projection: Float[Tensor, "p h"] | None = None

    def both(self, x: Float[Tensor, "b f"], h: Float[Tensor, "b h"], rows: slice) -> Float[Tensor, "b rows"]:
        """Return W x + U h + b for some rows, as one linear map, so that x and h share by their contributions alone."""
        bias = None if self.given_bias is None else self.given_bias[rows]
        if bias is not None and self.hidden_bias is not None:
            bias = bias + self.hidden_bias[rows]
        return F.linear(torch.cat([x, h], dim=-1), torch.cat([self.given[rows], self.hidden[rows]], dim=1), bias)

    def alone(self, which: str, x: Tensor, rows: slice) -> Float[Tensor, "b rows"]:
        """Return the share of what is given, or of the last output, in some rows."""
        weight, bias = (self.given, self.given_bias) if which == "given" else (self.hidden, self.hidden_bias)
        return F.linear(x, weight[rows], None if bias is None else bias[rows])


def _part(number: int, size: int) -> slice:
    return slice(number * size, (number + 1) * size)


def lstm_step(x: Float[Tensor, "b f"], state: State, weights: Weights) -> State:
    """One step of an LSTM: c' = forget * c + take * tanh(new), h' = show * tanh(c'), with the sigmoids of x and h as gates."""
    h, c = state
    size = c.shape[-1]
    take, forget, show = (weights.both(x, h, _part(number, size)).sigmoid() for number in (0, 1, 3))
    new = weights.both(x, h, _part(2, size)).tanh()
    c = forget * c + take * new
    h = show * c.tanh()
    return (h if weights.projection is None else F.linear(h, weights.projection), c)


def gru_step(x: Float[Tensor, "b f"], state: State, weights: Weights) -> State:
    """One step of a GRU: h' = (1 - keep) * new + keep * h, with new = tanh(W x + b + reset * (U h + b'))."""
    (h,) = state
    size = h.shape[-1]
    reset, keep = (weights.both(x, h, _part(number, size)).sigmoid() for number in (0, 1))
    last = _part(2, size)
    new = (weights.alone("given", x, last) + reset * weights.alone("hidden", h, last)).tanh()
    return ((1 - keep) * new + keep * h,)


def tanh_step(x: Float[Tensor, "b f"], state: State, weights: Weights) -> State:
    """One step of a plain recurrent network: h' = tanh(W x + U h + b)."""
    return (weights.both(x, state[0], slice(None)).tanh(),)


def relu_step(x: Float[Tensor, "b f"], state: State, weights: Weights) -> State:
    """The same with a rectifier: h' = relu(W x + U h + b)."""
    return (weights.both(x, state[0], slice(None)).relu(),)


Step = Callable[[Tensor, State, Weights], State]
Keep = Callable[[int, int, int, State], State]
STEPS: Mapping[str, Step] = {"lstm": lstm_step, "gru": gru_step, "rnn_tanh": tanh_step, "rnn_relu": relu_step}


def spelled_cell(operation: Operation) -> Any:
    """Compute `nn.LSTMCell`, `nn.GRUCell` or `nn.RNNCell` step by step: x (b, f) and a state to the next state."""
    x, state, *weights = operation.args
    many = isinstance(state, (tuple, list))
    made = STEPS[operation.kind.removesuffix("_cell")](x, tuple(state) if many else (state,), Weights(*weights))
    return made if many else made[0]


def spelled_recurrent(operation: Operation, keep: Keep | None = None) -> tuple[Tensor, ...]:
    """Compute `nn.LSTM`, `nn.GRU` or `nn.RNN` step by step, packed sequences included; dropout between its layers is that of eval mode: none.

    The operation is called with (input, states, weights, has_biases, layers, dropout, train, bidirectional, batch_first), or, for packed
    sequences, with (numbers, rows of each step, states, weights, has_biases, layers, dropout, train, bidirectional).

    Args:
        operation: as above.
        keep: is told the number of the layer, 0 or 1 for its direction, the number of the step and the state after it, and returns the
            state that is handed on.
    """
    packed = isinstance(operation.args[3], (tuple, list))
    values = dict(zip(_PACKED if packed else _DENSE, operation.args, strict=False)) | dict(operation.kwargs)
    xs = _unpacked(values["input"], values["rows"]) if packed else _steps(values)
    states = values["states"] if isinstance(values["states"], (tuple, list)) else (values["states"],)
    weights = list(_weights(values, projected=len(states) == 2 and states[0].shape[-1] != states[1].shape[-1]))
    step, ways = STEPS[operation.kind], 2 if values["bidirectional"] else 1
    ends: list[State] = []
    for layer in range(values["layers"]):
        made = []
        for way in range(ways):
            at = layer * ways + way
            told = None if keep is None else partial(keep, layer, way)
            outputs, end = _through(
                step, xs, tuple(state[at] for state in states), weights[at], told, backward=way == 1
            )
            made.append(outputs)
            ends.append(end)
        xs = [torch.cat(one, dim=-1) for one in zip(*made, strict=True)] if ways == 2 else made[0]
    out = torch.cat(xs) if packed else torch.stack(xs, dim=1 if values["batch_first"] else 0)
    return (out, *(torch.stack(list(one)) for one in zip(*ends, strict=True)))


_DENSE = ("input", "states", "weights", "biases", "layers", "dropout", "train", "bidirectional", "batch_first")
_PACKED = ("input", "rows", "states", "weights", "biases", "layers", "dropout", "train", "bidirectional")


def _steps(values: Mapping[str, Any]) -> list[Float[Tensor, "b f"]]:
    return list(values["input"].unbind(1 if values["batch_first"] else 0))


def _unpacked(numbers: Float[Tensor, "n f"], rows: Tensor) -> list[Float[Tensor, "b f"]]:
    return list(torch.split(numbers, rows.tolist()))


def _weights(values: Mapping[str, Any], *, projected: bool) -> Iterator[Weights]:
    """Yield the weights of each layer and direction out of the flat list."""
    flat: Sequence[Tensor] = values["weights"]
    each = 2 + 2 * bool(values["biases"]) + projected
    for start in range(0, len(flat), each):
        some = flat[start : start + each]
        projection = some[-1] if projected else None
        given_bias, hidden_bias = some[2:4] if values["biases"] else (None, None)
        yield Weights(some[0], some[1], given_bias, hidden_bias, projection)


def _through(
    step: Step,
    xs: Sequence[Float[Tensor, "b f"]],
    state: State,
    weights: Weights,
    told: Callable[[int, State], State] | None,
    *,
    backward: bool,
) -> tuple[list[Float[Tensor, "b h"]], State]:
    """Go through the steps; a sequence that is shorter than others begins or ends where it has its own last step."""
    outputs: list[Tensor] = [xs[0]] * len(xs)
    for number in reversed(range(len(xs))) if backward else range(len(xs)):
        rows = len(xs[number])
        now = step(xs[number], tuple(part[:rows] for part in state), weights)
        now = now if told is None else told(number, now)
        outputs[number] = now[0]
        state = (
            now
            if rows == len(state[0])
            else tuple(torch.cat([new, old[rows:]]) for new, old in zip(now, state, strict=True))
        )
    return outputs, state
