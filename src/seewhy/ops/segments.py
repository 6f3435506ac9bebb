"""Pictures cut into segments: maps of integers 0 to n - 1 of the size of the picture."""

import math
from itertools import product

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seewhy.errors import ShapeError

ROUNDS = 10
"""Rounds of SLIC: its authors found ten to be enough for most pictures."""


def grid_segments(size: tuple[int, ...], count: int) -> Int[Tensor, "*spatial"]:
    """Return about `count` equal boxes, nearly square, numbered row by row."""
    index = torch.zeros(size, dtype=torch.long)
    for axis, (length, number) in enumerate(zip(size, _boxes(size, count), strict=True)):
        place = torch.arange(length) * number // length
        index = index * number + place.view(*[-1 if one == axis else 1 for one in range(len(size))])
    return index


def slic_segments(image: Float[Tensor, "c *spatial"], count: int, compactness: float = 10.0) -> Int[Tensor, "*spatial"]:
    """Cut a picture into about `count` connected segments of even colour and similar size, numbered in reading order.

    k-means of colour and place: the distance of a pixel from a centre is sqrt(d_colour^2 + (compactness * d_place / S)^2), with S the
    side of a box when the picture is cut into equal ones. Each pixel chooses among the centres of its own box and of those around it.
    Pieces smaller than a quarter of a box join the neighbour that is nearest in mean colour.

    Args:
        image: values in any units; they are brought to 0 to 1 over the whole image. Three channels are taken as red, green and blue and
            compared in CIELAB; other numbers of channels are compared as they are, on a scale of the same length.
        count: about how many segments; fewer where small pieces join.
        compactness: how much place counts against colour: more gives squarer segments.

    Source: Achanta et al. 2012, SLIC Superpixels Compared to State-of-the-art Superpixel Methods, doi 10.1109/TPAMI.2012.120. Differs in:
        centres begin as the means of boxes instead of at places of low gradient; a pixel looks at the boxes around its own, which
        stay where they are, instead of each centre at a window that moves with it.
    """
    size, lengths = tuple(image.shape[1:]), lengths_of(tuple(image.shape[1:]))
    side = (math.prod(lengths) / min(count, math.prod(size))) ** (1 / len(size))
    axes = torch.meshgrid(
        *[torch.arange(n, dtype=torch.float32) * (length / n) for n, length in zip(size, lengths, strict=True)],
        indexing="ij",
    )
    place = torch.stack(axes) * (compactness / side)
    colours = _colours(image)
    features = torch.cat([colours, place]).flatten(1).contiguous()  # (f, pixels)
    labels = _nearest_means(features, grid_segments(size, count), _boxes(size, count))
    return _connected(labels.view(size), colours, math.prod(size) / min(count, math.prod(size)) / 4)


def relabelled(segments: Int[Tensor, "*spatial"]) -> Int[Tensor, "*spatial"]:
    """Return the same segments, numbered 0 to n - 1 in the order of their numbers; raise `ShapeError` where there is none."""
    if segments.numel() == 0 or segments.is_floating_point():
        raise ShapeError(
            f"a segment map is an array of whole numbers, one per pixel; got {segments.dtype} of shape {tuple(segments.shape)}"
        )
    found: Tensor = torch.unique(segments, return_inverse=True)[1]
    return found


def members(segments: Int[Tensor, "*spatial"]) -> Bool[Tensor, "n *spatial"]:
    """Return which pixels belong to each segment."""
    numbers = torch.arange(int(segments.max()) + 1).view(-1, *[1] * segments.dim())
    return segments == numbers


def painted(values: Float[Tensor, " n"], segments: Int[Tensor, "*spatial"]) -> Float[Tensor, "*spatial"]:
    """Give each pixel its segment's value, divided by the segment's size: the map then adds up to the values."""
    sizes = torch.bincount(segments.flatten(), minlength=len(values)).to(values)
    return (values / sizes.clamp_min(1))[segments.to(values.device)]


def centroids(segments: Int[Tensor, "*spatial"]) -> Float[Tensor, "n d"]:
    """Return the mean place of each segment's pixels, in pixels."""
    places = torch.stack([axis.flatten() for axis in torch.meshgrid(*map(torch.arange, segments.shape), indexing="ij")])
    return _means(places.double(), segments.flatten(), int(segments.max()) + 1).T


