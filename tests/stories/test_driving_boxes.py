"""The story of driving in small form, on drawn streets: the detector learns, its maps name what its boxes rest on, and its files are written."""

import importlib.util
from pathlib import Path

import pytest
import torch

EXAMPLE = Path(__file__).parents[2] / "examples" / "stories" / "driving_boxes.py"


@pytest.fixture(scope="module")
def story():
    spec = importlib.util.spec_from_file_location("driving_boxes", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_learned_of_a_box_is_where_it_lies(story):
    heat, edges, counts = story.wanted(torch.tensor([[80.0, 40, 160, 120]]), [1])
    assert heat[1].argmax() == 10 * story.CELLS + 15 and not heat[0].any()
    assert counts[10, 15] and not counts[0, 0]
    # from the middle of cell (10, 15), in cells of 8 pixels: left edge at 10, top at 5, right at 20, bottom at 15
    assert edges[:, 10, 15].tolist() == [5.5, 5.5, 4.5, 4.5]


def test_the_loss_is_least_where_the_answer_is_right(story):
    heat, edges, counts = (one[None] for one in story.wanted(torch.tensor([[80.0, 40, 160, 120]]), [1]))
    place = (torch.arange(story.CELLS) + 0.5) * story.STRIDE
    y, x = torch.meshgrid(place, place, indexing="ij")
    far = edges * story.STRIDE
    boxes = torch.stack([x - far[:, 0], y - far[:, 1], x + far[:, 2], y + far[:, 3]], dim=-1).flatten(1, 2)
    logits = torch.where(heat >= 1, 20.0, -20.0).flatten(2).transpose(1, 2)
    right = story.loss({"scores": logits, "boxes": boxes}, heat, edges, counts)
    assert float(right) == pytest.approx(0, abs=1e-4)
    moved = story.loss({"scores": logits, "boxes": boxes + 8}, heat, edges, counts)
    wrong = story.loss({"scores": -logits, "boxes": boxes}, heat, edges, counts)
    assert float(moved) > 0.2 and float(wrong) > 10


@pytest.mark.slow
def test_the_maps_of_boxes_name_what_they_rest_on(story, tmp_path, capsys):
    trials = story.main(story.drawn_streets(20), tmp_path, steps=120, masks=100, most=1)
    told = capsys.readouterr().out
    found = [one for one in trials if one.asked == "found"]
    assert found and all(one.worked for one in found if one.elsewhere), told
    assert all(one.after < 0.5 * one.before for one in found), told
    assert (tmp_path / "detector.safetensors").exists() and len(list(tmp_path.glob("*.objects.*"))) == 3
