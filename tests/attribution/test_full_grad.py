import json

import pytest
import torch
import torch.nn.functional as F
from cam_oracle import drawn
from torch import nn

import seewhy
from networks import SmallCNN, seeded
from seewhy.targets import Channel


def explained(network, images, target=0, **settings):
    return seewhy.Session(network).explain(images, target, seewhy.method("full-grad", **settings))


def psi(term, size):
    """Magnitudes, stretched to 0 to 1 over each image, summed over channels, resized."""
    maps = []
    for image in term.abs():
        stretched = (image - image.min()) / (image.max() - image.min()) if image.max() > image.min() else 0 * image
        maps.append(F.interpolate(stretched.sum(dim=0)[None, None], size, mode="bilinear", align_corners=False)[0, 0])
    return torch.stack(maps)


def by_hand(network, layers, images, target):
    """The map from plain hooks; the constant of a layer is what it gives for zeros."""
    outputs, constants = {}, {}

    def hook(name):
        def keep(module, args, output):
            outputs[name] = output
            constants[name] = module._forward_unhooked(torch.zeros_like(args[0]))
            return output.clone()

        return keep

    handles = []
    for name in layers:
        module = network.get_submodule(name)
        module._forward_unhooked = module.forward
        handles.append(module.register_forward_hook(hook(name)))
    leaf = images.clone().requires_grad_()
    score = network(leaf)[:, target].sum()
    for handle in handles:
        handle.remove()
    gradients = torch.autograd.grad(score, [leaf, *outputs.values()])
    terms = [leaf.detach() * gradients[0]]
    terms += [constants[name].detach() * g for name, g in zip(outputs, gradients[1:], strict=True)]
    return sum(psi(term, images.shape[2:]) for term in terms if term.dim() == 4)


def test_complete_on_convolutions_norms_relu_and_a_residual_sum(cnn, images):
    found = explained(cnn, images, target=1)
    assert found.score.abs().min() > 0.01
    assert found.residual.abs().max() < 1e-12
    assert found.notes == ((), (), ())


def test_the_map_by_hand(cnn, images):
    layers = ["stem.0", "stem.1", "body.0", "body.1", "down"]
    torch.testing.assert_close(drawn(cnn, images, "full-grad", target=1), by_hand(cnn, layers, images, 1))


def test_by_pencil():
    """f = mean(2 x + 3): the terms of the input are x / 2, those of the bias 3/4 everywhere, which stretches to nothing."""
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()).double()
    network[0].weight.data.fill_(2.0)
    network[0].bias.data.fill_(3.0)
    picture = torch.tensor([[[[1.0, -2.0], [4.0, 5.0]]]], dtype=torch.float64)
    found = explained(network.eval(), picture, lambda output: output[:, 0])
    assert found.score.item() == 7.0  # 2 * 2 + 3
    assert found.residual.item() == 0.0
    assert found.heatmap.flatten().tolist() == [0, 0.25, 0.75, 1]  # |x| / 2 from 0.5 to 2.5


def test_complete_with_saturated_relu6(images):
    class Saturating(SmallCNN):
        def forward(self, x):
            return super().forward(self.clip(8 * self.first(x)))

    network = Saturating()
    network.first, network.clip = nn.Conv2d(3, 3, 3, padding=1), nn.ReLU6(inplace=True)
    seeded(network)
    saturated = (network.clip(8 * network.first(images)) == 6).double().mean()
    found = explained(network, images)
    assert 0.1 < saturated < 0.9
    assert "clip" in found.method.layers
    assert found.residual.abs().max() < 1e-12


def test_says_what_a_smooth_activation_leaves(images):
    """What is missing is the sum of g * (silu(z) - z silu'(z)), computed here on its own."""
    network = seeded(
        nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    )
    found = explained(network, images)
    z = network[0](images).detach()
    slope = torch.sigmoid(z) * (1 + z * (1 - torch.sigmoid(z)))
    missing = ((F.silu(z) - z * slope).mean(dim=(2, 3)) * network[4].weight[0]).sum(dim=1).detach()
    torch.testing.assert_close(found.residual, missing)
    share = float((found.residual / found.score).abs().max())
    assert share > 0.1
    assert f"up to {share:.0%} of the score" in found.notes[0][0]
    assert "SiLU" in found.notes[0][0]


class Odd(nn.Module):
    """One layer runs twice, one never, and one does not touch the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.twice = nn.Conv2d(3, 3, 3, padding=1)
        self.never = nn.Conv2d(3, 3, 3)
        self.aside = nn.Conv2d(3, 3, 1)
        self.head = nn.Linear(3, 2)

    def forward(self, x):
        x = torch.relu(self.twice(torch.relu(self.twice(x))))
        self.aside(x)
        return self.head(x.mean(dim=(2, 3)))


def test_layers_that_run_twice_never_or_in_vain(images):
    found = explained(seeded(Odd()), images)
    assert found.method.layers == ("twice#0", "twice#1", "aside", "head")
    assert found.residual.abs().max() < 1e-12
    assert torch.isfinite(found.heatmap).all()


def test_a_target_inside_the_network(cnn, images):
    """Layers behind the target have no part in it; those before it are complete."""
    found = explained(cnn, images, target=Channel("body.1", 2))
    assert found.residual.abs().max() < 1e-12


def test_three_spatial_axes():
    network = seeded(
        nn.Sequential(nn.Conv3d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 3))
    )
    found = explained(
        network, torch.randn(2, 3, 4, 6, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    )
    assert found.heatmap.shape == (2, 4, 6, 8)
    assert found.residual.abs().max() < 1e-12


def test_only_some_layers_leave_the_rest_to_the_residual(cnn, images):
    every, some = explained(cnn, images), explained(cnn, images, layers=("down",))
    assert some.method.layers == ("down",)
    assert some.residual.abs().min() > 1e-6
    assert (some.heatmap < every.heatmap + 1e-12).all()


def test_layers_that_were_found_round_trip(cnn, images):
    method = explained(cnn, images).method
    assert method.layers == ("stem.0", "stem.1", "body.0", "body.1", "down", "head")
    assert seewhy.method("full-grad", **json.loads(json.dumps(method.settings()))) == method


def test_the_built_in_network_is_explained_completely(data):
    found = seewhy.explain(data / "imagenet60" / "n02099712_Labrador_retriever.JPEG", method="full-grad")
    assert found.score.item() > 5
    assert abs(found.residual.item()) < 1e-3
    assert found.notes[0] == ()


def test_an_unknown_layer_is_named(cnn, images):
    with pytest.raises(seewhy.LayerError, match="no layer 'bodi'"):
        explained(cnn, images, layers=("bodi",))
