"""What keeps a picture plain: total variation and distance from grey, taken off its score."""

from jaxtyping import Float
from torch import Tensor


def total_variation(picture: Float[Tensor, "c h w"]) -> Float[Tensor, ""]:
    """Return the sum of absolute differences of neighbours, across and down, divided by the number of pixels and channels.

    A step edge of height s along a whole column of a picture of width w has s / w.

    Source: Mahendran & Vedaldi 2015, Understanding deep image representations by inverting them, arXiv 1412.0035, section 3 (with the power
    of 1 / 2 for their beta, and differences apart).
    """
    across, down = (picture.diff(dim=axis).abs().sum() for axis in (2, 1))
    return (across + down) / picture.numel()


def contrast(picture: Float[Tensor, "c h w"]) -> Float[Tensor, ""]:
    """Return the mean squared distance from mid grey: 0 for a grey picture, 1/4 for black and white."""
    return (picture - 0.5).square().mean()
