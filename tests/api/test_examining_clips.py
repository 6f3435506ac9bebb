"""`seewhy.examine_clip`: a clip as page, movie, sheet and numbers, in Python."""

import json

import numpy as np
import pytest
import torch

import seewhy
from clips import FRAMES, Planted3D, planted_clip
from seewhy.core.clip import Clip
from seewhy.errors import DataError


def model():
    return seewhy.Model(Planted3D().eval(), size=32, mean=0.5, std=0.25, frames=FRAMES, layout="bcthw", layer="relu")


def clip():
    frames = (127 + 60 * planted_clip()[0].movedim(0, -1)).clamp(0, 255).byte().numpy()
    return Clip(frames, tuple(n / 8 for n in range(FRAMES)), tuple(range(FRAMES)), 8.0)


def test_a_clip_is_examined_and_written_in_every_form(tmp_path):
    pytest.importorskip("av")
    found = seewhy.examine_clip(clip(), model(), 0, timeline=False)
    for name in ("why.mp4", "why.webp", "why.html", "why.png", "why.json"):
        assert found.save(tmp_path / name).stat().st_size > 0
    assert json.loads((tmp_path / "why.json").read_text()) == found.numbers()
    assert found.report.hide_test.outcome == "passes"
    assert found.numbers()["importance"] == pytest.approx(
        found.explanation.heatmap[0].double().sum(dim=(1, 2)).tolist()
    )


def test_what_is_no_clip_is_refused_and_the_way_is_shown():
    network = seewhy.Model(torch.nn.Conv2d(3, 4, 1), size=8, mean=0.5, std=0.25)
    with pytest.raises(DataError, match=r"seewhy\.examine and"):
        seewhy.examine_clip(np.zeros((8, 8, 3), np.uint8), network)
    with pytest.raises(DataError, match=r"seewhy\.examine_clip"):
        seewhy.examine(clip(), model())
