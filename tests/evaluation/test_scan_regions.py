"""Sizes in millimetres: a ball of known size and place is found in any orientation, as NIfTI and as DICOM series."""

import numpy as np
import pytest
import torch

from scans import CENTRE, ORIENTATIONS, RADIUS, BallNet, planted, write_nifti, write_series
from seewhy.api import Session
from seewhy.core.cost import Cost
from seewhy.core.explanation import Explanation
from seewhy.core.registry import make
from seewhy.core.sample import Geometry, Sample
from seewhy.core.volume import Placement, Turn, Volume
from seewhy.data.medical import read_scan
from seewhy.engine.model import Model
from seewhy.engine.volumes import prepare_volume
from seewhy.evaluation.scan_regions import scan_regions

MODEL = {"size": 32, "depth": 24, "mean": 0, "std": 1000, "labels": ["bright", "dark"]}
CELL = np.array([4.0, 3.0, 3.0])
"""Millimetres of a cell of the input, up, front to back and across: 96 mm each way."""


@pytest.fixture(scope="module")
def session():
    return Session(Model(BallNet().eval(), **MODEL))


def found(session, source):
    explanation = session.explain(
        source,
        "bright",
        "grad-cam",
    )
    return explanation, scan_regions(explanation)


def check(explanation, regions, unit="ml"):
    [region] = regions.rows
    sizes = np.array(region.extent)
    assert np.abs(np.array(region.centre) - CENTRE).max() < CELL.max()
    assert (np.abs(sizes - 2 * RADIUS) <= 1.01 * CELL).all(), sizes
    assert region.unit == unit
    assert region.mean > 700
    assert region.share > 0.5
    assert region.side == "right"
    volume = explanation.samples[0].volume
    there = volume.affine @ [*region.peak, 1]
    assert np.linalg.norm(there[:3] - CENTRE) < RADIUS


@pytest.mark.parametrize("orientation", [*ORIENTATIONS[::6], "LPS", "RAS"])
def test_a_ball_is_found_and_measured_in_a_nifti_file_of_any_orientation(tmp_path, session, orientation):
    pytest.importorskip("nibabel")
    check(*found(session, write_nifti(tmp_path / "scan.nii.gz", orientation)))


@pytest.mark.parametrize("orientation", ["SPL", "ASR"])
def test_a_ball_is_found_and_measured_in_a_shuffled_series(tmp_path, session, orientation):
    pytest.importorskip("pydicom")
    check(*found(session, write_series(tmp_path / "series", orientation=orientation)))


@pytest.mark.parametrize("orientation", ["RAS", "LIP"])
def test_the_network_is_given_the_orientation_that_it_states(tmp_path, orientation):
    pytest.importorskip("nibabel")
    model = Model(BallNet().eval(), **MODEL, orientation=orientation)
    check(*found(Session(model), write_nifti(tmp_path / "scan.nii", "PSR")))
    seen = prepare_volume(read_scan(tmp_path / "scan.nii").volume, model).inputs[0]
    where = np.array((seen > 0.5).nonzero().float().mean(dim=0)) / np.array(seen.shape) - 0.5
    for axis, letter in enumerate(orientation):
        row = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}[letter]
        sign = 1 if letter in "RAS" else -1
        assert where[axis] * 96 == pytest.approx(sign * CENTRE[row], abs=3)


def test_spacing_takes_the_middle_of_the_scan_and_nothing_is_said_of_the_rest(tmp_path):
    pytest.importorskip("nibabel")
    model = Model(BallNet().eval(), **MODEL, spacing=(3.0, 2.25, 2.25))  # 72 of 96 mm
    explanation, regions = found(Session(model), write_nifti(tmp_path / "scan.nii", "LPS"))
    check(explanation, regions)
    drawn = explanation.in_source().numpy()
    assert drawn.shape == explanation.samples[0].volume.shape
    along = np.isfinite(drawn).any(axis=(1, 2))
    assert along.sum() * 2.0 == pytest.approx(72, abs=2)


def flat(level=1.0, spacing=(1.0, 0.5, 0.25), **how):
    """Return an explanation of a picture that is a slice: a map of ones in a rectangle of 6 x 8 pixels."""
    scan = Volume(np.full((1, 20, 40), 7.0, np.float32), np.diag([*spacing, 1.0]), **how)
    heat = torch.zeros(1, 20, 40)
    heat[0, 4:10, 20:28] = level
    sample = Sample(torch.zeros(1, 20, 40), geometry=Geometry((20, 40), (0, 0, 20, 40), (20, 40)), volume=scan)
    return explained(heat, sample)


def explained(heat, sample):
    return Explanation(
        heat, torch.ones(1), make("grad-cam", layer="x"), ("a",), "logit", (sample,), Cost(1, 1), notes=((),)
    )


def test_an_area_of_a_slice_is_counted_by_hand():
    [region] = scan_regions(flat()).rows
    assert region.size == pytest.approx(6 * 8 * 0.5 * 0.25)
    assert (region.unit, region.extent) == ("mm²", (3.0, 2.0))
    assert region.voxel == (6, 24)  # the middle of 4..9 and 20..27, rounded to even
    assert (region.mean, region.share) == pytest.approx((7.0, 1.0))


def test_without_spacing_sizes_are_pixels_and_without_orientation_no_side_is_named():
    [region] = scan_regions(flat(measured=False, oriented=False)).rows
    assert (region.size, region.unit, region.extent) == (48.0, "pixels", (6.0, 8.0))
    assert (region.side, region.centre) == ("", None)


def test_a_volume_is_counted_by_hand_and_regions_are_in_order_of_their_evidence():
    scan = Volume(np.zeros((10, 10, 10), np.float32), np.diag([2.0, 3.0, 4.0, 1.0]))
    heat = torch.zeros(1, 10, 10, 10)
    heat[0, 0:2, 0:2, 0:2] = 0.9  # 8 voxels
    heat[0, 6:9, 6:9, 6:9] = 1.0  # 27 voxels
    heat[0, 5, 0, 0] = 0.4  # under half of the maximum
    whole = tuple((0.0, 10.0) for _ in range(3))
    made = explained(
        heat,
        Sample(torch.zeros(1, 10, 10, 10), volume=scan, placement=Placement((10, 10, 10), Turn(), whole, (10, 10, 10))),
    )
    regions = scan_regions(made)
    assert [region.size for region in regions.rows] == pytest.approx([27 * 24 / 1000, 8 * 24 / 1000])
    assert regions.rows[0].share == pytest.approx(27 / (27 + 7.2 + 0.4))
    assert regions.rows[0].extent == (12.0, 9.0, 6.0)  # up, front to back, across: the axes of RAS the other way round
    assert regions.rows[0].centre == pytest.approx((14, 21, 28))
    assert int(regions.area.sum()) == 35
    assert [region.side for region in regions.rows] == ["right", "left"]


def test_nothing_is_found_where_nothing_speaks_for_the_answer():
    regions = scan_regions(flat(-1.0))
    assert regions.rows == ()
    assert not regions.area.any()


def test_ball_of_the_planted_scan_has_the_volume_of_a_ball():
    values, affine = planted("PIR")
    voxel = abs(np.linalg.det(affine[:3, :3]))
    assert (values > 500).sum() * voxel == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.02)
