"""Several questions about one image, answered from the same changed images."""

from collections.abc import Iterable, Iterator
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.needs import Needs
from seewhy.core.target import BoundTarget
from seewhy.core.trace import Reading
from seewhy.engine.block import Bill, Question
from seewhy.engine.probe import NetworkProbe
from seewhy.errors import MethodError


class SeveralProbe(NetworkProbe):
    """A probe whose images are one image, once for each question: masks are shown to the network once for all of them.

    For methods that see the network through `masked` alone; whatever else they ask for raises `MethodError`.

    Args:
        questions: of one block with one image.
        bill: where the cost is written, which is that of one question.
    """

    def __init__(self, questions: tuple[Question, ...], bill: Bill | None = None) -> None:
        super().__init__(questions[0], Needs(), bill)
        if len(self._block.inputs) != 1:
            raise MethodError("several questions share the changed images of one image; explain images one by one")
        self._questions = questions

    @cached_property
    def inputs(self) -> Float[Tensor, "n c *spatial"]:
        """The image, once for each question."""
        one = super().inputs
        return one.expand(len(self._questions), *one.shape[1:])

    @cached_property
    def bound(self) -> BoundTarget:
        """The targets as one: their names; and what vanishes, of readings that hold one row."""
        bounds = [question.bound for question in self._questions]
        names = tuple(name for bound in bounds for name in bound.names)
        return BoundTarget(self._scores, names, bounds[0].unit)

    def _scores(self, reading: Reading) -> Float[Tensor, " n"]:
        return torch.cat([question.bound(reading) for question in self._questions])

    def score(self) -> Float[Tensor, " n"]:
        """Return the value of each target on the image itself."""
        return torch.cat([question.score for question in self._questions])

    def masked(
        self, masks: Iterable[Float[Tensor, "1 *spatial"]], fill: Float[Tensor, "n c *spatial"]
    ) -> Iterator[Float[Tensor, " n"]]:
        """Yield the scores of all questions for the image seen through each mask; one pass a mask."""
        alone, hidden = NetworkProbe(self._questions[0], Needs(), Bill()), fill[:1]
        image = alone.inputs
        variants = (torch.lerp(hidden, image, mask[:1, None].to(image)) for mask in masks)
        for trace in alone.traces(variants, Needs()):
            reading = Reading(trace.output, trace.activation)
            self._bill.cost += Cost(1)
            self._count(reading)
            yield self._scores(reading).to(image)

    def _count(self, reading: Reading) -> None:
        gone = [0 if (seen := question.bound.gone) is None else int(seen(reading)[0]) for question in self._questions]
        if any(question.bound.gone is not None for question in self._questions):
            self._bill.losses.add([1] * len(gone), gone)
