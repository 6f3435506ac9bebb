"""The command line through its real door: files, exit codes, one line an error, data on stdout."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import seewhy
from command import command
from seewhy import render

ENDINGS = ("html", "json", "npz", "png")


def test_explain_writes_a_page_a_picture_numbers_and_the_raw_map(photo, tmp_path, capsys):
    out = tmp_path / "out"
    code, stdout, stderr = command(capsys, "explain", photo, "-o", out)
    assert (code, stderr) == (0, "")
    assert sorted(path.name for path in out.iterdir()) == [f"disc.why.{ending}" for ending in ENDINGS]
    numbers = json.loads((out / "disc.why.json").read_text())
    explanation = seewhy.load(out / "disc.why.npz")
    name = explanation.targets[0]
    assert name in stdout
    assert "hide test" in stdout
    assert explanation.score[0].item() == pytest.approx(seewhy.explain(photo).score[0].item(), rel=1e-4)
    assert name in json.dumps(numbers)
    page = (out / "disc.why.html").read_bytes()
    assert len(page) < 300_000
    assert name.encode() in page
    with Image.open(out / "disc.why.png") as picture:
        assert min(picture.size) >= 200


def test_json_goes_to_stdout_alone(photo, tmp_path, capsys):
    code, stdout, _ = command(capsys, "explain", photo, "-o", tmp_path, "--json", "--no-hide-test")
    told = json.loads(stdout)
    assert code == 0
    assert told["failed"] == []
    assert set(told["photos"][0]["files"]) == set(ENDINGS)
    assert "NaN" not in stdout


def test_nothing_is_overwritten_without_force(photo, tmp_path, capsys):
    (tmp_path / "disc.why.png").write_bytes(b"mine")
    code, _, stderr = command(capsys, "explain", photo, "-o", tmp_path)
    assert code == 3
    assert "disc.why.png is there already; use --force" in stderr
    assert (tmp_path / "disc.why.png").read_bytes() == b"mine"
    assert not (tmp_path / "disc.why.npz").exists()
    assert command(capsys, "explain", photo, "-o", tmp_path, "--force")[0] == 0
    assert (tmp_path / "disc.why.png").read_bytes() != b"mine"


def test_a_folder_with_bad_files_still_gives_the_good_ones(photo, tmp_path, capsys):
    folder = tmp_path / "photos"
    folder.mkdir()
    good = photo.read_bytes()
    (folder / "a.png").write_bytes(good)
    (folder / "b.png").write_bytes(good[: len(good) // 2])
    (folder / "c.jpg").write_bytes(b"")
    (folder / "d.jpg").write_text("<html>not a picture</html>")
    (folder / "e.png").write_bytes(good)
    (folder / "notes.txt").write_text("no picture")
    out = tmp_path / "out"
    code, stdout, stderr = command(capsys, "explain", folder, "-o", out)
    assert code == 3
    assert len(list(out.glob("*.why.html"))) == 2
    assert stdout.count("wrote") == 2
    lines = stderr.splitlines()
    assert len(lines) == 4  # one each, and the count
    for name, words in (("b.png", "cut short"), ("c.jpg", "empty"), ("d.jpg", "not a picture")):
        assert any(name in line and words in line for line in lines), name
    assert lines[-1] == "3 of 5 failed"
    assert "Traceback" not in stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--target", "tabbby"], "nearest: 'tabby'"),
        (["--target", "1000"], "the network has 1000, from 0 to 999"),
        (["--method", "gradcam"], "did you mean 'grad-cam'"),
        (["--layer", "blocks.99"], "no layer 'blocks.99'"),
        (["--method", "saliency", "--layer", "head"], "saliency has no setting 'layer'"),
        (["--set", "steps"], "NAME=VALUE"),
        (["--model", "efficientnet"], "nearest: 'efficientnet-lite0'"),
        (["--fit", "stretch"], "'crop', 'pad' or 'squash'"),
        (["--against", "tabby", "--target", "tabby"], "two different classes"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(photo, tmp_path, capsys, arguments, words):
    code, stdout, stderr = command(capsys, "explain", photo, "-o", tmp_path / "out", *arguments)
    assert code == 2
    assert words in stderr
    assert stdout == ""
    assert len(stderr.strip().splitlines()) == 1
    assert not list(tmp_path.glob("out/*"))


def test_a_network_whose_preprocessing_is_not_stated(photo, tmp_path, capsys):
    (tmp_path / "network.py").write_text(
        "from torch import nn\ndef make():\n    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten())\n"
    )
    code, _, stderr = command(
        capsys, "explain", photo, "-o", tmp_path / "out", "--model", f"{tmp_path / 'network.py'}:make"
    )
    assert code == 2
    assert "size, mean, std are not stated" in stderr


def test_a_missing_photo_and_a_folder_without_pictures(tmp_path, capsys):
    code, _, stderr = command(capsys, "explain", tmp_path / "none.jpg", "-o", tmp_path)
    assert (code, "none.jpg: no such file" in stderr) == (3, True)
    (tmp_path / "empty").mkdir()
    code, _, stderr = command(capsys, "explain", tmp_path / "empty")
    assert (code, "no pictures in this folder" in stderr) == (2, True)


def test_a_place_that_cannot_be_written_to(photo, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    code, _, stderr = command(capsys, "explain", photo, "-o", tmp_path / "file")
    assert code == 2
    assert "cannot be made a folder" in stderr


def test_a_full_disk_is_said_and_nothing_half_written_stays(photo, tmp_path, capsys, monkeypatch):
    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    code, _, stderr = command(capsys, "explain", photo, "-o", tmp_path / "out")
    assert code == 3
    assert "full" in stderr.lower() or "no space left" in stderr.lower()
    assert list((tmp_path / "out").iterdir()) == []


def test_an_unexpected_error_is_one_line_unless_debug(photo, tmp_path, capsys, monkeypatch):
    def broken(*args: object, **kwargs: object) -> bytes:
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr(render, "png_bytes", broken)
    code, _, stderr = command(capsys, "explain", photo, "-o", tmp_path / "out")
    assert code == 3
    assert "ZeroDivisionError: surprise" in stderr
    assert list((tmp_path / "out").iterdir()) == []  # not the map alone
    assert "Traceback" not in stderr
    with pytest.raises(ZeroDivisionError):
        command(capsys, "--debug", "explain", photo, "-o", tmp_path / "out")


def test_names_that_are_markup_stay_text(photo, tmp_path, capsys):
    odd = tmp_path / "[bold]<script>alert(1)<'&\".png"
    odd.write_bytes(photo.read_bytes())
    code, stdout, stderr = command(capsys, "explain", odd, "-o", tmp_path / "out", "--no-hide-test")
    assert code == 0, stderr
    assert "[bold]<script>" in stdout
    page = next((tmp_path / "out").glob("*.html")).read_text()
    assert "<script>alert(1)" not in page


def test_two_photos_of_one_name_do_not_overwrite_each_other(photo, tmp_path, capsys):
    other = tmp_path / "other"
    other.mkdir()
    (other / "disc.png").write_bytes(photo.read_bytes())
    code, _, _ = command(capsys, "explain", photo, other / "disc.png", "-o", tmp_path / "out", "--no-hide-test")
    assert code == 0
    assert {path.name for path in (tmp_path / "out").glob("*.html")} == {"disc.why.html", "disc-2.why.html"}


def test_contrast_and_settings_reach_the_method(photo, tmp_path, capsys):
    arguments = ("--target", "tabby", "--against", "tiger cat", "--method", "integrated-gradients", "--set", "steps=4")
    code, stdout, _ = command(capsys, "explain", photo, "-o", tmp_path / "out", "--json", "--no-hide-test", *arguments)
    assert code == 0
    explanation = seewhy.load(next((tmp_path / "out").glob("*.npz")))
    assert explanation.targets == ("tabby rather than tiger cat",)
    assert explanation.method.steps == 4
    assert "--against 'tiger cat'" in json.loads(stdout)["photos"][0]["command"]


def test_compare_draws_one_grid(photo, tmp_path, capsys):
    code, stdout, _ = command(
        capsys, "compare", photo, "-o", tmp_path, "--methods", "grad-cam,saliency,hires-cam", "--classes", "2", "--json"
    )
    assert code == 0
    told = json.loads(stdout)
    assert [row["method"] for row in told["methods"]] == ["grad-cam", "saliency", "hires-cam"]
    assert len(told["targets"]) == 2
    with Image.open(tmp_path / "disc.compare.png") as grid:
        assert np.asarray(grid).std() > 10
    assert command(capsys, "compare", photo, "-o", tmp_path)[0] == 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["methods"], "grad-cam"),
        (["models"], "efficientnet-lite0"),
        (["layers"], "blocks.15"),
        (["doctor"], "torch"),
    ],
)
def test_lists(capsys, arguments, expected):
    code, stdout, stderr = command(capsys, *arguments)
    assert (code, stderr) == (0, "")
    assert expected in stdout
    code, stdout, _ = command(capsys, *arguments, "--json")
    assert code == 0
    assert expected in json.dumps(json.loads(stdout))


def test_layers_marks_the_chosen_one(capsys):
    rows = json.loads(command(capsys, "layers", "--json")[1])
    assert [row["layer"] for row in rows if row["chosen"]] == ["head"]
    assert next(row for row in rows if row["layer"] == "head")["grid"] == "7 x 7"


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_keeps_what_is_done(photo, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for n in range(60):
        (folder / f"{n:02d}.png").write_bytes(photo.read_bytes())
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # ignored where tests run in the background
    code = f"{heard}; from seewhy.cli import main; main()"
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "explain", folder, "-o", out],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ
        | {"OMP_NUM_THREADS": "1"},  # beside other tests, two threads wait for each other inside one operation
    )
    waited = time.monotonic() + 120
    while not list(out.glob("*.html")) and time.monotonic() < waited and process.poll() is None:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "interrupted" in stderr
    assert "Traceback" not in stderr
    pages = list(out.glob("*.html"))
    assert 1 <= len(pages) < 60
    assert not [path for path in out.iterdir() if path.suffix.lstrip(".") not in ENDINGS]


def test_an_exit_code_is_the_process_exit_code(tmp_path):
    missing: Path = tmp_path / "none.jpg"
    done = subprocess.run(
        [sys.executable, "-c", "from seewhy.cli import main; main()", "explain", missing],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stdout == ""
