"""Pictures that were saved again are known again; distinct ones, however small, are not taken for each other."""

import tarfile
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from seewhy.data.likeness import SIGNATURE_BYTES, Likeness, signature


def saved_again(picture, form, **options):
    buffer = BytesIO()
    picture.save(buffer, form, **options)
    return Image.open(BytesIO(buffer.getvalue()))


CHANGES = {
    "jpeg 40": lambda picture: saved_again(picture, "JPEG", quality=40),
    "webp 60": lambda picture: saved_again(picture, "WEBP", quality=60),
    "half the size": lambda picture: picture.resize(
        (picture.width // 2, picture.height // 2), Image.Resampling.BICUBIC
    ),
    "half as large again": lambda picture: picture.resize(
        (picture.width * 3 // 2, picture.height * 3 // 2), Image.Resampling.BILINEAR
    ),
    "2 % brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.02),
    "2 % more contrast": lambda picture: ImageEnhance.Contrast(picture).enhance(1.02),
}


def known(*pictures):
    likeness = Likeness()
    for picture in pictures:
        likeness.add(signature(picture))
    return likeness


@pytest.fixture(scope="module")
def photos(data):
    return [Image.open(path).convert("RGB") for path in sorted((data / "imagenet60").glob("*.JPEG"))]


@pytest.mark.parametrize("change", CHANGES)
def test_a_photo_that_was_changed_a_little_is_known_again(photos, change):
    likeness = known(*photos)
    for number, photo in enumerate(photos[::3]):
        assert likeness.find(signature(CHANGES[change](photo))) == 3 * number


def test_distinct_photos_are_distinct(photos):
    for number, photo in enumerate(photos):
        assert known(*photos[:number]).find(signature(photo)) is None


def test_mirrored_turned_and_cropped_photos_are_other_photos(photos):
    likeness = known(*photos)
    for photo in photos[::6]:
        width, height = photo.size
        for other in (photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT), photo.rotate(90, expand=True)):
            assert likeness.find(signature(other)) is None
        assert likeness.find(signature(photo.crop((width // 4, height // 4, width, height)))) is None


def test_of_small_pictures_only_those_are_dropped_that_a_person_takes_for_the_same(data):
    """Of the first 200 pictures of three classes, by eye: one airplane, one horse and one car are there twice."""
    likeness, names, doubles = Likeness(), [], set()
    with tarfile.open(data / "cifar10" / "cifar10_test.tar") as tar:
        for member in sorted(tar.getmembers(), key=lambda member: member.name):
            kind, _, number = member.name.removeprefix("test/").partition("/")
            if not (kind == "airplane" and 500 <= int(number[:4] or 0) < 1000) and not (
                kind in ("automobile", "horse") and 250 <= int(number[:4] or 0) < 610
            ):
                continue
            mark = signature(Image.open(tar.extractfile(member)))
            earlier = likeness.find(mark)
            if earlier is not None:
                doubles.add((names[earlier], member.name))
            names.append(member.name)
            likeness.add(mark)
    assert len(names) > 1000
    assert doubles == {
        ("test/airplane/0511.jpg", "test/airplane/0955.jpg"),
        ("test/automobile/0293.jpg", "test/automobile/0598.jpg"),
        ("test/horse/0401.jpg", "test/horse/0565.jpg"),
    }


def test_flat_pictures_are_told_apart_by_their_colour():
    red, green = Image.new("RGB", (40, 40), (200, 30, 30)), Image.new("RGB", (40, 40), (30, 200, 30))
    likeness = known(red)
    assert likeness.find(signature(green)) is None
    assert likeness.find(signature(Image.new("RGB", (17, 90), (202, 31, 30)))) == 0


def test_noise_in_a_flat_picture_flips_no_bit():
    flat = np.full((64, 64, 3), 120, np.uint8)
    noisy = flat + np.random.default_rng(0).integers(0, 3, flat.shape, np.uint8)
    assert signature(Image.fromarray(flat))[:28] == signature(Image.fromarray(noisy))[:28] == bytes(28)


def test_the_bits_are_those_of_the_definition():
    columns = np.repeat([0, 0, 80, 80, 160, 160, 240, 240], 5)
    picture = Image.fromarray(np.tile(columns, (40, 1)).astype(np.uint8))
    bits = np.unpackbits(np.frombuffer(signature(picture), np.uint8)[:28]).reshape(2, 112)
    rising = bits[0][:56].reshape(8, 7)
    assert (rising == [0, 1, 0, 1, 0, 1, 0]).all()
    assert not bits[0][56:].any()
    assert not bits[1].any()
    spread = np.sqrt(8 * 3 * 80**2 / 112)
    assert list(signature(picture)[28:]) == [120, 120, 120, round(4 * spread)]


def test_the_first_of_several_is_found_and_growing_forgets_nothing():
    rng = np.random.default_rng(1)
    marks = [rng.bytes(SIGNATURE_BYTES) for _ in range(700)]
    likeness = Likeness()
    for mark in marks:
        assert likeness.find(mark) is None
        likeness.add(mark)
    likeness.add(marks[5])
    assert [likeness.find(marks[number]) for number in (0, 5, 255, 256, 699)] == [0, 5, 255, 256, 699]
    again = Likeness(likeness.known)
    assert again.find(marks[699]) == 699
    again.add(rng.bytes(SIGNATURE_BYTES))
    assert len(again.known) == 702
