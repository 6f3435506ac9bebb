import torch
from cam_oracle import drawn, layer_of

import seewhy


def test_by_the_same_draws(cnn, images):
    activation, _, _ = layer_of(cnn, "down", images, 0)
    weights = torch.rand(1, 8, generator=torch.Generator().manual_seed(11)).double() * 2 - 1
    expected = torch.einsum("bcxy,kc->bxy", activation, weights).clamp_min(0)
    torch.testing.assert_close(drawn(cnn, images, seewhy.method("random-cam", layer="down"), seed=11), expected)


def test_weights_are_uniform_between_minus_one_and_one():
    """One channel of ones shows its own weight, cut off below 0: zero for half of the seeds, 1/4 in the mean, below 1."""
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    network[0].weight.data.fill_(0.0)
    network[0].bias.data.fill_(1.0)
    model = seewhy.Model(network.eval(), layer="0")
    picture = torch.zeros(1, 1, 4, 4)
    session = seewhy.Session(model)
    weights = []
    for seed in range(600):
        session.seed = seed
        weights.append(session.explain(picture, lambda output: output[:, 0], "random-cam").heatmap[0, 0, 0])
    found = torch.stack(weights)
    assert abs(float(found.mean()) - 0.25) < 0.04  # deviation of the mean: 0.013
    assert abs(float((found == 0).float().mean()) - 0.5) < 0.08
    assert 0.97 < found.max() <= 1


def test_knows_nothing_of_the_class(cnn, images):
    assert torch.equal(drawn(cnn, images, "random-cam", target=0), drawn(cnn, images, "random-cam", target=3))


def test_is_listed_as_a_control():
    assert seewhy.methods()["random-cam"].family == "control"
