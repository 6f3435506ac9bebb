"""A gallery is drawn, saved and read back as it is."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from seewhy.errors import DataError
from seewhy.visualization.gallery import Gallery, drawn, joined

IMAGES = torch.rand(2, 3, 6, 8, generator=torch.Generator().manual_seed(0))


def gallery(**settings: object) -> Gallery:
    given = {
        "images": IMAGES,
        "scores": torch.tensor([1.5, -2.0]),
        "targets": ("tabby", "tabby"),
        "units": ("logit",) * 2,
    }
    return Gallery(**(given | {"seeds": (3, 4), "notes": ((), ("dead: no",)), "title": "net"} | settings))


def test_a_picture_has_the_pixels_of_its_image():
    pixels = np.asarray(gallery().picture(1))
    np.testing.assert_array_equal(pixels, (IMAGES[1] * 255).round().byte().permute(1, 2, 0).numpy())


def test_channels_that_are_not_colours_stand_side_by_side():
    picture = drawn(torch.stack([torch.zeros(2, 3), torch.ones(2, 3)]))
    np.testing.assert_array_equal(np.asarray(picture), [[0, 0, 0, 255, 255, 255]] * 2)
    assert picture.mode == "L"


def test_captions_tell_target_score_seed_and_notes():
    made = gallery(photo=IMAGES[0], photo_scores=(0.5, 0.25))
    assert made.caption(0) == ["tabby", "1.5 logit (the photo: 0.5), seed 3"]
    assert made.caption(1) == ["tabby", "-2 logit (the photo: 0.25), seed 4", "dead: no"]


def test_what_is_saved_is_read_back(tmp_path):
    made = gallery(photo=IMAGES[0], photo_scores=(0.5, 0.25), remarks=("so",), settings=({"steps": 3}, {"steps": 4}))
    read = Gallery.load(made.save(tmp_path / "g.npz"))
    assert torch.equal(read.images, made.images)
    assert torch.equal(read.photo, made.photo)
    assert torch.equal(read.scores, made.scores)
    for name in ("targets", "units", "seeds", "notes", "title", "remarks", "settings", "photo_scores"):
        assert getattr(read, name) == getattr(made, name)
    told = json.loads(made.save(tmp_path / "g.json").read_text())
    assert [row["score"] for row in told["pictures"]] == [1.5, -2.0]
    assert Image.open(made.save(tmp_path / "g.png")).size == made.sheet().size


def test_one_picture_is_saved_alone(tmp_path):
    one = gallery(
        images=IMAGES[:1], scores=torch.tensor([1.0]), targets=("a",), units=("logit",), seeds=(0,), notes=((),)
    )
    assert Image.open(one.save(tmp_path / "one.png")).size == (8, 6)


def test_files_are_kept_and_foreign_ones_refused(tmp_path):
    made = gallery()
    made.save(tmp_path / "g.npz")
    with pytest.raises(DataError, match="exists"):
        made.save(tmp_path / "g.npz")
    made.save(tmp_path / "g.npz", force=True)
    with pytest.raises(DataError, match="written as"):
        made.save(tmp_path / "g.gif")
    (tmp_path / "other.npz").write_bytes(b"PK no")
    with pytest.raises(DataError, match="not pictures saved by seewhy"):
        Gallery.load(tmp_path / "other.npz")
    with pytest.raises(DataError, match="no such file"):
        Gallery.load(tmp_path / "none.npz")
    evil = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / "evil.npz", about=evil, images=evil, scores=evil)
    with pytest.raises(DataError, match="not pictures saved by seewhy"):
        Gallery.load(tmp_path / "evil.npz")


def test_joined_galleries_are_in_order():
    whole = joined([gallery(remarks=("one",)), gallery(targets=("x", "y"), remarks=("one", "two"))])
    assert whole.targets == ("tabby", "tabby", "x", "y")
    assert torch.equal(whole.images, torch.cat([IMAGES, IMAGES]))
    assert whole.remarks == ("one", "two")
