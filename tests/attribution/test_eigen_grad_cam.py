import torch
from cam_oracle import Pooled, drawn, layer_of, pencil, volume
from test_eigen_cam import by_svd

import seewhy
from networks import seeded


def test_by_a_full_decomposition(cnn, images):
    for layer in ("stem", "down"):
        activation, gradient, _ = layer_of(cnn, layer, images, 1)
        found = drawn(cnn, images, seewhy.method("eigen-grad-cam", layer=layer), target=1)
        torch.testing.assert_close(found, by_svd(activation * gradient))


def test_three_spatial_axes():
    network, images = seeded(Pooled(axes=3)), volume()
    activation, gradient, _ = layer_of(network, "features", images, 1)
    torch.testing.assert_close(drawn(network, images, "eigen-grad-cam", target=1), by_svd(activation * gradient))


def test_its_sign_follows_the_evidence():
    """Evidence of the pencil network: (0, 4, 31, 40) for, (0, 0, -6, -15) against; the map is bright where the former is."""
    network, picture = pencil()
    found = drawn(network, picture, seewhy.method("eigen-grad-cam", layer="relu")).flatten()
    assert found[:2].tolist() == [0, 0]
    assert 0 < found[2] < found[3]


def test_depends_on_the_class(cnn, images):
    assert not torch.allclose(drawn(cnn, images, "eigen-grad-cam"), drawn(cnn, images, "eigen-grad-cam", target=3))
