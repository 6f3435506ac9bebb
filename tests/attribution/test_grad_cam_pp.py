import torch
from cam_oracle import Pooled, drawn, layer_of, pencil, volume

import seewhy
from networks import seeded


def literal(activation, gradient):
    """Equation 19 as it is printed, then the weights and the map."""
    places = tuple(range(2, activation.dim()))
    total = activation.sum(dim=places, keepdim=True)
    below = 2 * gradient**2 + total * gradient**3
    alpha = torch.where(gradient == 0, 0, gradient**2 / torch.where(gradient == 0, 1, below))
    weights = (alpha * gradient.clamp_min(0)).sum(dim=places, keepdim=True)
    return (weights * activation).sum(dim=1).clamp_min(0)


def test_by_pencil():
    """First channel: sum 75, gradient 1, so alpha = 1 / 77 at four places. Second: sum 21, positive at one place, so 1 / 23."""
    network, picture = pencil()
    found = drawn(network, picture, seewhy.method("grad-cam-pp", layer="relu"))
    first, second = 4 / 77, 1 / 23
    expected = [0.0, 4 * first, 31 * first + 6 * second, 40 * first + 15 * second]
    torch.testing.assert_close(found.flatten(), torch.tensor(expected, dtype=torch.float64))


def test_alpha_changes_the_map():
    """With all alphas alike the map would be that of the summed positive gradients: in another proportion."""
    network, picture = pencil()
    found = drawn(network, picture, seewhy.method("grad-cam-pp", layer="relu")).flatten()
    alike = torch.tensor([0.0, 4 * 4, 31 * 4 + 6, 40 * 4 + 15], dtype=torch.float64)
    assert not torch.allclose(found / found.max(), alike / alike.max(), rtol=1e-2)


def test_by_the_printed_formula(cnn, images):
    network = torch.nn.Sequential(
        cnn.stem, cnn.body, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(6, 4)
    )
    network = seeded(network, seed=4)
    for layer in ("0", "1"):
        activation, gradient, _ = layer_of(network, layer, images, 1)
        found = drawn(network, images, seewhy.method("grad-cam-pp", layer=layer), target=1)
        torch.testing.assert_close(found, literal(activation, gradient), rtol=1e-9, atol=1e-12)


def test_three_spatial_axes():
    network, images = seeded(Pooled(axes=3)), volume()
    activation, gradient, _ = layer_of(network, "features", images, 1)
    torch.testing.assert_close(drawn(network, images, "grad-cam-pp", target=1), literal(activation, gradient))


def test_exponential_of_the_score_gives_the_same_map(images):
    """The paper's derivatives of Y = exp(S), taken one after the other for a layer that enters linearly."""
    network = seeded(Pooled())
    activation, gradient, logits = layer_of(network, "features", images, 0)
    factor = logits[:, 0].exp().view(-1, 1, 1, 1)
    first, second, third = factor * gradient, factor * gradient**2, factor * gradient**3
    alpha = second / (2 * second + activation.sum(dim=(2, 3), keepdim=True) * third)
    map_of_exp = ((alpha * first.clamp_min(0)).sum(dim=(2, 3), keepdim=True) * activation).sum(dim=1).clamp_min(0)
    torch.testing.assert_close(drawn(network, images, "grad-cam-pp") * factor[:, 0], map_of_exp)
