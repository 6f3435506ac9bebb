"""A given photo, changed as little as it takes to score higher: what in it a target responds to, and what is missing."""

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from seewhy.core.needs import Needs
from seewhy.core.target import Target
from seewhy.core.trace import Reading
from seewhy.engine.session import Session
from seewhy.errors import ConfigError
from seewhy.rules.rectifiers import reviving
from seewhy.visualization.abreast import Abreast, Rein
from seewhy.visualization.canvas import Canvas, Fourier
from seewhy.visualization.maximize import Climb, Progress, Visualization, as_input

DARKEST = 0.01
"""Values of a photo are kept so far from 0 and 1 at the start, as a sigmoid that is shut lets no change through."""

HALVINGS = 6
"""Trials that find how much of a change that went too far can stay: to one part in 64."""


@dataclass(frozen=True, eq=False)
class Overlaid(Canvas):
    """A photo, changed by what another canvas draws; the first picture is the photo itself.

    Both are added before the sigmoid. As a Fourier canvas is linear up to there, this is the same as beginning with the photo's own
    frequencies.

    Args:
        photo: (c, h, w), values from 0 to 1.
        change: what the change is made of.
    """

    photo: Float[Tensor, "c h w"]
    change: Canvas = field(default_factory=Fourier)

    @property
    def rate(self) -> float:  # type: ignore[override]
        """Step length of the canvas of the change."""
        return self.change.rate

    def begin(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        """Return the numbers of no change."""
        return torch.zeros_like(self.change.begin(shape, generator))

    def picture(self, numbers: Tensor, shape: tuple[int, ...]) -> Float[Tensor, "c h w"]:
        """Return the photo with the change."""
        photo = self.photo.to(numbers).clamp(DARKEST, 1 - DARKEST)
        changed: Tensor = (photo.logit() + self.change.picture(numbers, shape).logit(eps=1e-6)).sigmoid()
        return changed


@dataclass(frozen=True)
class Leash:
    """How near an accentuated picture stays to its photo.

    Args:
        within: largest distance |a - f| / |f| of the activations of picture and photo, both moved the same way.
        layer: where it is measured; the one half-way through the network if None.
    """

    within: float = 0.4
    layer: str | None = None

    def __post_init__(self) -> None:
        if self.within <= 0:
            raise ConfigError(
                f"how far the picture may go from the photo is a number above 0, such as 0.4; got {self.within}"
            )


@dataclass(frozen=True, eq=False)
class Accentuation:
    """A photo, accentuated.

    Attributes:
        pictures: the picture, and what it scores.
        photo: score of the photo itself.
        distance: |a - f| / |f| at `layer` between the picture and the photo as they are.
        layer: where the distance was kept.
    """

    pictures: Visualization
    photo: float
    distance: float
    layer: str


def accentuate(
    session: Session,
    target: Target,
    photo: Float[Tensor, "c h w"],
    climb: Climb,
    leash: Leash,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Accentuation:
    """Raise a photo's score, and keep it near the photo.

    The distance to the photo's activations at a layer, under the same movements, is taken off the score; its weight grows while the picture is
    farther than it may be, and shrinks while it is nearer.

    Source: Hamblin et al. 2024, Feature Accentuation, arXiv 2402.10039 (start from the photo in frequencies, the same augmentation for both,
    a penalty at a hidden layer; there its weight is fixed). What is too far at the end is shortened: the change is scaled down until the
    picture, not moved, is as near as it must be.
    """
    start = as_input(photo[None], session.model)
    layer = leash.layer or halfway(session, tuple(photo.shape))
    change = climb.canvas if isinstance(climb.canvas, Fourier) else Fourier()
    own = replace(climb, canvas=Overlaid(photo, change), size=(photo.shape[1], photo.shape[2]))
    held = _Held(session, layer, leash.within)
    ascent = session.ascent(target, start, revival=reviving, together=held, seen=frozenset({layer}))
    before = float(ascent.scores(start)[0])
    held.scale = max(abs(before), 1e-6)
    group = Abreast(session, own, (seed,), photo)
    curve = group.rise(ascent, steps=climb.steps, before=held.look, progress=progress)
    held.look(start)
    image, distance = _shortened(group, held, leash.within)
    score = ascent.scores(as_input(image, session.model))
    made = Visualization(image, score.cpu(), ascent.bound.names, ascent.bound.unit, (tuple(curve),))
    return Accentuation(made, before, distance, layer)


def _shortened(group: Abreast, held: "_Held", within: float) -> tuple[Float[Tensor, "1 c h w"], float]:
    """Return the picture, and its distance; where it has gone too far, as much of the change as is allowed, found by halving."""
    image, shown = group.finished()
    distance, least, most = held.distance_of(shown), 0.0, 1.0
    if distance <= within:
        return image, distance
    for _ in range(HALVINGS):
        middle = (least + most) / 2
        image, shown = group.finished(middle)
        distance = held.distance_of(shown)
        least, most = (middle, most) if distance <= within else (least, middle)
    image, shown = group.finished(least)
    return image, held.distance_of(shown)


def halfway(session: Session, shape: tuple[int, ...]) -> str:
    """Return the layer with a grid that is half-way through the network, of those that run once."""
    listed, _ = session.network.layers(shape[1:], shape[0])
    names = [layer.name for layer in listed if layer.grid is not None and layer.runs == 1]
    if not names:
        raise ConfigError(
            f"{session.model.title} has no layer with a spatial grid to keep the picture near the photo; name a layer"
        )
    return names[len(names) // 2]


class _Held:
    """The pull back to the photo."""

    def __init__(self, session: Session, layer: str, within: float) -> None:
        self._session, self._layer, self._within = session, layer, within
        self._features: Tensor | None = None
        self._rein = Rein(1.0, 1e-4, 1e6, quicker=1.25, slower=0.8)
        self.scale = 1.0

    def look(self, views: Float[Tensor, "n c h w"]) -> None:
        """Take the photo's activations under the movements of this step."""
        self._features = self.seen(views)

    def seen(self, views: Float[Tensor, "n c h w"]) -> Tensor:
        """Return the activations of some views; no graph is kept."""
        network = self._session.network
        needs = Needs(activations=frozenset({self._layer}))
        return network.forward(network.accept(views), needs, stop=True).reading.activation[self._layer].detach()

    def distance_of(self, shown: Float[Tensor, "1 c h w"]) -> float:
        """Return |a - f| / |f| of a picture."""
        return float(self.distance(self.seen(shown))[0])

    def distance(self, activation: Tensor) -> Float[Tensor, " n"]:
        """Return |a - f| / |f| of each view."""
        if self._features is None:
            raise ConfigError("the photo has not been looked at")
        features = self._features.flatten(1)
        size = features.square().sum(dim=1).clamp_min(1e-12)
        return ((activation.flatten(1) - features).square().sum(dim=1) / size + 1e-12).sqrt()

    def __call__(self, reading: Reading) -> Float[Tensor, ""]:
        """Return the pull, and find its weight for the next step."""
        distance = self.distance(reading.activation[self._layer])
        self._rein.pull(tighter=float(distance.detach().mean()) > self._within)
        return -self._rein.weight * self.scale * distance.square().sum()
