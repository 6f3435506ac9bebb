"""`seewhy similar` writes a page, a picture and numbers, and says what is wrong; written targets go through `seewhy explain`."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy
from command import command


class Segmenter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU(), nn.Conv2d(6, 6, 3, 2, 1), nn.ReLU())
        self.head = nn.Conv2d(6, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


@pytest.fixture
def photos(tmp_path):
    draw = np.random.default_rng(0)
    for name in ("one", "two"):
        colours = draw.integers(0, 255, (4, 6, 3), dtype=np.uint8)
        Image.fromarray(colours).resize((60, 40), Image.Resampling.NEAREST).save(tmp_path / f"{name}.png")
    return tmp_path / "one.png", tmp_path / "two.png"


@pytest.fixture
def embedder(monkeypatch):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 5, stride=4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
    model = seewhy.Model(network, size=40, mean=0.5, std=0.5, probability="none")
    monkeypatch.setattr("seewhy.cli.pairing.load_model", lambda name, checkpoint: model)
    return model


def test_two_pictures_get_a_page_a_picture_and_numbers_that_hold_the_score(capsys, photos, embedder, tmp_path):
    code, out, err = command(capsys, "similar", *photos, "--threshold", 0.3, "-o", tmp_path / "out", "--json")
    assert code == 0, err
    told = json.loads(out)
    with seewhy.Session(embedder) as session:
        a, b = session.predict(torch.stack([one.inputs for one in session.samples(list(photos))]))
    assert told["score"] == pytest.approx(float(torch.cosine_similarity(a, b, dim=0)), abs=1e-5)
    assert told["pairs_sum"] == pytest.approx(told["score"], abs=1e-5)
    assert told["same"] is (told["score"] >= 0.3) and told["pictures"] == ["one.png", "two.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "one-two.similar.html", "one-two.similar.json", "one-two.similar.png",
    ]  # fmt: skip
    code, _, err = command(capsys, "similar", *photos, "-o", tmp_path / "out")
    assert code == 2 and "--force" in err


@pytest.mark.usefixtures("embedder")
@pytest.mark.parametrize(
    ("options", "told"),
    [(("--measure", "cos"), "--measure is one of cosine, dot, distance"), (("--embedding", "nothere"), "nothere")],
)
def test_wrong_options_are_one_line(capsys, photos, tmp_path, options, told):
    code, _, err = command(capsys, "similar", *photos, "-o", tmp_path / "out", *options)
    assert code == 2 and told in err and "Traceback" not in err


def test_a_region_is_explained_end_to_end_and_a_wrong_question_says_what_fits(capsys, photos, monkeypatch, tmp_path):
    model = seewhy.Model(Segmenter().eval(), size=(32, 48), mean=0.5, std=0.5, labels=["ground", "disc"])
    monkeypatch.setattr("seewhy.cli.explaining.load_model", lambda name, checkpoint: model)
    code, _, err = command(capsys, "explain", photos[0], "-o", tmp_path / "no")
    assert code == 3 and "region:NAME" in err
    with seewhy.Session(model) as session:
        answer = session.predict(session.samples([photos[0]])[0].inputs[None])[0]
    index = int(answer.argmax(dim=0).flatten().mode().values)
    wanted = {
        f"region:{model.labels[index]}": answer[index][answer.argmax(dim=0) == index].mean(),
        "depth:1#0,0,60,40": answer[1].mean(),
        "keypoint:1": answer[1].flatten().log_softmax(dim=0).max(),
    }
    for number, (target, score) in enumerate(wanted.items()):
        folder = tmp_path / str(number)
        code, out, err = command(capsys, "explain", photos[0], "--target", target, "-o", folder, "--json")
        assert code == 0, err
        [told] = json.loads(out)["photos"]
        assert told["top"] == [] and told["answers"][0]["score"] == pytest.approx(float(score), rel=1e-4)
        assert len(list(folder.iterdir())) == 4
