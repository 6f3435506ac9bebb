"""`seewhy concept-map` through its real door: a sum that adds up in every file, and refusals in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from command import command
from seewhy.adapters.load import load_model
from seewhy.api import Session
from seewhy.concepts.fitting import fit_dictionary
from seewhy.data.features import features

NETWORK = """
import torch, seewhy
from torch import nn

def made(seed):
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3))
    return seewhy.Model(network.eval(), size=12, mean=0.5, std=0.5, labels=["<b>a</b>", "b", "c"], name="small")

def small():
    return made(0)

def other():
    return made(1)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A small network, six pictures and a dictionary of them."""
    folder = tmp_path_factory.mktemp("concept-map")
    (folder / "nets.py").write_text(NETWORK)
    (folder / "photos").mkdir()
    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 255, (14, 16, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{number}.png")
    session = Session(load_model(f"{folder / 'nets.py'}:small"))
    given = features(session, folder / "photos", "1")
    fit_dictionary(given, "nmf", 4).save(folder / "concepts.safetensors")
    return folder


def asked(folder: Path, *more: object, model: str = "small") -> tuple[object, ...]:
    photo = folder / "photos" / "3.png"
    return ("concept-map", photo, "-m", f"{folder / 'nets.py'}:{model}", "-d", folder / "concepts.safetensors", *more)


def test_files_hold_the_same_sum_and_nothing_is_overwritten(folder, tmp_path, capsys):
    order = asked(folder, "--data", folder / "photos", "-o", tmp_path)
    code, stdout, stderr = command(capsys, *order)
    assert (code, stderr) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "3.concept-map.html",
        "3.concept-map.json",
        "3.concept-map.png",
    ]
    found = json.loads((tmp_path / "3.concept-map.json").read_text())
    terms = [found["baseline"], *(one["contribution"] for one in found["concepts"])]
    assert sum(terms) + found["offset"] + found["rest"] + found["error"] == pytest.approx(found["score"], abs=1e-5)
    assert len(found["concepts"]) == 4 and found["affine"]
    page = (tmp_path / "3.concept-map.html").read_text()
    assert "<b>a</b>" not in page and found["concepts"][0]["name"] in page
    assert f"{found['score']:.3g}" in stdout
    code, _, stderr = command(capsys, *order)
    assert code != 0 and "there already" in stderr


def test_a_contrast_is_the_difference_of_two_logits(folder, tmp_path, capsys):
    code, stdout, _ = command(capsys, *asked(folder, "--target", "b", "--against", "c", "--json", "-o", tmp_path))
    [found] = json.loads(stdout)["photos"]
    assert code == 0 and found["target"] == "b rather than c"
    session = Session(load_model(f"{folder / 'nets.py'}:small"))
    with torch.no_grad():
        [made] = session.samples([folder / "photos" / "3.png"])
        logits = session.predict(made.inputs[None])[0]
    assert found["score"] == pytest.approx(float(logits[1] - logits[2]), abs=1e-5)


def test_another_network_is_refused(folder, tmp_path, capsys):
    code, _, stderr = command(capsys, *asked(folder, "-o", tmp_path, model="other"))
    assert code == 2 and "fitted on another network" in stderr and not list(tmp_path.iterdir())


def test_without_a_dictionary_the_network_must_state_concepts(folder, tmp_path, capsys):
    order = [one for one in asked(folder, "-o", tmp_path) if one not in ("-d", folder / "concepts.safetensors")]
    code, _, stderr = command(capsys, *order)
    assert code == 2 and "states no concepts of its own" in stderr


@pytest.mark.parametrize(
    ("replaced", "why"), [("missing.safetensors", "no such file"), ("nets.py", "no dictionary saved by seewhy")]
)
def test_a_file_that_is_no_dictionary(folder, tmp_path, capsys, replaced, why):
    order = [
        folder / replaced if one == folder / "concepts.safetensors" else one for one in asked(folder, "-o", tmp_path)
    ]
    code, _, stderr = command(capsys, *order)
    assert code == 2 and why in stderr


def test_an_unreadable_photo_does_not_stop_the_others(folder, tmp_path, capsys):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    order = asked(folder, "-o", tmp_path / "out")
    code, stdout, stderr = command(capsys, order[0], broken, *order[1:])
    assert code == 3 and "broken.png" in stderr and (tmp_path / "out" / "3.concept-map.html").exists()
    assert "wrote" in stdout
