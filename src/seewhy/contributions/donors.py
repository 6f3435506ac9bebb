"""Other pictures of the data, which lend what stands in the place of a unit."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from seewhy.data.dataset import Batch, Dataset
from seewhy.engine.session import Session
from seewhy.errors import ConfigError, DataError

POOL = 64
"""Pictures that are kept at hand to take from, where the data is read from files."""


@dataclass(frozen=True, eq=False)
class Donors:
    """Pictures of the data that lend parts of themselves to others.

    Each picture of the data has one place in a random order, and takes from the picture that lies some steps further on in a ring. Where
    all of the data is at hand, each picture therefore lends exactly once in each repeat: a permutation without fixed points. Where it is
    not, the ring is that of the pictures at hand. Who lends to whom depends on the seed alone, not on the batch.

    Attributes:
        inputs: the pictures at hand (p, c, *spatial), in the order of the ring.
        spots: by number of the picture in the data, its place in the ring.
        steps: how far on, for each repeat.
    """

    inputs: Float[Tensor, "p c *spatial"]
    spots: dict[int, int]
    steps: tuple[int, ...]

    def of(self, places: Sequence[int], repeat: int = 0) -> Float[Tensor, "b c *spatial"]:
        """Return the picture that lends to each picture of these numbers."""
        step = self.steps[repeat % len(self.steps)]
        return self.inputs[[(self.spots[place] + step) % len(self.inputs) for place in places]]

    def __len__(self) -> int:
        return len(self.inputs)


def donors(session: Session, data: Dataset, seed: int, most: int = POOL) -> Donors:
    """Read some pictures of the data, all where it is in memory already, and say who takes from whom.

    Raises:
        ConfigError: fewer than two pictures can be read.
    """
    generator = Generator().manual_seed(seed)
    order = torch.randperm(len(data), generator=generator).tolist()
    pool = _read(session, data, order, len(data) if data.ready is not None else most)
    if len(pool) < 2:
        raise ConfigError(
            "another picture of the data stands in the place of a unit, and there is only one; take 'mean' or 'blur' instead"
        )
    ring = {place: spot for spot, place in enumerate(pool)}
    rest = [place for place in order if place not in ring]
    spots = ring | {place: spot % len(pool) for spot, place in enumerate(rest)}
    steps = 1 + torch.randperm(len(pool) - 1, generator=generator)
    return Donors(torch.stack(list(pool.values())), spots, tuple(steps.tolist()))


def _read(session: Session, data: Dataset, order: Sequence[int], most: int) -> dict[int, Tensor]:
    """Return the first pictures of an order that can be read, by their numbers in the data."""
    found: dict[int, Tensor] = {}
    for begin in range(0, len(order), most):
        wanted = order[begin : begin + most - len(found)]
        with suppress(DataError):  # none of these can be read: the next ones may
            for batch in data.part(wanted).batches(session.model, len(wanted)):
                found |= {wanted[at]: sample.inputs for at, sample in zip(batch.places, batch.samples, strict=True)}
        if len(found) == most:
            break
    return found


def lent(donors: Donors | None, batch: Batch, repeat: int) -> Float[Tensor, "b c *spatial"] | None:
    """Return what each picture of a batch is lent; None where there are no donors."""
    return None if donors is None else donors.of(batch.places, repeat)
