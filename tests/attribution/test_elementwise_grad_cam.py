import torch
from cam_oracle import drawn, pencil
from captum.attr import LayerGradientXActivation

import seewhy


def test_by_pencil():
    """What the second channel takes away is left out."""
    network, picture = pencil()
    found = drawn(network, picture, seewhy.method("elementwise-grad-cam", layer="relu"))
    assert found.flatten().tolist() == [0, 4, 31, 40]


def test_equals_the_positive_part_of_captums_values(cnn, images):
    found = drawn(cnn, images, seewhy.method("elementwise-grad-cam", layer="down"), target=1)
    theirs = LayerGradientXActivation(cnn, cnn.down).attribute(images, 1).clamp_min(0).sum(dim=1).detach()
    torch.testing.assert_close(found, theirs, rtol=1e-9, atol=1e-12)


def test_is_never_less_than_hires_cam(cnn, images):
    more = drawn(cnn, images, seewhy.method("elementwise-grad-cam", layer="down"))
    less = drawn(cnn, images, seewhy.method("hires-cam", layer="down"))
    assert (more >= less - 1e-12).all()
    assert (more > less + 1e-3).any()
