"""Images with noise, a stream of them."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Generator, Tensor


def noisy(
    images: Float[Tensor, "b c *spatial"], count: int, noise: float, generator: Generator
) -> Iterator[Float[Tensor, "b c *spatial"]]:
    """Yield `count` copies of the images with Gaussian noise, drawn one copy at a time.

    Args:
        images: what the noise is added to.
        count: number of copies.
        noise: standard deviation, as a share of each image's own greatest minus least value.
        generator: source of the noise, on the CPU; every image of a copy gets the same pattern.
    """
    deviation = noise * (images.flatten(1).amax(dim=1) - images.flatten(1).amin(dim=1))  # (b,)
    deviation = deviation.view(-1, *[1] * (images.dim() - 1))
    for _ in range(count):
        yield images + deviation * torch.randn(1, *images.shape[1:], generator=generator).to(images)
