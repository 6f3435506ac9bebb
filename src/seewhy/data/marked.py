"""The marked objects of a picture, from whichever file holds them."""

from collections.abc import Sequence
from pathlib import Path

from seewhy.data.coco import read_coco
from seewhy.data.truth import Truth
from seewhy.data.yolo import read_yolo
from seewhy.errors import DataError


def read_truth(
    path: str | Path, photo: str | Path, size: tuple[int, int], classes: Sequence[str] | None
) -> tuple[Truth, ...]:
    """Return the objects that are marked in a picture.

    Args:
        path: a `.json` file of COCO, a `.txt` file of YOLO, or a folder with a `.txt` file of the picture's name.
        photo: the picture.
        size: its (h, w).
        classes: names of the classes, by number, for YOLO.

    Raises:
        DataError: another kind of file, no such file, or no names for YOLO's numbers; see the readers for what else.
    """
    path = Path(path)
    if path.is_dir():
        path = path / f"{Path(photo).stem}.txt"
    if path.suffix.lower() == ".json":
        return read_coco(path, Path(photo).name, size)
    if path.suffix.lower() != ".txt":
        raise DataError(f"{path}: marked objects are read from COCO's .json, YOLO's .txt, or a folder of these")
    if classes is None:
        raise DataError(f"{path}: classes are numbers there, and have no names; give a text file with one a line")
    return read_yolo(path, classes, size)
