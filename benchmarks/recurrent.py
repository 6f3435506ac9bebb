"""Grad-CAM of a clip of 16 frames, all of them in one forward and one backward: against a bare forward, and against both written by hand."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

import seewhy
from benchmarks.measure import BASE, in_turn
from benchmarks.table import markdown
from seewhy.targets import ClassScore

FRAMES, SIDE = 16, 112
BAR = 1.2
"""The most that a map of all frames may cost, in forward passes of the clip; and in forwards with their way back to the layer, written by hand."""


class Eye(nn.Module):
    """A CNN for one frame: four strided steps of two convolutions, down to 7 x 7."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.Sequential(
            *(part for size in ((3, 32), (32, 64), (64, 128), (128, 192)) for part in _step(*size))
        )

    def forward(self, frames: Tensor) -> Tensor:
        seen: Tensor = self.steps(frames)
        return seen


def _step(given: int, made: int) -> list[nn.Module]:
    first, second = nn.Conv2d(given, made, 3, stride=2, padding=1), nn.Conv2d(made, made, 3, padding=1)
    return [first, nn.BatchNorm2d(made), nn.ReLU(), second, nn.BatchNorm2d(made), nn.ReLU()]


class FramesLSTM(nn.Module):
    """The CNN sees frames as rows, and an LSTM reads what it gives; takes (b, t, c, h, w)."""

    def __init__(self) -> None:
        super().__init__()
        self.eye, self.memory, self.head = Eye(), nn.LSTM(192, 128, batch_first=True), nn.Linear(128, 10)

    def forward(self, clips: Tensor) -> Tensor:
        seen = self.eye(clips.flatten(0, 1)).mean(dim=(2, 3)).view(len(clips), -1, 192)
        answer: Tensor = self.head(self.memory(seen)[0][:, -1])
        return answer


class LoopLSTM(nn.Module):
    """The CNN and an LSTM cell run once for each frame."""

    def __init__(self) -> None:
        super().__init__()
        self.eye, self.memory, self.head = Eye(), nn.LSTMCell(192, 128), nn.Linear(128, 10)

    def forward(self, clips: Tensor) -> Tensor:
        state = None
        for frame in clips.unbind(dim=1):
            state = self.memory(self.eye(frame).mean(dim=(2, 3)), state)
        answer: Tensor = self.head(state[0]) if state is not None else clips
        return answer


class ConvLSTM(nn.Module):
    """The CNN and the gates of a ConvLSTM run once for each frame."""

    def __init__(self) -> None:
        super().__init__()
        self.eye, self.gates, self.head = Eye(), nn.Conv2d(256, 256, 3, padding=1), nn.Linear(64, 10)

    def forward(self, clips: Tensor) -> Tensor:
        hidden = memory = clips.new_zeros(len(clips), 64, SIDE // 16, SIDE // 16)
        for frame in clips.unbind(dim=1):
            takes, keeps, shows, new = self.gates(torch.cat([self.eye(frame), hidden], dim=1)).chunk(4, dim=1)
            memory = keeps.sigmoid() * memory + takes.sigmoid() * new.tanh()
            hidden = shows.sigmoid() * memory.tanh()
        answer: Tensor = self.head(hidden.mean(dim=(2, 3)))
        return answer


class Space(nn.Module):
    """A 3-D CNN; takes (b, c, t, h, w)."""

    def __init__(self) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for given, made in ((3, 32), (32, 64), (64, 128), (128, 192)):
            stride = (1, 2, 2) if given == 3 else 2
            parts += [nn.Conv3d(given, made, 3, stride=stride, padding=1), nn.BatchNorm3d(made), nn.ReLU()]
        self.eye, self.head = nn.Sequential(*parts), nn.Linear(192, 10)

    def forward(self, clips: Tensor) -> Tensor:
        answer: Tensor = self.head(self.eye(clips).mean(dim=(2, 3, 4)))
        return answer


NETWORKS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "3-D CNN": (Space, "eye.11"),
    "frames as rows + LSTM": (FramesLSTM, "eye.steps.23"),
    "loop + LSTM cell": (LoopLSTM, "eye.steps.23"),
    "loop + ConvLSTM": (ConvLSTM, "eye.steps.23"),
}
"""What is measured, and the layer that is looked at, the last one that sees a frame by itself."""


