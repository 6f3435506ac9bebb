"""DICOM files and series: pydicom's own test files, planted series, and everything that can be wrong with either."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from scans import CENTRE, affine_of, planted, write_series
from seewhy.core.volume import Window
from seewhy.data.dicom import is_series, read_dicom
from seewhy.data.dicom_file import header, is_dicom
from seewhy.data.medical import is_scan, read_scan, scans_in
from seewhy.errors import DataError, MissingExtra, SeewhyError

pydicom = pytest.importorskip("pydicom")
FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def changed(tmp_path, name="CT_small.dcm", **elements):
    """Write one of pydicom's files with other elements; None takes one away."""
    made = pydicom.dcmread(FILES / name)
    for element, value in elements.items():
        if value is None:
            delattr(made, element)
        else:
            setattr(made, element, value)
    made.save_as(tmp_path / "changed.dcm")
    return tmp_path / "changed.dcm"


def grey(scan):
    return np.asarray(scan.picture.convert("L")).astype(float)


def test_ct_is_in_hounsfield_units_at_its_spacing():
    scan = read_dicom(FILES / "CT_small.dcm")
    stored = pydicom.dcmread(FILES / "CT_small.dcm")
    assert scan.volume.unit == "HU"
    assert np.array_equal(scan.volume.values[0], stored.pixel_array * 1.0 + float(stored.RescaleIntercept))
    assert scan.volume.spacing == pytest.approx((5.0, 0.661468, 0.661468))
    assert scan.volume.directions == "SPL"
    # the centre of the first pixel is ImagePositionPatient, in RAS
    left, back, up = (float(value) for value in stored.ImagePositionPatient)
    assert scan.volume.affine[:3, 3] == pytest.approx([-left, -back, up])


def test_the_picture_is_what_pydicom_shows_in_the_same_window():
    stored = pydicom.dcmread(FILES / "MR_small.dcm")
    theirs = pydicom.pixels.processing.apply_windowing(stored.pixel_array, stored)
    low, high = -(2**15), 2**15 - 1
    assert grey(read_dicom(FILES / "MR_small.dcm")) == pytest.approx((theirs - low) / (high - low) * 255, abs=0.51)


def test_monochrome1_is_shown_inverted(tmp_path):
    plain = grey(read_dicom(FILES / "MR_small.dcm"))
    inverted = read_dicom(changed(tmp_path, "MR_small.dcm", PhotometricInterpretation="MONOCHROME1"))
    assert grey(inverted) == pytest.approx(255 - plain, abs=1)
    assert inverted.volume.inverted
    assert np.asarray(inverted.volume.picture(0).convert("L")).astype(float) == pytest.approx(grey(inverted), abs=1)


def test_a_voi_table_is_looked_up(tmp_path):
    item = pydicom.dataset.Dataset()
    item.LUTDescriptor = [4, 100, 8]
    item.add_new("LUTData", "US", [0, 10, 200, 255])
    made = changed(tmp_path, "CT_small.dcm", VOILUTSequence=[item], RescaleIntercept="0", PixelRepresentation=0)
    stored = pydicom.dcmread(made).pixel_array
    # pydicom's own look-up goes round where a value lies 256 or more beyond the table's beginning
    table = np.array([0, 10, 200, 255])[np.clip(stored.astype(int) - 100, 0, 3)]
    assert grey(read_dicom(made)) == pytest.approx(table)


def test_several_windows_are_told_and_the_first_is_shown(tmp_path):
    made = changed(tmp_path, WindowCenter=[40, -600], WindowWidth=[400, 1500])
    scan = read_dicom(made)
    assert scan.volume.window == Window(40, 400)
    assert "2 windows" in scan.notes[0]


def test_padding_is_no_value(tmp_path):
    stored = pydicom.dcmread(FILES / "CT_small.dcm").pixel_array
    common = int(np.bincount(stored.ravel()).argmax())
    scan = read_dicom(changed(tmp_path, PixelPaddingValue=common))
    assert scan.volume.values[0][stored == common].max() == (stored[stored != common].min() - 1024)


@pytest.mark.parametrize(
    "name",
    [
        "MR_small_RLE",
        "MR_small_bigendian",
        "MR_small_implicit",
        "MR_small_jp2klossless",
        "MR_small_jpeg_ls_lossless",
        "MR_small_padded",
    ],
)
def test_every_encoding_gives_the_same_values(name):
    assert np.array_equal(
        read_dicom(FILES / f"{name}.dcm").volume.values, read_dicom(FILES / "MR_small.dcm").volume.values
    )


