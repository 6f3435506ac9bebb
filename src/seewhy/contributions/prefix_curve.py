"""When a network had made up its mind: its answer after each frame."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.contributions.frames import ClipProbe
from seewhy.core.cost import Cost
from seewhy.core.needs import Needs
from seewhy.core.trace import Reading
from seewhy.engine.causality import memory_of
from seewhy.engine.passes import upcast
from seewhy.errors import ModelError
from seewhy.ops.frames import held

Way = Literal["seen", "held"]


@dataclass(frozen=True, eq=False)
class PrefixCurve:
    """What the network says after each frame.

    Attributes:
        scores: the score after the first t + 1 frames.
        classes: the class that is predicted then; None where the answer is no choice among classes.
        decided: the first frame after which the predicted class changes no more; None without classes.
        way: "seen": the network was given these frames alone, which for a causal network is its state at that moment. "held": the clip
            stands still at the last frame that was seen.
        memory: the layers that were found to carry something from frame to frame.
        note: why it was done this way.
    """

    scores: Float[Tensor, " t"]
    classes: tuple[int, ...] | None
    decided: int | None
    way: Way
    memory: tuple[str, ...]
    note: str


def prefix_curve(probe: ClipProbe) -> PrefixCurve:
    """Return the score after each frame, and when the class was decided.

    Whether the network is causal is measured: what its recurrent layers give for a frame must not change where a later frame is another one.
    Then the network itself sees only the first frames. Where it is not, or does not take fewer frames, the clip stands still instead: an
    answer that depends on how the network likes stills, and on how many frames of them there are.
    """
    network = probe.session.network
    memory = None if probe.black_box else memory_of(network, probe.clip)
    readings: list[Reading] | None = None
    if memory is None:
        note = "a black box shows no state"
    elif not memory.carries:
        note = "no layer carries a state from frame to frame"
    elif memory.foresees:
        note = f"{memory.foresees[0]} sees later frames too"
    else:
        note = f"measured: {memory.carries[0]} depends on earlier frames, and on no later one"
        try:
            readings = _seen(probe)
        except ModelError:
            note = "the network takes no fewer frames"
    way: Way = "held" if readings is None else "seen"
    if readings is None:
        note += ", so after each frame the clip stands still"
        readings = list(probe.readings(held(probe.clip, frame) for frame in range(probe.frames)))
    return _curve(probe, readings, way, memory.carries if memory else (), note)


def _seen(probe: ClipProbe) -> list[Reading]:
    """Run the network on the first frames alone, one more each time."""
    needs, network = probe.target.needs(), probe.session.network
    readings = []
    for frame in range(1, probe.frames + 1):
        with torch.no_grad():
            readings.append(network.forward(probe.clip[None, :, :frame], needs | Needs()).reading)
    probe.bill.cost += Cost(forwards=probe.frames)
    return readings


def _curve(probe: ClipProbe, readings: list[Reading], way: Way, memory: tuple[str, ...], note: str) -> PrefixCurve:
    scores = torch.cat([upcast(probe.bound(reading)) for reading in readings]).double().cpu()
    answer = readings[-1].output
    if answer.dim() != 2 or answer.shape[1] < 2:
        return PrefixCurve(scores, None, None, way, memory, note)
    classes = tuple(int(reading.output.argmax()) for reading in readings)
    decided = max((frame + 1 for frame, known in enumerate(classes) if known != classes[-1]), default=0)
    return PrefixCurve(scores, classes, decided, way, memory, note)
