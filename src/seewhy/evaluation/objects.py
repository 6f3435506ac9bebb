"""Objects to explain: what a detector found, what it missed, and a map for each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from seewhy.attribution.rise import RISE
from seewhy.core.cost import Cost
from seewhy.core.detection import Detection, Rows, rows_of, to_input, to_source
from seewhy.core.explanation import Explanation
from seewhy.core.method import Attribution, Method
from seewhy.core.sample import Geometry, Sample
from seewhy.core.target import Target
from seewhy.data.truth import Truth
from seewhy.engine.block import Bill, Question
from seewhy.engine.session import Session
from seewhy.engine.several import SeveralProbe
from seewhy.errors import TargetError
from seewhy.ops.boxes import areas, overlaps, within
from seewhy.targets.boxes import Box, MissedObject
from seewhy.targets.classes import name_of

MATCH = 0.5
"""A detection is of a marked object where both are of one class and their boxes overlap by at least this much."""

Status = Literal["found", "right", "false alarm", "missed"]
Four = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Thing:
    """An object to explain: one that was found, or one that is there and was not.

    Attributes:
        label: what it is called on pages: "0", or "missed 0".
        status: "found" where there is no ground truth; else "right", "false alarm" or "missed".
        name: of its class.
        score: of the detection; 0 for a missed object.
        box: the frozen box, in pixels of the source.
        truth: the marked object that it is; None without one.
        overlap: intersection over union with that.
        target: what is asked about it.
    """

    label: str
    status: Status
    name: str
    score: float
    box: Four
    truth: Truth | None
    overlap: float | None
    target: Target


@dataclass(frozen=True, eq=False)
class Matched:
    """What became of detections beside the ground truth.

    Attributes:
        pairs: for each detection the number of its marked object and their overlap; None for a false alarm.
        missed: numbers of the marked objects that no detection is of, crowds left out.
        ignored: numbers of detections that lie in a crowd of their class, which is no false alarm.
    """

    pairs: tuple[tuple[int, float] | None, ...]
    missed: tuple[int, ...]
    ignored: frozenset[int]


def matched(boxes: Sequence[Four], names: Sequence[str], truths: Sequence[Truth]) -> Matched:
    """Match detections, the surest first, each with the free marked object of its class that it overlaps most, by at least `MATCH`."""
    taken: dict[int, int] = {}
    pairs: list[tuple[int, float] | None] = []
    ignored = set()
    for number, (box, name) in enumerate(zip(boxes, names, strict=True)):
        own = _tensor(box)
        near = {
            at: float(overlaps(own, _tensor(one.box)))
            for at, one in enumerate(truths)
            if _same(one.name, name) and not one.crowd and at not in taken
        }
        best = max(near, key=lambda at: near[at], default=None)
        if best is not None and near[best] >= MATCH:
            taken[best] = number
            pairs.append((best, near[best]))
            continue
        pairs.append(None)
        if any(_same(one.name, name) and one.crowd and _held(own, one) for one in truths):
            ignored.add(number)
    missed = tuple(at for at, one in enumerate(truths) if at not in taken and not one.crowd)
    return Matched(tuple(pairs), missed, frozenset(ignored))


def _tensor(box: Four) -> Tensor:
    return torch.tensor(box, dtype=torch.float32)


def _same(first: str, second: str) -> bool:
    return first.strip().lower() == second.strip().lower()


def _held(box: Tensor, crowd: Truth) -> bool:
    """Say whether at least half of a box lies in the box of a crowd."""
    other = _tensor(crowd.box)
    low, high = torch.maximum(box[:2], other[:2]), torch.minimum(box[2:], other[2:])
    return bool((high - low).clamp_min(0).prod() >= 0.5 * areas(box))


def things(
    session: Session, sample: Sample, truths: Sequence[Truth] | None, most: int
) -> tuple[tuple[Thing, ...], tuple[str, ...]]:
    """Return what is to be explained in a picture, at most so many found and so many missed, and what a reader must know.

    Raises:
        TargetError: the model is no detector, or there is nothing to explain.
    """
    rows = rows_of(session.model.output, "a list of objects")
    labels = session.model.labels
    found = rows.found(session.predict(sample.inputs[None]))
    boxes = [_source(one, sample.geometry) for one in found]
    names = [name_of(one.kind, labels) for one in found]
    notes: list[str] = []
    if truths is None:
        listed = [_found(number, one, boxes[number], names[number], "found") for number, one in enumerate(found[:most])]
        return _some(listed, notes, len(found), most, rows)
    known, notes = _known(truths, labels)
    beside = matched(boxes, names, known)
    listed = []
    for number, one in enumerate(found[:most]):
        pair = beside.pairs[number]
        if number in beside.ignored:
            listed.append(_found(number, one, boxes[number], names[number], "found"))
            continue
        thing = _found(number, one, boxes[number], names[number], "right" if pair else "false alarm")
        listed.append(replace(thing, truth=known[pair[0]], overlap=pair[1]) if pair else thing)
    listed += _missed([known[at] for at in beside.missed], boxes, sample.geometry, most, notes)
    right = sum(pair is not None for pair in beside.pairs)
    alarms = len(found) - right - len(beside.ignored)
    notes.insert(
        0,
        f"marked objects: {right} of {sum(not one.crowd for one in known)} found, {len(beside.missed)} missed; "
        f"false alarms: {alarms} of {len(found)} detections (same class, overlap of at least {MATCH:g})",
    )
    return _some(listed, notes, len(found), most, rows)


def _some(
    listed: list[Thing], notes: list[str], found: int, most: int, rows: Rows
) -> tuple[tuple[Thing, ...], tuple[str, ...]]:
    if not listed:
        raise TargetError(
            f"nothing was found in the picture with a score of at least {rows.least:g}, and no object that was missed is stated; "
            "give the ground truth, or ask for one: --target missed:CLASS@x,y,w,h"
        )
    if found > most:
        notes.append(f"{found} objects were found; the surest {most} are explained")
    return tuple(listed), tuple(notes)


def _found(number: int, one: Detection, box: Four, name: str, status: Status) -> Thing:
    return Thing(str(number), status, name, one.score, box, None, None, Box(number))


def _missed(
    missed: Sequence[Truth], boxes: Sequence[Four], geometry: Geometry | None, most: int, notes: list[str]
) -> list[Thing]:
    """Return the missed objects that the network saw, the largest first."""
    seen = [one for one in missed if _visible(one.box, geometry)]
    if len(seen) < len(missed):
        notes.append(f"{len(missed) - len(seen)} missed objects lie where the network does not look")
    order = sorted(seen, key=lambda one: -float(areas(_tensor(one.box))))
    if len(order) > most:
        notes.append(f"{len(order)} objects were missed; the largest {most} are explained")
    listed = []
    for number, one in enumerate(order[:most]):
        nearest = max((float(overlaps(_tensor(one.box), _tensor(box))) for box in boxes), default=0.0)
        listed.append(
            Thing(f"missed {number}", "missed", one.name, 0.0, one.box, one, nearest, MissedObject(one.box, one.name))
        )
    return listed


def _known(truths: Sequence[Truth], labels: Sequence[str] | None) -> tuple[list[Truth], list[str]]:
    """Return the marked objects of classes that the network has, and what was left out."""
    if labels is None:
        raise TargetError(
            "the ground truth names classes, and the model has no labels; state them in seewhy.Model(labels=...)"
        )
    own = {label.strip().lower() for label in labels}
    known = [one for one in truths if one.name.strip().lower() in own]
    others = sorted({one.name for one in truths} - {one.name for one in known})
    notes = [f"marked objects of classes that the network has not are left out: {', '.join(others)}"] if others else []
    return known, notes


def _visible(box: Four, geometry: Geometry | None) -> bool:
    if geometry is None:
        return True
    return bool(areas(within(to_input(_tensor(box), geometry), geometry.size)) > 0)


def _source(one: Detection, geometry: Geometry | None) -> Four:
    x1, y1, x2, y2 = to_source(torch.tensor(one.box, dtype=torch.float64), geometry).tolist()
    return x1, y1, x2, y2


def explained(session: Session, sample: Sample, listed: Sequence[Thing], method: Method) -> list[Explanation]:
    """Return the map of each object. RISE shows each mask to the network once for all of them; other methods share the forward pass."""
    targets = [one.target for one in listed]
    if not isinstance(method, RISE) or session.profile != "exact":
        return [row[0] for row in session.answer([sample], targets, [method])]
    inputs = session.network.accept(sample.inputs[None])
    method = session.resolved(method, inputs)
    placed = [
        one.placed([sample], session.model.probability).suited(method.access, session.model.output) for one in targets
    ]
    block = session.block(inputs, method.needs())
    probe = SeveralProbe(tuple(Question(block, one) for one in placed), Bill())
    with torch.inference_mode(mode=False):
        made = method.attribute(probe)
    found = made if isinstance(made, Attribution) else Attribution(made)
    return [
        replace(one, samples=(sample,), notes=((*session.network.notes, *one.notes[0]),), provenance=session.provenance)
        for one in _apart(method, probe, found)
    ]


def _apart(method: Method, probe: SeveralProbe, found: Attribution) -> list[Explanation]:
    """Return the explanation of each object from the maps of all; the passes are those of all of them."""
    scores, bound = probe.score().cpu(), probe.bound
    parts = []
    for index, name in enumerate(bound.names):
        here = slice(index, index + 1)
        losses = {figure: values[here] for figure, values in probe.losses.items()}
        parts.append(
            Explanation(
                heatmap=found.heatmap[here].detach().cpu(),
                score=scores[here],
                method=method,
                targets=(name,),
                unit=bound.unit,
                samples=(),
                cost=probe.cost,
                error=None if found.error is None else found.error[here].detach().cpu(),
                figures={figure: tuple(values[here].tolist()) for figure, values in found.figures.items()} | losses,
                notes=((*probe.remarks, *probe.lost_words(index), *found.notes),),
            )
        )
    return parts


def total_cost(made: Sequence[Explanation]) -> Cost:
    """Return what all maps of one picture cost together: masks that they share count once."""
    first = made[0]
    if isinstance(first.method, RISE) and all(one.cost == first.cost for one in made):
        return first.cost
    total = Cost()
    for one in made:
        total += one.cost
    return total
