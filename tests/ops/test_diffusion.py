import torch

from seewhy.ops.filters import diffusion, gaussian_blur


def picture(*size: int) -> torch.Tensor:
    return torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_mean_is_kept_and_a_constant_stays():
    images = picture(9, 14)
    for blurred in diffusion(images, [0.5, 3.0, 40.0]):
        torch.testing.assert_close(blurred.mean(dim=(2, 3)), images.mean(dim=(2, 3)))
    flat = torch.full((1, 1, 5, 6), 2.5, dtype=torch.float64)
    torch.testing.assert_close(next(diffusion(flat, [2.0])), flat)


def test_blurs_add_up_like_variances():
    images = picture(11, 8)
    twice = next(diffusion(next(diffusion(images, [3.0])), [4.0]))
    torch.testing.assert_close(twice, next(diffusion(images, [5.0])))


def test_without_width_nothing_changes_and_with_all_width_the_mean_is_left():
    images = picture(7, 5)
    sharp, even = diffusion(images, [0.0, 100.0])
    torch.testing.assert_close(sharp, images)
    torch.testing.assert_close(even, images.mean(dim=(2, 3), keepdim=True).expand_as(images))


def test_far_from_the_border_it_is_the_gaussian():
    point = torch.zeros(1, 1, 41, 41, dtype=torch.float64)
    point[..., 20, 20] = 1
    torch.testing.assert_close(next(diffusion(point, [2.0])), gaussian_blur(point, 2.0), rtol=0, atol=2e-4)


def test_three_axes_in_one_order_or_another():
    images = picture(4, 5, 6)
    turned = next(diffusion(images.movedim(2, 4), [1.5])).movedim(4, 2)
    torch.testing.assert_close(next(diffusion(images, [1.5])), turned)
