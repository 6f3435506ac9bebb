"""What a method sees of the network: questions about one block of images."""

from collections.abc import Iterable, Iterator
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from seewhy.core.cost import Cost
from seewhy.core.needs import INPUT, Needs, at
from seewhy.core.probe import Probe
from seewhy.core.target import BoundTarget, Target
from seewhy.core.trace import Reading, Trace
from seewhy.engine.chunking import clock, packs
from seewhy.engine.constants import constant
from seewhy.engine.network import Network
from seewhy.engine.passes import Pass, check_grids, upcast
from seewhy.engine.recording import layer_of
from seewhy.engine.stand_ins import stand_in
from seewhy.errors import OutOfMemory

AT_INPUT = Needs(gradients=frozenset({INPUT}))


class Block:
    """A block of images and the one forward pass that every question about them shares."""

    def __init__(self, network: Network, inputs: Float[Tensor, "b c *spatial"], needs: Needs, seed: int = 0) -> None:
        self.network, self.inputs, self.needs, self.seed = network, inputs, needs, seed

    @cached_property
    def shared(self) -> Pass:
        """The pass over the images themselves, made when it is first wanted."""
        return self.network.forward(self.inputs, self.needs)


class Question:
    """One target asked of one block: bound once, traced once, whichever methods share it."""

    def __init__(self, block: Block, target: Target) -> None:
        self.block, self.target = block, target

    @cached_property
    def bound(self) -> BoundTarget:
        """The target, bound on the unperturbed images."""
        return self.target.bind(self.block.shared.reading, self.block.network.model.labels)

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


class Bill:
    """What a method has used so far: passes per image, and the questions whose shared pass it has gone back through.

    The shared forward is always charged: the target is bound on it.
    """

    def __init__(self) -> None:
        self.cost = Cost(forwards=1)
        self._shared: list[Question] = []

    def share(self, question: Question, needs: Needs) -> None:
        """Charge the backward of a shared pass, once for each question."""
        if question not in self._shared:
            self.cost += Cost(backwards=1 if needs.gradients else 0)
            self._shared.append(question)


