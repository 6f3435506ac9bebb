"""`seewhy explain`: photo after photo, good ones done even where others fail."""

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from typer import Exit

from seewhy import render
from seewhy.adapters.load import load_model
from seewhy.api import Session, method
from seewhy.cli import console
from seewhy.cli.outputs import prepare, refuse_existing, stems
from seewhy.cli.summary import summary
from seewhy.core.method import Method
from seewhy.core.target import Target
from seewhy.data.picture import expand, sample
from seewhy.engine.model import Model
from seewhy.engine.recording import layer_of
from seewhy.errors import ConfigError
from seewhy.report.examine import Examination, examine
from seewhy.report.numbers import numbers
from seewhy.report.page import page
from seewhy.report.picture import picture
from seewhy.targets import ClassScore, Contrast
from seewhy.targets.classes import find_class


@dataclass(frozen=True)
class Order:
    """What was asked on the command line."""

    photos: list[Path]
    model: str
    checkpoint: Path | None
    method: str
    settings: list[str]
    target: str | None
    against: str | None
    layer: str | None
    out: Path
    fit: str | None
    hide_test: bool
    as_json: bool
    force: bool
    seed: int
    device: str | None


def run(order: Order) -> None:
    """Explain every photo; end with exit code 3 where some failed."""
    with console.usage():
        photos = expand(order.photos)
        asked = chosen_method(order.method, order.settings, order.layer)
        session = Session(load_model(order.model, order.checkpoint), device=order.device, seed=order.seed)
        target = chosen_target(session.model, order.target, order.against)
        check_layer(session, asked)
        folder = prepare(order.out)
    done: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    with _progress(len(photos)) as advance:
        for photo, stem in zip(photos, stems(photos), strict=True):
            try:
                done.append(_one(order, session, photo, folder / f"{stem}.why", target, asked))
            except KeyboardInterrupt:
                raise console.interrupted(len(done), len(photos)) from None
            except Exception as error:  # whatever is wrong with one photo, the others are still done
                if console.settings.debug:
                    raise
                console.complain(error, str(photo))
                failed.append({"photo": str(photo), "error": str(error)})
            advance()
    if order.as_json:
        sys.stdout.write(json.dumps({"photos": done, "failed": failed}, indent=2) + "\n")
    if failed:
        console.say(f"{len(failed)} of {len(photos)} failed")
        raise Exit(console.SOME_FAILED)


def _one(order: Order, session: Session, photo: Path, base: Path, target: Target, asked: Method) -> dict[str, Any]:
    """Explain one photo, write its files, print its summary; return its numbers."""
    paths = {ending: base.with_name(f"{base.name}.{ending}") for ending in ("png", "html", "json", "npz")}
    refuse_existing(paths.values(), force=order.force)
    made = sample(photo, session.model, order.fit)  # type: ignore[arg-type] (checked there)
    report, explanation = examine(session, made, target, asked, Examination(hide_test=order.hide_test), _command(order, photo))
    found = numbers(report)
    contents = {
        "png": render.png_bytes(picture(report)),
        "html": page(report).encode(),
        "json": json.dumps(found, indent=2).encode(),
    }
    explanation.save(paths["npz"], force=order.force)
    for ending, content in contents.items():
        render.write_bytes(paths[ending], content, force=order.force)
    if not order.as_json:
        console.out().print(summary(report, list(paths.values())))
    return found | {"files": {ending: str(path) for ending, path in paths.items()}}


def chosen_method(key: str, settings: list[str], layer: str | None) -> Method:
    """Return the method with its settings; the layer is one of them."""
    values: dict[str, Any] = {}
    for setting in settings:
        name, sign, value = setting.partition("=")
        if not sign:
            raise ConfigError(f"--set wants NAME=VALUE, such as steps=64; got {setting!r}")
        values[name.strip().replace("-", "_")] = _value(value.strip())
    if layer is not None:
        values["layer"] = tuple(layer.split(",")) if "," in layer else layer
    return method(key, **values)


def _value(text: str) -> Any:
    """Read a number, a list or a word."""
    if "," in text and not text.startswith("["):
        return tuple(_value(part.strip()) for part in text.split(","))
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def chosen_target(model: Model, target: str | None, against: str | None) -> Target:
    """Return the target; names are looked up at once, so that a wrong one costs no work."""
    if model.labels is not None:
        for name in filter(None, (target, against)):
            find_class(name, len(model.labels), model.labels)
    which = int(target) if target and target.isdigit() else target
    if against is None:
        return ClassScore(which)
    return Contrast(which, int(against) if against.isdigit() else against)


def check_layer(session: Session, asked: Method) -> None:
    """Raise `LayerError` at once where a layer that was named does not exist."""
    named = getattr(asked, "layer", ())
    for name in (named,) if isinstance(named, str) else named:
        if name != "auto":
            layer_of(session.network.module, name)


def _command(order: Order, photo: Path) -> str:
    """Return the command that makes the same page again."""
    words = ["seewhy", "explain", str(photo), "--model", order.model, "--method", order.method]
    for name, value in (("--target", order.target), ("--against", order.against), ("--layer", order.layer), ("--fit", order.fit)):
        words += [name, value] if value is not None else []
    words += [word for setting in order.settings for word in ("--set", setting)]
    words += ["--checkpoint", str(order.checkpoint)] if order.checkpoint else []
    words += ["--seed", str(order.seed)] if order.seed else []
    return shlex.join(words + ([] if order.hide_test else ["--no-hide-test"]))


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    """Show progress on stderr where there is more than one photo and a person watches."""
    if total < 2 or not console.is_terminal():
        yield lambda: None
        return
    columns = (TextColumn("explaining"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console.err(), transient=True) as progress:
        task = progress.add_task("explaining", total=total)
        yield lambda: progress.advance(task)


