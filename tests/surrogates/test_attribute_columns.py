"""Attributes as what students read: each number by hand, missing and new levels, pictures without a row, the control."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

import seewhy
from seewhy.api import Session
from seewhy.data.features import features
from seewhy.data.table import read_table
from seewhy.errors import ConfigError, DataError
from seewhy.surrogates.attribute_columns import AttributeColumns, Levels, Quantity
from seewhy.surrogates.bases import basis_from, basis_plain

COUNT = 60


@pytest.fixture(scope="module")
def given():
    """Bright and dark pictures; the network says which, from their mean."""
    light = torch.linspace(-1, 1, COUNT)
    inputs = light[:, None, None, None].expand(-1, 1, 4, 4) + 0.01 * torch.randn(
        COUNT, 1, 4, 4, generator=torch.Generator().manual_seed(0)
    )
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network[0].weight.data, network[0].bias.data = torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1), torch.zeros(2)
    return Session(network), inputs.contiguous(), (light > 0).long()


@pytest.fixture
def found(given):
    session, inputs, labels = given
    return features(session, (inputs, labels), "0")


def write(folder: Path, rows, header="file,size,mood,same"):
    path = folder / "table.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture
def table(tmp_path: Path):
    rows = []
    for row in range(COUNT):
        mood = "" if row % 6 == 0 else "odd" if row == 1 else "glad" if row % 2 else "sad"
        rows.append(f"image {row},{'' if row == 0 else 2 * row},{mood},x")
    return write(tmp_path, rows)


def test_numbers_stand_in_deviations_words_as_levels_missing_as_its_own(found, table):
    basis = AttributeColumns.fit(read_table(table), found, torch.arange(COUNT))
    assert basis.names == (
        "size", "size is (missing)", "mood is (missing)", "mood is glad", "mood is sad", "mood is (others)"
    )  # fmt: skip
    read = basis.read(found)
    known = 2 * torch.arange(1, COUNT, dtype=torch.float64)
    wanted = (known - known.mean()) / known.std(correction=0)
    torch.testing.assert_close(read[1:, 0].double(), wanted, atol=1e-5, rtol=0)
    assert read[0].tolist() == [0, 1, 1, 0, 0, 0]
    assert read[1, 1:].tolist() == [0, 0, 0, 0, 1] and read[3, 1:].tolist() == [0, 0, 1, 0, 0]
    assert torch.equal(read[:, 2:].sum(dim=1), torch.ones(COUNT))


def test_how_columns_are_read_is_settled_on_the_pictures_to_fit_on(found, table):
    basis = AttributeColumns.fit(read_table(table), found, torch.arange(0, 40))
    size = basis.columns[0]
    assert isinstance(size, Quantity) and size.mean == pytest.approx(40)  # of 2, 4, ... 78
    assert isinstance(basis.columns[1], Levels)


def test_a_level_that_is_new_counts_as_another(found, table, tmp_path):
    basis = AttributeColumns.fit(read_table(table), found, torch.arange(COUNT))
    (tmp_path / "new").mkdir()
    other = write(tmp_path / "new", [f"image {row},5,furious,x" for row in range(COUNT)])
    assert basis.with_table(other).read(found)[:, 2:].tolist() == COUNT * [[0, 0, 0, 1]]


def test_written_down_it_needs_a_table_again_and_then_reads_the_same(found, table):
    basis = AttributeColumns.fit(read_table(table), found, torch.arange(COUNT))
    again = basis_from(json.loads(json.dumps(basis_plain(basis))))
    with pytest.raises(ConfigError, match="give the table"):
        again.read(found)
    assert torch.equal(again.with_table(table).read(found), basis.read(found))


def test_the_control_gives_each_picture_the_line_of_another(found, table):
    basis = AttributeColumns.fit(read_table(table), found, torch.arange(COUNT))
    own, control = basis.read(found), basis.control(found, 1)
    others = control.read(found)
    assert control.names == basis.names and not torch.equal(own, others)
    assert sorted(own.tolist()) == sorted(others.tolist())
    assert torch.equal(others, basis.control(found, 1).read(found))
    assert not torch.equal(others, basis.control(found, 2).read(found))


def test_what_is_wrong_with_a_table_is_said(found, table, tmp_path):
    basis = AttributeColumns.fit(read_table(table), found, torch.arange(COUNT))
    fewer = write(tmp_path, [f"image {row},5,sad,x" for row in range(COUNT - 1)])
    with pytest.raises(DataError, match="1 of 60 pictures have no row"):
        basis.with_table(fewer).read(found)
    lacking = write(tmp_path, [f"image {row},5" for row in range(COUNT)], "file,size")
    with pytest.raises(ConfigError, match="no column 'mood'"):
        basis.with_table(lacking).read(found)
    words = write(tmp_path, [f"image {row},big,sad,x" for row in range(COUNT)])
    with pytest.raises(DataError, match="held numbers"):
        basis.with_table(words).read(found)
    same = write(tmp_path, [f"image {row},5,x,x" for row in range(COUNT)])
    with pytest.raises(DataError, match="no column differs"):
        AttributeColumns.fit(read_table(same), found, torch.arange(COUNT))


@pytest.mark.parametrize(
    "column",
    [
        {"name": "a", "levels": ["x"]},
        {"name": "a", "levels": ["x", "x"]},
        {"name": "a", "mean": 0, "scale": 0, "missing": False},
        {"name": "a", "mean": float("nan"), "scale": 1, "missing": False},
    ],
)
def test_a_broken_column_is_refused(column):
    with pytest.raises(ValueError, match="column 'a'"):
        AttributeColumns.from_plain({"layer": "0", "key": "file", "columns": [column]})


def test_a_student_of_attributes_that_tell_everything_agrees_and_its_control_does_not(given, table, tmp_path):
    session, inputs, labels = given
    rows = [f"image {row},{row / 7},{'sad' if row % 2 else 'glad'},x" for row in range(COUNT - 6)]
    student = seewhy.distill(
        session.model, (inputs, labels), into="additive", on="attributes", table=write(tmp_path, rows), layer="0"
    )
    assert student.surrogate.numbers[0] == 0 and student.fidelity > 0.9
    assert student.frontier.area.low > 0.2
    assert "6 of 60 pictures have no row" in student.about["notes"][0]
    assert "the same attributes of other pictures" in student.verdict()[1]
    kept = seewhy.load_student(student.save(tmp_path / "kept.json"), session.model, table=tmp_path / "table.csv")
    known = inputs[: COUNT - 6]
    assert torch.equal(kept.scores((known, labels[: COUNT - 6])), student.scores((known, labels[: COUNT - 6])))
    with pytest.raises(ConfigError, match="give the table"):
        seewhy.load_student(tmp_path / "kept.json", session.model).predict((known, labels[: COUNT - 6]))
    reads_channels = seewhy.distill(session.model, (inputs, labels), on="channels", layer="0")
    with pytest.raises(ConfigError, match="not attributes"):
        seewhy.load_student(reads_channels.save(tmp_path / "other.json"), table=tmp_path / "table.csv")
