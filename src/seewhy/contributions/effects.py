"""What taking a unit away does to the network's answers, picture by picture."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.contributions.units import Units, one_at_a_time
from seewhy.core.probe import Probe
from seewhy.core.trace import Reading


@dataclass(frozen=True, eq=False)
class Effects:
    """What each unit does, for each picture.

    Attributes:
        score: fall of the target's score when the unit is taken away (n, m): positive speaks for the target.
        loss: rise of the loss (n, m), minus the log-probability of the label; of the predicted class where no label is known.
        labels: the classes that the loss is about (n,).
        sizes: how active each unit is (n, m), where it has an activation.
    """

    score: Float[Tensor, "n m"]
    loss: Float[Tensor, "n m"]
    labels: Int[Tensor, " n"]
    sizes: Float[Tensor, "n m"] | None = None


def effects(probe: Probe, units: Units, labels: Int[Tensor, " b"]) -> Effects:
    """Take each unit away alone, and compare.

    Args:
        probe: images, bound target and network; must want what the units need.
        units: what is taken away.
        labels: class of each image; -1 where it is not known, and the predicted class is taken.
    """
    trace = probe.trace()
    whole = trace.output
    known = torch.where(labels.to(whole.device) < 0, whole.argmax(dim=1), labels.to(whole.device))
    score, loss = probe.bound(Reading(whole)), losses(whole, known)
    falls, rises = [], []
    for answer in units.answers(probe, one_at_a_time(len(units.names))):
        falls.append(score - probe.bound(Reading(answer)))
        rises.append(losses(answer, known) - loss)
    return Effects(torch.stack(falls, 1).cpu(), torch.stack(rises, 1).cpu(), known.cpu(), units.sizes(probe))


def losses(answer: Float[Tensor, "b k"], labels: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
    """Return minus the log-probability of each label."""
    return -answer.log_softmax(dim=1).gather(1, labels[:, None])[:, 0]
