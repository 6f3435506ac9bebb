"""A network from the user's own code: `path/to/file.py:factory`."""

import sys
import traceback
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from seewhy.adapters.checkpoint import fill, read_weights
from seewhy.engine.model import Model
from seewhy.errors import ModelError, nearest


def from_file(spec: str, checkpoint: str | Path | None = None) -> Model:
    """Return the model that a function in a Python file makes. This runs the file: it is the user's own code, as asked.

    The file may import its neighbours, as a script may. The factory takes no arguments and returns a `seewhy.Model`, with its
    preprocessing, or a `torch.nn.Module`, whose preprocessing then stays unstated. A model or a network in place of the
    factory is taken as it is.

    Args:
        spec: path of the file, a colon, and the name of the factory.
        checkpoint: weights for the network; see `seewhy.adapters.checkpoint.read_weights`.

    Raises:
        ModelError: no such file or name, an error in the user's code (with its line), or weights that do not fit.
    """
    place, _, name = spec.rpartition(":")
    path = Path(place or spec)
    if not place or not name.isidentifier():
        raise ModelError(f"{spec!r} does not say which function makes the network: {path}:function")
    if not path.is_file():
        raise ModelError(f"{path}: {'a folder' if path.is_dir() else 'no such file'}; a Python file was wanted")
    made = _made(_found(_run(path), name, path), name, path)
    if isinstance(made, nn.Module):
        note = () if checkpoint else ("no checkpoint was given: the weights are as the factory made them",)
        made = Model(made, name=f"{path.name}:{name}", notes=note)
    if not isinstance(made, Model):
        raise ModelError(f"{path}:{name} gives {type(made).__name__}; a torch.nn.Module or a seewhy.Model was wanted")
    if checkpoint is not None:
        fill(made.module, read_weights(checkpoint), made.title)
    return made


def _run(path: Path) -> ModuleType:
    """Run the file as a module of its own name; its folder is on the search path meanwhile."""
    whole = str(path.resolve())
    name = f"seewhy_file_{path.stem}_{sha256(whole.encode()).hexdigest()[:8]}"
    spec = spec_from_file_location(name, whole)
    if spec is None or spec.loader is None:
        raise ModelError(f"{path} is not a Python file; its name must end in .py")
    module = module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(name, None)
        raise ModelError(f"{path} fails{_line(error, whole)}: {_said(error)}") from error
    finally:
        sys.path.remove(str(path.resolve().parent))
    return module


def _found(module: ModuleType, name: str, path: Path) -> Any:
    if hasattr(module, name):
        return getattr(module, name)
    known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
    near = nearest(name, known) or ", ".join(map(repr, known[:6]))
    raise ModelError(f"{path} has no {name!r}" + (f"; it has {near}" if near else ""))


def _made(factory: Any, name: str, path: Path) -> Any:
    """Call the factory, if it is one."""
    if isinstance(factory, (nn.Module, Model)):
        return factory
    if not callable(factory):
        raise ModelError(f"{path}:{name} is {type(factory).__name__}; a function that returns the network was wanted")
    try:
        return factory()
    except (Exception, SystemExit) as error:
        raise ModelError(f"{path}:{name}() fails{_line(error, str(path.resolve()))}: {_said(error)}") from error


def _line(error: BaseException, whole: str) -> str:
    """Return " in line n" for the last line of the file that was running."""
    if isinstance(error, SyntaxError) and error.filename == whole:
        return f" in line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == whole]
    return f" in line {lines[-1]}" if lines else ""


def _said(error: BaseException) -> str:
    """Return the kind of an error and the first line of what it says."""
    words = error.msg if isinstance(error, SyntaxError) else str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
