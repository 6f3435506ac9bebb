"""`seewhy explain` of clips: which files, what they hold, what is done when one of them is broken."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import seewhy
from seewhy.cli.app import app
from seewhy.core.explanation import Explanation
from seewhy.render.movie import write_movie

MODEL = """
import sys
sys.path.insert(0, {tests!r})
import seewhy
from clips import Planted3D

def build():
    return seewhy.Model(Planted3D().eval(), size=32, mean=0.5, std=0.25, frames=8, {more} layout="bcthw", layer="relu", labels=["bright", "dark"])
"""


@pytest.fixture
def folder(tmp_path, request):
    pytest.importorskip("av")
    tests = str(request.config.rootpath / "tests")
    (tmp_path / "model.py").write_text(MODEL.format(tests=tests, more=""))
    (tmp_path / "windows.py").write_text(MODEL.format(tests=tests, more="stride=2,"))
    return tmp_path


def frames(count, bright=()):
    """Return grey frames with a bright block in some of them."""
    made = np.full((count, 48, 64, 3), 110, np.uint8)
    for frame in bright:
        made[frame, 8:20, 20:32] = 250
    return made


def run(folder, *words, model="model.py"):
    out = folder / "out"
    return CliRunner().invoke(
        app, ["explain", *map(str, words), "--model", f"{folder / model}:build", "--target", "bright", "-o", str(out)]
    )


def test_a_clip_has_its_six_files_and_they_agree(folder):
    write_movie(folder / "a.mp4", frames(40, range(12, 23)), rate=10)
    result = run(folder, folder / "a.mp4", "--no-timeline", "--json")
    assert result.exit_code == 0, result.output
    [found] = json.loads(result.stdout)["photos"]
    names = {path.name for path in (folder / "out").iterdir()}
    assert names == {f"a.why.{ending}" for ending in ("mp4", "webp", "sheet.png", "html", "json", "npz")}
    written = json.loads((folder / "out" / "a.why.json").read_text())
    assert {key: found[key] for key in written} == written
    raw = Explanation.load(folder / "out" / "a.why.npz")
    assert written["importance"] == pytest.approx(raw.heatmap[0].double().sum(dim=(1, 2)).tolist())
    assert written["clip"]["frames"] == [2, 7, 12, 17, 22, 27, 32, 37]
    assert written["clip"]["seconds"] == pytest.approx([n / 10 for n in written["clip"]["frames"]])
    assert written["strongest_frames"][0] == 3  # frame 17, the middle one of the three bright ones
    assert (folder / "out" / "a.why.webp").stat().st_size <= 2_000_000
    assert (folder / "out" / "a.why.html").stat().st_size <= 2_000_000


def test_start_end_frames_and_stride_say_which_frames(folder):
    write_movie(folder / "a.mp4", frames(60), rate=10)
    result = run(
        folder, folder / "a.mp4", "--no-timeline", "--no-hide-test", "--start", "1", "--stride", "3", "--frames", "4"
    )
    assert result.exit_code == 0, result.output
    written = json.loads((folder / "out" / "a.why.json").read_text())
    assert written["clip"]["frames"] == [10, 13, 16, 19]
    assert "--frames 4 --stride 3 --start 1 --no-timeline --no-hide-test" in written["command"]


def test_too_few_frames_are_refused_or_lengthened_as_asked(folder):
    write_movie(folder / "a.mp4", frames(5), rate=10)
    refused = run(folder, folder / "a.mp4", "--no-timeline", "--no-hide-test")
    assert refused.exit_code == 3 and "8 frames are wanted, and there are 5" in refused.stderr
    assert "--short repeat" in refused.stderr
    made = run(folder, folder / "a.mp4", "--no-timeline", "--no-hide-test", "--short", "repeat")
    assert made.exit_code == 0, made.output
    written = json.loads((folder / "out" / "a.why.json").read_text())
    assert written["clip"]["frames"] == [0, 1, 2, 3, 4, 4, 4, 4]
    assert "--short repeat" in written["command"]
    wrong = run(folder, folder / "a.mp4", "--short", "stretch")
    assert wrong.exit_code == 2 and "one of error, repeat, loop" in wrong.stderr


def test_the_terminal_says_when_where_and_how_far_to_trust(folder):
    write_movie(folder / "a.mp4", frames(8, (3, 4)), rate=10)
    result = run(folder, folder / "a.mp4")
    assert result.exit_code == 0, result.output
    for word in ("8 frames, 0.00 to 0.70 s", "tube 1", "hide test", "Of the map's variation", "cost", "a.why.mp4"):
        assert word in result.stdout


def test_a_folder_of_frames_is_one_clip_and_a_folder_of_videos_is_each(folder):
    numbered, videos = folder / "walk", folder / "videos"
    numbered.mkdir()
    videos.mkdir()
    for number, pixels in enumerate(frames(10)):
        Image.fromarray(pixels).save(numbered / f"frame{number}.png")
    write_movie(videos / "a.mp4", frames(8), rate=10)
    write_movie(videos / "b.mp4", frames(8), rate=10)
    result = run(folder, numbered, videos, "--no-timeline", "--no-hide-test", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["photos"]
    assert [row["clip"]["name"] for row in found] == ["walk", "a.mp4", "b.mp4"]


def test_a_broken_video_is_told_and_the_others_are_done(folder):
    write_movie(folder / "good.mp4", frames(8), rate=10)
    (folder / "bad.mp4").write_text("no video")
    (folder / "short.mp4").write_bytes((folder / "good.mp4").read_bytes())
    write_movie(folder / "short.mp4", frames(3), rate=10, force=True)
    result = run(
        folder, folder / "bad.mp4", folder / "short.mp4", folder / "good.mp4", "--no-timeline", "--no-hide-test"
    )
    assert result.exit_code == 3
    assert "bad.mp4" in result.stderr
    assert "8 frames are wanted, and there are 3" in result.stderr
    assert {path.name.partition(".")[0] for path in (folder / "out").iterdir()} == {"good"}


def test_nothing_is_left_of_a_clip_that_fails_half_way(folder, monkeypatch):
    write_movie(folder / "a.mp4", frames(8), rate=10)
    monkeypatch.setattr("seewhy.cli.explaining_clips.clip_page", lambda *_: 1 / 0)
    assert run(folder, folder / "a.mp4", "--no-timeline", "--no-hide-test").exit_code == 3
    assert list((folder / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("model", "step"), [("model.py", "explaining_clips.examine_clip"), ("windows.py", "explaining_videos.video_sheet")]
)
def test_control_c_leaves_nothing_behind(folder, monkeypatch, model, step):
    write_movie(folder / "a.mp4", frames(60), rate=10)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"seewhy.cli.{step}", interrupted)
    result = run(folder, folder / "a.mp4", "--no-timeline", "--no-hide-test", model=model)
    assert result.exit_code == 130
    assert "interrupted: 0 of 1 done" in result.stderr
    assert list((folder / "out").iterdir()) == []


def test_a_picture_model_refuses_a_video_and_a_clip_model_a_picture(folder):
    write_movie(folder / "a.mp4", frames(8), rate=10)
    Image.fromarray(frames(1)[0]).save(folder / "a.jpg")
    refused = run(folder, folder / "a.jpg")
    assert refused.exit_code == 3
    assert "takes clips of 8 frames" in refused.stderr


def test_files_that_exist_are_kept(folder):
    write_movie(folder / "a.mp4", frames(8), rate=10)
    (folder / "out").mkdir()
    (folder / "out" / "a.why.html").write_text("mine")
    result = run(folder, folder / "a.mp4")
    assert result.exit_code == 3
    assert (folder / "out" / "a.why.html").read_text() == "mine"
    assert len(list((folder / "out").iterdir())) == 1


def test_a_long_video_is_done_in_windows(folder):
    write_movie(folder / "a.mp4", frames(100, range(60, 70)), rate=10)
    result = run(folder, folder / "a.mp4", "--no-timeline", "--json", model="windows.py")
    assert result.exit_code == 0, result.output
    [found] = json.loads(result.stdout)["photos"]
    windows = found["windows"]
    assert [window["first"] for window in windows] == [8 * number for number in range(11)] + [85]
    assert all(window["last"] == window["first"] + 14 for window in windows)
    best = found["strongest"][0]
    window = windows[best["window"]]
    assert window["score"] == max(row["score"] for row in windows)
    assert window["first"] <= 60
    assert window["last"] >= 66
    assert best["score"] == pytest.approx(window["score"], rel=1e-4)
    over = found["over_time"]
    bright = [value for frame, value in zip(over["frames"], over["importance"], strict=True) if 60 <= frame < 70]
    dark = [value for frame, value in zip(over["frames"], over["importance"], strict=True) if not 58 <= frame < 72]
    assert min(bright) > 5 * max(dark)
    assert found["covered"] == 1.0
    with np.load(folder / "out" / "a.why.npz", allow_pickle=False) as arrays:
        assert arrays["maps"].shape == (len(over["frames"]), 32, 32)
        assert arrays["maps"].sum(axis=(1, 2)) == pytest.approx(over["importance"], rel=1e-4, abs=1e-4)
        lit = [60 <= frame < 70 for frame in over["frames"]]
        row, column = np.unravel_index(arrays["maps"][lit].mean(axis=0).argmax(), (32, 32))
        # rows 8 to 20 and columns 20 to 32 of 48 x 64, of which the middle 48 x 48 become 32 x 32
        assert 8 * 32 / 48 - 1 <= row <= 20 * 32 / 48
        assert 12 * 32 / 48 - 1 <= column <= 24 * 32 / 48
    limits = {row["map"]["limit"] for row in found["strongest"]}
    assert len(limits) == 1  # one scale for all windows shown
    assert not list((folder / "out").glob(".seewhy*"))


def test_windows_can_be_asked_for_and_refused(folder):
    write_movie(folder / "a.mp4", frames(100), rate=10)
    whole = run(
        folder, folder / "a.mp4", "--no-timeline", "--no-hide-test", "--no-windows", "--json", model="windows.py"
    )
    assert json.loads(whole.stdout)["photos"][0]["clip"]["frames"] == list(range(0, 16, 2))
    stepped = run(
        folder, folder / "a.mp4", "--no-timeline", "--no-hide-test", "--windows", "--step", "4", "--json", "--force"
    )
    assert [row["first"] for row in json.loads(stepped.stdout)["photos"][0]["windows"]] == list(range(0, 93, 4))


def test_the_version_is_in_the_provenance(folder):
    write_movie(folder / "a.mp4", frames(8), rate=10)
    result = run(folder, folder / "a.mp4", "--no-timeline", "--no-hide-test", "--json")
    assert json.loads(result.stdout)["photos"][0]["provenance"]["seewhy"] == seewhy.__version__
