"""An explanation is whole, goes back to source pixels, and survives a file."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import seewhy
from seewhy.core.sample import Geometry


@pytest.fixture
def explanation(photo):
    return seewhy.explain(photo)


def test_the_map_lies_on_the_source_pixels(explanation):
    drawn = explanation.in_source()
    assert drawn.shape == (64, 96)  # the photo is 96 x 64
    seen = torch.isfinite(drawn)
    rows, columns = seen.any(dim=1).nonzero()[:, 0], seen.any(dim=0).nonzero()[:, 0]
    # resize to 256 and cut 224 out of the centre: the window is 56 source pixels high and wide
    assert (len(rows), len(columns)) == (56, 56)
    assert (rows[0].item(), columns[0].item()) == (4, 20)


def test_one_image_of_a_block(cnn, images):
    block = seewhy.Session(cnn).explain(images, None, "grad-cam")
    one = block[1]
    assert len(block) == 3
    assert len(one) == 1
    assert torch.equal(one.heatmap, block.heatmap[1:2])
    assert one.targets == block.targets[1:2]
    assert torch.equal(block[-1].heatmap, block[2].heatmap)
    with pytest.raises(IndexError):
        block[3]
    assert len(list(block)) == 3


def test_a_file_gives_it_all_back(explanation, tmp_path):
    path = explanation.save(tmp_path / "why.npz")
    again = seewhy.load(path)
    assert torch.equal(again.heatmap, explanation.heatmap)
    assert again.summary() == json.loads(json.dumps(explanation.summary()))
    assert again.picture().tobytes() == explanation.picture().tobytes()
    torch.testing.assert_close(again.in_source(), explanation.in_source(), equal_nan=True)


def test_a_file_is_not_overwritten_unasked(explanation, tmp_path):
    explanation.save(tmp_path / "why.json")
    with pytest.raises(seewhy.DataError, match=r"why\.json"):
        explanation.save(tmp_path / "why.json")
    explanation.save(tmp_path / "why.json", force=True)


@pytest.mark.parametrize("name", ["why.pkl", "why"])
def test_an_unknown_ending(explanation, tmp_path, name):
    with pytest.raises(seewhy.DataError, match=r"\.npz"):
        explanation.save(tmp_path / name)


def test_a_file_that_is_not_ours(tmp_path):
    with pytest.raises(seewhy.DataError, match="no such file"):
        seewhy.load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(seewhy.DataError, match="not an explanation"):
        seewhy.load(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(seewhy.DataError, match="not an explanation"):
        seewhy.load(tmp_path / "other.npz")
    np.savez(tmp_path / "pickle.npz", about=np.array([{"a": 1}], dtype=object), heatmap=np.zeros(1), inputs=np.zeros(1))
    with pytest.raises(seewhy.DataError, match="not an explanation"):
        seewhy.load(tmp_path / "pickle.npz")


def test_pictures(explanation, tmp_path):
    overlay = explanation.overlay()
    assert isinstance(overlay, Image.Image)
    assert explanation._repr_png_().startswith(b"\x89PNG")
    html = explanation._repr_html_()
    assert len(html) < 300_000
    assert "http" not in html
    figure = explanation.figure()
    assert type(figure).__name__ == "Figure"


def test_ready_tensors_have_pictures_too(cnn, images):
    block = seewhy.Session(cnn).explain(images, 0, "hires-cam")
    assert min(block.overlay(2).size) > 8
    assert block.in_source(1).shape == (8, 8)


def test_at_interpolates_and_does_not_rescale(explanation):
    large = explanation.at((70, 70))
    assert large.max() <= explanation.heatmap.max()
    torch.testing.assert_close(large[:, 5::10, 5::10], explanation.heatmap, rtol=0.2, atol=0.05)


def test_geometry_by_pencil():
    geometry = Geometry(source=(4, 8), window=(0.0, 2.0, 4.0, 6.0), size=(2, 2))
    drawn = geometry.to_source(torch.tensor([[1.0, 3.0], [1.0, 3.0]]))
    # source columns 2..5 are input positions 0.25, 0.75, 1.25, 1.75 (in cells): 1, 1.5, 2.5, 3 between the cell centres
    assert drawn[0].tolist()[2:6] == [1.0, 1.5, 2.5, 3.0]
    assert torch.isnan(drawn[:, :2]).all()
    assert torch.isnan(drawn[:, 6:]).all()


def test_where_a_scale_ends():
    samples = (seewhy.Sample(torch.zeros(3, 20, 50)),)
    parts = {
        "score": torch.zeros(1),
        "targets": ("x",),
        "unit": "logit",
        "samples": samples,
        "cost": seewhy.Cost(1),
        "notes": ((),),
    }
    pixels = torch.arange(1000.0).view(1, 20, 50) - 1000  # magnitudes 1 to 1000
    coarse = seewhy.Explanation(heatmap=pixels, method=seewhy.method("hires-cam"), **parts)
    fine = seewhy.Explanation(heatmap=pixels, method=seewhy.method("input-x-gradient"), **parts)
    assert (coarse.scale_end(), coarse.scale_words) == (1000.0, "the largest magnitude")
    assert (fine.scale_end(), fine.scale_words) == (991.0, "the 99th percentile")  # ten of a thousand reach it
    spot = torch.zeros(1, 20, 50)
    spot[0, 3, 3] = 2.0
    assert seewhy.Explanation(heatmap=spot, method=seewhy.method("saliency"), **parts).scale_end() == 2.0
