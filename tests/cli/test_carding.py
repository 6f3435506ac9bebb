"""`seewhy unit` and `seewhy atlas` through their real door: files, exit codes, one line an error."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command import command
from seewhy.cli.carding import file_stem

NETWORK = """
import torch, seewhy
from torch import nn

def small():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    return seewhy.Model(network.eval(), size=12, mean=0.5, std=0.5, labels=["a", "b", "c"], name="small")
"""


@pytest.fixture
def network(tmp_path: Path) -> str:
    """A file with a small network, and a folder of pictures beside it."""
    (tmp_path / "nets.py").write_text(NETWORK)
    (tmp_path / "photos").mkdir()
    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 255, (14, 16, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
    return f"{tmp_path / 'nets.py'}:small"


def test_unit_writes_a_page_a_picture_and_numbers_and_overwrites_nothing(network, tmp_path, capsys):
    asked = (
        "unit",
        network,
        "1:2",
        "--data",
        tmp_path / "photos",
        "--steps",
        3,
        "--pictures",
        2,
        "-o",
        tmp_path / "out",
    )
    code, stdout, stderr = command(capsys, *asked)
    assert (code, stderr) == (0, "")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "1-2.unit.html",
        "1-2.unit.json",
        "1-2.unit.png",
    ]
    numbers = json.loads((tmp_path / "out" / "1-2.unit.json").read_text())
    assert numbers["verdict"] in stdout
    assert numbers["command"].endswith("--pictures 2 --steps 3")
    code, _, stderr = command(capsys, *asked)
    assert code == 2
    assert "--force" in stderr


def test_atlas_writes_a_page_and_numbers_and_says_its_price_first(network, tmp_path, capsys):
    code, stdout, stderr = command(
        capsys, "atlas", network, "1", "--data", tmp_path / "photos", "--steps", 2, "-o", tmp_path / "out", "--json"
    )
    assert code == 0
    assert stderr.startswith("4 units: 12 forwards for natural pictures")
    told = json.loads(stdout)
    assert [unit["channel"] for unit in told["units"]] == [0, 1, 2, 3]
    assert (tmp_path / "out" / "1.atlas.html").read_text().count("<article ") == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("unit", "NET", "1", "--data", "PHOTOS"), "layer and the number of a channel"),
        (("unit", "NET", "nine:1", "--data", "PHOTOS"), "no layer 'nine'"),
        (("unit", "NET", "1:9", "--data", "PHOTOS", "--steps", "2"), "4 channels"),
        (("atlas", "NET", "1", "--data", "PHOTOS", "--units", "2-9"), "units 0 to 3"),
        (("atlas", "NET", "1", "--data", "PHOTOS", "--budget", "soon"), "a budget is"),
        (("unit", "NET", "1:1", "--data", "EMPTY"), "no pictures"),
    ],
)
def test_wrong_use_is_one_line(network, tmp_path, capsys, arguments, words):
    (tmp_path / "empty").mkdir()
    places = {"NET": network, "PHOTOS": tmp_path / "photos", "EMPTY": tmp_path / "empty"}
    code, stdout, stderr = command(capsys, *(places.get(one, one) for one in arguments), "-o", tmp_path / "out")
    lines = [line for line in stderr.splitlines() if line.startswith("error:")]
    assert (code, stdout, len(lines)) == (2, "", 1)
    assert words in lines[0]


def test_names_never_leave_their_folder():
    assert file_stem("blocks.8:20") == "blocks.8-20"
    assert "/" not in file_stem("../../etc/passwd:0")
    assert not file_stem("../x").startswith(".")
    assert file_stem(":") == "unit"
