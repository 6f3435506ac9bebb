"""Pictures made from a photo: its caricature, its inversion, its accentuation."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from seewhy.core.target import Target
from seewhy.engine.model import Model
from seewhy.errors import ConfigError, nearest
from seewhy.render.bar import figures
from seewhy.targets import Distance, Likeness
from seewhy.visualization.accentuate import Leash, accentuate
from seewhy.visualization.canvas import Fourier
from seewhy.visualization.gallery import Gallery
from seewhy.visualization.maximize import Climb, as_input, maximize
from seewhy.visualization.objectives import check_objectives
from seewhy.visualization.photos import features_of
from seewhy.visualization.purse import Purse
from seewhy.visualization.series import Series, plain
from seewhy.visualization.views import Views

WAYS = ("caricature", "inversion", "accentuation")
"""What can be made of a photo."""


def kept_in_place(model: Model, way: str) -> Climb:
    """Return how a picture is made from a photo: what is compared with the photo position by position must hardly move.

    Raises:
        ConfigError: no such way.
    """
    if way not in WAYS:
        near = nearest(way, WAYS)
        raise ConfigError(
            f"a photo gives a {', '.join(WAYS)}; got {way!r}" + (f" (did you mean {near}?)" if near else "")
        )
    pixel = min(model.needs_preprocessing()[0]) / 224
    if way == "accentuation":
        return Climb(views=Views(turn=5.0, scale=0.05, shift=8 * pixel), steps=96, patient=True)
    still = Views(count=1, turn=0.0, scale=0.0, shift=0.5 * pixel if way == "caricature" else 0.0)
    if way == "caricature":
        return Climb(Fourier(decay=1.0, finest=0.35, rate=0.15), still, steps=160, patient=True)
    return Climb(Fourier(decay=1.0, finest=None, rate=0.1), still, steps=192, tv=1.0, patient=True)


def caricatures(
    series: Series, photo: Float[Tensor, "c h w"], layers: Sequence[str], power: float = 1.0
) -> Iterator[Gallery]:
    """Yield, for each layer, a picture that repeats what the layer gives on a photo, and exaggerates it; see `seewhy.targets.Likeness`."""
    targets = [Likeness(layer, features_of(series.session, photo, layer), power) for layer in _some(layers)]
    return _matched(series, photo, targets, [f"caricature at {layer}" for layer in layers])


def inversions(series: Series, photo: Float[Tensor, "c h w"], layers: Sequence[str]) -> Iterator[Gallery]:
    """Yield, for each layer, a picture that the layer takes for the photo; the scores are the distances left; see `seewhy.targets.Distance`."""
    targets = [-1 * Distance(layer, features_of(series.session, photo, layer)) for layer in _some(layers)]
    made = _matched(series, photo, targets, [f"inversion of {layer}" for layer in layers])
    return (
        replace(one, scores=-one.scores, photo_scores=(), units=("of the photo's activations missed",)) for one in made
    )


def accentuations(
    series: Series, photo: Float[Tensor, "c h w"], targets: Sequence[Target], leash: Leash
) -> Iterator[Gallery]:
    """Yield, for each target, the photo, changed as little as it takes to score higher; see `seewhy.visualization.accentuate.accentuate`."""
    names = check_objectives(series.session, targets, as_input(photo[None], series.session.model))
    purse = Purse(series.budget, len(targets))
    return (_accentuated(series, photo, *pair, leash=leash, purse=purse) for pair in zip(targets, names, strict=True))


def _accentuated(
    series: Series, photo: Float[Tensor, "c h w"], target: Target, name: str, *, leash: Leash, purse: Purse
) -> Gallery:
    climb = replace(series.climbs(target), budget=purse.share())
    found = accentuate(series.session, target, photo, climb, leash, seed=series.seed, progress=series.told(name))
    purse.pay(len(found.pictures.curves[0]))
    made = series.gallery(found.pictures, name, climb, (series.seed,))
    return replace(
        made,
        photo=photo.cpu(),
        photo_scores=(found.photo,),
        remarks=(f"{name}: the activations of {found.layer} have changed by {figures(found.distance)} of their size",),
        settings=(made.settings[0] | {"leash": plain(leash)},),
    )


def _matched(
    series: Series, photo: Float[Tensor, "c h w"], targets: Sequence[Target], names: Sequence[str]
) -> Iterator[Gallery]:
    check_objectives(series.session, targets, as_input(photo[None], series.session.model))
    purse = Purse(series.budget, len(targets))
    return (_match(series, photo, *pair, purse) for pair in zip(targets, names, strict=True))


def _match(series: Series, photo: Float[Tensor, "c h w"], target: Target, name: str, purse: Purse) -> Gallery:
    """Make a picture that matches the photo's activations, and say what the photo itself scores."""
    session, size = series.session, (photo.shape[1], photo.shape[2])
    climb = replace(series.climbs(target), budget=purse.share(), size=size)
    made = maximize(session, target, climb, series.seed, series.told(name))
    purse.pay(len(made.curves[0]))
    start = session.network.accept(as_input(photo[None], session.model))
    known = float(session.ascent(target, start).scores(start)[0])
    return replace(series.gallery(made, name, climb, (series.seed,)), photo=photo.cpu(), photo_scores=(known,))


def _some(layers: Sequence[str]) -> Sequence[str]:
    if not layers:
        raise ConfigError("no layer is named; name at least one: `seewhy layers` lists them")
    return layers
