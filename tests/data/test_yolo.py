"""YOLO's text files: boxes and outlines against pencil; what is wrong is told."""

import os
from pathlib import Path

import pytest
import torch
from PIL import Image

from seewhy.data.marked import read_truth
from seewhy.data.yolo import read_classes, read_yolo
from seewhy.errors import DataError

NAMES = ("person", "car")


def written(tmp_path, text):
    path = tmp_path / "a.txt"
    path.write_text(text)
    return path


def test_a_box_is_a_centre_and_a_size_in_shares(tmp_path):
    (one,) = read_yolo(written(tmp_path, "1 0.5 0.5 0.25 0.5\n"), NAMES, (40, 80))
    assert one.name == "car" and one.box == (30, 10, 50, 30) and one.mask is None


def test_an_outline_gives_its_box_and_its_pixels(tmp_path):
    (one,) = read_yolo(written(tmp_path, "0 0.25 0.25 0.75 0.25 0.75 0.5 0.25 0.5"), NAMES, (40, 80))
    assert one.box == (20, 10, 60, 20)
    wanted = torch.zeros(40, 80, dtype=torch.bool)
    wanted[10:20, 20:60] = True
    assert torch.equal(one.mask, wanted)


def test_an_empty_file_is_a_picture_without_objects(tmp_path):
    assert read_yolo(written(tmp_path, "\n"), NAMES, (40, 80)) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2 0.5 0.5 0.1 0.1", "class 2, and there are 2 names"),
        ("car 0.5 0.5 0.1 0.1", "the number of a class, got 'car'"),
        ("0 50 60 10 10", "60 is no share of the picture.*pixels"),
        ("0 0.5 0.5 0.1 0.1 0.9", "a prediction with its confidence"),
        ("0 0.5 0.5 0.1", "four numbers"),
        ("0 0.5 0.5 0.1 0.1 0.2 0.2 0.3", "even number"),
        ("0 0.5 0.5 0 0.1", "has no area"),
        ("0 0.5 x 0.1 0.1", "could not convert"),
        ("0 nan 0.5 0.1 0.1", "nan is no share"),
    ],
)
def test_a_line_that_is_wrong_is_told_with_its_number(tmp_path, text, said):
    with pytest.raises(DataError, match=rf"line 2.*{said}"):
        read_yolo(written(tmp_path, f"0 0.5 0.5 0.1 0.1\n{text}"), NAMES, (40, 80))


def test_names_with_and_without_numbers(tmp_path):
    assert read_classes(written(tmp_path, "person\ncar\n")) == NAMES
    assert read_classes(written(tmp_path, "1: car\n0: person\n")) == NAMES
    with pytest.raises(DataError, match="without a gap"):
        read_classes(written(tmp_path, "0: person\n2: car\n"))


def test_which_reader_follows_from_the_file(tmp_path):
    written(tmp_path, "1 0.5 0.5 0.25 0.5\n")
    assert read_truth(tmp_path, "photos/a.jpg", (40, 80), NAMES)[0].name == "car"
    with pytest.raises(DataError, match="have no names"):
        read_truth(tmp_path / "a.txt", "a.jpg", (40, 80), None)
    with pytest.raises(DataError, match="no such file"):
        read_truth(tmp_path, "b.jpg", (40, 80), NAMES)
    with pytest.raises(DataError, match=r"COCO's .json"):
        read_truth(tmp_path / "a.xml", "a.jpg", (40, 80), NAMES)


@pytest.mark.skipif("SEEWHY_DATA" not in os.environ, reason="SEEWHY_DATA is not set")
def test_all_boxes_and_outlines_of_real_files_are_read():
    folder = Path(os.environ["SEEWHY_DATA"]) / "coco128"
    names = read_classes(folder / "box_classes.txt")
    assert len(names) == 80 and names[9] == "traffic light"
    boxes = lines = 0
    for picture in sorted((folder / "images").glob("*.jpg")):
        path = folder / "boxes" / f"{picture.stem}.txt"
        if not path.exists():
            continue  # two pictures have no objects, and no file
        with Image.open(picture) as photo:
            size = (photo.height, photo.width)
        boxes += len(read_truth(path, f"{path.stem}.jpg", size, names))
        lines += len(path.read_text().splitlines())
    assert boxes == lines > 700
