"""Pictures on their way up to a target: their scores, and how each of their pixels should change."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.needs import INPUT, Needs
from seewhy.core.rules import Rules
from seewhy.core.target import BoundTarget, Target
from seewhy.core.trace import Reading
from seewhy.engine.network import PLAINLY, Network
from seewhy.engine.passes import Pass
from seewhy.engine.ruling.ruled import Ruled

Together = Callable[[Reading], Float[Tensor, ""]]
"""What a batch of pictures is worth beyond the sum of its scores, such as how much they differ."""

Revival = Callable[[int], Rules]
"""Makes rules that let a gradient through shut rectifiers, all but the first so many on the way; new ones for each pass."""


class Ascent:
    """A target that pictures are to score high on, and as much of the network as it takes.

    Only what leads to the layers that the target reads runs, and no gradient of a weight is made. A picture to which no gradient comes
    back at all, because the unit's rectifier is shut wherever it looks, is run once more, and the last rectifier on the way lets through what would
    open it; if nothing comes back even then, the last two, four, and so on. Those before keep their own gradient: to open all of them at once
    would lose the direction.

    Args:
        network: the network.
        target: what is wanted, bound on `start`.
        start: one image (1, c, *spatial) of the size of the pictures, in the network's units.
        revival: makes rules that let a gradient through shut rectifiers, all but the first so many on the way.
        together: what is added to the sum of the scores, made of the reading of all rows.
        seen: layers that `together` reads.
    """

    def __init__(
        self,
        network: Network,
        target: Target,
        start: Float[Tensor, "1 c *spatial"],
        *,
        revival: Revival | None = None,
        together: Together | None = None,
        seen: frozenset[str] = frozenset(),
    ) -> None:
        needs = target.needs() | Needs(activations=seen)
        start = network.accept(start)
        self.bound: BoundTarget = target.bind(network.forward(start, needs).reading, network.model.labels)
        self.network = network.merged(start, needs.layers)
        self._needs, self._stop = needs, not target.reads_answer()
        self._revival, self._together = revival, together
        self._rectifiers: int | None = None

    def scores(self, inputs: Float[Tensor, "b c *spatial"]) -> Float[Tensor, " b"]:
        """Return the target's value of each picture; no gradient is made."""
        made = self.network.forward(self.network.accept(inputs), self._needs, stop=self._stop)
        return made.trace(self.bound.each(len(inputs))).score

    def slope(self, inputs: Float[Tensor, "b c *spatial"]) -> tuple[Float[Tensor, " b"], Float[Tensor, "b c *spatial"]]:
        """Return the target's value of each picture, and its gradient at the picture; that of `together` is in it.

        Pictures may be in any precision and on any device; their gradient is as they are.
        """
        taken = self.network.accept(inputs)
        made = self._pass(taken)
        scores, gradient = self._back(made)
        dead = ~gradient.flatten(1).any(dim=1)
        if self._revival is not None and dead.any():
            gradient[dead] = self._revived(taken[dead], self._revival)
        return scores, gradient.to(inputs)

    def _revived(self, inputs: Float[Tensor, "b c *spatial"], revival: Revival) -> Float[Tensor, "b c *spatial"]:
        """Return a gradient of pictures that have none of their own; zero where nothing can wake the target.

        That is so for good where no rectifier is in the way: it is not tried again.
        """
        if self._rectifiers is None:
            rules = revival(0)
            under = Ruled(rules)
            self._pass(inputs[:1], under)
            self._rectifiers = sum(under.met[kind, "exact rule"] for kind in rules.rewrites)
        opened = 1
        while True:
            gradient = self._back(self._pass(inputs, Ruled(revival(max(0, self._rectifiers - opened)))))[1]
            awake = gradient.flatten(1).any(dim=1)
            if opened >= self._rectifiers or awake.all():
                self._revival = revival if awake.any() else None
                return gradient
            opened *= 2

    def _pass(self, inputs: Float[Tensor, "b c *spatial"], under: AbstractContextManager[Any] = PLAINLY) -> Pass:
        needs = self._needs | Needs(gradients=frozenset({INPUT}), lenient=frozenset({INPUT}))
        return self.network.forward(inputs, needs, under=under, stop=self._stop)

    def _back(self, made: Pass) -> tuple[Float[Tensor, " b"], Float[Tensor, "b c *spatial"]]:
        rows = len(made.inputs)
        bound = self.bound.each(rows)
        found: list[Tensor] = []

        def score(reading: Reading) -> Float[Tensor, " b"]:
            scores = bound(reading)
            found.append(scores.detach())
            return scores if self._together is None else scores + self._together(reading) / rows

        trace = made.trace(BoundTarget(score, bound.names, bound.unit), last=True)
        self.network.count(Cost(backwards=rows))
        return found[0], trace.gradient[INPUT]
