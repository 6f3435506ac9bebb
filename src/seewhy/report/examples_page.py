"""The natural examples of the channels of a layer as an HTML page."""

from collections.abc import Sequence
from typing import Any

from PIL import Image

from seewhy.render.bar import figures, percent
from seewhy.render.encode import data_uri, webp_bytes
from seewhy.report.sheet import kept, sheet
from seewhy.visualization.examples import ChannelExamples, Example, Examples, LayerExamples, Part

CREED = (
    "The strongest pictures are a selection: look at the row across all pictures before you name a channel.",
    "What a channel responds to is not yet what the network uses it for (seewhy importance).",
)
"""Said at the foot of every page."""

_SIDE = 144
_QUALITY = 72
_MOST_NAMED = 5


def examples_page(found: Examples, channels: Sequence[int], layer: str | None = None, command: str = "") -> str:
    """Return the page of some channels of a layer.

    Args:
        found: what was found.
        channels: which are shown, in this order.
        layer: of which layer; the only one that was searched if None.
        command: makes the page again.
    """
    one = found.layer(layer)
    cards = [_card(found, found.of(one.layer, channel)) for channel in channels]
    return sheet(
        "examples",
        title=f"What {one.layer} responds to",
        subtitles=[_subtitle(found, one, len(channels))],
        cautions=_cautions(found),
        content={"cards": cards, "sees": kept(_sees(found, one)), "seen": found.seen},
        numbers={
            "layer": one.layer,
            "channels": [_numbers(found, found.of(one.layer, channel)) for channel in channels],
        },
        creed=CREED,
        command=command,
        provenance=found.about,
    )


def _subtitle(found: Examples, one: LayerExamples, shown: int) -> str:
    grid = " × ".join(map(str, one.grid))
    layer = f"{one.channels} channels" + (f" of {grid} positions" if grid else ", no positions")
    which = "all" if shown == one.channels else f"{shown} of them shown"
    return f"{found.about.get('model', 'network')} · {layer}, {which} · {found.seen} pictures"


def _sees(found: Examples, one: LayerExamples) -> str:
    if not one.grid:
        return "The layer has no positions; pictures are shown whole."
    if one.field is None:
        return "What moves a unit of this layer is spread over the whole picture, so pictures are shown whole."
    return (
        f"A unit of this layer looks at {found.sees(one.layer)}: 95 % of what moves it lies inside. Each crop is that part, around the place where "
        "the channel is strongest (lowest, in the last row)."
    )


def _cautions(found: Examples) -> list[str]:
    lines = []
    if found.seen < 1000:
        lines.append(f"Only {found.seen} pictures were searched. What a channel likes best may not be among them.")
    if found.duplicates:
        lines.append(f"Left out as nearly the same as an earlier picture: {_named(found, list(found.duplicates))}.")
    if found.broken:
        lines.append(f"Could not be used: {_named(found, list(found.broken))}.")
    return lines


def _named(found: Examples, names: Sequence[str]) -> str:
    """Return how many there are, and the first of them."""
    first = ", ".join(found.brief(name) for name in names[:_MOST_NAMED])
    return f"{len(names)} ({first}{', …' if len(names) > _MOST_NAMED else ''})"


def _card(found: Examples, one: ChannelExamples) -> dict[str, Any]:
    if one.constant is not None:
        sentence = f"Gives {figures(one.constant)} at every position of every picture: it tells nothing apart."
        return {"channel": one.channel, "words": sentence, "rows": []}
    return {"channel": one.channel, "words": _words(one), "rows": [_row(found, one, part) for part in one.parts()]}


def _words(one: ChannelExamples) -> str:
    """Say how far the best pictures stand out."""
    median = float(one.sampled[len(one.sampled) // 2])
    words = f"Largest value {figures(one.top[0].value)}; half of the pictures reach {figures(median)}."
    return f"{words} {one.remark[:1].upper()}{one.remark[1:]}." if one.remark else words


def _row(found: Examples, one: ChannelExamples, part: Part) -> dict[str, Any]:
    if part.instead:
        return {"name": part.name, "instead": part.instead, "cells": []}
    pictures = found.crops(part.examples, one.layer, _SIDE)
    cells = [
        _cell(example, found.brief(example.name), picture)
        for example, picture in zip(part.examples, pictures, strict=True)
    ]
    return {"name": part.name, "instead": "", "cells": cells}


def _cell(example: Example, name: str, picture: Image.Image) -> dict[str, str]:
    where = "" if example.position is None else f", at {', '.join(map(str, example.position))}"
    share = "" if example.quantile is None else f"; {kept(percent(example.quantile))} of the pictures give no more"
    return {
        "uri": data_uri(webp_bytes(picture, _QUALITY), "image/webp"),
        "value": figures(example.value),
        "name": name,
        "title": f"{name}: {figures(example.value)}{where}{share}",
    }


def _numbers(found: Examples, one: ChannelExamples) -> dict[str, Any]:
    listed = {
        name: [[found.brief(example.name), example.value, example.position] for example in getattr(one, name)]
        for name in ("top", "bottom", "strip")
    }
    return {"channel": one.channel, "constant": one.constant, **listed}
