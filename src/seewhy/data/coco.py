"""Objects as COCO's JSON files write them: boxes, outlines, run lengths, crowds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from seewhy.data.truth import MOST_PIXELS, Truth, checked_box, filled, read_json
from seewhy.errors import DataError, nearest


def read_coco(path: str | Path, photo: str, size: tuple[int, int], *, masks: bool = True) -> tuple[Truth, ...]:
    """Return the objects of one picture from a file of annotations; boxes there are x, y, width, height in pixels.

    Args:
        path: JSON with "images", "annotations" and "categories".
        photo: file name of the picture, as the file states it, folders left out.
        size: (h, w) of the picture.
        masks: also make masks from "segmentation": outlines, or run lengths, as numbers or as text.

    Raises:
        DataError: not such a file, the picture is not in it or has another size, a category that is not listed, a box in the wrong unit or
            outside, a mask of another size.
    """
    path = Path(path)
    found = read_json(path)
    if not isinstance(found, Mapping) or not all(
        isinstance(found.get(key), list) for key in ("images", "annotations", "categories")
    ):
        raise DataError(f"{path}: annotations of COCO hold lists of images, annotations and categories")
    image = _image(found["images"], photo, path)
    stated = (image.get("height"), image.get("width"))
    if stated not in ((None, None), size):
        raise DataError(
            f"{path}: {photo} is {stated[1]} x {stated[0]} pixels there, and the picture has {size[1]} x {size[0]}; boxes would not lie right"
        )
    names = {one.get("id"): str(one.get("name")) for one in found["categories"] if isinstance(one, Mapping)}
    own = [one for one in found["annotations"] if isinstance(one, Mapping) and one.get("image_id") == image.get("id")]
    return tuple(
        _truth(one, names, size, f"{path}: annotation {one.get('id', number)}", masks) for number, one in enumerate(own)
    )


def _image(images: Sequence[Any], photo: str, path: Path) -> Mapping[str, Any]:
    known = [one for one in images if isinstance(one, Mapping) and isinstance(one.get("file_name"), str)]
    for one in known:
        if Path(one["file_name"]).name == Path(photo).name:
            return one
    near = nearest(Path(photo).name, [Path(one["file_name"]).name for one in known])
    raise DataError(
        f"{path}: no picture {Path(photo).name!r} among {len(known)}" + (f"; nearest: {near}" if near else "")
    )


def _truth(one: Mapping[str, Any], names: Mapping[Any, str], size: tuple[int, int], where: str, masks: bool) -> Truth:
    if one.get("category_id") not in names:
        raise DataError(
            f"{where}: category {one.get('category_id')!r} is not among the {len(names)} that the file lists"
        )
    box = one.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(type(value) in (int, float) for value in box):
        raise DataError(f"{where}: bbox is four numbers x, y, width, height; got {box!r}")
    x, y, width, height = map(float, box)
    segmentation = one.get("segmentation")
    return Truth(
        name=names[one["category_id"]],
        box=checked_box((x, y, x + width, y + height), size, where),
        crowd=bool(one.get("iscrowd", 0)),
        mask=_mask(segmentation, size, where) if masks and segmentation else None,
    )


def _mask(segmentation: Any, size: tuple[int, int], where: str) -> Bool[Tensor, "h w"]:
    if isinstance(segmentation, list):
        if not all(isinstance(one, list) for one in segmentation):
            raise DataError(f"{where}: segmentation is a list of outlines, each a list of numbers")
        return filled([[float(value) for value in one] for one in segmentation], size, where)
    if isinstance(segmentation, Mapping) and "counts" in segmentation:
        stated = segmentation.get("size")
        if not isinstance(stated, list) or tuple(stated) != size:
            raise DataError(f"{where}: the mask has the size {stated} (h, w), and the picture {list(size)}")
        counts = segmentation["counts"]
        return unrolled(run_lengths(counts, where) if isinstance(counts, str) else counts, size, where)
    raise DataError(f"{where}: segmentation is outlines or run lengths, got {type(segmentation).__name__}")


def run_lengths(text: str, where: str = "run lengths") -> list[int]:
    """Return run lengths that are written as text.

    Each number is written in groups of five bits, the lowest first, as the character 48 above their value; bit 32 says that more follow, bit 16 of the
    last that the number is negative. From the fourth on, a number is the difference from the last but one.
    """
    numbers: list[int] = []
    value, shift = 0, 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64:
            raise DataError(f"{where}: {letter!r} is no part of run lengths")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            if shift > 60:
                raise DataError(f"{where}: a run length is too long")
            continue
        value -= (1 << shift) if bits & 16 else 0
        numbers.append(value + (numbers[-2] if len(numbers) > 2 else 0))
        value, shift = 0, 0
    if shift:
        raise DataError(f"{where}: run lengths end in the middle of a number")
    return numbers


def unrolled(counts: Sequence[int], size: tuple[int, int], where: str) -> Bool[Tensor, "h w"]:
    """Return the mask of run lengths: columns one after the other, outside first."""
    whole = size[0] * size[1]
    right = isinstance(counts, list) and all(type(count) is int and count >= 0 for count in counts)
    if not right or sum(counts) != whole or whole > MOST_PIXELS:
        raise DataError(
            f"{where}: run lengths of a mask of {size[1]} x {size[0]} pixels add up to {whole}, these do not"
        )
    inside = np.arange(len(counts)) % 2 == 1
    return torch.from_numpy(np.repeat(inside, counts).reshape(size[1], size[0]).T.copy())
