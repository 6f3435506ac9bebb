"""Questions about pictures of which only what a layer handed on is known: no picture, and no pass through what comes before it."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.needs import Needs
from seewhy.core.swap import Swap
from seewhy.core.target import Target
from seewhy.core.trace import Reading
from seewhy.engine.block import Bill, Block, Question
from seewhy.engine.head import ROWS, Head
from seewhy.engine.passes import Pass
from seewhy.engine.probe import NetworkProbe
from seewhy.errors import LayerError


class HeadProbe(NetworkProbe):
    """Answers about swaps and variants at the layer where a head begins; its images are NaN, so whatever looks at them fails.

    Args:
        head: what follows the layer.
        raw: what the layer handed on for some pictures (b, ...), in its own layout.
        outputs: what the network answered to them.
        target: what is asked.
        bill: where the cost is written.
    """

    def __init__(
        self,
        head: Head,
        raw: Float[Tensor, "b ..."],
        outputs: Float[Tensor, "b k"],
        target: Target,
        bill: Bill | None = None,
    ) -> None:
        weight, needs = head.network.weight, Needs(outputs=frozenset({head.layer}))
        images = weight.new_full((), torch.nan).expand(len(raw), *head.tape.image.shape[1:])
        block = Block(head.network, images, needs)
        self._head, self._raw = head, raw.to(weight)
        shown = {} if head.grid is None else {head.layer: head.grid.apply(self._raw)}
        made = Pass(images, Reading(outputs.to(weight), shown), {head.layer: self._raw}, {head.layer: head.grid}, needs)
        block.__dict__["shared"] = made  # the pass that need not be made
        super().__init__(Question(block, target), needs, bill)

    def swapped(self, swaps: Iterable[Mapping[str, Swap]]) -> Iterator[Float[Tensor, "b k"]]:
        """Yield the answers with some numbers of the layer swapped, time after time.

        Raises:
            LayerError: a swap at another layer, or with what the layer itself was given, which is not known.
        """
        return self._answered(self._with(one) for one in swaps)

    def answers(self, layer: str, variants: Iterable[Float[Tensor, "b c *spatial"]]) -> Iterator[Float[Tensor, "b k"]]:
        """Yield the answers where the layer gives each variant."""
        self._known(layer)
        return self._answered(self._head.raw_with(self._raw, variant.to(self._raw)) for variant in variants)

    def _with(self, swaps: Mapping[str, Swap]) -> Tensor:
        rows = self._raw
        for layer, swap in swaps.items():
            self._known(layer)
            if swap.value is None:
                raise LayerError(f"what {layer!r} was given is not known, only what it handed on")
            rows = swap.applied(rows, rows)
        return rows

    def _known(self, layer: str) -> None:
        if layer != self._head.layer:
            raise LayerError(f"only what {self._head.layer!r} handed on is known, and {layer!r} was asked for")

    def _answered(self, variants: Iterator[Tensor]) -> Iterator[Float[Tensor, "b k"]]:
        """Run the head on as many variants at once as make one pass."""
        images = len(self._raw)
        while pack := list(islice(variants, max(1, ROWS // images))):
            answers = self._head.answers(torch.cat(pack)).to(self._raw.device)
            self._bill.pay_rows(Cost(partial=len(answers)), images)
            yield from torch.split(answers, images)
