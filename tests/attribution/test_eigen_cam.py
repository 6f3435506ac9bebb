import torch
from cam_oracle import Pooled, drawn, layer_of, volume

import seewhy
from networks import seeded


def by_svd(features):
    """First component of features (b, c, *spatial), rising with their mean over channels, cut off below zero."""
    maps = []
    for image in features:
        rows = image.flatten(1).T  # (n, c)
        _, _, right = torch.linalg.svd(rows - rows.mean(dim=0), full_matrices=False)
        projection = (rows - rows.mean(dim=0)) @ right[0]
        with_mean = torch.corrcoef(torch.stack([projection, rows.mean(dim=1)]))[0, 1]
        maps.append((with_mean.sign() * projection).clamp_min(0).view(image.shape[1:]))
    return torch.stack(maps)


def test_by_a_full_decomposition(cnn, images):
    for layer in ("stem", "down"):
        activation, _, _ = layer_of(cnn, layer, images, 0)
        torch.testing.assert_close(drawn(cnn, images, seewhy.method("eigen-cam", layer=layer)), by_svd(activation))


def test_three_spatial_axes():
    network, images = seeded(Pooled(axes=3)), volume()
    activation, _, _ = layer_of(network, "features", images, 0)
    torch.testing.assert_close(drawn(network, images, "eigen-cam"), by_svd(activation))


def test_is_bright_where_the_layer_is_active():
    """A bright square on nothing, through a convolution that passes it on in two channels: only the square is bright."""
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 1, bias=False), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    network[0].weight.data = torch.tensor([3.0, 4.0]).view(2, 1, 1, 1)
    picture = torch.zeros(1, 1, 4, 4)
    picture[..., 1:3, 1:3] = 1
    found = drawn(network.eval(), picture, seewhy.method("eigen-cam", layer="0"))
    torch.testing.assert_close(found, 5 * 0.75 * picture[:, 0])  # length of (3, 4), times 1 minus the mean of a quarter


def test_is_the_same_for_every_class(cnn, images):
    assert torch.equal(drawn(cnn, images, "eigen-cam", target=0), drawn(cnn, images, "eigen-cam", target=3))
