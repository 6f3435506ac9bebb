"""What units of a layer do to the network's answer: which classes they speak for and against, and what the loss is without them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from seewhy.contributions.effects import losses
from seewhy.contributions.estimate import estimates
from seewhy.contributions.table import Estimate
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.data.dataset import Batch
from seewhy.engine.block import Question
from seewhy.engine.head_probe import HeadProbe
from seewhy.engine.probe import NetworkProbe
from seewhy.evaluation.ground import ROWS, Ground, channels_first, features
from seewhy.targets import ClassScore

RESAMPLES = 1000
COVERED = 0.95
TINY = torch.finfo(torch.float64).tiny


@dataclass(frozen=True, eq=False)
class Effect:
    """What one unit does, picture by picture: the answer as it is, minus the answer with the unit at its natural average everywhere.

    Attributes:
        channel: the unit.
        activity: mean activation over the positions, minus the natural average (n,).
        logits: fall of each logit when the unit is taken away (n, k).
        loss: rise of the loss, minus the log-probability of the label, when the unit is taken away (n,).
        labelled: how many pictures have a label; for the others the loss is about the class that the network gives.
    """

    channel: int
    activity: Float[Tensor, " n"]
    logits: Float[Tensor, "n k"]
    loss: Float[Tensor, " n"]
    labelled: int

    def weights(self) -> Float[Tensor, " k"]:
        """Return what one natural deviation of activity adds to each logit.

        The least-squares line through the origin of the fall of a logit over the activity, times the activity's deviation:
        w_k = s * sum_i d_i e_ik / sum_i d_i^2. The mean of the fall alone would say nothing: in a network that is linear behind the layer the
        falls add up to zero, as the unit is as often above its average as below. There w_k is exactly the weight from the unit to the class, times s.
        Pictures are the evidence: what the unit does at activities that none of them has is not known.
        """
        return slopes(torch.ones(1, len(self.activity), dtype=torch.float64), self.activity, self.logits)[0]

    def intervals(self, seed: int = 0) -> tuple[Float[Tensor, " k"], Float[Tensor, " k"]]:
        """Return the 95 % bootstrap interval of each weight, over pictures; each class for itself."""
        drawn = slopes(resamples(len(self.activity), seed), self.activity, self.logits)
        low, high = drawn.quantile(torch.tensor([(1 - COVERED) / 2, (1 + COVERED) / 2], dtype=drawn.dtype), dim=0)
        return low, high

    def importance(self, seed: int = 0) -> Estimate:
        """Return the mean rise of the loss, with its 95 % bootstrap interval over pictures."""
        return estimates(self.loss[:, None], seed)[0]


def resamples(count: int, seed: int, times: int = RESAMPLES) -> Float[Tensor, "times n"]:
    """Return how often each of so many pictures is drawn, in samples of as many with replacement."""
    drawn = torch.randint(count, (times, count), generator=Generator().manual_seed(seed))
    return torch.zeros(times, count, dtype=torch.float64).scatter_add_(
        1, drawn, torch.ones(times, count, dtype=torch.float64)
    )


def slopes(
    counts: Float[Tensor, "r n"], activity: Float[Tensor, " n"], falls: Float[Tensor, "n k"]
) -> Float[Tensor, "r k"]:
    """Return the weights of samples in which each picture is counted so often; 0 where the unit never moves."""
    d, e = activity.double(), falls.double()
    total, over = counts.sum(dim=1), counts @ d.square()
    spread = (over / total - (counts @ d / total).square()).clamp_min(0).sqrt()
    line = (counts @ (d[:, None] * e)) / over.clamp_min(TINY)[:, None]
    found: Tensor = line * spread[:, None]
    return found


class Running:
    """The same over many pictures for many units, where effects picture by picture would not fit into memory.

    Weights and losses are those of `Effect`. Their intervals come from standard errors: that of a weight is the deviation of its influence function
    over the pictures (Hampel 1974), so it needs nothing but sums of powers of activity and effect.

    Args:
        channels: the units.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        self.channels = tuple(channels)
        self.pictures = self.labelled = 0
        self._sums: list[dict[str, Tensor]] = [{} for _ in channels]

    def add(
        self, place: int, activity: Float[Tensor, " b"], logits: Float[Tensor, "b k"], loss: Float[Tensor, " b"]
    ) -> None:
        """Add pictures to one unit."""
        d, e, rise = activity.double(), logits.double(), loss.double()
        met = {
            "d": d.sum(),
            "dd": d.square().sum(),
            "ddd": d.pow(3).sum(),
            "dddd": d.pow(4).sum(),
            "de": d @ e,
            "dde": d.square() @ e,
            "ddde": d.pow(3) @ e,
            "ddee": d.square() @ e.square(),
            "loss": rise.sum(),
            "losses": rise.square().sum(),
        }
        sums = self._sums[place]
        self._sums[place] = {name: sums[name] + value for name, value in met.items()} if sums else met

    def weights(self, place: int) -> tuple[Float[Tensor, " k"], Float[Tensor, " k"]]:
        """Return the weight of each class for one unit, and half the width of its 95 % interval."""
        mean = {name: value / self.pictures for name, value in self._sums[place].items()}
        over, middle = mean["dd"].clamp_min(TINY), mean["d"]
        line, spread = mean["de"] / over, (mean["dd"] - middle.square()).clamp_min(0).sqrt()
        if spread == 0:
            return torch.zeros_like(line), torch.zeros_like(line)
        # influence of a picture: spread * d (e - line d) / over + line ((d - middle)^2 - spread^2) / (2 spread)
        a, c = spread / over, line / (2 * spread)
        square, plain, constant = c - a * line, -2 * c * middle, c * (middle.square() - spread.square())
        variance = (
            a.square() * mean["ddee"]
            + square.square() * mean["dddd"]
            + plain.square() * mean["dd"]
            + constant.square()
            + 2 * a * (square * mean["ddde"] + plain * mean["dde"] + constant * mean["de"])
            + 2 * square * (plain * mean["ddd"] + constant * mean["dd"])
            + 2 * plain * constant * middle
        )
        return line * spread, 1.96 * (variance.clamp_min(0) / max(1, self.pictures - 1)).sqrt()

    def importance(self, place: int) -> Estimate:
        """Return the mean rise of the loss for one unit, with its 95 % interval."""
        sums, count = self._sums[place], self.pictures
        mean = float(sums["loss"]) / count
        spread = max(0.0, float(sums["losses"]) / count - mean**2) * count / max(1, count - 1)
        half = 1.96 * (spread / count) ** 0.5
        return Estimate(mean, mean - half, mean + half)


