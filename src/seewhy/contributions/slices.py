"""Units that are slices of what layers put out: channels, and the heads of attention."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seewhy.contributions.baseline import Baseline, baselines
from seewhy.contributions.donors import Donors, donors
from seewhy.contributions.units import Gone, Units
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.core.swap import Swap
from seewhy.core.trace import Trace
from seewhy.data.dataset import Batch, Dataset
from seewhy.engine.session import Session
from seewhy.errors import ConfigError

U = TypeVar("U", bound="SlicedUnits")

Replacement = Literal["auto", "mean", "resample", "blur", "zero"]
"""What stands in the place of what is taken away; "auto" is the mean over the data, and for a single photo "blur"."""


@dataclass(frozen=True)
class Slices:
    """How the channels of one layer are cut into units of equal width.

    Attributes:
        layer: "layer3.conv", or "attention.out_proj:in" for what a layer is given.
        title: what the layer is called before the number of a unit; empty where there is one layer only.
        units: how many.
        width: channels of each.
    """

    layer: str
    title: str
    units: int
    width: int = 1


@dataclass(frozen=True, eq=False)
class SlicedUnits(Units):
    """Slices of the outputs of some layers; one that is taken away is replaced within the layer, and what follows runs again.

    Args:
        fill: what stands there: "mean" over the data and all positions; "resample": the same slice for another picture; "blur": the same
            slice for the blurred photo; "zero"; "auto": the mean, and "blur" where the data is a single photo.
        repeats: how many other pictures lend their slice in turn, for "resample".
    """

    fill: Replacement = "auto"
    repeats: int = 1
    slices: tuple[Slices, ...] = ()
    known: Mapping[str, Baseline] = field(default_factory=dict)
    pool: Donors | None = None
    lent: Float[Tensor, "b c *spatial"] | None = None

    def __post_init__(self) -> None:
        if self.fill not in get_args(Replacement):
            raise ConfigError(
                f"{self.kind} are replaced by one of {', '.join(get_args(Replacement))}; {self.fill!r} is not known"
            )
        if self.repeats < 1 or (self.repeats > 1 and self.fill != "resample"):
            raise ConfigError(
                f"{self.kind}: repeats is at least 1, and more than 1 for fill='resample' only; got {self.repeats} with {self.fill!r}"
            )

    @property
    @abstractmethod
    def noun(self) -> str:
        """What one unit is called: "channel"."""

    @abstractmethod
    def found(self, session: Session, image: Float[Tensor, "1 c *spatial"]) -> tuple[Slices, ...]:
        """Return where the units of this network are, in the order in which the layers run."""

    @property
    def names(self) -> tuple[str, ...]:
        """Layer, where there are several, and number from 0."""
        return tuple(f"{one.title} {self.noun} {number}".strip() for one in self.slices for number in range(one.units))

    @property
    def replacement(self) -> str:
        """What stands where a unit was, with the number of pictures that a mean is taken over."""
        pictures = next((one.pictures for one in self.known.values()), 0)
        return {
            "mean": f"mean of the {self.noun} over {pictures} pictures and all positions",
            "resample": f"the same {self.noun} for another picture",
            "blur": f"the same {self.noun} for the blurred photo",
            "zero": "zero",
        }[self.fill]

    @property
    def remarks(self) -> tuple[str, ...]:
        """Which units are zero in all pictures."""
        remarks: list[str] = []
        for one in self.slices:
            zero = self.known[one.layer].zero.view(one.units, one.width).all(dim=1)
            remark = "always zero" if self.known[one.layer].pictures > 1 else "zero in this photo"
            remarks += [remark if silent else "" for silent in zero.tolist()]
        return tuple(remarks)

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what a mean over a single photo means."""
        if self.fill != "mean" or any(one.pictures > 1 for one in self.known.values()):
            return ()
        return (
            f"the mean is that over the positions of a single photo: what counts is where a {self.noun} is active, not how much; "
            "take 'blur', or give more pictures",
        )

    def learned(self: U, session: Session, data: Dataset, seed: int) -> U:
        """Return the same units, found in the network, with what stands in their places.

        Raises:
            ConfigError: another picture is wanted, and there is only one.
        """
        first = next(data.batches(session.model, 1))
        image = session.network.accept(first.inputs)
        slices = self.found(session, image)
        known = baselines(session, data, [one.layer for one in slices])
        fill = self.fill if self.fill != "auto" else "mean" if len(data) > 1 else "blur"
        pool = donors(session, data, seed) if fill == "resample" else None
        return replace(self, fill=fill, slices=slices, known=known, pool=pool)

    def of_batch(self: U, batch: Batch, repeat: int) -> U:
        """Return the same units, with the pictures that lend their activations."""
        return self if self.pool is None else replace(self, lent=self.pool.of(batch.places, repeat))

    def needs(self) -> Needs:
        """Return the outputs of the layers."""
        return Needs(outputs=frozenset(one.layer for one in self.slices))

    def answers(self, probe: Probe, gone: Gone) -> Iterator[Float[Tensor, "b k"]]:
        """Yield the answers with some slices replaced; a slice that already is what would stand there changes nothing, and is not asked about."""
        values = self._values(probe)
        moot = self._moot(probe, values)
        return probe.swapped(self._swaps(which & ~moot, values) for which in gone)

    def sizes(self, probe: Probe) -> Float[Tensor, "b m"]:
        """Return the mean absolute value of each slice."""
        raw, images = probe.trace().raw, len(probe.inputs)
        return torch.cat([_by_unit(raw[one.layer].abs(), one, self.known, images) for one in self.slices], dim=1)

    def _values(self, probe: Probe) -> dict[str, Tensor]:
        """Return what stands in the place of each layer's output, as far as it broadcasts to it."""
        raw = probe.trace().raw
        if self.fill == "mean":
            return {one.layer: self.known[one.layer].mean.to(raw[one.layer]) for one in self.slices}
        if self.fill == "zero":
            return {one.layer: raw[one.layer].new_zeros([1] * raw[one.layer].dim()) for one in self.slices}
        other = self.other(probe)
        return {one.layer: other.raw[one.layer] for one in self.slices}

    def other(self, probe: Probe) -> Trace:
        """Return the pass over the pictures that stand beside the images: those that lend, or the images blurred."""
        images = self.lent if self.fill == "resample" else probe.stand_in("blur")
        if images is None:
            raise ConfigError(f"{self.kind}: no picture has lent anything; call of_batch first")
        wanted = Needs(outputs=frozenset(one.layer for one in self.slices))
        (trace,) = probe.traces([images.to(probe.inputs)], wanted)
        return trace

    def _moot(self, probe: Probe, values: Mapping[str, Tensor]) -> Bool[Tensor, " m"]:
        """Say which slices are, for all images, just what would stand in their place."""
        raw, images = probe.trace().raw, len(probe.inputs)
        differs = [
            _by_unit((raw[one.layer] != values[one.layer]).float(), one, self.known, images).amax(dim=0)
            for one in self.slices
        ]
        return torch.cat(differs).cpu() == 0

    def _swaps(self, gone: Bool[Tensor, " m"], values: Mapping[str, Tensor]) -> dict[str, Swap]:
        swaps = {}
        for one, which in zip(self.slices, torch.split(gone, [one.units for one in self.slices]), strict=True):
            if which.any():
                value = values[one.layer]
                shape = [1] * value.dim()
                shape[self.known[one.layer].axis] = -1
                where = which.repeat_interleave(one.width).view(shape)
                swaps[one.layer] = Swap(where.to(value.device), value)
        return swaps


def _by_unit(values: Tensor, slices: Slices, known: Mapping[str, Baseline], images: int) -> Float[Tensor, "b units"]:
    """Return the mean over positions and channels of each unit, image by image; a layer may have several rows for each, such as windows."""
    last = values.movedim(known[slices.layer].axis, -1)
    return last.reshape(images, -1, slices.units, slices.width).mean(dim=(1, 3))
