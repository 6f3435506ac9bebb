"""Pictures made from a photo: its caricature, its inversion, its accentuation."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.target import Target
from seewhy.engine.session import Session
from seewhy.errors import ConfigError
from seewhy.render.bar import figures
from seewhy.rules.rectifiers import REDIRECTED
from seewhy.targets import Distance, Likeness
from seewhy.visualization.accentuate import Leash, accentuate
from seewhy.visualization.gallery import Gallery
from seewhy.visualization.maximize import Climb, Visualization, as_input, maximize
from seewhy.visualization.objectives import check_objectives
from seewhy.visualization.photos import features_of
from seewhy.visualization.series import Purse, Watching, dead, heard, plain
from seewhy.visualization.views import Views

NEARLY_STILL = Views(turn=2.0, scale=0.02, shift=4.0)
"""Small movements: what is compared position by position with a photo must stay in its place."""


def caricature(
    session: Session,
    photo: Float[Tensor, "c h w"],
    layers: Sequence[str],
    climb: Climb,
    *,
    power: float = 1.0,
    seed: int = 0,
    watching: Watching | None = None,
) -> Gallery:
    """Make, for each layer, a picture that repeats what the layer gives on a photo, and exaggerates it; see `seewhy.targets.Likeness`."""
    targets = [Likeness(layer, features_of(session, photo, layer), power) for layer in _some(layers)]
    return _matched(
        session,
        photo,
        targets,
        climb,
        seed=seed,
        watching=watching,
        names=[f"caricature at {layer}" for layer in layers],
    )


def invert(
    session: Session,
    photo: Float[Tensor, "c h w"],
    layers: Sequence[str],
    climb: Climb,
    *,
    seed: int = 0,
    watching: Watching | None = None,
) -> Gallery:
    """Make, for each layer, a picture that the layer takes for the photo; the scores are the distances left; see `seewhy.targets.Distance`."""
    targets = [-1 * Distance(layer, features_of(session, photo, layer)) for layer in _some(layers)]
    made = _matched(
        session,
        photo,
        targets,
        climb,
        seed=seed,
        watching=watching,
        names=[f"inversion of {layer}" for layer in layers],
    )
    return replace(
        made, scores=-made.scores, photo_scores=(0.0,) * len(layers), units=("of the way to silence",) * len(layers)
    )


def accentuated(
    session: Session,
    photo: Float[Tensor, "c h w"],
    targets: Sequence[Target],
    climb: Climb,
    leash: Leash,
    *,
    seed: int = 0,
    watching: Watching | None = None,
) -> Gallery:
    """Change a photo, for each target, as little as it takes to score higher; see `seewhy.visualization.accentuate.accentuate`."""
    names = check_objectives(session, targets, as_input(photo[None], session.model))
    purse = Purse(climb.budget, len(targets))
    found, curves = [], []
    for target, name in zip(targets, names, strict=True):
        curve: list[float] = []
        own = replace(climb, budget=purse.share())
        told = partial(watching, name) if watching is not None else None
        found.append(accentuate(session, target, photo, own, leash, seed=seed, progress=heard(curve, told)))
        purse.pay(len(curve))
        curves.append(curve)
    remarks = dict.fromkeys(
        f"{name}: the activations of {each.layer} have changed by {figures(each.distance)} of their size"
        for name, each in zip(names, found, strict=True)
    )
    made = _gallery(session, photo, [each.pictures for each in found], names, climb, seed=seed, curves=curves)
    scores = tuple(each.photo for each in found)
    return replace(made, photo_scores=scores, remarks=tuple(remarks), settings=dict(made.settings) | plain(leash))


def _matched(
    session: Session,
    photo: Float[Tensor, "c h w"],
    targets: Sequence[Target],
    climb: Climb,
    *,
    seed: int,
    watching: Watching | None,
    names: Sequence[str],
) -> Gallery:
    start = as_input(photo[None], session.model)
    check_objectives(session, targets, start)
    purse = Purse(climb.budget, len(targets))
    found, curves, own = [], [], []
    for target, name in zip(targets, names, strict=True):
        curve: list[float] = []
        told = partial(watching, name) if watching is not None else None
        how = replace(climb, budget=purse.share(), size=(photo.shape[1], photo.shape[2]))
        found.append(maximize(session, target, how, seed, heard(curve, told)))
        purse.pay(len(curve))
        curves.append(curve)
        own.append(float(session.ascent(target, start, revival=REDIRECTED).scores(session.network.accept(start))[0]))
    return replace(_gallery(session, photo, found, names, climb, seed=seed, curves=curves), photo_scores=tuple(own))


def _gallery(
    session: Session,
    photo: Float[Tensor, "c h w"],
    found: Sequence[Visualization],
    names: Sequence[str],
    climb: Climb,
    *,
    seed: int,
    curves: Sequence[Sequence[float]],
) -> Gallery:
    return Gallery(
        images=torch.cat([each.images for each in found]).cpu(),
        scores=torch.cat([each.scores for each in found]),
        targets=tuple(names),
        units=tuple(each.unit for each in found),
        seeds=(seed,) * len(found),
        notes=tuple(dead(curve) for curve in curves),
        title=session.model.title,
        settings=plain(climb),
        photo=photo.cpu(),
    )


def _some(layers: Sequence[str]) -> Sequence[str]:
    if not layers:
        raise ConfigError("no layer is named; name at least one: `seewhy layers` lists them")
    return layers
