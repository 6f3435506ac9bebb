"""A model that people can read, of one kind and size."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from jaxtyping import Float
from torch import Tensor

from seewhy.surrogates.lesson import Lesson

S = TypeVar("S", bound="Surrogate")


class Surrogate(ABC):
    """From m named numbers to a score for each class. Subclasses are frozen dataclasses, born fitted by `path`.

    Attributes:
        key: "linear", "tree", ...
        title: for people.
        unit: what its size counts: "non-zeros per class".
    """

    key: ClassVar[str]
    title: ClassVar[str]
    unit: ClassVar[str]

    @classmethod
    @abstractmethod
    def path(cls: type[S], lesson: Lesson, seed: int = 0) -> Iterator[S]:
        """Yield models of growing size, the smallest first, each fitted on all pictures of the lesson, whose classes are all learnable."""

    @property
    @abstractmethod
    def size(self) -> float:
        """How much there is to read, in `unit`."""

    @property
    @abstractmethod
    def sizes(self) -> Mapping[str, float]:
        """All figures of its size, by name: "leaves", "mean path length"."""

    @abstractmethod
    def scores(self, x: Float[Tensor, "n m"]) -> Float[Tensor, "n j"]:
        """Return a score for each class that was learned; the largest is the prediction."""

    @property
    def examples(self) -> tuple[int, ...]:
        """Numbers of the pictures, among all of the data set that it was made from, that the model keeps; none where it keeps numbers only."""
        return ()

    @abstractmethod
    def plain(self) -> dict[str, Any]:
        """Return all of it as plain values, ready for JSON."""

    @classmethod
    @abstractmethod
    def from_plain(cls: type[S], plain: Mapping[str, Any]) -> S:
        """Read back what `plain` gave; raise `ValueError`, `KeyError` or `TypeError` where it is no such thing."""

    @abstractmethod
    def text(self, names: Sequence[str], classes: Sequence[str]) -> str:
        """Return the model as people read it, with the names of what it reads and of the classes that it learned."""
