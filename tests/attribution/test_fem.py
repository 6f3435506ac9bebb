import pytest
import torch
from cam_oracle import Pooled, drawn, layer_of, pencil, volume

import seewhy
from networks import seeded


@pytest.mark.parametrize(("deviations", "expected"), [(1.0, [0, 0, 0, 24]), (0.0, [0, 0, 24, 24]), (2.0, [0, 0, 0, 0])])
def test_by_pencil(deviations, expected):
    """Means 18.75 and 5.25, deviations 17.1 and 6.1: one deviation marks the last place in both, none the last two."""
    network, picture = pencil()
    found = drawn(network, picture, seewhy.method("fem", layer="relu", deviations=deviations))
    assert found.flatten().tolist() == expected


def test_three_spatial_axes_by_another_formula():
    network, images = seeded(Pooled(axes=3)), volume()
    activation, _, _ = layer_of(network, "features", images, 0)
    expected = torch.zeros(activation[:, 0].shape, dtype=torch.float64)
    for b, image in enumerate(activation):
        for channel in image:
            threshold = channel.mean() + 1.5 * (channel**2).mean().sub(channel.mean() ** 2).sqrt()
            expected[b] += channel.mean() * (channel >= threshold) * bool(channel.any())
    assert expected.any()
    torch.testing.assert_close(drawn(network, images, seewhy.method("fem", deviations=1.5)), expected)


def test_a_flat_channel_marks_nothing():
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 1, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(1, 2)
    )
    network[0].bias.data.fill_(3.0)
    assert not drawn(network.eval(), torch.zeros(1, 1, 4, 4), seewhy.method("fem", layer="0")).any()


def test_is_the_same_for_every_class(cnn, images):
    assert torch.equal(drawn(cnn, images, "fem", target=0), drawn(cnn, images, "fem", target=3))


def test_refuses_negative_deviations():
    with pytest.raises(seewhy.ConfigError, match=r"at least 0, got -1\.0"):
        seewhy.method("fem", deviations=-1.0)
