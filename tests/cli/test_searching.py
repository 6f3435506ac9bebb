"""`seewhy examples` through its real door: files, exit codes, one line an error, and going on where it was."""

import json

import pytest
from PIL import Image

import seewhy
from command import command
from seewhy.cli import searching
from seewhy.visualization.examples import Examples

NETWORK = """
import torch
from torch import nn
import seewhy

class Bright(nn.Module):
    def __init__(self):
        super().__init__()
        self.watch = nn.Conv2d(3, 2, 1, bias=False)
        self.watch.weight.data = torch.tensor([[1.0, 0, 0], [0, 0, 1.0]])[:, :, None, None]
    def forward(self, x):
        return self.watch(x).mean(dim=(2, 3))

def model():
    return seewhy.Model(Bright(), size=8, mean=0.0, std=1.0, name="bright")
"""


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "colours"
    made.mkdir()
    for number in range(12):
        Image.new("RGB", (16, 16), (20 * number, 100, 255 - 20 * number)).save(made / f"{number:02d}.png")
    return made


@pytest.fixture
def network(tmp_path):
    path = tmp_path / "bright.py"
    path.write_text(NETWORK)
    return f"{path}:model"


def test_it_writes_sheet_page_numbers_and_arrays_for_every_channel(folder, network, tmp_path, capsys):
    out = tmp_path / "out"
    code, stdout, stderr = command(
        capsys, "examples", folder, "-m", network, "--layer", "watch", "--channel", 1, "--top", 3, "-o", out
    )
    assert (code, stderr) == (0, "")
    names = sorted(path.name for path in out.iterdir())
    assert names == [
        "cache",
        *(f"colours.{name}" for name in ("examples.json", "examples.npz", "watch.examples.html", "watch.examples.png")),
    ]
    found = Examples.load(out / "colours.examples.npz")
    assert [example.name[-6:] for example in found.of("watch", 0).top] == ["11.png", "10.png", "09.png"]
    assert [example.name[-6:] for example in found.of("watch", 1).top] == ["00.png", "01.png", "02.png"]
    assert found.of("watch", 0).top[0].value == pytest.approx(220 / 255)
    assert "channel 1: 00.png 1, 01.png" in stdout
    assert "Channel 0" not in (out / "colours.watch.examples.html").read_text()


def test_a_second_run_takes_what_is_there_and_overwrites_nothing_unasked(folder, network, tmp_path, capsys):
    words = ["examples", folder, "-m", network, "--layer", "watch", "-o", tmp_path / "out"]
    assert command(capsys, *words)[0] == 0
    code, _, stderr = command(capsys, *words)
    assert code == 2
    assert "--force" in stderr
    code, stdout, _ = command(capsys, *words, "--force")
    assert code == 0
    assert "nothing searched again" in stdout


def test_broken_pictures_are_one_line_each_and_the_rest_is_done(folder, network, tmp_path, capsys):
    (folder / "03b.png").write_bytes(b"none")
    code, stdout, stderr = command(
        capsys, "examples", folder, "-m", network, "--layer", "watch", "-o", tmp_path / "out", "--json", "--no-cache"
    )
    assert code == 3
    assert [line.startswith("error:") and "03b.png" in line for line in stderr.splitlines()] == [True, False]
    assert "1 of 13 pictures could not be used" in stderr
    told = json.loads(stdout)
    assert told["seen"] == 12
    assert not (tmp_path / "out" / "cache").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        (["--layer", "wathc"], "nearest: 'watch'"),
        (["--layer", "watch", "--channel", "2"], "channels 0 to 1"),
        (["--layer", "watch", "--fit", "stretch"], "--fit is"),
    ],
)
def test_wrong_use_is_one_line_and_leaves_no_files(folder, network, tmp_path, capsys, wrong):
    words, said = wrong
    out = tmp_path / "out"
    code, _, stderr = command(capsys, "examples", folder, "-m", network, "-o", out, "--no-cache", *words)
    assert code == 2
    assert said in stderr
    assert len(stderr.splitlines()) == 1
    assert not out.exists() or not list(out.iterdir())


def test_a_channel_that_does_not_exist_costs_no_search(folder, network, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(searching, "search", lambda *_: pytest.fail("searched"))
    code, _, stderr = command(
        capsys, "examples", folder, "-m", network, "--layer", "watch", "--channel", "7", "-o", tmp_path / "out"
    )
    assert (code, "got --channel 7" in stderr) == (2, True)


def test_an_empty_folder_is_said_to_be_empty(network, tmp_path, capsys):
    (tmp_path / "nothing").mkdir()
    code, _, stderr = command(
        capsys, "examples", tmp_path / "nothing", "-m", network, "--layer", "watch", "-o", tmp_path
    )
    assert code == 2
    assert "no pictures in this folder" in stderr


def test_names_of_layers_cannot_lead_out_of_the_folder(folder, network, tmp_path, capsys):
    out = tmp_path / "out"
    assert command(capsys, "examples", folder, "-m", network, "--layer", "watch#0", "-o", out)[0] == 0
    assert (out / "colours.watch_0.examples.png").exists()


def test_the_same_from_python(folder, network, tmp_path):
    found = seewhy.examples(seewhy.load_model(network), folder, "watch", top=2, cache=tmp_path / "cache")
    assert [example.name[-6:] for example in found.of("watch", 1).top] == ["00.png", "01.png"]
    assert found.sheet([0, 1]).width > 300
