"""Is it really a video model? What is left of the answer where time stands still, or runs in another order."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from seewhy.contributions.frames import ClipProbe
from seewhy.core.trace import Reading
from seewhy.engine.passes import upcast
from seewhy.errors import ConfigError, DataError
from seewhy.ops.bootstrap import interval, resampled_means
from seewhy.ops.frames import even, repeated, swapped_in

SUFFICES = 0.9
"""A still suffices from this share of the score on; a choice: a tenth is what pictures of a clip commonly differ by among themselves."""
KEPT = 0.9
"""Order plays no part where at least this share stays as it is; a choice, as above."""
LOST = 0.75
"""Order is needed where at most this share stays; between the two it is undecided."""
LEAST = 0.5
"""Least distance in log-odds from an empty clip's score at which shares of it are taken."""
LEAST_PART = 0.01
"""The same for targets that are no classes, as a part of the larger of the two scores."""
LOG_ODDS = "log-odds"
SHUFFLES = 10

IMAGE, SEVERAL, ORDER, UNDECIDED = "image model", "several frames", "order", "undecided"


@dataclass(frozen=True, eq=False)
class ClipTest:
    """What one clip's score becomes. Shares are of the score's distance from that of an empty clip.

    An empty clip has one colour everywhere and always: the clip's own mean, or 0 in the network's units, whichever scores less (for targets that are no classes: whichever is farther); a network that
    reads nothing but the colour would score the former as the clip itself.

    Attributes:
        name: of the clip.
        target: what is asked.
        unit: of the scores: "log-odds" of the class, or the target's own.
        score, empty: of the clip, and of the empty clip.
        still: share where one frame is shown all the time, for each frame.
        alone: share where one frame stands in its place in an empty clip, for each frame.
        one_place: how far all of this is foretold by what stands at one place in time, and nothing else: 1 where the score of each other order
            is that of the frame that came to stand there, shown all the time; for the place that foretells best.
        shuffled: share in other orders, one for each.
        backward: share in the reverse order.
        stays: whether the class stays, by test, as a share of its variants: "still", "best still", "alone", "shuffled", "backward", "empty"; empty
            where the answer is no choice among classes.
    """

    name: str
    target: str
    unit: str
    score: float
    empty: float
    still: Float[Tensor, " t"]
    alone: Float[Tensor, " t"]
    one_place: float
    shuffled: Float[Tensor, " n"]
    backward: float
    stays: dict[str, float]

    @property
    def told(self) -> bool:
        """Whether the clip says more than an empty one, so that shares mean something."""
        distance = self.score - self.empty
        if self.unit == LOG_ODDS:
            return distance >= LEAST
        return abs(distance) > LEAST_PART * max(abs(self.score), abs(self.empty))


