import pytest
import torch
import torch.nn.functional as F
from captum.attr import GuidedGradCam
from gradient_oracle import explained
from torch import nn

import seewhy
from networks import seeded
from spelled_twice import OfModules, pair


def test_is_the_same_as_in_captum(images):
    network, _ = pair()
    oracle = GuidedGradCam(network, network.conv2)
    expected = oracle.attribute(images.clone(), target=1, interpolate_mode="bilinear").abs().amax(dim=1)
    found = explained(network, images, "guided-grad-cam", layer="conv2").heatmap
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("network", "layer"), [(pair()[0], "act2"), (pair()[0], "mix"), (pair()[1], "mix")])
def test_is_the_product_of_both_maps(images, network, layer):
    fine = explained(network, images, "guided-backprop").heatmap
    coarse = explained(network, images, "grad-cam", layer=layer).heatmap
    enlarged = F.interpolate(coarse[:, None], (8, 8), mode="bilinear", align_corners=False)[:, 0]
    found = explained(network, images, "guided-grad-cam", layer=layer).heatmap
    torch.testing.assert_close(found, fine * enlarged)


def test_a_network_without_rectifiers_is_refused(images):
    with pytest.raises(seewhy.MethodError, match="has none of them"):
        explained(seeded(OfModules(nn.GELU)), images, "guided-grad-cam", layer="conv2")
