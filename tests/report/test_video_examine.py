"""Long videos: which windows are shown in full, which class is asked about, and what is covered."""

import numpy as np
import pytest
import torch

import seewhy
from clips import Planted3D
from seewhy.core.clip import Clip
from seewhy.report.examine import Examination
from seewhy.report.video import Window
from seewhy.report.video_examine import VideoQuestion, apart, examine_video
from seewhy.targets import ClassScore


def window(first, score):
    return Window(first, first + 9, first / 10, first / 10 + 0.9, score, None, "")


def test_windows_in_full_share_no_frames():
    windows = [window(0, 1.0), window(5, 9.0), window(10, 8.0), window(15, 7.0), window(20, 2.0)]
    assert apart(windows) == [1, 3]  # 10 overlaps 5; 0 overlaps 5; 20 overlaps 15
    assert apart(windows, 1) == [1]
    assert apart([window(10 * n, float(n)) for n in range(5)]) == [4, 3, 2]


def clips(bright):
    """Return what reads windows of eight frames, four apart, of forty frames with a bright block in some."""
    frames = np.full((40, 32, 32, 3), 110, np.uint8)
    frames[list(bright), 8:20, 8:20] = 250

    def read():
        for first in range(0, 33, 4):
            numbers = tuple(range(first, first + 8))
            yield Clip(frames[first : first + 8], tuple(n / 10 for n in numbers), numbers, 10.0)

    return read


def examined(tmp_path, method, target=None):
    model = seewhy.Model(
        Planted3D().eval(),
        size=32,
        mean=0.5,
        std=0.25,
        frames=8,
        layout="bcthw",
        layer="relu",
        labels=["bright", "dark"],
    )
    with seewhy.Session(model) as session, (tmp_path / "maps").open("wb") as file:
        asked = VideoQuestion(
            session,
            target or ClassScore(),
            method,
            "a.mp4",
            wanted=Examination(channels=0, hide_test=False),
            timed=False,
        )
        told = []
        found = examine_video(
            asked, clips(range(20, 26)), 40, (file, tmp_path / "maps"), told=lambda *step: told.append(step), total=9
        )
    return found, told, session


def test_the_class_is_that_with_the_highest_mean_probability(tmp_path):
    found, told, session = examined(tmp_path, seewhy.method("grad-cam"))
    reads = [torch.from_numpy(clip.frames.copy()) for clip in clips(range(20, 26))()]
    inputs = torch.stack([(frames.movedim(-1, 0) / 255 - 0.5) / 0.25 for frames in reads])
    shares = session.predict(inputs).softmax(dim=1)
    index = int(shares.mean(dim=0).argmax())
    assert found.answer == ["bright", "dark"][index]
    assert [window.probability for window in found.windows] == pytest.approx(shares[:, index].tolist(), abs=1e-5)
    assert told[8] == ("scores of windows", 9, 9)
    assert told[-1] == ("maps of windows", 9, 9)
    assert (found.explained, found.covered) == (9, 1.0)


def test_a_costly_method_is_asked_about_the_strongest_windows_only(tmp_path):
    found, _, _ = examined(tmp_path, seewhy.method("integrated-gradients", steps=4), ClassScore(0))
    assert found.explained == len(found.strongest)
    assert found.explained < len(found.windows)
    shown = {
        frame
        for number, _ in found.strongest
        for frame in range(found.windows[number].first, found.windows[number].last + 1)
    }
    assert set(found.fused.numbers) == shown
    assert found.covered == pytest.approx(len(shown) / 40)
    assert len({clip.reel.limit for _, clip in found.strongest}) == 1
