"""`seewhy concepts`, and `seewhy importance --of concepts`, through their real door."""

import json
import re

import numpy as np
import pytest
from PIL import Image

import seewhy
from command import command
from networks import SmallCNN, seeded
from seewhy.cli.discovering import ENDINGS
from seewhy.cli.outputs import plain_name
from seewhy.concepts.loading import load_dictionary


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    return command(capsys, "concepts", *arguments)


@pytest.fixture
def small(monkeypatch):
    """A network of a few channels stands in the place of the built-in one."""
    model = seewhy.Model(
        seeded(SmallCNN()).float(), size=16, mean=0.5, std=0.25, labels=("ant", "bee", "cat", "dog"), name="small"
    )
    for where in ("discovering", "weighing"):
        monkeypatch.setattr(f"seewhy.cli.{where}.load_model", lambda name, checkpoint: model)
    return model


@pytest.fixture
def folder(tmp_path):
    """Two folders of twelve pictures, dark ants and bright bees."""
    generator = np.random.default_rng(0)
    for number, name in enumerate(("ant", "bee")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for place in range(12):
            pixels = generator.integers(0, 120, (16, 16, 3)) + 130 * number
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "photos" / name / f"{place:02d}.png")
    return tmp_path / "photos"


LAYER = ("--layer", "act")


def test_a_folder_gives_page_picture_numbers_and_dictionary(small, folder, tmp_path, capsys):
    out = tmp_path / "out"
    code, stdout, _ = run(capsys, folder, *LAYER, "--count", "3", "-o", out)
    assert code == 0
    assert sorted(path.name for path in out.iterdir()) == sorted(f"photos.act.concepts.{end}" for end in ENDINGS)
    numbers = json.loads((out / "photos.act.concepts.json").read_text())
    page = (out / "photos.act.concepts.html").read_text(encoding="utf-8")
    inside = re.search(r'id="numbers-json">(.*?)</script>', page, re.DOTALL)
    assert json.loads(inside[1]) == numbers
    assert len(numbers["concepts"]) == 3
    assert page.count('class="card"') == sum(not one["note"] for one in numbers["concepts"])
    sizes = [one["size"]["value"] for one in numbers["concepts"]]
    assert sizes == sorted(sizes, reverse=True)
    assert load_dictionary(out / "photos.act.concepts.safetensors").layer == "act"
    assert "What “act” is made of" in stdout
    assert "of what the layer gives (its variance) is explained" in stdout
    assert "seewhy concepts" in page
    assert "--count 3" in page
    with Image.open(out / "photos.act.concepts.png") as picture:
        assert picture.width == 1240


def test_a_dictionary_that_was_written_can_be_looked_at_again_and_ranked(small, folder, tmp_path, capsys):
    assert run(capsys, folder, *LAYER, "--count", "3", "--names", "numbers", "-o", tmp_path)[0] == 0
    file = tmp_path / "photos.act.concepts.safetensors"
    code, stdout, _ = run(capsys, folder, "--dictionary", file, "--json", "-o", tmp_path / "again")
    told = json.loads(stdout)
    first = json.loads((tmp_path / "photos.act.concepts.json").read_text())
    assert code == 0
    assert set(told["files"]) == set(ENDINGS)
    assert [one["number"] for one in told["concepts"]] == [one["number"] for one in first["concepts"]]
    code, stdout, _ = command(
        capsys, "importance", folder, "--of", "concepts", "--dictionary", file, "-o", tmp_path / "ranked"
    )
    assert code == 0
    assert "Which concepts of act count?" in stdout
    ranked = json.loads((tmp_path / "ranked" / "photos.importance.concepts.json").read_text())
    assert {one["unit"] for one in ranked["weights"]} == {"concept 0", "concept 1", "concept 2"}
    code, _, stderr = command(capsys, "importance", folder, "--of", "concepts", "-o", tmp_path / "ranked")
    assert (code, "takes --dictionary FILE" in stderr) == (2, True)
    code, _, stderr = command(capsys, "importance", folder, "--of", "bands", "--dictionary", file, "-o", tmp_path)
    assert (code, "--dictionary is for --of concepts" in stderr) == (2, True)


def test_the_cache_is_used_and_nothing_is_overwritten_unasked(small, folder, tmp_path, capsys):
    arguments = (folder, *LAYER, "--count", "2", "--cache", tmp_path / "cache", "-o", tmp_path)
    assert run(capsys, *arguments)[0] == 0
    assert len(list((tmp_path / "cache").iterdir())) == 1
    before = (tmp_path / "photos.act.concepts.json").read_text()
    code, _, stderr = run(capsys, *arguments)
    assert code == 2
    assert "--force" in stderr
    assert run(capsys, *arguments, "--force")[0] == 0
    assert (tmp_path / "photos.act.concepts.json").read_text() == before


def test_a_broken_picture_is_left_out_and_said(small, folder, tmp_path, capsys):
    (folder / "ant" / "99.png").write_bytes(b"no picture")
    code, stdout, stderr = run(capsys, folder, *LAYER, "--count", "2", "-o", tmp_path)
    assert code == 3
    assert "99.png" in stderr
    assert "1 picture could not be read and is left out" in stdout
    assert (tmp_path / "photos.act.concepts.html").exists()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--count", "99"), "24 pictures are fewer than 99 concepts"),
        (("--kind", "nfm"), "nearest: 'nmf'"),
        (("--by", "banzhaf"), "'shapley', 'sobol', 'ablation'"),
        (("--names", "folders"), "--names is 'classes' or 'numbers'"),
        (("--layer", "acct"), "acct"),
        (("--dictionary", "missing.safetensors"), "no such file"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(folder, tmp_path, capsys, arguments, said):
    settings = () if arguments[0] in ("--layer", "--dictionary") else LAYER
    code, _, stderr = run(capsys, folder, *settings, *arguments, "-o", tmp_path / "out")
    assert code == 2
    assert said in stderr
    assert len(stderr.strip().splitlines()) == 1
    assert not list((tmp_path / "out").iterdir())


def test_a_folder_that_is_missing_or_holds_no_pictures_is_said(small, tmp_path, capsys):
    code, _, stderr = run(capsys, tmp_path / "nowhere", *LAYER)
    assert (code, "nowhere" in stderr) == (2, True)


def test_names_never_lead_out_of_the_folder():
    assert plain_name("../../etc/x") == "_.._etc_x"
    assert plain_name("..") == "pictures"
    assert plain_name("blocks.3") == "blocks.3"
