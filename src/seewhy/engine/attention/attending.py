"""The attention of a transformer in one pass: its weights, recomputed where fused attention returns none, and their gradients."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from seewhy.core.attention import AttentionTrace, Pool
from seewhy.core.cost import Cost
from seewhy.core.needs import Needs
from seewhy.core.trace import Reading
from seewhy.engine.attention.layout import Layout
from seewhy.engine.attention.places import frame_layouts, placed_layouts, plain_layouts, shaped
from seewhy.engine.attention.record import Cut, Record, Seen, watched
from seewhy.engine.block import Bill, Block, Question
from seewhy.engine.partial import TOLERANCE
from seewhy.engine.passes import check_finite, upcast
from seewhy.errors import MethodError, ModelError, OutOfMemory

OTHERS = "use a method that needs no attention, such as 'grad-cam' or 'rise'"


@dataclass(frozen=True)
class _Facts:
    """What holds for all images of one size.

    Attributes:
        kept: which of the attention that runs the answer depends on.
        read: tokens that the answer is read from.
        blocks: the block around each attention.
        factorized: each block looks along time and then within frames, so that no attention has the whole block to itself.
    """

    kept: tuple[int, ...]
    read: tuple[int, ...]
    blocks: tuple[str | None, ...]
    factorized: bool


def attention_of(
    question: Question, bill: Bill, *, gradients: bool, layerwise: Pool | None
) -> tuple[AttentionTrace, ...]:
    """Return the attention of each layer; see `seewhy.core.probe.Probe.attention`."""
    block = question.block
    if block.inputs.dim() not in (4, 5):
        raise MethodError(
            f"attention is read for pictures (b, c, h, w) and clips (b, c, t, h, w), not for {tuple(block.inputs.shape)}; {OTHERS}"
        )
    own = _layerwise(question, bill, layerwise) if layerwise else ()
    if layerwise and not gradients:
        return own
    traces = _plain(question, bill, gradients=gradients)
    return (
        tuple(replace(one, own_gradient=also.own_gradient) for one, also in zip(traces, own, strict=True))
        if own
        else traces
    )


def _plain(question: Question, bill: Bill, *, gradients: bool) -> tuple[AttentionTrace, ...]:
    """Make one pass; the first for a size of input also finds out which tokens the answer is read from."""
    block = question.block
    facts: _Facts | None = block.network.remembered.get(_key(block))
    record = Record(len(block.inputs))
    needs = question.target.needs()
    wanted = Needs(needs.activations, needs.layers, needs.layers) if gradients else Needs()
    made = block.network.forward(block.inputs, wanted, under=watched(block.network.module, record))
    bill.cost += Cost(forwards=1, backwards=int(gradients))
    _compare(made.reading.output, block, "while its attention is read")
    kept = facts.kept if facts else _kept(block, record, made.reading.output)
    layouts = _layouts(block, record, kept)
    facts = facts or _learned(block, record, made.reading.output, kept, layouts)
    found: Sequence[Tensor | None] = [None] * len(record.seen)
    if gradients:
        block.network.count(Cost(backwards=len(block.inputs)))
        found = _gradients(question, made.reading, record.seen)
    return tuple(
        _trace(seen, layout, len(block.inputs), facts if seen is record.seen[-1] else None, gradient=gradient)
        for seen, layout, gradient in zip(record.seen, layouts, found, strict=True)
    )


def _trace(
    seen: Seen,
    layout: Layout,
    images: int,
    last: _Facts | None,
    *,
    gradient: Tensor | None = None,
    own: Tensor | None = None,
) -> AttentionTrace:
    """Return what was seen of one layer, detached and with an axis for the heads; `last` is given for the last layer."""

    def ready(found: Tensor) -> Tensor:
        return upcast(shaped(found.detach(), images, layout))

    return AttentionTrace(
        layer=seen.name,
        weights=ready(seen.weights),
        extra=layout.extra,
        grid=layout.grid,
        gradient=None if gradient is None else ready(gradient),
        own_gradient=None if own is None else ready(own),
        slots=layout.slots,
        copies=layout.copies,
        by_frame=layout.by_frame,
        read=last.read if last else (),
    )


def _key(block: Block) -> object:
    return "attention", tuple(block.inputs.shape[1:])


def _kept(block: Block, record: Record, output: Tensor) -> tuple[int, ...]:
    """Return the numbers of the attention that the answer depends on: a network may have a pool that this answer makes no use of.

    Asked are the last one and those that look at other tokens than themselves.

    Raises:
        MethodError: there is no attention, or none that the answer depends on.
    """
    if record.unused:
        raise MethodError(
            f"{record.unused} softmax over a table of tokens is used in a way that is not understood, as where heads are mixed before the values "
            f"are; {OTHERS}"
        )
    if not record.seen or not output.requires_grad:
        raise MethodError(f"this network has no self-attention that its answer depends on; {OTHERS}")
    kept = list(range(len(record.seen)))
    while doubtful := [number for number in kept if not record.seen[number].square or number == kept[-1]]:
        found = _mixed_gradients(block, output, [record.seen[number].weights for number in doubtful])
        dead = [number for number, gradient in zip(doubtful, found, strict=True) if gradient is None]
        if not dead:
            break
        kept = [number for number in kept if number not in dead]
    return tuple(kept)


def _mixed_gradients(block: Block, output: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor | None, ...]:
    """Return the derivative of a fixed random mixture of the answer; the graph stays."""
    with _differentiating(block):
        mixture = torch.randn(output.shape, generator=torch.Generator().manual_seed(0)).to(output)
        found: tuple[Tensor | None, ...] = torch.autograd.grad(
            output, weights, mixture, retain_graph=True, allow_unused=True
        )
    return found


def _layouts(block: Block, record: Record, kept: tuple[int, ...]) -> list[Layout]:
    """Leave out what is not kept, and return where the tokens of the rest lie; windows are placed once for each shape of the inputs."""
    record.seen = [record.seen[number] for number in kept]
    for seen in record.seen:
        if not seen.square:
            raise MethodError(
                f"{seen.name} lets {seen.weights.shape[-2]} tokens look at {seen.weights.shape[-1]} others, and only attention among "
                f"the same tokens is covered; {OTHERS}"
            )
    places = block.network.places(block.inputs)
    plain = plain_layouts(record, block.inputs, places)
    if plain is None and block.inputs.dim() == 5 and not places.sequences:
        plain = frame_layouts(record, len(block.inputs), lambda name: block.network.layer_grid(name, block.inputs))
    if plain is not None:
        return plain
    key = ("windows", tuple(block.inputs.shape))
    known: list[Layout] | None = block.network.remembered.get(key)
    if known is None:
        known = block.network.remembered[key] = _placed(block, kept)
    return known


def _placed(block: Block, kept: tuple[int, ...]) -> list[Layout]:
    """Place windows, in a pass of their own that is not counted: the answers are not asked for."""
    record, places = Record(len(block.inputs), keep=True), block.network.places(block.inputs)
    leaf = block.inputs.detach().clone().requires_grad_()
    block.network.watched(leaf, watched(block.network.module, record))
    record.seen = [record.seen[number] for number in kept]
    with _differentiating(block):
        return placed_layouts(record, block.inputs, places)


@contextmanager
def _differentiating(block: Block) -> Iterator[None]:
    """Allow gradients, whatever the caller has set; say what did not fit into memory."""
    try:
        with torch.inference_mode(mode=False), torch.enable_grad():
            yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(
            f"the way back through a pass of shape {tuple(block.inputs.shape)} does not fit into the memory of {block.inputs.device}"
        ) from error


def _gradients(question: Question, reading: Reading, seen: Sequence[Seen]) -> list[Tensor]:
    """Return the derivative of the score at the weights of each attention; zero where it does not depend on them."""
    with _differentiating(question.block):
        score = question.bound(reading)
        check_finite(score.detach())
        weights = [one.weights for one in seen]
        if not score.requires_grad:
            raise MethodError(f"the target does not depend on the attention of this network; {OTHERS}")
        found = torch.autograd.grad(score.sum(), weights, allow_unused=True)
    return [
        torch.zeros_like(weight) if gradient is None else gradient
        for weight, gradient in zip(weights, found, strict=True)
    ]


def _learned(block: Block, record: Record, output: Tensor, kept: tuple[int, ...], layouts: Sequence[Layout]) -> _Facts:
    """Find out which tokens the answer is read from, and which block is around each attention; remembered for the next time."""
    around = [seen.within for seen in record.seen]
    blocks = tuple(
        next((name for name in names if sum(name in others for others in around) == 1), None) for names in around
    )
    factorized = any(layout.slots is not None and bool((layout.slots < 0).any()) for layout in layouts)
    facts = _Facts(kept, _read(block, record.seen[-1], output, layouts[-1]), blocks, factorized)
    block.network.remembered[_key(block)] = facts
    return facts


def _read(block: Block, last: Seen, output: Tensor, layout: Layout) -> tuple[int, ...]:
    """Return the tokens behind the last attention that the answer depends on: those whose view of the others changes it."""
    (found,) = _mixed_gradients(block, output, [last.weights])
    if found is None or (layout.slots is not None and block.inputs.dim() == 4):
        return ()
    felt = shaped(found, len(block.inputs), layout).abs().amax(dim=(1, 3))  # (rows, m)
    if layout.slots is not None:
        felt = felt.flatten()[layout.slots.clamp_min(0)] * (layout.slots >= 0)
    if layout.copies is not None:
        copied = shaped(found, len(block.inputs), layout).abs().amax(dim=(1, 3)).flatten()[layout.copies].amax(dim=2)
        felt = torch.cat([copied, felt[:, layout.extra :]], dim=1)
    return tuple(felt.amax(dim=0).nonzero()[:, 0].tolist())


def _layerwise(question: Question, bill: Bill, pool: Pool) -> tuple[AttentionTrace, ...]:
    """Apply the head to what each block put out, all at once, and go back from there to that block's own attention."""
    block, images = question.block, len(question.block.inputs)
    if question.target.needs().layers:
        raise MethodError(
            f"the target looks inside the network, and the head is to be applied to each layer; ask for a class, or {OTHERS}"
        )
    facts = _facts(block)
    if facts.factorized:
        raise MethodError(
            "attention is factorized into time and space, so no attention has a block of its own to whose output the head could be applied; "
            f"'gradient-rollout' composes both, or {OTHERS}"
        )
    record, cut = Record(images), Cut(_distinct(facts), pool)
    try:
        output = block.network.watched(block.inputs, watched(block.network.module, record, cut))
    except ModelError as error:
        if isinstance(error, OutOfMemory):
            raise
        raise MethodError(
            f"the head of this network cannot be applied to all its layers at once ({error}); {OTHERS}"
        ) from error
    block.network.count(Cost(forwards=images, backwards=images))
    bill.cost += Cost(forwards=1, backwards=1)
    layouts = _layouts(block, record, facts.kept)
    with _differentiating(block):
        behind = _behind(question, record, cut, output)
        own = [
            _own(cut.outputs[name], seen.weights, behind.get(name))
            for name, seen in zip(cut.blocks, record.seen, strict=True)
        ]
    return tuple(
        _trace(seen, layout, images, facts if seen is record.seen[-1] else None, own=mine)
        for seen, layout, mine in zip(record.seen, layouts, own, strict=True)
    )


