"""A map over its picture at the picture's own size, without words: what is filed beside the source."""

from PIL import Image

from seewhy.core.explanation import Explanation
from seewhy.render.scene import scene


def bare_overlay(explanation: Explanation, index: int = 0) -> Image.Image:
    """Return the map over the grey picture, pixel for pixel of the source, so that millimetres on it are those of the source."""
    picture = explanation.picture(index)
    drawn = explanation.in_source(index).float().cpu().numpy()
    return scene(
        picture, drawn, picture.size, signed=explanation.method.signed, limit=explanation.scale_end(index), outline=None
    )
