"""Targets as a command line writes them: a kind, a colon, and what it is about."""

from collections.abc import Callable, Mapping

from seewhy.core.target import Target
from seewhy.errors import TargetError
from seewhy.targets.values import Label, Regression


def _up(about: str) -> Target:
    return Regression(_index(about))


def _down(about: str) -> Target:
    return Regression(_index(about), sign=-1)


def _label(about: str) -> Target:
    return Label(_index(about))


KINDS: Mapping[str, tuple[Callable[[str], Target], str]] = {
    "up": (_up, "up:0, what drives output 0 up"),
    "down": (_down, "down:0, what drives output 0 down"),
    "label": (_label, "label:3, one label of several"),
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


def _index(about: str) -> int | str:
    """Return an index or a name."""
    if not about:
        raise ValueError("nothing stands behind the colon")
    return int(about) if about.lstrip("-").isdigit() else about
