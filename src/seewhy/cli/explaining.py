"""`seewhy explain`: source after source, good ones done even where others fail."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args

from seewhy.adapters.load import load_model
from seewhy.api import Session
from seewhy.choice import AUTO_METHOD, choose
from seewhy.cli.choosing import chosen_method, input_shape
from seewhy.cli.explaining_clips import explain_clip
from seewhy.cli.explaining_photos import explain_photo
from seewhy.cli.explaining_volumes import explain_scan
from seewhy.cli.job import Job, Order, chosen_short
from seewhy.cli.outputs import prepare
from seewhy.cli.photos import Show, photo_by_photo
from seewhy.cli.progress import Watch
from seewhy.core.method import Method
from seewhy.core.target import Target
from seewhy.data.medical import is_scan, scans_among
from seewhy.data.picture import expand
from seewhy.data.source import clips_in, holds_frames
from seewhy.data.video import is_video
from seewhy.engine.anatomy import sample_of
from seewhy.engine.fast import Profile
from seewhy.engine.model import Fit, Model
from seewhy.engine.recording import layer_of
from seewhy.engine.session import Progress
from seewhy.errors import ConfigError, TargetError
from seewhy.targets import ClassScore, Contrast
from seewhy.targets.classes import find_class
from seewhy.targets.labels import POINT, FoundLabels
from seewhy.targets.written import written_target


def settled(order: Order, progress: Progress | None = None) -> Job:
    """Settle what all photos share, so that a mistake in it costs no work."""
    fit = chosen_fit(order.fit)
    chosen_short(order.clip.short)
    model = load_model(order.model, order.checkpoint)
    model.needs_preprocessing()
    if order.clip.frames is not None:
        model = replace(model, frames=order.clip.frames)
    profile = chosen_profile(order.profile)
    session = Session(model, device=order.device, seed=order.seed, profile=profile, progress=progress)
    asked, why = _method(order, session)
    check_layer(session, asked)
    target = chosen_target(session.model, order.target, order.against)
    return Job(order, session, target, asked, why, fit, prepare(order.out), progress)


def _method(order: Order, session: Session) -> tuple[Method, str]:
    """Return the method, and why it was chosen where nobody named it."""
    if order.method != AUTO_METHOD:
        return chosen_method(order.method, order.about, session.model), ""
    found = choose(session, session.network.accept(sample_of(input_shape(session.model))))
    return chosen_method(found.method.key, order.about, session.model, lenient=True), found.note


def explain_source(job: Job, source: Path, stem: str) -> dict[str, Any]:
    """Explain one source after its kind."""
    if is_scan(source):
        return explain_scan(job, source, stem)
    if is_video(source) or (job.session.model.frames is not None and holds_frames(source)):
        return explain_clip(job, source, stem)
    return explain_photo(job, source, stem)


def run(order: Order) -> None:
    """Explain every source; end with exit code 3 where some failed."""
    jobs: list[Job] = []

    def settle(watch: Watch) -> Show:
        jobs.append(settled(order, watch.passes))
        return partial(explain_source, jobs[0])

    def sources(given: list[Path]) -> list[Path]:
        scans, others = scans_among(given)
        return scans + _others(others)

    def _others(given: list[Path]) -> list[Path]:
        if not given:
            return []
        return expand(given) if jobs[0].session.model.frames is None else clips_in(given)

    photo_by_photo(order.photos, settle, as_json=order.as_json, sources=sources)


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
    asked = found_labels(model, target) or (written_target(target) if target else None)
    if asked is not None and against is None:
        return asked
    which, rival = (_known(model, name) for name in (target, against))
    if rival is None:
        return ClassScore(which)
    if which == rival:
        raise TargetError(f"a contrast needs two different classes, got {target!r} twice")
    return Contrast(which, rival)


def found_labels(model: Model, target: str | None) -> Target | None:
    """Return the target of all found labels where "labels" or "labels:0.3" is written; the model's own operating points without a number."""
    word, colon, about = (target or "").partition(":")
    if word.strip().lower() != "labels" or (not colon and target in (model.labels or ())):
        return None
    if not colon:
        points = POINT if model.operating_points is None else model.operating_points
        return FoundLabels(points if isinstance(points, (int, float)) else tuple(points))
    try:
        return FoundLabels(float(about))
    except ValueError as error:
        raise TargetError(
            f"{target!r} is not understood ({error}); for instance labels:0.5, every label with that probability"
        ) from error


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
