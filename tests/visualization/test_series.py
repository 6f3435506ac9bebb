"""seewhy.visualize: each picture is what it would be alone, and what cannot be done is said at once."""

import threading

import pytest
import torch
from painted import planted, small
from torch import nn

import seewhy
from networks import SmallViT, seeded
from seewhy.errors import ConfigError, LayerError, ModelError, SeewhyError, TargetError
from seewhy.targets import Channel, ClassScore, Direction, Neuron
from seewhy.visualization.purse import Purse


def test_several_targets_give_bitwise_what_each_gives_alone():
    model = small()
    together = seewhy.visualize(
        model, ["body.0:2", "down:1@center", "c", Direction("down", range(8))], steps=8, count=2
    )
    assert together.images.shape == (8, 3, 16, 16)
    alone = [
        seewhy.visualize(model, target, steps=8, seed=seed)
        for target in ("body.0:2", Neuron("down", 1), ClassScore(2), Direction("down", range(8)))
        for seed in (0, 1)
    ]
    for index, one in enumerate(alone):
        assert torch.equal(together.images[index], one.images[0])
        assert float(together.scores[index]) == float(one.scores[0])
        assert together.seeds[index] == one.seeds[0]


def test_the_score_is_what_the_network_gives_for_the_picture():
    model = small()
    made = seewhy.visualize(model, ["b", "down:3"], steps=6)
    inputs = (made.images - 0.5) / 0.25
    torch.testing.assert_close(made.scores[:1], model.module(inputs[:1])[:, 1].detach(), rtol=1e-4, atol=1e-5)
    stem = model.module.stem(inputs[1:].clone())
    down = model.module.down(stem + model.module.body(stem.clone()))
    torch.testing.assert_close(made.scores[1:], down[:, 3].mean(dim=(1, 2)).detach(), rtol=1e-4, atol=1e-5)


def test_a_planted_unit_is_reached_and_a_dead_one_is_said_to_be_dead():
    made = seewhy.visualize(planted(), ["act:1@center", "act:2"], steps=150, canvas="fourier")
    bars = torch.full((1, 3, 16, 16), -0.7)  # 15 % and 85 % of full brightness
    bars[..., [6, 7, 10, 11]] = 0.7
    model = planted().module
    pattern = model.act(model.detector(bars))[0, 1, 6, 6].item()
    assert pattern == pytest.approx(2.1)
    assert float(made.scores[0]) >= pattern
    assert made.notes[0] == ()
    assert made.notes[1][0].startswith("dead")
    assert float(made.scores[1]) == 0


def test_a_sum_of_targets_gives_one_picture_and_a_difference_serves_the_first():
    model = planted()
    made = seewhy.visualize(model, [Channel("act", 0) - Channel("act", 1)], steps=60)
    inputs = (made.images - 0.5) / 0.5
    seen = model.module.act(model.module.detector(inputs)).mean(dim=(2, 3))[0]
    assert len(made) == 1
    assert made.targets == ("channel 0 of act - channel 1 of act",)
    assert float((seen[0] - seen[1]).detach()) == pytest.approx(float(made.scores[0]), abs=1e-5)
    assert float(seen[0].detach()) > 0.2 > float(seen[1].detach())


