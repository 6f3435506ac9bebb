"""`seewhy tcav` from folders to files."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from command import command
from seewhy.concepts.loading import load_dictionary

SIDE = 16
MODEL = """
import torch
from torch import nn
import seewhy


def build():
    network = nn.Sequential()
    network.add_module("layer", nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()))
    network.add_module("pool", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    network.add_module("head", nn.Linear(4, 2))
    network.layer[0].weight.data = torch.tensor([[1.0, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]])[:, :, None, None]
    network.layer[0].bias.data = torch.tensor([-2.4, 0, 0, 0])
    network.head.weight.data = torch.tensor([[100.0, 0, 0, 0], [0.0, 0, 0, 0]])
    network.head.bias.data = torch.tensor([-4.4, 0.0])
    return seewhy.Model(network, size=16, mean=0, std=1, labels=["bright", "dull"])
"""


def write(folder: Path, count: int, seed: int, *, patch: bool) -> None:
    folder.mkdir(parents=True)
    pictures = 190 * torch.rand(count, SIDE, SIDE, 3, generator=torch.Generator().manual_seed(seed))
    for number, picture in enumerate(pictures.round().byte().numpy()):
        if patch:
            picture[4:9, 2 + number % 7 : 7 + number % 7] = 255
        Image.fromarray(np.ascontiguousarray(picture)).save(folder / f"{number}.png")


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("given")
    (root / "network.py").write_text(MODEL)
    write(root / "data" / "bright", 8, 1, patch=True)
    write(root / "data" / "dull", 8, 2, patch=False)
    write(root / "concepts" / "patch <b>", 8, 3, patch=True)
    write(root / "concepts" / "nothing", 8, 4, patch=False)
    write(root / "concepts" / "single", 1, 5, patch=False)
    write(root / "random", 24, 6, patch=False)
    return root


def asked(root: Path, *more: object) -> tuple[object, ...]:
    model = f"{root / 'network.py'}:build"
    given = (
        "tcav",
        root / "concepts",
        root / "data",
        "--model",
        model,
        "--layer",
        "layer",
        "--random",
        root / "random",
    )
    return (*given, *more)


def test_the_files_say_what_was_planted(folders, tmp_path, capsys):
    code, out, err = command(capsys, *asked(folders, "-o", tmp_path, "--cache", tmp_path / "cache"))
    assert code == 0, err
    assert "“patch <b>” speaks for bright" in out
    assert "“nothing”: not told from random pictures" in out
    assert "left out: single" in err
    numbers = json.loads((tmp_path / "concepts.tcav.json").read_text())
    assert [(one["name"], one["verified"]) for one in numbers["concepts"]] == [("patch <b>", True), ("nothing", False)]
    assert numbers["concepts"][0]["classes"]["bright"]["direction"] == "for"
    assert numbers["concepts"][0]["erasure"]["classes"]["bright"]["fall"]["value"] == 1.0
    rows = list(csv.DictReader((tmp_path / "concepts.tcav.csv").open()))
    assert [(row["concept"], row["class"]) for row in rows[:2]] == [("patch <b>", "bright"), ("patch <b>", "dull")]
    assert float(rows[0]["lost"]) == 1.0 and rows[0]["direction"] == "for"
    assert Image.open(tmp_path / "concepts.tcav.png").width >= 1000
    page = (tmp_path / "concepts.tcav.html").read_text()
    assert "patch &lt;b&gt;" in page and "<b>” speaks" not in page
    assert "not told from random pictures" in page
    assert load_dictionary(tmp_path / "concepts.tcav.safetensors").names == ("nothing", "patch <b>")


def test_json_goes_to_stdout_and_nothing_is_overwritten(folders, tmp_path, capsys):
    code, out, _ = command(capsys, *asked(folders, "-o", tmp_path, "--json", "--no-erasure", "--class", "bright"))
    assert code == 0
    found = json.loads(out)
    assert list(found["concepts"][0]["classes"]) == ["bright"] and "erasure" not in found["concepts"][0]
    code, _, err = command(capsys, *asked(folders, "-o", tmp_path))
    assert code != 0 and "--force" in err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--class", "brigth"), "nearest: 'bright'"),
        (("--way", "lda"), "mean difference, ridge, logistic"),
        (("--repeats", "9"), "at least 50"),
        (("--random", "missing"), "no such folder"),
    ],
)
def test_what_is_wrong_is_said(folders, tmp_path, capsys, more, said):
    code, _, err = command(capsys, *asked(folders, "-o", tmp_path, *more))
    assert code != 0 and said in " ".join(err.split())
    assert not list(tmp_path.glob("*.html"))
