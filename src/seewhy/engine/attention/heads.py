"""Where the heads of attention lie beside each other: what is handed on to the layer that puts them together."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seewhy.core.needs import Needs
from seewhy.engine.attention.opening import LAST
from seewhy.engine.attention.record import Record, Seen, watched
from seewhy.engine.network import Network
from seewhy.engine.partial import agree
from seewhy.engine.recording import INTO, first_of
from seewhy.errors import MethodError

OTHERS = "ask about channels of a layer, or about blocks"


@dataclass(frozen=True)
class HeadsPlace:
    """Where the heads of one attention can be taken away.

    Attributes:
        place: name of what the next layer is given, (b, n, heads * width) or with a row for each window: "attention.out_proj:in".
        block: the outermost module with this attention alone in it: "encoder.layer.3".
        heads: how many.
        width: numbers of each.
    """

    place: str
    block: str
    heads: int
    width: int


def heads_of(network: Network, image: Float[Tensor, "1 c *spatial"]) -> tuple[HeadsPlace, ...]:
    """Return the places of all attention that runs on an image, first layer first.

    A place is what a layer is given whose numbers are those of the products of weights and values, head beside head; the numbers are
    compared, so that heads which are mixed, gated or normed before are not taken for heads.

    Raises:
        MethodError: there is no attention, or its heads cannot be told apart.
    """
    record = Record(len(image), keep=True)
    given = _Given(record)
    with ExitStack() as stack:
        for name, module in network.module.named_modules():
            stack.callback(module.register_forward_pre_hook(partial(given.look, name)).remove)
        network.watched(image, watched(network.module, record))
    if not record.seen:
        raise MethodError(f"this network has no attention that runs on the picture, and so no heads; {OTHERS}")
    within = [seen.within for seen in record.seen]
    modules = dict(network.module.named_modules())
    places = tuple(
        _place(seen, given.places.get(number), modules, _block(number, within))
        for number, seen in enumerate(record.seen)
    )
    _check(network, image, places)
    return places


@dataclass(eq=False)
class _Given:
    """Sees, of what each layer is given, which one is the heads of the last attention side by side."""

    record: Record
    places: dict[int, str] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    def look(self, name: str, module: nn.Module, args: Any) -> None:
        call = self.calls.get(name, 0)
        self.calls[name] = call + 1
        number = len(self.record.seen) - 1
        tensor = first_of(args)
        if number < 0 or number in self.places or tensor is None or not tensor.is_floating_point():
            return
        with torch.no_grad(), torch._C.DisableTorchFunction():
            joined = _joined(self.record.seen[number])
            if joined is None or tensor.shape[-1] != joined.shape[-1] or tensor.numel() != joined.numel():
                return
            if tensor.dim() == 3 and agree(tensor.detach().reshape(joined.shape), joined):
                self.places[number] = f"{name}{INTO}" + (f"#{call}" if call else "")


def _joined(seen: Seen) -> Float[Tensor, "rows n c"] | None:
    """Return what the heads of an attention give, head beside head; None where that is not known."""
    if seen.value is None or seen.value.dim() != 4 or seen.weights.dim() != 4:
        return None
    return (seen.weights.detach() @ seen.value.detach()).transpose(1, 2).flatten(2)


def _place(seen: Seen, found: str | None, modules: dict[str, nn.Module], block: str | None) -> HeadsPlace:
    module = modules.get(seen.name)
    if isinstance(module, nn.MultiheadAttention):
        return HeadsPlace(f"{seen.name}.{LAST}{INTO}", block or seen.name, module.num_heads, module.head_dim)
    if found is None or seen.value is None:
        raise MethodError(
            f"the heads of {seen.name} cannot be told apart: no layer is given what they make, one beside the other; {OTHERS}"
        )
    return HeadsPlace(found, block or seen.name, seen.weights.shape[1], seen.value.shape[-1])


def _block(number: int, within: Sequence[tuple[str, ...]]) -> str | None:
    """Return the outermost module in which there is no other attention."""
    return next((name for name in within[number] if name and sum(name in others for others in within) == 1), None)


def _check(network: Network, image: Tensor, places: Sequence[HeadsPlace]) -> None:
    """Raise `MethodError` where the network answers differently while it is looked at, or a place holds something else."""
    seen = network.forward(image, Needs(outputs=frozenset(place.place for place in places)))
    if not agree(seen.reading.output.detach(), network.forward(image, Needs()).reading.output.detach()):
        raise MethodError(f"the network's answer changes while its heads are looked at; {OTHERS}")
    for place in places:
        shape = tuple(seen.nodes[place.place].shape)
        if len(shape) != 3 or shape[-1] != place.heads * place.width:
            raise MethodError(
                f"the heads at {place.place!r} cannot be told apart: {place.heads} of {place.width} numbers each do not fit {shape}; {OTHERS}"
            )
