"""`seewhy explain`: photo after photo, good ones done even where others fail."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from seewhy import render
from seewhy.adapters.load import load_model
from seewhy.api import Session
from seewhy.choice import AUTO_METHOD, choose
from seewhy.cli import console
from seewhy.cli.choosing import MethodOrder, chosen_method, input_shape
from seewhy.cli.outputs import all_or_none, prepare, refuse_existing
from seewhy.cli.photos import photo_by_photo
from seewhy.cli.summary import summary
from seewhy.core.method import Method
from seewhy.core.target import Target
from seewhy.data.picture import sample
from seewhy.engine.anatomy import sample_of
from seewhy.engine.fast import Profile
from seewhy.engine.model import Fit, Model
from seewhy.engine.recording import layer_of
from seewhy.engine.session import Progress
from seewhy.errors import ConfigError, TargetError
from seewhy.report.examine import Examination, ask, examine
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
    about: MethodOrder
    target: str | None
    against: str | None
    out: Path
    fit: str | None
    hide_test: bool
    as_json: bool
    force: bool
    seed: int
    device: str | None
    profile: str = "exact"


@dataclass(frozen=True)
class Job:
    """What is asked, settled for all photos: the session, the target, the method, the folder."""

    order: Order
    session: Session
    target: Target
    method: Method
    why: str
    fit: Fit | None
    folder: Path

    def explain(self, photo: Path, stem: str) -> dict[str, Any]:
        """Explain one photo, write its files, print its summary; return its numbers."""
        order = self.order
        paths = {ending: self.folder / f"{stem}.why.{ending}" for ending in ("npz", "png", "html", "json")}
        refuse_existing(paths.values(), force=order.force)
        made = sample(photo, self.session.model, self.fit)
        with all_or_none(paths.values()):
            wanted = Examination(hide_test=order.hide_test, notes=(self.why,) if self.why else ())
            asked = ask(self.session, made, self.target, self.method, wanted)
            asked.explanation.save(paths["npz"], force=order.force)  # the map first: tests and page take longer
            report = examine(asked, _command(order, photo))
            found = numbers(report)
            contents = {
                "png": render.png_bytes(picture(report)),
                "html": page(report).encode(),
                "json": json.dumps(found, indent=2, allow_nan=False).encode(),
            }
            for ending, content in contents.items():
                render.write_bytes(paths[ending], content, force=order.force)
        if not order.as_json:
            console.out().print(summary(report, list(paths.values())))
        return found | {"files": {ending: str(path) for ending, path in paths.items()}}


def settled(order: Order, progress: Progress | None = None) -> Job:
    """Settle what all photos share, so that a mistake in it costs no work."""
    fit = chosen_fit(order.fit)
    model = load_model(order.model, order.checkpoint)
    model.needs_preprocessing()
    profile = chosen_profile(order.profile)
    session = Session(model, device=order.device, seed=order.seed, profile=profile, progress=progress)
    asked, why = _method(order, session)
    check_layer(session, asked)
    target = chosen_target(session.model, order.target, order.against)
    return Job(order, session, target, asked, why, fit, prepare(order.out))


def _method(order: Order, session: Session) -> tuple[Method, str]:
    """Return the method, and why it was chosen where nobody named it."""
    if order.method != AUTO_METHOD:
        return chosen_method(order.method, order.about, session.model), ""
    found = choose(session, session.network.accept(sample_of(input_shape(session.model))))
    return chosen_method(found.method.key, order.about, session.model, lenient=True), found.note


def run(order: Order) -> None:
    """Explain every photo; end with exit code 3 where some failed."""
    photo_by_photo(order.photos, lambda watch: settled(order, watch.passes).explain, as_json=order.as_json)


def chosen_fit(fit: str | None) -> Fit | None:
    """Return how pictures are fitted; None is the model's own way."""
    if fit is None:
        return None
    if fit not in get_args(Fit):
        raise ConfigError(f"--fit is 'crop', 'pad' or 'squash', got {fit!r}")
    return cast("Fit", fit)


def chosen_profile(profile: str) -> Profile:
    """Return how the network is run."""
    if profile not in get_args(Profile):
        raise ConfigError(f"--profile is 'exact' or 'fast', got {profile!r}")
    return cast("Profile", profile)


def chosen_target(model: Model, target: str | None, against: str | None) -> Target:
    """Return the target; names are looked up at once, so that a wrong one costs no work."""
    which, rival = (_known(model, name) for name in (target, against))
    if rival is None:
        return ClassScore(which)
    if which == rival:
        raise TargetError(f"a contrast needs two different classes, got {target!r} twice")
    return Contrast(which, rival)


def _known(model: Model, name: str | None) -> int | str | None:
    """Return the index of a class that the model names; a model without labels takes an index as it is."""
    if name is None or model.labels is None:
        return int(name) if name and name.isdigit() else name
    return find_class(name, len(model.labels), model.labels)


def check_layer(session: Session, asked: Method) -> None:
    """Raise `LayerError` at once where a layer that was named does not exist."""
    named = getattr(asked, "layer", ())
    for name in (named,) if isinstance(named, str) else named:
        if name != "auto":
            layer_of(session.network.module, name)


def _command(order: Order, photo: Path) -> str:
    """Return the command that makes the same page again."""
    words = ["seewhy", "explain", str(photo), "--model", order.model, "--method", order.method]
    for name, value in (
        ("--target", order.target),
        ("--against", order.against),
        ("--fit", order.fit),
    ):
        words += [name, value] if value is not None else []
    words += order.about.words()
    words += ["--profile", order.profile] if order.profile != "exact" else []
    words += ["--checkpoint", str(order.checkpoint)] if order.checkpoint else []
    words += ["--seed", str(order.seed)] if order.seed else []
    return shlex.join(words + ([] if order.hide_test else ["--no-hide-test"]))
