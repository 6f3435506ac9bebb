"""Where the evidence for an object lies: in its box, in a ring around it, outside; in the marked object."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seewhy.core.detection import to_input
from seewhy.core.explanation import Explanation
from seewhy.core.sample import Geometry, Sample
from seewhy.data.truth import Truth
from seewhy.evaluation.area import evidence
from seewhy.evaluation.objects import Thing
from seewhy.ops.boxes import covered, grown, within
from seewhy.ops.filters import resize

CERTAIN = 2.0
"""Standard errors by which a value must differ from zero to count as evidence."""

RING = 0.5
"""The ring around a box is the box grown by this share of its width and height, without the box."""


@dataclass(frozen=True)
class Shares:
    """Where the evidence of one sign lies: shares that add up to 1 (NaN where there is none), beside those of an even map."""

    inside: float
    ring: float
    outside: float


@dataclass(frozen=True, eq=False)
class Evidence:
    """Where the evidence for one object lies on what the network saw.

    Attributes:
        for_it, against: shares of the positive evidence, and of the negative where the method has one.
        chance: of an even map: the shares of the area.
        hit: whether the strongest evidence lies in the box (the pointing game of Zhang et al. 2016, without its tolerance).
        in_truth, chance_in_truth: the share of the positive evidence in the marked object's mask, or its box where it has no mask, and of the area.
        hit_truth: whether the strongest evidence lies there.
    """

    for_it: Shares
    against: Shares | None
    chance: Shares
    hit: bool
    in_truth: float | None = None
    chance_in_truth: float | None = None
    hit_truth: bool | None = None


def measured(made: Explanation, thing: Thing) -> Evidence:
    """Return where the evidence for an object lies, in shares of what the network saw.

    Where the method knows the standard error of each value, values within two of them of zero are left out: spread over a whole picture, noise would add
    up to more than a small object's evidence.
    """
    made = _told_from_noise(made)
    size = tuple(made.samples[0].inputs.shape[1:])
    geometry = made.samples[0].geometry
    seen = _seen(made.samples[0])
    box = within(to_input(torch.tensor(thing.box, dtype=torch.float64), geometry), (size[0], size[1]))
    positive = evidence(made)[0].double() * seen
    zones = _zones(box, (size[0], size[1]), seen)
    against = evidence(replace(made, heatmap=-made.heatmap))[0].double() * seen if made.method.signed else None
    strongest = int(positive.flatten().argmax())
    hit = bool(zones[0].flatten()[strongest] >= 0.5) and bool(positive.max() > 0)
    found = Evidence(
        for_it=_shares(positive, zones),
        against=None if against is None else _shares(against, zones),
        chance=_shares(seen.double(), zones),
        hit=hit,
    )
    if thing.truth is None:
        return found
    place = _place_of(thing.truth, made.samples[0]) * seen
    return replace(
        found,
        in_truth=_part(positive, place),
        chance_in_truth=_part(seen.double(), place),
        hit_truth=bool(place.flatten()[strongest] >= 0.5) and bool(positive.max() > 0),
    )


def _told_from_noise(made: Explanation) -> Explanation:
    """Return the same map with 0 where a value is not told from zero."""
    if made.error is None:
        return made
    return replace(made, heatmap=made.heatmap * (made.heatmap.abs() > CERTAIN * made.error))


def _seen(sample: Sample) -> Bool[Tensor, "h w"]:
    """Return which pixels of the input show the picture, and not the margin of a letterbox."""
    size = tuple(sample.inputs.shape[1:])
    if sample.geometry is None:
        return torch.ones(size, dtype=torch.bool)
    height, width = sample.geometry.source
    corners = to_input(torch.tensor([0.0, 0.0, width, height], dtype=torch.float64), sample.geometry)
    return covered(corners, (size[0], size[1])) >= 0.5


def _zones(box: Float[Tensor, " 4"], size: tuple[int, int], seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return how much of each pixel belongs to the box, to the ring around it, and to the rest."""
    inside, reach = covered(box, size) * seen, covered(grown(box, RING), size) * seen
    return inside, reach - inside, seen.double() - reach


def _shares(values: Float[Tensor, "h w"], zones: Sequence[Tensor]) -> Shares:
    inside, ring, outside = (_part(values, zone) for zone in zones)
    return Shares(inside, ring, outside)


def _part(values: Float[Tensor, "h w"], zone: Tensor) -> float:
    """Return the share of the values that lies in a zone; NaN where all are zero."""
    return float((values * zone).sum() / values.sum())


def _place_of(truth: Truth, sample: Sample) -> Float[Tensor, "h w"]:
    """Return how much of each pixel of the input belongs to a marked object: its mask, or its box where it has none."""
    size = tuple(sample.inputs.shape[1:])
    if truth.mask is None:
        return covered(to_input(torch.tensor(truth.box, dtype=torch.float64), sample.geometry), (size[0], size[1]))
    mask = truth.mask.double()
    if sample.geometry is None:
        return resize(mask[None], size)[0]
    return _on_input(mask, sample.geometry)


def _on_input(mask: Float[Tensor, "sh sw"], geometry: Geometry) -> Float[Tensor, "h w"]:
    """Return a mask of the source on the input: the mean of the points of a fine raster in each pixel; nothing beyond the source."""
    fine = 4
    height, width = geometry.size
    top, left, bottom, right = geometry.window
    y = top + (torch.arange(height * fine).double() + 0.5) / (height * fine) * (bottom - top)
    x = left + (torch.arange(width * fine).double() + 0.5) / (width * fine) * (right - left)
    rows, columns = y.floor().long(), x.floor().long()
    inside = ((rows >= 0) & (rows < mask.shape[0]))[:, None] & ((columns >= 0) & (columns < mask.shape[1]))[None]
    picked = mask[rows.clamp(0, mask.shape[0] - 1)][:, columns.clamp(0, mask.shape[1] - 1)] * inside
    return picked.view(height, fine, width, fine).mean(dim=(1, 3))
