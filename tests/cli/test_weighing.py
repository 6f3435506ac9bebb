"""`seewhy importance` through its real door."""

import csv
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

import seewhy
from command import command
from networks import SmallCNN, seeded
from seewhy.cli.weighing import ENDINGS, table_text
from seewhy.contributions.table import Estimate, Importance, Weight


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    return command(capsys, "importance", *arguments)


@pytest.fixture
def small(monkeypatch):
    """A network of a few channels stands in the place of the built-in one."""
    model = seewhy.Model(
        seeded(SmallCNN()).float(), size=16, mean=0.5, std=0.25, labels=("ant", "bee", "cat", "dog"), name="small"
    )
    monkeypatch.setattr("seewhy.cli.weighing.load_model", lambda name, checkpoint: model)


@pytest.fixture
def folder(tmp_path):
    """Twenty-one pictures, bright and dark in turn, one of them broken."""
    made = tmp_path / "photos"
    made.mkdir()
    generator = np.random.default_rng(0)
    for place in range(20):
        pixels = generator.integers(0, 120, (16, 16, 3)) + 130 * (place % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(made / f"p{place:02d}.png")
    (made / "p20.png").write_bytes(b"no picture")
    return made


def test_one_photo_gives_page_picture_numbers_and_table(small, photo, tmp_path, capsys):
    out = tmp_path / "out"
    code, stdout, _ = run(capsys, photo, "--of", "regions", "--count", "2", "-o", out)
    assert code == 0
    assert sorted(path.name for path in out.iterdir()) == sorted(f"disc.importance.regions.{end}" for end in ENDINGS)
    numbers = json.loads((out / "disc.importance.regions.json").read_text())
    inside = re.search(
        r'id="numbers-json">(.*?)</script>',
        (out / "disc.importance.regions.html").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert json.loads(inside[1]) == numbers
    rows = list(csv.DictReader(io.StringIO((out / "disc.importance.regions.csv").read_text())))
    assert [row["unit"] for row in rows] == [weight["unit"] for weight in numbers["weights"]]
    assert [float(row["score"]) for row in rows] == [weight["score"]["value"] for weight in numbers["weights"]]
    assert [abs(float(row["score"])) for row in rows] == sorted(
        (abs(float(row["score"])) for row in rows), reverse=True
    )
    assert "Which regions count?" in stdout
    assert "The ranking is not checked" in stdout
    assert "taken away: " in stdout
    with Image.open(out / "disc.importance.regions.png") as picture:
        assert picture.width == 1000


def test_nothing_is_overwritten_unasked_and_json_goes_to_stdout(small, photo, tmp_path, capsys):
    assert run(capsys, photo, "--of", "bands", "-o", tmp_path)[0] == 0
    code, _, stderr = run(capsys, photo, "--of", "bands", "-o", tmp_path)
    assert code == 2
    assert "--force" in stderr
    code, stdout, _ = run(capsys, photo, "--of", "bands", "-o", tmp_path, "--force", "--json")
    told = json.loads(stdout)
    assert code == 0
    assert {weight["unit"] for weight in told["weights"]} == {"red", "green", "blue"}
    assert told["provenance"]["model"] == "small"
    assert set(told["files"]) == set(ENDINGS)


def test_a_folder_with_a_broken_picture_is_done_without_it(small, folder, tmp_path, capsys):
    code, stdout, stderr = run(capsys, folder, "--of", "bands", "-o", tmp_path / "out")
    assert code == 0
    assert "20 pictures, 3 input channels" in stdout
    assert "p20.png is not a picture" in stderr
    assert re.search(r"The ranking (holds|is not shown|is worse)", stdout)


def test_attributes_of_a_table_that_lacks_some(small, folder, tmp_path, capsys):
    lines = ["picture,light,camera,same"]
    lines += [f"p{place:02d}.png,{'bright' if place % 2 else 'dark'},c{place % 3},=1+1" for place in range(20)]
    path = tmp_path / "meta.csv"
    path.write_text("\n".join([*lines, "other.png,dark,c1,x"]))
    code, stdout, stderr = run(
        capsys, folder, "--of", "attributes", "--table", path, "-o", tmp_path / "out", "--seed", 1
    )
    assert code == 0, stderr
    assert "Which attributes tell where the network fails?" in stdout
    assert "1 of 21 pictures have no row in meta.csv, such as p20.png" in stdout
    assert "column 'same' is left out" in stdout
    page = (tmp_path / "out" / "photos.importance.attributes.html").read_text(encoding="utf-8")
    assert "--of attributes" in page
    assert "--seed 1" in page
    assert "Where the network does worse" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--of", "regins"), "nearest: 'regions'"),
        (("--of", "../up"), "--of is one of"),
        (("--of", "attributes"), "takes --table CSV"),
        (("--table", "meta.csv"), "--table and --key are for --of attributes"),
        (("--masks", "."), "--masks is for --of foreground"),
        (("--of", "attributes", "--table", "meta.csv", "--by", "shapley", "--group", "0.9"), "--group, --by: not for"),
        (("--target", "no such class at all"), "no class"),
        (("--budget", "soon"), "budget"),
        (("--model", "none-of-these"), "none-of-these"),
        (("--layer", "blocks.99", "--of", "channels"), "blocks.99"),
    ],
)
def test_what_does_not_go_together_is_told_before_any_file_is_written(photo, tmp_path, capsys, arguments, message):
    code, _, stderr = run(capsys, photo, *arguments, "-o", tmp_path / "out")
    assert code == 2
    assert message in stderr
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


def test_no_such_photo_and_an_empty_folder(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert "no pictures in this folder" in run(capsys, tmp_path / "empty", "-o", tmp_path)[2]
    assert "no such file" in run(capsys, tmp_path / "none.png", "-o", tmp_path)[2]


def test_names_that_a_spreadsheet_would_run_are_harmless():
    one = Estimate(-1.0, -2.0, 0.0)
    found = Importance("channels", (Weight("=cmd()", one, one, one, note="@x"),), "mean", 2, "t", "logit", "labels")
    [row] = csv.DictReader(io.StringIO(table_text(found)))
    assert row["unit"] == "'=cmd()"
    assert row["note"] == "'@x"
    assert row["score low"] == "-2.0"
