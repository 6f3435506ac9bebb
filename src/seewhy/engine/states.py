"""The states that a recurrent network hands from frame to frame, as parts of the graph: recurrent layers are unrolled to see them."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seewhy.core.cost import Cost
from seewhy.core.rules import Operation
from seewhy.core.target import BoundTarget, Target
from seewhy.core.trace import Reading
from seewhy.engine.network import Network
from seewhy.engine.operations import kind_of, tensors
from seewhy.engine.passes import check_finite
from seewhy.engine.spelling_recurrent import STEPS, State, spelled_recurrent
from seewhy.errors import LayerError, TargetError

CELLS = frozenset(f"{kind}_cell" for kind in STEPS)


@dataclass(frozen=True, eq=False)
class States:
    """The states of a pass, and how the score depends on them.

    Attributes:
        score: of each clip.
        states: by layer, for each step in the order of the frames, its state: (h,), or (h, c) of an LSTM.
        gradients: the derivative of the score at each, through all later steps too; zero where nothing depends on it.
    """

    score: Float[Tensor, " b"]
    states: dict[str, list[State]]
    gradients: dict[str, list[State]]


@dataclass(eq=False)
class _Unrolled(TorchFunctionMode):
    """Unrolls recurrent layers and keeps the states of layers and cells; the graph starts at the first of them.

    Attributes:
        names: of layers and cells, by the identity of their first weight.
        states: by layer, the state after each step.
    """

    names: dict[int, str]
    states: dict[str, dict[int, State]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kind = kind_of(function)
        if kind not in STEPS and kind not in CELLS:
            return function(*args, **(kwargs or {}))
        torch.set_grad_enabled(True)  # the pass as a whole runs inside a context that puts this back
        given = args[0] if args[0].requires_grad else args[0].detach().requires_grad_()
        name = next((self.names[id(one)] for one in tensors(args) if id(one) in self.names), kind)
        if kind in STEPS:
            return spelled_recurrent(
                Operation(kind, function, (given, *args[1:]), kwargs or {}), partial(self._keep, name)
            )
        made = function(given, *args[1:], **(kwargs or {}))
        many = isinstance(made, tuple)
        handed = self._keep(name, 0, 0, len(self.states.get(name, {})), made if many else (made,))
        return handed if many else handed[0]

    def _keep(self, name: str, layer: int, way: int, step: int, state: State) -> State:
        label = name + (f", layer {layer}" if layer else "") + (", backward" if way else "")
        self.states.setdefault(label, {})[step] = handed_on(state)
        return self.states[label][step]


def handed_on(state: Iterable[Tensor]) -> State:
    """Return the same tensors as parts of the graph of their own: what depends on c by way of the h that was made of it counts as h's."""
    return tuple(part.view_as(part) if part.requires_grad else part.detach().requires_grad_() for part in state)


def states_of(network: Network, clips: Float[Tensor, "b c t h w"], target: Target) -> States:
    """Run clips once, and go back once to every state.

    Recurrent layers and cells of torch are seen wherever they are called; of a module that is written by hand, such as the cell of a ConvLSTM,
    which runs once for each frame and carries something, every tensor that it gives.

    Raises:
        LayerError: the network has no state that it hands from frame to frame.
        TargetError: the target looks at a layer.
    """
    if target.needs().layers:
        raise TargetError(
            "the states of a recurrent network are asked about its answer; ask about a class, or a function of the answer"
        )
    clips = network.accept(clips)
    by_hand = network.carrying(clips)
    names = {
        id(next(part.parameters(recurse=False))): name
        for name, part in network.module.named_modules()
        if _is_recurrent(part)
    }
    mode = _Unrolled(names)
    with torch.inference_mode(mode=False), torch.no_grad(), _outputs(network.module, by_hand) as calls:
        answer = network.watched(clips, mode)
        torch.set_grad_enabled(True)
        score = _bound(network, target, answer)(Reading(answer))
        check_finite(score)
        found = {name: [steps[step] for step in sorted(steps)] for name, steps in mode.states.items()} | calls
        if not found or not score.requires_grad:
            raise LayerError(f"{network.model.title} has no recurrent layer or cell on which its answer depends")
        network.count(Cost(forwards=len(clips), backwards=len(clips)))
        return States(score.detach(), _detached(found), _gradients(score, found))


def _is_recurrent(part: nn.Module) -> bool:
    return isinstance(part, (nn.RNNBase, nn.RNNCellBase))


def _bound(network: Network, target: Target, answer: Tensor) -> BoundTarget:
    return target.bind(Reading(answer.detach()), network.model.labels)


def _gradients(score: Float[Tensor, " b"], found: dict[str, list[State]]) -> dict[str, list[State]]:
    flat = [part for states in found.values() for state in states for part in state]
    parts: Iterator[Tensor] = iter(torch.autograd.grad(score.sum(), flat, allow_unused=True, materialize_grads=True))
    return {name: [tuple(next(parts) for _ in state) for state in states] for name, states in found.items()}


def _detached(found: dict[str, list[State]]) -> dict[str, list[State]]:
    return {name: [tuple(part.detach() for part in state) for state in states] for name, states in found.items()}


@contextmanager
def _outputs(module: nn.Module, names: tuple[str, ...]) -> Iterator[dict[str, list[State]]]:
    """Keep all tensors that some modules give, call by call; the graph starts at the first of them."""
    calls: dict[str, list[State]] = {name: [] for name in names}

    def hook(name: str, part: nn.Module, args: Any, output: Any) -> Any:
        torch.set_grad_enabled(True)
        state = handed_on(tensors((output,)))
        calls[name].append(state)
        kept = iter(state)
        return (
            next(kept)
            if isinstance(output, Tensor)
            else type(output)(next(kept) if isinstance(one, Tensor) else one for one in output)
        )

    with ExitStack() as stack:
        for name in names:
            stack.callback(module.get_submodule(name).register_forward_hook(partial(hook, name)).remove)
        yield calls
