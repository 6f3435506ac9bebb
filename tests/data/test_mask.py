import numpy as np
import pytest
import torch
from PIL import Image

from seewhy.data.mask import read_mask
from seewhy.errors import DataError

INSIDE = np.array([[0, 1, 1], [0, 0, 2]], dtype=np.uint8)


@pytest.mark.parametrize("kind", ["L", "P", "1", "I;16", "RGB", "RGBA", "LA"])
def test_what_is_not_black_is_the_object(tmp_path, kind):
    if kind == "I;16":
        picture = Image.fromarray(INSIDE.astype(np.uint16))
    elif kind == "P":
        picture = Image.fromarray(INSIDE, "P")
        picture.putpalette([255, 255, 255, 0, 0, 0, 0, 0, 0])  # the numbers count, not their colours
    else:
        picture = (
            Image.fromarray(INSIDE * 100).convert(kind, dither=Image.Dither.NONE)
            if kind != "1"
            else Image.fromarray(INSIDE > 0)
        )
    picture.save(tmp_path / "mask.png")
    assert torch.equal(read_mask(tmp_path / "mask.png"), torch.from_numpy(INSIDE > 0))


def test_what_is_transparent_is_no_object(tmp_path):
    pixels = np.full((2, 3, 4), 255, dtype=np.uint8)
    pixels[..., 3] = INSIDE * 100
    Image.fromarray(pixels, "RGBA").save(tmp_path / "mask.png")
    assert torch.equal(read_mask(tmp_path / "mask.png"), torch.from_numpy(INSIDE > 0))


def test_what_cannot_be_read_is_told(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DataError, match="not a mask"):
        read_mask(tmp_path / "text.png")
    with pytest.raises(DataError, match="no such file"):
        read_mask(tmp_path / "nothing.png")
