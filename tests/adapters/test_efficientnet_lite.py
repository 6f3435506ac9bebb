"""The built-in network recognizes real pictures, and its labels are those of ImageNet."""

from pathlib import Path

import pytest
import torch

import seewhy
from seewhy.adapters import efficientnet_lite


def test_the_labels_are_those_of_imagenet(data: Path) -> None:
    rows = (data / "imagenet_classes.txt").read_text(encoding="utf-8").splitlines()
    assert [row.split(" ", 1)[1] for row in rows] == list(efficientnet_lite.labels())


def test_weights_that_are_not_the_expected_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet_lite, "SHA256", "0" * 64)
    with pytest.raises(seewhy.ModelError, match="not the expected ones"):
        efficientnet_lite.efficientnet_lite0()


@pytest.mark.slow
def test_sixty_pictures_of_sixty_classes(data: Path) -> None:
    """51 of 60 (85 %) on these pictures, 49 where they are resized to whole pixels before the crop; 75.5 % is published for all 50,000 of the validation set."""
    model = seewhy.load_model("efficientnet-lite0")
    identities = [
        row.split(" ", 1)[0] for row in (data / "imagenet_classes.txt").read_text(encoding="utf-8").splitlines()
    ]
    files = sorted((data / "imagenet60").iterdir())
    session = seewhy.Session(model)
    predicted = session.predict(torch.stack([sample.inputs for sample in session.samples(files)])).argmax(dim=1)
    right = sum(
        int(index) == identities.index(file.name.partition("_")[0])
        for index, file in zip(predicted, files, strict=True)
    )
    assert len(files) == 60
    assert right >= 50
