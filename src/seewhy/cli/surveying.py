"""`seewhy atlas`: all units of a layer on one page."""

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from typer import Exit

from seewhy.adapters.load import load_model
from seewhy.api import Session
from seewhy.api.surveying import UnitAtlas, atlas
from seewhy.cli import console
from seewhy.cli.carding import file_stem
from seewhy.cli.explaining import chosen_fit
from seewhy.cli.outputs import all_or_none, prepare, refuse_existing
from seewhy.cli.progress import watched


@dataclass(frozen=True)
class Order:
    """What was asked on the command line."""

    model: str
    layer: str
    data: list[Path]
    checkpoint: Path | None
    units: str | None
    pictures: int
    steps: int | None
    natural: int
    ablated: int
    budget: str | None
    out: Path
    fit: str | None
    cache: Path | None
    as_json: bool
    force: bool
    seed: int
    device: str | None


def run(order: Order) -> None:
    """Make the atlas, write it, and say what is on it; what is done when it is interrupted is written, and the exit code says so."""
    with watched() as watch, console.usage():
        model = load_model(order.model, order.checkpoint)
        model.needs_preprocessing()
        folder = prepare(order.out)
        paths = {ending: folder / f"{file_stem(order.layer)}.atlas.{ending}" for ending in ("html", "json")}
        refuse_existing(paths.values(), force=order.force)
        session = Session(model, device=order.device, seed=order.seed)
        try:
            made = atlas(
                session,
                order.layer,
                order.data,
                units=order.units,
                pictures=order.pictures,
                steps=order.steps,
                natural=order.natural,
                ablated=order.ablated,
                budget=order.budget,
                fit=chosen_fit(order.fit),
                seed=order.seed,
                cache=order.cache,
                progress=watch.passes,
                price=console.say,
                command=_command(order),
            )
        except KeyboardInterrupt:
            raise console.interrupted(0, 1) from None
        with all_or_none(paths.values()):
            for path in paths.values():
                made.save(path, force=order.force)
    _tell(order, made, paths)
    if made.interrupted:
        raise Exit(console.INTERRUPTED)


def _tell(order: Order, made: UnitAtlas, paths: dict[str, Path]) -> None:
    if order.as_json:
        files = {ending: str(path) for ending, path in paths.items()}
        sys.stdout.write(json.dumps(made.numbers() | {"files": files}, indent=2) + "\n")
        return
    found, say = made.atlas, console.out().print
    say(
        f"{found.layer} of {found.model}: {len(found.units)} of {found.of} units, {found.pictures} pictures of {found.data}",
        markup=False,
    )
    for line in found.cautions:
        say(f"  ! {line}", markup=False)
    for unit in sorted((one for one in found.units if one.place is not None), key=lambda one: one.place or 0)[:5]:
        classes = ", ".join(one.name for one in unit.speaks_for[:3]) or "no clear class"
        rise = unit.importance.value if unit.importance else 0.0
        say(f"  unit {unit.channel}: loss {rise:+.3g} without it; speaks for {classes}", markup=False)
    for path in paths.values():
        say(f"wrote  {path}", markup=False)


def _command(order: Order) -> str:
    """Return the command that makes the same atlas again."""
    words = ["seewhy", "atlas", order.model, order.layer]
    for path in order.data:
        words += ["--data", str(path)]
    for name, value, usual in (
        ("--units", order.units, None),
        ("--pictures", order.pictures, 2),
        ("--steps", order.steps, None),
        ("--natural", order.natural, 256),
        ("--ablated", order.ablated, 32),
        ("--budget", order.budget, None),
        ("--fit", order.fit, None),
        ("--checkpoint", order.checkpoint, None),
        ("--seed", order.seed, 0),
    ):
        words += [name, str(value)] if value != usual else []
    return shlex.join(words)
