"""The strongest area of a map: how large, how concentrated, and where, in words."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seewhy.core.explanation import Explanation
from seewhy.ops.areas import share_inside, strongest
from seewhy.ops.filters import gaussian_blur

SHARE = 0.2
"""Share of the picture that counts as the strongest area."""


def evidence(explanation: Explanation) -> Float[Tensor, "b *spatial"]:
    """Return the positive evidence at the input's resolution.

    Maps at pixel resolution are smoothed with a deviation of a fiftieth of the shorter side: single pixels are no area.
    """
    size = tuple(explanation.samples[0].inputs.shape[1:])
    maps = explanation.at(size).clamp_min(0)
    if explanation.method.resolution == "input":
        maps = gaussian_blur(maps[:, None], min(size) / 50)[:, 0]
    return maps


def evidence_area(explanation: Explanation, share: float = SHARE) -> Bool[Tensor, "b *spatial"]:
    """Mark the strongest `share` of the input, less where the map has fewer positive places; empty where it has none."""
    maps = evidence(explanation)
    return strongest(maps, share) & (maps > 0)


def concentration(explanation: Explanation, share: float = SHARE) -> Float[Tensor, " b"]:
    """Return the share of the positive evidence inside the strongest area: `share` for an even map, 1 for a single spot, NaN for none."""
    return share_inside(evidence(explanation), evidence_area(explanation, share))


def place(area: Bool[Tensor, "h w"]) -> str:
    """Say in words where an area of a picture lies: "centre left and lower centre"; empty for an empty area.

    The picture is cut into thirds both ways; the regions are named that hold most of the area, at most three, until they hold two thirds.
    """
    if not area.any():
        return ""
    rows, columns = ("upper", "centre", "lower"), ("left", "centre", "right")
    held = {}
    for row, band in zip(rows, torch.tensor_split(area, 3, dim=0), strict=True):
        for column, cell in zip(columns, torch.tensor_split(band, 3, dim=1), strict=True):
            held["centre" if row == column == "centre" else f"{row} {column}"] = int(cell.sum())
    total, covered = sum(held.values()), 0
    named: list[str] = []
    for name, count in sorted(held.items(), key=lambda item: -item[1]):
        if len(named) == 3 or covered >= 2 / 3 * total:
            break
        named.append(name)
        covered += count
    if covered < total / 2:
        return "spread over the whole picture"
    return named[0] if len(named) == 1 else ", ".join(named[:-1]) + " and " + named[-1]
