import torch
from cam_oracle import Pooled, Weighted, drawn, layer_of, pencil, volume
from captum.attr import LayerGradientXActivation

import seewhy
from networks import seeded


def test_by_pencil():
    """(0, 4, 31, 40) times 1, and (0, 0, 6, 15) times -1 where it is not zero."""
    network, picture = pencil()
    found = seewhy.Session(network).explain(picture, 0, seewhy.method("hires-cam", layer="relu"))
    assert found.heatmap.flatten().tolist() == [0, 4, 25, 25]
    assert found.heatmap.sum() == found.score


def test_adds_up_to_the_logit_minus_the_bias(images):
    for network in (seeded(Pooled()), seeded(Weighted())):
        found = seewhy.Session(network).explain(images, 3, seewhy.method("hires-cam", layer="features"))
        torch.testing.assert_close(found.heatmap.sum(dim=(1, 2)), found.score - network.head.bias[3].detach())
        assert found.heatmap.min() < 0


def test_is_exact_position_by_position_where_grad_cam_is_not(images):
    """Wiping one position of the layer changes the score by exactly the map there; Grad-CAM says something else."""
    network = seeded(Weighted())
    activation, _, logits = layer_of(network, "features", images, 0)
    wiped = activation.clone()
    wiped[:, :, 1, 2] = 0
    change = logits[:, 0] - network.head(wiped.flatten(1))[:, 0].detach()
    method = seewhy.method("hires-cam", layer="features")
    torch.testing.assert_close(drawn(network, images, method)[:, 1, 2], change)
    averaged = drawn(network, images, seewhy.method("grad-cam", layer="features"))[:, 1, 2]
    assert not torch.allclose(averaged, change, rtol=0.1)


def test_equals_captum(cnn, images):
    for layer in ("down", "body"):
        found = drawn(cnn, images, seewhy.method("hires-cam", layer=layer), target=1)
        theirs = LayerGradientXActivation(cnn, cnn.get_submodule(layer)).attribute(images, 1).sum(dim=1).detach()
        torch.testing.assert_close(found, theirs, rtol=1e-9, atol=1e-12)


def test_three_spatial_axes():
    network, images = seeded(Pooled(axes=3)), volume()
    activation, gradient, _ = layer_of(network, "features", images, 1)
    expected = torch.einsum("bcxyz,bcxyz->bxyz", activation, gradient)
    torch.testing.assert_close(drawn(network, images, "hires-cam", target=1), expected)
