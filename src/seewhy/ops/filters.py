"""Blur and resize, written once for pictures, clips and volumes."""

import math
from collections.abc import Iterable, Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}


def resize(maps: Float[Tensor, "b *spatial"], size: tuple[int, ...]) -> Float[Tensor, "b *resized"]:
    """Resize maps (b, *spatial) to `size` by linear interpolation between cell centres; values are not rescaled."""
    if tuple(maps.shape[1:]) == tuple(size):
        return maps
    return F.interpolate(maps[:, None], size=size, mode=_MODES[len(size)], align_corners=False)[:, 0]


def gaussian_kernel(sigma: float, like: Tensor) -> Float[Tensor, " k"]:
    """Return the normalized Gaussian of standard deviation `sigma` (pixels), cut at three deviations."""
    radius = max(1, round(3 * sigma))
    offsets = torch.arange(-radius, radius + 1, device=like.device, dtype=like.dtype)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    return kernel / kernel.sum()


def gaussian_blur(
    images: Float[Tensor, "b c *spatial"], sigma: float | Sequence[float]
) -> Float[Tensor, "b c *spatial"]:
    """Blur each spatial axis of (b, c, *spatial) with a Gaussian of one deviation, or of one for each axis; 0 leaves an axis as it is.

    The border is extended, so a constant stays constant.
    """
    sigmas = [sigma] * (images.dim() - 2) if isinstance(sigma, (int, float)) else sigma
    blurred = images
    for axis, deviation in enumerate(sigmas, start=2):
        if deviation <= 0:
            continue
        kernel = gaussian_kernel(deviation, images)
        radius = len(kernel) // 2
        lines = blurred.movedim(axis, -1)
        flat = lines.reshape(-1, 1, lines.shape[-1])
        padded = F.pad(flat, (radius, radius), mode="replicate")
        blurred = F.conv1d(padded, kernel[None, None]).reshape(lines.shape).movedim(-1, axis)
    return blurred


def diffusion(
    images: Float[Tensor, "b c *spatial"], sigmas: Iterable[float]
) -> Iterator[Float[Tensor, "b c *spatial"]]:
    """Yield the images blurred with each Gaussian, as heat spreads on a plate that lets none out.

    Beyond the border the image goes on as in a mirror, so its mean is kept at every width, and blurs add up exactly: sigma 3 and
    then 4 is 5. Each cosine of the image is damped on its own, which costs the same for every width.
    """
    axes = range(2, images.dim())
    cosines = [_cosines(images.shape[axis], images) for axis in axes]
    spectrum = images
    for axis, basis in zip(axes, cosines, strict=True):
        spectrum = (spectrum.movedim(axis, -1) @ basis.T).movedim(-1, axis)
    for sigma in sigmas:
        blurred = spectrum
        for axis, basis in zip(axes, cosines, strict=True):
            waves = torch.arange(len(basis), device=images.device, dtype=images.dtype) * (math.pi / len(basis))
            damped = basis * torch.exp(-0.5 * (sigma * waves) ** 2)[:, None]
            blurred = (blurred.movedim(axis, -1) @ damped).movedim(-1, axis)
        yield blurred


def _cosines(size: int, like: Tensor) -> Float[Tensor, "n n"]:
    """Return the orthonormal cosines of the even mirrored line, one wave a row, rising frequency."""
    waves, places = torch.arange(size, dtype=torch.float64)[:, None], torch.arange(size, dtype=torch.float64) + 0.5
    basis = torch.cos(waves * places * (math.pi / size)) * math.sqrt(2 / size)
    basis[0] /= math.sqrt(2)
    return basis.to(like)
