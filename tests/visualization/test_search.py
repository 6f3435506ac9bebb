"""A search finds what looking at everything finds, whatever happens on the way, and says what it could not use."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from networks import SmallCNN, SmallViT, seeded
from seewhy.data.dataset import dataset
from seewhy.engine.model import Model
from seewhy.engine.session import Session
from seewhy.errors import ConfigError, DataError, LayerError
from seewhy.visualization.examples import Examples
from seewhy.visualization.search import Search, search


def drawn(count, size=8, seed=0):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def found_in(network, inputs, layers, **how):
    model = network if isinstance(network, Model) else Model(network)
    labels = torch.arange(len(inputs)) % 3
    return search(Session(model), dataset((inputs, labels), model), layers, Search(**how))


def given(network, inputs, name):
    """Return what a layer gives for all inputs at once."""
    kept = []
    handle = network.get_submodule(name).register_forward_hook(lambda _, __, out: kept.append(out.detach().clone()))
    with torch.no_grad():
        network(inputs)
    handle.remove()
    return kept[0]


def check(found, values):
    """Compare with sorting everything: values (n, c, *spatial)."""
    largest, smallest = values.flatten(2).amax(2), values.flatten(2).amin(2)
    for channel in range(values.shape[1]):
        one = found.of(None, channel)
        best = largest[:, channel].argsort(descending=True, stable=True)
        worst = smallest[:, channel].argsort(stable=True)
        assert [example.picture for example in one.top] == best[: len(one.top)].tolist()
        assert [example.picture for example in one.bottom] == worst[: len(one.bottom)].tolist()
        assert [example.value for example in one.top] == pytest.approx(largest[best[: len(one.top)], channel].tolist())
        for example in one.top:
            cell = values[(example.picture, channel, *example.position)]
            assert float(cell) == pytest.approx(example.value)
        for example in one.bottom:
            assert float(values[(example.picture, channel, *example.position)]) == pytest.approx(example.value)


@pytest.mark.parametrize("layer", ["stem.0", "body.1", "down", "act"])
def test_every_channel_of_a_cnn_is_searched_in_one_pass(layer):
    network, inputs = seeded(SmallCNN()), drawn(37)
    check(found_in(network, inputs, layer, rows=5), given(network, inputs, layer))


def test_tokens_are_places_and_the_class_token_is_none():
    network, inputs = seeded(SmallViT()), drawn(25)
    tokens = given(network, inputs, "blocks.1")
    grid = tokens[:, 1:].transpose(1, 2).reshape(25, 8, 4, 4)
    check(found_in(network, inputs, "blocks.1"), grid)


def test_channels_that_stand_last_are_channels():
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 5, 3, padding=1)
            self.norm = nn.LayerNorm(5)

        def forward(self, x):
            return self.norm(self.conv(x).permute(0, 2, 3, 1)).mean(dim=(1, 2))

    network, inputs = seeded(Last()), drawn(20)
    check(found_in(network, inputs, "norm"), given(network, inputs, "norm").permute(0, 3, 1, 2))


def test_a_layer_without_spatial_axes_has_no_positions_and_shows_pictures_whole():
    network, inputs = seeded(SmallCNN()), drawn(20)
    found = found_in(network, inputs, "head")
    one = found.of("head", 1)
    assert [example.picture for example in one.top] == network(inputs)[:, 1].argsort(descending=True)[:9].tolist()
    assert one.top[0].position is None
    assert found.layer().field is None
    assert found.crop(one.top[0]).size == (8, 8)


def test_several_layers_at_once_give_what_each_gives_alone():
    network, inputs = seeded(SmallCNN()), drawn(30)
    both = found_in(network, inputs, ["stem", "down"])
    for layer in ("stem", "down"):
        alone = found_in(network, inputs, layer)
        for end in ("top", "bottom", "strip"):
            for name in ("values", "pictures", "positions"):
                assert np.array_equal(
                    getattr(getattr(both.layer(layer), end), name), getattr(getattr(alone.layer(layer), end), name)
                )


def test_only_what_leads_to_the_layer_runs():
    class Bomb(nn.Module):
        armed = False

        def forward(self, x):
            if self.armed:
                raise AssertionError("ran beyond the layer")
            return x

    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), Bomb(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model = Model(seeded(network))
    session = Session(model)
    session.predict(drawn(1))  # the first pass of a network is a whole one
    for part in session.network.module.modules():
        if isinstance(part, Bomb):
            part.armed = True
    inputs = drawn(10)
    found = search(session, dataset((inputs, torch.zeros(10)), model), ["1"])
    assert found.seen == 10
    assert session.cost.forwards == 1  # the one of `predict`


def test_the_strip_is_the_middles_of_nine_strata_of_all_pictures():
    network, inputs = seeded(SmallCNN()), drawn(45)
    found = found_in(network, inputs, "down", sample=1000)
    largest = given(network, inputs, "down").flatten(2).amax(2)
    for channel in range(8):
        order = largest[:, channel].argsort()
        strip = found.of("down", channel).strip
        assert [example.picture for example in strip] == [int(order[5 * rung + 2]) for rung in range(9)]
        assert [example.quantile for example in strip] == pytest.approx([(rung + 0.5) / 9 for rung in range(9)])


def test_the_sample_is_the_same_in_any_order():
    network, inputs = seeded(SmallCNN()), drawn(60)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(5))
    first, second = (found_in(network, data, "down", sample=20, rows=1) for data in (inputs, inputs[order]))
    assert np.array_equal(np.sort(first.layer().sampled, axis=0), np.sort(second.layer().sampled, axis=0))
    assert np.array_equal(order.numpy()[second.layer().strip.pictures], first.layer().strip.pictures)
    assert not np.array_equal(
        found_in(network, inputs, "down", sample=20, seed=1).layer().sampled, first.layer().sampled
    )


class Planted(nn.Module):
    """Channel k is largest where pattern k lies."""

    def __init__(self, patterns):
        super().__init__()
        self.detect = nn.Conv2d(1, len(patterns), patterns.shape[-1], padding=2, bias=False)
        self.detect.weight.data = (patterns - patterns.mean(dim=(1, 2), keepdim=True))[:, None]

    def forward(self, x):
        return self.detect(x).amax(dim=(2, 3))


@pytest.fixture
def planted(tmp_path):
    """Noisy pictures, some of which hold one of three patterns at a known place."""
    generator = torch.Generator().manual_seed(7)
    patterns = torch.rand(3, 5, 5, generator=generator).round()
    where = {}
    for number in range(30):
        picture = 0.5 + 0.1 * torch.randn(24, 24, generator=generator)
        if number % 5 == 2:
            kind, row, column = (number // 5) % 3, (3 * number) % 19, (7 * number) % 19
            picture[row : row + 5, column : column + 5] = patterns[kind]
            where[number] = (kind, row, column)
        pixels = (picture.clamp(0, 1) * 255).round().byte().numpy()
        Image.fromarray(pixels).resize((72, 72), Image.Resampling.NEAREST).save(tmp_path / f"{number:02d}.png")
    model = Model(Planted(patterns), size=24, mean=0.0, std=1.0, channels="grey", interpolation="nearest")
    return model, tmp_path, where, patterns


def test_the_planted_pictures_come_first_and_the_crop_is_the_pattern(planted):
    model, folder, where, patterns = planted
    found = search(Session(model), dataset(folder, model), ["detect"])
    assert found.seen == 30
    assert found.layer().field.reach == 2.5  # the kernel is five pixels across
    assert found.layer().field.shift == (0, 0)
    for kind in range(3):
        holders = {number: (row, column) for number, (which, row, column) in where.items() if which == kind}
        one = found.of("detect", kind)
        assert {example.picture for example in one.top[: len(holders)]} == holders.keys()
        assert one.top[len(holders)].value < 0.5 * one.top[0].value
        for example in one.top[: len(holders)]:
            assert example.position == tuple(corner + 2 for corner in holders[example.picture])
            crop = np.asarray(found.crop(example).convert("L").resize((5, 5), Image.Resampling.BOX)) / 255
            inner = crop[1:-1, 1:-1] - patterns[kind].numpy()[1:-1, 1:-1]
            assert np.abs(inner).max() < 0.7


def test_near_duplicates_are_left_out_and_named(planted):
    model, folder, _, _ = planted
    picture = Image.open(folder / "07.png")
    picture.convert("RGB").save(folder / "31.jpg", quality=70)
    picture.resize((48, 48)).save(folder / "32.png")
    found = search(Session(model), dataset(folder, model), ["detect"])
    assert {Path(name).name: Path(first).name for name, first in found.duplicates.items()} == {
        "31.jpg": "07.png",
        "32.png": "07.png",
    }
    assert found.seen == 30
    assert search(Session(model), dataset(folder, model), ["detect"], Search(distinct=False)).seen == 32


def test_broken_pictures_are_named_and_the_rest_is_done(planted):
    model, folder, _, _ = planted
    whole = search(Session(model), dataset(folder, model), ["detect"])
    (folder / "05x.png").write_bytes(b"no picture")
    (folder / "29x.png").write_bytes(b"")
    found = search(Session(model), dataset(folder, model), ["detect"])
    assert [Path(name).name for name in found.broken] == ["05x.png", "29x.png"]
    names = [[Path(e.name).name for e in result.of("detect", 0).top] for result in (whole, found)]
    assert names[0] == names[1]


def test_nothing_to_look_at_is_said(planted, tmp_path):
    model, *_ = planted
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="no pictures in this folder"):
        dataset(empty, model)
    (empty / "a.png").write_bytes(b"x")
    with pytest.raises(DataError, match="none of the 1 pictures can be read"):
        search(Session(model), dataset(empty, model), ["detect"])


def test_layers_that_cannot_be_searched_are_refused():
    network, inputs = seeded(SmallCNN()), drawn(4)
    with pytest.raises(LayerError, match="nearest: 'down'"):
        found_in(network, inputs, "downn")
    with pytest.raises(LayerError, match="at least one layer"):
        found_in(network, inputs, [])
    with pytest.raises(LayerError, match="black box"):
        found_in(Model(lambda images: images.mean(axis=(2, 3))), inputs, "down")
    with pytest.raises(ConfigError, match="top is at least 1"):
        Search(top=0)
    found = found_in(network, inputs, "down")
    with pytest.raises(ConfigError, match="channels 0 to 7"):
        found.of("down", 8)
    with pytest.raises(LayerError, match="was not searched"):
        found.of("stem", 0)


def test_a_channel_that_is_always_zero_is_said_to_be():
    network = seeded(SmallCNN())
    network.stem[1].weight.data[2] = 0
    network.stem[1].bias.data[2] = -1.0
    found = found_in(network, drawn(12), "stem")
    assert found.of("stem", 2).constant == 0
    assert found.of("stem", 1).constant is None
    assert np.flatnonzero(~np.isnan(found.layer().constant)).tolist() == [2]


def test_a_picture_that_breaks_the_network_is_set_aside():
    class Log(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = nn.Conv2d(3, 2, 1)

        def forward(self, x):
            return self.part(x.log()).mean(dim=(2, 3))

    inputs = drawn(9).abs() + 0.1
    inputs[4, 0, 3, 3] = -1.0
    network = seeded(Log())
    model = Model(network)
    found = search(Session(model), dataset((inputs, torch.zeros(9)), model), ["part"])
    assert found.seen == 8
    assert "image 4" in found.broken
    assert "NaN" in found.broken["image 4"]


def arrays(found: Examples) -> dict[str, np.ndarray]:
    return {
        f"{name}.{end}.{part}": value
        for name, one in found.layers.items()
        for end in ("top", "bottom", "strip")
        for part, value in vars(getattr(one, end)).items()
    } | {f"{name}.sampled": one.sampled for name, one in found.layers.items()}


def same(first: Examples, second: Examples) -> None:
    for name, value in arrays(first).items():
        assert np.array_equal(value, arrays(second)[name], equal_nan=True), name
    assert (first.seen, first.broken, first.duplicates) == (second.seen, second.broken, second.duplicates)
    assert {name: one.field for name, one in first.layers.items()} == {
        name: one.field for name, one in second.layers.items()
    }


def test_what_is_saved_is_what_is_loaded(planted, tmp_path):
    model, folder, _, _ = planted
    found = search(Session(model), dataset(folder, model), ["detect"])
    found.save(tmp_path / "found.npz")
    again = Examples.load(tmp_path / "found.npz")
    same(found, again)
    example = again.of("detect", 1).top[0]
    assert example == found.of("detect", 1).top[0]
    assert again.crop(example).tobytes() == found.crop(example).tobytes()
    found.save(tmp_path / "found.json")
    plain = json.loads((tmp_path / "found.json").read_text())
    assert plain["layers"][0]["top"]["pictures"][1][0] == example.picture
    with pytest.raises(DataError, match="exists"):
        found.save(tmp_path / "found.npz")
    (tmp_path / "other.npz").write_bytes(b"PK nothing")
    with pytest.raises(DataError, match="no examples"):
        Examples.load(tmp_path / "other.npz")


def test_a_picture_that_has_changed_since_is_not_taken_for_it(planted):
    model, folder, _, _ = planted
    found = search(Session(model), dataset(folder, model), ["detect"])
    example = found.of("detect", 0).top[0]
    Image.new("L", (72, 72)).save(example.name)
    with pytest.raises(DataError, match="has changed"):
        found.crop(example)


def test_a_search_that_is_done_is_not_made_again(planted, tmp_path):
    model, folder, _, _ = planted
    cache = tmp_path / "cache"
    first = search(Session(model), dataset(folder, model), ["detect"], cache=cache)
    told = []
    session = Session(model)
    again = search(session, dataset(folder, model), ["detect"], cache=cache, progress=lambda *at: told.append(at))
    same(first, again)
    assert told == []
    assert session.cost.partial == 1  # the image of noise
    same(first, search(Session(model), dataset(folder, model), ["detect"]))


def test_a_cache_does_not_go_stale(planted, tmp_path):
    model, folder, _, patterns = planted
    cache = tmp_path / "cache"

    def made(model, layers=("detect",), **how):
        told = []
        search(Session(model), dataset(folder, model), list(layers), Search(**how), cache, lambda *at: told.append(at))
        return bool(told)

    def with_size(patterns, **settings):
        stated = {"size": 24, "mean": 0.0, "std": 1.0, "channels": "grey", "interpolation": "nearest"} | settings
        return Model(Planted(patterns), **stated)

    assert made(model)
    assert not made(with_size(patterns))  # another object, the same network
    assert made(with_size(1 - patterns))  # other weights
    assert made(with_size(patterns, mean=0.5))
    assert made(with_size(patterns, size=20))
    assert made(model, top=3)
    assert made(model, seed=1)
    assert not made(model, rungs=3)  # only another view of what was found
    (folder / "03.png").rename(folder / "03a.png")
    assert not made(model)  # the same contents in the same order
    Image.new("L", (72, 72)).save(folder / "03a.png")
    assert made(model)  # another content under the same name

    class Turned(Planted):
        def forward(self, x):
            return super().forward(x)

    turned = Turned(patterns)
    turned.detect.register_forward_hook(lambda _, __, out: -out)
    stated = Model(turned, size=24, mean=0.0, std=1.0, channels="grey", interpolation="nearest")
    stated.module.__class__.__name__ = "Planted"
    assert made(stated)  # the same weights and names, other code


SLOW = """
import sys, time, torch
sys.path[:0] = sys.argv[3:]
from test_search import Planted
from seewhy.data.dataset import dataset
from seewhy.engine.model import Model
from seewhy.engine.session import Session
from seewhy.visualization.search import Search, search
class Slow(Planted):
    def forward(self, x):
        time.sleep(0.1)
        return super().forward(x)