def test_colours_are_pictures_and_frames_in_time_are_clips():
    palette = read_dicom(FILES / "examples_palette.dcm")
    assert palette.volume is None
    assert palette.picture.size == (800, 350)
    assert len(np.unique(np.asarray(palette.picture).reshape(-1, 3), axis=0)) > 3  # colours, not indices
    cine = read_dicom(FILES / "examples_ybr_color.dcm")
    stored = pydicom.dcmread(FILES / "examples_ybr_color.dcm")
    assert len(cine.clip) == 30
    assert cine.clip.seconds[1] == pytest.approx(float(stored.FrameTime) / 1000)
    assert cine.clip.rate == pytest.approx(1000 / float(stored.FrameTime))
    assert np.array_equal(cine.clip.frames, stored.pixel_array)


def test_a_dose_grid_is_a_volume_in_gray(tmp_path):
    stored, scan = pydicom.dcmread(FILES / "rtdose.dcm"), read_dicom(changed(tmp_path, "rtdose.dcm", DoseUnits="GY"))
    assert scan.volume.unit == "Gy"
    assert scan.volume.values == pytest.approx(stored.pixel_array * float(stored.DoseGridScaling), rel=1e-6)
    assert scan.volume.spacing[0] == pytest.approx(float(stored.GridFrameOffsetVector[1]))


def test_millimetres_of_a_projection_are_those_at_the_detector(tmp_path):
    gone = {"PixelSpacing": None, "ImageOrientationPatient": None, "ImagePositionPatient": None}
    scan = read_dicom(changed(tmp_path, ImagerPixelSpacing=[0.2, 0.3], **gone))
    assert scan.volume.spacing[1:] == (0.2, 0.3)
    assert any("at the detector" in note for note in scan.notes)
    corrected = read_dicom(
        changed(tmp_path, ImagerPixelSpacing=[0.2, 0.3], EstimatedRadiographicMagnificationFactor=1.25, **gone)
    )
    assert corrected.volume.spacing[1:] == pytest.approx((0.16, 0.24))
    unknown = read_dicom(changed(tmp_path, **gone))
    assert not unknown.volume.measured
    assert any("how large a pixel" in note for note in unknown.notes)


@pytest.mark.parametrize("orientation", ["SPL", "SPR", "IAL", "RSP", "AIR"])
def test_a_shuffled_series_is_put_in_order_by_where_its_slices_lie(tmp_path, orientation):
    values, _ = planted(orientation)
    scan = read_dicom(write_series(tmp_path / "series", orientation=orientation))
    turned = scan.volume.turned("SPL")
    # the ball's centre of mass, in millimetres
    inside = np.argwhere(turned.values > 500)
    assert (turned.affine @ np.append(inside.mean(axis=0), 1))[:3] == pytest.approx(CENTRE, abs=0.6)
    assert scan.volume.values.sum() == pytest.approx(np.round(values).sum(), rel=1e-5)
    assert turned.directions == "SPL"
    assert turned.affine == pytest.approx(affine_of("SPL", turned.shape, turned.spacing), abs=1e-4)


def test_an_enhanced_file_is_the_same_volume_as_its_series(tmp_path):
    from seewhy.data.dicom_map import map_bytes

    scan = read_dicom(write_series(tmp_path / "series"))
    path = tmp_path / "whole.dcm"
    path.write_bytes(map_bytes(scan.volume.values, scan.volume, words="a map"))
    again = read_dicom(path)
    assert np.array_equal(again.volume.values, scan.volume.values)
    assert again.volume.affine == pytest.approx(scan.volume.affine, abs=1e-4)


def leaves_out(number):
    return lambda made, at: at != number


def moved(number, mm):
    def change(made, at):
        if at == number:
            made.ImagePositionPatient = [*made.ImagePositionPatient[:2], made.ImagePositionPatient[2] + mm]

    return change


def set_at(number, **elements):
    def change(made, at):
        if at == number:
            for name, value in elements.items():
                setattr(made, name, value)

    return change


def smaller(made, at):
    if at == 3:
        made.Rows, made.PixelData = 20, made.PixelData[: 20 * made.Columns * 2]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (leaves_out(7), r"1 slice is missing between .* \(they lie 8 mm apart, others 4 mm\)"),
        (moved(7, -4.0), "lie at the same place"),
        (smaller, "different sizes"),
        (set_at(5, SeriesInstanceUID="1.2.3"), "holds 2 series"),
        (set_at(5, ImageOrientationPatient=[1, 0, 0, 0, 0, -1]), "do not lie parallel"),
        (set_at(5, PixelSpacing=[1, 1]), "pixels of different sizes"),
        (set_at(5, PixelSpacing=[0, 1]), "which is no size"),
        (set_at(5, ImagePositionPatient=None), "does not say where it lies"),
    ],
)
def test_what_is_wrong_with_a_series_is_said(tmp_path, change, words):
    with pytest.raises(DataError, match=words):
        read_scan(write_series(tmp_path / "series", change=change))


