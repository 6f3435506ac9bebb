"""`seewhy activations` through its real door."""

import json
from pathlib import Path

import numpy as np
import pytest

from command import command
from seewhy.cli.activating import chosen_channels
from seewhy.errors import ConfigError


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    return command(capsys, "activations", *arguments)


def test_good_photos_are_done_and_broken_ones_named(photo, tmp_path, capsys):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.png").write_bytes(photo.read_bytes())
    (folder / "b.png").write_bytes(b"no picture")
    out = tmp_path / "out"
    code, stdout, stderr = run(capsys, folder, "--layer", "blocks.10", "--channels", "3,17", "-o", out)
    assert code == 3
    assert "b.png is not a picture" in stderr
    assert "1 of 2 failed" in stderr
    assert sorted(path.name for path in out.iterdir()) == [f"a.activations.{e}" for e in ("html", "json", "npz", "png")]
    with np.load(out / "a.activations.npz", allow_pickle=False) as arrays:
        assert arrays["channels"].tolist() == [3, 17]
        assert arrays["maps"].shape == (2, 14, 14)
        peak = np.abs(arrays["maps"]).max(axis=(1, 2))
    told = json.loads((out / "a.activations.json").read_text())
    assert np.allclose([abs(told["channels"][n]["peak"]) for n in (3, 17)], peak)
    assert "channel 3: peak" in stdout
    assert "three principal components explain" in stdout


def test_a_layer_without_places_says_so(photo, tmp_path, capsys):
    code, stdout, _ = run(capsys, photo, "--layer", "classifier", "-o", tmp_path / "out")
    assert code == 0
    assert "no places in the photo, so there is no map" in stdout


def test_json_goes_to_stdout_alone(photo, tmp_path, capsys):
    code, stdout, stderr = run(capsys, photo, "--channels", "2", "-o", tmp_path / "out", "--json")
    told = json.loads(stdout)
    assert (code, stderr, told["failed"]) == (0, "", [])
    assert (told["photos"][0]["layer"], told["photos"][0]["grid"]) == ("head", [7, 7])
    assert len(told["photos"][0]["shown"]) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--layer", "blocks.100"], "nearest: 'blocks.10'"),
        (["--layer", "head", "--channels", "3,1280"], "there is no channel 1280"),
        (["--channels", "few"], "--channels is how many of the strongest"),
        (["--by", "size"], "--by is 'peak' or 'mean'"),
        (["--scale", "both"], "--scale is 'own' or 'one'"),
    ],
)
def test_a_mistake_that_all_photos_share_is_told_once(options, said, photo, tmp_path: Path, capsys):
    code, _, stderr = run(capsys, photo, photo, "-o", tmp_path / "out", *options)
    assert code == 2
    assert stderr.count(said) == 1


def test_channels_as_a_number_or_a_list():
    assert chosen_channels("24") == 24
    assert chosen_channels("3, 17,3") == (3, 17)
    assert chosen_channels("0,") == (0,)
    for wrong in ("", ",", "-3", "0", "3;4", "1.5"):
        with pytest.raises(ConfigError, match="--channels"):
            chosen_channels(wrong)
