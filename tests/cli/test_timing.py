"""`seewhy timeline` and `seewhy time-tests`: files of each clip, one line for what is wrong."""

import json

import numpy as np
import pytest
from PIL import Image
from torch import nn

import seewhy
from clips import FramesLSTM
from command import command


def model_of(frames=8):
    return seewhy.Model(
        FramesLSTM().eval(),
        size=32,
        mean=0.0,
        std=1.0,
        frames=frames,
        layout="btchw",
        labels=["bright", "dark"],
        name="it",
    )


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr("seewhy.cli.timing.load_model", lambda name, checkpoint: model_of())


@pytest.fixture
def clips(tmp_path):
    """Two folders of frames in a folder; the block stands in frame 3 of the first, and in 5 of the second."""
    for name, when in (("one", 3), ("two", 5)):
        folder = tmp_path / "clips" / name
        folder.mkdir(parents=True)
        for frame in range(8):
            pixels = np.full((32, 32, 3), 10, dtype=np.uint8)
            if frame == when:
                pixels[4:14, 4:14] = 255
            Image.fromarray(pixels).save(folder / f"{frame:03d}.png")
    return tmp_path / "clips"


def test_each_clip_has_a_page_a_picture_and_numbers(capsys, clips, tmp_path):
    code, out, err = command(capsys, "timeline", clips, "-m", "it", "-o", tmp_path, "-t", "bright", "--json")
    assert code == 0, err
    told = json.loads(out)["videos"]
    assert [int(np.argmax(one["deletion"])) for one in told] == [3, 5]
    for name in ("one", "two"):
        for ending in ("html", "png", "json"):
            assert (tmp_path / f"{name}.timeline.{ending}").stat().st_size > 500
    page = (tmp_path / "one.timeline.html").read_text()
    assert "--target bright" in page
    code, _, err = command(capsys, "timeline", clips, "-m", "it", "-o", tmp_path, "-t", "bright")
    assert code == 3
    assert "--force" in err


def test_what_is_broken_is_told_and_the_others_are_done(capsys, clips, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    code, out, err = command(capsys, "timeline", broken, clips / "two", "-m", "it", "-o", tmp_path)
    assert code == 3
    assert "broken.mp4" in err
    assert "most missed: frame 5" in out or "two: " in out
    code, out, err = command(capsys, "time-tests", broken, clips / "one", "-m", "it", "-o", tmp_path, "-t", "bright")
    assert code == 3
    assert "1 of 2 failed" in err
    assert "an image model" in out
    numbers = json.loads((tmp_path / "time-tests.json").read_text())
    assert numbers["failed"][0]["video"].endswith("broken.mp4")


def test_all_clips_have_one_verdict(capsys, clips, tmp_path):
    code, out, err = command(capsys, "time-tests", clips, "-m", "it", "-o", tmp_path, "-t", "bright", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["verdict"] == "image model"
    assert len(told["clips"]) == 2
    assert (tmp_path / "time-tests.html").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--hiding", "paint"), "freeze, interpolate, blur"),
        (("-t", "brigt"), "nearest: 'bright'"),
        (("--fit", "wide"), "'crop', 'pad' or 'squash'"),
    ],
)
def test_wrong_use_costs_no_work(capsys, clips, tmp_path, options, said):
    code, _, err = command(capsys, "timeline", clips, "-m", "it", "-o", tmp_path, *options)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_a_network_for_pictures_is_refused(capsys, clips, tmp_path, monkeypatch):
    still = seewhy.Model(nn.Flatten(), size=32, mean=0.0, std=1.0, name="still")
    monkeypatch.setattr("seewhy.cli.timing.load_model", lambda name, checkpoint: still)
    for name in ("timeline", "time-tests"):
        code, _, err = command(capsys, name, clips, "-m", "it", "-o", tmp_path)
        assert code == 2
        assert "still takes pictures, which have no time" in err