@pytest.mark.parametrize("canvas", ["fourier", "pixels", "maco"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_of_any_number_of_channels_score_higher_than_grey(canvas, channels):
    model = planted(channels)
    made = seewhy.visualize(model, "act:1", steps=20, canvas=canvas, size=(16, 24))
    assert made.images.shape == (1, channels, 16, 24)
    assert 0 <= float(made.images.min()) <= float(made.images.max()) <= 1
    assert float(made.scores[0]) > 0.02
    assert made.picture().size == (24 if channels == 3 else 24 * channels, 16)


def test_a_transformer_of_tokens_is_visualized_and_left_as_it_was():
    network = seeded(SmallViT())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    model = seewhy.Model(network, size=8, mean=(0.5,) * 3, std=(0.25,) * 3)
    made = seewhy.visualize(model, ["blocks.0:3", "blocks.1:5@center", 2], steps=12)
    grey = seewhy.visualize(model, ["blocks.0:3", "blocks.1:5@center", 2], steps=1)
    assert (made.scores > grey.scores).all()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_a_transformer_of_hugging_face():
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        image_size=32,
        patch_size=8,
        num_labels=4,
    )
    torch.manual_seed(0)
    network = transformers.ViTForImageClassification(config).eval()
    layer = next(name for name, module in network.named_modules() if type(module).__name__ == "ViTLayer")
    model = seewhy.Model(network, size=32, mean=(0.5,) * 3, std=(0.5,) * 3)
    made = seewhy.visualize(model, [f"{layer}:7", 1], steps=12)
    grey = seewhy.visualize(model, [f"{layer}:7", 1], steps=1)
    assert (made.scores > grey.scores).all()


def test_a_layer_without_positions_has_channels():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    model = seewhy.Model(network.eval(), size=16, mean=(0.5,) * 3, std=(0.5,) * 3)
    made = seewhy.visualize(model, "4:3", steps=5)
    expected = network((made.images - 0.5) / 0.5)[:, 3]
    torch.testing.assert_close(made.scores, expected.detach(), rtol=1e-4, atol=1e-5)
    with pytest.raises(TargetError, match="has no positions"):
        seewhy.visualize(model, "4:3@1,1", steps=5)


@pytest.mark.parametrize(
    ("targets", "settings", "error", "told"),
    [
        ("bdy.0:2", {}, LayerError, "nearest: 'body.0'"),
        ("body.0:6", {}, TargetError, "6 channels, 0 to 5"),
        ("body.0:2@99,0", {}, TargetError, "16 x 16"),
        ("aa", {}, TargetError, "no class 'aa'"),
        (7, {}, TargetError, "no class 7"),
        (None, {}, TargetError, "there is no picture yet"),
        (seewhy.targets.Margin(1), {}, TargetError, "there is no picture yet"),
        ([], {}, ConfigError, "empty"),
        ("a", {"steps": 0}, ConfigError, "steps is at least 1"),
        ("a", {"size": 0}, ConfigError, "size is at least"),
        ("a", {"count": 0}, ConfigError, "at least one picture"),
        ("a", {"canvas": "furier"}, ConfigError, "'fourier'"),
        ("a", {"budget": "soon"}, ConfigError, "budget"),
        ("a", {"diversity": 1.0}, ConfigError, "at least two"),
        ("a", {"count": 2, "diversity": -1.0}, ConfigError, "weight above 0"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_step(targets, settings, error, told):
    steps = []
    asked = ["b", targets] if isinstance(targets, (str, int)) and error is not ConfigError else targets
    with pytest.raises(error, match=told):
        seewhy.visualize(small(), asked, progress=lambda *step: steps.append(step), **({"steps": 3} | settings))
    assert not steps


def test_a_model_without_preprocessing_and_a_black_box_are_refused():
    with pytest.raises(ModelError, match="size, mean and std"):
        seewhy.visualize(seewhy.Model(small().module), "a", steps=2)
    box = seewhy.Model(lambda images: images.mean(axis=(2, 3)), size=8, mean=0.0, std=1.0)
    with pytest.raises(SeewhyError, match="black box"):
        seewhy.visualize(box, 0, steps=2)


def test_progress_names_the_target_and_a_budget_of_steps_is_for_all():
    told = []
    seewhy.visualize(small(), ["a", "body.0:1"], steps=50, budget=12, progress=lambda *step: told.append(step))
    assert [name for name, *_ in told] == ["a"] * 6 + ["channel 1 of body.0"] * 6
    assert [step for _, step, _, _ in told] == [*range(1, 7), *range(1, 7)]


def test_what_a_picture_leaves_over_the_next_ones_may_spend():
    purse = Purse(100, 4)
    assert purse.share() == 25
    purse.pay(10)
    assert purse.share() == 30
    purse.pay(30)
    assert purse.share(2) == 60
    assert Purse(None, 3).share() is None
    assert 0 < float(Purse("2m", 4).share().removesuffix("s")) <= 30


def test_threads_make_the_same_pictures():
    model = small()
    wanted = {seed: seewhy.visualize(model, "down:1", steps=4, seed=seed).images for seed in range(3)}
    found: dict[int, torch.Tensor] = {}
    threads = [
        threading.Thread(
            target=lambda s=seed: found.update({s: seewhy.visualize(model, "down:1", steps=4, seed=s).images})
        )
        for seed in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(found[seed], wanted[seed]) for seed in range(3))
