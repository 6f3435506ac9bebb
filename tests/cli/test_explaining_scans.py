"""`seewhy explain` of scans: files that come out, maps at the source's voxels, and nothing that says whose they are."""

import base64
import io
import json
import re
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import seewhy
from scans import CENTRE, IDENTITY, RADIUS, write_nifti, write_series
from seewhy.cli import main

pydicom = pytest.importorskip("pydicom")
nibabel = pytest.importorskip("nibabel")

TESTS = Path(__file__).parent.parent
MODELS = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
import seewhy
from scans import BallNet
from networks import SmallCNN, seeded

def volumes():
    return seewhy.Model(BallNet().eval(), size=32, depth=24, mean=0, std=1000, labels=["bright", "dark"], name="ball-net")

def pictures():
    return seewhy.Model(seeded(SmallCNN(2)).float(), size=32, mean=0.5, std=0.5, labels=["bright", "dark"], name="flat-net")
"""


def run(*arguments):
    """Run `seewhy`; return exit code, stdout and stderr, each on one line."""
    out, error, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["seewhy", *map(str, arguments)]
    code = 0
    try:
        with redirect_stdout(out), redirect_stderr(error):
            main()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.argv = before
    plain = out.getvalue() if "--json" in arguments else " ".join(out.getvalue().split())
    return SimpleNamespace(returncode=code, stdout=plain, stderr=" ".join(error.getvalue().split()))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "models.py"
    path.write_text(MODELS)
    return path


@pytest.fixture(scope="module")
def explained(tmp_path_factory, models):
    """The files of an explained series whose headers are full of identity."""
    folder = tmp_path_factory.mktemp("series")
    series = write_series(folder / "case")
    made = run("explain", str(series), "--model", f"{models}:volumes", "-t", "bright", "-o", str(folder / "out"))
    assert made.returncode == 0, made.stderr
    return series, folder / "out", made


def test_all_files_come_out_and_the_region_is_the_ball(explained):
    _, out, made = explained
    names = {path.name for path in out.iterdir()}
    assert names == {f"case.{end}" for end in ("why.npz", "why.png", "why.html", "why.json", "map.nii.gz", "map.dcm")}
    found = json.loads((out / "case.why.json").read_text())
    [region] = found["regions"]
    assert region["side"] == "right"
    assert np.abs(np.array(region["centre"]) - CENTRE).max() < 4
    assert region["size"] == pytest.approx(4 / 3 * np.pi * RADIUS**3 / 1000, rel=0.35)
    assert found["scan"]["directions"] == "SPL"
    assert found["scan"]["spacing_mm"] == pytest.approx([4.0, 2.4, 2.0])
    assert "right of the scan" in made.stdout


def test_the_maps_lie_where_the_scan_lies(explained):
    series, out, _ = explained
    explanation = seewhy.load(out / "case.why.npz")
    drawn, volume = explanation.in_source().numpy(), explanation.samples[0].volume
    image = nibabel.load(out / "case.map.nii.gz")
    assert np.array_equal(image.get_fdata(dtype=np.float32), np.nan_to_num(drawn))
    assert image.affine == pytest.approx(volume.affine, abs=1e-4)
    back = seewhy.read_scan(out / "case.map.dcm").volume
    assert np.array_equal(back.values, np.nan_to_num(drawn))
    assert back.affine == pytest.approx(seewhy.read_scan(series).volume.affine, abs=1e-4)


def everything(folder):
    """Return all bytes of all files, with pictures and arrays unpacked too."""
    found = bytearray()
    for path in folder.iterdir():
        content = path.read_bytes()
        found += content
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                found += arrays["about"].tobytes()
        if path.name.endswith(".nii.gz"):
            found += nibabel.load(path).to_bytes()
        if path.suffix == ".html":
            for packed in re.findall(rb"base64,([A-Za-z0-9+/=]+)", content):
                found += base64.b64decode(packed)
    return bytes(found)


def words_of(source):
    """Return everything in a header that identifies, as bytes; what is too short to be told from chance is left out."""
    header = pydicom.dcmread(source)
    words = {str(value) for value in IDENTITY.values()} | {
        part
        for name in ("PatientName", "ReferringPhysicianName", "OperatorsName")
        for part in IDENTITY[name].split("^")
    }
    words |= {
        str(header.get(name))
        for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
    }
    return sorted(word.encode() for word in words if len(word) > 6)


def test_nothing_of_the_identity_reaches_any_output(explained):
    series, out, made = explained
    content = everything(out)
    for source in sorted(series.iterdir())[:5]:
        for word in words_of(source):
            assert word not in content, word
            assert word.decode() not in made.stdout + made.stderr
    written = pydicom.dcmread(out / "case.map.dcm")
    for name in IDENTITY:
        if name not in ("SeriesDescription", "DeviceSerialNumber"):  # these are the map's own
            assert str(written.get(name) or "") == ""
    assert written.PatientIdentityRemoved == "YES"


def test_identity_is_kept_where_it_is_asked_for_and_in_the_dicom_file_only(tmp_path, models):
    series = write_series(tmp_path / "case")
    made = run(
        "explain",
        str(series),
        "--model",
        f"{models}:volumes",
        "-o",
        str(tmp_path / "out"),
        "--keep-identity",
        "--no-hide-test",
    )
    assert made.returncode == 0, made.stderr
    source, written = pydicom.dcmread(sorted(series.iterdir())[0]), pydicom.dcmread(tmp_path / "out" / "case.map.dcm")
    for name in ("PatientName", "PatientID", "StudyInstanceUID", "FrameOfReferenceUID", "AccessionNumber"):
        assert written.get(name) == source.get(name)
    assert written.SeriesInstanceUID != source.SeriesInstanceUID
    assert {item.ReferencedSOPInstanceUID for item in written.SourceImageSequence} == {
        pydicom.dcmread(path).SOPInstanceUID for path in series.iterdir()
    }
    (tmp_path / "out" / "case.map.dcm").unlink()
    assert IDENTITY["PatientName"].encode() not in everything(tmp_path / "out")


def test_a_name_that_tells_the_patient_is_not_taken_over(tmp_path, models):
    series = write_series(tmp_path / "2024 Zwetschge ct")
    made = run("explain", str(series), "--model", f"{models}:volumes", "-o", str(tmp_path / "out"), "--no-hide-test")
    assert made.returncode == 0, made.stderr
    assert {path.name.partition(".")[0] for path in (tmp_path / "out").iterdir()} == {"scan"}
    assert b"zwetschge" not in everything(tmp_path / "out").lower()
    assert "zwetschge" not in made.stdout.lower()


def test_nifti_gives_no_dicom_and_keeps_its_own_header_to_itself(tmp_path, models):
    path = write_nifti(tmp_path / "head.nii.gz", "PIR")
    image = nibabel.load(path)
    image.header["descrip"] = b"Zwetschge Xaverine"
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"Zwetschge Xaverine"))
    nibabel.save(image, tmp_path / "head.nii")
    made = run(
        "explain",
        str(tmp_path / "head.nii"),
        "--model",
        f"{models}:volumes",
        "-t",
        "bright",
        "-o",
        str(tmp_path / "out"),
    )
    assert made.returncode == 0, made.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        f"head.{end}" for end in ("why.npz", "why.png", "why.html", "why.json", "map.nii.gz")
    }
    assert b"Zwetschge" not in everything(tmp_path / "out")
    found = nibabel.load(tmp_path / "out" / "head.map.nii.gz")
    assert found.shape == image.shape
    assert found.affine == pytest.approx(image.affine, abs=1e-4)


def test_slices_of_a_volume_for_a_network_that_takes_pictures(tmp_path, models):
    series = write_series(tmp_path / "case")
    order = ["explain", str(series), "--model", f"{models}:pictures", "-o", str(tmp_path / "out"), "--no-hide-test"]
    asked = run(*order)
    assert asked.returncode == 3
    assert "has 24 slices" in asked.stderr
    assert "--slice" in asked.stderr
    made = run(*order, "--slice", "3,14-15", "--json")
    assert made.returncode == 0, made.stderr
    [found] = json.loads(made.stdout)["photos"]
    assert found["scan"]["slices"] == [3, 14, 15]
    assert len(list((tmp_path / "out").glob("case.slice*.why.html"))) == 3
    explanation = seewhy.load(tmp_path / "out" / "case.slice14.why.npz")
    volume = explanation.samples[0].volume
    assert volume.affine[2, 3] == pytest.approx(-46 + 4 * 14)  # millimetres upwards
    assert explanation.in_source().shape == volume.shape[1:]
    beyond = run(*order, "--slice", "24", "--force")
    assert "slices 0 to 23" in beyond.stderr


def test_a_single_picture_goes_through_the_photo_page_with_its_millimetres(tmp_path, models):
    series = write_series(tmp_path / "case", count=1)
    [file] = series.iterdir()
    made = run("explain", str(file), "--model", f"{models}:pictures", "-o", str(tmp_path / "out"))
    assert made.returncode == 0, made.stderr
    assert {path.name.partition(".")[2] for path in (tmp_path / "out").iterdir()} == {
        "why.npz", "why.png", "why.html", "why.json", "map.dcm"
    }  # fmt: skip
    written = pydicom.dcmread(tmp_path / "out" / f"{file.stem}.map.dcm")
    assert (written.Rows, written.Columns) == (40, 48)
    assert list(written.PixelSpacing) == pytest.approx([2.4, 2.0])
    found = json.loads((tmp_path / "out" / f"{file.stem}.why.json").read_text())
    assert all(region["unit"] == "mm²" for region in found["regions"])
    for word in words_of(file):
        assert word not in everything(tmp_path / "out")


def test_good_scans_are_done_even_where_one_is_broken(tmp_path, models):
    write_series(tmp_path / "in" / "good")
    write_series(tmp_path / "in" / "gap", change=lambda made, at: at != 7)
    (tmp_path / "in" / "wrong.dcm").write_bytes(b"no scan" * 100)
    made = run(
        "explain", str(tmp_path / "in"), "--model", f"{models}:volumes", "-o", str(tmp_path / "out"), "--no-hide-test"
    )
    assert made.returncode == 3
    assert "1 slice is missing" in made.stderr
    assert "no DICOM file" in made.stderr
    assert "2 of 3 failed" in made.stderr
    assert (tmp_path / "out" / "good.map.nii.gz").exists()
    assert not list((tmp_path / "out").glob("gap*"))


def test_wrong_use_is_said(tmp_path, models):
    series = write_series(tmp_path / "case", count=4)
    for options, words in (
        (["--slice", "2"], "takes volumes, and sees all slices"),
        (["--time", "1"], "NIfTI file"),
        (["--fit", "crop"], "not fitted as pictures are"),
    ):
        made = run("explain", str(series), "--model", f"{models}:volumes", "-o", str(tmp_path), *options)
        assert made.returncode == 3
        assert words in made.stderr
    one = write_series(tmp_path / "one", count=1)
    assert "one slice" in run("explain", str(one), "--model", f"{models}:volumes", "-o", str(tmp_path)).stderr


def test_in_python_a_path_is_enough(tmp_path, models):
    path = write_nifti(tmp_path / "head.nii.gz", "LPS")
    explanation = seewhy.explain(path, f"{models}:volumes", "bright")
    assert explanation.in_source().shape == seewhy.read_scan(path).volume.shape
    assert torch.isfinite(explanation.in_source()).all()
    assert explanation.overlay().size[0] > 100


def test_examined_in_python_it_is_what_the_command_writes(tmp_path, explained, models):
    series, out, _ = explained
    found = seewhy.examine_scan(series, f"{models}:volumes", "bright")
    for ending in ("map.nii.gz", "why.json"):
        found.save(tmp_path / f"case.{ending}")
    assert (tmp_path / "case.map.nii.gz").read_bytes() == (out / "case.map.nii.gz").read_bytes()
    told, mine = (json.loads((folder / "case.why.json").read_text()) for folder in (out, tmp_path))
    assert told | {"command": ""} == mine
    assert seewhy.read_scan(found.save(tmp_path / "map.dcm")).volume.shape == (24, 40, 48)
    with pytest.raises(seewhy.DataError, match="examine_scan"):
        seewhy.examine(series, f"{models}:volumes")
