"""What methods have in common that hand the score back under rules, down to the input."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.method import Attribution, Method
from seewhy.core.needs import INPUT, Needs
from seewhy.core.probe import Probe
from seewhy.core.rules import Propagation, Rules
from seewhy.ops.channels import ratio

ARRIVED = "share of the score that arrives at the map"
"""Name of the figure that says how far relevance was conserved: 1 is all of it."""


@dataclass(frozen=True)
class RelevanceMethod(Method):
    """A method whose map is input times the rules' gradient: the relevance that arrives at the pixels."""

    family: ClassVar = "propagation"
    signed: ClassVar = True
    resolution: ClassVar = "input"

    @abstractmethod
    def rules(self, probe: Probe) -> Rules:
        """Return what is put in the place of which operation; the probe says what black and white are."""

    def needs(self) -> Needs:
        """Return nothing of the shared pass: the rules want one of their own."""
        return Needs()

    def cost(self) -> Cost:
        """Return the shared pass, and one under rules."""
        return Cost(2, 1)

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, what was met, and what the map lacks of the score."""
        found = probe.propagated(self.rules(probe), Needs())
        relevance = found.trace.inputs * found.trace.gradient[INPUT]
        if found.first is not None:
            relevance = relevance + found.first
        return conserving(relevance.sum(dim=1), found)


def conserving(heatmap: Float[Tensor, "b *spatial"], found: Propagation) -> Attribution:
    """Return a map of relevance with what it lacks of the score, the share that it has, and what was met."""
    score = found.trace.score
    share = ratio(heatmap.flatten(1).sum(dim=1), score)
    return Attribution.adding_up(heatmap, score, coverage=found.coverage, figures={ARRIVED: share})
