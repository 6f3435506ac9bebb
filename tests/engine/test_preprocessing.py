"""The way into the network and back: resampling as Pillow does it, windows that tell where each pixel came from."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy
from seewhy.engine.preprocessing import centred, fitted, prepare

SOURCES = [(300, 500), (500, 300), (333, 222), (256, 256), (40, 700), (1001, 997), (64, 48)]


def noise(size: tuple[int, int]) -> Image.Image:
    """Random pixels from 90 to 160: no resampling overshoots 0 or 255, which Pillow cuts between its two passes."""
    return Image.fromarray(np.random.default_rng(0).integers(90, 161, (*size, 3), dtype=np.uint8))


def made(picture: Image.Image, size: object = 224, **settings: object) -> np.ndarray:
    model = seewhy.Model(nn.Identity(), size=size, mean=0.0, std=1 / 255, **settings)
    return prepare(picture, "", model).inputs.movedim(0, -1).numpy()


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("resize", "size", "interpolation"), [(256, 224, "bicubic"), (248, 224, "bilinear"), (235, 224, "lanczos")]
)
def test_a_crop_is_what_pillow_gives(source: tuple[int, int], resize: int, size: int, interpolation: str) -> None:
    picture = noise(source)
    height, width = source
    whole = (resize, int(resize * height / width)) if width <= height else (int(resize * width / height), resize)
    left, top = (whole[0] - size) // 2, (whole[1] - size) // 2
    wanted = picture.resize(whole, Image.Resampling[interpolation.upper()]).crop((left, top, left + size, top + size))
    found = made(picture, crop=size / resize, interpolation=interpolation)
    off = np.abs(found - np.asarray(wanted, dtype=np.float32))
    assert (
        off.max() <= 2.01
    )  # Pillow rounds between its two passes, and chooses which comes first by what is asked of it
    assert off.mean() < 0.4


@pytest.mark.parametrize("source", SOURCES)
def test_squashing_is_what_pillow_gives(source: tuple[int, int]) -> None:
    wanted = noise(source).resize((96, 64), Image.Resampling.BICUBIC)
    assert np.abs(made(noise(source), (64, 96), fit="squash") - np.asarray(wanted, dtype=np.float32)).max() < 1e-3
    wanted = noise(source).resize((256, 256), Image.Resampling.BICUBIC).crop((16, 16, 240, 240))
    assert np.abs(made(noise(source), fit="squash", crop=0.875) - np.asarray(wanted, dtype=np.float32)).max() <= 2.01


@pytest.mark.parametrize("source", SOURCES)
def test_padding_shows_the_whole_picture_between_black_margins(source: tuple[int, int]) -> None:
    height, width = source
    scale = 224 / max(source)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    wanted = Image.new("RGB", (224, 224))
    wanted.paste(noise(source).resize(size, Image.Resampling.BICUBIC), ((224 - size[0]) // 2, (224 - size[1]) // 2))
    assert np.abs(made(noise(source), fit="pad") - np.asarray(wanted, dtype=np.float32)).max() <= 2.01


@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("size", [(224, 224), (96, 160)])
def test_a_hot_cell_goes_back_to_where_it_came_from(fit: str, source: tuple[int, int], size: tuple[int, int]) -> None:
    """A bright square of the source is found in the input, and its map, taken back, lies on the square again."""
    height, width = source
    geometry = fitted(source, size, fit, 0.875)
    top, left, bottom, right = geometry.window
    y = (max(top, 0) + min(bottom, height)) / 2 + (min(bottom, height) - max(top, 0)) * 0.2
    x = (max(left, 0) + min(right, width)) / 2 - (min(right, width) - max(left, 0)) * 0.3
    rows, columns = np.arange(height)[:, None] + 0.5, np.arange(width)[None, :] + 0.5
    cell = max((bottom - top) / size[0], (right - left) / size[1])  # source pixels per input pixel
    radius = max(4.0, 3 * cell)
    spot = np.exp(-(((rows - y) ** 2 + (columns - x) ** 2) / (2 * radius**2)))
    picture = Image.fromarray((spot * 255).round().astype(np.uint8)).convert("RGB")
    found = made(picture, size, fit=fit, crop=0.875, interpolation="bilinear")[..., 0]
    back = geometry.to_source(torch.from_numpy(found)).nan_to_num().numpy()
    assert back.shape == source
    wanted = spot * 255 * (~np.isnan(geometry.to_source(torch.from_numpy(found)).numpy()))
    for place, axis in ((rows[:, 0], 1), (columns[0], 0)):
        there = (back.sum(axis=axis) * place).sum() / back.sum()
        meant = (wanted.sum(axis=axis) * place).sum() / wanted.sum()
        assert abs(there - meant) <= 0.5 * max(1.0, cell)


def test_the_window_of_the_usual_crop_in_numbers() -> None:
    geometry = fitted((375, 500), (224, 224), "crop", 0.875)  # resized to 256 x 341; 16 rows and 58 columns are cut off
    assert geometry.window == pytest.approx((16 * 375 / 256, 58 * 500 / 341, 240 * 375 / 256, 282 * 500 / 341))


def test_one_channel_and_the_other_order_of_colours() -> None:
    picture = Image.new("RGB", (20, 20), (200, 100, 50))
    grey = seewhy.Model(nn.Identity(), size=8, mean=0.5, std=0.5, channels="grey")
    inputs = prepare(picture, "", grey).inputs
    assert inputs.shape == (1, 8, 8)
    assert float(inputs[0, 0, 0]) == pytest.approx((round(0.299 * 200 + 0.587 * 100 + 0.114 * 50) / 255 - 0.5) / 0.5)
    bgr = seewhy.Model(nn.Identity(), size=8, mean=(0.1, 0.2, 0.3), std=1.0, channels="bgr")
    assert prepare(picture, "", bgr).inputs[:, 0, 0].tolist() == pytest.approx(
        [50 / 255 - 0.1, 100 / 255 - 0.2, 200 / 255 - 0.3]
    )


def test_a_network_of_other_channels_is_told_how() -> None:
    model = seewhy.Model(nn.Identity(), size=8, mean=(0.1, 0.2, 0.3, 0.4), std=(1.0, 1.0, 1.0, 1.0))
    with pytest.raises(seewhy.ModelError, match=r"4 channels, and a picture gives 3.*explain\(tensor"):
        prepare(Image.new("RGB", (9, 9)), "", model)


@pytest.mark.parametrize("field", [{"interpolation": "cubic"}, {"channels": "gray"}, {"fit": "stretch"}, {"crop": 0.0}])
@pytest.mark.door
def test_settings_that_do_not_exist(field: dict) -> None:
    with pytest.raises(seewhy.ConfigError):
        seewhy.Model(nn.Identity(), size=8, mean=0.0, std=1.0, **field)


def test_a_window_that_is_cut_out_first():
    geometry = centred((375, 500), (224, 224), 0.875)
    side = 375 * 0.875
    assert geometry.window == pytest.approx(((375 - side) / 2, (500 - side) / 2, (375 + side) / 2, (500 + side) / 2))
