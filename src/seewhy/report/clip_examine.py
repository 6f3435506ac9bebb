"""Ask everything about one clip: the answer, the map over time and place, its tubes, and how far to trust it."""

from itertools import pairwise
from math import hypot

import torch
from jaxtyping import Bool
from torch import Tensor

from seewhy.core.explanation import Explanation
from seewhy.core.reel import drawn_area
from seewhy.core.sample import Geometry, Sample
from seewhy.engine.probe import NetworkProbe
from seewhy.evaluation.area import SHARE, concentration, evidence, evidence_area
from seewhy.evaluation.hide_test import HideTest as Test
from seewhy.evaluation.hide_test import HideTestResult
from seewhy.evaluation.time_tests import IMAGE
from seewhy.evaluation.timeline import Timeline, timeline
from seewhy.ops.areas import strongest
from seewhy.ops.tubes import HELD, Slice, Tube, margins, tubes
from seewhy.render.reel import Reel
from seewhy.report.clip import ClipReport, ClipTube, TubeRow
from seewhy.report.examine import (
    Asked,
    cautions,
    estimate_figures,
    hide_test_told,
    layers_of,
    probability_of,
    top_classes,
    viewed,
)
from seewhy.report.photo import HideTest
from seewhy.targets import ClassScore

APART = 1.0
"""From this many seconds between frames on, a page says that motion between them is not seen."""
SCATTERED = 0.25
"""Tubes that hold less than this share of the evidence are not what an answer rests on."""


def examine_clip(asked: Asked, command: str = "", *, timed: bool = True) -> ClipReport:
    """Return everything about one clip that belongs beside its map.

    Args:
        asked: the clip, explained; see `seewhy.report.examine.ask`.
        command: the command that makes the same report again.
        timed: whether to ask what is lost without each frame, when the answer was decided, and whether time matters: about five passes a frame.
    """
    main, sample = asked.explanation, asked.sample
    found = tubes(evidence(main)[0])
    area, outlined = hidden_area(main, found)
    tested = _tested(asked, area) if asked.wanted.hide_test else None
    drawn = main.reel(area=area, title=f"why {main.targets[0]}? · {sample.name}")
    held = float(concentration(main)[0])
    sureness = probability_of(asked, main)
    method = asked.method
    times = _timeline(asked) if timed and sample.inputs.shape[1] > 1 else None
    return ClipReport(
        name=sample.name,
        size=(sample.view(0).width, sample.view(0).height),
        reel=drawn,
        rate=0.0 if sample.clip is None else sample.clip.rate,
        model=asked.session.model.title,
        method=method.title,
        layer=", ".join(layers_of(method)),
        source=str(method.source),
        answer=main.targets[0],
        score=float(main.score[0]),
        score_unit=main.unit,
        probability=sureness,
        top=top_classes(asked, main),
        tubes=tuple(placed(tube, sample) for tube in found),
        margins=margins(main.heatmap[0]),
        concentration=None if held != held else held,  # noqa: PLR0124 (NaN)
        hide_test=_hide_test(asked, main, tested, drawn.frames.shape[1:3]),
        outlined=outlined if bool(area.any()) else "",
        timeline=times,
        shapes=tuple(main.heatmap.shape[1:]),
        figures=estimate_figures(main),
        covered=str(main.coverage or ""),
        cost=_costs(asked, tested, times),
        cautions=cautions(asked, main, sureness, tested) + _gap_caution(drawn) + _time_cautions(times),
        command=command,
        provenance=main.provenance
        | {"method": method.key, "settings": method.settings(), "held by tubes": HELD, "area": SHARE},
    )


def hidden_area(made: Explanation, found: list[Tube]) -> tuple[Bool[Tensor, "t h w"], str]:
    """Return what the hide test blurs, and what that is in words.

    All tubes; where they fill more than a fifth of the clip, the strongest fifth of it inside them; where they hold less than a quarter of the evidence,
    which is then scattered, the strongest fifth of the clip.
    """
    if sum(tube.share for tube in found) < SCATTERED:
        return evidence_area(made)[0], "the strongest fifth of space and time, as the evidence is scattered"
    heat = evidence(made)[0]
    area = torch.stack([tube.cells for tube in found]).any(dim=0)
    if float(area.float().mean()) <= SHARE:
        return area, "the tubes"
    return area & strongest((heat * area)[None], SHARE)[
        0
    ], "the strongest fifth of space and time, which lies in the tubes"