@dataclass(frozen=True)
class Figure:
    """A mean with the interval that holds the truth in 95 of 100 cases."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.mean:.0f} % ({100 * self.low:.0f} to {100 * self.high:.0f})"


@dataclass(frozen=True, eq=False)
class TimeTests:
    """The tests of one clip or many, and the verdict.

    Attributes:
        clips: what each clip gave; those that say no more than an empty clip are left out of the figures.
        still: share of the score that the best frame keeps, shown all the time.
        still_mean: the same for a frame at random.
        alone: share that the best frame keeps alone in its place.
        one_place: how far one place in time foretells all of it.
        shuffled, backward: share that stays as it is, 1 - |share - 1|: where other orders raise the score, order plays a part too.
        verdict: "image model", "several frames", "order" or "undecided".
        line: the verdict in words, with its numbers.
    """

    clips: tuple[ClipTest, ...]
    still: Figure | None
    still_mean: Figure | None
    alone: Figure | None
    one_place: Figure | None
    shuffled: Figure | None
    backward: Figure | None
    verdict: str
    line: str

    @property
    def stays(self) -> dict[str, float]:
        """In how many of the clips (as a share) the class stays, by test; empty without classes."""
        names = self.clips[0].stays
        return {name: sum(clip.stays.get(name, 0.0) for clip in self.clips) / len(self.clips) for name in names}

    def text(self) -> str:
        """Return the verdict and its numbers, a line each."""
        lines = [self.line]
        for name, figure in _FIGURES:
            found: Figure | None = getattr(self, name)
            if found is not None:
                lines.append(f"{figure}: {found}")
        if self.stays:
            lines.append(
                "the class stays: " + ", ".join(f"{name} {100 * share:.0f} %" for name, share in self.stays.items())
            )
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text()

    def numbers(self) -> dict[str, object]:
        """Return everything as plain values, ready for JSON."""
        return {
            "verdict": self.verdict,
            "line": self.line,
            **{name: _plain(getattr(self, name)) for name, _ in _FIGURES},
            "class stays": self.stays,
            "thresholds": {"suffices": SUFFICES, "kept": KEPT, "lost": LOST, "least": LEAST},
            "clips": [
                {
                    "name": clip.name,
                    "target": clip.target,
                    "unit": clip.unit,
                    "score": clip.score,
                    "empty": clip.empty,
                    "told": clip.told,
                    "still": clip.still.tolist(),
                    "alone": clip.alone.tolist(),
                    "one place": clip.one_place,
                    "shuffled": clip.shuffled.tolist(),
                    "backward": clip.backward,
                    "class stays": clip.stays,
                }
                for clip in self.clips
            ],
        }


_FIGURES = (
    ("still", "the best frame, shown all the time, keeps"),
    ("still_mean", "a frame at random, shown all the time, keeps"),
    ("alone", "the best frame, alone in its place, keeps"),
    ("one_place", "foretold by one place in time"),
    ("shuffled", "in other orders stays as it is"),
    ("backward", "backward stays as it is"),
)


def _plain(figure: Figure | None) -> dict[str, float] | None:
    return None if figure is None else {"mean": figure.mean, "low": figure.low, "high": figure.high}


def clip_test(probe: ClipProbe, name: str = "", *, shuffles: int = SHUFFLES) -> ClipTest:
    """Return what becomes of one clip's score where time stands still, or runs in another order.

    A class is scored by its log-odds, log p / (1 - p): a probability near 1 hardly moves, and a logit alone says nothing of the other
    classes.

    Args:
        probe: the clip and the question.
        name: of the clip.
        shuffles: other orders, drawn by the session's seed; none is the order itself.
    """
    if shuffles < 2:
        raise ConfigError(f"the order is shuffled at least 2 times, got {shuffles}")
    clip, frames = probe.clip, probe.frames
    first = list(probe.readings([clip, even(clip), torch.zeros_like(clip)]))
    unit, (score, *nothing) = _scored(probe, first)
    against = nothing if unit == LOG_ODDS else [-abs(one - score) for one in nothing]  # a number has no lower side
    lower = min(range(len(nothing)), key=lambda kind: float(against[kind]))
    empty, orders = (even(clip), torch.zeros_like(clip))[lower], _orders(frames, shuffles, probe.session.seed)

    def variants() -> Iterator[Float[Tensor, "c t h w"]]:
        yield from (repeated(clip, frame) for frame in range(frames))
        yield from (swapped_in(empty, clip, (frame, frame + 1)) for frame in range(frames))
        yield clip.flip(1)
        yield from (clip[:, order] for order in orders)

    readings = [first[0], first[1 + lower], *probe.readings(variants())]
    _, scores = _scored(probe, readings)
    still, alone, backward, shuffled = torch.split(_shares(scores)[2:], [frames, frames, 1, shuffles])
    return ClipTest(
        name,
        probe.bound.names[0],
        unit,
        float(score),
        float(nothing[lower]),
        still,
        alone,
        _one_place(still, alone, [*orders, torch.arange(frames - 1, -1, -1)], torch.cat([shuffled, backward])),
        shuffled,
        float(backward),
        _stays(readings, frames),
    )


def _shares(scores: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Return the distances of scores from the empty clip's, as shares of the clip's; 0 where these two are the same."""
    distance = scores[0] - scores[1]
    return (scores - scores[1]) / distance if float(distance) else torch.zeros_like(scores)


def _one_place(still: Tensor, alone: Tensor, orders: Sequence[Tensor], shares: Float[Tensor, " n"]) -> float:
    """Return how far the frame at one place foretells the shares in other orders, the clip's own, and that of this frame alone."""
    foretold = still[torch.stack(list(orders))]  # (n, t): the share of the frame that stands at each place
    in_orders = _same(1 + (foretold - shares[:, None])).mean(dim=0)
    return float(torch.stack([in_orders, _same(still), _same(alone)]).amin(dim=0).max())


def _orders(frames: int, count: int, seed: int) -> list[Tensor]:
    """Return other orders of the frames; two frames have only one."""
    generator = Generator().manual_seed(seed)
    same = torch.arange(frames)
    found: list[Tensor] = []
    while len(found) < count:
        order = torch.randperm(frames, generator=generator)
        if not torch.equal(order, same):
            found.append(order)
    return found


def _scored(probe: ClipProbe, readings: Sequence[Reading]) -> tuple[str, Float[Tensor, " n"]]:
    """Return the score of each variant, as log-odds where a class is asked about."""
    bound = probe.bound
    if bound.classes is None:
        return bound.unit, torch.cat([upcast(bound(reading)) for reading in readings]).double().cpu()
    logits = torch.cat([upcast(reading.output) for reading in readings]).double().cpu()
    this = bound.classes[0]
    others = torch.cat([logits[:, :this], logits[:, this + 1 :]], dim=1)
    return LOG_ODDS, logits[:, this] - others.logsumexp(dim=1)


