import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from gradient_oracle import Quadratic, explained, gradient

import seewhy


def test_on_a_linear_network_it_is_weight_times_way(linear, images):
    found = explained(linear, images, "integrated-gradients", steps=1, crowding=1.0, baseline="white")
    torch.testing.assert_close(found.heatmap, (linear.weight[1] * (images - 1)).sum(dim=1).detach())
    torch.testing.assert_close(found.residual, torch.zeros_like(found.residual), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("steps", "crowding"), [(1, 1.0), (2, 2.0), (3, 3.0)])
def test_on_a_quadratic_network_few_nodes_are_exact(images, steps, crowding):
    """With t = u^p the integrand has degree 2 p - 1 in u, which p nodes integrate exactly."""
    network = Quadratic()
    found = explained(network, images, "integrated-gradients", steps=steps, crowding=crowding, baseline="white")
    torch.testing.assert_close(found.heatmap, network.integral(torch.ones_like(images), images, 1))
    torch.testing.assert_close(found.residual, torch.zeros_like(found.residual), rtol=0, atol=1e-11)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-8), (torch.float32, 1e-5)])
def test_equals_captum_with_the_same_nodes(cnn, images, dtype, tolerance):
    """Captum holds its weights in float32, whatever the network."""
    network, inputs = cnn.to(dtype), images.to(dtype)
    theirs = IntegratedGradients(network).attribute(inputs, 0, target=1, n_steps=9, method="gausslegendre")
    found = explained(network, inputs, "integrated-gradients", steps=9, crowding=1.0)
    torch.testing.assert_close(found.heatmap, theirs.sum(dim=1).detach(), rtol=0, atol=tolerance)


def test_by_hand_with_the_nodes_of_a_square(cnn, images):
    """Seven nodes u in (0, 1), each at the place u^2, where dt = 2 u du."""
    nodes, weights = np.polynomial.legendre.leggauss(7)
    nodes, weights = (nodes + 1) / 2, weights / 2
    mean = sum(2 * u * w * gradient(cnn, u**2 * images) for u, w in zip(nodes, weights, strict=True))
    found = explained(cnn, images, "integrated-gradients", steps=7)
    torch.testing.assert_close(found.heatmap, (images * mean).sum(dim=1), rtol=1e-10, atol=1e-12)


def test_the_residual_is_small_and_falls_with_the_steps(cnn, images):
    worst = [
        float(explained(cnn, images, "integrated-gradients", steps=steps).residual.abs().max())
        for steps in (2, 16, 256)
    ]
    assert worst[0] > 4 * worst[1] > 16 * worst[2]


def test_map_and_residual_add_up_to_the_difference_of_the_scores(cnn, images):
    found = explained(cnn, images, "integrated-gradients", steps=3, baseline="white")
    difference = (cnn(images) - cnn(torch.ones_like(images)))[:, 1].detach()
    torch.testing.assert_close(found.heatmap.sum(dim=(1, 2)) + found.residual, difference)


def test_several_baselines_are_the_mean_of_single_ones(cnn, images):
    kinds = ("black", "white", "blur")
    single = [explained(cnn, images, "integrated-gradients", steps=5, baseline=kind) for kind in kinds]
    found = explained(cnn, images, "integrated-gradients", steps=5, baseline=kinds)
    torch.testing.assert_close(found.heatmap, sum(one.heatmap for one in single) / 3)
    torch.testing.assert_close(found.residual, sum(one.residual for one in single) / 3)
    assert found.cost == found.method.cost() == seewhy.Cost(1 + 3 + 15, 15)


class TestAdaptiveSteps:
    def test_the_tolerance_is_met(self, cnn, images):
        found = explained(cnn, images, "integrated-gradients", steps=2, tolerance=2e-3)
        explanation = found.heatmap.sum(dim=(1, 2)) + found.residual
        assert (found.residual.abs() <= 2e-3 * explanation.abs()).all()
        assert found.method.cost() is None
        assert found.cost.backwards > 2

    def test_a_batch_gives_what_one_by_one_gives(self, cnn, images):
        settings = {"steps": 2, "tolerance": 5e-3}
        together = explained(cnn, images, "integrated-gradients", **settings)
        apart = [explained(cnn, image[None], "integrated-gradients", **settings) for image in images]
        assert len({one.cost.backwards for one in apart}) > 1, "the images must need different numbers of steps"
        torch.testing.assert_close(together.heatmap, torch.cat([one.heatmap for one in apart]), rtol=1e-9, atol=1e-12)

    def test_where_doubling_ends_a_note_says_so(self, cnn, images):
        found = explained(cnn, images, "integrated-gradients", steps=2, tolerance=1e-9, max_steps=8)
        assert found.cost.backwards == 2 + 4 + 8
        assert "not met with 8 steps" in found.notes[0][0]


def test_a_map_that_misses_a_twentieth_says_so(cnn, images):
    found = explained(cnn, images, "integrated-gradients", steps=1, crowding=1.0)
    off = found.residual.abs() > 0.05 * (found.residual + found.heatmap.sum(dim=(1, 2))).abs()
    assert off.any()
    assert [any("adds up to" in note for note in notes) for notes in found.notes] == off.tolist()


def test_black_needs_to_be_known(cnn, images):
    with pytest.raises(seewhy.ConfigError, match="state mean and std"):
        seewhy.Session(cnn).explain(images, methods="integrated-gradients")


@pytest.mark.parametrize(
    "settings", [{"steps": 0}, {"baseline": ()}, {"crowding": 0}, {"tolerance": 0}, {"tolerance": 0.1, "max_steps": 8}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(seewhy.ConfigError, match="integrated-gradients wants"):
        seewhy.method("integrated-gradients", **settings)
