"""Every error that seewhy raises on purpose: what came, what was wanted, what to do next.

SeewhyError
├── LayerError      (LookupError)   no such layer, or a layer that a method cannot use
├── ShapeError      (ValueError)    a tensor of the wrong shape or kind
├── TargetError     (ValueError)    a target that does not fit what the network puts out
├── ConfigError     (ValueError)    a setting out of range, a name that is not in the registry
├── GradientError   (RuntimeError)  no gradient reaches the place where one is wanted
├── MethodError     (RuntimeError)  the method does not fit this network
├── DataError       (ValueError)    a picture, folder or file that cannot be read or written
├── ModelError      (RuntimeError)  a network that cannot be loaded or explained
│   └── OutOfMemory                 a pass that does not fit into the device's memory
└── MissingExtra    (ImportError)   an optional package is not installed
"""

from difflib import get_close_matches
from importlib import import_module
from types import ModuleType


class SeewhyError(Exception):
    """Base of every error that seewhy raises on purpose."""


class LayerError(SeewhyError, LookupError):
    """No such layer, or a layer that a method cannot use."""


class ShapeError(SeewhyError, ValueError):
    """A tensor of the wrong shape or kind."""


class TargetError(SeewhyError, ValueError):
    """A target that does not fit what the network puts out."""


class ConfigError(SeewhyError, ValueError):
    """A setting out of range, or a name that is not in the registry."""


class GradientError(SeewhyError, RuntimeError):
    """No gradient reaches the place where one is wanted."""


class MethodError(SeewhyError, RuntimeError):
    """The method does not fit this network; a map of it would be wrong."""


class DataError(SeewhyError, ValueError):
    """A picture, folder or file that cannot be read or written."""


class ModelError(SeewhyError, RuntimeError):
    """A network that cannot be loaded or explained."""


class OutOfMemory(ModelError):  # noqa: N818 (the field's own words)
    """A pass that does not fit into the device's memory."""


class MissingExtra(SeewhyError, ImportError):  # noqa: N818 (it is about the extra, and reads as such)
    """An optional package is not installed."""


def optional(package: str, extra: str) -> ModuleType:
    """Import an optional package, or raise `MissingExtra` with the line that installs it.

    A package that is installed but broken (torchvision beside a CPU build of torch raises `RuntimeError` on import)
    is told apart from a missing one.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package.partition(".")[0]:
            raise MissingExtra(
                f"{package} is installed but needs {error.name!r}, which is not: pip install {error.name}"
            ) from error
        raise MissingExtra(
            f"this needs {package}: pip install 'seewhy[{extra}]'"
            if extra
            else f"this needs {package}: pip install {package}"
        ) from None
    except Exception as error:  # a broken binary package may raise anything while it is imported
        first = str(error).strip().partition("\n")[0]
        hint = (
            " (its compiled part does not fit this build of torch; `seewhy doctor` explains)"
            if "torchvision" in f"{package} {first}"
            else ""
        )
        raise MissingExtra(
            f"{package} is installed but does not import: {type(error).__name__}: {first}{hint}"
        ) from error


def nearest(word: str, known: "list[str] | tuple[str, ...]", count: int = 3) -> str:
    """Return the known words nearest to `word`, quoted and ready for an error message; empty if none is near."""
    lowered = {name.lower(): name for name in reversed(known)}
    close = get_close_matches(word.lower(), lowered, n=count, cutoff=0.5)
    inside = [name for low, name in lowered.items() if word.lower() in low] if len(word) > 2 else []
    names = list(dict.fromkeys([lowered[low] for low in close] + sorted(inside, key=len)))[:count]
    return ", ".join(repr(name) for name in names)
