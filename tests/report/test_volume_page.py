"""A scan's page and picture: sides where a radiologist expects them, mosaics that hold what they should, a bounded size."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

import seewhy
from scans import BallNet, planted
from seewhy.core.volume import Volume, Window
from seewhy.engine.volumes import prepare_volume
from seewhy.render.planes import SIDES, Stack, crosshair, plane, three_planes
from seewhy.report.examine import Examination, ask
from seewhy.report.volume_examine import examine_volume
from seewhy.report.volume_numbers import volume_numbers
from seewhy.report.volume_page import LARGEST, presets, volume_page
from seewhy.report.volume_picture import volume_picture
from seewhy.report.volume_stack import cubes
from seewhy.targets import ClassScore


def reported(volume, labels=("bright", "dark"), method="grad-cam", **model):
    stated = seewhy.Model(BallNet().eval(), size=16, depth=16, mean=0, std=1000, labels=list(labels), **model)
    session = seewhy.Session(stated)
    asked = ask(session, prepare_volume(volume, stated), ClassScore(0), seewhy.method(method), Examination(channels=0))
    return examine_volume(asked, "seewhy explain scan.nii")


@pytest.fixture(scope="module")
def report():
    return reported(Volume(*planted("AIR"), name="scan.nii", kind="CT", unit="HU"))


def picture_in(page, name):
    [found] = re.findall(rf'id="{name}" alt="" src="data:image/webp;base64,([^"]+)"', page)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(found))).convert("L")).astype(float)


def unpacked(mosaic, size):
    depth, height, width = size
    columns = int(np.ceil(np.sqrt(depth * height / width)))
    slices = [mosaic[(at // columns) * height :][:height, (at % columns) * width :][:, :width] for at in range(depth)]
    return np.stack(slices)


def about(page):
    return json.loads(re.findall(r'id="stack">(.*?)</script>', page)[0])


def test_the_patients_sides_are_where_the_letters_say():
    values = np.zeros((6, 8, 10))  # up, to the back, to the left
    values[4, 1, 9] = 1  # high, in front, far left
    for name, row, column in (("axial", 1, 9), ("coronal", 1, 9), ("sagittal", 1, 1)):
        cut = plane(values, name, (4, 1, 9))
        assert np.argwhere(cut == 1).tolist() == [[row, column]]
        assert crosshair(name, (4, 1, 9), 6) == (row, column)
        left, right, above, _ = SIDES[name]
        assert {"axial": "RLA", "coronal": "RLS", "sagittal": "APS"}[name] == left + right + above


def test_cubes_have_equal_sides_and_keep_the_scans_proportions():
    scan = Volume(np.zeros((10, 40, 20), np.float32), np.diag([5.0, 1.0, 2.0, 1.0]))
    step, size = cubes(scan, 25)
    assert step == 2.0
    assert size == (25, 20, 20)
    assert cubes(scan, 1000)[0] == 1.0  # never finer than the finest voxel


def test_the_pages_mosaics_hold_scan_map_and_regions(report):
    page = volume_page(report)
    said = about(page)
    stack = report.cubes.at_most(max(said["size"])).stack
    assert tuple(said["size"]) == stack.grey.shape
    shown = unpacked(picture_in(page, "scan-0"), said["size"])
    assert np.abs(shown - 255 * stack.grey).mean() < 6
    coarse = report.cubes.at_most(max(said["heat"])).stack
    heat = unpacked(picture_in(page, "heat-mosaic"), said["heat"])
    assert heat == pytest.approx(np.rint(255 * np.clip(coarse.heat / report.limit, 0, 1)), abs=1)
    area = unpacked(picture_in(page, "area-mosaic"), said["size"]) > 127
    assert (area != stack.area).mean() < 0.01
    assert tuple(said["at"]) == stack.peak
    assert [stack.heat[tuple(place)] > 0.9 * np.nanmax(stack.heat) for place in said["peaks"]] == [True]


def test_signed_maps_have_zero_in_the_middle_of_their_codes():
    report = reported(Volume(*planted("SPL"), name="scan"), method="input-x-gradient")
    page = volume_page(report)
    said = about(page)
    heat = unpacked(picture_in(page, "heat-mosaic"), said["heat"])
    assert np.median(heat) == pytest.approx(128, abs=1)
    assert said["colours"][128][3] == 0


def test_what_the_network_did_not_see_is_a_box_of_shares():
    report = reported(Volume(*planted("SPL"), name="scan"), spacing=(3.0, 4.5, 6.0))  # 48, 72 and 96 of 96 mm
    seen = about(volume_page(report))["seen"]
    assert seen[0] == pytest.approx([0.25, 0.75], abs=0.03)
    assert seen[1] == pytest.approx([0.125, 0.875], abs=0.03)
    assert seen[2] == pytest.approx([0, 1])


def test_millimetres_at_the_sliders_are_those_of_the_scan(report):
    ends = about(volume_page(report))["ends"]
    for (first, last), half in zip(
        ends, (46.0, 46.8, 47.0), strict=True
    ):  # 96 mm, to the centres of the outermost voxels
        assert first == pytest.approx(-half, abs=1.2)
        assert last == pytest.approx(half, abs=1.2)


def test_names_from_outside_are_text():
    report = reported(Volume(*planted("SPL"), name="<img src=x>.nii"), labels=("<script>alert(1)</script>", "b"))
    page = volume_page(report)
    assert "<script>alert" not in page
    assert "<img src=x>" not in page
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=\"https?:", page)


def test_windows_on_offer():
    ct = Volume(*planted("SPL"), unit="HU", window=Window(40, 400))
    assert [window.name for window in presets(ct)] == ["as the file says", "lung", "bone", "brain", "all values"]
    mr = Volume(*planted("SPL"))
    assert [window.name for window in presets(mr)] == ["own range", "all values"]


def test_numbers_are_plain_and_in_the_order_of_the_file(report):
    found = json.loads(json.dumps(volume_numbers(report), allow_nan=False))
    assert found["scan"]["directions"] == "AIR"
    assert found["scan"]["shape"] == [40, 24, 48]
    assert found["scan"]["spacing_mm"] == pytest.approx([2.4, 4.0, 2.0])
    assert found["regions"][0]["side"] == "right"
    assert found["hide_test"]["outcome"] in ("passes", "unclear", "fails")


def test_the_picture_shows_three_planes_twice(report):
    picture = volume_picture(report)
    assert picture.width > 900
    pixels = np.asarray(picture).astype(int)
    warm = (pixels[..., 0] - pixels[..., 2] > 60).any(axis=1)  # colours of the map; the lines of the planes are blue
    assert warm[picture.height // 2 : picture.height * 3 // 4].any()
    assert not warm[: picture.height * 2 // 5].any()


def test_a_map_without_evidence_is_drawn_grey():
    stack = Stack(np.full((4, 5, 6), 0.5), np.zeros((4, 5, 6)), np.zeros((4, 5, 6), bool), 1.0, named=False)
    drawn = three_planes(stack, signed=False, limit=0.0, title="a", unit="", normalization="")
    assert drawn.height > 100


@pytest.mark.slow
def test_a_page_of_a_large_and_noisy_scan_stays_under_three_megabytes():
    values = np.random.default_rng(0).normal(0, 300, (120, 256, 256)).astype(np.float32)
    values[60:70, 100:120, 100:120] = 3000
    report = reported(Volume(values, np.diag([2.0, 1.0, 1.0, 1.0]), unit="HU", name="noise"))
    assert len(volume_page(report).encode()) < LARGEST
