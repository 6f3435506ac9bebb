"""Importance over clips: the same kinds of units, with places in time."""

import numpy as np
import pytest
import torch
from PIL import Image

import seewhy
from clips import FRAMES, NETWORKS, SIDE, Planted3D, layout_of, planted_clip
from seewhy.contributions.regions import Regions, where


def model_of(network):
    layout = layout_of(network)
    return seewhy.Model(
        network.eval(), size=SIDE, frames=FRAMES, mean=0.0, std=1.0, layout=layout, labels=["bright", "dark"]
    )


@pytest.fixture(scope="module")
def clips():
    faint = 0.1 * torch.randn(6, 3, FRAMES, SIDE, SIDE, generator=torch.Generator().manual_seed(9))
    return torch.cat([*(planted_clip(seed) for seed in range(6)), faint]), torch.tensor([0] * 6 + [1] * 6)


def test_boxes_of_a_clip_are_cut_in_time_too():
    regions = Regions(rows=2, columns=2, spans=3, deep=("frames", 16))
    pixels = regions.pixels((16, 8, 8))
    assert len(pixels.unique()) == 12 == len(regions.names)
    assert [name.partition(",")[0] for name in regions.names[::4]] == [
        "frames 1 to 6",
        "frames 7 to 11",
        "frames 12 to 16",
    ]
    assert pixels[6, 0, 0] == 4 and pixels[5, 0, 0] == 0  # frame 7 begins the second part
    assert pixels[15, 7, 7] == 11


@pytest.mark.parametrize("name", ["3d", "frames-lstm"])
def test_the_box_of_space_and_time_that_holds_the_block_comes_first(name, clips):
    made = seewhy.importance(model_of(NETWORKS[name]()), clips, "regions", target="bright")
    assert made.weights[0].unit in {f"frames 5 to 8, row {row}, column {column}" for row in (1, 2) for column in (1, 2)}
    inside = [
        one for one in made.weights if one.unit.startswith("frames 5 to 8, row 1") or "frames 5 to 8, row 2" in one.unit
    ]
    assert sum(one.magnitude.value for one in inside) > 0.9 * sum(one.magnitude.value for one in made.weights)


def test_superpixels_of_one_clip_say_when_and_where(clips):
    made = seewhy.importance(model_of(Planted3D()), clips[0][:1], "superpixels", target=0)
    assert made.weights[0].unit.endswith("upper left") and "third" in made.weights[0].unit


def test_a_mask_of_a_picture_holds_for_every_frame(clips):
    masks = torch.zeros(12, SIDE, SIDE)
    masks[:, : SIDE // 2, : SIDE // 2] = 1
    made = seewhy.importance(model_of(Planted3D()), clips, "foreground", target=0, masks=masks)
    named = {one.unit: one.magnitude.value for one in made.weights}
    assert made.weights[0].unit == "foreground"
    assert named["background"] < 0.02 * named["foreground"]


def test_videos_of_a_folder_are_a_data_set(tmp_path):
    """Two folders of frames each, named by their class."""
    for index, label in enumerate(("bright", "bright", "dark", "dark")):
        folder = tmp_path / label / f"clip{index}"
        folder.mkdir(parents=True)
        clip = planted_clip(index)[0] if label == "bright" else 0.1 * planted_clip(index)[0]
        for number, frame in enumerate(clip.unbind(1)):
            pixels = ((frame + 0.5) / 3).clamp(0, 1).movedim(0, -1).numpy()
            Image.fromarray((255 * pixels).astype(np.uint8)).save(folder / f"{number:03}.png")
    network = Planted3D().eval()
    model = seewhy.Model(
        network, size=SIDE, frames=FRAMES, mean=0.5 / 3, std=1 / 3, layout="bcthw", labels=["bright", "dark"]
    )
    made = seewhy.importance(model, [tmp_path / "bright", tmp_path / "dark"], "regions", check=False)
    assert made.weights[0].unit.startswith("frames 5 to 8, row 1") or "frames 5 to 8, row 2" in made.weights[0].unit
    assert made.pictures == 4


def test_a_place_in_words():
    assert where(torch.tensor([0.1, 0.9])) == "upper right"
    assert where(torch.tensor([0.9, 0.5, 0.5])) == "last third, centre"
