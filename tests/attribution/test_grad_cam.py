import pytest
import torch
from cam_oracle import Pooled, drawn, layer_of, pencil, to_one, volume
from captum.attr import LayerGradCam
from torch import nn

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


def test_frame_by_frame_by_another_formula():
    """The other definition for clips: the mean of the gradient over (h, w) alone."""
    network, images = seeded(Pooled(axes=3)), volume()
    method = seewhy.method("grad-cam", layer="features", over="frame")
    activation, gradient, _ = layer_of(network, "features", images, 1)
    expected = torch.einsum("bcxyz,bcx->bxyz", activation, gradient.mean(dim=(3, 4))).clamp_min(0)
    torch.testing.assert_close(drawn(network, images, method, target=1), expected)


def test_the_two_definitions_part_where_frames_weigh_differently():
    """A network that looks at one frame: over all, what is bright in the others lights up too; frame by frame it does not."""

    class OneFrame(nn.Module):
        def __init__(self):
            super().__init__()
            self.eye = nn.Conv3d(1, 1, 1, bias=False)

        def forward(self, clips):
            seen = self.eye(clips)[:, 0, 2].mean(dim=(1, 2))
            return torch.stack([seen, -seen], dim=1)

    network = OneFrame().eval()
    network.eye.weight.data.fill_(2.0)
    clip = torch.rand(1, 1, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    every, each = (
        drawn(network, clip, seewhy.method("grad-cam", layer="eye", over=over))[0] for over in ("all", "frame")
    )
    torch.testing.assert_close(every, 2 * clip[0, 0] / 36)  # the mean of 1/9 in 9 of 36 places
    torch.testing.assert_close(each[2], 2 * clip[0, 0, 2] / 9)
    assert not each[[0, 1, 3]].any()


def test_which_definition_it_is_stands_in_a_note(cnn, images):
    network, clips = seeded(Pooled(axes=3)), volume()
    for over in ("all", "frame"):
        found = seewhy.Session(network).explain(clips, 1, seewhy.method("grad-cam", layer="features", over=over))
        assert any(f"over='{over}')" in note for note in found.notes[0])
        assert found.method.settings()["over"] == over
    assert not seewhy.Session(cnn).explain(images, 1, "grad-cam").notes[0]
    with pytest.raises(seewhy.ConfigError, match="'all' or 'frame'"):
        seewhy.method("grad-cam", over="time")


def test_a_contrast_is_linear_before_the_relu(images):
    """For average pool and linear layer the weights of a - b are the difference of the weights."""
    network = seeded(Pooled())
    activation, _, _ = layer_of(network, "features", images, 0)
    weights = (network.head.weight[1] - network.head.weight[3]).detach() / 16
    expected = torch.einsum("bcxy,c->bxy", activation, weights).clamp_min(0)
    torch.testing.assert_close(drawn(network, images, "grad-cam", target=Contrast(1, 3)), expected)
