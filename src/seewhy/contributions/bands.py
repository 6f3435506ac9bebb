"""Input channels as units: colours, bands of a satellite, modalities of a scanner."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seewhy.contributions.parts import RESAMPLE, Filled
from seewhy.errors import ConfigError


@dataclass(frozen=True, eq=False)
class Bands(Filled):
    """Channels of the network's input; one that is taken away comes from another picture of the data: permutation importance.

    On a network that is linear in its input, f = sum_j w_j . x_j + c, the score falls by w_j . (x_j - x'_j): on average by nothing, and its
    square by 2 w_j' Cov(x_j) w_j. So the signed mean of a linear band is zero by construction, and its magnitude is what counts.

    Args:
        fill: "resample" (the default here), or what fills a part of the picture.
        repeats: how many other pictures lend their band in turn.
        labels: what the bands are called.

    Limits: a band that moves together with another is missed in part, for the other one still tells; and the mixed picture may be one that
        could not be.
    Source: Breiman 2001, Random Forests, doi 10.1023/A:1010933404324, section 10; Fisher et al. 2019, arXiv 1801.01489, section 3.
    """

    fill: str = RESAMPLE
    repeats: int = 5
    labels: tuple[str, ...] = ("red", "green", "blue")

    kind: ClassVar = "bands"

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.labels) < 2:
            raise ConfigError(
                "the network's input has a single channel, so there is no band to compare it with; ask about regions or foreground"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """What the bands are called."""
        return self.labels

    def without(
        self, images: Float[Tensor, "b c *spatial"], fill: Float[Tensor, "b c *spatial"]
    ) -> Callable[[Bool[Tensor, " m"]], Float[Tensor, "b c *spatial"]]:
        """Return what takes the bands from the fill."""
        tall = (1, -1, *[1] * (images.dim() - 2))
        return lambda which: torch.where(which.view(tall).to(images.device), fill, images)


def band_names(count: int, channels: str) -> tuple[str, ...]:
    """Return what the channels of an input are called: by colour where there are three, else by number."""
    colours = {"rgb": ("red", "green", "blue"), "bgr": ("blue", "green", "red")}.get(channels, ())
    return colours if count == len(colours) else tuple(f"band {number + 1}" for number in range(count))
