"""What the network does with each picture of a data set: the score and the loss, one pass each."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.contributions.effects import losses
from seewhy.contributions.study import LabelScore
from seewhy.core.needs import Needs
from seewhy.core.target import Target
from seewhy.core.trace import Reading
from seewhy.data.dataset import Batch, Dataset
from seewhy.engine.block import Question
from seewhy.engine.session import Session
from seewhy.errors import TargetError
from seewhy.targets.classes import class_logits

ROWS = 8
"""Pictures at a time; the result does not depend on it."""


@dataclass(frozen=True, eq=False)
class Behaviour:
    """What the network did with each picture.

    Attributes:
        names: of the pictures.
        score: the target's score (n,).
        loss: minus the log-probability of the label (n,); of the predicted class where no label is known.
        classes: the class that the loss is about (n,).
        target: what was asked, in words.
        unit: of the score.
        labels: what the loss is about, in words.
        broken: pictures that could not be read, with the reason.
    """

    names: tuple[str, ...]
    score: Float[np.ndarray, " n"]
    loss: Float[np.ndarray, " n"]
    classes: Int[np.ndarray, " n"]
    target: str
    unit: str
    labels: str
    broken: dict[str, str] = field(default_factory=dict)

    def of(self, places: Sequence[int]) -> "Behaviour":
        """Return what the network did with some of the pictures."""
        rows = np.asarray(places)
        return replace(
            self,
            names=tuple(self.names[place] for place in places),
            score=self.score[rows],
            loss=self.loss[rows],
            classes=self.classes[rows],
        )


def behaviour_of(session: Session, data: Dataset, target: Target | None = None) -> Behaviour:
    """Run the network on every picture, batch by batch.

    Args:
        session: runs the network.
        data: the pictures.
        target: what is asked; None is the label of each picture, or the predicted class where that is not known.

    Raises:
        DataError: none of the pictures can be read.
        TargetError: the target looks at a layer, or the network is no classifier.
    """
    if target is not None and target.needs().layers:
        raise TargetError(
            f"attributes are about what the network answers, and this target looks at {', '.join(map(repr, sorted(target.needs().layers)))}; "
            "ask for a class, or a function of the answer"
        )
    parts: list[Tensor] = []
    names: list[str] = []
    known = 0
    asked: dict[str, None] = {}
    unit = ""
    for batch in data.batches(session.model, ROWS):
        made, question = _of_batch(session, batch, target)
        parts.append(made)
        names += [data.names[place] for place in batch.places]
        known += int((batch.labels >= 0).sum())
        asked.update(dict.fromkeys(question.bound.names))
        unit = question.bound.unit
    score, loss, classes = torch.cat(parts, dim=1).numpy()
    labels = (
        "labels"
        if known == len(names)
        else "the network's own answers"
        if not known
        else "labels where known, else the network's own answers"
    )
    return Behaviour(
        tuple(names),
        score,
        loss,
        classes.astype(int),
        _words(asked, target, known, len(names)),
        unit,
        labels,
        dict(data.broken),
    )


def _of_batch(session: Session, batch: Batch, target: Target | None) -> tuple[Float[Tensor, "3 b"], Question]:
    """Return score, loss and class of each picture of a batch, and what was asked."""
    block = session.block(session.network.accept(batch.inputs), Needs())
    question = Question(block, target or LabelScore(batch.labels))
    answer = block.shared.reading.output.detach()
    logits = class_logits(Reading(answer))
    labels = batch.labels.to(logits.device)
    about = torch.where(labels < 0, logits.argmax(dim=1), labels)
    score, loss = question.score.detach().double(), losses(logits.double(), about)
    return torch.stack([score.cpu(), loss.cpu(), about.double().cpu()]), question


def _words(asked: Sequence[str] | dict[str, None], target: Target | None, known: int, count: int) -> str:
    if len(asked) == 1:
        return next(iter(asked))
    if target is not None:
        return "what was asked of each picture"
    if known == count:
        return "the label of each picture"
    return "the predicted class of each picture" if not known else "the label of each picture, or its predicted class"
