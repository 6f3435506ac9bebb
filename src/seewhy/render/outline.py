"""The strongest area of a map, and the smooth line around an area."""

import numpy as np
from jaxtyping import Bool, Float, Int
from PIL import Image, ImageFilter

from seewhy.errors import ConfigError

Loop = Float[np.ndarray, "_ 2"]

# For each way in which the four corners of a cell can lie inside (top left 1, top right 2, bottom right 4, bottom
# left 8): the sides that a line joins, start and end, with the inside on its left. Sides: 0 top, 1 right, 2 bottom,
# 3 left. In the two cases with opposite corners the inside corners are kept apart.
_JOINS: tuple[tuple[tuple[int, int], ...], ...] = (
    (), ((3, 0),), ((0, 1),), ((3, 1),), ((1, 2),), ((3, 0), (1, 2)), ((0, 2),), ((3, 2),),
    ((2, 3),), ((2, 0),), ((0, 1), (2, 3)), ((2, 1),), ((1, 3),), ((1, 0),), ((0, 3),), (),
)  # fmt: skip


def strongest(heatmap: Float[np.ndarray, "h w"], share: float = 0.2) -> Bool[np.ndarray, "h w"]:
    """Mark the `share` of the seen cells with the largest values; fewer where fewer are positive.

    Ties are broken by position (left to right, top to bottom), so that the count is exact. NaN is never marked.

    Raises:
        ConfigError: share outside (0, 1].
    """
    if not 0 < share <= 1:
        raise ConfigError(f"share must lie in (0, 1]; got {share}")
    flat = np.where(np.isnan(heatmap), -np.inf, heatmap).ravel()
    count = round(share * int(np.isfinite(flat).sum()))
    if count == 0:
        return np.zeros(heatmap.shape, dtype=bool)
    least = np.partition(flat, -count)[-count]  # the smallest value that may be marked
    marked: Bool[np.ndarray, " n"] = flat > least
    marked[np.flatnonzero(flat == least)[: count - int(marked.sum())]] = True
    return (marked & (flat > 0)).reshape(heatmap.shape)


def contours(inside: Bool[np.ndarray, "h w"], values: Float[np.ndarray, "h w"] | None = None) -> list[Loop]:
    """Return closed lines that part the marked cells from the others.

    Cell (row i, column j) covers x in [j, j + 1] and y in [i, i + 1]. A line passes between the centres of a marked
    cell and its unmarked neighbour; where `values` are given, at the height that parts all marked cells from all
    others, which makes the line smooth.

    Returns:
        Loops of points (x, y) without the closing repeat, the longest first.
    """
    mask = np.pad(inside, 1)
    crossing = _crossings(mask, values)
    following = _joined(mask)
    loops: list[Loop] = []
    while following:
        link = next(iter(following))
        links = []
        while link in following:
            links.append(link)
            link = following.pop(link)
        loops.append(crossing[links])
    return sorted(loops, key=len, reverse=True)


def blurred_area(
    area: Bool[np.ndarray, "h w"], radius: float
) -> tuple[Bool[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Return an area with its corners rounded off, and the smooth values it was cut from at one half."""
    picture = Image.fromarray(area.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(radius))
    smooth = np.asarray(picture, dtype=np.float64) / 255
    return smooth > 0.5, smooth


def _crossings(mask: Bool[np.ndarray, "h w"], values: Float[np.ndarray, "h2 w2"] | None) -> Float[np.ndarray, "e 2"]:
    """Return where a line crosses each link between neighbours: first the links to the right, then those downwards."""
    height, width = mask.shape
    part = np.full((height, width), np.nan)
    level = 0.0
    if values is not None and mask.any():
        part[1:-1, 1:-1] = values
        outside = part[~mask & np.isfinite(part)]
        lowest = float(part[mask].min())
        level = (lowest + float(outside.max())) / 2 if outside.size and outside.max() < lowest else lowest
    rows, columns = np.mgrid[:height, :width] - 0.5
    right = np.stack([columns + _fraction(part, np.roll(part, -1, 1), level), rows], axis=-1)
    down = np.stack([columns, rows + _fraction(part, np.roll(part, -1, 0), level)], axis=-1)
    return np.concatenate([right.reshape(-1, 2), down.reshape(-1, 2)])


def _fraction(
    first: Float[np.ndarray, "h w"], second: Float[np.ndarray, "h w"], level: float
) -> Float[np.ndarray, "h w"]:
    """Return how far along the link from first to second the level lies; the middle where a value is missing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (level - first) / (second - first)
    return np.where(np.isfinite(share), np.clip(share, 0.02, 0.98), 0.5)


def _joined(mask: Bool[np.ndarray, "h w"]) -> dict[int, int]:
    """Return, for each link that a line crosses, the link that it crosses next."""
    height, width = mask.shape
    code = mask[:-1, :-1] * 1 + mask[:-1, 1:] * 2 + mask[1:, 1:] * 4 + mask[1:, :-1] * 8
    rows, columns = np.nonzero((code > 0) & (code < 15))
    at = rows * width + columns
    down = height * width
    sides: tuple[Int[np.ndarray, " c"], ...] = (at, down + at + 1, at + width, down + at)
    links = np.stack(sides, axis=1).tolist()
    pairs: dict[int, int] = {}
    for kind, link in zip(code[rows, columns].tolist(), links, strict=True):
        for start, end in _JOINS[kind]:
            pairs[link[start]] = link[end]
    return pairs
