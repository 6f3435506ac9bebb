"""`seewhy distill` and `seewhy predict` through their real doors."""

import csv
import io
import json
import re
import sys
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
import pytest
from PIL import Image

from command import command
from seewhy.cli import main

NETWORK = """
import torch, seewhy
from torch import nn

class Colours(nn.Module):
    def __init__(self, sharpness):
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1, bias=False)
        self.layer.weight.data = torch.eye(3)[:, :, None, None]
        self.head = nn.Linear(3, 3, bias=False)
        self.head.weight.data = sharpness * torch.eye(3)
    def forward(self, x):
        return self.head(self.layer(x).relu().mean(dim=(2, 3)))

def build(sharpness=8.0):
    return seewhy.Model(Colours(sharpness).eval(), size=12, mean=0.0, std=1.0, labels=("red", "green", "blue"), name="colours")

def other():
    return build(7.0)
"""
COLOURS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A network in a Python file, twenty-four pictures of each colour, one broken, one called as code would be, and the students of all kinds."""
    made = tmp_path_factory.mktemp("distilling")
    (made / "net.py").write_text(NETWORK)
    draws = np.random.default_rng(0)
    for label, colour in enumerate(COLOURS):
        folder = made / "photos" / colour
        folder.mkdir(parents=True)
        for number in range(24):
            pixels = draws.integers(0, 60, (12, 12, 3))
            top, left = draws.integers(0, 6, 2)
            pixels[top : top + 6, left : left + 6, label] += draws.integers(90, 190)
            name = "<b>x</b>" if number == 5 else f"{number:02d}"
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{colour}{name.replace('/', '_')}.png")
    (made / "photos" / "red" / "broken.png").write_bytes(b"no picture")
    return made


def distill(place, capsys, *more: object, out="out"):
    common = ("distill", f"{place / 'net.py'}:build", place / "photos", "--layer", "layer", "--count", 3)
    return command(capsys, *common, "-o", place / out, "--cache", place / "cache", *more)


@pytest.fixture(scope="module")
def students(place):
    """What the command told when it wrote students of all kinds, once for all tests."""
    told, complaints = io.StringIO(), io.StringIO()
    words = ["distill", f"{place / 'net.py'}:build", str(place / "photos"), "--layer", "layer", "--count", "3"]
    words += ["--into", "all", "-o", str(place / "out"), "--cache", str(place / "cache")]
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(told), redirect_stderr(complaints):
        patch.setattr(sys, "argv", ["seewhy", *words])
        code = _exit_code(main)
    assert code == 0, complaints.getvalue()
    return told.getvalue()


def _exit_code(run) -> int:
    try:
        run()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_every_student_gets_its_files_and_all_a_comparison(place, students):
    kinds = ("linear", "tree", "hierarchy", "rules", "additive", "prototypes")
    wanted = {f"photos.{kind}.student.{end}" for kind in kinds for end in ("html", "json", "txt")}
    wanted |= {f"photos.students.{end}" for end in ("html", "csv", "json")}
    assert {path.name for path in (place / "out").iterdir()} >= wanted
    rows = list(csv.DictReader(io.StringIO((place / "out" / "photos.students.csv").read_text())))
    assert rows[0]["model"] == "network"
    assert float(rows[0]["fidelity"]) == 1.0
    assert {row["model"] for row in rows[1:]} == set(kinds)
    shown = [float(row["fidelity"]) for row in rows[1:]]
    assert shown == sorted(shown, reverse=True)
    for row in rows[1:]:
        student = json.loads((place / "out" / f"photos.{row['model']}.student.json").read_text())
        assert student["fidelity"] == float(row["fidelity"])
        assert float(row["gap to random"]) == pytest.approx(float(row["fidelity"]) - float(row["random"]), abs=1e-9)
    page = (place / "out" / "photos.students.html").read_text(encoding="utf-8")
    for kind in kinds:
        assert f'href="photos.{kind}.student.html"' in page
    assert "the network" in students
    assert "random" in students


def test_the_page_holds_its_numbers_and_asks_nothing_of_a_network(place, students):
    for path in (place / "out").glob("*.student.html"):
        page = path.read_text(encoding="utf-8")
        inside = json.loads(re.search(r'id="numbers-json">(.*?)</script>', page, re.DOTALL)[1])
        student = json.loads(path.with_suffix(".json").read_text())
        assert inside["report"] == student["report"]
        assert inside["frontier"] == student["frontier"]
        assert not re.search(r'(?:src|href)="(?!data:|#)', page), path.name
        assert "<b>x</b>" not in page
        assert not re.search(r"\b1 pictures", page)


def test_a_good_network_of_colours_is_understood(place, students):
    """The network is linear in its pooled colours: the linear student of three concepts says the same."""
    student = json.loads((place / "out" / "photos.linear.student.json").read_text())
    assert student["fidelity"] >= 0.9
    assert student["report"]["network"]["value"] == 1.0
    assert "broken.png" in json.dumps(student["about"]) or "broken.png" in (
        place / "out" / "photos.linear.student.html"
    ).read_text(encoding="utf-8")


def test_nothing_is_overwritten_unasked_and_json_goes_to_stdout(place, students, capsys):
    code, _, stderr = distill(place, capsys)
    assert code == 2
    assert "--force" in stderr
    code, stdout, _ = distill(place, capsys, "--json", out="again")
    told = json.loads(stdout)
    assert code == 0
    saved = json.loads((place / "out" / "photos.linear.student.json").read_text())
    assert told["students"]["linear"]["report"] == saved["report"]
    assert list(told["left out"]) == [str(place / "photos" / "red" / "broken.png")]


def test_labels_may_teach(place, capsys):
    code, stdout, _ = distill(place, capsys, "--teacher", "labels", out="labels")
    student = json.loads((place / "labels" / "photos.linear.student.json").read_text())
    assert code == 0
    assert student["by"] == "labels"
    assert student["accuracy"] >= 0.9
    assert "colours" in stdout


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--into", "treee"), "nearest: 'tree'"),
        (("--teacher", "nobody"), "'network' or 'labels'"),
        (("--layer", "nowhere"), "nowhere"),
        (("--on", "none.safetensors"), "no such file"),
    ],
)
def test_mistakes_cost_one_line(place, capsys, more, why):
    code, _, stderr = distill(place, capsys, *more, out="bad")
    assert code == 2
    assert why in stderr
    assert "Traceback" not in stderr
    assert not list((place / "bad").glob("*"))


def test_too_few_pictures_one_class_and_no_folder_are_told(place, tmp_path, capsys):
    folder = tmp_path / "few" / "red"
    folder.mkdir(parents=True)
    for path in sorted((place / "photos" / "red").glob("red*.png"))[:3]:
        (folder / path.name).write_bytes(path.read_bytes())
    network = f"{place / 'net.py'}:build"
    code, _, stderr = command(capsys, "distill", network, tmp_path / "few", "--layer", "layer", "-o", tmp_path)
    assert code == 2
    assert "3 pictures" in stderr
    code, _, stderr = command(capsys, "distill", network, place / "photos" / "red", "--layer", "layer", "-o", tmp_path)
    assert code == 2
    assert "one class" in stderr
    code, _, stderr = command(capsys, "distill", network, tmp_path / "none", "-o", tmp_path)
    assert code == 2
    assert "none" in stderr
    assert not list(tmp_path.glob("*.student.*"))


def predict(place, capsys, kind, photo, *more: object, out="why"):
    network = () if "--model" in more else ("--model", f"{place / 'net.py'}:build")
    student = place / "out" / f"photos.{kind}.student.json"
    return command(capsys, "predict", student, photo, "-o", place / out, *network, *more)


@pytest.mark.parametrize("kind", ["linear", "tree", "hierarchy", "rules", "additive", "prototypes"])
def test_reasons_are_told_beside_the_network(place, students, capsys, kind):
    photo = place / "photos" / "green" / "green03.png"
    code, stdout, stderr = predict(place, capsys, kind, photo)
    assert code == 0, stderr
    numbers = json.loads((place / "why" / f"green03.{kind}.why.json").read_text())
    assert numbers["network"] == "green"
    assert ("agree" in stdout) is numbers["agrees"] or "disagree" in stdout
    for case in numbers["cases"]:
        if case["start"] is not None:
            total = case["start"] + sum(reason["adds"] for reason in case["reasons"])
            assert total == pytest.approx(case["score"], abs=1e-4)
    page = (place / "why" / f"green03.{kind}.why.html").read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    with Image.open(place / "why" / f"green03.{kind}.why.png") as picture:
        assert picture.width > 600


def test_another_network_and_files_that_are_no_student_are_refused(place, students, capsys, tmp_path):
    photo = place / "photos" / "blue" / "blue01.png"
    code, _, stderr = predict(place, capsys, "linear", photo, "--model", f"{place / 'net.py'}:other", out="refused")
    assert code == 2
    assert "made for colours" in stderr
    code, _, stderr = command(capsys, "predict", place / "out" / "photos.linear.student.json", photo, "-o", tmp_path)
    assert code == 2
    assert "add --model" in stderr, "code that a file names is not run"
    text = tmp_path / "words.txt"
    text.write_text("no student")
    code, _, stderr = command(capsys, "predict", text, photo, "-o", tmp_path)
    assert code == 2
    assert "no student saved by seewhy" in stderr


def test_good_photos_are_done_beside_broken_ones(place, students, capsys):
    good, bad = place / "photos" / "blue" / "blue02.png", place / "photos" / "red" / "broken.png"
    student = place / "out" / "photos.linear.student.json"
    code, _, stderr = command(
        capsys, "predict", student, bad, good, "-m", f"{place / 'net.py'}:build", "-o", place / "some"
    )
    assert code == 3
    assert "broken.png" in stderr
    assert (place / "some" / "blue02.linear.why.html").exists()
    assert not list((place / "some").glob("broken*"))
