"""The sentences of a clip's report."""

from seewhy.ops.tubes import Margins
from seewhy.render.bar import figures, percent
from seewhy.report.clip import ClipReport, ClipTube
from seewhy.report.words import hide_line, probability

_IN_PLACE = {"freeze": "the frame before it", "interpolate": "a blend of its neighbours", "blur": "the frame blurred"}


def answer_words(report: ClipReport) -> str:
    """Return "p = 0.71" for a class, or the score where the target is no class."""
    if report.probability is None:
        return f"{figures(report.score)} {report.score_unit}".strip()
    text = probability(report.probability)
    return f"p {text}" if text[0] in "uo" else f"p = {text}"


def when_words(report: ClipReport) -> str:
    """Say in which frames the evidence lies: the shortest run of frames in the order of the clip that holds half of it."""
    values = [max(0.0, float(value)) for value in report.importance]
    total = sum(values)
    if total <= 0:
        return "no frame speaks for it as a whole"
    spans = (
        (last - first, first, last)
        for first in range(len(values))
        for last in range(first, len(values))
        if sum(values[first : last + 1]) >= 0.5 * total * (1 - 1e-9)
    )
    _, first, last = min(spans)
    share = percent(sum(values[first : last + 1]) / total)
    if first == last:
        return f"{moment(report, first)} holds {share} of what the frames add up to"
    return f"{moment(report, first)} to {moment(report, last)} ({last - first + 1} of {len(values)} frames) hold {share} of what the frames add up to"


def moment(report: ClipReport, frame: int) -> str:
    """Return when a frame is shown."""
    seconds = report.reel.seconds
    return f"frame {frame}" if seconds is None else f"{seconds[frame]:.2f} s"


def margins_words(found: Margins | None) -> str:
    """Say how much of a map time, place and only both together tell."""
    if found is None:
        return "The map is the same everywhere."
    return (
        f"Of the map's variation, {percent(found.time)} is told by the frame alone (when), {percent(found.space)} by the place alone (where), "
        f"{percent(found.interaction)} only by both together, as where evidence moves."
    )


def tube_words(tube: ClipTube) -> str:
    """Say when a tube lasts, how much it holds and how fast it moves."""
    speed = "" if tube.speed is None else f", {figures(tube.speed)} px/s"
    return f"{tube.start:.2f} to {tube.end:.2f} s, strongest at {tube.peak:.2f} s, {percent(tube.share)} of the evidence{speed}"


def verdicts(report: ClipReport) -> tuple[str, ...]:
    """Return what the tests say, a line each."""
    test = report.hide_test
    line = "hide test: not run" if test is None else hide_line(test).replace("this area", report.outlined)
    return (line, *time_words(report))


def time_words(report: ClipReport) -> tuple[str, ...]:
    """Say which frame is missed most, how far gradient and deletion agree, when the answer was decided, and whether time matters."""
    found = report.timeline
    if found is None:
        return ()
    lost = (
        f"most is lost without {moment(report, found.strongest)}: {figures(float(found.deletion.max()))} {found.unit}"
    )
    lines = [f"{lost} ({_IN_PLACE[found.importance.hiding]} in its place)"]
    if found.agreement.value is not None:
        lines.append(f"gradient and deletion agree on the frames by {found.agreement.value:.2f} (rank correlation)")
    if found.prefix is not None and found.prefix.decided is not None:
        lines.append(
            f"decided at {moment(report, found.prefix.decided)}: from there on the predicted class changes no more"
        )
    return (*lines, *([found.verdict] if found.verdict else []))


def frame_words(report: ClipReport, frame: int) -> str:
    """Return what one frame of the map shows, for those who do not see it."""
    value = figures(float(report.importance[frame]))
    held = [
        f"tube {number} holds {percent(row.mass)} of the evidence"
        for number, tube in enumerate(report.tubes, 1)
        for row in tube.rows
        if row.frame == frame
    ]
    return f"Heatmap over {report.reel.stamp(frame)}: importance {value}" + (f"; {', '.join(held)}" if held else "")
