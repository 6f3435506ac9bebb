"""Batches are read in order, from anywhere on, and tell what each picture can be known by."""

import threading
from hashlib import blake2b

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from seewhy.data import dataset as module
from seewhy.data.dataset import Mark, content_digest, dataset
from seewhy.data.likeness import signature
from seewhy.data.picture import sample
from seewhy.engine.model import Model
from seewhy.errors import DataError, SeewhyError, ShapeError


@pytest.fixture
def model():
    return Model(nn.Identity(), size=8, mean=0.0, std=1.0, labels=["cat", "dog"])


@pytest.fixture
def folder(tmp_path):
    for kind in ("cat", "dog"):
        (tmp_path / kind).mkdir()
        for number in range(6):
            pixels = np.full((10, 10, 3), 10 * number + 100 * (kind == "dog"), np.uint8)
            Image.fromarray(pixels).save(tmp_path / kind / f"{number}.png")
    (tmp_path / "cat" / "2b.png").write_bytes(b"none")
    return tmp_path


def test_pictures_come_in_order_with_their_classes_and_broken_ones_are_left_out(folder, model):
    data = dataset(folder, model)
    batches = list(data.batches(model, 5))
    assert [len(batch.places) for batch in batches] == [5, 5, 2]
    assert [place for batch in batches for place in batch.places] == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert torch.cat([batch.labels for batch in batches]).tolist() == [0] * 6 + [1] * 6
    assert [name[-6:] for name in data.broken] == ["2b.png"]
    levels = [round(float(row.mean()) * 255) for batch in batches for row in batch.inputs]
    assert levels == [10 * number for number in range(6)] + [100 + 10 * number for number in range(6)]


def test_from_behind_a_batch_the_batches_are_the_same(folder, model):
    data = dataset(folder, model)
    whole = [batch.places for batch in data.batches(model, 3)]
    for number, places in enumerate(whole[:-1]):
        assert [batch.places for batch in data.batches(model, 3, begin=places[-1] + 1)] == whole[number + 1 :]


def test_a_rest_that_is_broken_is_no_error_where_something_came_before(folder, model):
    (folder / "dog" / "9.png").write_bytes(b"none")
    data = dataset(folder, model)
    assert list(data.batches(model, 4, begin=13)) == []
    only = dataset([folder / "dog" / "9.png"], model)
    with pytest.raises(DataError, match="none of the 1 pictures"):
        list(only.batches(model, 4))


def test_marks_are_of_the_content(folder, model):
    data = dataset(folder, model)
    [first, *_] = data.batches(model, 4, marks=True, light=True)
    path = data.paths[0]
    assert first.marks[0].digest == blake2b(path.read_bytes(), digest_size=16).digest()
    assert first.marks[0].likeness == signature(Image.open(path))
    assert first.samples[0].picture is None
    assert first.samples[0].geometry is not None
    [plain, *_] = data.batches(model, 4)
    assert plain.marks == ()
    assert plain.samples[0].picture is not None


def test_ready_inputs_are_marked_by_their_numbers(model):
    inputs = torch.arange(48.0).reshape(4, 3, 2, 2)
    [batch] = dataset((inputs, [0, 1, 0, 1]), model).batches(model, 8, marks=True)
    assert batch.inputs.equal(inputs)
    assert len({mark.likeness for mark in batch.marks}) == 4
    assert batch.marks[1] == Mark(content_digest(inputs[1].numpy().tobytes()), batch.marks[1].likeness)


def test_reading_stops_when_nobody_wants_more(folder, model, monkeypatch):
    read = []
    monkeypatch.setattr(module, "sample", lambda path, *rest: read.append(path) or sample(path, *rest))
    monkeypatch.setattr(module, "AHEAD", 2)
    batches = dataset(folder, model).batches(model, 1)
    next(batches)
    batches.close()
    assert len(read) <= 5
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("seewhy-read")]


def test_what_is_no_data_set_is_refused(model):
    with pytest.raises(SeewhyError, match="a data set is a folder"):
        dataset(3, model)
    with pytest.raises(ShapeError, match="ready data"):
        dataset((torch.zeros(4, 3, 2, 2), [0, 1]), model)
