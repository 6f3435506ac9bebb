"""What is said about a clip: numbers are those of the map, boxes lie in the source, the page holds them."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

import seewhy
from clips import FRAMES, SIDE, Planted3D, planted_clip
from seewhy.core.clip import Clip
from seewhy.core.sample import Geometry, Sample
from seewhy.evaluation.area import evidence
from seewhy.ops.tubes import margins, tubes
from seewhy.report.clip_examine import examine_clip, hidden_area, placed
from seewhy.report.clip_numbers import clip_numbers
from seewhy.report.clip_page import LARGEST, clip_page
from seewhy.report.clip_words import margins_words, when_words
from seewhy.report.examine import Examination, ask
from seewhy.targets import ClassScore


def clip_of(seconds=None):
    frames = (127 + 60 * planted_clip()[0].movedim(0, -1)).clamp(0, 255).byte().numpy()
    return Clip(frames, seconds or tuple(n / 8 for n in range(FRAMES)), tuple(range(FRAMES)), 8.0)


@pytest.fixture(scope="module")
def asked():
    model = seewhy.Model(
        Planted3D().eval(),
        size=SIDE,
        mean=0.5,
        std=0.25,
        frames=FRAMES,
        layout="bcthw",
        layer="relu",
        labels=["<bright>", "dark"],
    )
    session = seewhy.Session(model)
    [sample] = session.samples([clip_of()])
    return ask(
        session, replace(sample, name="a <b>.mp4"), ClassScore(0), seewhy.method("grad-cam"), Examination(channels=0)
    )


@pytest.fixture(scope="module")
def report(asked):
    return examine_clip(asked, "seewhy explain 'a <b>.mp4'", timed=False)


def test_numbers_are_those_of_the_map(asked, report):
    found, heatmap = clip_numbers(report), asked.explanation.heatmap[0]
    assert found["importance"] == pytest.approx(heatmap.double().sum(dim=(1, 2)).tolist())
    split = margins(heatmap)
    assert found["explained_by"] == pytest.approx(
        {"time": split.time, "space": split.space, "interaction": split.interaction}
    )
    mine = tubes(evidence(asked.explanation)[0])
    assert [tube["share"] for tube in found["tubes"]] == pytest.approx([tube.share for tube in mine])
    for told, tube in zip(found["tubes"], mine, strict=True):
        assert [row["frame"] for row in told["rows"]] == [part.frame for part in tube.slices]
        assert sum(row["mass"] for row in told["rows"]) == pytest.approx(tube.share)
    assert found["strongest_frames"][0] == int(np.argmax(found["importance"]))
    json.dumps(found, allow_nan=False)


def test_the_planted_block_is_the_heaviest_tube_and_passes_the_hide_test(report):
    tube = report.tubes[0]
    assert {5, 6, 7} <= {row.frame for row in tube.rows} <= {4, 5, 6, 7, 8}
    row = next(row for row in tube.rows if row.frame == 6)
    assert row.t == pytest.approx(6 / 8)
    assert abs(row.x - 5) <= 2
    assert abs(row.y - 4) <= 2
    assert report.hide_test.outcome == "passes"
    assert when_words(report).startswith(("0.62", "0.75"))


def test_speed_is_in_source_pixels_per_second():
    heatmap = torch.zeros(4, 10, 10)
    for frame in range(3):
        heatmap[frame, 2:4, 3 * frame : 3 * frame + 3] = 1.0
    clip = Clip(np.zeros((4, 40, 40, 3), np.uint8), (0.0, 0.5, 1.0, 1.5), (0, 5, 10, 15), 10.0)
    sample = Sample(torch.zeros(3, 4, 10, 10), geometry=Geometry((40, 40), (0.0, 0.0, 40.0, 40.0), (10, 10)), clip=clip)
    [tube] = (placed(tube, sample) for tube in tubes(heatmap, held=1.0))
    assert tube.speed == pytest.approx(2 * 3 * 4 / 1.0)


def test_boxes_lie_in_source_pixels_after_crop_and_letterbox():
    heatmap = torch.zeros(4, 10, 10)
    heatmap[1, 2:4, 5:8] = 1.0
    [tube] = tubes(heatmap, held=1.0)
    clip = Clip(np.zeros((4, 60, 80, 3), np.uint8), (0.0, 0.5, 1.0, 1.5), (0, 5, 10, 15), 10.0)
    crop = Sample(torch.zeros(3, 4, 10, 10), geometry=Geometry((60, 80), (0.0, 10.0, 60.0, 70.0), (10, 10)), clip=clip)
    [row] = placed(tube, crop).rows
    assert (row.x, row.y, row.w, row.h) == (40.0, 12.0, 18.0, 12.0)
    assert (row.t, row.number, row.frame) == (0.5, 5, 1)
    letterbox = Sample(
        torch.zeros(3, 4, 10, 10), geometry=Geometry((60, 80), (-10.0, 0.0, 70.0, 80.0), (10, 10)), clip=clip
    )
    [row] = placed(tube, letterbox).rows
    assert (row.x, row.y, row.w, row.h) == (40.0, 6.0, 24.0, 16.0)
    edge = torch.zeros(4, 10, 10)
    edge[0, 0:3, 0:2] = 1.0  # its first row lies in the margin
    [row] = placed(tubes(edge, held=1.0)[0], letterbox).rows
    assert (row.y, row.h) == (0.0, 14.0)


def test_what_is_hidden_is_the_tubes_and_never_more_than_a_fifth(asked):
    made = asked.explanation
    found = tubes(evidence(made)[0])
    area, words = hidden_area(made, found)
    assert torch.equal(area, torch.stack([tube.cells for tube in found]).any(dim=0))
    assert words == "the tubes"
    flat = replace(made, heatmap=torch.rand(made.heatmap.shape, generator=torch.Generator().manual_seed(0)) + 5)
    area, words = hidden_area(flat, tubes(evidence(flat)[0]))
    assert float(area.float().mean()) == pytest.approx(0.2, abs=0.001)
    assert "lies in the tubes" in words


def test_scattered_evidence_is_tested_too(asked):
    noise = torch.zeros_like(asked.explanation.heatmap)
    noise[:, ::2, ::4, ::4] = 1 + torch.rand(noise[:, ::2, ::4, ::4].shape, generator=torch.Generator().manual_seed(0))
    report = examine_clip(replace(asked, explanation=replace(asked.explanation, heatmap=noise)), timed=False)
    assert report.tubes == ()
    assert "scattered" in report.outlined
    assert report.hide_test is not None
    assert "scattered in small pieces" in clip_page(report)


def test_the_page_holds_every_frame_its_numbers_and_no_foreign_text(report):
    page = clip_page(report, b"movie")
    assert len(page.encode()) < LARGEST
    assert page.count('class="photo"') == FRAMES
    assert "<bright>" not in page
    assert "a <b>.mp4" not in page
    assert "data:video/mp4;base64,bW92aWU=" in page
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page).group(1)
    assert "media-src data:" in policy
    assert "default-src 'none'" in policy
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    embedded = json.loads(re.search(r'id="numbers-json">(.*?)</script>', page, re.S).group(1))
    assert embedded == clip_numbers(report)
    points = json.loads(re.search(r'data-points="([^"]*)"', page).group(1))
    importance = np.array(report.importance)
    assert [x for x, _ in points] == pytest.approx([100 * n / (FRAMES - 1) for n in range(FRAMES)], abs=0.01)
    low, high = min(0.0, importance.min()), importance.max()
    assert [y for _, y in points] == pytest.approx(list(100 * (1 - (importance - low) / (high - low))), abs=0.01)


def test_a_large_movie_stays_beside_the_page(report):
    assert "data:video/mp4" not in clip_page(report, bytes(1_000_000))
    assert "data:video/mp4" not in clip_page(report)


def test_a_map_of_zeros_is_said_to_be_one(asked):
    nothing = replace(
        asked, explanation=replace(asked.explanation, heatmap=torch.zeros_like(asked.explanation.heatmap))
    )
    report = examine_clip(nothing, timed=False)
    assert report.tubes == ()
    assert report.hide_test is None
    assert report.concentration is None
    assert "same everywhere" in margins_words(report.margins)
    assert "no frame speaks for it" in when_words(report)
    assert "None: the map holds no evidence for the answer" in clip_page(report)


def test_frames_far_apart_are_told(asked):
    far = replace(asked.sample.clip, seconds=tuple(5.0 * n for n in range(FRAMES)))
    sample = replace(asked.sample, clip=far)
    slow = replace(asked, sample=sample, explanation=replace(asked.explanation, samples=(sample,)))
    assert any("The frames lie 5 s apart" in line for line in examine_clip(slow, timed=False).cautions)
    assert not any("apart" in line for line in examine_clip(asked, timed=False).cautions)


def test_the_timeline_stands_on_the_page_and_in_the_numbers(asked):
    report = examine_clip(asked, timed=True)
    found, page = clip_numbers(report)["timeline"], clip_page(report)
    assert found["deletion"] == pytest.approx(report.timeline.deletion.tolist())
    assert page.count("data-points=") == 2
    assert "Does time matter?" in page
