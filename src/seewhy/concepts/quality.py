"""What a dictionary keeps: of the activations, concept by concept, and of the network's answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seewhy.concepts.dictionary import Dictionary
from seewhy.contributions.estimate import estimates
from seewhy.contributions.table import Estimate
from seewhy.data.features import Features
from seewhy.engine.head import Head

DEAD = "dead: it is active nowhere"
CONSTANT = "constant: it is the same everywhere"
ROUNDING = 1e-6
"""Share of the activations' own spread below which a concept is taken to be the same everywhere."""
ROWS = 16_384
"""Places whose sums are made at once."""


@dataclass(frozen=True)
class Share:
    """What one concept adds to a dictionary.

    Attributes:
        alone: share of the variance of the activations that it explains alone, everything else at its mean. Below 0 it does harm alone.
        lost: how far the dictionary's share falls when this concept is held at its mean and the other codes stay. Shares of concepts that
            overlap do not add up.
        active: share of the places at which its code is not 0.
        note: "" for a concept as it should be; else why it is none: it is active nowhere, or the same everywhere.
    """

    alone: float
    lost: float
    active: float
    note: str = ""


@dataclass(frozen=True)
class Answers:
    """What the network still answers when its layer is rebuilt from codes.

    Attributes:
        agreement: share of the pictures whose predicted class stays, with its 95 % interval over pictures.
        r2: share of the variance of the network's outputs that stays, each picture's mean over the classes taken away; below 0 they are farther from the
            outputs than their mean is.
    """

    agreement: Estimate
    r2: float


@dataclass(frozen=True)
class Quality:
    """What a dictionary is worth.

    Attributes:
        explained: R², share of the variance of the activations (about the mean activation) that codes times atoms give back.
        concepts: what each concept adds, in their order.
        active: mean number of codes at a place that are not 0.
        answers: what stays of the network's answers; None where no head was given.
        control: the same with as many random directions instead of the atoms; what concepts keep beyond that is theirs.
    """

    explained: float
    concepts: tuple[Share, ...]
    active: float
    answers: Answers | None = None
    control: Answers | None = None


def quality(dictionary: Dictionary, features: Features, head: Head | None = None, *, seed: int = 0) -> Quality:
    """Return what a dictionary keeps of the activations and, with a head, of the answers.

    Args:
        dictionary: of the concepts.
        features: of pictures; of others than it was fitted on, if the figures are to hold for new ones.
        head: what the network does behind the layer, `features.head(session)`.
        seed: of the intervals and of the random directions.

    Raises:
        ModelError: features of another layer or network than the dictionary's.
    """
    dictionary.check(features)
    sums = _Sums.of(dictionary, features.rows)
    return Quality(
        sums.explained,
        sums.shares(),
        float(sums.active.sum()),
        None if head is None else answers(features, rebuilt(dictionary, features), head, seed),
        None if head is None else answers(features, projected(features, len(dictionary), seed), head, seed),
    )


