"""Explanations of several blocks of images, put together again."""

from collections.abc import Sequence

import torch

from seewhy.core.explanation import Explanation


def joined(parts: Sequence[Explanation]) -> Explanation:
    """Put the blocks of one method and target together again; what they cost per image is what the dearest cost."""
    first = parts[0]
    if len(parts) == 1:
        return first
    return Explanation(
        heatmap=torch.cat([part.heatmap for part in parts]),
        score=torch.cat([part.score for part in parts]),
        method=first.method,
        targets=tuple(name for part in parts for name in part.targets),
        unit=first.unit,
        samples=tuple(sample for part in parts for sample in part.samples),
        cost=max((part.cost for part in parts), key=lambda cost: (cost.forwards, cost.backwards, cost.partial)),
        classes=None if first.classes is None else tuple(index for part in parts for index in part.classes or ()),
        residual=None
        if first.residual is None
        else torch.cat([part.residual for part in parts if part.residual is not None]),
        error=None if first.error is None else torch.cat([part.error for part in parts if part.error is not None]),
        figures={name: tuple(value for part in parts for value in part.figures[name]) for name in first.figures},
        coverage=first.coverage,
        notes=tuple(notes for part in parts for notes in part.notes),
        provenance=first.provenance,
    )
