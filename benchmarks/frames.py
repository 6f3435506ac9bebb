"""Deleting each frame of a clip: what the clips have in common computed once, against the whole network for each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import torch
from torch import Tensor, nn

import seewhy
from benchmarks.measure import processor_seconds
from benchmarks.table import markdown
from seewhy.contributions.frames import ClipProbe
from seewhy.core.needs import Needs
from seewhy.ops.frames import stand_ins, swapped_in
from seewhy.targets import ClassScore

FRAMES, SIDE = 16, 112
BAR = 0.6
"""The most that deleting all frames of a recurrent network may cost, in what it costs with the whole network."""


def eye(width: int = 32) -> nn.Sequential:
    """Return a small residual-free CNN of four stages, as it stands before recurrent layers."""
    parts: list[nn.Module] = []
    before = 3
    for stage in range(4):
        after = width * 2**stage
        parts += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        parts += [nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        before = after
    return nn.Sequential(*parts)


class Recurrent(nn.Module):
    """A CNN that sees each frame as a row, and an LSTM or GRU of 256 behind it."""

    def __init__(self, layer: type[nn.RNNBase]) -> None:
        super().__init__()
        self.eye, self.memory, self.head = eye(), layer(256, 256, batch_first=True), nn.Linear(256, 10)  # type: ignore[call-arg]

    def forward(self, clips: Tensor) -> Tensor:
        seen = self.eye(clips.flatten(0, 1)).mean(dim=(2, 3))
        steps, _ = self.memory(seen.unflatten(0, clips.shape[:2]))
        answer: Tensor = self.head(steps[:, -1])
        return answer


class ConvLSTM(nn.Module):
    """A CNN and a ConvLSTM of 64 channels that run once for each frame, in a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.eye, self.gates, self.head = eye()[:18], nn.Conv2d(128 + 64, 256, 3, padding=1), nn.Linear(64, 10)

    def forward(self, clips: Tensor) -> Tensor:
        hidden = memory = None
        for frame in clips.unbind(dim=1):
            seen = self.eye(frame)
            if hidden is None or memory is None:
                hidden = memory = seen.new_zeros(len(seen), 64, *seen.shape[2:])
            takes, keeps, shows, new = self.gates(torch.cat([seen, hidden], dim=1)).chunk(4, dim=1)
            memory = keeps.sigmoid() * memory + takes.sigmoid() * new.tanh()
            hidden = shows.sigmoid() * memory.tanh()
        answer: Tensor = self.head(hidden.mean(dim=(2, 3)))
        return answer


class Space(nn.Module):
    """A 3-D CNN of four convolutions; takes (b, t, c, h, w) as the others do."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 32, 64, 128, 128)
        self.net = nn.Sequential(
            *(nn.Sequential(nn.Conv3d(a, b, 3, stride=(1, 2, 2), padding=1), nn.ReLU()) for a, b in pairwise(widths))
        )
        self.head = nn.Linear(128, 10)

    def forward(self, clips: Tensor) -> Tensor:
        answer: Tensor = self.head(self.net(clips.transpose(1, 2)).mean(dim=(2, 3, 4)))
        return answer


NETWORKS = {
    "CNN + LSTM": lambda: Recurrent(nn.LSTM),
    "CNN + GRU": lambda: Recurrent(nn.GRU),
    "ConvLSTM": ConvLSTM,
    "3-D CNN": Space,
}


@dataclass(frozen=True)
class Measured:
    """One network: what deleting all frames costs, in what it costs with the whole network each time."""

    network: str
    first: float
    share: float
    apart: float


def measured(network: str, rounds: int = 3) -> Measured:
    """Delete each frame in turn; the pass over the clip itself is part of both."""
    torch.manual_seed(0)
    module = NETWORKS[network]().eval()
    clip = torch.randn(3, FRAMES, SIDE, SIDE)
    fresh, whole = _session(module), _session(module)
    for _ in range(2):
        list(_whole(whole, clip))
    first = processor_seconds(lambda: list(_shared(fresh, clip)))  # with the trial
    near, far = torch.tensor(list(_shared(fresh, clip))), torch.cat(list(_whole(whole, clip)))
    pairs = [
        (processor_seconds(lambda: list(_shared(fresh, clip))), processor_seconds(lambda: list(_whole(whole, clip))))
        for _ in range(rounds)
    ]
    share = median(one / other for one, other in pairs)
    return Measured(
        network, first / median(other for _, other in pairs), share, float((near - far).abs().max() / far.abs().max())
    )


def _session(module: nn.Module) -> seewhy.Session:
    return seewhy.Session(seewhy.Model(module, frames=FRAMES, layout="btchw"))


def _variants(clip: Tensor) -> Iterator[Tensor]:
    each = [(frame, frame + 1) for frame in range(FRAMES)]
    hidden = stand_ins(clip, each, "freeze")
    return (swapped_in(clip, hidden, run) for run in each)


def _shared(session: seewhy.Session, clip: Tensor) -> Iterator[float]:
    probe = ClipProbe(session, clip, ClassScore(0), differentiable=False)
    return probe.scores(_variants(clip))


def _whole(session: seewhy.Session, clip: Tensor) -> Iterator[Tensor]:
    network = session.network
    with torch.no_grad():
        network.forward(clip[None], Needs())
        for variant in _variants(clip):
            yield network.forward(variant[None], Needs()).reading.output[:, 0]


def table(found: Sequence[Measured]) -> str:
    """One line for each network."""
    head = ("deleting 16 frames", "of whole passes", "with the trial", "bar", "reached", "apart")
    return markdown(head, [_line(one) for one in found])


def _line(one: Measured) -> Sequence[str]:
    bar = "" if one.network == "3-D CNN" else f"{BAR:g}"
    reached = "" if not bar else "yes" if one.share <= BAR else "**no**"
    return (one.network, f"**{one.share:.2f}**", f"{one.first:.2f}", bar, reached, f"{one.apart:.0e}")
