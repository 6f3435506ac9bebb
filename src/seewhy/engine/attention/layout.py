"""How the tokens of one attention lie in the picture, or in the clip."""

from dataclasses import dataclass

from jaxtyping import Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Layout:
    """How the tokens of one attention lie in the picture.

    Attributes:
        extra: tokens without a place that come first.
        grid: (h, w), or (t, h, w), of the others.
        slots: (b, n) positions among all tokens of all windows; None where one row of weights is one image, its tokens row by row.
        copies: (b, extra, g) positions of tokens without a place that lie in all windows.
        whole: one row of weights is one image.
        by_frame: one row is one frame of a clip, with class tokens of its own.
    """

    extra: int
    grid: tuple[int, ...]
    slots: Int[Tensor, "b n"] | None = None
    copies: Int[Tensor, "b extra g"] | None = None
    whole: bool = False
    by_frame: bool = False
