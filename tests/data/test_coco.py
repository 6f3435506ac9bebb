"""COCO's annotations: boxes, outlines and run lengths against pencil; what is wrong is told."""

import json

import pytest
import torch

from seewhy.data.coco import read_coco, run_lengths, unrolled
from seewhy.errors import DataError


def written(tmp_path, **changes):
    """Write a file with one picture of 8 x 6 pixels and one object."""
    annotation = {"id": 7, "image_id": 1, "category_id": 3, "bbox": [1, 2, 4, 3], "iscrowd": 0} | changes.pop(
        "annotation", {}
    )
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 8, "height": 6}],
        "categories": [{"id": 3, "name": "car"}],
        "annotations": [annotation, {"id": 8, "image_id": 2, "category_id": 3, "bbox": [0, 0, 1, 1]}],
    } | changes
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(content))
    return path


def encoded(mask):
    """Return a mask as run lengths in text: the format written a second time, the other way round."""
    flat, counts, value, run = mask.T.flatten().tolist(), [], False, 0
    for pixel in flat:
        if bool(pixel) == value:
            run += 1
        else:
            counts.append(run)
            value, run = not value, 1
    counts.append(run)
    text = ""
    for place, count in enumerate(counts):
        left = count - counts[place - 2] if place > 2 else count
        while True:
            bits, left = left & 31, left >> 5
            more = not ((left == 0 and not bits & 16) or (left == -1 and bits & 16))
            text += chr((bits | (32 if more else 0)) + 48)
            if not more:
                break
    return counts, text


def test_a_box_is_a_corner_and_a_size(tmp_path):
    (one,) = read_coco(written(tmp_path), "photos/a.jpg", (6, 8))
    assert (one.name, one.box, one.crowd, one.mask) == ("car", (1, 2, 5, 5), False, None)


def test_an_outline_fills_the_pixels_in_it(tmp_path):
    outline = [[1, 2, 5, 2, 5, 5, 1, 5]]
    (one,) = read_coco(written(tmp_path, annotation={"segmentation": outline}), "a.jpg", (6, 8))
    wanted = torch.zeros(6, 8, dtype=torch.bool)
    wanted[2:5, 1:5] = True
    assert torch.equal(one.mask, wanted)


def test_a_triangle_holds_half_of_its_box(tmp_path):
    path = written(
        tmp_path,
        images=[{"id": 1, "file_name": "a.jpg"}],
        annotation={"segmentation": [[10, 10, 90, 10, 10, 90]], "bbox": [10, 10, 80, 80]},
    )
    (one,) = read_coco(path, "a.jpg", (100, 100))
    assert int(one.mask.sum()) == pytest.approx(3200, rel=0.02)
    assert one.mask[20, 20] and not one.mask[80, 80]


def test_run_lengths_go_down_the_columns_as_numbers_and_as_text(tmp_path):
    draws = torch.Generator().manual_seed(0)
    for density in (0.02, 0.5, 0.98):
        mask = torch.rand(40, 70, generator=draws) < density
        mask[3:30, 5:60] = density > 0.3
        counts, text = encoded(mask)
        assert run_lengths(text) == counts
        assert torch.equal(unrolled(counts, (40, 70), "here"), mask)
        image = [{"id": 1, "file_name": "a.jpg", "width": 70, "height": 40}]
        for written_as in (counts, text):
            crowd = {"segmentation": {"size": [40, 70], "counts": written_as}, "iscrowd": 1}
            (one,) = read_coco(written(tmp_path, images=image, annotation=crowd), "a.jpg", (40, 70))
            assert one.crowd and torch.equal(one.mask, mask)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"annotation": {"category_id": 4}}, "category 4 is not among"),
        ({"annotation": {"bbox": [0.1, 0.2, 0.3, 0.2]}}, "in shares of the picture"),
        ({"annotation": {"bbox": [1, 2, 0, 3]}}, "has no area"),
        ({"annotation": {"bbox": [20, 2, 3, 3]}}, "outside of the picture, which is 8 x 6"),
        ({"annotation": {"bbox": [1, 2, 30, 3]}}, "reaches beyond the picture"),
        ({"annotation": {"bbox": "1 2 3 4"}}, "four numbers"),
        ({"annotation": {"segmentation": {"size": [9, 8], "counts": [72]}}}, "the mask has the size \\[9, 8\\]"),
        ({"annotation": {"segmentation": {"size": [6, 8], "counts": [7]}}}, "add up to 48"),
        ({"annotation": {"segmentation": {"size": [6, 8], "counts": "\x10"}}}, "no part of run lengths"),
        ({"annotation": {"segmentation": [[1, 2, 3]]}}, "three points"),
        ({"annotation": {"segmentation": "mask"}}, "outlines or run lengths"),
        ({"images": [{"id": 1, "file_name": "a.jpg", "width": 16, "height": 12}]}, "16 x 12 pixels there"),
        ({"images": [{"id": 1, "file_name": "b.jpg"}]}, "no picture 'a.jpg' among 1; nearest: 'b.jpg'"),
        ({"categories": 5}, "lists of images, annotations and categories"),
    ],
)
def test_what_is_wrong_is_told(tmp_path, changes, said):
    with pytest.raises(DataError, match=said):
        read_coco(written(tmp_path, **changes), "a.jpg", (6, 8))


def test_files_that_are_none_are_told(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_coco(tmp_path / "none.json", "a.jpg", (6, 8))
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(DataError, match="not JSON"):
        read_coco(tmp_path / "bad.json", "a.jpg", (6, 8))
