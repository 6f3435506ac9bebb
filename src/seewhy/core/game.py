"""One image as a cooperative game: its segments are the players, and a coalition is worth the score of the image that shows only it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from seewhy.core.probe import Probe


@dataclass(frozen=True, eq=False)
class Shares:
    """What a method says about each segment of one image.

    Attributes:
        values: one per segment, in units of the score.
        explained: for methods that promise completeness, what the values should add up to.
        error: their standard errors, for estimates.
        figures: numbers about how good the estimate is.
        notes: sentences that a reader must know.
    """

    values: Float[Tensor, " n"]
    explained: float | None = None
    error: Float[Tensor, " n"] | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Game:
    """The game of one image.

    Args:
        probe: of one image.
        segments: its segments, numbered from 0.
        fill: what is shown in the place of the segments that are not in a coalition.
    """

    def __init__(self, probe: Probe, segments: Int[Tensor, "*spatial"], fill: Float[Tensor, "1 c *spatial"]) -> None:
        self._probe, self.segments, self._fill = probe, segments, fill

    @cached_property
    def players(self) -> int:
        """How many segments there are."""
        return int(self.segments.max()) + 1

    @cached_property
    def full(self) -> float:
        """Worth of all segments together: the score of the image itself."""
        return float(self._probe.score())

    def worths(self, coalitions: Iterable[Bool[Tensor, " n"]]) -> Iterator[float]:
        """Yield the worth of each coalition; the images are made when they are wanted and are let go at once."""
        like = self._probe.inputs
        place = self.segments.flatten().to(like.device)
        masks = (who.to(like).index_select(0, place).view(1, *like.shape[2:]) for who in coalitions)
        return map(float, self._probe.masked(masks, self._fill))

    def nobody(self) -> Bool[Tensor, " n"]:
        """Return the coalition of no segment."""
        return torch.zeros(self.players, dtype=torch.bool)

    def generator(self) -> Generator:
        """Return a fresh random generator, seeded by the session."""
        return self._probe.generator()
