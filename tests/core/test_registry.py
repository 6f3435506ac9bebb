"""The registry is kept by the methods, checks their facts, and names what is near."""

from dataclasses import dataclass
from importlib.metadata import EntryPoint

import pytest

import seewhy
from seewhy.core import registry
from seewhy.core.cost import Cost
from seewhy.core.method import Method, Source
from seewhy.core.needs import Needs


def facts(**changes: object) -> dict[str, object]:
    return {
        "key": "mine",
        "title": "Mine",
        "family": "control",
        "signed": False,
        "resolution": "input",
        "source": Source("Me 2026"),
        "merit": "none",
        "caution": "none",
        "needs": lambda self: Needs(),
        "cost": lambda self: Cost(1),
        "attribute": lambda self, probe: probe.inputs.abs().sum(dim=1),
    } | changes


@pytest.fixture
def clean(monkeypatch):
    assert "grad-cam" in seewhy.methods()
    monkeypatch.setattr(registry, "_METHODS", dict(registry._METHODS))


def test_a_method_of_ones_own_takes_one_class(clean, cnn, images):
    mine = registry.register(dataclass(frozen=True)(type("Mine", (Method,), facts())))
    assert seewhy.methods()["mine"] is mine
    explanation = seewhy.Session(cnn).explain(images, 0, "mine")
    assert explanation.heatmap.shape == (3, 8, 8)
    assert explanation.cost == Cost(1)


def test_a_fact_that_is_missing(clean):
    without = facts()
    del without["caution"]
    with pytest.raises(seewhy.ConfigError, match="Mine lacks caution"):
        registry.register(dataclass(frozen=True)(type("Mine", (Method,), without)))


def test_a_method_must_be_frozen(clean):
    with pytest.raises(seewhy.ConfigError, match="frozen dataclass"):
        registry.register(dataclass(type("Mine", (Method,), facts())))


def test_a_key_that_is_taken(clean):
    with pytest.raises(seewhy.ConfigError, match="'grad-cam' belongs to GradCAM"):
        registry.register(dataclass(frozen=True)(type("Mine", (Method,), facts(key="grad-cam"))))


@pytest.mark.parametrize(
    ("key", "settings", "words"),
    [("gradcam", {}, "did you mean 'grad-cam'"), ("grad-cam", {"steps": 3}, "has no setting 'steps'; it has layer")],
)
def test_a_wrong_name(key, settings, words):
    with pytest.raises(seewhy.ConfigError, match=words):
        seewhy.method(key, **settings)


def test_a_broken_plugin_is_reported_and_breaks_nothing(monkeypatch):
    entry = EntryPoint("broken", "no.such.module", "seewhy.methods")
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry])
    failed = registry.load_plugins()
    assert isinstance(failed["broken"], ModuleNotFoundError)
    assert "grad-cam" in seewhy.methods()


def test_lists_from_json_become_tuples():
    method = seewhy.method("layer-cam", layer=["a", "b"])
    assert method.layer == ("a", "b")
    assert hash(method)
