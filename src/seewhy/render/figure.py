"""The same overlay as a matplotlib figure, for those who put it into a paper or change it further."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from seewhy.errors import optional
from seewhy.render.bar import figures, own_end, remark
from seewhy.render.colors import colorize
from seewhy.render.scene import around_strongest, drawing_size, resample, scale_end, scene

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure(
    picture: Image.Image,
    heatmap: Float[np.ndarray, "h w"],
    *,
    signed: bool,
    limit: float | None = None,
    palette: str | None = None,
    title: str = "",
    unit: str = "",
    normalization: str | None = None,
    outline: float | None = 0.2,
) -> "Figure":
    """Draw a map over the grey photo as a matplotlib figure; the arguments are those of `overlay`.

    No window is opened and no state of pyplot is touched; `figure.savefig(path)` writes it.

    Raises:
        MissingExtra: matplotlib is not installed.
        ShapeError, ConfigError: as `overlay`.
    """
    end = scale_end(heatmap, limit, signed=signed)
    size = drawing_size(picture.size)
    values = resample(heatmap, size)
    made: Figure = optional("matplotlib.figure", "plot").Figure(
        figsize=(6.4, 6.4 * size[1] / size[0] + 1.2), dpi=150, layout="constrained"
    )
    axes = made.add_subplot()
    axes.set_axis_off()
    axes.set_title(title, loc="left", parse_math=False)
    axes.imshow(scene(picture, values, size, signed=signed, limit=end, palette=palette, outline=None))
    for loop in (around_strongest(values, outline) or []) if outline else []:
        closed = np.vstack([loop, loop[:1]]) - 0.5  # matplotlib puts the centre of the first cell at 0
        axes.plot(*closed.T, color="#141210", linewidth=2.6)
        axes.plot(*closed.T, color="white", linewidth=1.2)
    normalization = normalization or own_end(limit, signed=signed)
    words = (
        remark(heatmap, signed=signed) or f"evidence{f' ({unit})' if unit else ''}; the scale ends at {normalization}"
    )
    _scale(made, axes, end, signed=signed, palette=palette, words=words)
    return made


def _scale(made: "Figure", axes: Any, end: float, *, signed: bool, palette: str | None, words: str) -> None:
    """Add the colour bar with numbers at its ends, faded towards zero as the map is."""
    reach = end or 1.0
    values = np.linspace(-reach if signed else 0.0, reach, 256)[None]
    rgba = colorize(values, signed=signed, limit=end, palette=palette)[0] / 255
    faded = rgba[:, :3] * rgba[:, 3:] + 0.5 * (1 - rgba[:, 3:])
    colors = optional("matplotlib.colors", "plot")
    mappable = optional("matplotlib.cm", "plot").ScalarMappable(
        colors.Normalize(-reach if signed else 0.0, reach), colors.ListedColormap(faded)
    )
    drawn = made.colorbar(mappable, ax=axes, orientation="horizontal", fraction=0.04, pad=0.02)
    ticks = [-reach, 0.0, reach] if signed and end else [0.0, reach] if end else [0.0]
    drawn.set_ticks(ticks, labels=[figures(tick) for tick in ticks])
    drawn.set_label(words, parse_math=False)
