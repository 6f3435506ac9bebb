"""Partition SHAP: Owen values of a picture that is cut in halves, and halves again, where it matters most."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seewhy.core.budget import Allowance
from seewhy.core.game import Game, Shares
from seewhy.core.method import Source
from seewhy.core.perturbing import SegmentMethod, stopped
from seewhy.core.registry import register
from seewhy.core.values import Array
from seewhy.errors import ConfigError
from seewhy.ops.coalitions import halves
from seewhy.ops.segments import centroids, lengths_of

AT_ONCE = 8
"""Regions that are cut before the next ones are chosen: enough for a batch, few enough to choose well."""


@dataclass(frozen=True, eq=False)
class Region:
    """A region of the picture in one context: what it adds there is still to be shared among its segments.

    Attributes:
        members: its segments.
        others: who else is shown.
        without, within: the score without the region and with it.
        weight: the share of the orders of the hierarchy in which it joins these others.
    """

    members: Int[Tensor, " k"]
    others: Bool[Tensor, " n"]
    without: float
    within: float
    weight: float

    @property
    def gain(self) -> float:
        """What it adds, weighted."""
        return self.weight * (self.within - self.without)


@register
@dataclass(frozen=True)
class PartitionSHAP(SegmentMethod):
    """Cut the picture in halves, share what it adds between them as two players do, and go on in the halves where most is at stake.

    map = phi / pixels of the segment. A region with halves A and B adds f(S + A + B) - f(S) to the others S; A gets half of
    f(S + A) - f(S) and half of f(S + A + B) - f(S + B), and so does B. Down to single segments these are Owen values: Shapley values
    over the orders in which each half joins as one. What is left undivided when the samples are spent is spread evenly.

    Args:
        fill: what is shown where a segment is hidden; everything hidden is "nothing".
        budget: the most that may be spent.
        segments: "grid" (equal boxes), "slic" (by colour and place), or a map of integers of the size of the network's input; a region is
            cut across its longer side, by the centres of its segments.
        count: about how many segments: how fine the map may become.
        samples: coalitions, at least 2; each cut takes two.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, in units of the score per pixel; positive speaks for the target. The sum is
        score(x) - score(nothing), exactly, and the sum over a region its value. With the mean number of pixels of a region that was not
        divided further, regions weighted by what they add: how fine the map really is.

    Raises:
        ConfigError: fewer than 2 samples, or a budget that does not pay for them.
        ShapeError: a segment map of another size than the input's.
        MethodError: the image is a single segment.

    Limits: an object that a cut goes through is asked about in parts. A region of which the halves cancel out may stay undivided. Another
        hierarchy, or another fill, gives other values.
    Source: Owen 1977, Values of games with a priori unions, doi 10.1007/978-3-642-45494-3_7; the budgeted search for a picture is that of
        the Partition explainer of SHAP (Lundberg & Lee 2017, arXiv 1705.07874). Differs in: the region with the largest weighted gain is
        cut next, eight at a time; boxes instead of pixels at the end.
    """

    segments: str | Array = "grid"
    count: int = 256
    samples: int = 500

    key = "partition-shap"
    title = "Partition SHAP"
    complete = True
    source = Source(
        "Owen 1977, Values of games with a priori unions, doi 10.1007/978-3-642-45494-3_7; Lundberg & Lee 2017",
        "1705.07874",
    )
    merit = "adds up exactly, draws nothing at random, and looks closer where most is at stake"
    caution = "boxes follow no outline: an object that a cut goes through is asked about in parts"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.samples < 2 or (Allowance.of(self.budget).forwards or 3) < 3:
            raise ConfigError(
                f"{self.key} wants at least 2 samples, and a budget of at least 3 forwards, got {self.samples} and {self.budget!r}"
            )

    def coalitions_asked(self, segments: Int[Tensor, "*spatial"]) -> int:
        """Return nothing shown, and two for each cut, as far as there is something to cut."""
        return 1 + 2 * min(self.samples // 2, _cuts(_places(segments), 1, self.samples // 2))

    def shares(self, game: Game) -> Shares:
        """Return the Owen values, as far as the samples go."""
        nothing = next(game.worths([game.nobody()]))
        everyone = torch.arange(game.players)
        search = Search(game, Region(everyone, game.nobody(), nothing, game.full, 1.0))
        planned = self.samples // 2
        paid = Allowance.of(self.budget).forwards
        most = min(planned, (paid - 1) // 2) if paid else planned
        for wanted in self.affordable(search.waves(most)):
            search.cut_next(wanted)
        notes = stopped(2 * search.done, 2 * planned, "coalitions") if self.budget and search.open else ()
        figures = {"pixels of an undivided region": search.resolution()}
        return Shares(search.values(), game.full - nothing, None, figures, notes)


class Search:
    """A best-first search through the hierarchy, which is made where it is looked at."""

    def __init__(self, game: Game, root: Region) -> None:
        self._game, self._places = game, _places(game.segments)
        self._sizes = torch.bincount(game.segments.flatten()).double()
        self._number = count()
        self._halves: dict[int, tuple[Tensor, Tensor]] = {}
        self._open: list[tuple[float, int, Region]] = []
        self._single: list[Region] = []
        self.done = 0
        self._root = root  # kept, as members are known by their identity
        self._enter(root)

    @property
    def open(self) -> bool:
        """Whether there is something left to cut."""
        return bool(self._open)

    def waves(self, most: int) -> Iterator[int]:
        """Yield how many regions are to be cut next, until there are none or `most` were."""
        while self._open and self.done < most:
            yield min(AT_ONCE, len(self._open), most - self.done)

    def cut_next(self, number: int) -> None:
        """Cut the regions with the largest gains in halves, and share out what they add."""
        regions = [heappop(self._open)[2] for _ in range(number)]
        pairs = [self._halved(region.members) for region in regions]
        asked = (_with(one.others, half) for one, pair in zip(regions, pairs, strict=True) for half in pair)
        worths = list(self._game.worths(asked))
        for n, (region, (left, right)) in enumerate(zip(regions, pairs, strict=True)):
            self._share(region, left, right, worths[2 * n], worths[2 * n + 1])
        self.done += len(regions)

    def _halved(self, members: Int[Tensor, " k"]) -> tuple[Tensor, Tensor]:
        """Return the halves of a region, the same for all contexts in which it is cut."""
        if id(members) not in self._halves:
            first = halves(self._places[members])
            self._halves[id(members)] = (members[first], members[~first])
        return self._halves[id(members)]

    def _share(self, region: Region, left: Tensor, right: Tensor, with_left: float, with_right: float) -> None:
        """Enter both halves, each once where it joins first and once where it joins second."""
        weight, others = region.weight / 2, region.others
        self._enter(Region(left, others, region.without, with_left, weight))
        self._enter(Region(left, _with(others, right), with_right, region.within, weight))
        self._enter(Region(right, others, region.without, with_right, weight))
        self._enter(Region(right, _with(others, left), with_left, region.within, weight))

    def _enter(self, region: Region) -> None:
        if len(region.members) == 1:
            self._single.append(region)
        else:
            heappush(self._open, (-abs(region.gain), next(self._number), region))

    def values(self) -> Float[Tensor, " n"]:
        """Return what each segment gets; what a region adds that was not divided goes evenly to its pixels."""
        values = torch.zeros_like(self._sizes)
        for region in [*self._single, *(entry[2] for entry in self._open)]:
            sizes = self._sizes[region.members]
            values[region.members] += region.gain * sizes / sizes.sum()
        return values

    def resolution(self) -> float:
        """Return how many pixels a region has that was not divided further, in the mean over what they add, whatever its sign."""
        regions = [*self._single, *(entry[2] for entry in self._open)]
        gains = torch.tensor([abs(region.gain) for region in regions], dtype=torch.float64)
        sizes = torch.stack([self._sizes[region.members].sum() for region in regions])
        return float(gains @ sizes / gains.sum()) if gains.any() else float(sizes.mean())


def _places(segments: Int[Tensor, "*spatial"]) -> Float[Tensor, "n d"]:
    """Return the middle of each segment; frames of a clip lie as far apart as makes the clip as long as it is wide."""
    size = tuple(segments.shape)
    stretch = torch.tensor([length / n for n, length in zip(size, lengths_of(size), strict=True)])
    return centroids(segments) * stretch


def _with(others: Bool[Tensor, " n"], members: Int[Tensor, " k"]) -> Bool[Tensor, " n"]:
    """Return a coalition and some members."""
    return others.index_fill(0, members, value=True)


def _cuts(places: Float[Tensor, "k d"], contexts: int, most: int) -> int:
    """Return how many cuts, over all contexts, lead to single segments; no further than `most`."""
    if len(places) == 1 or most <= 0:
        return 0
    first, made = halves(places), contexts
    for half in (places[first], places[~first]):
        made += _cuts(half, 2 * contexts, most - made)
    return made
