import torch
from cam_oracle import Pooled, Weighted, drawn, layer_of, pencil, volume

import seewhy
from networks import seeded


def test_by_pencil():
    """Weights 75 / 75 = 1 and (0 - 0 - 6 - 15) / 21 = -1."""
    network, picture = pencil()
    found = drawn(network, picture, seewhy.method("xgrad-cam", layer="relu"))
    assert found.flatten().tolist() == [0, 4, 25, 25]


def test_adds_up_to_what_hires_cam_adds_up_to(images):
    """The axiom of conservation, before the ReLU: shown where the map is positive everywhere."""
    network = seeded(Weighted())
    network.head.weight.data = network.head.weight.data.abs()
    method = seewhy.method("xgrad-cam", layer="features")
    found = seewhy.Session(network).explain(images, 0, method)
    torch.testing.assert_close(found.heatmap.sum(dim=(1, 2)), found.score - network.head.bias[0].detach())


def test_by_another_formula(images):
    network = seeded(Weighted())
    activation, gradient, _ = layer_of(network, "features", images, 1)
    share = activation / activation.sum(dim=(2, 3), keepdim=True).clamp_min(1e-30)
    expected = torch.einsum("bcxy,bc->bxy", activation, (share * gradient).sum(dim=(2, 3))).clamp_min(0)
    torch.testing.assert_close(drawn(network, images, seewhy.method("xgrad-cam", layer="features"), target=1), expected)


def test_three_spatial_axes_equal_grad_cam_where_the_gradient_is_flat():
    network, images = seeded(Pooled(axes=3)), volume()
    torch.testing.assert_close(drawn(network, images, "xgrad-cam"), drawn(network, images, "grad-cam"))


def test_a_channel_that_cancels_has_no_weight():
    """The convolution gives 1, -1 in its channel: sum 0, magnitude 2. No division by zero, no map."""
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1, bias=False), torch.nn.Flatten(), torch.nn.Linear(4, 2))
    network[0].weight.data.fill_(1.0)
    picture = torch.tensor([[[[1.0, -1.0], [1.0, -1.0]]]])
    assert not drawn(network.eval(), picture, seewhy.method("xgrad-cam", layer="0")).any()
