"""How stored frames of a video are turned to be upright."""

from typing import Any

import numpy as np
from jaxtyping import UInt8

Matrix = tuple[int, int, int, int]
"""Signs (a, b, c, d) by which a stored pixel (x, y) comes to (a x + c y, b x + d y)."""

_ROTATIONS: dict[Matrix, int] = {(0, -1, 1, 0): 90, (-1, 0, 0, -1): 180, (0, 1, -1, 0): 270}


def matrix_of(frame: Any) -> Matrix | None:
    """Return how a decoded frame is to be turned, from its display matrix.

    None where it is upright, or the matrix is none of quarter turns and mirrors.
    """
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            values = np.frombuffer(data, dtype=np.int32)
            a, b, c, d = (int(np.sign(value)) if abs(int(value)) > 1 << 14 else 0 for value in values[[0, 1, 3, 4]])
            straight = (a and d and not b and not c) or (b and c and not a and not d)
            return (a, b, c, d) if straight and (a, b, c, d) != (1, 0, 0, 1) else None
    return None


def rotation_of(matrix: Matrix | None) -> int:
    """Return by how many degrees counterclockwise stored frames are turned; 0 where they are also mirrored, or upright."""
    return 0 if matrix is None else _ROTATIONS.get(matrix, 0)


def turned(pixels: UInt8[np.ndarray, "h w 3"], matrix: Matrix | None) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Return stored pixels upright; see `matrix_of`."""
    if matrix is None:
        return pixels
    a, b, c, d = matrix
    if not a:
        pixels, a, d = pixels.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(pixels[:: d or 1, :: a or 1])
