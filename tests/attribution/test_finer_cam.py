import pytest
import torch
from cam_oracle import Pooled, drawn, layer_of

import seewhy
from networks import seeded
from seewhy.targets import ClassScore, Contrast, Margin, Regression


@pytest.fixture
def network():
    return seeded(Pooled())


def expected(network, images, target, references, strength):
    """For average pool and linear layer: weights of the class minus a share of the mean weights of its neighbours."""
    activation, _, logits = layer_of(network, "features", images, target)
    maps = []
    for image, answer in zip(activation, logits, strict=True):
        order = sorted((abs(float(answer[k] - answer[target])), k) for k in range(5) if k != target)
        similar = [k for _, k in order[:references]]
        weights = network.head.weight.detach()
        weights = (weights[target] - strength * weights[similar].mean(dim=0)) / 16
        maps.append(torch.einsum("cxy,c->xy", image, weights).clamp_min(0))
    return torch.stack(maps)


@pytest.mark.parametrize(("references", "strength"), [(1, 1.0), (2, 0.6), (3, 0.3)])
def test_by_closed_form(network, images, references, strength):
    method = seewhy.method("finer-cam", references=references, strength=strength)
    torch.testing.assert_close(
        drawn(network, images, method, target=2), expected(network, images, 2, references, strength)
    )


def test_without_strength_it_is_grad_cam(cnn, images):
    plain = drawn(cnn, images, "grad-cam", target=None)
    torch.testing.assert_close(drawn(cnn, images, seewhy.method("finer-cam", strength=0.0), target=None), plain)


def test_with_one_full_reference_it_is_the_grad_cam_of_the_margin(cnn, images):
    """For the predicted class the nearest logit is that of the runner-up."""
    method = seewhy.method("finer-cam", references=1, strength=1.0)
    found = drawn(cnn, images, method, target=None)
    torch.testing.assert_close(found, drawn(cnn, images, "grad-cam", target=Margin()))


def test_fewer_classes_than_references(network, images):
    method = seewhy.method("finer-cam", references=99)
    torch.testing.assert_close(drawn(network, images, method, target=2), expected(network, images, 2, 4, 0.6))


@pytest.mark.parametrize(
    "target", [ClassScore(0, "probability"), Margin(), Contrast(0, 1), ClassScore(0) * 2.0, Regression()]
)
def test_refuses_anything_but_the_logit_of_a_class(network, images, target):
    with pytest.raises(seewhy.TargetError):
        drawn(network, images, "finer-cam", target=target)


def test_says_what_to_use_instead(network, images):
    with pytest.raises(
        seewhy.TargetError, match=r"finer-cam: the target must be the logit of one class, got 'class 0'.*ClassScore"
    ):
        drawn(network, images, "finer-cam", target=ClassScore(0, "probability"))


def test_refuses_settings_out_of_range():
    with pytest.raises(seewhy.ConfigError, match="at least 1 reference"):
        seewhy.method("finer-cam", references=0)
