"""Foreground, background, border and corners: does the network look at the thing, or at what is around it?"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, TypeVar

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from seewhy.contributions.parts import Parts
from seewhy.core.sample import Geometry, Sample
from seewhy.data.dataset import Batch, Dataset
from seewhy.data.mask import read_mask
from seewhy.data.picture import files_in
from seewhy.errors import DataError, ShapeError

U = TypeVar("U", bound="Foreground")

BORDER = 0.1
"""Width of the border, as a share of each side: together 36 % of the picture."""
CORNER = 0.2
"""Side of a corner, as a share of each side of the picture: the four together are 16 % of it."""
CENTRE = 0.25
"""Where the centre begins, as a share of each side: it is 25 % of the picture."""


@dataclass(frozen=True, eq=False)
class Foreground(Parts):
    """The object and what is around it, as masks say; without masks the centre and what is around it.

    With masks: foreground, background, border, corners; without: centre, between (centre and border), border, corners. The first two, or three,
    cover the picture; border and corners overlap with them. Where the object is nowhere, or everywhere, in the part that the network
    sees, the picture does not count for the part that is not there.

    Args:
        fill, repeats: as for every part of the input.
        masks: of each picture of the data, in its order: a file, or a tensor (h, w), or (t, h, w), for the network's input. None: there are none.
        left_out: pictures that were left out, for they have no mask.
        objects: where the object is in the pictures of a batch.
    """

    masks: tuple[Path | Bool[Tensor, "*cells"], ...] | None = field(default=None, repr=False)
    left_out: int = 0
    objects: Bool[Tensor, "b *spatial"] | None = field(default=None, repr=False)

    kind: ClassVar = "foreground"

    @property
    def names(self) -> tuple[str, ...]:
        """What the parts are called."""
        inner = ("centre", "between") if self.masks is None else ("foreground", "background")
        return (*inner, "border", "corners")

    @property
    def notes(self) -> tuple[str, ...]:
        """Say how large border and corners are, and what there is instead of masks."""
        sizes = f"border: the outer {BORDER:.0%} of each side; corners: four boxes of {CORNER:.0%} of each side; both overlap with the other parts"
        if self.masks is None:
            return (
                "no masks were given, so the centre (the middle half of both sides) stands for the foreground",
                sizes,
            )
        lacking = f"{self.left_out} picture{'s have' if self.left_out > 1 else ' has'} no mask, and {'are' if self.left_out > 1 else 'is'} left out"
        return (sizes, lacking) if self.left_out else (sizes,)

    def of_batch(self: U, batch: Batch, repeat: int) -> U:
        """Read the masks of the pictures of the batch."""
        filled = super().of_batch(batch, repeat)
        if self.masks is None:
            return filled
        given = [self.masks[place] for place in batch.places]
        found = [_object(mask, sample) for mask, sample in zip(given, batch.samples, strict=True)]
        return replace(filled, objects=torch.stack(found))

    def cover(self, size: tuple[int, ...]) -> Bool[Tensor, "#b m *spatial"]:
        """Return where the parts lie."""
        border, corners, centre = (zone[None] for zone in zones(size))
        if self.objects is None:
            return torch.stack([centre, ~centre & ~border, border, corners], dim=1)
        inside = self.objects
        return torch.stack([inside, ~inside, border.expand_as(inside), corners.expand_as(inside)], dim=1)


def _object(mask: Path | Bool[Tensor, "*cells"], sample: Sample) -> Bool[Tensor, "*spatial"]:
    """Return where the object is in one input."""
    size = tuple(sample.inputs.shape[1:])
    if isinstance(mask, Path):
        if sample.geometry is None:
            raise DataError(
                f"{sample.name}: a mask file fits a picture file, and this picture is a ready input; give masks as tensors"
            )
        return seen(read_mask(mask), sample.geometry).expand(size)
    if tuple(mask.shape) not in (size, size[-2:]):
        raise ShapeError(f"{sample.name}: the mask is {tuple(mask.shape)}, the network's input {size}")
    return mask.expand(size)


def zones(size: tuple[int, ...]) -> tuple[Bool[Tensor, "*spatial"], Bool[Tensor, "*spatial"], Bool[Tensor, "*spatial"]]:
    """Return border, corners and centre of a picture of this size, or of each frame of a clip."""
    edges = [_from_edge(length) for length in size[-2:]]  # 0 at the edge, a half in the middle
    row, column = edges[0][:, None], edges[1][None]
    border, corners = (row < BORDER) | (column < BORDER), (row < CORNER) & (column < CORNER)
    return border.expand(size), corners.expand(size), ((row >= CENTRE) & (column >= CENTRE)).expand(size)


def _from_edge(length: int) -> Tensor:
    share = (torch.arange(length) + 0.5) / length
    return torch.minimum(share, 1 - share)


def seen(mask: Bool[Tensor, "h w"], geometry: Geometry) -> Bool[Tensor, "rows columns"]:
    """Return the part of a mask of the source picture that the network sees, at its input's size; outside of the picture is no object.

    The mask may have another size than the picture that it belongs to; it is stretched over it.
    """
    rows, columns = (
        _sources(begin, end, pixels, of, there)
        for begin, end, pixels, of, there in zip(
            geometry.window[:2], geometry.window[2:], geometry.size, geometry.source, mask.shape, strict=True
        )
    )
    padded = torch.nn.functional.pad(mask, (0, 1, 0, 1))  # the last row and column are outside
    return padded[rows[:, None], columns[None]]


def _sources(begin: float, end: float, pixels: int, of: int, there: int) -> Tensor:
    """Return the row of the mask under the middle of each row of the input; the number of rows for those outside."""
    place = begin + (torch.arange(pixels, dtype=torch.float64) + 0.5) * (end - begin) / pixels
    row = (place * there / of).floor().long()
    return torch.where((row >= 0) & (row < there), row, there)


def with_masks(
    data: Dataset, masks: str | Path | Shaped[Tensor, "n *spatial"]
) -> tuple[Dataset, tuple[Path | Bool[Tensor, "*spatial"], ...]]:
    """Return the pictures that have a mask, and the masks.

    Args:
        data: the pictures.
        masks: a folder with a picture for each, matched by file name without its ending: what is not zero (black) is the object; or a tensor for ready inputs.

    Raises:
        DataError: no mask belongs to any of the pictures, or there are more masks than pictures, or fewer.
    """
    if isinstance(masks, Tensor):
        if len(masks) != len(data):
            raise DataError(f"{len(masks)} masks for {len(data)} pictures; give one for each")
        return data, tuple(masks != 0)
    by_name = {path.stem: path for path in files_in(Path(masks))} if Path(masks).is_dir() else {}
    known = [place for place, name in enumerate(data.names) if Path(name).stem in by_name]
    if not known:
        raise DataError(
            f"{masks}: none of the {len(by_name)} masks in it bears the name of a picture; a mask of photo.jpg is called photo.png"
        )
    return data.part(known), tuple(by_name[Path(data.names[place]).stem] for place in known)
