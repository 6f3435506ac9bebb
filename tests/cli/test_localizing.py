"""`seewhy local`: files of each photo, one line for what is wrong."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy
from command import command


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    colours = np.random.default_rng(0).integers(0, 255, (2, 4, 4, 3), dtype=np.uint8)
    for name, colour in zip(("one", "two"), colours, strict=True):
        Image.fromarray(colour).resize((40, 40), Image.Resampling.NEAREST).save(folder / f"{name}.png")
    return folder


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 5, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(324, 3)).eval()
    model = seewhy.Model(network, size=40, mean=(0.5,) * 3, std=(0.5,) * 3, labels=("ant", "bee", "cat"))
    monkeypatch.setattr("seewhy.cli.localizing.load_model", lambda name, checkpoint: model)


USUAL = ("--segments", "grid", "--samples", 20, "--runs", 2, "--fill", "mean")


def test_each_photo_has_a_page_a_picture_and_numbers(capsys, photos, tmp_path):
    (photos / "three.png").write_bytes(b"no picture")
    code, out, err = command(capsys, "local", photos, "-o", tmp_path, "--json", "-t", "bee", *USUAL)
    assert code == 3 and "three.png" in err, err
    told = json.loads(out)
    assert [one["photo"] for one in told["photos"]] == ["one.png", "two.png"]
    for one in told["photos"]:
        assert one["target"] == "bee" and set(one["models"]) == {"linear", "tree"}
        read = json.loads((tmp_path / f"{one['photo'][:-4]}.local.json").read_text())
        assert read["models"] == one["models"]
        page = (tmp_path / f"{one['photo'][:-4]}.local.html").read_text()
        assert "--samples 20" in page and "R² on held-out neighbours" in page
        assert Image.open(one["files"]["png"]).width == 1000


def test_one_kind_is_said_in_words(capsys, photos, tmp_path):
    code, out, err = command(capsys, "local", photos / "one.png", "-o", tmp_path, "--into", "tree", *USUAL)
    assert code == 0, err
    assert out.startswith("small tree of ")
    assert "linear" not in out.split("wrote")[0]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--into", "forest"), "linear, tree or all"),
        (("-t", "dog"), "dog"),
        (("--keep", "2"), "between 0 and 1"),
        (("--budget", "5"), "at least 24 forwards"),
    ],
)
def test_a_mistake_costs_one_line_and_no_file(capsys, photos, tmp_path, options, says):
    code, _, err = command(capsys, "local", photos, "-o", tmp_path / "out", *USUAL, *options)
    assert code == 2 and says in err
    assert not list((tmp_path / "out").glob("*"))


def test_nothing_is_overwritten_unasked(capsys, photos, tmp_path):
    (tmp_path / "one.local.png").write_bytes(b"mine")
    code, _, err = command(capsys, "local", photos / "one.png", "-o", tmp_path, *USUAL)
    assert code == 3 and "--force" in err
    assert (tmp_path / "one.local.png").read_bytes() == b"mine"
