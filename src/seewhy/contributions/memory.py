"""What a recurrent network still makes of each frame: by how much its answer depends on the state that it handed on there."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.target import Target
from seewhy.engine.session import Session
from seewhy.engine.states import States, states_of


@dataclass(frozen=True, eq=False)
class MemoryLine:
    """One number for each step of a recurrent layer or cell.

    Attributes:
        layer: its name; a layer of several has one line for each layer and direction.
        whole: |dy/d state|, the norm of the derivative of the score at the state that is handed on after each step, (b, t): of an LSTM,
            at h and c.
        hidden: |dy/dh_t|, at h alone.
        reached: sum of state times derivative: how much of the score the state holds to first order, in units of the score.
    """

    layer: str
    whole: Float[Tensor, "b t"]
    hidden: Float[Tensor, "b t"]
    reached: Float[Tensor, "b t"]


def memory_lines(session: Session, clips: Float[Tensor, "b c t h w"], target: Target) -> tuple[MemoryLine, ...]:
    """Return the memory line of each recurrent layer of a network, from one forward and one backward.

    A high value says that a small change of the state after that frame would still change the answer. The derivative is the whole one, through
    all later steps; of an LSTM the long memory is c, so |dy/dh_t| alone may be 0 although nothing is forgotten.

    Args:
        session: of the network.
        clips: as the network takes them.
        target: what is asked; one that reads the answer alone.

    Raises:
        LayerError: the network hands no state from frame to frame.
        TargetError: the target looks at a layer.

    Limits: a derivative says what a small change would do: where gates are shut or tanh is at its end it is small although the state
        matters. Norms depend on the scale of the state, so lines of different layers are not compared by height.
    """
    found = states_of(session.network, clips, target)
    return tuple(_line(name, found) for name in found.states)


def _line(name: str, found: States) -> MemoryLine:
    gradients, states = found.gradients[name], found.states[name]
    squares = [torch.stack([part.flatten(1).square().sum(dim=1) for part in step]) for step in gradients]  # (parts, b)
    held = [
        torch.stack([(part * slope).flatten(1).sum(dim=1) for part, slope in zip(state, step, strict=True)]).sum(dim=0)
        for state, step in zip(states, gradients, strict=True)
    ]
    return MemoryLine(
        name,
        whole=_numbers([one.sum(dim=0).sqrt() for one in squares]),
        hidden=_numbers([one[0].sqrt() for one in squares]),
        reached=_numbers(held),
    )


def _numbers(steps: list[Tensor]) -> Float[Tensor, "b t"]:
    return torch.stack(steps, dim=1).float().cpu()
