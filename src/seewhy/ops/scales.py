"""Against which length "a tenth of the picture" is measured, along each axis of a picture, a clip or a volume."""


def scales(size: tuple[int, ...]) -> tuple[int, ...]:
    """Return the length that counts along each axis: the shorter side for both sides of a picture.

    The frames of a clip, and the slices of a volume, are no pixels: the first of three axes is measured against itself.
    """
    side = min(size[-2:])
    return (*size[:-2], *[side] * len(size[-2:]))
