"""The page shows every example once, says what a reader must know, and runs nothing that it was given."""

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from seewhy.data.dataset import dataset
from seewhy.engine.model import Model
from seewhy.engine.session import Session
from seewhy.report.examples_page import examples_page
from seewhy.visualization.search import Search, search


class Three(nn.Module):
    """Channel 0 is the brightness, channel 1 is always 2, channel 2 is brightness cut at one half."""

    def __init__(self):
        super().__init__()
        self.watch = nn.Identity()

    def forward(self, x):
        return self.watch(torch.cat([x, 2 + 0 * x, x.clamp(max=0.5)], dim=1)).mean(dim=(2, 3))


@pytest.fixture
def found(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(20):
        pixels = (rng.random((8, 8)) * (60 + 9 * number)).astype(np.uint8)
        Image.fromarray(pixels).resize((32, 32), Image.Resampling.NEAREST).save(tmp_path / f"<b>{number:02d}&.png")
    (tmp_path / "<script>alert(1)<script>.png").write_bytes(b"no")
    model = Model(Three(), size=8, mean=0.0, std=1.0, channels="grey", name="<i>three")
    return search(Session(model), dataset(tmp_path, model), ["watch"], Search(top=4, rungs=5))


def test_every_example_is_there_with_its_value(found):
    html = examples_page(found, [0], command="seewhy examples x")
    assert len(re.findall(r"<img src=\"data:image/webp", html)) == 4 + 5 + 4
    numbers = json.loads(re.search(r'id="numbers-json">(.*?)</script>', html, re.S)[1])
    [channel] = numbers["channels"]
    best = found.of(None, 0).top[0]
    assert channel["top"][0] == [best.name.rpartition("/")[2], best.value, list(best.position)]
    assert f"<b>{best.value:.3g}</b>" in html
    assert "seewhy examples x" in html


def test_what_a_reader_must_know_is_said(found):
    html = examples_page(found, [0, 1, 2])
    assert "Only 20 pictures were searched" in html
    assert "Could not be used: 1" in html
    assert "Gives 2 at every position of every picture" in html
    assert "At least 4 pictures reach the same largest value, 0.5" in html


def test_names_are_text_and_nothing_is_asked_of_a_network(found):
    html = examples_page(found, [0, 1, 2])
    assert "<script>alert" not in html
    assert "<b>0" not in re.sub(r"<b>[\d.e+-]+</b>", "", html)
    assert "<i>three" not in html
    assert "http:" not in html
    assert "https:" not in html
    assert html.count("<script") == 1  # the numbers
