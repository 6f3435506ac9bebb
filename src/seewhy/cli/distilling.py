"""`seewhy distill`: readable models of a network, as pages, numbers and text."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seewhy.adapters.load import load_model
from seewhy.api import Session
from seewhy.api.distilling import ALL, Distillation, distillation
from seewhy.cli import console
from seewhy.cli.explaining import chosen_fit
from seewhy.cli.progress import watched
from seewhy.concepts.dictionary import Dictionary
from seewhy.concepts.loading import load_dictionary
from seewhy.core.method import AUTO
from seewhy.data.features import features
from seewhy.surrogates.distilling import Course


@dataclass(frozen=True)
class Order:
    """What was asked on the command line."""

    model: str
    data: Path
    into: str
    on: str
    count: int
    layer: str | None
    teacher: Any
    points: float
    out: Path
    fit: str | None
    checkpoint: Path | None
    cache: Path | None
    as_json: bool
    force: bool
    seed: int
    device: str | None


def run(order: Order) -> None:
    """Distill, write the files, print the table."""
    with watched(), console.usage():
        session = Session(load_model(order.model, order.checkpoint), device=order.device, seed=order.seed)
        given = features(session, order.data, order.layer or AUTO, fit=chosen_fit(order.fit), cache=order.cache)
        into = order.into if order.into == ALL else order.into.split(",")
        course = Course(order.teacher, order.points, seed=order.seed)
        made = distillation(session, given, into, on=_on(order.on), count=order.count, course=course)
    _tell(made)


def _on(given: str) -> str | Dictionary:
    return load_dictionary(given) if given.endswith(".safetensors") else given


def _tell(made: Distillation) -> None:
    say = console.out().print
    for student in made.students.values():
        say(f"{student.surrogate.title}: fidelity {student.fidelity:.3f}", markup=False)
        say(student.text(), markup=False)