def dead(found: Quality, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the concepts that are dead or constant, each with what it is."""
    return tuple(f"{name} ({one.note})" for name, one in zip(names, found.concepts, strict=True) if one.note)


def rebuilt(dictionary: Dictionary, features: Features) -> Float[Tensor, "n c *spatial"]:
    """Return the activations that the dictionary's codes stand for."""
    return _as_activation(dictionary.decode(dictionary.encode(features.rows)), features)


def projected(features: Features, count: int, seed: int) -> Float[Tensor, "n c *spatial"]:
    """Return the activations as far as so many random directions, and the mean, hold them: the best codes for directions that mean nothing."""
    rows = features.rows
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(rows.shape[1], min(count, rows.shape[1]), generator=generator, dtype=torch.float64)
    axes = torch.linalg.qr(noise).Q.to(rows)
    mean = rows.mean(dim=0)
    return _as_activation(mean + (rows - mean) @ axes @ axes.T, features)


def answers(features: Features, activation: Float[Tensor, "n c *spatial"], head: Head, seed: int = 0) -> Answers:
    """Return what the network still answers when the layer gives these activations instead of its own."""
    given = head.answers(features.with_activation(activation)).double()
    same = (given.argmax(dim=1) == features.predicted).double()
    wanted = features.outputs.double()
    if wanted.shape[1] > 1:
        given, wanted = (values - values.mean(dim=1, keepdim=True) for values in (given, wanted))
    return Answers(estimates(same[:, None], seed)[0], _share(wanted - given, wanted - wanted.mean(dim=0)))


def _share(rest: Tensor, whole: Tensor) -> float:
    total = float(whole.square().sum())
    return 1 - float(rest.square().sum()) / total if total > 0 else float("nan")


def _as_activation(rows: Float[Tensor, "m c"], features: Features) -> Float[Tensor, "n c *spatial"]:
    if not features.cells:
        return rows
    return rows.view(len(features), -1, rows.shape[1]).transpose(1, 2).reshape(len(features), -1, *features.cells)


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over all places from which every share follows, without keeping more than a block of them.

    Attributes:
        total: squared length of the centred activations.
        rest: squared length of what the dictionary leaves.
        variance: of each centred code, summed over places, times the squared length of its atom.
        with_rest: of each centred code, the product with what is left, along its atom.
        with_whole: the same with the centred activation.
        active: share of the places at which each code is not 0.
        lowest: code of each concept.
        highest: code of each concept.
        length: of each atom.
        places: how many.
    """

    total: float
    rest: float
    variance: Float[Tensor, " k"]
    with_rest: Float[Tensor, " k"]
    with_whole: Float[Tensor, " k"]
    active: Float[Tensor, " k"]
    lowest: Float[Tensor, " k"]
    highest: Float[Tensor, " k"]
    length: Float[Tensor, " k"]
    places: int

    @classmethod
    def of(cls, dictionary: Dictionary, rows: Float[Tensor, "m c"]) -> "_Sums":
        codes = dictionary.encode(rows)
        mean, usual = rows.double().mean(dim=0), codes.double().mean(dim=0)
        atoms, offset = dictionary.atoms.double(), dictionary.offset.double()
        total = rest = 0.0
        with_rest, with_whole, variance = (torch.zeros_like(usual) for _ in range(3))
        for some, their in zip(torch.split(rows, ROWS), torch.split(codes, ROWS), strict=True):
            exact, code = some.double(), their.double()
            centred, left, moved = exact - mean, exact - code @ atoms - offset, code - usual
            total += float(centred.square().sum())
            rest += float(left.square().sum())
            with_rest += (moved * (left @ atoms.T)).sum(dim=0)
            with_whole += (moved * (centred @ atoms.T)).sum(dim=0)
            variance += moved.square().sum(dim=0)
        active = (codes != 0).double().mean(dim=0)
        variance = variance * atoms.square().sum(dim=1)
        ends, length = (codes.amin(dim=0), codes.amax(dim=0)), atoms.norm(dim=1)
        return cls(total, rest, variance, with_rest, with_whole, active, *ends, length, len(rows))

    @property
    def explained(self) -> float:
        return 1 - self.rest / self.total if self.total > 0 else float("nan")

    def shares(self) -> tuple[Share, ...]:
        """Return what each concept adds: |a - u d|² and |rest + u d|² written out, u about its mean."""
        total = self.total if self.total > 0 else float("nan")
        alone = (2 * self.with_whole - self.variance) / total
        lost = (2 * self.with_rest + self.variance) / total
        figures = torch.stack([alone, lost, self.active], dim=1).tolist()
        return tuple(Share(row[0], row[1], row[2], note) for row, note in zip(figures, self._notes(), strict=True))

    def _notes(self) -> list[str]:
        silent: Bool[Tensor, " k"] = (self.lowest == 0) & (self.highest == 0)
        same = (self.highest - self.lowest) * self.length <= ROUNDING * (self.total / self.places) ** 0.5
        return [DEAD if s else CONSTANT if c else "" for s, c in zip(silent.tolist(), same.tolist(), strict=True)]
