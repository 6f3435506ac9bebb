"""Blocks of a network as units: each can be left out, or held at its mean."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, TypeVar, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seewhy.contributions.baseline import Baseline, baselines
from seewhy.contributions.units import Gone, Units
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.core.swap import Swap
from seewhy.data.dataset import Dataset
from seewhy.engine.blocks import BlockPlace, blocks_of
from seewhy.engine.recording import into
from seewhy.engine.session import Session
from seewhy.errors import ConfigError

U = TypeVar("U", bound="Blocks")

How = Literal["auto", "bypass", "mean"]
"""How a block is taken away."""


@dataclass(frozen=True, eq=False)
class Blocks(Units):
    """The blocks of a network; one that is taken away is left out, so that what it is given passes on unchanged, or is held at its mean.

    Args:
        named: names of modules that are to count as blocks; those that add to what they are given if empty.
        how: "bypass": each is left out; "mean": each gives its mean over the data, position by position; "auto": left out where it adds to
            what it is given, else held at its mean. Blocks that were not named are held only where fewer than two can be left out.

    Limits: a block without a way past it is all that the network knows of the picture from there on, so holding it takes everything away; all
        such blocks come out alike. Blocks that follow are used to what this one gives; a network that was never trained without a
        block may lose more than the block knows.
    Source: Veit et al. 2016, arXiv 1605.06431, section 4.1 (residual blocks left out).
    """

    named: tuple[str, ...] = ()
    how: How = "auto"
    places: tuple[BlockPlace, ...] = ()
    known: Mapping[str, Baseline] = field(default_factory=dict)
    unasked: tuple[str, ...] = ()

    kind: ClassVar = "layers"

    def __post_init__(self) -> None:
        if self.how not in get_args(How):
            raise ConfigError(f"blocks are taken away by one of {', '.join(get_args(How))}; {self.how!r} is not known")
        inner = next((name for name in self.named for other in self.named if name.startswith(f"{other}.")), None)
        if inner is not None:
            raise ConfigError(f"{inner!r} lies within another block that is named; name one of the two")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the modules."""
        return tuple(place.name for place in self.places)

    @property
    def replacement(self) -> str:
        """How blocks are taken away."""
        pictures = next((one.pictures for one in self.known.values()), 0)
        held = f"its mean over {pictures} pictures, position by position"
        left = [self._bypassed(place) for place in self.places]
        if all(left):
            return "what the block is given"
        return f"what the block is given where it adds to it, else {held}" if any(left) else held

    @property
    def remarks(self) -> tuple[str, ...]:
        """How each block is taken away."""
        return tuple("left out" if self._bypassed(place) else "held at its mean" for place in self.places)

    @property
    def notes(self) -> tuple[str, ...]:
        """Say which blocks are not asked about."""
        if not self.unasked:
            return ()
        return (
            f"not asked about: {', '.join(self.unasked)}, which do not add to what they are given, so that holding one takes all that the "
            "network knows away; replace='mean' holds every block at its mean",
        )

    def learned(self: U, session: Session, data: Dataset, seed: int) -> U:
        """Return the same units, found in the network, with the means of those that are held.

        Raises:
            ConfigError: a block is to be left out that gives another shape than it is given; or held at the mean over a single photo.
        """
        image = session.network.accept(next(data.batches(session.model, 1)).inputs)
        made = self._among(blocks_of(session.network, image, self.named))
        unfit = [place.name for place in made.places if not place.fits]
        if self.how == "bypass" and unfit:
            raise ConfigError(
                f"{', '.join(unfit)} hand on another shape than they are given, so they cannot be left out; "
                "name other blocks, or take 'auto', which holds them at their mean"
            )
        held = [place.name for place in made.places if not self._bypassed(place)]
        if held and len(data) < 2:
            raise ConfigError(
                f"{', '.join(held)} would be held at the mean over the data, and there is a single photo: the mean would be what it gives anyway; "
                f"give more pictures, or name blocks that can be left out"
            )
        return replace(made, known=baselines(session, data, held) if held else {})

    def _among(self: U, places: Sequence[BlockPlace]) -> U:
        """Return the units for the blocks that were found; "auto" keeps to those that can be left out, where there are several and none was named."""
        left = tuple(place for place in places if self._bypassed(place))
        if self.named or self.how != "auto" or len(left) < 2:
            return replace(self, places=tuple(places))
        return replace(self, places=left, unasked=tuple(place.name for place in places if place not in left))

    def needs(self) -> Needs:
        """Return what the blocks give, and are given."""
        left = [place.name for place in self.places if self._bypassed(place)]
        return Needs(outputs=frozenset([*self.names, *map(into, left)]))

    def answers(self, probe: Probe, gone: Gone) -> Iterator[Float[Tensor, "b k"]]:
        """Yield the answers without some of the blocks."""
        raw = probe.trace().raw
        swaps = {name: self._swap(name, raw[name]) for name in self.names}
        return probe.swapped(_of(which, swaps) for which in gone)

    def sizes(self, probe: Probe) -> Float[Tensor, "b m"]:
        """Return how much of what each block gives is its own: the mean absolute difference to what would stand there, beside what it gives."""
        raw = probe.trace().raw
        return torch.stack([self._share(raw, name) for name in self.names], dim=1)

    def _share(self, raw: Mapping[str, Tensor], name: str) -> Float[Tensor, " b"]:
        made = raw[name]
        stands = self.known[name].each.to(made) if name in self.known else raw[into(name)]
        own, all_of_it = (made - stands).abs().flatten(1).mean(dim=1), made.abs().flatten(1).mean(dim=1)
        return (own / all_of_it).nan_to_num(0.0)

    def _swap(self, name: str, made: Tensor) -> Swap:
        where = torch.ones([1] * made.dim(), dtype=torch.bool, device=made.device)
        return Swap(where, self.known[name].each.to(made) if name in self.known else None)

    def _bypassed(self, place: BlockPlace) -> bool:
        return self.how == "bypass" or (self.how == "auto" and place.residual and place.fits)


def _of(which: Bool[Tensor, " m"], swaps: Mapping[str, Swap]) -> dict[str, Swap]:
    """Return the swaps of the blocks that are gone, in the order in which they run."""
    return {name: swap for (name, swap), gone in zip(swaps.items(), which.tolist(), strict=True) if gone}
