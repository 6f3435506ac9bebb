"""Foreground, background, border and corners: does the network look at the thing, or at what is around it?"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

import torch
from jaxtyping import Bool
from torch import Tensor

from seewhy.contributions.parts import Parts
from seewhy.core.sample import Geometry, Sample
from seewhy.data.dataset import Batch, Dataset
from seewhy.data.mask import read_mask
from seewhy.data.picture import files_in
from seewhy.errors import DataError, ShapeError

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
    cover the picture; border and corners overlap with them. A picture without a mask, or whose object is nowhere or everywhere in
    the part that the network sees, has border and corners only.

    Args:
        fill, repeats: as for every part of the input.
        masks: by number of the picture in the data, its mask: a file, or a tensor (h, w) for the network's input. None: there are none.
        pictures: how many there are, so that it can be said how many lack a mask.
        objects: where the object is in the pictures of a batch (b, h, w), and which of them have a mask (b,).
    """

    masks: Mapping[int, Path | Bool[Tensor, "h w"]] | None = field(default=None, repr=False)
    pictures: int = 0
    objects: tuple[Bool[Tensor, "b h w"], Bool[Tensor, " b"]] | None = field(default=None, repr=False)

    kind: ClassVar = "foreground"

    @property
    def names(self) -> tuple[str, ...]:
        """What the parts are called."""
        inner = ("centre", "between") if self.masks is None else ("foreground", "background")
        return (*inner, "border", "corners")

    @property
    def notes(self) -> tuple[str, ...]:
        """Say how large border and corners are, and what there is instead of masks."""
        lacking = "" if self.masks is None else self._lacking
        sizes = f"border: the outer {BORDER:.0%} of each side; corners: four boxes of {CORNER:.0%} of each side; both overlap with the other parts"
        if self.masks is not None:
            return (sizes, lacking) if lacking else (sizes,)
        return ("no masks were given, so the centre (the middle half of both sides) stands for the foreground", sizes)

    @property
    def _lacking(self) -> str:
        lacking = self.pictures - len(self.masks or ())
        return (
            f"{lacking} of {self.pictures} pictures have no mask, and count for border and corners only"
            if lacking > 0
            else ""
        )

    def of_batch(self, batch: Batch, repeat: int) -> Self:
        """Read the masks of the pictures of the batch."""
        filled = super().of_batch(batch, repeat)
        if self.masks is None:
            return filled
        found = [self._mask(place, sample) for place, sample in zip(batch.places, batch.samples, strict=True)]
        nothing = torch.zeros(batch.samples[0].inputs.shape[1:], dtype=torch.bool)
        objects = torch.stack([nothing if mask is None else mask for mask in found])
        return replace(filled, objects=(objects, torch.tensor([mask is not None for mask in found])))

    def _mask(self, place: int, sample: Sample) -> Bool[Tensor, "h w"] | None:
        """Return where the object is in one input; None without a mask."""
        given, size = (self.masks or {}).get(place), tuple(sample.inputs.shape[1:])
        if isinstance(given, Path):
            if sample.geometry is None:
                raise DataError(
                    f"{sample.name}: a mask file fits a picture file, and this picture is a ready input; give masks as tensors"
                )
            return seen(read_mask(given), sample.geometry)
        if given is not None and tuple(given.shape) != size:
            raise ShapeError(f"{sample.name}: the mask is {tuple(given.shape)}, the network's input {size}")
        return given

    def cover(self, size: tuple[int, ...]) -> Bool[Tensor, "#b m h w"]:
        """Return where the parts lie."""
        border, corners, centre = (zone[None] for zone in zones(size))
        if self.objects is None:
            return torch.stack([centre, ~centre & ~border, border, corners], dim=1)
        inside, known = self.objects
        around = ~inside & known[:, None, None]
        return torch.stack([inside, around, border.expand_as(inside), corners.expand_as(inside)], dim=1)


def zones(size: tuple[int, ...]) -> tuple[Bool[Tensor, "h w"], Bool[Tensor, "h w"], Bool[Tensor, "h w"]]:
    """Return border, corners and centre of a picture of this size."""
    if len(size) != 2:
        raise ShapeError(
            f"border and corners are those of a picture of height and width, got {' x '.join(map(str, size))}"
        )
    edges = [_from_edge(length) for length in size]  # 0 at the edge, a half in the middle
    row, column = edges[0][:, None], edges[1][None]
    return (row < BORDER) | (column < BORDER), (row < CORNER) & (column < CORNER), (row >= CENTRE) & (column >= CENTRE)


def _from_edge(length: int) -> Tensor:
    share = (torch.arange(length) + 0.5) / length
    return torch.minimum(share, 1 - share)


def seen(mask: Bool[Tensor, "h w"], geometry: Geometry) -> Bool[Tensor, "h w"]:
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


def foreground(
    data: Dataset, masks: str | Path | Bool[Tensor, "n h w"] | None, fill: str = "blur", repeats: int = 1
) -> Foreground:
    """Return the parts for the pictures of a data set.

    Args:
        data: the pictures.
        masks: a folder with a picture for each, matched by file name without its ending: what is not zero (black) is the object; or a tensor for ready inputs.
        fill, repeats: as for every part of the input.

    Raises:
        DataError: no mask belongs to any of the pictures, or their number is another.
    """
    if masks is None:
        return Foreground(fill=fill, repeats=repeats)
    if isinstance(masks, Tensor):
        if len(masks) != len(data):
            raise DataError(f"{len(masks)} masks for {len(data)} pictures; give one for each")
        return Foreground(fill=fill, repeats=repeats, masks=dict(enumerate(masks != 0)), pictures=len(data))
    by_name = {path.stem: path for path in files_in(Path(masks))} if Path(masks).is_dir() else {}
    found = {place: by_name[stem] for place, name in enumerate(data.names) if (stem := Path(name).stem) in by_name}
    if not found:
        raise DataError(
            f"{masks}: none of the {len(by_name)} masks in it bears the name of a picture; a mask of photo.jpg is called photo.png"
        )
    return Foreground(fill=fill, repeats=repeats, masks=found, pictures=len(data))
