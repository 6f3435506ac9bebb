"""The activation maps of a layer on one photo as an HTML page: every map can be read off under the pointer."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from seewhy.render.bar import figures, percent
from seewhy.render.encode import data_uri, webp_bytes
from seewhy.report.images import gradient, photo_uri
from seewhy.report.sheet import kept, sheet
from seewhy.visualization.activation_cells import HIGH, LOW, ends, in_colours, over_photo, risen
from seewhy.visualization.activations import Activations
from seewhy.visualization.layer_maps import ChannelFacts

CREED = (
    "A channel that is active is not yet important: what it adds to an answer is another question (seewhy importance).",
    "One photo shows where a channel is active, not what it looks for (seewhy unit).",
)
"""Said at the foot of every page."""

_LONG = 320
_QUALITY = 72
_READ = 28
"""Cells a side at which values travel in the page; larger grids are averaged down to it."""


def activations_page(found: Activations, command: str = "") -> str:
    """Return the page as HTML.

    Args:
        found: what is shown.
        command: makes the page again.
    """
    layer = found.layer
    photo = found.photo_at(_LONG) if layer.spatial else None
    content = {
        "sentences": [kept(line) for line in found.sentences],
        "overview": _overview(found, photo) if photo else [],
        "components": _components(found, photo) if photo else [],
        "tiles": [_tile(found, photo, fact) for fact in found.facts] if photo else [],
        "bars": [] if layer.spatial else _bars(found.facts),
        "gradient": gradient(signed=layer.signed, limit=1.0),
        "signed": layer.signed,
        "end": "its own peak" if found.scale == "own" else _end(found),
    }
    return sheet(
        "activations",
        title=f"Activations of {layer.layer}",
        subtitles=[f"{layer.sample.name} · {layer.network} · {_size(layer.maps)}"],
        content=content,
        numbers=found.numbers() | {"read": _read(found)},
        creed=CREED,
        command=command,
        provenance=found.provenance,
    )


def _size(maps: Float[Tensor, "c *spatial"]) -> str:
    grid = " × ".join(map(str, maps.shape[1:]))
    return f"{len(maps)} channels of {grid} positions" if grid else f"{len(maps)} features without places"


def _end(found: Activations) -> str:
    return figures(found.limit(found.facts[0])) if found.facts else "0"


def _overview(found: Activations, photo: Image.Image) -> list[dict[str, str]]:
    """Return the photo, the norm and the components as colours."""
    layer = found.layer
    norm = layer.norm()
    maps, components = layer.components()
    painted = in_colours(photo, np.stack([found.drawn(values, _LONG) for values in maps]), _LONG)
    shares = components.shares.tolist()
    words = ends(float(norm.min()), float(norm.max()))
    return [
        {"name": "Photo", "picture": photo_uri(photo, _LONG, _QUALITY), "words": ""},
        {
            "name": "Norm of all channels",
            "picture": _webp(risen(photo, found.drawn(norm, _LONG), _LONG)),
            "words": f"The length of the vector at each position: {words}.",
        },
        {
            "name": "Principal components",
            "picture": _webp(painted),
            "words": kept(
                f"Positions of like colour are described alike. Red, green and blue are the first three components, each from its {LOW:.0f}nd to its "
                f"{HIGH:.0f}th percentile; together they explain {percent(sum(shares))} of the variance."
            ),
        },
    ]


def _components(found: Activations, photo: Image.Image) -> list[dict[str, str]]:
    """Return each component by itself, on a scale of its own."""
    maps, components = found.layer.components()
    return [
        {
            "name": f"Component {number}, {colour}",
            "picture": _webp(_signed(found, photo, values)),
            "words": kept(f"{percent(share)} of the variance"),
        }
        for number, (colour, values, share) in enumerate(
            zip(("red", "green", "blue"), maps, components.shares.tolist(), strict=False), 1
        )
    ]


def _signed(found: Activations, photo: Image.Image, values: Float[Tensor, "h w"]) -> Image.Image:
    limit = float(values.abs().max())
    return over_photo(photo, found.drawn(values, _LONG), signed=True, limit=limit, long=_LONG)


def _tile(found: Activations, photo: Image.Image, fact: ChannelFacts) -> dict[str, Any]:
    layer = found.layer
    drawn = found.drawn(layer.maps[fact.index], _LONG)
    picture = over_photo(photo, drawn, signed=layer.signed, limit=found.limit(fact), long=_LONG)
    y, x = layer.place_in_source(fact.place)
    return {
        "index": fact.index,
        "picture": _webp(picture),
        "peak": figures(fact.peak),
        "mean": figures(fact.mean),
        "zeros": kept(percent(fact.zeros)) if fact.zeros else "",
        "dead": fact.dead,
        "place": f"row {fact.place[0]}, column {fact.place[1]}",
        "left": round(100 * x / layer.photo.width, 2),
        "top": round(100 * y / layer.photo.height, 2),
    }


def _bars(facts: tuple[ChannelFacts, ...]) -> list[dict[str, Any]]:
    """Return where each bar begins and how long it is, in percent of the row."""
    values = [fact.peak for fact in facts]
    low, high = min([0.0, *values]), max([0.0, *values])
    span = (high - low) or 1.0
    return [
        {
            "index": fact.index,
            "value": figures(fact.peak),
            "begin": round(100 * (min(0.0, fact.peak) - low) / span, 2),
            "length": round(100 * abs(fact.peak) / span, 2),
            "negative": fact.peak < 0,
        }
        for fact in facts
    ]


def _read(found: Activations) -> dict[str, Any] | None:
    """Return the shown maps in thousandths of their peaks, for reading them off; large grids averaged down."""
    layer = found.layer
    if not layer.spatial or layer.sample.geometry is None:
        return None
    rows, columns = (min(_READ, cells) for cells in layer.maps.shape[1:])
    small = torch.nn.functional.adaptive_avg_pool2d(found.maps.double(), (rows, columns)).flatten(1)
    peaks = [abs(fact.peak) or 1.0 for fact in found.facts]
    geometry = layer.sample.geometry
    return {
        "rows": rows,
        "columns": columns,
        "averaged": (rows, columns) != tuple(layer.maps.shape[1:]),
        "window": geometry.window,
        "source": geometry.source,
        "peaks": peaks,
        "values": [(1000 * values / peak).round().int().tolist() for values, peak in zip(small, peaks, strict=True)],
    }


def _webp(picture: Image.Image) -> str:
    return data_uri(webp_bytes(picture, _QUALITY), "image/webp")
