"""How much each unit of one kind contributes, over one picture or many: measured, ranked, checked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import Generator, Tensor

from seewhy.contributions.by_gradient import contributed
from seewhy.contributions.check import LEAST, check
from seewhy.contributions.effects import Effects, effects, joined
from seewhy.contributions.estimate import counts_together, estimates, ranking, weights, within_errors
from seewhy.contributions.grouping import grouped
from seewhy.contributions.interactions import MOST, interactions
from seewhy.contributions.shapley import Shapley, Values, shapley_effects
from seewhy.contributions.study import Questions, Study
from seewhy.contributions.table import Check, Estimate, Importance
from seewhy.contributions.units import Units
from seewhy.core.budget import Allowance, Budget
from seewhy.core.target import Target
from seewhy.core.values import Array
from seewhy.data.dataset import Dataset
from seewhy.engine.session import Progress, Session
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


def importance_of(
    session: Session,
    data: Dataset,
    units: Units,
    target: Target | None = None,
    plan: Plan = Plan(),
    *,
    progress: Progress | None = None,
) -> Importance:
    """Measure what each unit does in each picture, average, rank, and check the ranking.

    Args:
        session: runs the network.
        data: one picture or many; they are read batch by batch.
        units: what is taken away.
        target: what is asked of the network's answer, bound on each picture as it is; None is the class that the label names, or the predicted
            one where that is not known.
        plan: how.
        progress: is told what is done, for how many pictures, of how many.

    Returns:
        The units, the largest mean magnitude first, with 95 % bootstrap intervals over pictures: of the fall of the score, of its magnitude and
        of the rise of the loss; per class; and the check of the ranking.

    Raises:
        DataError: none of the pictures can be read.
        ConfigError, TargetError: settings or a target that do not fit.
    """
    rows = plan.rows if plan.seconds is None else 1  # the time may be over after any picture
    study = Study(session, data, units.learned(session, data, plan.seed), target, rows, progress)
    made = measured(study, plan)
    if plan.group is not None:
        study = replace(study, units=grouped(study.units, made.found, plan.group))
        made = measured(study, plan)
    return _told(study, made, plan)


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


def _told(study: Study, made: Measured, plan: Plan) -> Importance:
    """Average, rank, check, and write down how it was done."""
    session, units, found = study.session, study.units, made.found
    names = session.model.labels or ()
    listed = weights(found, units.names, names, units.remarks, plan.seed)
    if len(made.values) == 1:
        listed = within_errors(listed, made.values[0])
    order = ranking(found).argsort(descending=True, stable=True)
    checked = check(study, found, plan.orders, plan.seed, plan.seconds) if plan.check else None
    pairs = (
        interactions(study, found.places.tolist(), order[:MOST].tolist(), plan.seed, plan.seconds) if plan.pairs else ()
    )
    return Importance(
        kind=units.kind,
        weights=tuple(listed[unit] for unit in order),
        replacement=units.replacement,
        pictures=len(found.places),
        target=made.target,
        unit=made.unit,
        labels=_labels(found),
        layer=units.layer,
        check=checked,
        interactions=pairs,
        notes=(*session.network.notes, *units.notes, *made.notes, *_notes(study, made, checked, plan)),
        broken=dict(study.data.broken),
        provenance=session.provenance | _settings(plan, made),
        places=_places(study, made, order),
        figures=_figures(made, plan.seed),
    )


def _labels(found: Effects) -> str:
    """Say what the loss is about."""
    known = int(found.known.sum())
    if known == len(found.known):
        return "labels"
    own = "the network's own answers"
    return own if not known else f"labels of {known} of {len(found.known)} pictures, {own} for the others"


def _notes(study: Study, made: Measured, checked: Check | None, plan: Plan) -> list[str]:
    """Say what a reader must know about this measurement."""
    found, notes = made.found, []
    pictures, there = len(found.places), len(study.data) - len(study.data.broken)
    if pictures < there:
        notes.append(f"stopped by the budget after {pictures} of {there} pictures, taken in random order")
    if pictures == 1:
        notes.append("one picture only: effects hold for it alone, and there is no interval over pictures")
    elif len(set(found.labels.tolist())) == 1 and not found.right.isnan().any():
        notes.append("all pictures are of one class, so what tells it from others may hardly show in the loss")
    if found.right.isnan().any():
        notes.append(
            "the network's answer holds no scores of classes: no loss, no accuracy, and no check of the ranking"
        )
    elif found.right.mean() < 0.5:
        notes.append(
            f"the network finds the label of only {found.right.mean():.0%} of the pictures, so there is little accuracy to lose"
        )
    if found.areas is not None and not counts_together(found, plan.seed):
        notes.append("taking all units away does not surely lower the score, so no unit is given a share of that")
    if plan.check and checked is None and pictures > 1 and not found.right.isnan().any():
        notes.append(
            f"too few pictures or units to check the ranking: that takes at least {LEAST} pictures and 2 units"
        )
    orders = {one.orders for one in made.values}
    if orders and None not in orders:
        notes.append(f"Shapley values from {min(one.orders or 0 for one in made.values)} random orders a picture")
    elif orders:
        notes.append("Shapley values from all coalitions: exact")
    return notes


def _settings(plan: Plan, made: Measured) -> dict[str, Any]:
    """Return how it was measured, for the record."""
    settings: dict[str, Any] = {
        "by": plan.by,
        "seed": plan.seed,
        "interval": "95 % bootstrap over pictures, expanded percentiles",
    }
    if made.values:
        settings |= {"orders": made.values[0].orders or "all coalitions", "truncation": plan.truncation}
    return settings if plan.group is None else settings | {"group": plan.group}


def _places(study: Study, made: Measured, order: Tensor) -> Array | None:
    """Return which of the ranked units each pixel belongs to, where the units are places that all pictures share."""
    found = study.units.pixels(made.size)
    if found is None:
        return None
    return Array.of(torch.where(found < 0, -1, order.argsort()[found.clamp_min(0)]).int())


def _figures(made: Measured, seed: int) -> dict[str, Estimate]:
    """Return numbers about all units together."""
    found = made.found
    figures = (
        {}
        if found.right.isnan().any()
        else {
            "accuracy": estimates(found.right[:, None], seed)[0],
            "accuracy with all gone": estimates(found.end[:, None], seed)[0],
        }
    )
    nothing = found.whole - found.all_gone
    return figures | {
        "score": estimates(found.whole[:, None], seed)[0],
        "score with all gone": estimates(nothing[:, None], seed)[0],
    }