def _facts(block: Block) -> _Facts:
    """Return what is known of the network for images of this size; it costs a pass the first time, which is not counted."""
    known: _Facts | None = block.network.remembered.get(_key(block))
    if known is not None:
        return known
    one = block.of(0)
    record = Record(1)
    output = one.network.watched(one.inputs, watched(one.network.module, record))
    _compare(output, one, "while its attention is read")
    kept = _kept(one, record, output)
    return _learned(one, record, output, kept, _layouts(one, record, kept))


def _distinct(facts: _Facts) -> tuple[str, ...]:
    """Return the blocks, one around each attention; raise `MethodError` where there is not one for each."""
    named = tuple(name for name in facts.blocks if name is not None)
    if len(named) != len(facts.blocks):
        raise MethodError(
            f"not every attention of this network is in a block of its own, whose output the head could read; {OTHERS}"
        )
    return named


def _behind(question: Question, record: Record, cut: Cut, output: Tensor) -> dict[str, Tensor]:
    """Return, for each block whose output the head can read, the derivative of its score at that output.

    Raises:
        MethodError: what follows the last block sees more of the network than the output of that block.
    """
    images, times = len(question.block.inputs), len(cut.fitting)
    if cut.rows is None or len(output) != images * times:
        raise MethodError(f"the head of this network cannot be applied to all its layers at once; {OTHERS}")
    if cut.pool == "head":
        _compare(output[-images:], question.block, "where its head is applied to all layers at once")
    scores = [question.bound(Reading(part)) for part in torch.split(output, images)]
    for score in scores:
        check_finite(score.detach())
    found, *past = torch.autograd.grad(
        torch.cat(scores).sum(), [cut.rows, *(seen.weights for seen in record.seen)], allow_unused=True
    )
    if found is None or any(gradient is not None for gradient in past):
        raise MethodError(
            f"what follows {cut.blocks[-1]!r} sees more of the network than its output, so the head cannot be applied to other layers; {OTHERS}"
        )
    return dict(zip(cut.fitting, torch.split(found, images), strict=True))


def _compare(output: Tensor, block: Block, when: str) -> None:
    """Raise `MethodError` where the network gives another answer than it gives by itself: what was read is not what it does."""
    found, wanted = output.detach(), block.shared.reading.output.detach()
    apart, largest = (found - wanted).abs().max(), wanted.abs().max()
    if not apart <= TOLERANCE.get(wanted.dtype, 1e-3) * largest:
        raise MethodError(
            f"the network's answer changes {when}, by {float(apart):.2g} of {float(largest):.2g}; {OTHERS}"
        )


def _own(output: Tensor, weights: Tensor, behind: Tensor | None) -> Tensor | None:
    """Return the derivative at a layer's weights of the score that the head gives to its block's output."""
    if behind is None:
        return None
    (found,) = torch.autograd.grad(output, [weights], behind, retain_graph=True, allow_unused=True)
    return torch.zeros_like(weights) if found is None else found
