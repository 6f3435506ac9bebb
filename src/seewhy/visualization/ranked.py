"""What a search finds: for each channel of a layer the pictures that it likes best and least, and a sample of everything between."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from seewhy.render.bar import figures
from seewhy.visualization.patches import Field

NOBODY = -1
"""Stands for no picture, and for no position."""


@dataclass(frozen=True)
class Example:
    """A picture, and what a channel gives for it.

    Attributes:
        name: of the picture.
        picture: its number in the data set.
        value: the channel's largest value over all positions; among the bottom ones its smallest.
        position: where on the layer's grid, (row, column); None for a layer without spatial axes.
        quantile: the share of the pictures that the channel gives no more than this, from 0 to 1; None among the bottom ones, whose
            value is not the largest but the smallest of the picture.
        label: index of the picture's class, where its folder or file tells.
    """

    name: str
    picture: int
    value: float
    position: tuple[int, ...] | None = None
    quantile: float | None = None
    label: int | None = None


@dataclass(frozen=True, eq=False)
class Ranked:
    """For each of m channels k pictures in order; places that nobody takes hold NaN and -1.

    Attributes:
        values: what the channel gives for the picture.
        pictures: number of the picture in the data set.
        positions: number of the position on the layer's grid, counted row by row; -1 where the layer has no grid.
    """

    values: Float[np.ndarray, "m k"]
    pictures: Int[np.ndarray, "m k"]
    positions: Int[np.ndarray, "m k"]


@dataclass(frozen=True, eq=False)
class LayerExamples:
    """What was found for all channels of one layer.

    Attributes:
        layer: its name.
        grid: (h, w) of its positions; () where it has no spatial axes.
        field: the square around a position that holds most of the gradient of a unit there: its effective receptive field; None where
            that is the whole picture.
        top: the pictures on which the channel's largest value is largest, the best first; of equal ones the earlier picture.
        bottom: the pictures on which the channel's smallest value is smallest, the smallest first.
        strip: one picture of each stratum of a random sample of the pictures, by the channel's largest value, the lowest first.
        sampled: the largest value of each channel on each picture of that sample (s, m), in the order of the data set.
    """

    layer: str
    grid: tuple[int, ...]
    field: Field | None
    top: Ranked
    bottom: Ranked
    strip: Ranked
    sampled: Float[np.ndarray, "s m"]

    @property
    def channels(self) -> int:
        """How many channels the layer has."""
        return len(self.top.values)

    @cached_property
    def constant(self) -> Float[np.ndarray, " m"]:
        """The one value of a channel that gives the same at every position of every picture; NaN for all others."""
        highest, lowest = self.top.values[:, 0], self.bottom.values[:, 0]
        return np.where(highest == lowest, highest, np.nan)


@dataclass(frozen=True, eq=False)
class ChannelExamples:
    """What was found for one channel.

    Attributes:
        layer, channel: which.
        top: the best first.
        bottom: the lowest first.
        strip: from the lowest quantile to the highest.
        constant: the one value that the channel has everywhere; None for a channel that lives.
        sampled: its largest value on each picture of a random sample, ascending.
    """

    layer: str
    channel: int
    top: tuple[Example, ...]
    bottom: tuple[Example, ...]
    strip: tuple[Example, ...]
    constant: float | None
    sampled: Float[np.ndarray, " s"]

    def parts(self) -> tuple["Part", ...]:
        """Return the three rows that people look at, with a sentence in place of one that says nothing."""
        lowest = [example.value for example in self.bottom]
        equal = len(lowest) > 1 and lowest[0] == lowest[-1]
        instead = f"{len(lowest)} pictures or more have the same least value, {figures(lowest[0])}: there is no order among them"
        return (
            Part("strongest", self.top),
            Part("across all pictures, weak to strong", self.strip),
            Part("lowest", self.bottom, instead if equal else ""),
        )

    @property
    def remark(self) -> str:
        """What a reader must know about the strongest; empty where there is nothing."""
        if len(self.top) > 1 and self.top[0].value == self.top[-1].value:
            return f"at least {len(self.top)} pictures reach the same largest value, {figures(self.top[0].value)}; shown are the first"
        if self.top and self.top[0].value <= 0:
            return "never above 0 on any of the pictures"
        return ""


@dataclass(frozen=True)
class Part:
    """A row of examples.

    Attributes:
        name: which.
        examples: in order.
        instead: what is said in place of pictures that would say nothing.
    """

    name: str
    examples: tuple[Example, ...]
    instead: str = ""


@dataclass(frozen=True, eq=False)
class Source:
    """A picture that is an example of some channel.

    Attributes:
        name: for people.
        path: its file; None where the data was in memory.
        digest: of the content of the file, so that a picture that has changed since is not taken for it.
        label: index of its class, if known.
    """

    name: str
    path: str | None
    digest: str
    label: int | None = None
