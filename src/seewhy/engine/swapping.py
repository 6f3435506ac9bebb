"""Answers of a network in which parts of some layers' outputs are swapped: only what follows the first of them runs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.needs import Needs
from seewhy.core.swap import Swap
from seewhy.core.trace import Reading
from seewhy.engine.block import Bill, Question
from seewhy.engine.network import Network
from seewhy.engine.partial import FromCut, agree
from seewhy.engine.passes import upcast
from seewhy.engine.recording import INTO, Put, into, split_call
from seewhy.engine.steps import ByStep, apart
from seewhy.errors import LayerError

Swaps = Mapping[str, Swap]
"""What is swapped at each layer, in the order in which the layers run."""

MANY = 3
"""Variants from one layer on from which it pays to find out, with a pass for each image, what is needed to go on from there."""


def swapped(question: Question, bill: Bill, swaps: Iterable[Swaps]) -> Iterator[Float[Tensor, "b k"]]:
    """Yield the network's answers to the images with some numbers swapped, time after time; see `seewhy.core.probe.Probe.swapped`."""
    unchanged = upcast(question.block.shared.reading.output.detach())
    parts: dict[str, FromSwaps] = {}
    for first, group in groupby(swaps, lambda one: next(iter(one), None)):
        if first is None:
            yield from (unchanged for _ in group)
            continue
        ahead = list(islice(group, MANY))
        if first not in parts and len(ahead) < MANY:
            yield from (_whole(question, bill, one) for one in ahead)
            continue
        if first not in parts:
            parts[first] = FromSwaps(question, bill, first)
        yield from (upcast(reading.output) for reading in parts[first].readings(chain(ahead, group)))


def _whole(question: Question, bill: Bill, swaps: Swaps) -> Float[Tensor, "b k"]:
    """Run the whole network on all images at once."""
    for name in swaps:
        _node(question, name)  # raises where the layer was not asked for
    put: dict[str, Put] = {name: _Changed([swap]) for name, swap in swaps.items()}
    made = _lean(question).forward(question.block.inputs, question.target.needs(), put)
    bill.cost += Cost(forwards=1)
    return upcast(made.reading.output.detach())


class FromSwaps(FromCut[Swaps]):
    """Variants say what is swapped where; the first layer of each is where the network is cut.

    Batch norms are merged where nothing that is watched changes by it: there are many variants.
    """

    def __init__(self, question: Question, bill: Bill, layer: str) -> None:
        super().__init__(question, bill, layer, _node(question, layer), network=_lean(question))

    def reading(self, image: int, pack: Sequence[Swaps]) -> Reading:
        """Run some variants of one image from the layer on; the whole network where that does not work."""
        images = len(self.block.inputs)
        each = len(self.raw) // images
        rows = slice(image * each, (image + 1) * each)
        here = [swaps[self.layer].of(image, images) for swaps in pack]
        given = _node(self.question, into(self.layer))[rows] if any(swap.value is None for swap in here) else None
        first = _stacked(here, given, self.raw[rows])
        names = dict.fromkeys(name for swaps in pack for name in list(swaps)[1:])
        later = {
            name: _Changed([swaps[name].of(image, images) if name in swaps else None for swaps in pack])
            for name in names
        }
        return self.going_on(image, len(pack), first, later)


def _node(question: Question, layer: str) -> Tensor:
    """Return what a layer handed on for the images themselves; raise `LayerError` where it was not asked for."""
    nodes = question.block.shared.nodes
    if layer not in nodes:
        raise LayerError(f"layer {layer!r} is swapped, and is not among the needs of the pass over the images")
    return nodes[layer].detach()


def _stacked(swaps: Sequence[Swap], given: Tensor | None, made: Tensor) -> Tensor:
    """Return what a layer hands on for each swap of one image, one after the other."""
    if len(made) == 1 and all(swap.value is not None and swap.value is swaps[0].value for swap in swaps):
        where = torch.cat([swap.where for swap in swaps])
        return _laid(Swap(where, swaps[0].value).applied(made, made), made)
    return _laid(torch.cat([swap.applied(made if given is None else given, made) for swap in swaps]), made)


def _laid(rows: Tensor, like: Tensor) -> Tensor:
    """Return rows in the memory format of what the layer made."""
    last = like.dim() == 4 and like.is_contiguous(memory_format=torch.channels_last)
    return rows.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)


@dataclass(frozen=True, eq=False)
class _Changed(ByStep):
    """Swaps some of the rows that a layer made, an equal number of them for each swap."""

    swaps: Sequence[Swap | None]

    def __call__(self, given: Tensor, made: Tensor) -> Tensor:
        """Return what the layer hands on."""
        parts = zip(self.swaps, given.chunk(len(self.swaps)), made.chunk(len(self.swaps)), strict=True)
        return torch.cat([rows if swap is None else swap.applied(before, rows) for swap, before, rows in parts])

    def of_step(self, number: int, count: int) -> "_Changed":
        """Return the same for one call of a layer that runs once for each frame."""
        return _Changed([None if swap is None else _swap_of_step(swap, number, count) for swap in self.swaps])


def _swap_of_step(swap: Swap, number: int, count: int) -> Swap:
    where, value = (
        part if part is None or len(part) == 1 else apart(part, count)[number] for part in (swap.where, swap.value)
    )
    return swap if where is None else Swap(where, value)


def _lean(question: Question) -> Network:
    """Return the network with merged norms where all that is watched stays what it is; the network itself else, and in half precision."""
    block = question.block
    network, watched = block.network, question.block.needs.layers | question.target.needs().layers
    if block.inputs.dtype in (torch.float16, torch.bfloat16):
        return network
    key = ("lean", watched, tuple(block.inputs.shape[1:]))
    if key not in network.remembered:
        network.remembered[key] = _merged(network, block.inputs[:1], watched)
    found: Network = network.remembered[key]
    return found


def _merged(network: Network, image: Tensor, watched: frozenset[str]) -> Network:
    """Return the network with merged norms where it also gives to each layer what it gave before."""
    lean = network.merged(image, watched)
    into = Needs(outputs=frozenset(name for name in watched if split_call(name)[0].endswith(INTO)))
    if lean is network or not into.outputs:
        return lean
    nodes, wanted = lean.forward(image, into).nodes, network.forward(image, into).nodes
    return lean if all(agree(nodes[name], wanted[name]) for name in into.outputs) else network
