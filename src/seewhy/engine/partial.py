"""Scores from passes that run only a part of the network: what follows a layer, or what a window touches."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.trace import Reading
from seewhy.engine.block import Bill, Question
from seewhy.engine.chunking import clock
from seewhy.engine.network import Network
from seewhy.engine.passes import Pass, check_finite, raw_rows, upcast
from seewhy.engine.recording import NOTHING, Put
from seewhy.engine.replay import CannotCut, Replay, Tape, hollow
from seewhy.errors import ModelError, OutOfMemory

V = TypeVar("V")
"""A variant of the images of a block: a window, an activation, a choice of tokens."""

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 3e-2, torch.bfloat16: 1e-1}
"""How far a partial pass may be from the whole network, relative to the largest answer, before it is not used."""


class Partial(ABC, Generic[V]):
    """Scores variants of a block of images, image by image, as many variants at once as is fastest.

    Args:
        question: block and target.
        bill: where the cost is written.
        kind: what distinguishes these passes from others, for the measuring of their best size.
        network: which gives the same answers as that of the block; that one itself if None.
    """

    def __init__(self, question: Question, bill: Bill, kind: object, network: Network | None = None) -> None:
        self.question, self.bill = question, bill
        self.block, self.network = question.block, network or question.block.network
        self.needs = question.target.needs()
        self.kind = (kind, self.needs, tuple(self.block.inputs.shape[1:]))

    @property
    def least(self) -> int:
        """How many rows the first pass has; the best number is measured from there on."""
        return 1

    @abstractmethod
    def reading(self, image: int, pack: Sequence[V]) -> Reading:
        """Run some variants of one image; return the answer and what the target wants to see, a row each."""

    def scores(self, variants: Iterable[V]) -> Iterator[Float[Tensor, " b"]]:
        """Yield one score for each image, variant after variant; variants are taken ahead, a pack at a time."""
        for reading in self.readings(variants):
            with torch.no_grad():
                score = self.question.bound(reading)
            self.bill.losses.see(self.question.bound, reading)
            check_finite(score)
            yield upcast(score)

    def readings(self, variants: Iterable[V]) -> Iterator[Reading]:
        """Yield what the network gives for all images, variant after variant."""
        stream = iter(variants)
        while pack := list(islice(stream, self.network.tuner.rows(self.kind, self.least))):
            yield from self._read(pack)

    def _read(self, pack: list[V]) -> Iterator[Reading]:
        device = self.block.inputs.device
        begun = clock(device)
        try:
            readings = [self.reading(image, pack) for image in range(len(self.block.inputs))]
        except OutOfMemory:
            half = len(pack) // 2
            if not half:
                raise
            self.network.tuner.limit(self.kind, half)
            yield from self._read(pack[:half])
            yield from self._read(pack[half:])
            return
        if len(pack) >= self.least:
            self.network.tuner.saw(self.kind, len(pack), (clock(device) - begun) / len(readings))
        yield from _row_by_row(readings)

    def whole(self, inputs: Tensor, put: Mapping[str, Put] = NOTHING) -> Reading:
        """Run the whole network on these rows, and charge it."""
        return self._detached(self.network.forward(inputs, self.needs, put), Cost(forwards=len(inputs)))

    def _detached(self, made: Pass, cost: Cost) -> Reading:
        """Write the cost of some rows of one image down; the bill is per image of the block."""
        self.bill.pay_rows(cost, len(self.block.inputs))
        return Reading(
            made.reading.output.detach(), {name: value.detach() for name, value in made.reading.activation.items()}
        )


def agree(found: Tensor, wanted: Tensor) -> bool:
    """Say whether a partial pass gave what the whole network gives."""
    if found.shape != wanted.shape:
        return False
    apart, largest = (found - wanted).abs().max(), wanted.abs().max()
    return bool(apart <= TOLERANCE.get(wanted.dtype, 1e-3) * largest)


class FromCut(Partial[V]):
    """Variants say what a layer hands on: only what follows it runs.

    Whether the network can be cut there is tried once for each layer and size of input: two other activations must lead to the same
    answers as in the whole network.

    Args:
        question, bill: as above.
        layer: where to cut.
        raw: what the layer hands on for the images themselves, in its own layout.
        any_size: variants may have another number of tokens than the layer's own output.
        network: as above.
    """

    def __init__(
        self,
        question: Question,
        bill: Bill,
        layer: str,
        raw: Tensor,
        *,
        any_size: bool = False,
        network: Network | None = None,
    ) -> None:
        super().__init__(question, bill, ("from", layer, any_size), network)
        self.layer, self.raw = layer, raw
        if self.kind not in self.network.cuts:
            self.network.cuts[self.kind] = self._tried()

    def going_on(self, image: int, copies: int, rows: Tensor, later: Mapping[str, Put] = NOTHING) -> Reading:
        """Go on from the layer with what it hands on for so many variants of one image, and with what later layers hand on."""
        put = {self.layer: rows, **later}
        if not self.network.cuts[self.kind]:
            try:
                made = self._replayed(image, copies, put)
            except CannotCut as error:  # this image, or this number of rows, takes another way through the network
                self.network.cuts[self.kind] = self._why(str(error))
            else:
                self.bill.once((self.layer, image), Cost(forwards=1), len(self.block.inputs))
                return self._detached(made, Cost(partial=copies))
        self.bill.remark(self.network.cuts[self.kind])
        return self.whole(self._images(image, copies), put)

    def _replayed(self, image: int, copies: int, put: Mapping[str, Put]) -> Pass:
        """Run what follows the layer on these rows; what comes before it is answered from the tape, and has no need of the image."""
        tape = self._tape(image)
        inputs = self._images(image, copies) if tape.reads_image else hollow(tape.image, copies)
        return self.network.forward(inputs, self.needs, put, Replay(tape, copies), partial=True)

    def _images(self, image: int, count: int) -> Tensor:
        one = self.block.inputs[image : image + 1]
        return one.expand(count, *one.shape[1:])

    def _tape(self, image: int) -> Tape:
        """Return the tape of an image, made once for all who ask about the block."""
        tapes = self.block.tapes.setdefault((self.layer, self.network is self.block.network), {})
        if image not in tapes:
            known = next(iter(tapes.values()), None)
            tapes[image] = self.network.tape(self.layer, self._images(image, 1), known)
        return tapes[image]

    def _why(self, cause: str) -> str:
        return f"the network cannot be cut at {self.layer!r} ({cause}), so the whole of it ran each time"

    def _tried(self) -> str:
        """Return why the network cannot be cut at the layer; empty where it can. The bill of a method does not pay for the trial."""
        generator = torch.Generator().manual_seed(0)
        one = self.raw[: len(self.raw) // len(self.block.inputs)].float()
        noise = torch.randn(2 * len(one), *one.shape[1:], generator=generator).to(one)
        put = {self.layer: (torch.cat([one, one]) + one.std() * noise).to(self.raw)}
        again = {self.layer: put[self.layer].clone()}  # what follows may write into it
        try:
            found = self._replayed(0, 2, put)
        except OutOfMemory:
            raise
        except (CannotCut, ModelError, RuntimeError, TypeError, ValueError, IndexError) as error:
            return self._why(str(error).strip().partition("\n")[0])
        wanted = self.network.forward(self._images(0, 2), self.needs, again)
        if agree(found.reading.output, wanted.reading.output):
            return ""
        return self._why("what comes before it does more than feed it")


class FromLayer(FromCut[Tensor]):
    """Variants are what a layer hands on, (b, ...) in its own layout."""

    def reading(self, image: int, pack: Sequence[Tensor]) -> Reading:
        """Run some variants of one image from the layer on; the whole network where that does not work."""
        images = len(self.block.inputs)
        own = [raw_rows(one, slice(image, image + 1), images) if len(one) == len(self.raw) else one for one in pack]
        return self.going_on(image, len(pack), torch.cat([one.contiguous() for one in own]).to(self.raw))


def _row_by_row(readings: Sequence[Reading]) -> Iterator[Reading]:
    """Yield each row of the readings of all images."""
    outputs = torch.stack([reading.output for reading in readings], dim=1)  # (rows, b, ...)
    layers = {
        name: torch.stack([reading.activation[name] for reading in readings], dim=1) for name in readings[0].activation
    }
    for row, output in enumerate(outputs):
        yield Reading(output, {name: values[row] for name, values in layers.items()})
