import weakref

import pytest
import torch
from gradient_oracle import Quadratic, explained, gradient, probe_of

import seewhy
from seewhy.core.needs import Needs
from seewhy.ops.noise import noisy
from seewhy.ops.streams import mean, variance


def test_without_noise_it_is_saliency(cnn, images):
    smooth = explained(cnn, images, "smooth-grad", samples=3, noise=0.0).heatmap
    torch.testing.assert_close(smooth, explained(cnn, images, "saliency").heatmap)


def test_on_a_linear_network_noise_changes_nothing(linear, images):
    smooth = explained(linear, images, "smooth-grad", samples=3, noise=0.5).heatmap
    torch.testing.assert_close(smooth, explained(linear, images, "saliency").heatmap)


def test_by_hand_with_noise_drawn_for_one_image(cnn, images):
    """Deviation 0.2 of each image's own range; all images share the pattern."""
    generator = torch.Generator().manual_seed(7)
    spread = torch.stack([image.max() - image.min() for image in images]).view(3, 1, 1, 1)
    copies = [images + 0.2 * spread * torch.randn(1, 3, 8, 8, generator=generator) for _ in range(5)]
    expected = torch.stack([gradient(cnn, copy) for copy in copies]).mean(dim=0).abs().amax(dim=1)
    found = explained(cnn, images, "smooth-grad", samples=5, noise=0.2, seed=7).heatmap
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_the_mean_gradient_of_a_quadratic_is_the_gradient_within_the_error_of_the_mean(images):
    network = Quadratic()
    spread = (images.flatten(1).amax(dim=1) - images.flatten(1).amin(dim=1)).view(3, 1, 1, 1)
    error = (2 * network.square[1] * 0.15 * spread / 400**0.5).abs().amax(dim=1)
    found = explained(network, images, "smooth-grad", samples=400).heatmap
    exact = explained(network, images, "saliency").heatmap
    assert ((found - exact).abs() <= 5 * error).all()


def test_another_seed_another_map(cnn, images):
    maps = [explained(cnn, images, "smooth-grad", samples=4, seed=seed).heatmap for seed in (0, 0, 1)]
    assert torch.equal(maps[0], maps[1])
    assert not torch.allclose(maps[0], maps[2])


@pytest.mark.parametrize("reduce", [mean, variance])
def test_memory_does_not_grow_with_the_samples(cnn, images, reduce):
    """With two copies a pass, never more than two passes' worth of copies or gradients live, of forty."""
    probe = probe_of(cnn, images, Needs(), rows=6)
    living = {"copies": weakref.WeakSet(), "gradients": weakref.WeakSet()}
    most = dict.fromkeys(living, 0)

    def watched(tensors, kind):
        for tensor in tensors:
            living[kind].add(tensor)
            most[kind] = max(most[kind], len(living[kind]))
            yield tensor

    copies = watched(noisy(images, 40, 0.1, probe.generator()), "copies")
    reduce(watched(probe.gradients(copies), "gradients"))
    assert max(most.values()) <= 4
    assert probe.cost == seewhy.Cost(41, 40)


@pytest.mark.parametrize("settings", [{"samples": 0}, {"noise": -0.1}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(seewhy.ConfigError, match="at least"):
        seewhy.method("smooth-grad", **settings)
