"""`seewhy objects` and `seewhy explain --target box:…`, on a planted detector and on a real face detector in an ONNX file."""

import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from command import command
from detectors import squares

FACTORY = """
import sys
sys.path.insert(0, {tests!r})
from detectors import KINDS, SquareDetector
import seewhy
from seewhy.adapters.detections import NamedRows

def build():
    return seewhy.Model(
        SquareDetector().eval(), size=48, mean=0, std=1, labels=KINDS,
        output=NamedRows(unit="pixel", score="sigmoid", overlap=0.1),
    )
"""
PHOTOS = Path(__file__).parents[2] / "examples" / "photos"


@pytest.fixture
def planted(tmp_path):
    (tmp_path / "net.py").write_text(FACTORY.format(tests=str(Path(__file__).parents[1])))
    pixels = squares((8, 8, 0, 0.9), (28, 28, 1, 0.45))[0].movedim(0, 2)
    Image.fromarray((pixels * 255).round().byte().numpy()).save(tmp_path / "street.png")
    (tmp_path / "street.txt").write_text("0 0.25 0.25 0.1667 0.1667\n1 0.6667 0.6667 0.1667 0.1667\n")
    return tmp_path


def test_files_and_numbers(planted, capsys):
    model = f"{planted}/net.py:build"
    said = ("objects", planted / "street.png", "--model", model, "--truth", planted, "-o", planted / "out")
    code, out, err = command(capsys, *said)
    assert code == 0, err
    assert "missed 0: green" in out and "0 red 0.97  (found, and marked)" in out
    names = sorted(path.name for path in (planted / "out").iterdir())
    assert names == [f"street.objects.{ending}" for ending in ("html", "json", "npz", "png")]
    found = json.loads((planted / "out" / "street.objects.json").read_text())
    assert [one["status"] for one in found["objects"]] == ["right", "missed"]
    assert found["method"] == "hires-cam"
    code, _, err = command(capsys, *said)
    assert code == 3 and "--force" in err


def test_one_box_on_the_usual_page(planted, capsys):
    model = f"{planted}/net.py:build"
    for target, name in (("box:red", "red"), ("missed:green@28,28,8,8", "missed green")):
        code, _, err = command(
            capsys,
            "explain",
            planted / "street.png",
            "-m",
            model,
            "-t",
            target,
            "--method",
            "hires-cam",
            "-o",
            planted / "one",
            "--force",
        )
        assert code == 0, err
        assert json.loads((planted / "one" / "street.why.json").read_text())["answers"][0]["name"] == name


def test_what_is_wrong_is_one_line(planted, capsys):
    model = f"{planted}/net.py:build"
    code, _, err = command(capsys, "objects", planted / "street.png", "-m", "efficientnet-lite0", "-o", planted)
    assert code == 2 and "does not say how it gives them" in err and len(err.strip().splitlines()) < 5
    (planted / "street.txt").write_text("0 12 12 8 8\n")
    code, _, err = command(
        capsys, "objects", planted / "street.png", "-m", model, "--truth", planted / "street.txt", "-o", planted
    )
    assert code == 3 and "no share of the picture" in err


@pytest.mark.skipif("SEEWHY_DATA" not in os.environ, reason="SEEWHY_DATA is not set")
def test_a_face_in_a_photo_by_a_black_box(tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    shutil.copy(Path(os.environ["SEEWHY_DATA"]) / "weights" / "version-RFB-320.onnx", tmp_path / "faces.onnx")
    output = {
        "form": "named",
        "unit": "share",
        "background": 0,
        "least": 0.7,
        "overlap": 0.3,
        "boxes_at": "boxes",
        "scores_at": "scores",
    }
    stated = {"mean": 127 / 255, "std": 128 / 255, "fit": "squash", "labels": ["face"], "output": output}
    (tmp_path / "faces.json").write_text(json.dumps(stated))
    code, _, err = command(
        capsys, "objects", PHOTOS / "astronaut.jpg", "-m", tmp_path / "faces.onnx", "--budget", 120, "-o", tmp_path
    )
    assert code == 0, err
    (face,) = json.loads((tmp_path / "astronaut.objects.json").read_text())["objects"]
    x1, y1, x2, y2 = face["box"]
    assert 170 < x1 < 200 and 40 < y1 < 80 and 250 < x2 < 290 and 150 < y2 < 190  # the astronaut's face
    assert face["evidence for"]["inside"] > 5 * face["even map"]["inside"] and face["strongest in box"]
    stated["output"] = output | {"boxes_at": "box"}
    (tmp_path / "faces.json").write_text(json.dumps(stated))
    code, _, err = command(
        capsys, "objects", PHOTOS / "astronaut.jpg", "-m", tmp_path / "faces.onnx", "-o", tmp_path, "--force"
    )
    assert code == 3 and "no tensor 'box'; there are 'scores', 'boxes'" in err
    stated["output"] = output | {"shape": 3}
    (tmp_path / "faces.json").write_text(json.dumps(stated))
    code, _, err = command(
        capsys, "objects", PHOTOS / "astronaut.jpg", "-m", tmp_path / "faces.onnx", "-o", tmp_path, "--force"
    )
    assert code == 2 and "no setting 'shape'" in err
