"""Targets as a command line writes them: a kind, a colon, and what it is about."""

from collections.abc import Callable, Mapping

from seewhy.core.target import Target
from seewhy.errors import TargetError
from seewhy.targets.boxes import Box, MissedObject
from seewhy.targets.frames import FrameClass
from seewhy.targets.instances import Instance
from seewhy.targets.keypoints import Keypoint
from seewhy.targets.maps import MapMean
from seewhy.targets.masks import Region
from seewhy.targets.prompts import Prompts
from seewhy.targets.values import Label, Regression


def _more(about: str) -> Target:
    return Regression(_index(about))


def _less(about: str) -> Target:
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


def _region(about: str) -> Target:
    """Read "person", with "#0" behind it for a piece by its size, "@x,y" for the piece at a point; "border" before the name for its border."""
    name, at, point = about.partition("@")
    name, numbered, piece = name.partition("#")
    border = name.startswith("border ")
    place = _two(point) if at else int(piece) if numbered else None
    index = _index(name.removeprefix("border ").strip()) if name.strip() else None
    return Region(index, cut="border" if border else "whole", component=place)


def _map(sign: int, name: str = "depth") -> Callable[[str], Target]:
    def read(about: str) -> Target:
        """Read "x,y,w,h", with "#1" before it for the second of several maps; nothing for the whole map."""
        channel, numbered, rest = about.rpartition("#")
        region = _numbers(rest) if rest else None
        return MapMean(region, int(channel) if numbered and channel else None, sign, name=name)

    return read


def _keypoint(about: str) -> Target:
    """Read "3", with "@1,0" behind it for a direction."""
    which, at, direction = about.partition("@")
    return Keypoint(_index(which), direction=_two(direction) if at else None)


def _frame(about: str) -> Target:
    """Read "run@12", "run@4-8", "run@onset", or "run" for the frame where it is largest."""
    name, at, when = about.partition("@")
    if not at or when in ("max", "onset"):
        return FrameClass(_index(name), when or "max")  # type: ignore[arg-type]
    first, dash, last = when.partition("-")
    return FrameClass(_index(name), (int(first), int(last) + 1) if dash else int(first))


def _prompts(about: str) -> Target:
    """Read texts with | between; the first is asked about where there are several, a "?" before it asks about the one that fits best."""
    best = about.startswith("?")
    texts = tuple(text.strip() for text in about.removeprefix("?").split("|"))
    return Prompts(texts, None if best else 0)


def _instance(about: str) -> Target:
    return Instance(_index(about or "0"))


KINDS: Mapping[str, tuple[Callable[[str], Target], str]] = {
    "more": (_more, "more:0, what drives output 0 up"),
    "less": (_less, "less:0, what drives output 0 down"),
    "label": (_label, "label:3, one label of several"),
    "box": (
        _found,
        "box:2, detection 2; box:person, the surest person; box:60,40,200,220, what was found there (x1,y1,x2,y2)",
    ),
    "missed": (_missed, "missed:person@60,40,140,180, the person that was not found at x,y,width,height"),
    "region": (
        _region,
        "region:person, the area of a class; region:person@120,80, its piece at a point; region:person#0, its largest piece",
    ),
    "instance": (_instance, "instance:0, the surest instance of a network that puts out masks"),
    "keypoint": (_keypoint, "keypoint:3, a point; keypoint:3@1,0, what moves it to the right"),
    "depth": (
        _map(1),
        "depth:10,20,30,40, the mean of a map over x,y,width,height; depth:1#10,20,30,40, of its second channel",
    ),
    "flow": (_map(1, "flow"), "flow:0#10,20,30,40, the mean of the first part of a flow over x,y,width,height"),
    "near": (_map(-1), "near:10,20,30,40, what makes that mean small"),
    "frame": (_frame, "frame:run@12, a class at a frame of an answer for each frame; frame:run@onset, where it begins"),
    "prompt": (_prompts, "prompt:a photo of a dog|a photo of a cat, why the first text and not the others"),
}
"""By its first word: what reads the rest of a written target, and an example with its meaning."""


def written_target(text: str) -> Target | None:
    """Return the target that a text such as "more:0" writes; None where it begins with none of the kinds, as the name of a class does.

    Raises:
        TargetError: what follows the colon is not about such a target.
    """
    kind, colon, about = text.partition(":")
    if not colon and "@" in text:  # depth@10,20,30,40 may be written as well
        kind, colon, about = text.partition("@")
    if not colon or kind.strip().lower() not in KINDS:
        return None
    read, example = KINDS[kind.strip().lower()]
    try:
        return read(about.strip())
    except ValueError as error:
        raise TargetError(f"{text!r} is not understood ({error}); for instance {example}") from error


def _numbers(text: str) -> tuple[float, float, float, float]:
    """Return the four numbers of a box."""
    found = [float(number) for number in text.split(",")]
    if len(found) != 4:
        raise ValueError(f"a box has four numbers, got {len(found)}")
    return found[0], found[1], found[2], found[3]


def _two(text: str) -> tuple[float, float]:
    """Return two numbers with a comma between."""
    found = [float(number) for number in text.split(",")]
    if len(found) != 2:
        raise ValueError(f"two numbers with a comma between are wanted, got {text!r}")
    return found[0], found[1]


def _index(about: str) -> int | str:
    """Return an index or a name."""
    if not about:
        raise ValueError("nothing stands behind the colon")
    return int(about) if about.lstrip("-").isdigit() else about
