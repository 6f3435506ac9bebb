"""What a method sees of the network: questions about one block of images."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain, islice

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from seewhy.core.attention import AttentionTrace, Pool
from seewhy.core.cost import Cost
from seewhy.core.needs import INPUT, Needs, at
from seewhy.core.probe import Probe
from seewhy.core.rules import Propagation, Rules
from seewhy.core.swap import Swap
from seewhy.core.target import BoundTarget, Target
from seewhy.core.trace import Trace
from seewhy.core.values import Array
from seewhy.engine.attention.attending import attention_of
from seewhy.engine.block import Bill, Question
from seewhy.engine.chunking import clock, packs
from seewhy.engine.constants import constant
from seewhy.engine.following.windows import Windows
from seewhy.engine.grid import raw_with
from seewhy.engine.network import Network
from seewhy.engine.partial import FromLayer
from seewhy.engine.passes import check_grids, part_of, upcast
from seewhy.engine.recording import layer_of
from seewhy.engine.ruling.propagating import propagate
from seewhy.engine.stand_ins import stand_in
from seewhy.engine.swapping import swapped
from seewhy.errors import MethodError, ModelError, OutOfMemory

MANY = 32
"""Rows of one stream from which on it pays to merge batch norms."""

LOST = "share of changed images in which it is not found"
"""Name of a figure."""

AT_INPUT = Needs(gradients=frozenset({INPUT}))


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
    def remarks(self) -> tuple[str, ...]:
        """What a reader must know about how the passes were made."""
        return self._bill.remarks

    @property
    def losses(self) -> dict[str, tuple[float, ...]]:
        """For targets that may vanish: the share of the changed images in which what is asked about is not found, for each image."""
        seen = self._bill.losses
        return {LOST: tuple(g / c for g, c in zip(seen.gone, seen.changed, strict=True))} if seen.changed else {}

    def lost_words(self, index: int) -> tuple[str, ...]:
        """Say of one image in how many changed images what is asked about was not found."""
        seen = self._bill.losses
        if not seen.changed:
            return ()
        gone, changed = seen.gone[index], seen.changed[index]
        return (f"{self.bound.names[index]}: not found in {gone} of {changed} changed images ({gone / changed:.0%})",)

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
        for layer in sorted(self._needs.activations & self._block.network.remembering(self._block.inputs)):
            self._bill.remark(
                f"layer {layer!r} hands on a state from frame to frame: the map says when it is read, not when the evidence was seen"
            )
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
        united = needs | self._question.target.needs()
        if put is None and not united.gradients:
            return self._long(variants, united, needs)
        return self._run(self._block.network, variants, united, needs, put)

    def _long(self, variants: Iterable[Tensor], united: Needs, needs: Needs) -> Iterator[Trace]:
        """Yield a trace for each variant, without gradients: after the first ones, where there are many, batch norms are merged.

        That takes a sixth off each pass, but some passes to find out how. It is the same network but for rounding.
        """
        stream = iter(variants)
        yield from self._run(self._block.network, islice(stream, max(1, MANY // len(self.inputs))), united, needs)
        following = next(stream, None)
        if following is not None:
            yield from self._run(self._lean(united), chain([following], stream), united, needs)

    def _lean(self, needs: Needs) -> Network:
        """Return the network with merged norms; in half precision, where rounding would show, the network itself."""
        network, inputs = self._block.network, self._block.inputs
        half = inputs.dtype in (torch.float16, torch.bfloat16)
        return network if half else network.merged(inputs, needs.layers)

    def _run(
        self, network: Network, variants: Iterable[Tensor], united: Needs, needs: Needs, put: str | None = None
    ) -> Iterator[Trace]:
        """Run variants of the images, as many at once as is fastest."""
        images = len(self.inputs)
        kind = (united, tuple(self.inputs.shape[1:]), put)
        for pack in packs(variants, network.tuner, kind):
            for whole in self._passes(network, pack, united, put, kind):
                check_grids(whole, needs)
                yield from (part_of(whole, slice(n, n + images)) for n in range(0, len(whole.score), images))

    def _passes(
        self, network: Network, pack: list[Tensor], needs: Needs, put: str | None, kind: object
    ) -> Iterator[Trace]:
        """Run a pack of variants at once and let the tuner know; one that does not fit into memory is halved until it does."""
        device = self._block.inputs.device
        begun = clock(device)
        try:
            whole = self._pass(network, pack, needs, put)
        except OutOfMemory:
            half = len(pack) // 2
            if not half:
                raise
            network.tuner.limit(kind, half * len(self.inputs))
            yield from self._passes(network, pack[:half], needs, put, kind)
            yield from self._passes(network, pack[half:], needs, put, kind)
        else:
            network.tuner.saw(kind, len(pack) * len(self.inputs), clock(device) - begun)
            yield whole

    def _pass(self, network: Network, pack: list[Tensor], needs: Needs, put: str | None) -> Trace:
        """Run a pack of variants at once, write down what it cost, and let its graph go."""
        times = len(pack)
        if put is None:
            made = network.forward(torch.cat(pack).to(self._block.inputs), needs)
        else:
            inputs = self._block.inputs.repeat(times, *[1] * (self.inputs.dim() - 1))
            made = network.forward(inputs, needs, {put: torch.cat(pack)})
        trace = made.trace(self.bound.each(times), last=True)
        self._bill.losses.see(self.bound, made.reading)
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

    def windows(
        self, corners: Iterable[tuple[int, ...]], size: tuple[int, ...], fill: Float[Tensor, "b c *spatial"]
    ) -> Iterator[Float[Tensor, " b"]]:
        """Yield the scores of the images with one window each time replaced by the fill."""
        return Windows(self._question, self._bill, size, fill.to(self._block.inputs)).scores(corners)

    def replayed(self, layer: str, variants: Iterable[Float[Tensor, "b c *spatial"]]) -> Iterator[Float[Tensor, " b"]]:
        """Yield the scores where a layer gives each variant on its grid instead of its own output."""
        check_grids(self.trace(), Needs(frozenset({layer})))
        part, back = self._from_layer(layer, variants)
        return part.scores(back)

    def answers(self, layer: str, variants: Iterable[Float[Tensor, "b c *spatial"]]) -> Iterator[Float[Tensor, "b k"]]:
        """Yield the network's answers where a layer gives each variant instead of its own output."""
        part, back = self._from_layer(layer, variants)
        return (upcast(reading.output) for reading in part.readings(back))

    def swapped(self, swaps: Iterable[Mapping[str, Swap]]) -> Iterator[Float[Tensor, "b k"]]:
        """Yield the network's answers where layers hand on something else in the place of a part of what they make."""
        return swapped(self._question, self._bill, swaps)

    def _from_layer(self, layer: str, variants: Iterable[Tensor]) -> tuple[FromLayer, Iterator[Tensor]]:
        """Return what replays from a layer, and the variants in the layer's own layout."""
        made = self._block.shared
        raw, grid = made.nodes[layer].detach(), made.grids[layer]
        return FromLayer(self._question, self._bill, layer, raw), (
            raw_with(raw, grid, variant.to(raw)) for variant in variants
        )

    def with_tokens(self, layer: str, kept: Iterable[Int[Tensor, "#b k"]]) -> Iterator[Float[Tensor, " b"]]:
        """Yield the scores where a layer hands on only some of its patch tokens; class and register tokens always stay."""
        made = self._block.shared
        raw, grid = made.nodes[layer].detach(), made.grids[layer]
        if grid is None or grid.form != "tokens":
            raise MethodError(
                f"layer {layer!r} puts out no tokens; dropping tokens is for transformers without windows"
            )
        extra = torch.arange(grid.extra, device=raw.device)
        numbers = grid.sequence().to(raw.device) + grid.extra  # of the places, row by row
        chosen = (torch.cat([extra.expand(len(which), -1), numbers[which.to(raw.device)]], dim=1) for which in kept)
        rows = (raw.gather(1, which.expand(len(raw), -1)[..., None].expand(-1, -1, raw.shape[2])) for which in chosen)
        try:
            yield from FromLayer(self._question, self._bill, layer, raw, any_size=True).scores(rows)
        except OutOfMemory:
            raise
        except ModelError as error:
            raise MethodError(f"behind layer {layer!r} the network wants all tokens: {error}") from error

    def propagated(
        self, rules: Rules, needs: Needs, beside: Float[Tensor, "b c *spatial"] | None = None
    ) -> Propagation:
        """Make one pass over the images, and go back through it under rules."""
        return propagate(self._question, self._bill, rules, needs, beside)

    def attention(self, *, gradients: bool = False, layerwise: Pool | None = None) -> tuple[AttentionTrace, ...]:
        """Return the attention weights of each layer of a transformer, from one pass over the images, first layer first."""
        return attention_of(self._question, self._bill, gradients=gradients, layerwise=layerwise)

    def one_by_one(self) -> Iterator["NetworkProbe"]:
        """Yield a probe for each image alone; what the most expensive image costs is what each is charged."""
        dearest = Cost()
        for index in range(len(self.inputs)):
            bill = self._bill.part()
            yield NetworkProbe(self._question.of(index), self._needs, bill)
            cost = bill.cost
            dearest = max(dearest, cost, key=lambda one: (one.forwards, one.backwards, one.partial))
            for remark in bill.remarks:
                self._bill.remark(remark)
            self._bill.losses.join(bill.losses)
        self._bill.cost += dearest

    def toward(self, target: Target) -> "NetworkProbe":
        """Return a probe of the same images for another target; it shares the forward pass, and its cost adds to this one's."""
        return NetworkProbe(Question(self._block, target), self._needs, self._bill)

    def stand_in(self, kind: str | Array) -> Float[Tensor, "b c *spatial"]:
        """Return images that stand for "nothing": "black", "white", "zero", "mean", "blur" or "noise", or one given image."""
        return stand_in(kind, self.inputs, self._block.network.model, self.generator())

    def constants(self, layers: Iterable[str]) -> Iterator[Tensor]:
        """Yield, for each layer, the constant that it adds in the pass over the images themselves: bias, shift or ceiling."""
        activation = self.trace().activation
        for name in layers:
            yield constant(layer_of(self._block.network.module, name), activation[name])

    def generator(self) -> Generator:
        """Return a fresh random generator on the CPU, seeded by the session."""
        return Generator().manual_seed(self._block.seed)
