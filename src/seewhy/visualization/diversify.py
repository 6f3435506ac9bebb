"""Several pictures for one target that differ from each other: what else excites a unit."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.budget import Budget
from seewhy.core.needs import Needs
from seewhy.core.target import Target
from seewhy.core.trace import Reading
from seewhy.engine.session import Session
from seewhy.errors import ConfigError
from seewhy.rules.rectifiers import reviving
from seewhy.targets.inside import columns_of
from seewhy.visualization.abreast import Abreast, Rein
from seewhy.visualization.maximize import Climb, Progress, Visualization, as_seen, maximize
from seewhy.visualization.purse import Purse

MARGIN = 0.05
"""By how much more than what must be kept is kept on the way, as the score of a picture that is moved is not that of the picture as it is."""

MOST_REPAIRS = 8
"""Times a sixteenth of the steps may be added, plain, where the pictures have lost too much of the score."""


@dataclass(frozen=True)
class Diversity:
    """How different several pictures for one target are to be.

    Args:
        weight: at which the likeness of the pictures is punished at first, as a share of the score of a plain picture.
        keep: share of the plain picture's score that the pictures keep; as long as they do, the weight grows.
        layer: where the pictures are compared; the layer that the target reads, or the one that methods look at, if None.
    """

    weight: float = 0.5
    keep: float = 0.9
    layer: str | None = None

    def __post_init__(self) -> None:
        if self.weight <= 0 or not 0 < self.keep < 1:
            raise ConfigError(
                f"diversity wants a weight above 0 and a share to keep between 0 and 1, got {self.weight} and {self.keep}"
            )


@dataclass(frozen=True, eq=False)
class Diverse:
    """Pictures for one target that differ.

    Attributes:
        pictures: the pictures, and what they score.
        plain: score of the plain picture of the first seed.
        likeness: mean cosine of the pictures' Gram matrices, over pairs.
        layer: where they were compared.
        steps: that all of it took, of one picture each.
    """

    pictures: Visualization
    plain: float
    likeness: float
    layer: str
    steps: int


def diversify(
    session: Session,
    target: Target,
    climb: Climb,
    *,
    count: int,
    diversity: Diversity,
    seed: int = 0,
    progress: Progress | None = None,
) -> Diverse:
    """Make pictures that all score high, and whose activations have different Gram matrices.

    A plain picture is made first and tells what can be scored. Then all pictures climb in one batch; the mean cosine of their Gram matrices
    is taken off the score, with a weight that grows while they keep `keep` of the plain score at that step, and shrinks while they do not.
    What is short of it at the end is made up for by plain steps. So it takes one climb more than there are pictures.

    Source: Olah et al. 2017, Feature Visualization, doi 10.23915/distill.00007, section "Diversity" (the cosine of Gram matrices, with a
    fixed weight; the weight that follows the score is our own).

    Raises:
        ConfigError: fewer than two pictures.
    """
    if count < 2:
        raise ConfigError(f"pictures differ from each other where there are at least two, got count={count}")
    purse = Purse(climb.budget, count + 1)
    plain = maximize(session, target, replace(climb, patient=True, budget=purse.share()), seed, progress)
    reached, curve = float(plain.scores[0]), plain.curves[0]
    start = as_seen(plain.images, session.model, climb)
    layer = (
        diversity.layer
        or min(target.needs().layers, default="")
        or session.network.target_layer(session.network.accept(start))
    )
    size = max(abs(reached), abs(reached - curve[0]))
    rein = Rein(diversity.weight, diversity.weight / 64, diversity.weight * 64)

    def apart(reading: Reading) -> Float[Tensor, ""]:
        seen = reading.activation[layer]
        return -rein.weight * size * len(seen) * likeness(seen, count)

    def follow(step: int, score: float) -> None:
        wanted = curve[min(step, len(curve) - 1)]
        rein.pull(tighter=score >= wanted - (1 - diversity.keep - MARGIN) * abs(wanted))

    purse.pay(len(curve))
    group = Abreast(session, replace(climb, budget=_each(purse, count)), range(seed, seed + count))
    ascent = session.ascent(target, start, revival=reviving, together=apart, seen=frozenset({layer}))
    risen = group.rise(ascent, steps=len(curve), after=follow, progress=progress)
    alone = session.ascent(target, start, revival=reviving)
    floor = reached - (1 - diversity.keep) * abs(reached)
    images, shown = group.finished()
    scores = alone.scores(shown)
    for _ in range(MOST_REPAIRS):
        if float(scores.mean()) >= floor:
            break
        risen += group.rise(alone, steps=max(1, len(curve) // 16))
        images, shown = group.finished()
        scores = alone.scores(shown)
    seen = session.network.forward(session.network.accept(shown), Needs(frozenset({layer})), stop=True).reading
    pictures = Visualization(images, scores.cpu(), alone.bound.names * count, alone.bound.unit, (tuple(risen),) * count)
    return Diverse(
        pictures, reached, float(likeness(seen.activation[layer], count)), layer, len(curve) + count * len(risen)
    )


def _each(purse: Purse, count: int) -> Budget:
    """Return what pictures that climb side by side may spend: the steps of one, or the time of all."""
    share = purse.share(count)
    return max(1, share // count) if isinstance(share, int) else share


def likeness(activation: Float[Tensor, "b ..."], count: int) -> Float[Tensor, ""]:
    """Return the mean cosine, over pairs of pictures, of the Gram matrices of their channels; each picture has as many views as the others."""
    columns = columns_of(activation)
    gram = (columns @ columns.transpose(1, 2)).flatten(1).view(count, -1, columns.shape[1] ** 2).mean(dim=1)
    unit = gram / gram.norm(dim=1, keepdim=True).clamp_min(torch.finfo(gram.dtype).tiny)
    pairs: Tensor = (unit @ unit.T).sum() - unit.square().sum()
    return pairs / (count * (count - 1))
