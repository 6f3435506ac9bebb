"""What every method of the registry keeps to; a new method gets these tests for nothing."""

import json
import threading
from dataclasses import fields
from functools import cache

import pytest
import torch
from torch import nn

import seewhy
from networks import SmallBCos, SmallCNN, SmallViT, seeded

SMALL = {"samples": 4, "steps": 6, "window": 4, "stride": 2, "count": 4}
METHODS = sorted(seewhy.methods())
TRIALS = 8
"""Passes, at most, in which an image is taped and a partial pass is compared with a whole one."""
HOMES = {"cnn": SmallCNN, "transformer": SmallViT, "b-cos": SmallBCos}
"""Networks that a method may be for; the first that it fits is the one that it is tested on."""


def made(key: str, **settings: object) -> seewhy.Method:
    """Return a method with few samples and steps, on small pictures."""
    names = {field.name for field in fields(seewhy.methods()[key])}
    return seewhy.method(key, **{name: value for name, value in SMALL.items() if name in names}, **settings)


@cache
def home(key: str) -> str:
    """Return the kind of network that a method is for; a method that fits none is a defect."""
    refused = {}
    for name, kind in HOMES.items():
        inputs = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        try:
            seewhy.Session(seewhy.Model(seeded(kind()), mean=0.5, std=0.5)).explain(inputs, 0, made(key))
        except (seewhy.MethodError, seewhy.LayerError) as error:
            refused[name] = str(error)
        else:
            return name
    raise AssertionError(f"{key} fits no network: {refused}")


@pytest.fixture
def network(key):
    return seeded(HOMES[home(key)]())


@pytest.fixture
def model(network):
    return seewhy.Model(network, size=8, mean=0.5, std=0.5)


def state(network: nn.Module) -> list[object]:
    """Return everything about a network that an explanation could touch."""
    tensors = [(name, value.clone(), value.requires_grad, value.grad) for name, value in network.named_parameters()]
    buffers = [(name, value.clone()) for name, value in network.named_buffers()]
    modules = [
        (name, part.training, dict(part._forward_hooks), dict(part._forward_pre_hooks), dict(part._backward_hooks))
        for name, part in network.named_modules()
    ]
    return [tensors, buffers, modules, torch.random.get_rng_state(), torch.is_grad_enabled()]


def disturb(network: nn.Module) -> None:
    """Give a network modes, frozen weights and gradients that nobody would guess."""
    network.train()
    next(network.children()).eval()
    weights = list(network.parameters())
    weights[1].requires_grad_(False)
    weights[-1].grad = torch.ones_like(weights[-1])


def same(before: object, after: object) -> bool:
    """Compare nested states bit by bit."""
    if isinstance(before, torch.Tensor):
        return isinstance(after, torch.Tensor) and torch.equal(before, after)
    if isinstance(before, (list, tuple)):
        return len(before) == len(after) and all(map(same, before, after))
    return before == after


