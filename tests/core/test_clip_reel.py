"""Importance of frames, and what is drawn of an explained clip."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import seewhy
from clips import FRAMES, Planted3D, planted_clip
from seewhy.core.clip import Clip
from seewhy.core.reel import frame_importance
from seewhy.errors import DataError, ShapeError


def explained():
    model = seewhy.Model(Planted3D().eval(), size=32, mean=0.5, std=0.25, frames=FRAMES, layout="bcthw", layer="relu")
    frames = (127 + 60 * planted_clip()[0].movedim(0, -1)).clamp(0, 255).byte().numpy()
    clip = Clip(frames, tuple(n / 8 for n in range(FRAMES)), tuple(range(0, 2 * FRAMES, 2)), 16.0)
    return seewhy.explain(clip, model, 0)


def test_importance_is_the_sum_of_the_map_in_each_frame():
    heatmap = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(frame_importance(heatmap, 5), heatmap.double().sum(dim=(1, 2)))


def test_importance_of_a_coarser_map_still_adds_up():
    heatmap = torch.rand(4, 3, 3, generator=torch.Generator().manual_seed(0))
    found = frame_importance(heatmap, 16)
    assert len(found) == 16
    assert float(found.sum()) == pytest.approx(float(heatmap.sum()), rel=1e-6)
    even = frame_importance(torch.ones(2, 3, 3), 8)
    assert even.tolist() == pytest.approx([9 / 4] * 8)  # two steps of 9, spread over eight frames


def test_a_clips_reel_has_its_times_its_map_and_its_strongest_frames():
    made = explained()
    reel = made.reel()
    assert list(reel.seconds) == [n / 8 for n in range(FRAMES)]
    assert list(reel.numbers) == list(range(0, 2 * FRAMES, 2))
    assert reel.limit == pytest.approx(float(made.heatmap.abs().max()))
    assert {5, 6, 7} <= set(reel.picked(4, 0)[0][1])
    drawn = made.in_source(0, reel.frames.shape[1:3]).numpy()
    assert np.array_equal(reel.maps, drawn.astype(np.float32), equal_nan=True)


def test_a_clip_is_written_as_movie_preview_and_sheet(tmp_path):
    pytest.importorskip("av")
    made = explained()
    for name in ("why.mp4", "why.webp", "why.gif", "why.png", "why.json", "why.npz"):
        assert made.save(tmp_path / name).stat().st_size > 0
    with Image.open(tmp_path / "why.png") as sheet:
        assert sheet.size == made.sheet().size
    with Image.open(tmp_path / "why.gif") as preview:
        assert preview.n_frames == FRAMES
    assert json.loads((tmp_path / "why.json").read_text())["resolution"] == list(made.heatmap.shape[1:])
    assert "image/webp" in made._repr_html_()
    with pytest.raises(DataError, match=r"of a clip also as \.mp4"):
        made.save(tmp_path / "why.mkv")


def test_a_picture_has_no_reel(tmp_path):
    made = seewhy.Session(seewhy.Model(torch.nn.Conv2d(3, 4, 1))).explain(
        torch.randn(1, 3, 8, 8), lambda y: y.mean((1, 2, 3)), "saliency"
    )
    with pytest.raises(ShapeError, match="picture"):
        made.save(tmp_path / "why.mp4")
    assert not list(tmp_path.iterdir())
