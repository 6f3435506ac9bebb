"""The normalization that a network was trained with is told from the pictures it gets right, and not from how sure it is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import seewhy
from seewhy.data.normalization import HINT, Trial, _verdict, flips, known_classes, try_normalizations

LABELS = ["tabby", "tiger cat", "crane", "crane", "Egyptian_cat"]


def test_classes_told_by_names() -> None:
    paths = {
        "n02123045_tabby.JPEG": 0,
        "n02123159_tiger_cat_12.png": 1,
        "Tabby (3).jpg": 0,
        "folder/tiger-cat/0007.png": 1,
        "egyptian cat/x.png": 4,
        "crane.png": None,  # two classes have this name
        "tabby kitten.png": None,
        "0001.png": None,
        "tiger.png": None,
        "1/a.png": None,  # one folder with a number tells nothing
    }
    assert known_classes(list(paths), LABELS) == list(paths.values())
    assert known_classes(["0/a.png", "3/b.png", "x/3.png"], None) == [0, 3, None]


def test_a_paired_test_in_numbers() -> None:
    assert flips([1.0] * 10) == pytest.approx(2**-10, abs=7e-4)
    assert flips([1.0, -1.0] * 5) > 0.5
    assert flips([0.0] * 4) == 1.0
    assert flips([5.0, 0.1, 0.1, -0.2]) == pytest.approx(5 / 16, abs=0.02)  # five of the sixteen signs reach the sum


class Bright(nn.Module):
    """Tells by the mean of the middle channel whether a picture is dark, middling or bright, for pixels from -1 to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        green = x[:, 1].mean(dim=(1, 2))
        return 9 * torch.stack([-((green + 0.6) ** 2), -(green**2), -((green - 0.6) ** 2)], dim=1)


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = []
    random = np.random.default_rng(0)
    for index, name in enumerate(("dark", "middling", "bright")):
        (tmp_path / name).mkdir()
        for n in range(12):
            pixels = np.clip(random.normal(51 + 76.5 * index, 8, (9, 9, 3)), 0, 255)
            paths.append(tmp_path / name / f"{n}.png")
            Image.fromarray(pixels.astype(np.uint8)).save(paths[-1])
    return paths


def bright(**settings: object) -> seewhy.Model:
    return seewhy.Model(Bright(), size=8, labels=["dark", "middling", "bright"], **settings)


def test_the_right_one_is_kept_and_a_wrong_one_is_warned_of(pictures: list[Path]) -> None:
    right = try_normalizations(bright(mean=0.5, std=0.5), pictures)
    assert not right.warns
    assert (right.trials[0].correct, right.trials[0].known) == (36, 36)
    wrong = try_normalizations(bright(mean=0.0, std=1.0), pictures)
    assert wrong.warns
    assert "-1 to 1" in wrong.verdict
    assert "(0 to 1) is wrong, it seems: 12 of 36 right, and 36 with" in wrong.verdict
    own = try_normalizations(bright(mean=0.1, std=2.0), pictures)
    assert own.warns
    assert "mean 0.1, std 2" in own.verdict
    assert len(own.trials) == 9


def test_nothing_stated_yet(pictures: list[Path]) -> None:
    found = try_normalizations(bright(), pictures)
    assert not found.warns
    assert found.verdict.startswith("-1 to 1")
    assert found.trials[0].name.startswith("-1 to 1")
    with pytest.raises(seewhy.ModelError, match="say at which size"):
        try_normalizations(seewhy.Model(Bright()), pictures)


def test_without_known_classes_there_is_only_a_hint(pictures: list[Path]) -> None:
    found = try_normalizations(bright(mean=0.0, std=1 / 255), pictures, [None] * len(pictures))
    assert not found.warns
    assert found.verdict.startswith("no picture's class is known")
    assert all(trial.accuracy is None for trial in found.trials)


def trial(name: str, std: float, confidence: float, *, stated: bool = False) -> Trial:
    return Trial(name, (0.0,), (std,), "rgb", stated, 0, 0, confidence)


def test_confidence_hints_only_at_numbers_that_are_no_larger() -> None:
    stated = trial("as stated", 1.0, 0.5, stated=True)
    sentence, warns = _verdict([trial("0 to 255", 1 / 255, 0.99), stated])
    assert (warns, "no hint" in sentence) == (False, True)
    sentence, warns = _verdict([trial("other", 1.1, 0.5 + HINT + 0.01), stated])
    assert (warns, "a hint, no more" in sentence) == (False, True)


def test_what_cannot_be_tried(pictures: list[Path]) -> None:
    model = bright(mean=0.5, std=0.5)
    with pytest.raises(seewhy.DataError, match="no pictures"):
        try_normalizations(model, [])
    with pytest.raises(seewhy.DataError, match="2 classes for 36"):
        try_normalizations(model, pictures, [0, 1])
    with pytest.raises(seewhy.DataError, match="up to 7, and the network has 3"):
        try_normalizations(model, pictures[:1], [7])
    maps = seewhy.Model(nn.Conv2d(3, 2, 1), size=8, mean=0.5, std=0.5)
    with pytest.raises(seewhy.ModelError, match="only a classifier"):
        try_normalizations(maps, pictures)


def test_one_channel(pictures: list[Path]) -> None:
    class Grey(Bright):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.expand(-1, 3, -1, -1))

    model = replace(bright(mean=0.5, std=0.5, channels="grey"), module=Grey())
    found = try_normalizations(model, pictures)
    assert len(found.trials) == 4
    assert found.trials[0].stated


@pytest.mark.slow
def test_the_built_in_network_with_imagenets_normalization_is_warned_of(data: Path) -> None:
    model = seewhy.load_model("efficientnet-lite0")
    folder = sorted((data / "imagenet60").iterdir())
    wrong = replace(model, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    found = try_normalizations(wrong, folder)
    by_name = {trial.name: trial for trial in found.trials}
    assert found.trials[0].name == "-1 to 1"  # its own, 127 and 128 of 255, but for a rounding
    assert found.trials[0].known == 60
    assert found.trials[0].correct - by_name["ImageNet mean and std"].correct >= 3
    assert found.trials[0].correct - by_name["-1 to 1, BGR"].correct >= 6
    assert by_name["0 to 255"].correct < 10
    assert found.warns
    assert "with -1 to 1" in found.verdict
