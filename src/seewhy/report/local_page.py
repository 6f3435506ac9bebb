"""Readable models around one photo, as one HTML file: how far to trust them, then what they say, with the superpixels in pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

from seewhy.render.bar import figures
from seewhy.render.encode import data_uri, webp_bytes
from seewhy.report.axis import axis
from seewhy.report.images import gradient, photo_uri
from seewhy.report.local_map import caption, local_scene, strongest, superpixel_picture
from seewhy.report.sheet import kept, sheet
from seewhy.surrogates.local_models import LocalTree
from seewhy.surrogates.local_surrogate import LocalSurrogate

CREED = (
    "A local model says what the network does when parts of this photo are hidden, and nothing about other photos; "
    "R² is measured on neighbours that played no part in fitting it or in choosing its size."
)
VERDICTS = {
    "good": ("passes", "stands in well for the network here"),
    "fair": ("unclear", "stands in roughly for the network here"),
    "poor": ("fails", "misses much of what the network does here"),
    "nothing": ("fails", "explains nothing of the network here"),
}


def local_page(found: Sequence[LocalSurrogate], numbers: Mapping[str, Any], *, command: str = "") -> str:
    """Return the page.

    Args:
        found: models around one photo, made of the same neighbours.
        numbers: the same as plain values; they travel inside the page.
        command: makes the page again.
    """
    first = found[0]
    return sheet(
        "local",
        title=f"Around this photo: {first.target}",
        subtitles=(_asked(first),),
        content={
            "cards": [_card(one) for one in found],
            "models": [_model(one) for one in found],
            "notes": first.notes,
            "reading": _reading(first),
        },
        numbers=numbers,
        cautions=[kept(line) for one in found for line in one.cautions],
        creed=(CREED,),
        command=command,
        provenance=first.provenance,
    )


def _asked(found: LocalSurrogate) -> str:
    around = found.around
    return kept(
        f"{found.sample.name or 'an image'} · the network's score for {found.target}: {found.score:.3g} {found.unit} · "
        f"{found.cost.forwards - 1} neighbours, each with about {1 - around.keep:.0%} of {found.effects.shape[1]} superpixels hidden"
    )


def _card(found: LocalSurrogate) -> dict[str, Any]:
    """Return what a model is worth, in a few figures."""
    icon, verdict = VERDICTS[found.verdict]
    low, high = min(found.fidelities), max(found.fidelities)
    return {
        "kind": found.kind,
        "title": found.model.title,
        "icon": icon,
        "verdict": verdict,
        "r2": f"{found.fidelity:.2f}",
        "spread": f"± {found.spread:.2f}",
        "range": f"{low:.2f} to {high:.2f} over {len(found.used)} seeds",
        "size": f"{found.superpixels} of {found.effects.shape[1]}",
        "own": f"{found.model.size} leaves" if found.kind == "tree" else "",
        "stability": kept(f"{found.stability:.0%} shared by two seeds (blind choice: {found.stability_by_chance:.0%})"),
        "says": f"{figures(found.says)}, the network {figures(found.score)}",
    }


def _model(found: LocalSurrogate) -> dict[str, Any]:
    """Return a model with its map, its weights or its questions, and its sizes."""
    end = strongest(found)
    pictures = {
        number: data_uri(webp_bytes(superpixel_picture(found, number), 72), "image/webp") for number in found.model.used
    }
    tree = found.model if isinstance(found.model, LocalTree) else None
    return {
        "kind": found.kind,
        "title": found.model.title,
        "map": photo_uri(local_scene(found), 820, 74),
        "gradient": gradient(signed=True, limit=end),
        "ends": (figures(-end), figures(end)),
        "caption": caption(found),
        "pictures": pictures,
        "rows": _rows(found),
        "bias": figures(float(getattr(found.model, "bias", 0.0))),
        "root": None if tree is None else _node(found, tree, 0, on_way=True),
        "frontier": _frontier(found),
        "unit": found.model.unit,
    }


def _rows(found: LocalSurrogate) -> list[dict[str, Any]]:
    """Return the superpixels that are read, each with a bar and the range over the seeds, in percent of one scale."""
    order = found.ranked()
    values = found.effects[:, order]
    scale = axis([0.0, *values.flatten().tolist()], from_zero=False) if order else None
    rows = []
    for place, number in enumerate(order):
        if scale is None:
            break
        own = values[:, place].tolist()
        zero, end, low, high = (scale.percent(value) for value in (0.0, own[0], min(own), max(own)))
        rows.append(
            {
                "number": number,
                "left": min(zero, end),
                "width": round(abs(end - zero), 2),
                "zero": zero,
                "low": low,
                "span": round(high - low, 2),
                "side": "pos" if own[0] >= 0 else "neg",
                "text": f"{own[0]:+.3g}",
                "seeds": sum(number in used for used in found.used),
                "of": len(found.used),
            }
        )
    return rows


def _node(found: LocalSurrogate, tree: LocalTree, node: int, *, on_way: bool) -> dict[str, Any]:
    """Return a node with the nodes below it; the photo itself, which shows everything, goes along those that are shown."""
    asked, value = int(tree.asks[node]), float(tree.values[node])
    low, high = float(tree.values.min()), float(tree.values.max())
    made = {
        "asked": asked,
        "value": figures(value),
        "share": f"{float(tree.shares[node]):.0%}",
        "level": round(100 * (value - low) / (high - low), 1) if high > low else 50.0,
        "on_way": on_way,
        "below": [],
    }
    if asked >= 0:
        shown, hidden = int(tree.shown[node]), int(tree.hidden[node])
        made["below"] = [
            ("shown", _node(found, tree, shown, on_way=on_way)),
            ("hidden", _node(found, tree, hidden, on_way=False)),
        ]
    return made


def _frontier(found: LocalSurrogate) -> list[dict[str, Any]]:
    return [
        {
            "size": point.size,
            "mean": f"{point.mean:.2f}",
            "range": f"{min(point.fidelity):.2f} to {max(point.fidelity):.2f}",
            "width": round(100 * max(0.0, min(1.0, point.mean)), 1),
            "chosen": place == found.chosen,
        }
        for place, point in enumerate(found.frontier)
    ]


def _reading(found: LocalSurrogate) -> list[tuple[str, str]]:
    """Return what the words mean."""
    count, worth = found.held_out
    return [
        (
            "R²",
            f"the share of the score's ups and downs over {count} held-out neighbours that the model foretells (they weigh as much as {worth:.0f} of equal weight); 1 is all of "
            "it, 0 is no better than always saying their mean, and below 0 is worse than that",
        ),
        (
            "seeds",
            "the same model made from other neighbours: lines over the bars are the smallest and the largest value over the seeds",
        ),
        (
            "hidden",
            f"a superpixel that is hidden shows {_filled(found)}; a neighbour counts the more, the more it shows",
        ),
        ("superpixels", "are numbered from 1 in reading order; both models use the same numbers"),
    ]


def _filled(found: LocalSurrogate) -> str:
    fill = found.around.fill
    words = {"blur": "a blurred photo", "mean": "the mean colour", "noise": "noise", "zero": "zeros"}
    return words.get(fill, fill) if isinstance(fill, str) else "another image"
