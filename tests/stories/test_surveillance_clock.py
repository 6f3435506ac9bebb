"""The surveillance story in small form: the network that reads the clock is convicted by the time tests, its twin acquitted."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "stories" / "surveillance_clock.py"


@pytest.fixture(scope="module")
def story():
    pytest.importorskip("av")
    spec = importlib.util.spec_from_file_location("surveillance_clock", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def video():
    folder = os.environ.get("SEEWHY_DATA")
    if not folder:
        pytest.skip("SEEWHY_DATA is unset: the video is not here")
    return Path(folder) / "video" / "vtest.avi"


@pytest.mark.slow
def test_the_network_that_reads_the_clock_is_convicted_and_its_twin_acquitted(story, video, tmp_path, capsys):
    verdicts = story.main(video, tmp_path, steps=150)
    assert verdicts == {"clock tells": "reads the clock", "twin": "sees them walk"}, capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name}.{ending}" for name in ("clock-tells", "twin") for ending in ("html", "png", "json", "map.png")
    }


def block_that_moves(side, way):
    """Return where something moves, (t, h, w): a block of 12 x 12 that goes 3 pixels a frame."""
    moving = np.zeros((8, side, side), dtype=bool)
    for frame in range(8):
        left = 8 + 3 * (frame if way > 0 else 7 - frame)
        moving[frame, 20:32, left : left + 12] = True
    return moving


@pytest.mark.parametrize("way", [1, -1])
def test_the_direction_is_that_of_what_moves(story, way):
    moving = block_that_moves(story.SIDE, way)
    assert story.direction(moving) == way
    assert story.direction(moving[::-1]) == -way
    assert story.direction(moving[:, :, ::-1]) == -way


def test_what_stands_still_or_leaves_the_place_has_no_direction(story):
    still = np.repeat(block_that_moves(story.SIDE, 1)[:1], 8, axis=0)
    assert story.direction(still) == 0
    assert story.direction(np.roll(block_that_moves(story.SIDE, 1), 14, axis=2)) == 0


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("backward", [False, True])
def test_a_walk_that_is_mirrored_or_backward_goes_the_other_way(story, mirrored, backward):
    frames = np.random.default_rng(0).integers(0, 255, (8, 48, 48, 3)).astype(np.uint8)
    walk = story.Walk(frames, rightward=True, start=0).turned(mirrored=mirrored, backward=backward)
    assert walk.rightward == (mirrored == backward)
    assert np.array_equal(walk.frames[-1 if backward else 0], frames[0][:, ::-1] if mirrored else frames[0])


@pytest.mark.parametrize(
    ("turns", "time", "said"),
    [
        (1.0, "image model", "reads the clock"),
        (0.0, "order", "sees them walk"),
        (1.0, "order", "undecided"),  # minds the clock, and the order too
        (0.0, "image model", "undecided"),  # needs no order, and does not mind the clock
        (0.0, "undecided", "undecided"),
    ],
)
def test_it_takes_the_time_tests_and_an_intervention_to_convict(story, turns, time, said):
    assert story.verdict({"another answer with the clock at another hour": turns}, time) == said
