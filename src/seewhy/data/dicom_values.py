"""From stored pixels to values with a unit, and to the picture that a viewer shows."""

from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Float
from PIL import Image

from seewhy.core.volume import Shape, Window
from seewhy.data.dicom_file import Header, library
from seewhy.errors import DataError

GREY = ("MONOCHROME1", "MONOCHROME2")


def is_grey(found: Header) -> bool:
    """Say whether a file holds one value at each pixel."""
    return str(found.get("PhotometricInterpretation", "MONOCHROME2")) in GREY


def group(found: Header, frame: int, name: str) -> Header:
    """Return a functional group of one frame of an enhanced file: its own, or the one all frames share; None where there is none."""
    for groups, at in (
        (found.get("PerFrameFunctionalGroupsSequence"), frame),
        (found.get("SharedFunctionalGroupsSequence"), 0),
    ):
        if groups and at < len(groups) and groups[at].get(name):
            return groups[at].get(name)[0]
    return None


def values(found: Header, stored: np.ndarray) -> Float[np.ndarray, "t h w"]:
    """Return what the pixels of a grey file mean: its modality's table or slope and intercept applied, padding taken for the least value."""
    frames = stored.reshape(-1, *stored.shape[-2:])
    padded = _padding(found, frames)
    if group(found, 0, "PixelValueTransformationSequence") is not None:
        meant = np.stack([_rescaled(found, frame, number) for number, frame in enumerate(frames)])
    else:
        meant = np.asarray(library().pixels.processing.apply_modality_lut(frames, found), dtype=np.float32)
    if found.get("DoseGridScaling"):
        meant = meant * np.float32(found.DoseGridScaling)
    if padded is not None and padded.any() and not padded.all():
        meant = np.where(padded, meant[~padded].min(), meant).astype(np.float32)
    return meant


def _rescaled(found: Header, frame: np.ndarray, number: int) -> Float[np.ndarray, "h w"]:
    said = group(found, number, "PixelValueTransformationSequence")
    return frame.astype(np.float32) * float(said.RescaleSlope) + float(said.RescaleIntercept)


def _padding(found: Header, stored: np.ndarray) -> np.ndarray | None:
    """Mark pixels that stand for nothing; None where the file names no such value."""
    low = found.get("PixelPaddingValue")
    if not isinstance(low, int):
        return None
    high = found.get("PixelPaddingRangeLimit")
    low, high = sorted((low, high if isinstance(high, int) else low))
    return cast("np.ndarray", (stored >= low) & (stored <= high))


def windows(found: Header, path: Path) -> tuple[Window, ...]:
    """Return the windows that a file names, the one that it prefers first; none where it names none.

    Raises:
        DataError: a window without a width.
    """
    said = group(found, 0, "FrameVOILUTSequence") or found
    centers, widths = _several(said.get("WindowCenter")), _several(said.get("WindowWidth"))
    names = _several(said.get("WindowCenterWidthExplanation"))
    shape = str(said.get("VOILUTFunction") or "LINEAR").lower()
    if shape not in ("linear", "linear_exact", "sigmoid"):
        raise DataError(f"{path}: its window is of kind {shape}, which DICOM does not know")
    try:
        pairs = [(float(center), float(width)) for center, width in zip(centers, widths, strict=False)]
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: its window is no number ({error})") from error
    least = 1.0 if shape == "linear" else 1e-9
    return tuple(
        Window(center, width, cast("Shape", shape), str(names[at]) if at < len(names) else "")
        for at, (center, width) in enumerate(pairs)
        if np.isfinite([center, width]).all() and width >= least
    )


def unit_of(found: Header) -> str:
    """Return the unit of a file's values: "HU" for CT, the one that it names, or empty."""
    said = group(found, 0, "PixelValueTransformationSequence") or found
    kind = str(said.get("RescaleType") or "")
    if kind in ("HU", "US", "") and found.get("Modality") == "CT":
        return "HU"
    dose = {"GY": "Gy"}.get(str(found.get("DoseUnits") or ""), "")
    return ("" if kind == "US" else kind) or dose or str(found.get("Units") or "")


def grey_picture(found: Header, meant: Float[np.ndarray, "h w"], shown: Window) -> Image.Image:
    """Return a grey picture as a viewer shows it: through its VOI table where it has one, or else its window; MONOCHROME1 inverted."""
    grey = _looked_up(found, meant) if found.get("VOILUTSequence") else shown.shown(meant)
    if found.get("PhotometricInterpretation") == "MONOCHROME1":
        grey = 1 - grey
    return Image.fromarray((np.clip(grey, 0, 1) * 255).round().astype(np.uint8)).convert("RGB")


def _looked_up(found: Header, meant: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Return values through the first VOI table of a file, from 0 to 1 (PS3.3, C.11.2.1.1).

    pydicom's own look-up keeps the place in the table in as many bits as its entries have, and goes round where a value lies beyond.
    """
    item = found.VOILUTSequence[0]
    count, first, bits = (int(number) for number in item.LUTDescriptor)
    entries = item.LUTData
    if isinstance(entries, bytes):
        order = "<" if found.original_encoding[1] is not False else ">"
        entries = np.frombuffer(entries, np.uint8 if len(entries) == count else f"{order}u2")
    table = np.asarray(entries, dtype=np.float64)
    if not len(table):
        raise DataError("the VOI table of the file has no entries")
    place = np.clip(np.rint(meant).astype(np.int64) - first, 0, min(count or 2**16, len(table)) - 1)
    shown: Float[np.ndarray, "h w"] = table[place] / (2.0**bits - 1)
    return shown


def colours(found: Header, stored: np.ndarray, path: Path) -> np.ndarray:
    """Return the frames (t, h, w, 3) of a file in colour, 8 bits."""
    if found.get("PhotometricInterpretation") == "PALETTE COLOR":
        stored = library().pixels.processing.apply_color_lut(stored, found)
    if stored.ndim < 3 or stored.shape[-1] not in (3, 4):
        raise DataError(
            f"{path}: colours as {found.get('PhotometricInterpretation')} of shape {stored.shape} are not read"
        )
    frames = stored.reshape(-1, *stored.shape[-3:])[..., :3]
    deep = 8 * frames.dtype.itemsize
    return frames if deep == 8 else (frames >> (deep - 8)).astype(np.uint8)


def _several(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return list(value) if hasattr(value, "__iter__") and not isinstance(value, str) else [value]
