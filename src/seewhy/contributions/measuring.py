"""The pass over the pictures in which each unit is taken away: by which rule, within which budget, and what was seen on the way."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Generator

from seewhy.contributions.by_gradient import contributed
from seewhy.contributions.effects import Effects, effects, joined
from seewhy.contributions.shapley import Shapley, Values, shapley_effects
from seewhy.contributions.study import Questions, Study
from seewhy.core.budget import Allowance, Budget
from seewhy.errors import ConfigError

By = Literal["ablation", "shapley", "contribution"]


@dataclass(frozen=True)
class Plan:
    """How importance is measured.

    Args:
        by: "ablation" takes each unit away alone; "shapley" takes them away one after the other, in random orders; "contribution" is what
            taking each channel of a layer away does to first order, by the gradient.
        samples: random orders for each picture, by Shapley; 20 for one picture, 2 for each of many if None.
        truncation: see `Shapley`.
        orders: random orders that the ranking is compared with.
        group: units of which any two correlate by more than this are taken away together; None for each alone.
        pairs: measure how the first twenty units act together.
        check: check the ranking, where there are several pictures.
        budget: the most that may be spent: a time ("30s"), which measuring, checking, grouping and pairing share; or answers for each picture (500), by Shapley.
        seed: of everything that is drawn at random.
        rows: pictures at a time; the result does not depend on it.
    """

    by: By = "ablation"
    samples: int | None = None
    truncation: float = 0.0
    orders: int = 10
    group: float | None = None
    pairs: bool = False
    check: bool = True
    budget: Budget = None
    seed: int = 0
    rows: int = 8

    def __post_init__(self) -> None:
        if self.by not in get_args(By):
            raise ConfigError(f"importance is measured by {', '.join(map(repr, get_args(By)))}, got {self.by!r}")
        if Allowance.of(self.budget).forwards is not None and self.by != "shapley":
            raise ConfigError(
                f"each unit is taken away once, so a number of answers is no budget for {self.by}; give a time such as '2m', or by='shapley'"
            )

    @property
    def seconds(self) -> float | None:
        """The time that each step may take: grouping, measuring, checking and pairing share what there is."""
        whole = Allowance.of(self.budget).seconds
        return whole and whole / (1 + (self.group is not None) + self.check + self.pairs)


@dataclass(frozen=True, eq=False)
class Measured:
    """What was found about the pictures before anything was averaged.

    Attributes:
        found: the effects.
        values: the Shapley values of each picture, where they were asked for.
        target: what was asked, in words.
        unit: of the score.
        size: of the network's input.
        notes: what a reader must know about the passes.
    """

    found: Effects
    values: tuple[Values, ...]
    target: str
    unit: str
    size: tuple[int, ...]
    notes: tuple[str, ...]


def measured(study: Study, plan: Plan) -> Measured:
    """Return the effects of the units on the pictures, as many of them as the budget pays for, in random order then."""
    places: Sequence[int] = range(len(study.data))
    if plan.seconds is not None:
        places = torch.randperm(len(places), generator=Generator().manual_seed(plan.seed)).tolist()
    shapley = plan.by == "shapley"
    batches: Iterable[Questions] = study.asked(study.units.kind, places, 1 if shapley else None)
    if plan.seconds is not None and len(places) > 1:
        batches = Allowance(seconds=plan.seconds).spend(batches)
    parts: list[Effects] = []
    values: list[Values] = []
    seen = _Seen()
    for questions in batches:
        if shapley:
            found, one = shapley_effects(questions.asked[0], questions.batch.places[0], _orders(plan, study), plan.seed)
            values.append(one)
        elif plan.by == "contribution":
            found = contributed(questions.asked[0], questions.batch.places)
        else:
            found = effects(questions.asked, questions.batch.places)
        parts.append(found)
        seen.note(questions)
    known = joined(parts)
    return Measured(known, tuple(values), seen.target(study, known), seen.unit, seen.size, tuple(seen.remarks))


def _orders(plan: Plan, study: Study) -> Shapley:
    """Return how Shapley values are found; a time is for the one picture, as that of many pictures ends their number."""
    single = len(study.data) == 1
    budget = plan.budget if single or plan.seconds is None else None
    return Shapley(plan.samples or (20 if single else 2), plan.truncation, budget)


class _Seen:
    """What was noticed on the way through the pictures."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.remarks: dict[str, None] = {}
        self.unit = ""
        self.size: tuple[int, ...] = ()

    def note(self, questions: Questions) -> None:
        """Take note of what was asked of a batch, and how its passes were made."""
        probe = questions.asked[0].probe
        self.names.update(probe.bound.names)
        self.unit = probe.bound.unit
        self.size = tuple(probe.inputs.shape[2:])
        self.remarks.update(dict.fromkeys(getattr(probe, "remarks", ())))

    def target(self, study: Study, found: Effects) -> str:
        """Say what was asked."""
        if len(self.names) == 1:
            return next(iter(self.names))
        if study.target is not None:
            return "what was asked of each picture"
        return (
            "the label of each picture"
            if found.known.all()
            else (
                "the predicted class of each picture"
                if not found.known.any()
                else "the label of each picture, or its predicted class"
            )
        )
