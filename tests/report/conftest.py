"""A small photo report whose every figure is known."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seewhy.render import resample, strongest
from seewhy.report.photo import Answer, ChannelFinding, HideTest, PhotoReport


def blob(row: float, column: float, size: int = 7) -> np.ndarray:
    rows, columns = (np.mgrid[:size, :size] + 0.5) / size
    return np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 0.05)


def on_photo(values: np.ndarray) -> np.ndarray:
    """The middle square of a 120 x 80 photo is seen, 20 columns on each side are not."""
    whole = np.full((80, 120), np.nan)
    whole[:, 20:100] = resample(values, (80, 80))
    return whole


@pytest.fixture
def make() -> Callable[..., PhotoReport]:
    """Build the report; keywords replace its fields."""
    rng = np.random.default_rng(0)
    photo = Image.fromarray(rng.integers(0, 255, (8, 12, 3), dtype=np.uint8)).resize(
        (120, 80), Image.Resampling.BICUBIC
    )
    maps = [on_photo(blob(0.25, 0.3)), on_photo(0.5 * blob(0.8, 0.8)), on_photo(np.zeros((7, 7)))]
    held, places = (0.634, 0.701, None), ("upper left", "lower right", "")
    names, scores, shares = ("tabby", "tiger cat", "lynx"), (9.125, 7.5, 2.0), (0.712, 0.181, 0.004)
    test = HideTest(
        before=0.712,
        hidden=0.19,
        controls=(0.66, 0.69, 0.58),
        share=0.2,
        unit="probability",
        outcome="passes",
        sentence="Blurring this area lowers the probability.",
        area=strongest(maps[0]),
        hidden_picture=photo.resize((56, 56)),
    )
    report = PhotoReport(
        name="chelsea.png",
        picture=photo,
        size=(1200, 800),
        model="EfficientNet-Lite0",
        method="Grad-CAM",
        layer="blocks.6.0",
        source="Selvaraju et al. 2017",
        answers=tuple(Answer(*parts) for parts in zip(names, scores, shares, maps, held, places, strict=True)),
        chosen=0,
        top=(*zip(names, shares, strict=True), ("window screen", 0.0021)),
        signed=False,
        unit="logit",
        score_unit="logit",
        limit=float(np.nanmax(maps[0])),
        normalization="the maximum over all maps of this photo",
        hide_test=test,
        channels=(ChannelFinding(311, 0.42, 0.12, maps[0]), ChannelFinding(17, -0.31, 0.09, maps[1])),
        channels_share=0.21,
        cost=("1 forward, 1 backward",),
        cautions=("The photo was cropped.",),
        command="seewhy explain chelsea.png",
        provenance={"seed": 0, "model": {"name": "lite0"}},
    )

    def build(**changes: Any) -> PhotoReport:
        return replace(report, **changes)

    return build
