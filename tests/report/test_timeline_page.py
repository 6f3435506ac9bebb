"""Page, picture and numbers of a timeline, and of the time tests."""

import json
import re

import pytest
import torch

import seewhy
from clips import FramesLSTM, planted_clip
from seewhy.contributions.frames import FrameImportance
from seewhy.core.clip import Clip
from seewhy.errors import DataError
from seewhy.evaluation.timeline import agreement_of
from seewhy.report.time_tests_page import time_tests_page
from seewhy.report.timeline_chart import frame_chart, prefix_chart, strip_frames


@pytest.fixture(scope="module")
def model():
    return seewhy.Model(
        FramesLSTM().eval(), size=32, mean=0.0, std=1.0, frames=16, layout="btchw", labels=["<b>bright</b>", "dark"]
    )


@pytest.fixture(scope="module")
def found(model):
    pixels = (planted_clip()[0].movedim(0, -1).clamp(0, 1) * 255).byte().numpy()
    clip = Clip(pixels, tuple(0.5 * frame for frame in range(16)), tuple(range(0, 32, 2)), 4.0)
    return seewhy.timeline(clip, model, 0, command="seewhy timeline <clip>")


def test_the_planted_frames_are_found_and_told(found):
    assert found.found.strongest == 5
    assert found.seconds[found.found.strongest] == 2.5
    assert "most missed: 2.50 s" in str(found)
    assert found.verdict.startswith("an image model")
    assert found.agreement.value > 0.5
    assert found.agreement.chance < 0.01
    assert not found.agreement.warning
    assert found.decision == 0.0


def test_numbers_are_plain_and_the_page_carries_them(found):
    numbers = json.loads(json.dumps(found.numbers(), allow_nan=False))
    assert numbers["deletion"] == found.deletion.tolist()
    assert numbers["prefix"]["decision"] == 0.0
    assert sum(numbers["magnitude"]) == pytest.approx(1)
    inside = re.search(r'<script type="application/json" id="numbers-json">(.*?)</script>', found.page(), re.S)
    assert json.loads(inside[1])["segments"]["values"] == numbers["segments"]["values"]


def test_the_page_escapes_what_it_is_given(found):
    page = found.page()
    assert "<b>bright" not in page
    assert "&lt;b&gt;bright" in page
    assert "seewhy timeline &lt;clip&gt;" in page
    assert "http" not in page.replace("http-equiv", "")


def test_bars_and_lines_stand_where_the_numbers_are(found):
    chart = frame_chart(found.found)
    tallest = max(chart["bars"], key=lambda bar: bar["height"])
    assert chart["bars"].index(tallest) == int(found.deletion.abs().argmax())
    for bar, value in zip(chart["bars"], found.deletion.tolist(), strict=True):
        assert bar["side"] == ("pos" if value >= 0 else "neg")
        edge = bar["y"] + bar["height"] if value >= 0 else bar["y"]
        assert edge == pytest.approx(chart["zero"], abs=0.02)
    line = [tuple(map(float, point.split(","))) for point in prefix_chart(found.found)["line"].split()]
    assert [x for x, _ in line] == pytest.approx([62.5 * (n + 0.5) for n in range(16)], abs=0.06)
    assert min(line, key=lambda point: point[1])[0] == line[int(found.prefix.scores.argmax())][0]
    assert strip_frames(found.found) == list(range(16))


def test_it_is_written_as_page_picture_and_numbers(found, tmp_path):
    for ending in ("html", "png", "json"):
        assert found.save(tmp_path / f"a.{ending}").stat().st_size > 1000
    with pytest.raises(DataError, match="exists"):
        found.save(tmp_path / "a.html")
    picture = found.picture()
    assert picture.width == 1000
    assert len(picture.getcolors(1 << 24)) > 50


def test_the_time_tests_have_a_page_of_their_own(model):
    clips = torch.stack([planted_clip()[0], planted_clip(seed=1)[0], torch.zeros(3, 16, 32, 32)])
    found = seewhy.time_tests(clips, model, 0)
    page = time_tests_page(found, found.numbers(), model="a <model>")
    assert "Time tests of a &lt;model&gt;" in page
    assert page.count("<tr>") == 4
    assert "1 of 3 clips are left out" in page.replace("\u00a0", " ")


def importance_of(gradient, deletion, whole=10.0):
    made = torch.tensor(deletion, dtype=torch.float64)
    slope = None if gradient is None else torch.tensor(gradient, dtype=torch.float64)
    return FrameImportance(made, slope, None, made, whole, ((0, 1),), made[:1], "freeze")


def test_agreement_is_a_rank_correlation_with_its_chance():
    climbing = [float(n) for n in range(8)]
    same = agreement_of(importance_of([n**3 for n in climbing], climbing))
    assert same.value == pytest.approx(1)
    assert same.chance == pytest.approx(1 / 5000, abs=1e-3)  # one order of 40320
    assert not same.warning
    turned = agreement_of(importance_of(climbing[::-1], climbing))
    assert turned.value == pytest.approx(-1)
    assert turned.chance == pytest.approx(1)
    assert "disagree" in turned.warning


@pytest.mark.parametrize(
    ("gradient", "deletion", "warning"),
    [
        ([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0], "too few"),
        ([1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 1.0, 5.0, 3.0, 4.0], "may be chance"),
        ([1.0] * 6, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "the gradient says the same of all frames"),
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0] * 6, "deletion says the same of all frames"),
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0.01, 0.02, 0.0, 0.01, 0.0, 0.03], "no single frame is missed"),
        (None, [1.0, 2.0, 3.0], ""),
    ],
)
def test_what_the_agreement_cannot_tell_is_said(gradient, deletion, warning):
    found = agreement_of(importance_of(gradient, deletion))
    assert warning in found.warning
    assert (found.warning == "") == (warning == "")


def test_rounding_has_no_order():
    noise = [1e-9 * n for n in (3, 1, 2, 5, 4, 0)]
    found = agreement_of(importance_of([*noise, 1.0, 2.0], [*noise[::-1], 1.0, 2.0]))
    assert found.value == pytest.approx(1)
