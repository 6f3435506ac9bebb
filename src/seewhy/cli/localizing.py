"""`seewhy local`: readable models of what a network does around each photo."""

import shlex
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from seewhy.adapters.load import load_model
from seewhy.api import Session
from seewhy.api.localizing import ROWS, Local, local, local_kinds_of
from seewhy.attribution.lime import LIME
from seewhy.cli import console
from seewhy.cli.choosing import MethodOrder, chosen_method
from seewhy.cli.explaining import chosen_fit, chosen_target
from seewhy.cli.outputs import all_or_none, prepare, refuse_existing
from seewhy.cli.photos import photo_by_photo
from seewhy.cli.progress import Watch
from seewhy.surrogates.local_surrogate import Around

ENDINGS = ("html", "png", "json")


@dataclass(frozen=True)
class Order:
    """What was asked on the command line."""

    photos: list[Path]
    model: str
    checkpoint: Path | None
    into: str
    target: str | None
    against: str | None
    samples: int
    runs: int
    size: int | None
    keep: float
    count: int
    segments: str | None
    fill: str | None
    budget: str | None
    out: Path
    fit: str | None
    as_json: bool
    force: bool
    seed: int
    device: str | None


def run(order: Order) -> None:
    """Read every photo; end with exit code 3 where some failed."""
    photo_by_photo(order.photos, partial(_settled, order), as_json=order.as_json)


def _settled(order: Order, watch: Watch) -> Any:
    """Settle what all photos share, so that a mistake in it costs no work."""
    local_kinds_of(order.into)
    model = load_model(order.model, order.checkpoint)
    model.needs_preprocessing()
    session = Session(model, device=order.device, seed=order.seed, rows=ROWS)
    target, folder = chosen_target(model, order.target, order.against), prepare(order.out)
    settings = _settings(order, session)
    Around(**settings)

    def show(photo: Path, stem: str) -> dict[str, Any]:
        paths = {ending: folder / f"{stem}.local.{ending}" for ending in ENDINGS}
        refuse_existing(paths.values(), force=order.force)
        made = local(
            photo,
            session,
            order.into,
            target=target,
            fit=chosen_fit(order.fit),
            progress=watch.passes,
            command=_command(order, photo),
            **settings,
        )
        with all_or_none(paths.values()):
            for path in paths.values():
                made.save(path, force=order.force)
        if not order.as_json:
            _tell(made, list(paths.values()))
        return made.numbers() | {"files": {ending: str(path) for ending, path in paths.items()}}

    return show


def _settings(order: Order, session: Session) -> dict[str, Any]:
    """Return how neighbours are drawn."""
    said = MethodOrder(budget=order.budget, segments=order.segments, fill=order.fill)
    lime = chosen_method(LIME.key, said, session.model)  # the same neighbours, so the same options
    shared = {name: getattr(lime, name) for name in ("budget", "segments", "fill")}
    own = {name: getattr(order, name) for name in ("samples", "runs", "size", "keep", "count")}
    return shared | own


def _tell(made: Local, paths: list[Path]) -> None:
    say = console.out().print
    for one in made.surrogates.values():
        say(one.text(), markup=False, highlight=False)
    for path in paths:
        say(f"wrote  {path}", markup=False)


def _command(order: Order, photo: Path) -> str:
    """Return the command that makes the same page again."""
    words = ["seewhy", "local", str(photo)]
    for name, value, usual in (
        ("--model", order.model, "efficientnet-lite0"),
        ("--checkpoint", order.checkpoint, None),
        ("--into", order.into, "all"),
        ("--target", order.target, None),
        ("--against", order.against, None),
        ("--samples", order.samples, Around.samples),
        ("--runs", order.runs, Around.runs),
        ("--size", order.size, None),
        ("--keep", order.keep, Around.keep),
        ("--count", order.count, Around.count),
        ("--segments", order.segments, None),
        ("--fill", order.fill, None),
        ("--budget", order.budget, None),
        ("--fit", order.fit, None),
        ("--seed", order.seed, 0),
    ):
        words += [name, str(value)] if value != usual else []
    return shlex.join(words)
