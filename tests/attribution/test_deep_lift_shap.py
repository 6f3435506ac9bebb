import json

import pytest
import torch
from captum.attr import DeepLiftShap
from gradient_oracle import explained

import seewhy
from networks import seeded
from seewhy.core.values import Array
from spelled_twice import OfModules

KINDS = ("black", "white", "noise")


def test_is_the_mean_of_the_maps_of_its_baselines(cnn, images):
    maps = [explained(cnn, images, "deep-lift", baseline=kind) for kind in KINDS]
    found = explained(cnn, images, "deep-lift-shap", baselines=KINDS)
    torch.testing.assert_close(found.heatmap, torch.stack([one.heatmap for one in maps]).mean(dim=0))


def test_is_the_same_as_in_captum(images):
    network = seeded(OfModules())
    starts = torch.stack([torch.zeros(3, 8, 8), torch.ones(3, 8, 8), torch.full((3, 8, 8), -0.5)]).double()
    expected = DeepLiftShap(network).attribute(images, starts, target=1).sum(dim=1).detach()
    found = explained(network, images, "deep-lift-shap", baselines=tuple(map(Array.of, starts)))
    torch.testing.assert_close(found.heatmap, expected, rtol=1e-9, atol=1e-11)


def test_on_a_linear_network_it_is_weight_times_the_mean_difference(linear, images):
    found = explained(linear, images, "deep-lift-shap", baselines=("black", "white"))
    torch.testing.assert_close(found.heatmap, (linear.weight[1] * (images - 0.5)).sum(dim=1).detach())


def test_adds_up_to_the_difference_from_the_mean_baseline(cnn, images):
    found = explained(cnn, images, "deep-lift-shap", baselines=("black", "white"))
    with torch.no_grad():
        score, black, white = (cnn(picture)[:, 1] for picture in (images, 0 * images, 0 * images + 1))
    torch.testing.assert_close(found.heatmap.sum(dim=(1, 2)), score - (black + white) / 2, rtol=1e-12, atol=1e-13)
    assert found.residual.abs().max() < 1e-13


def test_the_cost_grows_with_the_baselines(cnn, images):
    cost = explained(cnn, images, "deep-lift-shap", baselines=KINDS).cost
    assert (cost.forwards, cost.backwards) == (7, 6)


def test_images_as_baselines_go_through_json():
    method = seewhy.method("deep-lift-shap", baselines=("black", Array.of(torch.rand(3, 8, 8))))
    assert seewhy.method("deep-lift-shap", **json.loads(json.dumps(method.settings()))) == method


@pytest.mark.door
def test_wants_a_baseline():
    with pytest.raises(seewhy.ConfigError, match="at least one baseline"):
        seewhy.method("deep-lift-shap", baselines=())
