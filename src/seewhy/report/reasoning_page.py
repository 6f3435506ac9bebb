"""A photo through a student, beside the network: as one HTML file, as one picture, as numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from seewhy.contributions.plain import plain
from seewhy.render.bar import figures
from seewhy.render.contact import contact
from seewhy.render.encode import data_uri, webp_bytes
from seewhy.render.overlay import stacked
from seewhy.render.text import INK, PAPER, SOFT, panel
from seewhy.report.axis import Axis, axis
from seewhy.report.reasoning import Case, Reasoning
from seewhy.report.reasoning_view import MOST_SHOWN, ReasoningView, Shown
from seewhy.report.sheet import kept, sheet
from seewhy.surrogates.student import Student
from seewhy.surrogates.words import the

CREED = "The student's reasons are the student's: they are the network's only as far as its fidelity goes."
WIDTH = 940


def reasoning_page(
    student: Student, view: ReasoningView, *, command: str = "", provenance: Mapping[str, Any] | None = None
) -> str:
    """Return the page; `command` makes it again."""
    found = view.reasoning
    ends = [value for case in found.cases for value in _values(case)]
    scale = axis([0.0, *ends], from_zero=False)
    return sheet(
        "reasoning",
        title=f"{found.photo.rpartition('/')[2]}: {found.answer}, says {the(found.title)}",
        subtitles=(student.lines()[0],),
        content={
            "found": found,
            "first": kept(found.first_line),
            "truth": "" if found.label is None else f"In truth, by the name of its folder: {found.label}.",
            "pictures": _pictures(view),
            "limit": figures(view.limit),
            "cases": [_case(case, shown, scale, found) for case, shown in zip(found.cases, view.shown, strict=True)],
            "zero": scale.percent(0.0),
            "scores": [(name, f"{score:+.2f}") for name, score in found.scores],
            "noun": student.basis.noun,
            "branching": found.cases[0].start is None and found.kind != "prototypes",
        },
        numbers=reasoning_numbers(found),
        creed=(CREED,),
        command=command,
        provenance=provenance or {},
        base="student",
    )


def reasoning_numbers(found: Reasoning) -> dict[str, Any]:
    """Return the reasoning as plain values."""
    numbers: dict[str, Any] = plain(found)
    return numbers | {"agrees": found.agrees}


def reasoning_picture(student: Student, view: ReasoningView) -> Image.Image:
    """Return the same as one picture, to be shown and passed on."""
    found = view.reasoning
    head = panel([(found.first_line, 22, INK), (student.lines()[0], 15, SOFT)], WIDTH, 14)
    large = contact([(one, lines) for one, lines in _large(view)], columns=3, cell=(288, 288))
    parts: list[Image.Image | None] = [head, _widened(large)]
    for case, shown in zip(found.cases, view.shown, strict=True):
        title = f"{'Why' if case.answer == found.answer else 'And why not'} {case.answer}? {found.sentence}"
        pictured = [one for one in shown[:MOST_SHOWN] if one.picture is not None]
        lines = [(title, 19, INK), *((line, 15, SOFT) for line in _sum(case))]
        lines += [("  ".join(_caption(one)), 15, SOFT) for one in shown[:MOST_SHOWN] if one.picture is None]
        parts.append(panel(lines, WIDTH, 14))
        if pictured:
            parts.append(_widened(_sheet(pictured)))
    parts.append(panel([(CREED, 14, SOFT)], WIDTH, 14))
    return stacked([part for part in parts if part is not None], 14)


def _sheet(shown: Sequence[Shown]) -> Image.Image:
    """Return reasons as pictures with a caption each."""
    cells = [(one.picture, _caption(one)) for one in shown if one.picture is not None]
    wide = any(picture.width > picture.height for picture, _ in cells)
    return contact(cells, columns=3 if wide else 6, cell=(292, 96) if wide else (138, 138))


def _widened(picture: Image.Image) -> Image.Image:
    """Return a picture on a sheet of the full width, at its left."""
    made = Image.new("RGB", (max(WIDTH, picture.width), picture.height), PAPER)
    made.paste(picture, (0, 0))
    return made


def _large(view: ReasoningView) -> list[tuple[Image.Image, tuple[str, ...]]]:
    found = view.reasoning
    made: list[tuple[Image.Image, tuple[str, ...]]] = [
        (view.photo, ("the photo", "as the network sees it")),
        (view.heatmap, (f"the network: {found.network}", f"{view.method}, what speaks for it")),
    ]
    cases = zip(view.maps, found.cases, strict=False)
    made += [(one, (f"the student: {case.answer}", "what each place adds to its score")) for one, case in cases]
    return made


def _pictures(view: ReasoningView) -> list[dict[str, str]]:
    return [{"uri": _uri(one, 82), "name": lines[0], "what": lines[1]} for one, lines in _large(view)]


def _uri(picture: Image.Image, quality: int) -> str:
    return data_uri(webp_bytes(picture, quality), "image/webp")


def _values(case: Case) -> list[float]:
    reasons = [one.adds for one in case.reasons if one.adds is not None]
    return [*reasons, *([case.start] if case.start is not None else [])]


def _caption(one: Shown) -> tuple[str, ...]:
    adds = "" if one.reason.adds is None else f"{one.reason.adds:+.2f}  "
    return (f"{adds}{one.reason.name}", *([one.reason.note] if one.reason.note else []))


def _sum(case: Case) -> tuple[str, ...]:
    return () if case.start is None else (f"start {case.start:+.2f}, in all {case.score:+.2f}",)


def _case(case: Case, shown: tuple[Shown, ...], scale: Axis, found: Reasoning) -> dict[str, Any]:
    rows = [_row(one, scale, place < MOST_SHOWN) for place, one in enumerate(shown)]
    return {
        "question": f"{'Why' if case.answer == found.answer else 'And why not'} {case.answer}?",
        "start": None if case.start is None else _bar(case.start, scale),
        "total": f"{case.score:+.2f}",
        "rows": rows,
    }


def _row(one: Shown, scale: Axis, pictured: bool) -> dict[str, Any]:
    reason = one.reason
    return {
        "name": reason.name,
        "note": reason.note,
        "wide": one.picture is not None and one.picture.width > one.picture.height,
        "picture": _uri(one.picture, 74) if one.picture is not None and pictured else "",
        "bar": None if reason.adds is None else _bar(reason.adds, scale),
    }


def _bar(value: float, scale: Axis) -> dict[str, Any]:
    zero, end = scale.percent(0.0), scale.percent(value)
    return {
        "value": f"{value:+.2f}",
        "side": "pos" if value >= 0 else "neg",
        "left": min(zero, end),
        "width": round(abs(end - zero), 2),
    }