def effect(ground: Ground, channel: int, average: Float[Tensor, " c"]) -> Effect | None:
    """Take one unit away on every picture: it is set to its natural average everywhere, and what follows the layer runs again.

    Returns:
        None where the network's answer is not one row of at least two classes.
    """
    parts: list[Step] = []
    labelled = done = 0
    for batch, taken in _taken_away(ground, (channel,), average):
        if taken is None:
            return None
        parts += taken
        labelled += int((batch.labels >= 0).sum())
        done += len(batch.places)
        ground.tell("without the unit", done)
    activity, logits, loss = (torch.cat([part[which] for part in parts]) for which in range(3))
    return Effect(channel, activity, logits, loss, labelled)


def effects_of(ground: Ground, channels: Sequence[int], average: Float[Tensor, " c"]) -> Running | None:
    """Take each of many units away, one at a time, on every picture; memory does not grow with the number of pictures.

    Returns:
        None where the network's answer is not one row of at least two classes.
    """
    running = Running(channels)
    for batch, taken in _taken_away(ground, running.channels, average):
        if taken is None:
            return None
        for place, step in enumerate(taken):
            running.add(place, *step)
        running.pictures += len(batch.places)
        running.labelled += int((batch.labels >= 0).sum())
        ground.tell("without each unit", running.pictures)
    return running


Step = tuple[Float[Tensor, " b"], Float[Tensor, "b k"], Float[Tensor, " b"]]
"""One unit on some pictures: its activity, the falls of the logits, and the rise of the loss."""


def _taken_away(
    ground: Ground, channels: Sequence[int], average: Float[Tensor, " c"]
) -> Iterator[tuple[Batch, Iterator[Step] | None]]:
    """Yield batches of pictures, each with the steps of all units; None in their place where there are no classes."""
    for batch, output, probe in _probes(ground):
        if output.dim() != 2 or output.shape[1] < 2:
            yield batch, None
            return
        yield batch, _steps(probe, ground.layer, channels, average, batch.labels)


def _probes(ground: Ground) -> Iterator[tuple[Batch, Tensor, Probe]]:
    """Yield batches of pictures with the answers and a probe of each: of what is known of the layer, or else of the network."""
    if ground.known is not None and ground.known.features.grid is not None:
        for batch, found in ground.remembered():
            yield batch, found.outputs, HeadProbe(ground.known.head, found.raw, found.outputs, ClassScore())
        return
    session, needs = ground.session, Needs(activations=frozenset({ground.layer}))
    for batch in ground.data.batches(session.model, ROWS, ground.fit):
        block = session.block(session.network.accept(batch.inputs), needs)
        yield batch, block.shared.reading.output, NetworkProbe(Question(block, ClassScore()), Needs())


def _steps(
    probe: Probe, layer: str, channels: Sequence[int], average: Float[Tensor, " c"], labels: Int[Tensor, " b"]
) -> Iterator[Step]:
    trace = probe.trace()
    whole, activation = trace.output, trace.activation[layer]
    labels = labels.to(whole.device)
    known = torch.where(labels < 0, whole.argmax(dim=1), labels)
    before = losses(whole, known)
    pooled = features(activation).double().cpu() - average
    variants = (without(activation, channel, float(average[channel])) for channel in channels)
    for channel, answer in zip(channels, probe.answers(layer, variants), strict=True):
        yield pooled[:, channel], (whole - answer).cpu(), (losses(answer, known) - before).cpu()


def without(activation: Tensor, channel: int, value: float) -> Tensor:
    """Return an activation with one unit at one value everywhere."""
    made = activation.clone()
    channels_first(made)[:, channel] = value
    return made
