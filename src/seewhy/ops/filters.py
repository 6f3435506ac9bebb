"""Blur and resize, written once for pictures, clips and volumes."""

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


def gaussian_blur(images: Float[Tensor, "b c *spatial"], sigma: float) -> Float[Tensor, "b c *spatial"]:
    """Blur each spatial axis of (b, c, *spatial) with a Gaussian; the border is extended, so a constant stays constant."""
    if sigma <= 0:
        return images
    kernel = gaussian_kernel(sigma, images)
    radius = len(kernel) // 2
    blurred = images
    for axis in range(2, images.dim()):
        lines = blurred.movedim(axis, -1)
        flat = lines.reshape(-1, 1, lines.shape[-1])
        padded = F.pad(flat, (radius, radius), mode="replicate")
        blurred = F.conv1d(padded, kernel[None, None]).reshape(lines.shape).movedim(-1, axis)
    return blurred
