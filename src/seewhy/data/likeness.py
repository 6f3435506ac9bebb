"""Is a picture nearly the same as an earlier one: saved again, at another size, a little brighter?"""

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image

SIGNATURE_BYTES = 32
"""Bytes that are kept of each picture."""

_CELLS = 8
_STEEP = 0.25
_FLAT = 0.5
_BITS = 28
MOST_APART = 0.15
"""Two pictures are nearly the same where at most this share of the clear differences in either of them is in one alone."""
MOST_COLOUR = 8
"""So many of 256 levels may their mean red, green and blue, and their contrast, differ."""


def signature(picture: Image.Image) -> bytes:
    """Return what is kept of a picture to know it again.

    The picture is averaged over 8 x 8 cells. For each of the 112 pairs of neighbours two bits tell whether the second is clearly lighter
    or clearly darker, where clear is a quarter of the spread of all 112 differences: noise in a flat part flips no bit. Four bytes more hold
    the mean colour and that spread. Mirrored, turned and cropped pictures are other pictures.
    """
    colours = np.asarray(picture.convert("RGB").resize((_CELLS, _CELLS), Image.Resampling.BOX), float)
    light = colours @ (0.299, 0.587, 0.114)
    steps = np.concatenate([np.diff(light, axis=1).ravel(), np.diff(light, axis=0).ravel()])
    spread = float(np.sqrt((steps**2).mean()))
    clear = max(_STEEP * spread, _FLAT)
    bits = np.packbits(np.concatenate([steps > clear, steps < -clear]))
    coarse = np.array([*colours.mean(axis=(0, 1)), min(255.0, 4 * spread)]).round().astype(np.uint8)
    return bits.tobytes() + coarse.tobytes()


class Likeness:
    """The signatures of the pictures so far; 32 bytes each.

    A signature may also be any 32 bytes that tell one content from another: then only what is the same is the same.
    """

    def __init__(self, known: UInt8[np.ndarray, "n 32"] | None = None) -> None:
        self._known = np.zeros((256, SIGNATURE_BYTES), np.uint8) if known is None else known.copy()
        self._count = 0 if known is None else len(known)

    @property
    def known(self) -> UInt8[np.ndarray, "n 32"]:
        """The signatures so far, in order."""
        return self._known[: self._count]

    def find(self, mark: bytes) -> int | None:
        """Return the number of the first picture that is nearly the same; None where there is none."""
        wanted = np.frombuffer(mark, np.uint8)
        apart = np.abs(self.known[:, _BITS:].astype(np.int16) - wanted[_BITS:].astype(np.int16)).max(axis=1, initial=0)
        close = np.flatnonzero(apart <= MOST_COLOUR)
        alike = close[_apart(self.known[close, :_BITS], wanted[:_BITS]) <= MOST_APART]
        return int(alike[0]) if len(alike) else None

    def add(self, mark: bytes) -> None:
        """Remember a picture."""
        if self._count == len(self._known):
            more = np.zeros((max(256, self._count), SIGNATURE_BYTES), np.uint8)
            self._known = np.concatenate([self._known, more])
        self._known[self._count] = np.frombuffer(mark, np.uint8)
        self._count += 1


def _apart(known: UInt8[np.ndarray, "n 28"], wanted: UInt8[np.ndarray, " 28"]) -> Float[np.ndarray, " n"]:
    """Return the bits that are set in one of two signatures alone, as a share of those that are set in either, counted twice where in both."""
    alone, both = _bits(known ^ wanted), _bits(known) + _bits(wanted[None])
    shares: np.ndarray = alone / np.maximum(both, 1)
    return shares


def _bits(packed: UInt8[np.ndarray, "n 28"]) -> Int[np.ndarray, " n"]:
    counts: np.ndarray = np.bitwise_count(packed).sum(axis=1, dtype=np.int64)
    return counts