torch.set_num_threads(1)
module = Slow(torch.load(sys.argv[2] + "/patterns.pt", weights_only=True))
Slow.__name__ = "Planted"
model = Model(module, size=24, mean=0.0, std=1.0, channels="grey", interpolation="nearest")
from pathlib import Path
search(Session(model), dataset(sys.argv[1], model), ["detect"], Search(rows=2, save=0.0), Path(sys.argv[2]) / "cache")
"""


@pytest.mark.slow
def test_a_search_that_was_killed_goes_on_and_ends_bit_for_bit_the_same(planted, tmp_path):
    model, folder, _, patterns = planted
    (folder / "03x.png").write_bytes(b"broken")
    Image.open(folder / "07.png").convert("RGB").save(folder / "07x.jpg", quality=80)
    work = tmp_path / "work"
    work.mkdir()
    torch.save(patterns, work / "patterns.pt")
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    process = subprocess.Popen([sys.executable, "-c", SLOW, str(folder), str(work), *paths], env=os.environ)
    deadline = time.monotonic() + 60
    while not list((work / "cache").glob("*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    told = []
    how = Search(rows=2)
    resumed = search(
        Session(model), dataset(folder, model), ["detect"], how, work / "cache", lambda *at: told.append(at)
    )
    assert 0 < told[0][0] < 32  # it did not begin at the beginning, nor at the end
    same(resumed, search(Session(model), dataset(folder, model), ["detect"], how))


def test_a_damaged_cache_is_an_error_and_no_result(planted, tmp_path):
    model, folder, _, _ = planted
    cache = tmp_path / "cache"
    search(Session(model), dataset(folder, model), ["detect"], cache=cache)
    [file] = cache.iterdir()
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DataError, match="delete it"):
        search(Session(model), dataset(folder, model), ["detect"], cache=cache)


@pytest.mark.parametrize("rows", [1, 3, 16])
def test_the_rows_of_a_pass_change_nothing(rows):
    network, inputs = seeded(SmallCNN()), drawn(20)
    first, second = (found_in(network, inputs, "down", rows=count) for count in (7, rows))
    for name, value in arrays(first).items():
        assert np.allclose(value, arrays(second)[name]), name
