"""`seewhy visualize` through its door: files, words, exit codes; and how numbers and names are read."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command import command
from seewhy.cli.wished import MOST, numbers
from seewhy.errors import ConfigError
from seewhy.visualization.gallery import Gallery

NETS = """
import torch, seewhy
from torch import nn

def net():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
    return seewhy.Model(network.eval(), size=16, mean=0.5, std=0.25, labels=["tabby", "../zebra", "horse"], name="net")
"""


@pytest.fixture
def net(tmp_path: Path) -> str:
    (tmp_path / "nets.py").write_text(NETS)
    return f"{tmp_path / 'nets.py'}:net"


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    return command(capsys, "visualize", *arguments)


def test_a_picture_for_each_target_a_sheet_numbers_and_arrays(net, tmp_path, capsys):
    out = tmp_path / "out"
    asked = (net, "--layer", 2, "--channel", "1-2", "--class", "../zebra", "--steps", 3, "--npz", "-o", out)
    code, stdout, stderr = run(capsys, *asked)
    assert (code, stderr) == (0, "")
    names = {path.name for path in out.iterdir()}
    begun = "2-1-and-2-more.visualize"
    each = ["2-1.visualize.png", "2-2.visualize.png", "zebra.visualize.png"]
    assert names == {*each, f"{begun}.sheet.png", f"{begun}.json", f"{begun}.npz"}
    whole = Gallery.load(out / f"{begun}.npz")
    assert whole.targets == ("channel 1 of 2", "channel 2 of 2", "../zebra")
    for index, name in enumerate(each):
        assert np.array_equal(np.asarray(Image.open(out / name)), np.asarray(whole.picture(index)))
        assert str(out / name) in stdout
    told = json.loads((out / f"{begun}.json").read_text())
    assert [row["score"] for row in told["pictures"]] == whole.scores.tolist()
    code, stdout, stderr = run(capsys, *asked)
    assert code == 2
    assert "there already; use --force" in stderr
    assert run(capsys, *asked, "--force")[0] == 0


def test_json_is_all_that_stdout_holds(net, tmp_path, capsys):
    code, stdout, _ = run(
        capsys, net, "--layer", 2, "--channel", 3, "--count", 2, "--steps", 2, "--json", "-o", tmp_path
    )
    told = json.loads(stdout)
    assert code == 0
    assert [row["seed"] for row in told["pictures"]] == [0, 1]
    assert all(Path(row["file"]).exists() for row in told["pictures"])
    assert Path(told["files"]["sheet"]).exists()
    assert told["pictures"][0]["settings"]["steps"] == 2


@pytest.mark.parametrize("way", ["caricature", "inversion", "accentuation"])
def test_what_is_made_of_a_photo(way, net, photo, tmp_path, capsys):
    unit = ("--layer", 2) if way != "accentuation" else ("--class", "horse")
    code, stdout, stderr = run(capsys, net, "--photo", photo, "--as", way, *unit, "--steps", 3, "-o", tmp_path)
    assert (code, stderr) == (0, "")
    stem = f"disc.{way}-{unit[1]}.visualize"
    assert (tmp_path / f"{stem}.png").exists()
    sheet, alone = Image.open(tmp_path / f"{stem}.sheet.png"), Image.open(tmp_path / f"{stem}.png")
    assert sheet.width > 2 * 224
    assert alone.size == (16, 16)
    assert ("the photo:" in stdout) == (way != "inversion")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "say what the pictures are for"),
        (("--layer", "2"), "--layer wants --channel"),
        (("--layer", "22", "--channel", "1"), "no layer '22'"),
        (("--layer", "2", "--channel", "8"), "8 channels, 0 to 7"),
        (("--layer", "2", "--channel", "5-3"), "a range (0-9)"),
        (("--layer", "2", "--channel", "1", "--at", "middle"), "--at is 'center'"),
        (("--class", "tabbi"), "nearest: 'tabby'"),
        (("--class", "tabby", "--against", "tabby"), "two different classes"),
        (("--against", "tabby"), "say what the pictures are for"),
        (("--class", "tabby", "--steps", "0"), "steps is at least 1"),
        (("--class", "tabby", "--size", "0"), "size is at least 2"),
        (("--class", "tabby", "--size", "big"), "--size is a number of pixels"),
        (("--class", "tabby", "--canvas", "fourrier"), "'fourier'"),
        (("--class", "tabby", "--budget", "soon"), "budget"),
        (("--class", "tabby", "--diverse"), "at least two"),
        (("--as", "caricature", "--layer", "2"), "--photo and --as go together"),
        (("--photo", "x.jpg", "--as", "caricatur"), "'caricature'"),
        (("--photo", "x.jpg", "--as", "caricature", "--class", "tabby"), "repeats whole layers"),
        (("--photo", "x.jpg", "--as", "inversion", "--layer", "2"), "x.jpg"),
    ],
)
def test_a_mistake_is_one_line_and_no_file(arguments, told, net, tmp_path, capsys):
    out = tmp_path / "out"
    code, stdout, stderr = run(capsys, net, *arguments, "-o", out)
    assert code == 2
    assert stderr.count("\n") == 1
    assert told in stderr
    assert stdout == ""
    assert not out.exists() or not list(out.iterdir())


def test_numbers_and_ranges():
    assert numbers(["3"]) == [3]
    assert numbers(["8-10,1", "9", "0"]) == [8, 9, 10, 1, 0]
    for wrong in ("", "a", "3-", "-3", "4-2", "1.5", f"0-{MOST}"):
        with pytest.raises(ConfigError, match="--channel"):
            numbers([wrong])


def test_an_interrupt_keeps_what_is_made(net, tmp_path, capsys, monkeypatch):
    from seewhy.visualization import series

    plain, made = series.maximize, []

    def stopped(*arguments: object, **settings: object) -> object:
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(arguments)
        return plain(*arguments, **settings)

    monkeypatch.setattr(series, "maximize", stopped)
    code, _, stderr = run(capsys, net, "--layer", 2, "--channel", "0-4", "--steps", 2, "-o", tmp_path / "out")
    assert code == 130
    assert "2 of 5 done" in stderr
    assert len(list((tmp_path / "out").glob("2-?.visualize.png"))) == 2
    assert len(list((tmp_path / "out").glob("*.sheet.png"))) == 1
