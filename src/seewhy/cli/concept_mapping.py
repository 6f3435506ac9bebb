"""`seewhy concept-map`: which concepts led to what a network says of each photo."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seewhy.adapters.load import load_model
from seewhy.api import Session
from seewhy.api.concept_mapping import ConceptMap, as_dictionary, pictures_of
from seewhy.cli import console
from seewhy.cli.explaining import chosen_fit, chosen_target
from seewhy.cli.outputs import all_or_none, prepare, refuse_existing
from seewhy.cli.photos import photo_by_photo
from seewhy.concepts.dictionary import Dictionary
from seewhy.concepts.matching import check_fits
from seewhy.concepts.photo_concepts import photo_concepts
from seewhy.concepts.pictures import ConceptPictures
from seewhy.core.target import Target
from seewhy.data.picture import sample
from seewhy.engine.model import Fit
from seewhy.report import concept_map_terms as words

ENDINGS = ("png", "html", "json")


@dataclass(frozen=True)
class Order:
    """What was asked on the command line."""

    photos: list[Path]
    dictionary: Path | None
    model: str
    checkpoint: Path | None
    target: str | None
    against: str | None
    data: list[Path]
    out: Path
    fit: str | None
    cache: Path | None
    as_json: bool
    force: bool
    device: str | None


@dataclass(frozen=True)
class Job:
    """What is asked, settled for all photos."""

    order: Order
    session: Session
    dictionary: Dictionary
    target: Target
    pictures: ConceptPictures | None
    fit: Fit | None
    folder: Path

    def show(self, photo: Path, stem: str) -> dict[str, Any]:
        """Write one photo's files and print its sum; return its numbers."""
        order = self.order
        paths = {ending: self.folder / f"{stem}.concept-map.{ending}" for ending in ENDINGS}
        refuse_existing(paths.values(), force=order.force)
        made = sample(photo, self.session.model, self.fit)
        concepts = photo_concepts(self.session, made, self.dictionary, self.target)
        found = ConceptMap(concepts, self.pictures, _command(order, photo))
        with all_or_none(paths.values()):
            for path in paths.values():
                found.save(path, force=order.force)
        if not order.as_json:
            _tell(found, paths.values())
        return found.numbers() | {"files": {ending: str(path) for ending, path in paths.items()}}


def settled(order: Order) -> Job:
    """Settle what all photos share, so that a mistake in it costs no work."""
    fit = chosen_fit(order.fit)
    model = load_model(order.model, order.checkpoint)
    model.needs_preprocessing()
    session = Session(model, device=order.device)
    dictionary = as_dictionary(order.dictionary, session)
    check_fits(dictionary, model)
    target = chosen_target(model, order.target, order.against)
    folder = prepare(order.out)
    pictures = pictures_of(session, dictionary, order.data or None, fit=fit, cache=order.cache)
    return Job(order, session, dictionary, target, pictures, fit, folder)


def run(order: Order) -> None:
    """Do every photo; end with exit code 3 where some failed."""
    photo_by_photo(order.photos, lambda _: settled(order).show, as_json=order.as_json)


def _tell(found: ConceptMap, paths: Iterable[Path]) -> None:
    say, photo = console.out().print, found.photo
    say(f"{photo.sample.name}: {words.answer_line(photo)}", markup=False)
    for line in words.cautions(photo):
        say(f"  ! {line}", markup=False)
    steps = words.split(photo).steps
    width = max(len(step.name) for step in steps)
    for step in steps:
        value = f"{step.end:.3g}" if step.total else f"{step.value:+.3g}"
        say(f"  {step.name:{width}}  {value:>9}", markup=False)
    say(f"  {words.how_line(photo)}", markup=False)
    for path in paths:
        say(f"wrote  {path}", markup=False)


def _command(order: Order, photo: Path) -> str:
    """Return the command that makes the same page again."""
    words_of = ["seewhy", "concept-map", str(photo), "--model", order.model]
    for name, value in (
        ("--dictionary", order.dictionary),
        ("--target", order.target),
        ("--against", order.against),
        ("--fit", order.fit),
        ("--checkpoint", order.checkpoint),
    ):
        words_of += [name, str(value)] if value is not None else []
    for path in order.data:
        words_of += ["--data", str(path)]
    return shlex.join(words_of)
