"""A concept in pictures: where it is strongest, and the part of each picture that lights up."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from seewhy.concepts.dictionary import Dictionary
from seewhy.data.dataset import content_digest
from seewhy.data.features import Features
from seewhy.data.likeness import Likeness, signature
from seewhy.data.picture import read
from seewhy.engine.model import Model
from seewhy.render.scene import flat_rgb
from seewhy.visualization.patches import Field, Patch, View, ready_picture

LIT = 0.5
"""Share of its peak in the picture from which on a concept lights a place up."""
DIM = 0.3
"""What is left of the light elsewhere."""
CRISP = 2
"""A picture that grows by more than this keeps its pixels as squares."""
WHOLE = 0.8
"""A patch whose side is at least this share of the picture's is no part of it."""


@dataclass(frozen=True)
class Lit:
    """A picture in which a concept is looked at.

    Attributes:
        picture: its number among the features.
        value: the concept's largest code in it.
        name: of the picture.
    """

    picture: int
    value: float
    name: str


@dataclass(frozen=True, eq=False)
class ConceptPictures:
    """The pictures of a data set, seen through a dictionary.

    Attributes:
        features: of the pictures.
        dictionary: of the concepts.
        model: says how pictures are prepared.
        field: what moves the layer at one position, as a square of the input; None where that is not known, and patches are whole pictures.
    """

    features: Features
    dictionary: Dictionary
    model: Model
    field: Field | None = None

    @cached_property
    def codes(self) -> Float[Tensor, "n k *spatial"]:
        """How strong each concept is at each position of each picture."""
        return self.dictionary.codes(self.features)

    @cached_property
    def peaks(self) -> Float[Tensor, "n k"]:
        """The largest code of each concept in each picture."""
        return self.codes.flatten(2).amax(dim=2) if self.codes.dim() > 2 else self.codes

    @cached_property
    def view(self) -> View:
        """How a picture becomes the network's input."""
        return View.of(self.model, self.features.size, self.features.fit)

    def renewed(self, **changes: Any) -> "ConceptPictures":
        """Return the same with another field of view, or with other names of its concepts; what was computed stays."""
        made = replace(self, **changes)
        made.__dict__.update(
            {name: self.__dict__[name] for name in ("codes", "peaks", "_marks") if name in self.__dict__}
        )
        return made

    @property
    def local(self) -> bool:
        """Whether what a position of the layer sees is clearly less than the picture, so that patches show more than pictures do."""
        if self.field is None or self.codes.dim() != 4:
            return False
        return 2 * self.field.reach < WHOLE * min(self.features.size[-2:])

    def strongest(
        self,
        concept: int,
        count: int = 9,
        among: Int[Tensor, " m"] | None = None,
        *,
        weakest: bool = False,
        distinct: bool = True,
    ) -> tuple[Lit, ...]:
        """Return the pictures in which a concept peaks highest, or lowest, the first the most extreme; of equal ones the earlier.

        Args:
            concept: its number.
            count: how many at most.
            among: numbers of the pictures to choose from; all if None.
            weakest: those in which it peaks lowest.
            distinct: leave out pictures that are nearly the same as one before.

        Raises:
            DataError: a picture that must be looked at for that is gone.
        """
        rows = torch.arange(len(self.features)) if among is None else among
        values = self.peaks[rows, concept]
        order = rows[values.argsort(descending=not weakest, stable=True)].tolist()
        known = Likeness()
        chosen: list[int] = []
        for row in order:
            if len(chosen) == count:
                break
            if distinct and known.find(self._mark(row)) is not None:
                continue
            known.add(self._mark(row))
            chosen.append(row)
        names = self.features.data.names
        return tuple(Lit(row, float(self.peaks[row, concept]), names[row]) for row in chosen)

    def picture(self, row: int) -> Image.Image:
        """Return what the network sees of a picture, at the picture's own resolution.

        Raises:
            DataError: the file is gone.
        """
        if row not in self._last:
            self._last.clear()
            self._last[row] = self._read(row)
        return self._last[row].copy()

    def _read(self, row: int) -> Image.Image:
        data = self.features.data
        if data.paths is None:
            return ready_picture((data.ready or ())[row], self.view)
        whole, _ = read(data.paths[row])
        top, left, bottom, right = self.view.geometry((whole.height, whole.width)).window
        return whole.crop((round(left), round(top), round(right), round(bottom)))

    def shown(self, row: int, concept: int, side: int = 96, strength: float = 1.0) -> Image.Image:
        """Return the picture as the network sees it, in a square of this side, dark where the concept does not light up.

        Args:
            row: number of the picture.
            concept: its number.
            side: in pixels.
            strength: how bright the lit places are, from 0 (as dark as the rest) to 1.
        """
        picture = enlarged(self.picture(row), (side, side))
        light = self.light(row, concept, side)
        if light is None:
            return picture
        weight = DIM + (1 - DIM) * strength * light[..., None]
        return Image.fromarray((np.asarray(picture) * weight).round().astype(np.uint8))

    def veil(self, row: int, concept: int, side: int = 32) -> Image.Image | None:
        """Return the dark as a picture of its own, to be laid over `plain`: black, transparent where the concept lights up; None where the layer has no places."""
        light = self.light(row, concept, side)
        if light is None:
            return None
        pixels = np.zeros((side, side, 4), np.uint8)
        pixels[..., 3] = (255 * (1 - DIM) * (1 - light)).round()
        return Image.fromarray(pixels)

    def plain(self, row: int, side: int = 96) -> Image.Image:
        """Return the picture as the network sees it, in a square of this side."""
        return enlarged(self.picture(row), (side, side))

    def light(self, row: int, concept: int, side: int) -> Float[np.ndarray, "side side"] | None:
        """Return where a concept lights a picture up, from 0 to 1 (half of its peak there, or more); None where the layer has no places."""
        if self.codes.dim() != 4:
            return None
        code = self.codes[row, concept].relu()
        share = code / code.max() if code.max() > 0 else code
        spread = interpolate(share[None, None], size=(side, side), mode="bilinear")[0, 0].numpy()
        lit: Float[np.ndarray, "side side"] = np.clip(spread / LIT, 0, 1)
        return lit

    def patch(self, row: int, concept: int) -> Patch:
        """Return the square of the input that the layer sees where the concept is strongest in a picture; the whole input where that is not known."""
        size = self.features.size
        if not self.local:
            return Patch.around(None, size, None, size)
        cells = self.features.cells
        place = np.unravel_index(int(self.codes[row, concept].argmax()), cells)
        return Patch.around(tuple(map(int, place)), cells, self.field, size)

    def crop(self, row: int, concept: int, side: int | None = None) -> Image.Image:
        """Return what the layer sees where the concept is strongest in a picture.

        Args:
            row: number of the picture.
            concept: its number.
            side: of the square in which it is shown; at the picture's own resolution if None.
        """
        picture, patch = flat_rgb(self.picture(row)), self.patch(row, concept)
        height, width = self.features.size[-2:]
        box = (patch.left / width, patch.top / height, patch.right / width, patch.bottom / height)
        left, top, right, bottom = (share * length for share, length in zip(box, picture.size * 2, strict=True))
        cut = picture.crop((int(left), int(top), max(int(left) + 1, round(right)), max(int(top) + 1, round(bottom))))
        return cut if side is None else enlarged(cut, (side, side))

    @cached_property
    def _last(self) -> dict[int, Image.Image]:
        """The picture that was read last: a crop, the whole and the mark of one are often wanted one after the other."""
        return {}

    @cached_property
    def _marks(self) -> dict[int, bytes]:
        return {}

    def _mark(self, row: int) -> bytes:
        """Return what pictures that look alike share; of a ready input, what only the same share."""
        if row not in self._marks:
            data = self.features.data
            bare = data.paths is None and data.ready is not None and data.ready[row].picture is None
            if bare and data.ready is not None:
                digest = content_digest(data.ready[row].inputs.detach().cpu().contiguous().numpy().tobytes())
                self._marks[row] = digest + digest
            else:
                self._marks[row] = signature(self.picture(row))
        return self._marks[row]


def enlarged(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return a picture at a size (w, h) as RGB; one that grows by much keeps its pixels as squares, so that nothing is made up between them."""
    growth = max(size[0] / picture.width, size[1] / picture.height)
    return flat_rgb(picture).resize(size, Image.Resampling.NEAREST if growth >= CRISP else Image.Resampling.LANCZOS)
