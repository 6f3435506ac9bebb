"""Files that are no dictionary are refused with their name and a reason."""

import json

import pytest
import torch
from safetensors.torch import save_file

from seewhy.concepts.loading import load_dictionary
from seewhy.concepts.nmf import NMF
from seewhy.errors import DataError

ABOUT = {"format": 1, "kind": "nmf", "names": ["a", "b"], "layer": "l", "fingerprint": None, "settings": {}}


def written(tmp_path, about=ABOUT, **arrays):
    path = tmp_path / "d.safetensors"
    made = {"atoms": torch.eye(2, 3), "offset": torch.zeros(3), **arrays}
    save_file(made, path, metadata={"seewhy": json.dumps(about)})
    return path


def test_what_is_written_by_hand_is_read(tmp_path):
    one = load_dictionary(written(tmp_path))
    assert isinstance(one, NMF)
    assert one.names == ("a", "b")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": 2}, "format 1"),
        ({"kind": "lda"}, "kind 'lda', this version knows nmf"),
        ({"names": ["a"]}, "name each of its 2"),
        ({"names": ["a", 3]}, "name each of its 2"),
        ({"names": ["a", "b\x1b[2J"]}, "name each of its 2"),
        ({"settings": [1]}, "settings"),
        ({"fingerprint": {"data": "x"}}, "network"),
        ({"fingerprint": {"data": 1, "network": "n", "preprocessing": {}}}, "fingerprint"),
    ],
)
def test_a_wrong_statement(tmp_path, change, reason):
    with pytest.raises(DataError, match=reason):
        load_dictionary(written(tmp_path, {**ABOUT, **change}))


@pytest.mark.parametrize("missing", list(ABOUT))
def test_a_missing_statement(tmp_path, missing):
    about = {name: value for name, value in ABOUT.items() if name != missing}
    with pytest.raises(DataError, match=f"no '{missing}'"):
        load_dictionary(written(tmp_path, about))


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"atoms": torch.zeros(2, 3, 1)}, "wanted is"),
        ({"atoms": torch.zeros(0, 3)}, "wanted is"),
        ({"offset": torch.zeros(4)}, "do not fit"),
        ({"atoms": torch.full((2, 3), torch.nan)}, "atoms holds what is no finite number"),
        ({"offset": torch.zeros(3, dtype=torch.long)}, "offset holds what is no finite number"),
    ],
)
def test_wrong_arrays(tmp_path, arrays, reason):
    with pytest.raises(DataError, match=reason):
        load_dictionary(written(tmp_path, **arrays))


def test_another_safetensors_file(tmp_path):
    save_file({"weight": torch.zeros(3)}, tmp_path / "w.safetensors")
    with pytest.raises(DataError, match=r"w\.safetensors: no dictionary saved by seewhy \(there is no 'seewhy' in it"):
        load_dictionary(tmp_path / "w.safetensors")


def test_a_damaged_file(tmp_path):
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match="no dictionary saved by seewhy"):
        load_dictionary(path)


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        load_dictionary(tmp_path / "none.safetensors")
    with pytest.raises(DataError, match="no dictionary saved"):
        load_dictionary(tmp_path)


def test_a_file_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr("seewhy.concepts.loading.LARGEST", 100)
    with pytest.raises(DataError, match="larger than"):
        load_dictionary(written(tmp_path))


def test_another_ending_and_an_existing_file(tmp_path):
    one = load_dictionary(written(tmp_path))
    with pytest.raises(DataError, match=r"written as \.safetensors"):
        one.save(tmp_path / "d.pkl")
    with pytest.raises(DataError, match="exists"):
        one.save(tmp_path / "d.safetensors")
    one.save(tmp_path / "d.safetensors", force=True)
