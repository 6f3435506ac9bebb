"""Read a mask: where in a picture the object is."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from seewhy.data.picture import FORMATS, MOST_PIXELS
from seewhy.errors import DataError


def read_mask(path: str | Path) -> Bool[Tensor, "h w"]:
    """Return where a picture of a mask is not black, or where its numbers are not zero if it has a palette or one channel; transparent is nothing.

    Raises:
        DataError: no such file, not a picture, or too large.
    """
    try:
        Image.init()
        with Image.open(path, formats=[name for name in FORMATS if name in Image.OPEN]) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise DataError(f"{path}: the mask has {opened.width} x {opened.height} pixels, which are too many")
            picture = ImageOps.exif_transpose(opened)
            values = np.asarray(picture)  # a palette's own numbers
            channels = picture.getbands()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a mask that can be read ({error})") from error
    if values.ndim == 2:
        return torch.from_numpy(values != 0)
    colours = values[..., : len([name for name in channels if name != "A"])]
    found = (colours != 0).any(axis=2)
    return torch.from_numpy(found & (values[..., channels.index("A")] != 0) if "A" in channels else found)
