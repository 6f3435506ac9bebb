"""What a network does behind a layer, on its own: from activations to answers, without the pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.needs import Needs, at
from seewhy.core.trace import Reading
from seewhy.engine.grid import Grid, raw_with
from seewhy.engine.network import Network
from seewhy.engine.partial import agree
from seewhy.engine.passes import Pass, upcast
from seewhy.engine.replay import CannotCut, Replay, Tape
from seewhy.errors import LayerError, ModelError, OutOfMemory

ROWS = 256
"""Activations that go on at once."""


@dataclass(frozen=True, eq=False)
class Head:
    """The part of a network behind a layer that everything passes through: answers depend on what the layer hands on, and on nothing else.

    Attributes:
        network: the whole.
        layer: where the head begins.
        grid: of the layer; None where it has none.
        tape: of one image, whose place every other takes.
    """

    network: Network
    layer: str
    grid: Grid | None
    tape: Tape

    @classmethod
    def of(cls, network: Network, layer: str, images: Float[Tensor, "b c *spatial"]) -> "Head":
        """Return the head behind a layer.

        It is tried on the images: what the layer gives for the second, put into a pass over the first, must lead to the answer to the second.

        Args:
            network: the whole.
            layer: its name.
            images: two that differ, as the network takes them; of one alone the other is made by turning it round.

        Raises:
            LayerError: something goes round the layer, such as the other branch of a block; or the network cannot be cut.
        """
        images = network.accept(images[:2])
        pair = images if len(images) > 1 else torch.cat([images, images.flip(-1)])
        made = network.forward(pair, Needs(outputs=frozenset({layer})))
        try:
            head = cls(network, layer, made.grids[layer], network.tape(layer, pair[:1]))
            found = head._pass(made.nodes[layer].detach(), at_layer=False).reading.output
        except OutOfMemory:
            raise
        except (CannotCut, ModelError) as error:
            raise LayerError(f"the network cannot be cut at {layer!r}: {error}; choose another layer") from error
        if head.tape.reads_image or not agree(found, made.reading.output):
            raise LayerError(
                f"what the network answers does not depend on {layer!r} alone: something goes round it, such as the other branch of its block; "
                "choose the block itself, or the layer where its branches join"
            )
        return head

    def answers(self, raw: Float[Tensor, "n ..."]) -> Float[Tensor, "n k"]:
        """Return the network's answers where the layer hands on these activations, each in the layer's own layout; on the CPU."""
        parts = [
            upcast(self._pass(rows, at_layer=False).reading.output.detach()).cpu() for rows in torch.split(raw, ROWS)
        ]
        return torch.cat(parts).flatten(1)

    def gradients(self, raw: Float[Tensor, "n ..."], classes: Int[Tensor, " n"] | int) -> Float[Tensor, "n c *spatial"]:
        """Return the gradient of one answer for each activation, at the layer and on its grid; on the CPU.

        Args:
            raw: activations in the layer's own layout.
            classes: index of the answer for each, or one for all.
        """
        chosen = torch.as_tensor(classes).expand(len(raw))
        parts = []
        for rows, which in zip(torch.split(raw, ROWS), torch.split(chosen, ROWS), strict=True):
            made = self._pass(rows, at_layer=True)
            parts.append(self._gradient(made, partial(_of_class, which))[1])
        return torch.cat(parts)

    def slopes(
        self, raw: Float[Tensor, "n ..."], score: Callable[[Reading], Float[Tensor, " n"]]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n c *spatial"]]:
        """Return the scores of activations, and the gradient of each at the layer, on its grid; both on the CPU.

        Args:
            raw: activations in the layer's own layout, all in one pass.
            score: of the network's answers, one number a row; such as a bound target that reads nothing else.
        """
        return self._gradient(self._pass(raw, at_layer=True), score)

    def raw_with(self, raw: Float[Tensor, "n ..."], activation: Float[Tensor, "n c *spatial"]) -> Tensor:
        """Return activations in the layer's own layout with what lies on the grid replaced; tokens without a place stay."""
        return raw_with(raw, self.grid, activation)

    def _gradient(self, made: Pass, score: Callable[[Reading], Tensor]) -> tuple[Tensor, Tensor]:
        with torch.inference_mode(mode=False), torch.enable_grad():
            scores = score(made.reading)
        gradient = made.back(scores.sum(), [self.layer], keep=False)[self.layer]
        if gradient is None:
            gradient = torch.zeros_like(made.nodes[self.layer])
        self.network.count(Cost(backwards=len(scores)))
        return upcast(scores.detach()).cpu(), upcast(gradient if self.grid is None else self.grid.apply(gradient)).cpu()

    def _pass(self, raw: Tensor, *, at_layer: bool) -> Pass:
        rows = raw.to(self.network.weight)
        needs = at(self.layer) if at_layer else Needs()
        image = self.tape.image.new_zeros(()).expand(len(rows), *self.tape.image.shape[1:])
        return self.network.forward(image, needs, {self.layer: rows}, Replay(self.tape, len(rows)), partial=True)


def _of_class(classes: Int[Tensor, " n"], reading: Reading) -> Float[Tensor, " n"]:
    """Return the answer of the class of each row."""
    output = reading.output.flatten(1)
    return output.gather(1, classes[:, None].to(output.device))[:, 0]