def _stays(readings: Sequence[Reading], frames: int) -> dict[str, float]:
    """Return how often the predicted class stays, by test."""
    answer = readings[0].output
    if answer.dim() != 2 or answer.shape[1] < 2:
        return {}
    same = torch.tensor([bool(reading.output.argmax() == answer.argmax()) for reading in readings]).double()
    empty, still, alone, backward, shuffled = torch.split(same[1:], [1, frames, frames, 1, len(same) - 3 - 2 * frames])
    return {
        "best still": float(still.max()),
        "still": float(still.mean()),
        "alone": float(alone.max()),
        "shuffled": float(shuffled.mean()),
        "backward": float(backward),
        "empty": float(empty),
    }


def time_tests(tests: Sequence[ClipTest], seed: int = 0) -> TimeTests:
    """Return the figures over clips, and the verdict.

    Intervals are bootstraps over clips; of one clip, over the orders. A claim is made where the whole interval is on its side of the
    threshold:

    - an image model: a still keeps at least 90 % of the score, and either order plays no part, or all of it is foretold, by at least 90 %, by the
      frame at one place in time, which is all that such a network looks at;
    - needs order: of the score in other orders, or backward, at most 75 % stay as they are, and no one place foretells it. The line says where
      a still would score as much for all that: a frame that stands still is a clip that the network has hardly seen;
    - uses several frames, not their order: no still is enough, and at least 90 % stay in other orders and backward;
    - undecided otherwise, and where no clip is told from an empty one.
    """
    if not tests:
        raise DataError("there are no clips to test")
    told = [test for test in tests if test.told]
    if not told:
        line = (
            f"{UNDECIDED}: the network says hardly more of {'these clips' if len(tests) > 1 else 'this clip'} than of an empty one "
            f"({_mean([test.score for test in tests]):.2g} against {_mean([test.empty for test in tests]):.2g} {tests[0].unit})"
        )
        return TimeTests(tuple(tests), None, None, None, None, None, None, UNDECIDED, line)
    still = _figure([float(test.still.max()) for test in told], seed)
    orders = [_same(test.shuffled) for test in told]
    shuffled = _figure([float(one.mean()) for one in orders] if len(told) > 1 else orders[0].tolist(), seed)
    figures = {
        "still": still,
        "still_mean": _figure([float(test.still.mean()) for test in told], seed),
        "alone": _figure([float(test.alone.max()) for test in told], seed),
        "one_place": _figure([test.one_place for test in told], seed),
        "shuffled": shuffled,
        "backward": _figure([float(_same(torch.tensor(test.backward))) for test in told], seed),
    }
    verdict, line = _verdict(figures)
    if len(told) < len(tests):
        line += f"; {len(tests) - len(told)} of {len(tests)} clips are left out, as an empty clip scores as much"
    return TimeTests(tuple(tests), **figures, verdict=verdict, line=line)


def _same(shares: Tensor) -> Tensor:
    """Return how much of a score stays as it is, where it may fall or rise."""
    return (1 - (shares - 1).abs()).clamp_min(0)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _figure(values: Sequence[float], seed: int) -> Figure:
    """Return the mean of some cases, and its interval by bootstrap; of one case there is none but the case itself."""
    column = torch.tensor(values, dtype=torch.float64)[:, None]
    if len(column) < 2:
        return Figure(values[0], values[0], values[0])
    means = resampled_means(column, Generator().manual_seed(seed))
    low, high = interval(means, torch.tensor([len(column)]))
    return Figure(float(column.mean()), float(low), float(high))


def _verdict(figures: dict[str, Figure]) -> tuple[str, str]:
    """Return the verdict and its line."""
    still, place, orders = figures["still"], figures["one_place"], (figures["shuffled"], figures["backward"])
    best = f"one frame repeated gives {100 * still.mean:.0f} % of the score"
    order = f"{100 * orders[0].mean:.0f} % of it stays in other orders, {100 * orders[1].mean:.0f} % backward"
    indifferent, lost = all(one.low >= KEPT for one in orders), any(one.high <= LOST for one in orders)
    if still.low >= SUFFICES and indifferent:
        return IMAGE, f"an image model: {best}, order does not matter ({order})"
    if still.low >= SUFFICES and place.low >= KEPT:
        return (
            IMAGE,
            f"an image model that looks at one place in time: {best}, and what stands at that place foretells {100 * place.mean:.0f} %",
        )
    if still.high < SUFFICES and indifferent:
        return SEVERAL, f"uses several frames, not their order: {best}, and {order}"
    if lost and place.high < KEPT:
        return ORDER, f"needs order: {order}; {best}"
    return UNDECIDED, f"{UNDECIDED}: {best}, and {order}"