def test_uneven_slices_are_read_and_told(tmp_path):
    scan = read_scan(write_series(tmp_path / "series", change=moved(7, 1.0)))
    assert any("unevenly, 3 to 5 mm apart" in note for note in scan.notes)


def test_a_series_of_one_slice_is_a_picture_and_an_empty_folder_nothing(tmp_path):
    assert read_scan(write_series(tmp_path / "one", count=1)).picture is not None
    (tmp_path / "empty").mkdir()
    assert not is_scan(tmp_path / "empty")
    with pytest.raises(DataError, match="no DICOM files"):
        read_scan(tmp_path / "empty")


def test_scans_are_found_in_folders(tmp_path):
    write_series(tmp_path / "patient" / "series", count=3)
    shutil.copy(FILES / "examples_palette.dcm", tmp_path / "patient" / "us.dcm")
    assert is_series(tmp_path / "patient" / "series")
    assert not is_series(tmp_path / "patient")
    assert scans_in(tmp_path) == [tmp_path / "patient" / "us.dcm", tmp_path / "patient" / "series"]


def test_files_that_cannot_be_read_say_why(tmp_path):
    for name, words in (
        ("MR_truncated.dcm", "broken or cut short"),
        ("rtplan.dcm", "no picture .*RTPLAN"),
        ("badVR.dcm", "size is no number"),
    ):
        with pytest.raises(DataError, match=words):
            read_dicom(FILES / name)
    wrong = tmp_path / "photo.dcm"
    wrong.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    with pytest.raises(DataError, match=r"is not a DICOM file|no DICOM file"):
        read_dicom(wrong)
    with pytest.raises(DataError, match="no such file"):
        read_scan(tmp_path / "gone.dcm")
    cut = tmp_path / "cut.dcm"
    cut.write_bytes((FILES / "CT_small.dcm").read_bytes()[:9000])
    with pytest.raises(DataError, match=r"broken or cut short|no pixels"):
        read_dicom(cut)


def test_a_gigantic_claim_is_refused_before_anything_is_decoded(tmp_path):
    with pytest.raises(DataError, match="claims 60000 frames of 60000 x 60000"):
        read_dicom(changed(tmp_path, Rows=60000, Columns=60000, NumberOfFrames=60000))


def test_a_compression_without_a_decoder_names_itself_and_the_package(tmp_path):
    try:
        read_dicom(FILES / "SC_rgb_jpeg_gdcm.dcm")
    except MissingExtra as error:
        assert "JPEG Lossless" in str(error)  # noqa: PT017 - where a decoder is installed, nothing is wrong
        assert "pip install pylibjpeg" in str(error)  # noqa: PT017
    unknown = tmp_path / "unknown.dcm"
    made = pydicom.dcmread(FILES / "JPEG2000.dcm")
    made.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"  # MPEG2
    made.save_as(unknown)
    with pytest.raises(DataError, match=r"MPEG2.*not decoded"):
        read_dicom(unknown)


@pytest.mark.parametrize("path", sorted(FILES.glob("*.dcm")), ids=lambda path: path.stem)
def test_every_file_of_pydicom_is_read_or_refused_in_one_line(path):
    try:
        scan = read_dicom(path)
    except SeewhyError as error:
        assert path.name in str(error)  # noqa: PT017 - either outcome is right, a crash is not
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert (scan.picture is not None) + (scan.clip is not None) + (scan.volume is not None) >= 1
        if scan.volume is not None:
            assert np.isfinite(scan.volume.values).all()


def test_dicom_files_are_known_by_ending_or_mark(tmp_path):
    bare = tmp_path / "IM0001"
    shutil.copy(FILES / "CT_small.dcm", bare)
    (tmp_path / "notes").write_text("nothing")
    assert is_dicom(bare)
    assert not is_dicom(tmp_path / "notes")
    assert not is_dicom(tmp_path / "photo.jpg")
    assert header(bare, pixels=False).Modality == "CT"


def test_wherever_pictures_are_taken_a_dicom_picture_is(tmp_path):
    from seewhy.data.picture import files_in, read

    picture, name = read(FILES / "MR_small.dcm")
    assert np.array_equal(np.asarray(picture), np.asarray(read_dicom(FILES / "MR_small.dcm").picture))
    assert name == "MR_small.dcm"
    shutil.copy(FILES / "MR_small.dcm", tmp_path / "a.dcm")
    assert files_in(tmp_path) == [tmp_path / "a.dcm"]
    with pytest.raises(DataError, match="a volume, and a single picture"):
        read(FILES / "rtdose.dcm")
