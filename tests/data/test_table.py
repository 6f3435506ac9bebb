"""Tables of attributes: rows find their pictures, and what is wrong with a table is told."""

import csv
import io

import pytest

from seewhy.data.table import csv_text, join, read_table
from seewhy.errors import ConfigError, DataError

NAMES = ("/data/a/one.png", "/data/b/two.jpg", "/data/b/three.jpg")


def written(folder, text, encoding="utf-8"):
    path = folder / "meta.csv"
    path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    "cells",
    [
        ("one.png", "two.jpg", "three.jpg"),
        ("one", "two", "three"),
        ("a/one.png", "b/two", "b/three.jpg"),
        ("/data/a/one.png", "/data/b/two.jpg", "/data/b/three.jpg"),
        ("ONE.PNG", "Two.JPG", "THREE.jpg"),
        ("a\\one.png", "b\\two.jpg", ".\\b\\three.jpg".replace(".\\", "./")),
    ],
)
def test_every_way_of_naming_a_picture_finds_it(tmp_path, cells):
    rows = "\n".join(f"{cell},{number}" for number, cell in enumerate(cells))
    found = join(read_table(written(tmp_path, f"file,site\n{rows}\n")), NAMES)
    assert found.key == "file"
    assert found.places == (0, 1, 2)
    assert [(column.name, column.cells) for column in found.columns] == [("site", ("0", "1", "2"))]
    assert found.notes == ()


def test_the_key_is_the_column_that_names_most_pictures_wherever_it_stands(tmp_path):
    path = written(tmp_path, "site,other,picture\ns1,one,one.png\ns2,x,two.jpg\ns3,y,three.jpg\n")
    assert join(read_table(path), NAMES).key == "picture"
    by_other = join(read_table(path), NAMES, key="other")
    assert (by_other.key, by_other.places) == ("other", (0,))
    with pytest.raises(ConfigError, match="nearest: 'picture'"):
        join(read_table(path), NAMES, key="pictures")


def test_pictures_without_a_row_are_left_out_and_counted(tmp_path):
    found = join(read_table(written(tmp_path, "file,site\ntwo.jpg,s\nfour.jpg,t\n")), NAMES)
    assert found.places == (1,)
    assert found.missing == (NAMES[0], NAMES[2])
    assert "2 of 3 pictures have no row in meta.csv, such as one.png" in found.notes[0]


def test_equal_rows_are_one_and_rows_that_differ_are_none(tmp_path):
    text = "file,site\none.png,s\none.png,s\ntwo.jpg,s\ntwo.jpg,t\nthree.jpg,u\n"
    found = join(read_table(written(tmp_path, text)), NAMES)
    assert found.places == (0, 2)
    assert found.ambiguous == (NAMES[1],)
    assert "several rows that differ" in found.notes[0]


def test_a_name_that_two_pictures_share_names_neither(tmp_path):
    names = ("/data/a/1.png", "/data/b/1.png", "/data/b/2.png")
    found = join(read_table(written(tmp_path, "file,site\n1.png,s\n2.png,t\n")), names)
    assert found.places == (2,)
    by_folder = join(read_table(written(tmp_path, "file,site\na/1.png,s\nb/1.png,t\n")), names)
    assert by_folder.places == (0, 1)


def test_nothing_joined_is_an_error_that_says_how(tmp_path):
    with pytest.raises(DataError, match=r"no cell of column .* one of the 3 pictures, such as 'one.png'.*--key"):
        join(read_table(written(tmp_path, "file,site\nx.png,s\n")), NAMES)
    with pytest.raises(DataError, match="every picture has several rows"):
        join(read_table(written(tmp_path, "file,site\none.png,s\none.png,t\n")), NAMES[:1])


@pytest.mark.parametrize(
    ("delimiter", "encoding"), [(";", "utf-8-sig"), ("\t", "utf-16"), ("|", "utf-8"), (",", "utf-8")]
)
def test_delimiters_and_encodings(tmp_path, delimiter, encoding):
    text = delimiter.join(["file", "Ort"]) + "\r\n" + delimiter.join(["one.png", "Köln"]) + "\r\n"
    found = join(read_table(written(tmp_path, text, encoding)), NAMES[:1])
    assert found.columns[0].name == "Ort"
    assert found.columns[0].cells == ("Köln",)


def test_quoted_cells_and_missing_words(tmp_path):
    text = 'file,note,age\none.png,"rain, fog",NaN\ntwo.jpg, N/A ,3.5\nthree.jpg,none,4\n'
    note, age = join(read_table(written(tmp_path, text)), NAMES).columns
    assert note.cells == ("rain, fog", "", "none")
    assert note.numbers is None
    assert str(age.numbers.tolist()) == "[nan, 3.5, 4.0]"


def test_infinite_numbers_are_no_numbers(tmp_path):
    [column] = join(read_table(written(tmp_path, "file,x\none.png,1\ntwo.jpg,1e999\nthree.jpg,2\n")), NAMES).columns
    assert column.numbers is None


def test_lines_with_another_number_of_cells_are_left_out_and_told(tmp_path):
    found = join(read_table(written(tmp_path, "file,site\none.png,s\ntwo.jpg\nthree.jpg,u,v\n\n")), NAMES)
    assert found.places == (0,)
    assert any("2 lines of meta.csv" in note and "line 3" in note for note in found.notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("file,site\n", "no rows"),
        ("file,site\na\n", "line 2 has another number of cells"),
        ("file\none.png\n", "one column"),
        ("file,site,site\none.png,a,b\n", "two columns are called 'site'"),
        (b"file,site\none.png,\xff\xfe\xfa\n", "not text in UTF-8 .byte 18"),
        (b"file,site\none.png,\x00\n", "zero bytes"),
        ('file,site\n"one.png,s\n', "line"),
        ("file,site\none.png," + "x" * 70000 + "\n", "more than 65536 letters"),
        (",".join(map(str, range(1001))) + "\n", "1001 columns"),
    ],
)
def test_what_is_wrong_with_a_table_is_told(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_table(written(tmp_path, text))


def test_no_file_a_folder_and_too_large_a_file(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="no such file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path)
    monkeypatch.setattr("seewhy.data.table.MOST_BYTES", 10)
    with pytest.raises(DataError, match="larger than"):
        read_table(written(tmp_path, "file,site\none.png,s\n"))


def test_a_cell_that_a_spreadsheet_would_run_gets_an_apostrophe_and_numbers_stay_numbers():
    text = csv_text(["unit", "value"], [["=1+1", -2.5], ["@x", 1], ["-y", 0.5], ['say "a", b', 3]])
    rows = list(csv.reader(io.StringIO(text)))
    assert rows == [
        ["unit", "value"],
        ["'=1+1", "-2.5"],
        ["'@x", "1"],
        ["'-y", "0.5"],
        ['say "a", b', "3"],
    ]
