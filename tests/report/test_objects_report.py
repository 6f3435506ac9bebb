"""The page, picture and numbers about objects: what stands on them, and that words from outside stay words."""

import json
import re

import numpy as np
import pytest
from PIL import Image

import seewhy
from detectors import KINDS, SquareDetector, squares
from seewhy.adapters.detections import NamedRows
from seewhy.core.explanation import Explanation
from seewhy.data.truth import Truth
from seewhy.errors import DataError


@pytest.fixture(scope="module")
def report():
    pixels = squares((8, 8, 0, 0.9), (28, 28, 1, 0.45))[0].movedim(0, 2)
    photo = Image.fromarray((pixels * 255).round().byte().numpy()).resize((192, 96))
    kinds = ("<b>red</b>", "green")
    model = seewhy.Model(
        SquareDetector().eval(),
        size=48,
        mean=0,
        std=1,
        labels=kinds,
        fit="squash",
        output=NamedRows(unit="pixel", score="sigmoid", overlap=0.1),
    )
    truths = (Truth(kinds[0], (32, 16, 64, 32)), Truth("green", (112, 56, 144, 72)))
    return seewhy.objects(
        photo, model, truths, method=seewhy.method("occlusion", window=4, stride=4), command="seewhy objects <x>"
    )


def test_the_page_names_each_object_and_escapes_what_it_is_given(report):
    page = report.page()
    assert "&lt;b&gt;red&lt;/b&gt;" in page and "<b>red" not in page
    assert "missed 0" in page and "seewhy objects &lt;x&gt;" in page
    assert "default-src 'none'" in page and not re.search(r'(src|href)="(?!data:)', page)
    inside = json.loads(re.search(r'id="numbers-json">(.*?)</script>', page, re.S)[1])
    assert inside == json.loads(json.dumps(report.numbers()))


def test_boxes_are_told_in_pixels_of_the_photo(report):
    first, second = report.numbers()["objects"]
    assert first["box"] == pytest.approx([32, 16, 64, 32], abs=0.5) and first["status"] == "right"
    assert second["box"] == [112, 56, 144, 72] and second["score"] is None
    for one in (first, second):
        assert sum(one["even map"].values()) == pytest.approx(1)


def test_one_scale_for_all_maps_of_a_kind(report):
    for missed in (False, True):
        own = [one for one in report.objects if (one.thing.status == "missed") is missed]
        assert report.limits[missed] == pytest.approx(
            max(report.maps[at].scale_end() for at, one in enumerate(report.objects) if one in own)
        )
    assert "over all maps of its kind" in report.numbers()["scale"]["ends at"]


def test_the_box_lies_where_it_is_drawn(report):
    from seewhy.report.objects_picture import all_boxes

    plain = np.asarray(report.photo.resize((760, 380), Image.Resampling.NEAREST), dtype=int)
    drawn = np.asarray(all_boxes(report, 900).resize((760, 380)), dtype=int)
    bright = (drawn.min(axis=2) > 200) & (plain.min(axis=2) < 120)
    scale = 760 / 192
    left, top, bottom = round(32 * scale), round(16 * scale), round(32 * scale)
    assert bright[top + 8 : bottom - 8, left - 3 : left + 4].any(axis=1).all()


def test_it_is_written_in_all_forms_and_read_back(report, tmp_path):
    for ending in ("html", "png", "json", "npz"):
        report.save(tmp_path / f"a.{ending}")
    with pytest.raises(DataError, match="--force"):
        report.save(tmp_path / "a.png")
    again = Explanation.load(tmp_path / "a.npz")
    assert np.array_equal(again.heatmap.numpy(), report.maps.heatmap.numpy())
    assert again.targets == ("<b>red</b>", "missed green")
    with Image.open(tmp_path / "a.png") as drawn:
        assert drawn.width > 500
    assert len(KINDS) == 2
