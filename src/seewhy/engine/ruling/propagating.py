"""One pass and its way back under rules, and the report of what was met."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.needs import INPUT, Needs
from seewhy.core.rules import Coverage, NotCovered, Propagation, Rules
from seewhy.engine.block import Bill, Question
from seewhy.engine.passes import check_grids, part_of, upcast
from seewhy.engine.ruling.paired import paired
from seewhy.engine.ruling.ruled import Ruled

FIRST = "first operation "
"""Name, before its number, of what went into the first linear or convolution."""


def propagate(
    question: Question, bill: Bill, rules: Rules, needs: Needs, beside: Float[Tensor, "b c *spatial"] | None = None
) -> Propagation:
    """Make one pass over a block of images and go back through it under rules; see `seewhy.core.probe.Probe.propagated`.

    Raises:
        MethodError: an operation that the rules refuse was met, or none of those that they are for.
    """
    block, images = question.block, len(question.block.inputs)
    inputs = block.inputs
    if beside is not None:
        inputs = torch.cat([inputs, beside.to(inputs).expand_as(inputs)])
    from_input = frozenset({INPUT})
    wanted = (
        needs
        | question.target.needs()
        | Needs(gradients=from_input, lenient=from_input if rules.first else frozenset())
    )
    network = block.network.merged(block.inputs, wanted.layers) if rules.merge_norms else block.network
    mode = Ruled(rules)
    made = network.forward(inputs, wanted, under=mode)
    coverage = mode.coverage()
    _refuse(rules, coverage)
    leaves = {f"{FIRST}{n}": leaf for n, (_, leaf) in enumerate(mode.leaves)}
    made = replace(made, nodes={**made.nodes, **leaves}, needs=made.needs | Needs(gradients=frozenset(leaves)))
    bound = question.bound if beside is None else paired(question.bound, images)
    trace = made.trace(bound, last=True)
    check_grids(trace, needs)
    pairs = zip(mode.leaves, leaves, strict=True)
    first = _at(made.nodes[INPUT], [(given, trace.gradient[name]) for (given, _), name in pairs])
    rows = len(inputs) // images
    network.count(Cost(backwards=len(inputs)))
    bill.cost += Cost(forwards=rows, backwards=rows)
    scored = None if beside is None else trace.score[images:]
    return Propagation(part_of(trace, slice(images)), coverage, None if first is None else first[:images], scored)


def _at(image: Tensor, relevances: list[tuple[Tensor, Tensor]]) -> Tensor | None:
    """Move relevance at the first operations back to the image, and add that of several branches."""
    if not relevances:
        return None
    moved = [torch.autograd.grad(given, image, found.to(given), retain_graph=True)[0] for given, found in relevances]
    return upcast(torch.stack(moved).sum(dim=0))


def _refuse(rules: Rules, coverage: Coverage) -> None:
    """Raise `MethodError` where the rules do not fit what was met."""
    met = {kind for kind, _, _ in coverage.met}
    if wrong := coverage.kinds("unsupported"):
        raise NotCovered(
            f"{rules.name} has no rule for {', '.join(wrong)}, which this network uses; a perturbation method such as 'rise' fits any network",
            coverage,
        )
    if rules.on_fallback == "refuse" and (loose := coverage.kinds("fallback gradient")):
        raise NotCovered(
            f"{rules.name} has no rule for {', '.join(loose)}, and would fall back on the plain gradient there; "
            "a perturbation method such as 'rise' fits any network",
            coverage,
        )
    if rules.required and not rules.required & met:
        raise NotCovered(
            f"{rules.name} changes what happens at {', '.join(sorted(rules.required))}, and this network has none of them; "
            "its map would be another method's",
            coverage,
        )