@dataclass(frozen=True)
class Measured:
    """One network: what Grad-CAM costs in forwards, what it costs by hand, the passes that it made, and how far both maps are apart."""

    network: str
    ours: float
    by_hand: float
    passes: str
    apart: float


def measured(name: str, seconds: float = 6.0) -> Measured:
    """Measure one network: a forward, Grad-CAM written by hand, and ours, in turn."""
    build, layer = NETWORKS[name]
    torch.manual_seed(0)
    network = build().eval().requires_grad_(requires_grad=False)
    layout = "bcthw" if isinstance(network, Space) else "btchw"
    clip = torch.randn(1, 3, FRAMES, SIDE, SIDE)
    given = clip if layout == "bcthw" else clip.transpose(1, 2)
    session = seewhy.Session(seewhy.Model(network, size=SIDE, frames=FRAMES, layout=layout, layer=layer))
    asked = next(number for number in range(10) if by_hand(network, layer, given, number).any())
    runs: dict[str, Callable[[], Any]] = {
        BASE: torch.no_grad()(partial(network, given)),
        "by hand": partial(by_hand, network, layer, given, asked),
        "ours": partial(session.explain, clip, ClassScore(asked), "grad-cam"),
    }
    cost = runs["ours"]().cost
    ours, theirs = runs["ours"]().heatmap, runs["by hand"]()
    found = in_turn(runs, seconds)
    passes = f"{cost.forwards} + {cost.backwards}"
    return Measured(name, found["ours"], found["by hand"], passes, float((ours - theirs).abs().max() / theirs.max()))


def by_hand(network: nn.Module, layer: str, given: Tensor, asked: int) -> Tensor:
    """Grad-CAM as one would write it: the graph starts at the layer, whatever calls it."""
    with _leaves(network.get_submodule(layer)) as leaves, torch.no_grad():
        score = network(given)[:, asked].sum()
        gradients = torch.autograd.grad(score, leaves)
        if leaves[0].dim() == 5:
            activation, gradient = leaves[0].detach(), gradients[0]
        else:
            activation, gradient = (torch.cat(some).detach().transpose(0, 1)[None] for some in (leaves, gradients))
        weights = gradient.mean(dim=(2, 3, 4), keepdim=True)
        return (weights * activation).sum(dim=1).relu()


@contextmanager
def _leaves(layer: nn.Module) -> Iterator[list[Tensor]]:
    leaves: list[Tensor] = []

    def hook(module: nn.Module, args: Any, output: Tensor) -> Tensor:
        torch.set_grad_enabled(True)
        leaves.append(output.detach().requires_grad_())
        return leaves[-1]

    handle = layer.register_forward_hook(hook)
    try:
        yield leaves
    finally:
        handle.remove()


def table(found: Sequence[Measured]) -> str:
    """One line for each network."""
    head = (
        "Grad-CAM, 16 frames",
        "ours",
        "bar",
        "reached",
        "forwards + backwards",
        "by hand",
        "ours / by hand",
        "apart",
    )
    return markdown(head, [_line(one) for one in found])


def _line(one: Measured) -> Sequence[str]:
    reached = "yes" if one.ours <= BAR else "**no**"
    ratio = f"{one.ours / one.by_hand:.2f} x"
    return (
        one.network,
        f"**{one.ours:.2f} F**",
        f"{BAR:g} F",
        reached,
        one.passes,
        f"{one.by_hand:.2f} F",
        ratio,
        f"{one.apart:.0e}",
    )
