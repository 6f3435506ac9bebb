"""One set of units on one set of pictures: the passes that every question about their importance makes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Int
from torch import Tensor

from seewhy.contributions.effects import Asked
from seewhy.contributions.units import Units
from seewhy.core.cost import Cost
from seewhy.core.target import BoundTarget, Target
from seewhy.core.trace import Reading
from seewhy.data.dataset import Batch, Dataset
from seewhy.engine.block import Bill, Question
from seewhy.engine.probe import NetworkProbe
from seewhy.engine.session import Progress, Session
from seewhy.errors import TargetError
from seewhy.targets.classes import bound_class, class_logits


@dataclass(frozen=True, eq=False)
class LabelScore(Target):
    """The logit of the label of each picture; of the predicted class where the label is not known (-1)."""

    labels: Int[Tensor, " b"]

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the class of each image; raise `TargetError` for a label that the network does not know."""
        logits = class_logits(reading)
        known = self.labels.to(logits.device)
        if int(known.max()) >= logits.shape[1]:
            raise TargetError(
                f"a picture's label is class {int(known.max())}, and the network has {logits.shape[1]} classes, from 0; "
                "the numbers of the labels do not fit this network"
            )
        return bound_class(torch.where(known < 0, logits.argmax(dim=1), known), labels, "logit")


@dataclass(frozen=True, eq=False)
class Study:
    """Units, pictures, and what is asked.

    Args:
        session: runs the network.
        data: the pictures.
        units: what is taken away; `learned` already.
        target: what is asked; None is the label of each picture, or the predicted class where that is not known.
        rows: pictures at a time.
        progress: is told what is done, for how many pictures, of how many.
    """

    session: Session
    data: Dataset
    units: Units
    target: Target | None = None
    rows: int = 8
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if self.target is not None and self.target.needs().layers:
            raise TargetError(
                "importance is about what the network answers, and this target looks at "
                f"{', '.join(map(repr, sorted(self.target.needs().layers)))}; ask for a class, or a function of the answer"
            )

    def asked(self, what: str, places: Sequence[int], rows: int | None = None) -> Iterator["Questions"]:
        """Yield questions about pictures, a batch at a time.

        Args:
            what: is done, for those who watch.
            places: numbers of the pictures in the data, in the order in which they come.
            rows: pictures at a time; as always if None.
        """
        done = 0
        for batch in self.data.part(places).batches(self.session.model, rows or self.rows):
            yield self._of(replace(batch, places=tuple(places[at] for at in batch.places)))
            done += len(batch.places)
            if self.progress is not None and len(self.data) > 1:
                self.progress(what, done, len(places))

    def _of(self, batch: Batch) -> "Questions":
        needs = self.units.needs()
        block = self.session.block(self.session.network.accept(batch.inputs), needs)
        question = Question(block, self.target or LabelScore(batch.labels))
        times = [self.units.of_batch(batch, repeat) for repeat in range(self.units.repeats)]
        bill = Bill(watch=self._watch())
        return Questions(batch, [Asked(NetworkProbe(question, needs, bill), units, batch.labels) for units in times])

    def _watch(self) -> Callable[[Cost], None] | None:
        """Return what tells how far a single picture is; of many, the pictures are counted."""
        progress = self.progress
        if progress is None or len(self.data) > 1:
            return None
        return lambda cost: progress(self.units.kind, cost.forwards + cost.partial, None)


@dataclass(frozen=True, eq=False)
class Questions:
    """A batch of pictures, and what is asked about them: once for each repeat."""

    batch: Batch
    asked: list[Asked]
