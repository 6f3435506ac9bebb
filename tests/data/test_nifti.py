"""NIfTI files: nibabel's own test files, all orientations, and what can be wrong."""

import gzip
import io
from pathlib import Path

import numpy as np
import pytest

from scans import CENTRE, ORIENTATIONS, planted, write_nifti
from seewhy.data.medical import is_scan, read_scan
from seewhy.data.nifti import nifti_bytes, read_nifti
from seewhy.errors import DataError

nibabel = pytest.importorskip("nibabel")
FILES = Path(nibabel.__file__).parent / "tests" / "data"


@pytest.mark.parametrize("orientation", ORIENTATIONS[::3])
def test_the_ball_is_where_it_is_whatever_the_orientation_of_the_file(tmp_path, orientation):
    scan = read_nifti(write_nifti(tmp_path / "scan.nii.gz", orientation))
    assert scan.volume.directions == orientation
    shown = scan.shown
    inside = np.argwhere(shown.values > 500)
    assert (shown.affine @ np.append(inside.mean(axis=0), 1))[:3] == pytest.approx(CENTRE, abs=0.6)


def test_values_and_affine_are_nibabels():
    theirs, mine = nibabel.load(FILES / "anatomical.nii"), read_nifti(FILES / "anatomical.nii").volume
    assert np.array_equal(mine.values, theirs.get_fdata(dtype=np.float32))
    assert np.array_equal(mine.affine, theirs.affine)
    assert mine.directions == "".join(nibabel.aff2axcodes(theirs.affine))


def test_slope_and_intercept_are_applied():
    theirs = nibabel.load(FILES / "functional.nii")
    assert np.isfinite(theirs.dataobj.slope) and theirs.dataobj.slope != 1
    mine = read_nifti(FILES / "functional.nii", 3).volume.values
    assert mine == pytest.approx(theirs.get_fdata()[..., 3], rel=1e-6)


def test_one_of_several_volumes_is_chosen(tmp_path):
    theirs = nibabel.load(FILES / "example4d.nii.gz").get_fdata(dtype=np.float32)
    assert np.array_equal(read_scan(FILES / "example4d.nii.gz", 1).volume.values, theirs[..., 1])
    with pytest.raises(DataError, match=r"holds 2 volumes.*--time 0 to 1"):
        read_scan(FILES / "example4d.nii.gz")
    with pytest.raises(DataError, match="no number 2"):
        read_scan(FILES / "example4d.nii.gz", 2)


def test_nifti_2_is_read_too():
    assert read_scan(FILES / "example_nifti2.nii.gz", 0).volume.shape == (32, 20, 12)


def test_what_is_no_number_is_told_and_replaced(tmp_path):
    values, affine = planted("RAS")
    values[:2] = np.nan
    nibabel.save(nibabel.Nifti1Image(values, affine), tmp_path / "a.nii")
    scan = read_nifti(tmp_path / "a.nii")
    assert np.isfinite(scan.volume.values).all()
    assert scan.volume.values[0, 0, 0] == np.nanmin(values)
    assert f"{200 / len(values):.2g} %" in scan.notes[0]
    nibabel.save(nibabel.Nifti1Image(np.full_like(values, np.inf), affine), tmp_path / "b.nii")
    with pytest.raises(DataError, match="no voxel is a finite number"):
        read_nifti(tmp_path / "b.nii")


def test_a_file_without_a_place_is_not_oriented(tmp_path):
    image = nibabel.Nifti1Image(np.ones((4, 5, 6), np.float32), None)
    image.header.set_zooms((1, 2, 3))
    path = tmp_path / "a.nii"
    nibabel.save(image, path)
    found = read_nifti(path).volume
    assert not found.oriented
    assert found.spacing == (1, 2, 3)


def with_header(tmp_path, **fields):
    """Write a file whose header says what it should not."""
    image = nibabel.Nifti1Image(np.ones((4, 5, 6), np.float32), np.eye(4))
    raw = bytearray(image.to_bytes())
    header = nibabel.Nifti1Header.from_fileobj(io.BytesIO(bytes(raw)), check=False)
    for name, value in fields.items():
        header[name] = value
    raw[:348] = header.binaryblock
    (tmp_path / "a.nii").write_bytes(bytes(raw))
    return tmp_path / "a.nii"


def test_what_is_wrong_with_a_file_is_said(tmp_path):
    gigantic = with_header(tmp_path, dim=[3, 32000, 32000, 32000, 1, 1, 1, 1])
    with pytest.raises(DataError, match="claims 32000 x 32000 x 32000"):
        read_nifti(gigantic)
    flat = with_header(tmp_path, srow_x=[0, 0, 0, 0], srow_y=[0, 0, 0, 0], srow_z=[0, 0, 0, 0], sform_code=1)
    with pytest.raises(DataError, match="spacing"):
        read_nifti(flat)
    (tmp_path / "empty.nii").touch()
    with pytest.raises(DataError, match="is empty"):
        read_nifti(tmp_path / "empty.nii")
    (tmp_path / "text.nii.gz").write_text("not a scan at all, but quite some words that fill the header of one" * 20)
    with pytest.raises(DataError, match="not a NIfTI file"):
        read_nifti(tmp_path / "text.nii.gz")
    with pytest.raises(DataError, match="no such file"):
        read_nifti(tmp_path / "gone.nii")
    whole = write_nifti(tmp_path / "whole.nii.gz").read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cut short"):
        read_nifti(tmp_path / "cut.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.ones((2, 3, 4, 1, 5), np.float32), np.eye(4)), tmp_path / "five.nii")
    with pytest.raises(DataError, match="three axes"):
        read_nifti(tmp_path / "five.nii")
    nibabel.save(nibabel.Nifti1Image(np.ones((2, 3, 4), np.complex64), np.eye(4)), tmp_path / "complex.nii")
    with pytest.raises(DataError, match="complex"):
        read_nifti(tmp_path / "complex.nii")


def test_a_map_is_written_voxel_for_voxel_and_twice_the_same(tmp_path):
    values, affine = planted("PIR")
    made = nifti_bytes(values, affine, words="a map")
    assert made == nifti_bytes(values, affine, words="a map")
    (tmp_path / "map.nii.gz").write_bytes(made)
    back = nibabel.load(tmp_path / "map.nii.gz")
    assert np.array_equal(back.get_fdata(dtype=np.float32), values)
    assert back.affine == pytest.approx(affine, abs=1e-5)
    assert gzip.decompress(made)[:4] == (348).to_bytes(4, "little")


def test_scans_are_known_by_their_endings(tmp_path):
    assert is_scan(tmp_path / "a.NII.GZ")
    assert not is_scan(tmp_path / "a.gz")
