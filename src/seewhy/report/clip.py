"""Everything that is said about one clip, as plain values: the page, the movie, the JSON and the terminal show the same."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from seewhy.evaluation.timeline import Timeline
from seewhy.ops.tubes import Margins
from seewhy.render.reel import Reel
from seewhy.report.photo import HideTest, TopClass


@dataclass(frozen=True)
class TubeRow:
    """What one frame shows of a tube, in pixels of the source and seconds of the video.

    Attributes:
        frame: number of the frame in the clip; number: in the video.
        t: when it is shown.
        x, y, w, h: the smallest box that holds the tube's place in this frame.
        mass: sum of the evidence in it, as a share of the clip's.
    """

    frame: int
    number: int
    t: float
    x: float
    y: float
    w: float
    h: float
    mass: float


@dataclass(frozen=True)
class ClipTube:
    """Strong evidence that hangs together over time and place.

    Attributes:
        rows: one for each frame, in order.
        share: of all the clip's evidence for the answer.
        start, end: first and last time, in seconds.
        peak: when it holds the most.
        speed: mean speed of its centre, in source pixels per second; None where it is in one frame only, or no time is known.
    """

    rows: tuple[TubeRow, ...]
    share: float
    start: float
    end: float
    peak: float
    speed: float | None


@dataclass(frozen=True, eq=False)
class ClipReport:
    """One clip, one network, one method: the answer with its map over time and place, and how far to trust it.

    Attributes:
        name: file name, for people (untrusted text: escape it).
        size: of a source frame (w, h) in pixels.
        reel: the frames as they are drawn, with their maps, times and importance.
        rate: frames of the video per second.
        model: the network in words; method, layer: how the map was made; source: the paper.
        answer: what was asked; score: its value, in `score_unit`; probability: None where it is no class.
        top: the likeliest classes; empty where the answer is no class.
        tubes: heaviest first; held: share of the evidence that they hold together.
        margins: how much of the map time, place and both together tell; None for a map that is the same everywhere.
        concentration: share of the evidence in the strongest fifth of space-time; None if there is none.
        hide_test: None where it was not run.
        outlined: what has a line around it, and what the hide test blurs, in words; empty where nothing has.
        timeline: what is lost without each frame, when the answer was decided, whether time matters; None where it was not asked for.
        shapes: steps and cells of the raw map (t, h, w).
        figures, covered, cost, cautions, command, provenance: as in `PhotoReport`.
    """

    name: str
    size: tuple[int, int]
    reel: Reel
    rate: float
    model: str
    method: str
    layer: str
    source: str
    answer: str
    score: float
    score_unit: str
    probability: float | None
    top: tuple[TopClass, ...]
    tubes: tuple[ClipTube, ...]
    margins: Margins | None
    concentration: float | None
    hide_test: HideTest | None
    shapes: tuple[int, ...]
    outlined: str = ""
    timeline: Timeline | None = None
    figures: dict[str, float] = field(default_factory=dict)
    covered: str = ""
    cost: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    command: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def importance(self) -> Float[np.ndarray, " t"]:
        """Sum of the map in each frame."""
        return self.reel.importance

    @property
    def held(self) -> float:
        """Share of the clip's evidence that the tubes hold together."""
        return sum(tube.share for tube in self.tubes)
