import torch
from cam_oracle import Pooled, drawn, layer_of, pencil, to_one, volume
from captum.attr import LayerGradCam

import seewhy
from networks import seeded
from seewhy.targets import Contrast


def test_the_published_numbers():
    """Means of the gradient 0.75 and -0.5, so 0.75 * (-5, 4, 31, 40) - 0.5 * (-30, -21, 6, 15)."""
    network, picture = pencil()
    found = drawn(network, picture, seewhy.method("grad-cam", layer="conv"))
    assert found.flatten().tolist() == [11.25, 13.5, 20.25, 22.5]


def test_after_the_relu_by_pencil():
    """Weights 1 and -0.5 on (0, 4, 31, 40) and (0, 0, 6, 15)."""
    network, picture = pencil()
    assert drawn(network, picture, seewhy.method("grad-cam", layer="relu")).flatten().tolist() == [0, 4, 28, 32.5]


def test_equals_captum(cnn, images):
    for layer in ("down", "body", "stem.0"):
        found = drawn(cnn, images, seewhy.method("grad-cam", layer=layer), target=2)
        theirs = LayerGradCam(cnn, cnn.get_submodule(layer)).attribute(images, 2, relu_attributions=True)[:, 0].detach()
        torch.testing.assert_close(found, theirs, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(to_one(found), to_one(theirs), rtol=0, atol=1e-5)


def test_three_spatial_axes_by_another_formula():
    network, images = seeded(Pooled(axes=3)), volume()
    activation, gradient, _ = layer_of(network, "features", images, 1)
    expected = torch.einsum("bcxyz,bc->bxyz", activation, gradient.mean(dim=(2, 3, 4))).clamp_min(0)
    torch.testing.assert_close(drawn(network, images, seewhy.method("grad-cam", layer="features"), target=1), expected)


def test_a_contrast_is_linear_before_the_relu(images):
    """For average pool and linear layer the weights of a - b are the difference of the weights."""
    network = seeded(Pooled())
    activation, _, _ = layer_of(network, "features", images, 0)
    weights = (network.head.weight[1] - network.head.weight[3]).detach() / 16
    expected = torch.einsum("bcxy,c->bxy", activation, weights).clamp_min(0)
    torch.testing.assert_close(drawn(network, images, "grad-cam", target=Contrast(1, 3)), expected)
