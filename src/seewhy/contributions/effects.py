"""What taking a unit away does to the network's answers, picture by picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seewhy.contributions.units import Gone, Units, one_at_a_time
from seewhy.core.probe import Probe
from seewhy.core.trace import Reading


@dataclass(frozen=True, eq=False)
class Effects:
    """What each unit does, for each picture; NaN where the picture does not have it.

    Attributes:
        places: numbers of the pictures in the data (n,).
        score: fall of the target's score when the unit is taken away (n, m): positive speaks for the target.
        magnitude: the fall's absolute value (n, m); the mean of that, where it was measured several times.
        loss: rise of the loss (n, m), minus the log-probability of the label; of the predicted class where no label is known. NaN where the
            network gives no scores of classes.
        kept: whether the class is the label then (n, m), between 0 and 1 where it was tried several times; NaN as above.
        labels: the classes that the loss is about (n,).
        known: whether they are labels (n,), and not the network's own answers.
        whole: the score with nothing gone (n,).
        all_gone: the fall of the score when all units are taken away (n,).
        right: whether the class is the label with nothing gone (n,).
        end: the same with all units gone (n,).
        sizes: how active each unit is (n, m), where it has an activation.
        areas: the share of the picture that each unit covers (n, m), where it covers some.
    """

    places: Int[Tensor, " n"]
    score: Float[Tensor, "n m"]
    magnitude: Float[Tensor, "n m"]
    loss: Float[Tensor, "n m"]
    kept: Float[Tensor, "n m"]
    labels: Int[Tensor, " n"]
    known: Bool[Tensor, " n"]
    whole: Float[Tensor, " n"]
    all_gone: Float[Tensor, " n"]
    right: Float[Tensor, " n"]
    end: Float[Tensor, " n"]
    sizes: Float[Tensor, "n m"] | None = None
    areas: Float[Tensor, "n m"] | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the network says with some units gone: score (b,), loss (b,), and whether the class is the label (b,)."""

    score: Float[Tensor, " b"]
    loss: Float[Tensor, " b"]
    kept: Float[Tensor, " b"]


@dataclass(frozen=True, eq=False)
class Asked:
    """Some pictures, and what is asked of the network's answers to them.

    Args:
        probe: the images, the bound target and the network; must want what the units need.
        units: what is taken away.
        labels: class of each image; -1 where it is not known, and the predicted class is taken.
    """

    probe: Probe
    units: Units
    labels: Int[Tensor, " b"]

    @property
    def classes(self) -> Int[Tensor, " b"]:
        """The class that the loss is about, of each image; -1 where the network gives no scores of classes."""
        answer = self.probe.trace().output
        labels = self.labels.to(answer.device)
        return torch.where(labels < 0, answer.argmax(dim=1), labels) if is_classifier(answer) else labels * 0 - 1

    def sizes(self) -> Float[Tensor, "b m"] | None:
        """Return how active each unit is, where the units have an activation."""
        found = self.units.sizes(self.probe)
        return None if found is None else found.double().cpu()

    def areas(self) -> Float[Tensor, "b m"] | None:
        """Return the share of the picture that each unit covers, where they cover some."""
        found = self.units.areas(self.probe)
        return None if found is None else found.double().cpu()

    def whole(self) -> Outcome:
        """Return what the network says with nothing gone."""
        return self._outcome(self.probe.trace().output, self.classes)

    def outcomes(self, gone: Gone) -> Iterator[Outcome]:
        """Yield what the network says with some units gone, time after time."""
        classes = self.classes
        return (self._outcome(answer, classes) for answer in self.units.answers(self.probe, gone))

    def _outcome(self, answer: Tensor, classes: Int[Tensor, " b"]) -> Outcome:
        score = self.probe.bound(Reading(answer)).detach().double().cpu()
        if not is_classifier(answer):
            nothing = torch.full_like(score, torch.nan)
            return Outcome(score, nothing, nothing)
        kept = (answer.argmax(dim=1) == classes).double().cpu()
        return Outcome(score, losses(answer.double(), classes).cpu(), kept)


def effects(asked: Sequence[Asked], places: Sequence[int]) -> Effects:
    """Take each unit away alone, and compare.

    Args:
        asked: the same pictures once for each repeat; the mean over the repeats counts.
        places: numbers of the pictures in the data.
    """
    first = asked[0]
    whole, areas = first.whole(), first.areas()
    rows = [_rows(one) for one in asked]
    score, loss, kept = (torch.stack([row[which] for row in rows]) for which in range(3))  # (repeats, m + 1, b)
    falls, rises = whole.score - score, loss - whole.loss
    absent = torch.zeros(1, 1, dtype=torch.bool) if areas is None else areas == 0

    def alone(values: Float[Tensor, "repeats all b"]) -> Float[Tensor, "b m"]:
        return values[:, :-1].mean(dim=0).T.masked_fill(absent, torch.nan)

    return Effects(
        torch.tensor(places),
        score=alone(falls),
        magnitude=alone(falls.abs()),
        loss=alone(rises),
        kept=alone(kept),
        labels=first.classes.cpu(),
        known=first.labels.cpu() >= 0,
        whole=whole.score,
        all_gone=falls[:, -1].mean(dim=0),
        right=whole.kept,
        end=kept[:, -1].mean(dim=0),
        sizes=first.sizes(),
        areas=areas,
    )


def joined(parts: Sequence[Effects]) -> Effects:
    """Return the effects on the pictures of all parts, in the order of their numbers in the data."""
    order = torch.cat([part.places for part in parts]).argsort()

    def together(name: str) -> Tensor | None:
        values = [getattr(part, name) for part in parts]
        return None if values[0] is None else torch.cat(values)[order]

    return Effects(**{name: together(name) for name in Effects.__dataclass_fields__})  # type: ignore[arg-type]


def _rows(asked: Asked) -> tuple[Tensor, Tensor, Tensor]:
    """Return score, loss and whether the class was kept (m + 1, b): each unit gone alone, and then all."""
    count = len(asked.units.names)
    gone = chain(one_at_a_time(count), [torch.ones(count, dtype=torch.bool)])
    made = list(asked.outcomes(gone))
    return tuple(torch.stack([getattr(one, name) for one in made]) for name in ("score", "loss", "kept"))  # type: ignore[return-value]


def is_classifier(answer: Tensor) -> bool:
    """Say whether an answer holds one score for each of several classes."""
    return answer.dim() == 2 and answer.shape[1] > 1


def losses(answer: Float[Tensor, "b k"], labels: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
    """Return minus the log-probability of each label."""
    return -answer.log_softmax(dim=1).gather(1, labels[:, None])[:, 0]
