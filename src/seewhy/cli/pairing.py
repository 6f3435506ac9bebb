"""`seewhy similar`: two pictures, how alike a network finds them, and where."""

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from seewhy.adapters.load import load_model
from seewhy.api import Session
from seewhy.api.pairing import similarity
from seewhy.cli import console
from seewhy.cli.choosing import MethodOrder, chosen_method
from seewhy.cli.explaining import chosen_fit
from seewhy.cli.outputs import all_or_none, prepare, refuse_existing
from seewhy.cli.progress import Watch, watched
from seewhy.errors import ConfigError
from seewhy.report.pair import SimilarityReport
from seewhy.targets.similarity import Measure

MEASURES: dict[str, Measure] = {"cosine": "cosine", "dot": "dot", "distance": "distance"}


@dataclass(frozen=True)
class Order:
    """What was asked on the command line."""

    first: Path
    second: Path
    model: str
    checkpoint: Path | None
    method: str
    about: MethodOrder
    measure: str
    threshold: float | None
    embedding: str | None
    out: Path
    fit: str | None
    as_json: bool
    force: bool
    seed: int
    device: str | None


def run(order: Order) -> None:
    """Compare the two pictures, write page, picture and numbers, and say what was found."""
    with watched() as watch, console.usage():
        made, paths = _compared(order, watch)
    if order.as_json:
        numbers = made.numbers() | {"files": {path.suffix[1:]: str(path) for path in paths}}
        sys.stdout.write(json.dumps(numbers, indent=2, allow_nan=False) + "\n")
        return
    for line in (made.verdict(), *made.lines(), *(f"wrote  {path}" for path in paths)):
        console.out().print(line, markup=False, highlight=False)


def _compared(order: Order, watch: Watch) -> tuple[SimilarityReport, list[Path]]:
    """Compare, and write the files."""
    if order.measure not in MEASURES:
        raise ConfigError(f"--measure is one of {', '.join(MEASURES)}, got {order.measure!r}")
    model = load_model(order.model, order.checkpoint)
    session = Session(model, device=order.device, seed=order.seed, progress=watch.passes)
    method = chosen_method(order.method, order.about, session.model)
    stem = f"{order.first.stem}-{order.second.stem}"
    folder = prepare(order.out)
    paths = {ending: folder / f"{stem}.similar.{ending}" for ending in ("html", "png", "json")}
    refuse_existing(paths.values(), force=order.force)
    made = similarity(
        order.first,
        order.second,
        session,
        method=method,
        measure=MEASURES[order.measure],
        threshold=order.threshold,
        layer=order.embedding,
        fit=chosen_fit(order.fit),
        command=_command(order),
    )
    with all_or_none(paths.values()):
        for path in paths.values():
            made.save(path, force=order.force)
    return made, list(paths.values())


def _command(order: Order) -> str:
    words = ["seewhy", "similar", str(order.first), str(order.second)]
    for name, value, usual in (
        ("--model", order.model, "efficientnet-lite0"),
        ("--checkpoint", order.checkpoint, None),
        ("--method", order.method, "grad-cam"),
        ("--measure", order.measure, "cosine"),
        ("--threshold", order.threshold, None),
        ("--embedding", order.embedding, None),
        ("--fit", order.fit, None),
        ("--seed", order.seed, 0),
    ):
        words += [name, str(value)] if value != usual else []
    return shlex.join([*words, *order.about.words()])
