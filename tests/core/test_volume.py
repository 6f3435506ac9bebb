"""Volumes: turns that are exact, maps that come back to the voxels they are about, windows as DICOM defines them."""

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from scans import ORIENTATIONS, affine_of
from seewhy.core.sample import Sample
from seewhy.core.volume import Placement, Turn, Volume, Window, turn
from seewhy.errors import ConfigError, DataError
from seewhy.ops.filters import resize
from seewhy.ops.resampling import axis_weights, resampled

SHAPE = (3, 4, 5)


def volume(orientation="SPL", shape=SHAPE, spacing=(3.0, 2.0, 1.5)):
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    return Volume(values, affine_of(orientation, shape, spacing))


def place_of(scan, value):
    """Where the voxel with one value lies, in millimetres."""
    [where] = np.argwhere(scan.values == value)
    return scan.affine[:3, :3] @ where + scan.affine[:3, 3]


@pytest.mark.parametrize("wanted", ORIENTATIONS)
def test_a_turned_volume_has_every_voxel_where_it_was(wanted):
    scan = volume("PIR")
    turned = scan.turned(wanted)
    assert turned.directions == wanted
    for value in (0, 7, 31, 59):
        assert place_of(turned, value) == pytest.approx(place_of(scan, value))


@pytest.mark.parametrize("found", ORIENTATIONS[::5])
@pytest.mark.parametrize("wanted", ORIENTATIONS[::7])
def test_a_turn_is_undone_exactly(found, wanted):
    values = volume().values
    how = turn(found, wanted)
    assert torch.equal(how.undo(torch.from_numpy(how.apply(values).copy())), torch.from_numpy(values))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_map_of_as_many_cells_as_voxels_is_the_map_of_the_voxels(orientation):
    scan = volume(orientation)
    how = scan.turn("SPL")
    shape = tuple(scan.shape[axis] for axis in how.axes)
    placed = Placement(scan.shape, how, tuple((0.0, float(cells)) for cells in shape), shape)
    seen = placed.taken(scan.values)
    assert torch.equal(placed.to_source(seen), torch.from_numpy(scan.values))


def test_a_map_comes_back_linearly_between_cells_and_is_nan_outside():
    # an independent interpolator: scipy's, at the same places, computed from edges
    how, window, size = turn("PIR", "SPL"), ((-1.0, 3.5), (0.5, 4.0), (1.0, 7.0)), (4, 5, 6)
    scan = volume("PIR", (4, 4, 6))
    placed = Placement(scan.shape, how, window, size)
    heat = torch.rand(size, generator=torch.Generator().manual_seed(0))
    drawn = placed.to_source(heat)
    turned = how.apply(drawn.numpy())
    centres = [
        (np.arange(cells) + 0.5 - low) / (high - low) * count - 0.5
        for cells, (low, high), count in zip(placed.turned, window, size, strict=True)
    ]
    wanted = map_coordinates(heat.numpy(), np.meshgrid(*centres, indexing="ij"), order=1, mode="nearest")
    inside = [
        (np.arange(cells) + 0.5 >= low) & (np.arange(cells) + 0.5 <= high)
        for cells, (low, high) in zip(placed.turned, window, strict=True)
    ]
    seen = inside[0][:, None, None] & inside[1][:, None] & inside[2]
    assert np.array_equal(np.isfinite(turned), seen)
    assert 0 < seen.mean() < 1
    assert turned[seen] == pytest.approx(wanted[seen], abs=1e-5)


def test_resampling_is_torchs_linear_interpolation_where_cells_grow():
    maps = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(0))
    size = (7, 9, 11)
    mine = resampled(maps, ((0.0, 3.0), (0.0, 4.0), (0.0, 5.0)), size)
    assert torch.allclose(mine, resize(maps[None], size)[0], atol=1e-6)


def test_where_cells_shrink_each_is_a_mean_over_what_it_covers():
    weights = axis_weights(8, (0.0, 8.0), 2, smooth=True)
    assert weights.sum(dim=1).tolist() == pytest.approx([1, 1])
    # a triangle four cells wide to each side, around the centre at 2.0; cut at the border
    triangle = np.maximum(0, 1 - np.abs(np.arange(8) + 0.5 - 2.0) / 4)
    assert weights[0].numpy() == pytest.approx(triangle / triangle.sum())


def test_nearest_takes_the_cell_that_the_centre_lies_in():
    assert axis_weights(4, (0.0, 4.0), 2, nearest=True).argmax(dim=1).tolist() == [1, 3]


@pytest.mark.parametrize("shape", ["linear", "linear_exact", "sigmoid"])
def test_a_window_is_what_pydicom_makes_of_it(shape):
    pydicom = pytest.importorskip("pydicom")
    values = np.arange(-300, 900, 7.0).reshape(1, -1)
    made = pydicom.dataset.Dataset()
    made.PhotometricInterpretation, made.BitsStored, made.PixelRepresentation = "MONOCHROME2", 12, 0
    made.WindowCenter, made.WindowWidth, made.VOILUTFunction = 210, 433, shape.upper()
    theirs = pydicom.pixels.processing.apply_windowing(values, made) / 4095
    assert Window(210, 433, shape).shown(values) == pytest.approx(theirs, abs=1e-6)


def test_the_tilt_and_the_spacing_of_a_scan_are_read_off_its_affine():
    angle = np.radians(20)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]) * [
        2,
        3,
        4,
    ]
    scan = Volume(np.zeros(SHAPE, np.float32), affine)
    assert scan.directions == "RAS"
    assert scan.spacing == pytest.approx((2, 3, 4))
    assert scan.tilt == pytest.approx(20)


def test_a_sample_of_a_volume_is_kept_in_the_file_of_its_explanation(tmp_path):
    from seewhy.core.packing import packed, unpacked

    scan = volume("PIR")
    how = scan.turn("SPL")
    placed = Placement(scan.shape, how, ((0.0, 3.0), (-1.0, 4.5), (0.0, 5.0)), (2, 3, 4))
    sample = Sample(placed.taken(scan.values)[None], volume=scan, placement=placed, notes=("told",), name="scan")
    heat = torch.rand(1, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    path = tmp_path / "a.npz"
    path.write_bytes(packed({"names": ["scan"]}, heat, None, [sample]))
    [back] = unpacked(path)[3]
    assert torch.equal(back.to_source(heat[0]).nan_to_num(7), sample.to_source(heat[0]).nan_to_num(7))
    assert (back.placement, back.notes, back.volume.directions) == (placed, ("told",), "PIR")
    assert np.array_equal(back.volume.values, scan.values)


def test_what_is_no_volume_is_refused():
    with pytest.raises(DataError, match="no volume; the spacing"):
        Volume(np.zeros(SHAPE, np.float32), np.diag([1.0, 0.0, 1.0, 1.0]))
    with pytest.raises(DataError, match="float32"):
        Volume(np.zeros(SHAPE), np.eye(4))
    with pytest.raises(ConfigError, match="three letters"):
        turn("RAS", "RAL")
    with pytest.raises(DataError, match="width above 0"):
        Window(0, 0)
    assert Turn().apply(volume().values).shape == SHAPE
