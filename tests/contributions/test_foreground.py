import numpy as np
import pytest
import torch
from PIL import Image
from planted import SIZE, LooksAt, noise

import seewhy
from seewhy.contributions.foreground import seen, zones
from seewhy.core.sample import Geometry


def middle() -> torch.Tensor:
    """An object in rows 3 to 8, columns 2 to 7."""
    mask = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    mask[3:9, 2:8] = True
    return mask


def looks_at(mask: torch.Tensor) -> LooksAt:
    weight = torch.zeros(3, SIZE, SIZE, dtype=torch.float64)
    weight[0] = mask.double()
    return LooksAt(weight)


def test_zones_have_the_areas_that_are_told():
    border, corners, centre = zones((200, 100))
    assert border.double().mean().item() == pytest.approx(1 - 0.8**2)
    assert corners.double().mean().item() == pytest.approx(4 * 0.2**2)
    assert centre.double().mean().item() == pytest.approx(0.5**2)
    assert border[0, 50]
    assert not border[20, 10]
    assert corners[39, 19]
    assert not corners[40, 0]


def test_a_network_that_looks_at_the_object_loses_it_with_the_foreground():
    network, inputs = looks_at(middle()), noise(30)
    labels = network(inputs).argmax(dim=1)
    masks = middle().expand(30, -1, -1)
    made = seewhy.importance(network, (inputs, labels), "foreground", masks=masks, replace="zero")
    best = made.weights[0]
    score = (inputs[:, 0] * middle()).sum(dim=(1, 2)).abs()
    assert best.unit == "foreground"
    assert best.score.value == pytest.approx(score.mean().item())
    assert best.figures["share"].value == pytest.approx(1.0)
    assert best.figures["area"].value == pytest.approx(36 / 144)
    assert best.figures["lift"].value == pytest.approx(4.0)
    assert best.figures["accuracy"].value < 1
    others = {weight.unit: weight for weight in made.weights}
    assert others["background"].score.value == 0
    assert others["background"].figures["accuracy"].value == 1.0
    assert others["border"].score.value == 0  # the object begins at the third pixel, the border is one wide
    assert made.figures["accuracy"].value == 1.0
    assert made.check.gap.low > 0
    assert made.check.words.startswith("The ranking holds")


def test_pictures_without_the_object_do_not_count_for_it():
    network, inputs = looks_at(middle()), noise(10)
    masks = middle().expand(10, -1, -1).clone()
    masks[4:] = False  # the object is not in the picture
    made = seewhy.importance(network, (inputs, torch.ones(10)), "foreground", masks=masks, replace="zero", check=False)
    score = (inputs[:4, 0] * middle()).sum(dim=(1, 2))
    best = next(weight for weight in made.weights if weight.unit == "foreground")
    assert best.score.value == pytest.approx(score.mean().item())
    assert best.figures["area"].value == pytest.approx(0.25)


def test_without_masks_the_centre_stands_for_the_object():
    made = seewhy.importance(looks_at(middle()), noise(6), "foreground", check=False)
    assert {weight.unit for weight in made.weights} == {"centre", "between", "border", "corners"}
    assert any("no masks" in note for note in made.notes)


def test_a_mask_goes_through_the_same_crop_as_its_picture():
    """The window is the middle of a picture of 10 x 20; the mask marks its columns 7 to 9."""
    mask = torch.zeros(10, 20, dtype=torch.bool)
    mask[:, 7:10] = True
    found = seen(mask, Geometry((10, 20), (0, 5, 10, 15), (20, 20)))
    assert found[:, 4:10].all()
    assert found.sum() == 6 * 20
    doubled = mask.repeat_interleave(2, 0).repeat_interleave(2, 1)  # a mask of twice the size
    assert torch.equal(seen(doubled, Geometry((10, 20), (0, 5, 10, 15), (20, 20))), found)


def test_a_letterbox_has_no_object_outside_of_the_picture():
    found = seen(torch.ones(10, 20, dtype=torch.bool), Geometry((10, 20), (-5, 0, 15, 20), (20, 20)))
    assert not found[:5].any()
    assert found[5:15].all()
    assert not found[15:].any()


@pytest.fixture
def folders(tmp_path):
    """Three pictures, of which two have masks; one mask has a palette."""
    generator = np.random.default_rng(0)
    for name in "abc":
        Image.fromarray(generator.integers(0, 255, (24, 24, 3), dtype=np.uint8)).save(tmp_path / f"{name}.png")
    masks = tmp_path / "masks"
    masks.mkdir()
    inside = np.zeros((24, 24), dtype=np.uint8)
    inside[6:18, 4:16] = 3
    palette = Image.fromarray(inside, "P")
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 0])  # number 3 is black, and an object all the same
    palette.save(masks / "a.png")
    Image.fromarray(inside).save(masks / "b.png")
    return [tmp_path / f"{name}.png" for name in "abc"], masks


def test_masks_in_files_are_matched_by_name(folders):
    pictures, masks = folders
    model = seewhy.Model(looks_at(middle()), size=SIZE, mean=0.0, std=1.0)
    made = seewhy.importance(model, pictures, "foreground", masks=masks, replace="black")
    best = made.weights[0]
    assert best.unit == "foreground"
    assert best.figures["area"].value == pytest.approx(0.25)
    assert best.figures["share"].value == pytest.approx(1.0)
    assert made.pictures == 2
    assert any("1 picture has no mask, and is left out" in note for note in made.notes)


def test_masks_that_fit_no_picture(folders, tmp_path):
    pictures, _ = folders
    model = seewhy.Model(looks_at(middle()), size=SIZE, mean=0.0, std=1.0)
    with pytest.raises(seewhy.DataError, match=r"photo\.jpg is called photo\.png"):
        seewhy.importance(model, pictures, "foreground", masks=tmp_path / "nowhere")
    with pytest.raises(seewhy.DataError, match="2 masks for 3 pictures"):
        seewhy.importance(model, noise(3), "foreground", masks=torch.ones(2, SIZE, SIZE))
    with pytest.raises(seewhy.ShapeError, match="the mask is"):
        seewhy.importance(looks_at(middle()), noise(3), "foreground", masks=torch.ones(3, 5, 5))
