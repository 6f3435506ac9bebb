"""A pass under rules: what is met and counted however it is spelled, and that nothing of it stays."""

import threading

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import _get_current_function_mode_stack

import seewhy
from networks import seeded
from seewhy.core.needs import INPUT, Needs
from seewhy.core.rules import NotCovered, Rules
from seewhy.engine.block import Question
from seewhy.engine.operations import kind_of_call, out_of_place, writes
from seewhy.engine.probe import NetworkProbe
from seewhy.engine.ruling.ruled import Ruled
from seewhy.rules.carrying import carried
from seewhy.targets import as_target
from spelled_twice import OfFunctions, OfModules, pair


def doubled(operation):
    """Keep the value, double the gradient."""
    return carried(operation.run(), 2 * operation.run())


NOTHING = Rules("nothing")
DOUBLE = Rules("double", {"relu": doubled}, exact=frozenset({"convolution", "linear", "batch norm", "max pool"}))


def propagated(network, images, rules, **more):
    block = seewhy.Session(seewhy.Model(network, mean=0.0, std=1.0)).block(images, Needs())
    return NetworkProbe(Question(block, as_target(1)), Needs()).propagated(rules, Needs(), **more)


def gradient_of(network: nn.Module, images: Tensor) -> Tensor:
    leaf = images.clone().requires_grad_()
    return torch.autograd.grad(network(leaf)[:, 1].sum(), leaf)[0]


