"""What a picture can be made for: any target of the library whose meaning does not depend on a picture that is there already."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import or_

from jaxtyping import Float
from torch import Tensor

from seewhy.core.needs import Needs
from seewhy.core.target import Combination, Target
from seewhy.engine.black_box import is_black_box
from seewhy.engine.session import Session
from seewhy.errors import TargetError
from seewhy.targets import ClassScore, Margin, Neuron, Rank, as_target


def as_objective(given: object) -> Target:
    """Return the target that a picture is made for; a neuron without a position is the one at the centre.

    Args:
        given: a target; a class by index or name; a unit such as "blocks.8:20" (a channel) or "blocks.8:20@3,4" (one neuron of it); a function
            of the network's answer.

    Raises:
        TargetError: the target is about what the network sees in a picture, such as the class that it predicts, and there is none yet.
    """
    return _without_picture(as_target(given))


def _without_picture(target: Target) -> Target:
    if isinstance(target, Combination):
        return replace(target, parts=tuple(map(_without_picture, target.parts)))
    if isinstance(target, Neuron) and target.position is None:
        return replace(target, position="center")
    if isinstance(target, (Rank, Margin)) or (isinstance(target, ClassScore) and target.index is None):
        raise TargetError(
            f"{type(target).__name__} asks about what the network predicts, and there is no picture yet; name the class: "
            "'zebra', 340, or seewhy.targets.Contrast('zebra', 'horse')"
        )
    return target


def check_objectives(session: Session, targets: Sequence[Target], start: Float[Tensor, "1 c h w"]) -> list[str]:
    """Return what each target asks for, in words; raise at once, after one pass over the start, where one does not fit the network.

    Args:
        session: of the network.
        targets: what pictures will be made for.
        start: what pictures begin with, as the network takes it.

    Raises:
        LayerError, TargetError: no such layer, channel, position or class; the nearest names are offered.
    """
    if is_black_box(session.network.module):
        raise TargetError(
            f"a picture climbs along a gradient, and {session.model.title} is a black box, which only answers; "
            "load the network itself (`seewhy models` lists the ways), or look at natural pictures with `seewhy examples`"
        )
    needs = reduce(or_, (target.needs() for target in targets), Needs())
    reading = session.network.forward(session.network.accept(start), needs).reading
    return [target.bind(reading, session.model.labels).names[0] for target in targets]