def _boxes(size: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Return into how many boxes each axis is cut: nearly square boxes, as near to the count as these can be."""
    lengths = lengths_of(size)
    side = (math.prod(lengths) / count) ** (1 / len(size))
    ways = product(
        *[
            {max(1, min(n, cut(length / side))) for cut in (math.floor, math.ceil)}
            for n, length in zip(size, lengths, strict=True)
        ]
    )

    def fit(parts: tuple[int, ...]) -> tuple[float, float, tuple[int, ...]]:
        sides = [length / number for length, number in zip(lengths, parts, strict=True)]
        return abs(math.log(math.prod(parts) / count)), max(sides) / min(sides), tuple(-number for number in parts)

    return min(ways, key=fit)


def lengths_of(size: tuple[int, ...]) -> tuple[float, ...]:
    """Return how long each axis is: frames and slices are no pixels, so that the first of three is as long as the others' mean."""
    return (sum(size[1:]) / 2, *map(float, size[1:])) if len(size) == 3 else tuple(map(float, size))


def _colours(image: Float[Tensor, "c *spatial"]) -> Float[Tensor, "c *spatial"]:
    """Return the image in CIELAB, or, unless it has three channels, in units in which the whole range is 100 long as in CIELAB's L."""
    values = image.detach().float().cpu()
    low, high = values.min(), values.max()
    values = (values - low) / (high - low).clamp_min(1e-12)
    return _cielab(values) if len(values) == 3 else values * (100 / math.sqrt(len(values)))


def _cielab(rgb: Float[Tensor, "3 *spatial"]) -> Float[Tensor, "3 *spatial"]:
    """Return L, a and b of sRGB colours between 0 and 1, under the white of daylight (D65); CIE 15:2004, section 8.2.1."""
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = torch.tensor(
        [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
    )
    xyz = torch.tensordot(to_xyz / to_xyz.sum(dim=1, keepdim=True), linear, dims=1)
    f = torch.where(xyz > (6 / 29) ** 3, xyz.clamp_min(1e-12) ** (1 / 3), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    return torch.stack([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def _nearest_means(
    features: Float[Tensor, "f pixels"], boxes: Int[Tensor, "*spatial"], parts: tuple[int, ...]
) -> Int[Tensor, " pixels"]:
    """Return the label of each pixel after k-means that begins with boxes, each pixel looking at the boxes around its own."""
    labels = boxes.flatten()
    candidates = _neighbours(parts).T[:, labels]  # (k, pixels)
    count = math.prod(parts)
    for _ in range(ROUNDS):
        means = _means(features, labels, count)
        best = torch.full_like(features[0], math.inf)
        before, labels = labels, torch.empty_like(labels)
        for which in candidates:
            away = (features - means.index_select(1, which)).square_().sum(dim=0)
            nearer = away < best
            best = torch.where(nearer, away, best)
            labels = torch.where(nearer, which, labels)
        if torch.equal(before, labels):
            break
    return labels


def _neighbours(parts: tuple[int, ...]) -> Int[Tensor, "n k"]:
    """Return, for each box of a grid, the numbers of the boxes around it and its own; at the border some stand twice."""
    places = torch.stack(torch.meshgrid(*map(torch.arange, parts), indexing="ij"), dim=-1).flatten(0, -2)  # (n, d)
    steps = torch.tensor(list(product((-1, 0, 1), repeat=len(parts))))
    near = (places[:, None] + steps).clamp_min(0).minimum(torch.tensor(parts) - 1)  # (n, k, d)
    strides = torch.tensor([math.prod(parts[axis + 1 :]) for axis in range(len(parts))])
    return (near * strides).sum(dim=-1)


def _means(features: Float[Tensor, "f pixels"], labels: Int[Tensor, " pixels"], count: int) -> Float[Tensor, "f n"]:
    """Return the mean of each label's pixels; infinitely far away where a label has none."""
    sums = torch.stack([torch.bincount(labels, weights=row, minlength=count) for row in features])
    sizes = torch.bincount(labels, minlength=count)
    return torch.where(sizes > 0, sums / sizes.clamp_min(1), math.inf).to(features)


def _connected(
    labels: Int[Tensor, "*spatial"], colours: Float[Tensor, "c *spatial"], least: float
) -> Int[Tensor, "*spatial"]:
    """Return connected pieces of at least `least` pixels, numbered in reading order.

    In each round every piece that is too small joins the neighbour that is nearest in mean colour.
    """
    numbers = np.arange(labels.numel()).reshape(labels.shape)
    pairs = np.concatenate([_steps(numbers, axis) for axis in range(labels.dim())])  # pixels side by side
    flat, shades = labels.flatten().numpy(), colours.flatten(1)
    pieces = _joined(pairs[flat[pairs[:, 0]] == flat[pairs[:, 1]]], labels.numel())
    while (sizes := np.bincount(pieces)).min() < least and len(sizes) > 1:
        means = _means(shades, torch.from_numpy(pieces), len(sizes)).T.numpy()
        pieces = _joined(_nearest(pieces[pairs], np.flatnonzero(sizes < least), means), len(sizes))[pieces]
    first = np.unique(pieces, return_index=True)[1]
    return torch.from_numpy(np.argsort(np.argsort(first))[pieces]).view(labels.shape)


def _steps(numbers: np.ndarray, axis: int) -> np.ndarray:
    """Return the pairs of neighbours along one axis."""
    before, after = np.delete(numbers, -1, axis), np.delete(numbers, 0, axis)
    return np.stack([before.ravel(), after.ravel()], axis=1)


def _joined(pairs: np.ndarray, count: int) -> np.ndarray:
    """Return a number for each of `count` nodes, the same for nodes that pairs connect."""
    from scipy.sparse import coo_matrix  # type: ignore[import-untyped]
    from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

    graph = coo_matrix((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    found: np.ndarray = connected_components(graph, directed=False)[1]
    return found.astype(np.int64)


def _nearest(touching: np.ndarray, small: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Return, for each small piece, itself and the neighbour that is nearest in mean colour; the first of equals."""
    both = np.concatenate([touching, touching[:, ::-1]])
    border = both[(both[:, 0] != both[:, 1]) & np.isin(both[:, 0], small)]
    own, other = np.divmod(np.unique(border @ (len(means), 1)), len(means))
    away = np.square(means[own] - means[other]).sum(axis=1)
    order = np.lexsort((other, away, own))
    first = order[np.unique(own[order], return_index=True)[1]]
    return np.stack([own[first], other[first]], axis=1)
