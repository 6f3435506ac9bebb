"""Readable models around one photo, as one picture: maps side by side, what they are worth, what they say."""

from collections.abc import Sequence

from PIL import Image

from seewhy.render.bars import Bars, bars
from seewhy.render.chart import Scale, captioned
from seewhy.render.overlay import stacked
from seewhy.render.text import INK, PAPER, SOFT, panel
from seewhy.report.axis import axis
from seewhy.report.local_map import local_map
from seewhy.surrogates.local_surrogate import LocalSurrogate

WIDTH = 1000
GAP = 22


def local_picture(found: Sequence[LocalSurrogate]) -> Image.Image:
    """Draw models around one photo, one under another."""
    first = found[0]
    title = captioned(
        Image.new("RGB", (WIDTH, 1), PAPER),
        WIDTH,
        f"Around {first.sample.name or 'this image'}: {first.target}",
        (f"the network's score is {first.score:.3g} {first.unit}; {first.cost.forwards - 1} neighbours", *first.notes),
    )
    parts: list[Image.Image | None] = [title]
    for one in found:
        parts += [_words(one), local_map(one), _tail(one)]
    return stacked(parts, GAP)


def _words(found: LocalSurrogate) -> Image.Image | None:
    low, high = min(found.fidelities), max(found.fidelities)
    lines = [
        (f"{found.model.title}: held-out R² {found.fidelity:.2f} ± {found.spread:.2f}", 24, INK),
        (
            f"{low:.2f} to {high:.2f} over {len(found.used)} seeds, which share {found.stability:.0%} of their superpixels "
            f"(blind choice {found.stability_by_chance:.0%}); {found.superpixels} of {found.effects.shape[1]} superpixels",
            18,
            SOFT,
        ),
        *((line, 18, INK) for line in found.cautions),
    ]
    return panel(lines, WIDTH, GAP, limit=4)


def _tail(found: LocalSurrogate) -> Image.Image | None:
    """Draw the weights of a sum as bars; write a tree down."""
    if found.kind == "tree":
        return panel([(line, 17, INK) for line in _indented(found)], WIDTH, GAP, limit=2)
    order = found.ranked()
    if not order:
        return None
    values = found.effects[:, order]
    scale = axis([0.0, *values.flatten().tolist()], from_zero=False)
    column = Bars(
        f"what showing it adds ({found.unit})",
        values[0].tolist(),
        values.amin(dim=0).tolist(),
        values.amax(dim=0).tolist(),
        [f"{value:+.3g}" for value in values[0].tolist()],
        Scale(tuple(zip(scale.ticks, scale.labels, strict=True))),
    )
    names = [f"superpixel {number + 1}" for number in order]
    return bars(names, [column], width=WIDTH, notes=("lines: the smallest and the largest over the seeds",))


def _indented(found: LocalSurrogate) -> list[str]:
    """Return the lines of a tree, further in with marks that are not lost at the begin of a line."""
    lines = found.model.text().split("\n")
    return [f"{'·  ' * ((len(line) - len(line.lstrip())) // 2)}{line.lstrip()}" for line in lines]