@pytest.mark.parametrize("which", [0, 1])
def test_without_rewrites_it_is_the_plain_gradient(images, which):
    network = pair()[which]
    made = propagated(network, images, NOTHING)
    torch.testing.assert_close(made.trace.gradient[INPUT], gradient_of(network, images), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("which", [0, 1])
def test_a_rewrite_reaches_every_spelling(images, which):
    """Three rectifiers lie one behind the other, so the gradient is doubled three times."""
    network = pair()[which]
    made = propagated(network, images, DOUBLE)
    torch.testing.assert_close(made.trace.gradient[INPUT], 8 * gradient_of(network, images), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(made.trace.score, network(images)[:, 1].detach(), rtol=1e-12, atol=1e-14)


def test_what_is_met_is_counted_of_modules_functions_and_operators(images):
    modules, functions = (dict(_counts(propagated(network, images, DOUBLE).coverage)) for network in pair())
    shared = {"convolution": 3, "relu": 3, "max pool": 1, "linear": 2, "flatten": 1}
    assert modules == shared
    assert functions == shared | {"add": 1}


def test_each_has_its_status(images):
    coverage = propagated(pair()[1], images, DOUBLE).coverage
    assert coverage.kinds("exact rule") == ("convolution", "relu", "linear", "max pool", "flatten")
    assert coverage.kinds("fallback gradient") == ("add",)


def _counts(coverage):
    return ((kind, times) for kind, times, _ in coverage.met)


class Beside(nn.Module):
    """A path that does not hang on the input, one whose graph is cut, and one that decides by looking."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(192, 4)
        self.table = nn.Parameter(torch.randn(4))

    def forward(self, x: Tensor) -> Tensor:
        shift = torch.relu(self.table).exp()
        scale = x.detach().abs().mean().sigmoid()
        assert x.shape[0] > 0 and (x > -100).all()
        return torch.relu(self.head(x.flatten(1))) * scale + shift


def test_what_is_not_on_the_path_is_not_counted(images):
    met = dict(_counts(propagated(seeded(Beside()), images, DOUBLE).coverage))
    assert met == {"flatten": 1, "linear": 1, "relu": 1, "mul": 1, "add": 1}


class InPlace(nn.Module):
    """A rectifier in place, on a slice, on what another branch reads later."""

    def __init__(self, *, written: bool) -> None:
        super().__init__()
        self.conv, self.head, self.written = nn.Conv2d(3, 6, 3), nn.Linear(6, 4), written

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.written:
            x[:, :3].relu_()
            x += 1
            x.mul_(0.5)
        else:
            x = 0.5 * (torch.cat([x[:, :3].relu(), x[:, 3:]], dim=1) + 1)
        return self.head(x.mean(dim=(2, 3)))


def test_writing_in_place_changes_nothing(images):
    made = [propagated(seeded(InPlace(written=written)), images, DOUBLE).trace for written in (True, False)]
    torch.testing.assert_close(made[0].score, made[1].score, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(made[0].gradient[INPUT], made[1].gradient[INPUT], rtol=1e-12, atol=1e-14)


def test_an_operation_without_a_rule_is_refused_or_flagged(images):
    network = seeded(OfModules(nn.GELU))
    assert propagated(network, images, DOUBLE).coverage.kinds("fallback gradient") == ("gelu",)
    strict = Rules("double", {"relu": doubled}, exact=DOUBLE.exact, on_fallback="refuse")
    with pytest.raises(NotCovered, match="double has no rule for gelu, and would fall back") as caught:
        propagated(network, images, strict)
    assert dict(_counts(caught.value.coverage))["gelu"] == 3
    with pytest.raises(seewhy.MethodError, match="no rule for gelu, which this network uses"):
        propagated(network, images, Rules("double", unsupported=frozenset({"gelu"})))
    with pytest.raises(seewhy.MethodError, match="happens at relu, and this network has none"):
        propagated(network, images, Rules("double", required=frozenset({"relu"})))


class Fails(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        self.inner(x)
        raise RuntimeError("no answer today")


def _raises(operation):
    raise seewhy.MethodError("not this one")


def test_nothing_is_left_behind_after_an_exception(cnn, images):
    before = gradient_of(cnn, images)
    for network, rules, words in (
        (Fails(cnn), DOUBLE, "no answer today"),
        (cnn, Rules("odd", {"relu": _raises}), "not this one"),
    ):
        with pytest.raises(seewhy.SeewhyError, match=words):
            propagated(network, images, rules)
        assert _get_current_function_mode_stack() == []
        assert torch.is_grad_enabled()
        assert torch.equal(gradient_of(cnn, images), before)


def test_rules_hold_on_their_own_thread_only(images):
    """While one thread is inside a pass under rules, another one computes plain gradients."""
    network, leaf = seeded(OfModules()), images.clone().requires_grad_()
    inside, done, found = threading.Event(), threading.Event(), []

    def waits(operation):
        inside.set()
        assert done.wait(20)
        return doubled(operation)

    under = threading.Thread(target=lambda: propagated(network, images, Rules("slow", {"relu": waits})))
    under.start()
    assert inside.wait(20)
    found.append(torch.autograd.grad(network(leaf)[:, 1].sum(), leaf)[0])
    done.set()
    under.join()
    torch.testing.assert_close(found[0], gradient_of(network, images), rtol=0, atol=0)


def test_threads_with_one_session_give_what_one_gives(images):
    session = seewhy.Session(seewhy.Model(seeded(OfFunctions()), mean=0.0, std=1.0))
    expected, found = session.explain(images, 1, "guided-backprop").heatmap, []
    threads = [
        threading.Thread(target=lambda: found.append(session.explain(images, 1, "guided-backprop").heatmap))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(torch.equal(one, expected) for one in found)


def test_images_beside_run_in_the_same_pass_and_are_not_scored(cnn, images):
    """The rows of the images are what they are alone; those beside them have a score of their own."""
    alone, made = propagated(cnn, images, DOUBLE), propagated(cnn, images, DOUBLE, beside=0 * images + 1)
    torch.testing.assert_close(made.trace.gradient[INPUT], alone.trace.gradient[INPUT], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(made.beside, cnn(0 * images + 1)[:, 1].detach(), rtol=1e-12, atol=1e-14)
    assert alone.beside is None and made.trace.inputs.shape == images.shape


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        ((torch.Tensor.clamp, (0, 0), {}), "relu"),
        ((torch.clamp, (0,), {"max": 6, "min": 0}), "relu6"),
        ((torch.clamp_max, (0, 0), {}), "clamp"),
        ((torch.clip, (0, -1, 1), {}), "clamp"),
        ((F.hardtanh, (0,), {}), "hardtanh"),
        ((F.hardtanh, (0, 0.0, 6.0), {}), "relu6"),
        ((F.threshold, (0, 0, 0), {}), "relu"),
        ((F.threshold, (0, 1, 20), {}), "threshold"),
        ((torch.Tensor.__itruediv__, (), {}), "div"),
        ((torch.Tensor.__rpow__, (), {}), "pow"),
        ((F.adaptive_max_pool2d_with_indices, (), {}), "adaptive max pool"),
    ],
)
def test_kinds_of_calls(call, kind):
    function, args, kwargs = call
    assert kind_of_call(function, args, kwargs) == kind


def test_what_writes_in_place_has_a_twin_that_does_not():
    for function in (torch.Tensor.relu_, torch.Tensor.__imul__, torch.Tensor.clamp_, F.elu_, torch.Tensor.sub_):
        assert writes(function, {})
        numbers = torch.tensor([-1.0, 2.0])
        rest = (2.0,) if function is not F.elu_ and "relu" not in function.__name__ else ()
        out = out_of_place(function)(numbers, *rest)
        assert numbers.tolist() == [-1, 2]
        torch.testing.assert_close(out, function(numbers, *rest))
    assert writes(F.relu, {"inplace": True}) and not writes(F.relu, {"inplace": False})


def test_a_mode_sees_nothing_when_gradients_are_off():
    mode = Ruled(DOUBLE)
    with mode, torch.no_grad():
        torch.relu(torch.ones(3, requires_grad=True))
    assert mode.coverage().met == ()
