"""Heads of attention as units."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from seewhy.contributions.slices import SlicedUnits, Slices
from seewhy.engine.attention.heads import heads_of
from seewhy.engine.session import Session
from seewhy.errors import ConfigError


@dataclass(frozen=True, eq=False)
class Heads(SlicedUnits):
    """The heads of all attention of a network, or of some blocks; windows of a picture count as its tokens.

    What a head gives to the layer that puts the heads together is replaced; so a head whose attention is even, and which gives the mean of
    its values, still counts by what it gives.

    Args:
        within: names of blocks or parts of them, "encoder.layer.3"; all if empty.

    Limits: later heads make up for earlier ones, so that a head may do more than its effect shows.
    Source: Michel et al. 2019, arXiv 1905.10650, section 3.1 (a head held at zero); Wang et al. 2022, arXiv 2211.00593 (means over data).
    """

    within: tuple[str, ...] = ()

    kind: ClassVar = "heads"
    noun: ClassVar = "head"

    @property
    def layer(self) -> str:
        """The blocks that were named."""
        return ", ".join(self.within)

    def found(self, session: Session, image: Float[Tensor, "1 c *spatial"]) -> tuple[Slices, ...]:
        """Return the heads, block by block; raise `ConfigError` where no attention is within what was named."""
        places = heads_of(session.network, image)
        chosen = [place for place in places if not self.within or _inside(place.block, self.within)]
        if not chosen:
            known = ", ".join(place.block for place in places)
            raise ConfigError(f"no attention is within {', '.join(self.within)}; blocks with attention: {known}")
        return tuple(Slices(place.place, place.block, place.heads, place.width) for place in chosen)


def _inside(block: str, named: tuple[str, ...]) -> bool:
    return any(block == name or block.startswith(f"{name}.") or name.startswith(f"{block}.") for name in named)
