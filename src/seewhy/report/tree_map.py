"""A tree or a hierarchy at a glance: where its nodes lie, and how wide the streams of pictures between them are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seewhy.surrogates.branching import NONE, Branching
from seewhy.surrogates.flow import Flow

WIDTH = 1056
"""Pixels that a small tree fills."""
SLOT = 54
"""Pixels of a leaf at least."""
LEVEL = 106
"""Pixels from a node to those below it."""
STREAM = 60
"""Pixels of the stream of all pictures."""
THIN = 0.8
"""Pixels of a stream at least."""
MARGIN = 60
TOP = 26
BOX = 44
"""Pixels of the picture of a node."""
WAYS = 190
"""Pixels of a node's part of the map from which on its two ways are named."""
LETTER = 7.0
"""Pixels of a letter at the size of the map."""


@dataclass(frozen=True)
class Place:
    """Where a node lies: the middle of its picture from the left, its upper edge, and how wide the part of the map is that belongs to it and those below."""

    x: float
    y: float
    room: float


def places(model: Branching) -> list[Place]:
    """Return where each node lies. All that is below a node lies below it, what is denied to the left of it and what is affirmed to the right."""
    leaves = model.below(0)
    slot = max(SLOT, (WIDTH - 2 * MARGIN) / len(leaves))
    first = {leaf: MARGIN + slot * number for number, leaf in enumerate(leaves)}
    depths = model.depths.tolist()
    made = []
    for node in range(len(model.children)):
        mine = model.below(node)
        left, right = first[mine[0]], first[mine[-1]] + slot
        made.append(Place((left + right) / 2, TOP + LEVEL * depths[node], right - left))
    return made


def tree_map(model: Branching, flow: Flow, labels: Sequence[str]) -> dict[str, Any]:
    """Return the map as the data of SVG shapes.

    Args:
        model: the tree or hierarchy.
        flow: of the pictures.
        labels: what each node is called; cut where there is no room.
    """
    where = places(model)
    scale = STREAM / max(1, len(flow.ends))
    nodes = [_node(model, flow, where[node], node, labels[node]) for node in range(len(where))]
    return {
        "width": round(2 * MARGIN + sum(where[leaf].room for leaf in model.leaves.tolist())),
        "height": round(max(one["y"] + BOX + _below(one) for one in nodes)) + 12,
        "box": BOX,
        "streams": [one for node in model.inner.tolist() for one in _streams(model, flow, where, node, scale)],
        "nodes": nodes,
    }


def _node(model: Branching, flow: Flow, place: Place, node: int, label: str) -> dict[str, Any]:
    upright = len(label) * LETTER > place.room - 6
    leaf = int(model.children[node, 0]) == NONE
    room = int((place.room - 4) / LETTER)
    return {
        "node": node,
        "leaf": leaf,
        "x": round(place.x, 1),
        "y": round(place.y, 1),
        "label": label if leaf or not upright else label[: max(3, room - 1)] + "…",
        "full": label,
        "upright": leaf and upright,
        "count": flow.count(node),
        "ways": not leaf and place.room >= WAYS,
    }


def _below(one: Mapping[str, Any]) -> float:
    """Return how far the words of a node reach below its picture."""
    return 14 + LETTER * (len(one["label"]) + 5) if one["upright"] else 36


def _streams(model: Branching, flow: Flow, where: Sequence[Place], node: int, scale: float) -> list[dict[str, Any]]:
    """Return both streams out of a node, each first of those that end as the network says, then of the others."""
    start = where[node].x - scale * flow.count(node) / 2
    made = []
    for side, child in enumerate(model.children[node].tolist()):
        end = where[child].x - scale * flow.count(child) / 2
        here = flow.at(child)
        same = int(flow.agrees[here].sum())
        for kind, count in (("same", same), ("other", len(here) - same)):
            width = scale * count
            if count:
                path = _line(start + width / 2, end + width / 2, where[node].y + BOX - 4, where[child].y + 4)
                about = {"kind": kind, "side": ("no", "yes")[side], "child": child, "count": count}
                made.append({"path": path, "width": round(max(width, THIN), 2), **about})
            start, end = start + width, end + width
    return made


def _line(above: float, below: float, top: float, bottom: float) -> str:
    """Return the middle of a stream, which leaves and arrives straight down, as the data of an SVG path."""
    middle = (top + bottom) / 2
    return f"M{above:.1f} {top:.1f}C{above:.1f} {middle:.1f} {below:.1f} {middle:.1f} {below:.1f} {bottom:.1f}"
