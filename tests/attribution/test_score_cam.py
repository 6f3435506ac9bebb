"""Score-CAM by hand, channel by channel; constant channels; a part of the channels."""

import pytest
import torch
from gradient_oracle import explained
from torch import Tensor, nn

import seewhy
from seewhy.ops.filters import resize


def activation_of(cnn: nn.Module, images: Tensor, layer: str = "down") -> Tensor:
    kept = []
    handle = cnn.get_submodule(layer).register_forward_hook(lambda *args: kept.append(args[-1].detach().clone()))
    with torch.no_grad():
        cnn(images)
    handle.remove()
    return kept[0]


def by_hand(cnn: nn.Module, images: Tensor, channels: list[int], fill: float = 0.0, layer: str = "down") -> Tensor:
    """Return the map of the paper for some of the channels, the score of the fill taken off before the softmax."""
    activation, maps = activation_of(cnn, images, layer), []
    for image, channels_of_one in zip(images, activation, strict=True):
        rises = []
        for k in channels:
            mask = resize(channels_of_one[k][None], (8, 8))[0]
            mask = (mask - mask.min()) / (mask.max() - mask.min())
            with torch.no_grad():
                shown, nothing = cnn((fill + mask * (image - fill))[None]), cnn(torch.full_like(image, fill)[None])
            rises.append(shown[0, 1] - nothing[0, 1])
        weights = torch.softmax(torch.stack(rises), dim=0)
        maps.append(torch.relu((weights[:, None, None] * channels_of_one[channels]).sum(dim=0)))
    return torch.stack(maps)


def test_by_hand(cnn, images):
    found = explained(cnn, images, "score-cam", layer="down")
    torch.testing.assert_close(found.heatmap, by_hand(cnn, images, list(range(8))), rtol=1e-9, atol=1e-12)
    assert found.cost == seewhy.Cost(1 + 8)


def test_another_fill(cnn, images):
    found = explained(cnn, images, "score-cam", layer="down", fill="white").heatmap  # white is 1 in these units
    torch.testing.assert_close(found, by_hand(cnn, images, list(range(8)), fill=1.0), rtol=1e-9, atol=1e-12)


def test_some_channels_are_those_that_vary_most_in_each_image(cnn, images):
    deviation = activation_of(cnn, images).flatten(2).std(dim=2)
    for index in range(3):
        best = sorted(deviation[index].topk(3).indices.tolist())
        found = explained(cnn, images[index : index + 1], "score-cam", layer="down", channels=3)
        expected = by_hand(cnn, images[index : index + 1], best)
        torch.testing.assert_close(found.heatmap, expected, rtol=1e-9, atol=1e-12)
        assert found.cost == seewhy.Cost(1 + 3)


def test_a_constant_channel_has_no_say(cnn, images):
    """Its mask is nothing; in the softmax of the others it must not count, however high the score of nothing is."""
    cnn.down.weight.data[[2, 5]] = 0.0
    cnn.down.bias.data[[2, 5]] = 9.0
    found = explained(cnn, images, "score-cam", layer="down").heatmap
    torch.testing.assert_close(found, by_hand(cnn, images, [0, 1, 3, 4, 6, 7]), rtol=1e-9, atol=1e-12)


def test_if_no_channel_varies_the_map_is_zero_and_says_so(cnn, images):
    cnn.down.weight.data.zero_()
    cnn.down.bias.data.fill_(2.0)
    found = explained(cnn, images, "score-cam", layer="down")
    assert not found.heatmap.any()
    assert "zero everywhere" in found.notes[0][0]


def test_a_constant_added_to_the_score_changes_nothing(cnn, images):
    before = explained(cnn, images, "score-cam").heatmap
    cnn.head.bias.data += 3.0
    torch.testing.assert_close(explained(cnn, images, "score-cam").heatmap, before)


def test_masks_are_made_one_by_one(cnn, images, monkeypatch):
    import weakref

    import seewhy.attribution.score_cam as module

    living, most, made = weakref.WeakSet(), 0, module.channel_mask

    def watched(maps: Tensor, size: tuple[int, ...]) -> Tensor:
        nonlocal most
        mask = made(maps, size)
        living.add(mask)
        most = max(most, len(living))
        return mask

    monkeypatch.setattr(module, "channel_mask", watched)
    explained(cnn, images, "score-cam", rows=3)
    assert most <= 2


def test_the_cost_on_a_network_is_known_beforehand(cnn, images):
    session = seewhy.Session(seewhy.Model(cnn, mean=0.0, std=1.0))
    for settings, count in (({}, 8), ({"channels": 3}, 3), ({"channels": 99}, 8), ({"layer": "stem"}, 6)):
        method = seewhy.method("score-cam", **({"layer": "down"} | settings))
        assert session.cost_of(method, images) == seewhy.Cost(1 + count)


def test_a_bad_setting(cnn, images):
    with pytest.raises(seewhy.ConfigError, match="at least 1 channel, or None for all, got 0"):
        seewhy.method("score-cam", channels=0)


@pytest.mark.parametrize("key", ["score-cam", "ss-cam", "is-cam", "ablation-cam"])
def test_a_budget_asks_about_the_channels_that_vary_most(key, cnn, images):
    """A budget that ends after three channels gives what asking about the three that vary most gives, and says so."""
    settings = {"ss-cam": {"samples": 2}, "is-cam": {"steps": 2}}.get(key, {})
    looks = 2 if settings else 1
    session = seewhy.Session(seewhy.Model(cnn, mean=0.5, std=0.5))
    bounded = session.explain(images, 0, seewhy.method(key, budget=3 * looks + looks // 2, **settings))
    chosen = session.explain(images, 0, seewhy.method(key, channels=3, **settings))
    torch.testing.assert_close(bounded.heatmap, chosen.heatmap)
    assert any("after 3 of 8 channels" in note for note in bounded.notes[0])
    assert not any("budget" in note for note in chosen.notes[0])


def test_a_budget_that_pays_for_no_channel():
    with pytest.raises(seewhy.ConfigError, match="asks 10 times about each channel; a budget of 9 pays for none"):
        seewhy.method("ss-cam", budget=9)
