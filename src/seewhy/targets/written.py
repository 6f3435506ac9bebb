"""Targets as a command line writes them: a kind, a colon, and what it is about."""

from collections.abc import Callable, Mapping

from seewhy.core.target import Target
from seewhy.errors import TargetError
from seewhy.targets.boxes import Box, MissedObject
from seewhy.targets.values import Label, Regression


def _up(about: str) -> Target:
    return Regression(_index(about))


def _down(about: str) -> Target:
    return Regression(_index(about), sign=-1)


def _label(about: str) -> Target:
    return Label(_index(about))


def _found(about: str) -> Target:
    """Read "2", "person", "60,40,200,220", with ":left" behind it for an edge."""
    which, _, side = about.partition(":")
    if "," in which:
        return Box(_numbers(which), side or None)  # type: ignore[arg-type]
    return Box(_index(which), side or None)  # type: ignore[arg-type]


def _missed(about: str) -> Target:
    """Read "person@60,40,140,180": a class and the corner and size of its box in pixels of the picture."""
    kind, at, box = about.rpartition("@")
    if not at:
        raise ValueError("no place stands behind an @")
    x, y, width, height = _numbers(box)
    return MissedObject((x, y, x + width, y + height), _index(kind))


KINDS: Mapping[str, tuple[Callable[[str], Target], str]] = {
    "up": (_up, "up:0, what drives output 0 up"),
    "down": (_down, "down:0, what drives output 0 down"),
    "label": (_label, "label:3, one label of several"),
    "box": (_found, "box:2, detection 2; box:person, the surest person; box:60,40,200,220, what was found there (x1,y1,x2,y2)"),
    "missed": (_missed, "missed:person@60,40,140,180, the person that was not found at x,y,width,height"),
}
"""By its first word: what reads the rest of a written target, and an example with its meaning."""


def written_target(text: str) -> Target | None:
    """Return the target that a text such as "up:0" writes; None where it begins with none of the kinds, as the name of a class does.

    Raises:
        TargetError: what follows the colon is not about such a target.
    """
    kind, colon, about = text.partition(":")
    if not colon or kind.strip().lower() not in KINDS:
        return None
    read, example = KINDS[kind.strip().lower()]
    try:
        return read(about.strip())
    except ValueError as error:
        raise TargetError(f"{text!r} is not understood ({error}); for instance {example}") from error


def kinds_in_words() -> str:
    """Return an example of every kind of written target."""
    return "; ".join(example for _, example in KINDS.values())


def _numbers(text: str) -> tuple[float, float, float, float]:
    """Return the four numbers of a box."""
    found = [float(number) for number in text.split(",")]
    if len(found) != 4:
        raise ValueError(f"a box has four numbers, got {len(found)}")
    return found[0], found[1], found[2], found[3]


def _index(about: str) -> int | str:
    """Return an index or a name."""
    if not about:
        raise ValueError("nothing stands behind the colon")
    return int(about) if about.lstrip("-").isdigit() else about