class NetworkProbe(Probe):
    """One question, as one method sees it; see `seewhy.core.probe.Probe`.

    Args:
        question: block and target.
        needs: what this method wants of the shared pass; its part of the cost follows from that.
        bill: where the cost is written; a new one if None.
    """

    def __init__(self, question: Question, needs: Needs, bill: Bill | None = None) -> None:
        self._question, self._block, self._needs = question, question.block, needs
        self._bill = bill or Bill()

    @property
    def cost(self) -> Cost:
        """Passes per image that the method has used, for all targets that it asked about, the shared one included."""
        return self._bill.cost

    @cached_property
    def inputs(self) -> Float[Tensor, "b c *spatial"]:
        """The images, as the network takes them, but never in half precision: methods add up many small numbers."""
        return upcast(self._block.inputs)

    @property
    def bound(self) -> BoundTarget:
        """The target, bound on these images."""
        return self._question.bound

    def trace(self) -> Trace:
        """Return the pass over the images themselves, made once for all that ask.

        Raises:
            LayerError: a layer that the method draws on has no spatial grid.
        """
        trace = self._question.trace
        self._bill.share(self._question, self._needs)
        check_grids(trace, self._needs)
        return trace

    def score(self) -> Float[Tensor, " b"]:
        """Return the target's value on the images themselves; no backward is made."""
        return self._question.score

    def traces(self, variants: Iterable[Float[Tensor, "b c *spatial"]], needs: Needs) -> Iterator[Trace]:
        """Yield one trace for each variant of the images; variants are taken ahead, a micro-batch at a time.

        Raises:
            LayerError: a layer whose activation is wanted has no spatial grid.
        """
        return self._traces((variant.expand_as(self.inputs) for variant in variants), needs)

    def between(self, layer: str, start: Trace, end: Trace, places: Iterable[float]) -> Iterator[Trace]:
        """Yield one trace for each place on the line between what a layer gave in two traces, 0 at the start and 1 at the end."""
        first, last = start.raw[layer], end.raw[layer]
        return self._traces((torch.lerp(first, last, place) for place in places), at(layer), layer)

    def _traces(self, variants: Iterable[Tensor], needs: Needs, put: str | None = None) -> Iterator[Trace]:
        """Yield one trace for each variant of the images, or of what the layer `put` gives for them."""
        images = len(self.inputs)
        united = needs | self._question.target.needs()
        kind = (united, tuple(self.inputs.shape[1:]), put)
        for pack in packs(variants, self._block.network.tuner, kind):
            for whole in self._passes(pack, united, put, kind):
                check_grids(whole, needs)
                yield from (_part(whole, slice(n, n + images)) for n in range(0, len(whole.score), images))

    def _passes(self, pack: list[Tensor], needs: Needs, put: str | None, kind: object) -> Iterator[Trace]:
        """Run a pack of variants at once and let the tuner know; one that does not fit into memory is halved until it does."""
        network, device = self._block.network, self._block.inputs.device
        begun = clock(device)
        try:
            whole = self._pass(pack, needs, put)
        except OutOfMemory:
            half = len(pack) // 2
            if not half:
                raise
            network.tuner.limit(kind, half * len(self.inputs))
            yield from self._passes(pack[:half], needs, put, kind)
            yield from self._passes(pack[half:], needs, put, kind)
        else:
            network.tuner.saw(kind, len(pack) * len(self.inputs), clock(device) - begun)
            yield whole

    def _pass(self, pack: list[Tensor], needs: Needs, put: str | None) -> Trace:
        """Run a pack of variants at once, write down what it cost, and let its graph go."""
        network, times = self._block.network, len(pack)
        if put is None:
            made = network.forward(torch.cat(pack).to(self._block.inputs), needs)
        else:
            inputs = self._block.inputs.repeat(times, *[1] * (self.inputs.dim() - 1))
            made = network.forward(inputs, needs, {put: torch.cat(pack)})
        trace = made.trace(_each(self.bound, times), last=True)
        backwards = times if needs.gradients else 0
        network.count(Cost(backwards=backwards * len(self.inputs)))
        self._bill.cost += Cost(times, backwards)
        return trace

    def gradients(self, variants: Iterable[Float[Tensor, "b c *spatial"]]) -> Iterator[Float[Tensor, "b c *spatial"]]:
        """Yield the gradient of the score at the input, for each variant of the images."""
        for trace in self.traces(variants, AT_INPUT):
            yield trace.gradient[INPUT]

    def scores(self, variants: Iterable[Float[Tensor, "b c *spatial"]]) -> Iterator[Float[Tensor, " b"]]:
        """Yield the scores of each variant of the images; no gradient is made."""
        for trace in self.traces(variants, Needs()):
            yield trace.score

    def toward(self, target: Target) -> "NetworkProbe":
        """Return a probe of the same images for another target; it shares the forward pass, and its cost adds to this one's."""
        return NetworkProbe(Question(self._block, target), self._needs, self._bill)

    def stand_in(self, kind: str) -> Float[Tensor, "b c *spatial"]:
        """Return images that stand for "nothing": "black", "white", "zero", "mean", "blur" or "noise"."""
        return stand_in(kind, self.inputs, self._block.network.model, self.generator())

    def constants(self, layers: Iterable[str]) -> Iterator[Tensor]:
        """Yield, for each layer, the constant that it adds in the pass over the images themselves: bias, shift or ceiling."""
        activation = self.trace().activation
        for name in layers:
            yield constant(layer_of(self._block.network.module, name), activation[name])

    def generator(self) -> Generator:
        """Return a fresh random generator on the CPU, seeded by the session."""
        return Generator().manual_seed(self._block.seed)


def _each(bound: BoundTarget, times: int) -> BoundTarget:
    """Apply a bound target to `times` variants of its images that lie one after the other."""
    if times == 1:
        return bound
    images = len(bound.names)

    def score(reading: Reading) -> Float[Tensor, " n"]:
        parts = []
        for n in range(times):
            rows = slice(n * images, (n + 1) * images)
            parts.append(
                bound(Reading(reading.output[rows], {name: value[rows] for name, value in reading.activation.items()}))
            )
        return torch.cat(parts)

    return BoundTarget(score, bound.names * times, bound.unit)


def _part(trace: Trace, rows: slice) -> Trace:
    """Return some rows of a trace."""
    return Trace(
        trace.inputs[rows],
        trace.output[rows],
        trace.score[rows],
        {name: value[rows] for name, value in trace.activation.items()},
        {name: value[rows] for name, value in trace.gradient.items()},
        {name: value[rows] for name, value in trace.raw.items()},
    )
