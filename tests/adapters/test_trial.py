"""Preprocessing found by trial is the preprocessing that was done, for transforms written here and for those of transformers."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import seewhy
from seewhy.adapters.trial import by_trial
from seewhy.engine.preprocessing import prepare

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def transform(
    resize: int, crop: int, resample: Image.Resampling, mean: tuple[float, ...] = MEAN, std: tuple[float, ...] = STD
):
    """Resize the shorter side, cut the centre out, normalize: in plain Pillow."""

    def run(picture: Image.Image) -> Tensor:
        width, height = picture.size
        size = (resize, int(resize * height / width)) if width <= height else (int(resize * width / height), resize)
        picture = picture.resize(size, resample)
        left, top = (size[0] - crop) // 2, (size[1] - crop) // 2
        pixels = np.asarray(picture.crop((left, top, left + crop, top + crop)), dtype=np.float32) / 255
        return (torch.from_numpy(pixels).movedim(-1, 0) - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[
            :, None, None
        ]

    return run


@pytest.mark.parametrize(
    ("resize", "crop", "name"),
    [(256, 224, "bicubic"), (248, 224, "bilinear"), (235, 224, "bicubic"), (342, 299, "lanczos"), (32, 32, "nearest")],
)
def test_resize_and_crop(resize: int, crop: int, name: str) -> None:
    found = by_trial(transform(resize, crop, Image.Resampling[name.upper()]), "it")
    assert (found.size, found.fit, found.interpolation, found.channels) == ((crop, crop), "crop", name, "rgb")
    assert round(crop / found.crop) == resize
    assert found.mean == MEAN
    assert found.std == STD


def test_what_it_finds_reproduces_the_transform() -> None:
    given = transform(256, 224, Image.Resampling.BICUBIC)
    model = by_trial(given, "it").model(nn.Identity())
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (301, 403, 3), dtype=np.uint8))
    torch.testing.assert_close(prepare(picture, "", model).inputs, given(picture), atol=1.01 / 255 / 0.22, rtol=0)


def test_order_of_colours_range_and_squashing() -> None:
    def run(picture: Image.Image) -> Tensor:
        pixels = np.asarray(picture.resize((96, 64), Image.Resampling.BILINEAR), dtype=np.float32)[..., ::-1]
        return torch.from_numpy(pixels.copy()).movedim(-1, 0) - 100

    found = by_trial(run, "it")
    assert (found.size, found.fit, found.crop, found.channels) == ((64, 96), "squash", 1.0, "bgr")
    assert found.std == pytest.approx((1 / 255,) * 3)
    assert found.mean == pytest.approx((100 / 255,) * 3)


def test_grey_and_letterbox() -> None:
    def run(picture: Image.Image) -> Tensor:
        scale = 64 / max(picture.size)
        small = picture.convert("L").resize(
            (round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BILINEAR
        )
        canvas = Image.new("L", (64, 64))
        canvas.paste(small, ((64 - small.width) // 2, (64 - small.height) // 2))
        return torch.from_numpy(np.asarray(canvas, dtype=np.float32) / 255)[None]

    found = by_trial(run, "it")
    assert (found.size, found.fit, found.channels, found.mean, found.std) == ((64, 64), "pad", "grey", (0.0,), (1.0,))


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda p: torch.zeros(3, 8, 8), "the same values"),
        (lambda p: torch.zeros(3, p.height, p.width), "different sizes"),
        (lambda p: torch.zeros(8, 8), "a tensor"),
        (lambda p: 1 / 0, "ZeroDivisionError"),
        (lambda p: 1 - transform(32, 32, Image.Resampling.BILINEAR)(p), "dark into bright"),
        (lambda p: transform(32, 32, Image.Resampling.BILINEAR, (0.0,) * 3, (1.0,) * 3)(p) ** 2, "not a mean"),
        (lambda p: transform(32, 32, Image.Resampling.BILINEAR)(p).flip(2), "cannot reproduce"),
        (lambda p: transform(32, 32, Image.Resampling.BILINEAR)(p.convert("L").convert("RGB")), "mixes"),
    ],
)
def test_what_it_cannot_state_is_refused(broken, words: str) -> None:
    with pytest.raises(seewhy.ModelError, match=words):
        by_trial(broken, "it")
