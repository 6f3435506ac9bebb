"""Ablation-CAM: with a hook by hand, in closed form where pooling and one linear layer follow, and only what follows the layer runs."""

from functools import partial

import pytest
import torch
from gradient_oracle import explained
from torch import nn

import seewhy


def without(cnn: nn.Module, images: torch.Tensor, layer: str, channel: int) -> torch.Tensor:
    """Return the scores with one channel of a layer at zero."""

    def hook(module: nn.Module, args: object, output: torch.Tensor) -> torch.Tensor:
        output = output.clone()
        output[:, channel] = 0
        return output

    handle = cnn.get_submodule(layer).register_forward_hook(hook)
    with torch.no_grad():
        scores = cnn(images)[:, 1]
    handle.remove()
    return scores


@pytest.mark.parametrize(("layer", "channels"), [("down", 8), ("body", 6), ("stem", 6)])
def test_by_hand(layer, channels, cnn, images):
    kept = []
    cnn.get_submodule(layer).register_forward_hook(lambda *args: kept.append(args[-1].detach().clone()))
    with torch.no_grad():
        score = cnn(images)[:, 1]
    activation = kept[0]
    losses = torch.stack([score - without(cnn, images, layer, k) for k in range(channels)], dim=1)
    expected = torch.relu(torch.einsum("bk,bkhw->bhw", losses, activation))
    found = explained(cnn, images, "ablation-cam", layer=layer)
    torch.testing.assert_close(found.heatmap, expected, rtol=1e-9, atol=1e-12)
    assert found.cost == seewhy.Cost(2, partial=channels)
    assert not any("cannot be cut" in note for notes in found.notes for note in notes)


def test_where_pooling_and_a_linear_layer_follow_the_loss_is_weight_times_mean(cnn, images):
    """f = sum_k v_k mean(A_k) + bias, so without channel k the score loses v_k mean(A_k)."""
    kept = []
    cnn.act.register_forward_hook(lambda *args: kept.append(args[-1].detach().clone()))
    cnn(images)
    weights = cnn.head.weight[1].detach() * kept[0].mean(dim=(2, 3))
    expected = torch.relu(torch.einsum("bk,bkhw->bhw", weights, kept[0]))
    found = explained(cnn, images, "ablation-cam", layer="act").heatmap
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_a_negative_score_does_not_turn_the_map_upside_down(cnn, images):
    """The paper divides by the score; what speaks for the target would then be what speaks against it."""
    before = explained(cnn, images, "ablation-cam").heatmap
    cnn.head.bias.data -= 100.0
    after = explained(cnn, images, "ablation-cam")
    assert (after.score < 0).all()
    torch.testing.assert_close(after.heatmap, before)


def test_some_channels_are_those_that_vary_most(cnn, images):
    kept = []
    cnn.act.register_forward_hook(lambda *args: kept.append(args[-1].detach().clone()))
    cnn(images)
    activation = kept[0]
    best = activation.flatten(2).std(dim=2).topk(3, dim=1).indices
    chosen = torch.zeros(3, 8).double().scatter_(1, best, 1.0)
    weights = chosen * cnn.head.weight[1].detach() * activation.mean(dim=(2, 3))
    expected = torch.relu(torch.einsum("bk,bkhw->bhw", weights, activation))
    found = explained(cnn, images, "ablation-cam", layer="act", channels=3)
    torch.testing.assert_close(found.heatmap, expected, rtol=1e-9, atol=1e-12)
    assert found.cost == seewhy.Cost(2, partial=3)


def test_only_what_follows_the_layer_runs(cnn, images):
    """Counted by the user's own hooks, which the twin runs too: what was not computed has no memory behind it, so all its strides are 0."""
    rows = {"stem": [0, 0], "act": [0, 0]}

    def hook(module: nn.Module, args: object, output: torch.Tensor, name: str) -> None:
        rows[name][any(output.stride())] += len(output)

    for name in rows:
        cnn.get_submodule(name).register_forward_hook(partial(hook, name=name))
    explained(cnn, images, "ablation-cam", layer="down", rows=8)
    tried, ablated = 2, 3 * 8
    assert rows["act"] == [0, rows["stem"][1] + tried + ablated]
    assert rows["stem"][0] == tried + ablated


def test_the_cost_on_a_network_is_known_beforehand(cnn, images):
    session = seewhy.Session(seewhy.Model(cnn, mean=0.0, std=1.0))
    for settings, count in (({"layer": "down"}, 8), ({"layer": "down", "channels": 3}, 3), ({"layer": "stem"}, 6)):
        method = seewhy.method("ablation-cam", **settings)
        assert (
            session.cost_of(method, images) == seewhy.Cost(2, partial=count) == session.explain(images, 1, method).cost
        )


def test_a_bad_setting():
    with pytest.raises(seewhy.ConfigError, match="at least 1 channel, or None for all, got -1"):
        seewhy.method("ablation-cam", channels=-1)
