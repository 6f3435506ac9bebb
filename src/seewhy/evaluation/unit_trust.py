"""How far to trust the pictures that were made for a unit: five checks, each a number with its measure beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.evaluation.natural import Natural
from seewhy.ops.ranking import correlation, ranks

WORST = 0.1
"""Share of the views that count as the worst."""


@dataclass(frozen=True)
class Reached:
    """Does the picture excite the unit as much as a natural one does?

    A picture that was made for a unit and stays below what a photo gives did not get there: its look says little.

    Attributes:
        value: largest activation of the unit on the picture that was made.
        natural: largest activation on any natural picture.
        ratio: value / natural; None where the unit is never above zero on natural pictures.
    """

    value: float
    natural: float
    ratio: float | None

    @property
    def holds(self) -> bool:
        """Whether the picture reaches what natural ones do."""
        return self.value >= self.natural


def reached(value: float, natural: float) -> Reached:
    """Compare the value on a picture that was made with the largest natural one."""
    return Reached(value, natural, value / natural if natural > 0 else None)


@dataclass(frozen=True)
class Robustness:
    """Does the value survive when the picture is shifted, turned and scaled a little?

    Speckle that only works at its exact pixels falls to nothing.

    Attributes:
        mean: mean value over fresh random views, as a share of the value of the picture as it is.
        worst: mean over the worst tenth of the views.
        views: how many.
    """

    mean: float
    worst: float
    views: int

    @property
    def holds(self) -> bool:
        """Whether the views keep half of the value even in the worst tenth."""
        return self.worst >= 0.5


def robustness(value: float, moved: Float[Tensor, " n"]) -> Robustness | None:
    """Compare the values of views of a picture with that of the picture as it is; None where that is not above zero."""
    if value <= 0:
        return None
    shares = (moved / value).sort().values
    count = max(1, round(WORST * len(shares)))
    return Robustness(float(shares.mean()), float(shares[:count].mean()), len(shares))


@dataclass(frozen=True)
class OwnRank:
    """Is it this unit that its picture excites, among all of its layer?

    Attributes:
        rank: place of the unit, 1 is the first, when all are ordered by how far above their natural mean the picture lifts them.
        units: how many units can be ordered; those that never move cannot.
        standing: how many natural deviations the picture lifts this unit above its natural mean.
        first: the unit in first place.
    """

    rank: int
    units: int
    standing: float
    first: int

    @property
    def holds(self) -> bool:
        """Whether the unit is among the first percent, or the first at all."""
        return self.rank <= max(1, self.units // 100)


def own_rank(values: Float[Tensor, " c"], natural: Natural, channel: int) -> OwnRank | None:
    """Rank a unit on a picture by z = (value - natural mean) / natural deviation; None where its largest value never changes."""
    standing = natural.standing(values[None])[0]
    mine = standing[channel]
    if mine.isnan():
        return None
    seen = standing.nan_to_num(-torch.inf)
    return OwnRank(1 + int((seen > mine).sum()), int((~standing.isnan()).sum()), float(mine), int(seen.argmax()))


@dataclass(frozen=True)
class Agreement:
    """Do pictures from different starts show the network the same thing?

    Mean cosine over all pairs, of features of which the natural mean has been taken off; so two pictures drawn at random have about 0.
    Where the pictures agree less than the natural ones do, the unit may look for several things. That is a hint, no more: one thing
    that is written down in two ways disagrees as well.

    Attributes:
        layer: where the features are taken.
        made: of the pictures that were made.
        top: of the strongest natural pictures.
        usual: of natural pictures drawn at random.
        pictures: how many were made.
    """

    layer: str
    made: float
    top: float
    usual: float
    pictures: int

    @property
    def holds(self) -> bool:
        """Whether the pictures that were made agree at least as well as the strongest natural ones."""
        return self.made >= self.top


def agreement(
    made: Float[Tensor, "s c"],
    top: Float[Tensor, "t c"],
    usual: Float[Tensor, "r c"],
    centre: Float[Tensor, " c"],
    layer: str,
) -> Agreement | None:
    """Compare pictures by their features; None where there are not two of each."""
    if min(len(made), len(top), len(usual)) < 2:
        return None
    mine, natural, whoever = (mean_cosine(rows - centre) for rows in (made, top, usual))
    return Agreement(layer, mine, natural, whoever, len(made))


def mean_cosine(rows: Float[Tensor, "n c"]) -> float:
    """Return the mean cosine over all pairs of different rows; a row of zeros is at a right angle to everything."""
    unit = torch.nn.functional.normalize(rows, dim=1)
    count = len(rows)
    between = unit @ unit.T
    return float((between.sum() - between.diagonal().sum()) / (count * (count - 1)))


@dataclass(frozen=True)
class PathPoint:
    """One layer on the way to the unit: mean similarities to the strongest natural pictures.

    Attributes:
        layer: the layer.
        made: of the pictures that were made.
        top: of the strongest natural pictures to each other.
        low, high: the tenth and ninetieth percentile of that over the pictures: the band in which natural pictures lie.
        usual: of natural pictures drawn at random.
        index: (made - usual) / (top - usual): 1 as similar as they are to each other, 0 no more than any picture; None where the
            strongest pictures are hardly more similar to each other than to any picture, so that the scale has no length.
    """

    layer: str
    made: float
    top: float
    low: float
    high: float
    usual: float
    index: float | None

    @property
    def inside(self) -> bool:
        """Whether the pictures that were made are at least as similar as the band of the natural ones."""
        return self.made >= self.low


@dataclass(frozen=True)
class Path:
    """Do the pictures that were made take the way through the network that natural ones take?

    Attributes:
        points: layer by layer, the unit's own last.
        index: mean index over the layers where it can be told; None where there is none.
    """

    points: tuple[PathPoint, ...]
    index: float | None

    @property
    def inside(self) -> int:
        """At how many layers the pictures that were made lie within the band of natural ones, or above."""
        return sum(point.inside for point in self.points)

    @property
    def anyone(self) -> int:
        """At how many layers any natural picture lies there as well, so that the band tells nothing about this unit."""
        return sum(point.usual >= point.low for point in self.points)

    @property
    def holds(self) -> bool | None:
        """Whether they lie within the band at more than half of the layers; None where any natural picture does so too, which says little."""
        if 2 * self.inside <= len(self.points):
            return False
        return True if 2 * self.anyone <= len(self.points) else None


def path_similarity(
    made: Mapping[str, Float[Tensor, "s c"]],
    top: Mapping[str, Float[Tensor, "t c"]],
    usual: Mapping[str, Float[Tensor, "r c"]],
    layers: Sequence[str],
) -> Path | None:
    """Compare, layer by layer, pictures with the strongest natural ones of a unit.

    Similarity is Spearman's correlation of the activations, as in the paper. The paper compares whole pictures; here each picture is compared where the
    unit is most active in it, as a unit may find what it looks for anywhere. Each natural picture is compared with all others; what they reach
    is the measure. The index is on the paper's scale: 1 for the strongest natural pictures among each other, 0 for any picture with them. In
    a small folder the strongest pictures of a unit may have little in common; then only the band says something.

    Args:
        made, top, usual: what each layer gives for the pictures that were made, for the strongest natural ones, and for some drawn at random.
        layers: in their order.

    Returns:
        None where there are fewer than three strongest pictures, or none of the others.

    Source: Geirhos et al. 2024, Don't trust your eyes: on the (un)reliability of feature visualizations, arXiv 2306.04719, section 4.
    """
    if any(len(top[name]) < 3 or not len(made[name]) or not len(usual[name]) for name in layers):
        return None
    points = tuple(_point(name, made[name], top[name], usual[name]) for name in layers)
    told = [point.index for point in points if point.index is not None]
    return Path(points, sum(told) / len(told) if told else None)


def _point(layer: str, made: Tensor, top: Tensor, usual: Tensor) -> PathPoint:
    similar = correlation(ranks(torch.cat([top, made, usual]))).nan_to_num(0.0)  # what is constant is like nothing
    count, end = len(top), len(top) + len(made)
    among = similar[:count, :count]
    each = (among.sum(dim=1) - among.diagonal()) / (count - 1)  # of one natural picture to the others
    mine, whoever, natural = (float(part.mean()) for part in (similar[count:end, :count], similar[end:, :count], each))
    doubt = 2 * float(each.std()) / count**0.5
    index = (mine - whoever) / (natural - whoever) if natural - whoever > max(doubt, 1e-6) else None
    low, high = each.quantile(torch.tensor([0.1, 0.9], dtype=each.dtype)).tolist()
    return PathPoint(layer, mine, natural, low, high, whoever, index)


@dataclass(frozen=True)
class Trust:
    """The five checks of one unit; a check that could not be made is None."""

    reached: Reached
    robustness: Robustness | None
    rank: OwnRank | None
    agreement: Agreement | None
    path: Path | None

    @property
    def made(self) -> int:
        """How many checks say something."""
        return sum(check is not None and check.holds is not None for check in self._checks)

    @property
    def held(self) -> int:
        """How many of them hold."""
        return sum(check is not None and check.holds is True for check in self._checks)

    @property
    def _checks(self) -> tuple[Reached | Robustness | OwnRank | Agreement | Path | None, ...]:
        return self.reached, self.robustness, self.rank, self.agreement, self.path
