"""How much each unit of one kind contributes, over one picture or many: measured, ranked, checked."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from seewhy.contributions.check import LEAST, check
from seewhy.contributions.effects import Effects
from seewhy.contributions.estimate import counts_together, estimates, ranking, weights, within_errors
from seewhy.contributions.grouping import grouped
from seewhy.contributions.interactions import MOST, interactions
from seewhy.contributions.known import Known, KnownStudy
from seewhy.contributions.measuring import Measured, Plan, measured
from seewhy.contributions.study import Study
from seewhy.contributions.table import Check, Estimate, Importance
from seewhy.contributions.units import Units
from seewhy.core.target import Target
from seewhy.core.values import Array
from seewhy.data.dataset import Dataset
from seewhy.engine.session import Progress, Session


def importance_of(
    session: Session,
    data: Dataset,
    units: Units,
    target: Target | None = None,
    plan: Plan = Plan(),  # noqa: B008 (a frozen value)
    *,
    known: Known | None = None,
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
        known: what the layer of the units gives for the pictures, where that is known: then no picture is read, and only what follows it runs.
        progress: is told what is done, for how many pictures, of how many.

    Returns:
        The units, the largest mean magnitude first, with 95 % bootstrap intervals over pictures: of the fall of the score, of its magnitude and
        of the rise of the loss; per class; and the check of the ranking.

    Raises:
        DataError: none of the pictures can be read.
        ConfigError, TargetError: settings or a target that do not fit.
    """
    rows = plan.rows if plan.seconds is None else 1  # the time may be over after any picture
    learned = units.learned(session, data, plan.seed)
    study = (
        Study(session, data, learned, target, rows, progress)
        if known is None
        else KnownStudy(session, data, learned, target, rows, progress, known)
    )
    made = measured(study, plan)
    if plan.group is not None:
        study = replace(study, units=grouped(study.units, made.found, plan.group))
        made = measured(study, plan)
    return _told(study, made, plan)


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
