"""A concept in pictures: where it is strongest, and the part of each picture that lights up."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from seewhy.concepts.dictionary import Dictionary
from seewhy.data.features import Features
from seewhy.data.picture import read
from seewhy.engine.model import Model
from seewhy.visualization.patches import View, ready_picture

LIT = 0.5
"""Share of its peak in the picture from which on a concept lights a place up."""
DIM = 0.3
"""What is left of the light elsewhere."""


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
    """

    features: Features
    dictionary: Dictionary
    model: Model

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

    def strongest(
        self, concept: int, count: int = 9, among: Int[Tensor, " m"] | None = None, *, weakest: bool = False
    ) -> tuple[Lit, ...]:
        """Return the pictures in which a concept peaks highest, or lowest, the first the most extreme; of equal ones the earlier.

        Args:
            concept: its number.
            count: how many at most.
            among: numbers of the pictures to choose from; all if None.
            weakest: those in which it peaks lowest.
        """
        rows = torch.arange(len(self.features)) if among is None else among
        values = self.peaks[rows, concept]
        order = rows[values.argsort(descending=not weakest, stable=True)][:count]
        names = self.features.data.names
        return tuple(Lit(row, float(self.peaks[row, concept]), names[row]) for row in order.tolist())

    def picture(self, row: int) -> Image.Image:
        """Return what the network sees of a picture, at the picture's own resolution.

        Raises:
            DataError: the file is gone.
        """
        data = self.features.data
        if data.paths is None:
            return ready_picture((data.ready or ())[row], self.view)
        whole, _ = read(data.paths[row])
        top, left, bottom, right = self.view.geometry((whole.height, whole.width)).window
        return whole.crop((round(left), round(top), round(right), round(bottom)))

    def shown(self, row: int, concept: int, side: int = 96) -> Image.Image:
        """Return the picture as the network sees it, in a square of this side, dark where the concept does not light up."""
        picture = self.picture(row).resize((side, side), Image.Resampling.BICUBIC).convert("RGB")
        if self.codes.dim() != 4:
            return picture
        code = self.codes[row, concept].relu()
        share = code / code.max() if code.max() > 0 else code
        light = interpolate(share[None, None], size=(side, side), mode="bilinear")[0, 0].numpy()
        weight = DIM + (1 - DIM) * np.clip(light / LIT, 0, 1)[..., None]
        return Image.fromarray((np.asarray(picture) * weight).round().astype(np.uint8))
