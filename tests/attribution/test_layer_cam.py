import pytest
import torch
import torch.nn.functional as F
from cam_oracle import drawn, layer_of, pencil

import seewhy


def alone(network, images, layer, target=0):
    activation, gradient, _ = layer_of(network, layer, images, target)
    return torch.einsum("bcxy,bcxy->bxy", gradient.clamp_min(0), activation).clamp_min(0)


def test_by_pencil():
    """The second channel has a positive gradient only where it is zero."""
    network, picture = pencil()
    assert drawn(network, picture, seewhy.method("layer-cam", layer="relu")).flatten().tolist() == [0, 4, 31, 40]


def test_by_another_formula(cnn, images):
    for layer in ("stem", "down"):
        found = drawn(cnn, images, seewhy.method("layer-cam", layer=layer))
        torch.testing.assert_close(found, alone(cnn, images, layer))


@pytest.mark.parametrize("fuse", ["max", "mean"])
def test_equal_layers_give_the_map_of_one(cnn, images, fuse):
    one = drawn(cnn, images, seewhy.method("layer-cam", layer="down"))
    twice = drawn(cnn, images, seewhy.method("layer-cam", layer=("down", "down"), fuse=fuse))
    torch.testing.assert_close(twice, one / one.amax(dim=(1, 2), keepdim=True))
    assert torch.equal(drawn(cnn, images, seewhy.method("layer-cam", layer=("down",), fuse=fuse)), one)


@pytest.mark.parametrize("fuse", ["max", "mean"])
def test_several_layers_are_joined_on_the_finest_grid(cnn, images, fuse):
    fine, coarse = alone(cnn, images, "stem"), alone(cnn, images, "down")
    fine, coarse = (one / one.amax(dim=(1, 2), keepdim=True) for one in (fine, coarse))
    coarse = F.interpolate(coarse[:, None], (8, 8), mode="bilinear", align_corners=False)[:, 0]
    expected = torch.maximum(fine, coarse) if fuse == "max" else (fine + coarse) / 2
    found = drawn(cnn, images, seewhy.method("layer-cam", layer=("down", "stem"), fuse=fuse))
    torch.testing.assert_close(found, expected)


@pytest.mark.door
def test_refuses_another_way_to_join():
    with pytest.raises(seewhy.ConfigError, match="'max' or 'mean', got 'sum'"):
        seewhy.method("layer-cam", fuse="sum")
    with pytest.raises(seewhy.ConfigError, match="at least one layer"):
        seewhy.method("layer-cam", layer=())