def _tested(asked: Asked, area: Bool[Tensor, "t h w"]) -> HideTestResult | None:
    probe = NetworkProbe(asked.question, asked.method.needs())
    return Test().run(probe, asked.explanation, area[None])[0]


def _hide_test(
    asked: Asked, main: Explanation, tested: HideTestResult | None, size: tuple[int, int]
) -> HideTest | None:
    if tested is None:
        return None
    fullest = int(tested.area.flatten(1).sum(dim=1).argmax())
    shown = viewed(tested.picture[:, fullest], asked.session.model)
    return hide_test_told(main, tested, drawn_area(asked.sample, tested.area, size), shown)


def _timeline(asked: Asked) -> Timeline:
    """Return what each frame adds to the class (or other target) that the map is about."""
    classes = asked.question.bound.classes
    target = asked.question.target if classes is None else ClassScore(classes)
    return timeline(asked.session, asked.sample, target, segments=None)


def _gap_caution(drawn: Reel) -> tuple[str, ...]:
    """Say where frames lie so far apart that motion between them is not seen."""
    if drawn.seconds is None or drawn.gap < APART:
        return ()
    return (
        f"The frames lie {drawn.gap:.2g} s apart: what happens between them, motion too, the network has not seen. Frames closer together: a stride.",
    )


def _time_cautions(found: Timeline | None) -> tuple[str, ...]:
    if found is None:
        return ()
    image = (
        (f"{found.tests.line[0].upper()}{found.tests.line[1:]}.",)
        if found.tests and found.tests.verdict == IMAGE
        else ()
    )
    return (
        *image,
        *((f"{found.agreement.warning[0].upper()}{found.agreement.warning[1:]}.",) if found.agreement.warning else ()),
    )


def _costs(asked: Asked, tested: HideTestResult | None, times: Timeline | None) -> tuple[str, ...]:
    test = (f"hide test: {tested.cost}",) if tested is not None else ()
    time = (f"each frame and time: {times.cost}",) if times is not None else ()
    return (f"map: {asked.explanation.cost}", *test, *time, f"in all: {asked.session.cost - asked.begun}")


def placed(tube: Tube, sample: Sample) -> ClipTube:
    """Return a tube of the input's cells in pixels of the source and seconds of the video; boxes end where the source does."""
    height, width = sample.inputs.shape[-2:]
    geometry = sample.geometry or Geometry((height, width), (0.0, 0.0, float(height), float(width)), (height, width))
    top, left, bottom, right = geometry.window
    down, across = (bottom - top) / height, (right - left) / width
    rows = tuple(
        _row(part, sample, geometry, (top, left, down, across), tube.mass / tube.share) for part in tube.slices
    )
    clip = sample.clip
    times = tuple(row.t for row in rows)
    centres = [(part.centre[0] * down, part.centre[1] * across) for part in tube.slices]
    path = sum(hypot(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(centres))
    return ClipTube(
        rows=rows,
        share=tube.share,
        start=times[0],
        end=times[-1],
        peak=times[tube.slices.index(tube.peak)],
        speed=path / (times[-1] - times[0]) if clip is not None and times[-1] > times[0] else None,
    )


def _row(
    part: Slice, sample: Sample, geometry: Geometry, scale: tuple[float, float, float, float], total: float
) -> TubeRow:
    top, left, down, across = scale
    height, width = geometry.source
    y, bottom = (min(max(top + edge * down, 0.0), float(height)) for edge in (part.top, part.bottom))
    x, right = (min(max(left + edge * across, 0.0), float(width)) for edge in (part.left, part.right))
    clip, frame = sample.clip, part.frame
    return TubeRow(
        frame=frame,
        number=frame if clip is None else clip.numbers[frame],
        t=float(frame) if clip is None else clip.seconds[frame],
        x=x,
        y=y,
        w=right - x,
        h=bottom - y,
        mass=part.mass / total,
    )
