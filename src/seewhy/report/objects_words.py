"""How the numbers about objects are written."""

import math

from seewhy.attribution.rise import FIGURE
from seewhy.evaluation.object_evidence import Evidence, Shares
from seewhy.render.bar import percent
from seewhy.report.objects import FoundObjects, ObjectFinding

SETTLED = 0.8
"""Split-half reliability below which the places of a map are not settled."""

STATUS = {"found": "found", "right": "found, and marked", "false alarm": "false alarm", "missed": "missed"}


def share(value: float | None) -> str:
    """Return a share in percent; a dash where there is none."""
    return "–" if value is None or not math.isfinite(value) else percent(value)


def beside_chance(value: float, chance: float) -> str:
    """Return a share with that of an even map: "32 % (even map 4 %)"."""
    return f"{share(value)} (even map {share(chance)})"


def where(one: ObjectFinding) -> tuple[str, ...]:
    """Return lines that say where the evidence lies."""
    evidence = one.evidence
    if not math.isfinite(evidence.for_it.inside):
        return ("no evidence for it anywhere in this map",)
    lines = [f"in the box {beside_chance(evidence.for_it.inside, evidence.chance.inside)}"]
    lines.append(f"ring {share(evidence.for_it.ring)}, outside {share(evidence.for_it.outside)}")
    if one.lost is not None:
        lines.append(lost(one))
    return tuple(lines)


def lost(one: ObjectFinding) -> str:
    """Say how often it was not found in changed images."""
    if one.lost is None:
        return "–"
    if one.thing.status == "missed":
        return f"found in {share(1 - one.lost)} of the changed images"
    return f"not found in {share(one.lost)} of the changed images"


def sentence(one: ObjectFinding) -> str:
    """Say in one sentence where the evidence lies, in times of an even map."""
    evidence = one.evidence
    if not math.isfinite(evidence.for_it.inside):
        return "The map shows no evidence for it."
    times = evidence.for_it.inside / evidence.chance.inside if evidence.chance.inside else float("nan")
    density = f"{times:.1f} times as dense as in an even map" if math.isfinite(times) else "of no area"
    most = max(
        ("in the box", evidence.for_it.inside),
        ("around it", evidence.for_it.ring),
        ("outside", evidence.for_it.outside),
        key=_second,
    )
    return f"The largest part of its evidence ({share(most[1])}) lies {most[0]}; in the box it is {density}."


def figure(name: str, value: float) -> str:
    """Write a figure of a method; a reliability that is too low for the places of a map says so."""
    unsettled = (
        f", below {SETTLED:g}: the places of this map are not settled, show more masks"
        if name == FIGURE and value < SETTLED
        else ""
    )
    return f"{name}: {value:.2f}{unsettled}"


def _second(pair: tuple[str, float]) -> float:
    return pair[1]


def made(report: FoundObjects) -> str:
    """Say with what the maps were made, and what they cost."""
    shared = f" for {len(report.objects)} maps together" if len(report.objects) > 1 else ""
    return f"{report.model} · {report.method.title} · {report.cost}{shared}"


def hidden_by(evidence: Evidence) -> str:
    """Say where what speaks against it lies; empty where the method does not say."""
    against = evidence.against
    if against is None or not math.isfinite(against.inside):
        return ""
    return (
        f"against it: in the box {share(against.inside)}, ring {share(against.ring)}, outside {share(against.outside)}"
    )


def shares(one: Shares) -> tuple[str, str, str]:
    """Return the three shares in percent."""
    return share(one.inside), share(one.ring), share(one.outside)


def caption(report: FoundObjects, *, missed: bool) -> str:
    """Say which maps a scale belongs to, in which unit, and where it ends."""
    kind = "objects that were missed" if missed else "objects that were found"
    return f"maps of {kind}: evidence ({report.map_unit}); the scale ends at {report.scale_words}"
