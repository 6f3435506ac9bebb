"""A block of images, what is asked of it, and what answering costs."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.needs import Needs
from seewhy.core.target import BoundTarget, Target
from seewhy.core.trace import Reading, Trace
from seewhy.engine.following.taping import Reference
from seewhy.engine.network import Network
from seewhy.engine.passes import Pass, upcast
from seewhy.engine.replay import Tape


class Block:
    """A block of images and the one forward pass that every question about them shares."""

    def __init__(self, network: Network, inputs: Float[Tensor, "b c *spatial"], needs: Needs, seed: int = 0) -> None:
        self.network, self.inputs, self.needs, self.seed = network, inputs, needs, seed
        self.tapes: dict[
            tuple[str, bool], dict[int, Tape]
        ] = {}  # by layer (and norms as they are) and image: what goes on from the layer
        self.references: dict[int, Reference] = {}  # by image: what changes of it are followed from

    @cached_property
    def shared(self) -> Pass:
        """The pass over the images themselves, made when it is first wanted."""
        return self.network.forward(self.inputs, self.needs)

    def of(self, index: int) -> "Block":
        """Return a block of one image, with its part of the pass; the graph of the pass is left behind."""
        rows, needs = slice(index, index + 1), replace(self.needs, gradients=frozenset(), lenient=frozenset())
        block = Block(self.network, self.inputs[rows], needs, self.seed)
        block.__dict__["shared"] = self.shared.of(rows, needs)
        return block


class Question:
    """One target asked of one block: bound once, traced once, whichever methods share it."""

    def __init__(self, block: Block, target: Target) -> None:
        self.block, self.target = block, target

    @cached_property
    def bound(self) -> BoundTarget:
        """The target, bound on the unperturbed images."""
        return self.target.bind(self.block.shared.reading, self.block.network.model.labels)

    def of(self, index: int) -> "Question":
        """Return the same question of one image alone; gradients of the shared pass are left behind."""
        rows, images = slice(index, index + 1), len(self.block.inputs)
        return Question(self.block.of(index), self.target.part(rows, images))

    @property
    def score(self) -> Float[Tensor, " b"]:
        """The target's value on the unperturbed images."""
        if "trace" in self.__dict__:
            return self.trace.score
        with torch.no_grad():
            return upcast(self.bound(self.block.shared.reading).detach())

    @cached_property
    def trace(self) -> Trace:
        """The pass over the images themselves, with the gradients that any method of the block wants."""
        trace = self.block.shared.trace(self.bound)
        self.block.network.count(Cost(backwards=len(self.block.inputs) if self.block.needs.gradients else 0))
        return trace


class Losses:
    """In how many changed images what is asked about was not found any more, counted for each image of a block.

    Attributes:
        changed: changed images that were looked at, of each image.
        gone: those of them without it.
    """

    def __init__(self) -> None:
        self.changed: list[int] = []
        self.gone: list[int] = []

    def see(self, bound: BoundTarget, reading: Reading) -> None:
        """Count readings of the images, one batch of all of them after the other; nothing is counted for what cannot vanish."""
        if bound.gone is None:
            return
        images = len(bound.names)
        with torch.no_grad():
            for part in reading.split(images):
                self.add([1] * images, bound.gone(part).long().tolist())

    def add(self, changed: list[int], gone: list[int]) -> None:
        """Add counts of each image."""
        self.changed = [a + b for a, b in zip(self.changed or [0] * len(changed), changed, strict=True)]
        self.gone = [a + b for a, b in zip(self.gone or [0] * len(gone), gone, strict=True)]

    def join(self, other: "Losses") -> None:
        """Append what was counted of further images."""
        self.changed, self.gone = self.changed + other.changed, self.gone + other.gone


class Bill:
    """What a method has used so far: passes per image, and the questions whose shared pass it has gone back through.

    The shared forward is always charged: the target is bound on it.

    Args:
        begin: what is charged from the start.
        watch: is told the cost whenever it grows.
    """

    def __init__(self, begin: Cost = Cost(forwards=1), watch: Callable[[Cost], None] | None = None) -> None:  # noqa: B008 (a frozen value)
        self._cost, self._watch = begin, watch
        self.remarks: tuple[str, ...] = ()
        self.losses = Losses()
        self._shared: list[Question] = []
        self._rows = Cost()
        self._known: set[object] = set()

    @property
    def cost(self) -> Cost:
        """Passes per image so far."""
        return self._cost

    @cost.setter
    def cost(self, cost: Cost) -> None:
        self._cost = cost
        if self._watch is not None:
            self._watch(cost)

    def part(self) -> "Bill":
        """Return a bill of its own for one image; whoever watches this one sees both together."""
        watch = self._watch
        return Bill(Cost(), None if watch is None else lambda cost: watch(self._cost + cost))

    def share(self, question: Question, needs: Needs) -> None:
        """Charge the backward of a shared pass, once for each question."""
        if question not in self._shared:
            self.cost += Cost(backwards=1 if needs.gradients else 0)
            self._shared.append(question)

    def pay_rows(self, cost: Cost, images: int) -> None:
        """Charge rows that were run image by image; `images` rows, one of each image, make one pass."""
        self._rows += cost
        due = Cost(*(count // images for count in (self._rows.forwards, self._rows.backwards, self._rows.partial)))
        self.cost += due
        self._rows -= due * images

    def once(self, key: object, cost: Cost, images: int) -> None:
        """Charge a row that several questions share, the first time that it is used."""
        if key not in self._known:
            self._known.add(key)
            self.pay_rows(cost, images)

    def remark(self, sentence: str) -> None:
        """Write down what a reader must know about how the passes were made."""
        if sentence not in self.remarks:
            self.remarks += (sentence,)