@pytest.mark.parametrize("key", METHODS)
class TestEveryMethod:
    def test_shape_dtype_and_sign(self, key, model, images):
        explanation = seewhy.Session(model).explain(images, methods=made(key))
        method = seewhy.methods()[key]
        size = (8, 8) if method.resolution == "input" else (4, 4)
        assert explanation.heatmap.shape == (3, *size)
        assert explanation.heatmap.dtype == torch.float64
        assert torch.isfinite(explanation.heatmap).all()
        assert method.signed or explanation.heatmap.min() >= 0

    def test_a_batch_gives_what_one_by_one_gives(self, key, model, images):
        session = seewhy.Session(model)
        together = session.explain(images, methods=made(key)).heatmap
        apart = torch.cat([session.explain(image[None], methods=made(key)).heatmap for image in images])
        torch.testing.assert_close(together, apart, rtol=1e-9, atol=1e-11)

    def test_the_size_of_a_pass_changes_nothing(self, key, model, images):
        maps = [seewhy.Session(model, rows=rows).explain(images, methods=made(key)).heatmap for rows in (1, 3, 7)]
        torch.testing.assert_close(maps[0], maps[1], rtol=1e-9, atol=1e-11)
        torch.testing.assert_close(maps[0], maps[2], rtol=1e-9, atol=1e-11)

    def test_the_same_seed_gives_the_same_map(self, key, model, images):
        maps = [seewhy.Session(model, seed=5, rows=3).explain(images, methods=made(key)).heatmap for _ in range(2)]
        assert torch.equal(*maps)

    def test_the_network_is_untouched(self, key, network, model, images):
        disturb(network)
        before = state(network)
        given = images.clone().requires_grad_()
        seewhy.Session(model).explain(given, methods=made(key))
        assert same(before, state(network))
        assert given.requires_grad and given.grad is None and torch.equal(given, images)

    def test_the_network_is_untouched_after_an_exception(self, key, network, images):
        inner = network

        class Fails(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.inner = inner

            def forward(self, x):
                self.inner(x)
                raise RuntimeError("no answer today")

        failing = Fails().train()
        before = state(failing)
        with pytest.raises(seewhy.ModelError, match="no answer today"):
            seewhy.Session(seewhy.Model(failing, mean=0.5, std=0.5)).explain(images, methods=made(key))
        assert same(before, state(failing))

    def test_the_cost_is_as_declared(self, key, model, images):
        session = seewhy.Session(model)
        method = made(key)
        explanation = session.explain(images, methods=method)
        if method.cost() is not None:
            assert explanation.cost == method.cost()
        spent = session.cost
        if session.cost_of(explanation.method, images) is None and spent != explanation.cost * 3:
            alone = [seewhy.Session(model).explain(image[None], methods=method).cost for image in images]
            assert spent == sum(alone, seewhy.Cost())  # each image costs what it costs alone,
            assert explanation.cost in alone  # and the dearest stands for the block
            assert explanation.cost.forwards == max(one.forwards for one in alone)
        elif not explanation.cost.partial:
            assert spent == explanation.cost * 3
        else:  # whether a partial pass is right is tried once, on one image
            extra = spent - explanation.cost * 3
            assert extra.forwards >= 0 and extra.partial >= 0 and extra.backwards == 0

    def test_the_cost_on_this_network_is_known_beforehand(self, key, model, images):
        session = seewhy.Session(model)
        explanation = session.explain(images, 0, made(key))
        expected = session.cost_of(explanation.method, images)
        if expected is None:
            return
        found = explanation.cost
        assert expected.backwards == found.backwards
        assert 0 <= found.forwards + found.partial - expected.forwards - expected.partial <= TRIALS

    def test_the_settings_round_trip(self, key):
        method = made(key)
        again = seewhy.method(key, **json.loads(json.dumps(method.settings())))
        assert again == method
        assert hash(again) == hash(method)

    def test_save_and_load(self, key, model, images, tmp_path):
        explanation = seewhy.Session(model).explain(images, methods=made(key))
        again = seewhy.load(explanation.save(tmp_path / "map.npz"))
        assert torch.equal(again.heatmap, explanation.heatmap)
        assert torch.equal(again.score, explanation.score)
        assert (again.method, again.targets, again.cost) == (explanation.method, explanation.targets, explanation.cost)

    @pytest.mark.parametrize("caller", [torch.no_grad, torch.inference_mode])
    def test_the_caller_may_have_gradients_off(self, key, caller, model, images):
        expected = seewhy.Session(model, rows=3).explain(images, methods=made(key)).heatmap
        with caller():
            found = seewhy.Session(model, rows=3).explain(images.clone(), methods=made(key)).heatmap
        assert torch.equal(expected, found)

    def test_half_precision_gives_a_finite_map_in_float32(self, key, images):
        network = seeded(HOMES[home(key)]()).bfloat16()
        model = seewhy.Model(network, mean=0.5, std=0.5)
        explanation = seewhy.Session(model).explain(
            images.bfloat16(), 0, made(key, **({"tolerance": None} if "tolerance" in made(key).settings() else {}))
        )
        assert explanation.heatmap.dtype == torch.float32
        assert torch.isfinite(explanation.heatmap).all()

    def test_six_threads_at_once(self, key, model, images):
        expected = seewhy.Session(model, rows=3).explain(images, methods=made(key)).heatmap
        shared = seewhy.Session(model, rows=3)
        found, errors = [], []

        def work(session: seewhy.Session) -> None:
            try:
                found.extend(session.explain(images, methods=made(key)).heatmap for _ in range(2))
            except Exception as error:
                errors.append(error)

        threads = [
            threading.Thread(target=work, args=(shared if n % 2 else seewhy.Session(model, rows=3),)) for n in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
        assert len(found) == 12
        assert all(torch.equal(expected, heatmap) for heatmap in found)

    def test_the_docstring_says_what_a_reader_needs(self, key):
        method = seewhy.methods()[key]
        for part in ("Returns:", "Limits:", "Source:"):
            assert part in (method.__doc__ or ""), f"{method.__name__} lacks {part}"
        assert method.source.cite
        assert method.caution


@pytest.mark.parametrize("key", [key for key in METHODS if seewhy.methods()[key].complete])
def test_a_method_that_claims_completeness_adds_up(key, images):
    """Without biases f(0) = 0, so map and residual add up to the score itself where the baseline is zero."""
    network = seeded(HOMES[home(key)]())
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.zero_()
        if getattr(part, "bias", None) is not None:
            part.bias.data.zero_()
    settings = {"baseline": "zero"} if "baseline" in made(key).settings() else {}
    explanation = seewhy.Session(seewhy.Model(network, mean=0.5, std=0.5)).explain(images, 0, made(key, **settings))
    assert explanation.residual is not None
    if settings or key in ("input-x-gradient", "b-cos"):
        total = explanation.heatmap.flatten(1).sum(dim=1) + explanation.residual
        torch.testing.assert_close(total, explanation.score)
    assert torch.isfinite(explanation.residual).all()


def test_the_registry_holds_the_methods_of_the_foundation():
    expected = {
        *(
            "cam",
            "grad-cam",
            "grad-cam-pp",
            "smooth-grad-cam-pp",
            "hires-cam",
            "elementwise-grad-cam",
            "xgrad-cam",
            "layer-cam",
        ),
        *(
            "eigen-cam",
            "eigen-grad-cam",
            "full-grad",
            "fem",
            "finer-cam",
            "random-cam",
            "saliency",
            "input-x-gradient",
            "smooth-grad",
        ),
        *(
            "smooth-grad-squared",
            "var-grad",
            "integrated-gradients",
            "expected-gradients",
            "blur-ig",
            "guided-ig",
            "idgi",
        ),
        *("layer-integrated-gradients", "layer-conductance"),
    }
    assert expected <= set(seewhy.methods())
