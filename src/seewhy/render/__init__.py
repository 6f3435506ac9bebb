"""Arrays to pictures: palettes, overlays, grids, figures, and the bytes of a file. No network is run here."""

from seewhy.render.colors import PALETTES, colorize, palette_table
from seewhy.render.contact import contact
from seewhy.render.encode import data_uri, png_bytes, webp_bytes, write_bytes
from seewhy.render.figure import figure
from seewhy.render.grid import grid
from seewhy.render.matrix import matrix
from seewhy.render.outline import contours, strongest
from seewhy.render.overlay import overlay, stacked
from seewhy.render.reel import Reel, write_reel
from seewhy.render.scene import resample, scene

__all__ = [
    "PALETTES",
    "Reel",
    "colorize",
    "contact",
    "contours",
    "data_uri",
    "figure",
    "grid",
    "matrix",
    "overlay",
    "palette_table",
    "png_bytes",
    "resample",
    "scene",
    "stacked",
    "strongest",
    "webp_bytes",
    "write_bytes",
    "write_reel",
]
