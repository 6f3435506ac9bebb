"""A student's file: what was saved predicts the same, and nothing else is taken for one."""

import json

import pytest
import torch
from torch import Tensor, nn

import seewhy
from seewhy.api import Session
from seewhy.api.distilling import distillation
from seewhy.data.features import features
from seewhy.errors import DataError, ModelError
from seewhy.surrogates.kinds import kinds
from seewhy.surrogates.student_file import load_student


class Colours(nn.Module):
    """The class is the strongest colour: a layer that passes the picture on, the mean over places, a linear head."""

    def __init__(self, sharpness: float = 8.0) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1, bias=False)
        self.layer.weight.data = torch.eye(3)[:, :, None, None]
        self.head = nn.Linear(3, 3, bias=False)
        self.head.weight.data = sharpness * torch.eye(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x).relu().mean(dim=(2, 3)))


def pictures(count: int = 40, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Pictures of one strong colour each, `count` of every colour, at a random place, and the colour."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(3).repeat_interleave(count)
    x = 0.2 * torch.rand(len(labels), 3, 8, 8, generator=generator)
    for row, label in enumerate(labels.tolist()):
        top, left = torch.randint(0, 5, (2,), generator=generator).tolist()
        x[row, label, top : top + 4, left : left + 4] += 0.5 + float(torch.rand((), generator=generator))
    return x, labels


def model(sharpness: float = 8.0) -> seewhy.Model:
    return seewhy.Model(
        Colours(sharpness).eval(), size=8, mean=0.0, std=1.0, labels=("red", "green", "blue"), name="colours"
    )


@pytest.fixture(scope="module")
def made():
    """Every kind of student, and the features it was made from."""
    session = Session(model())
    given = features(session, pictures(), "layer")
    return distillation(session, given, "all", on="channels"), given


@pytest.mark.parametrize("kind", list(kinds()))
def test_a_student_read_back_predicts_the_same_bit_for_bit(kind, made, tmp_path):
    student, given = made[0].students[kind], made[1]
    again = load_student(student.save(tmp_path / "colours.student.json"))
    assert torch.equal(again.scores(given), student.scores(given))
    assert torch.equal(again.predict(given), student.predict(given))
    assert again.text() == student.text()
    for name in ("report", "frontier", "fingerprint", "classes", "labels", "by", "examples", "fit", "seconds"):
        assert getattr(again, name) == getattr(student, name), name
    assert again.plain() == student.plain()


def test_the_fidelity_of_a_student_of_itself_is_one(made):
    """The network is a linear model of its pooled channels: the student that may read all of them says the same, on all pictures."""
    student, given = made[0].students["linear"], made[1]
    assert student.fidelity == 1.0
    assert torch.equal(student.predict(given), given.predicted)
    assert all(value == 1.0 for value in student.report.recall.values())


def test_photos_and_ready_inputs_are_predicted_as_their_features_are(made, tmp_path):
    student, given = made[0].students["linear"], made[1]
    x, _ = pictures()
    assert torch.equal(student.predict(x[::7]), student.predict(given)[::7])
    path = student.save(tmp_path / "s.student.json")
    with pytest.raises(ModelError, match="model="):
        load_student(path).predict(x)
    assert torch.equal(load_student(path, model()).predict(x), student.predict(given))
    assert torch.equal(load_student(path).predict(x, model()), student.predict(given))


def test_another_network_and_other_preprocessing_are_refused(made, tmp_path):
    path = made[0].students["linear"].save(tmp_path / "s.student.json")
    x, _ = pictures(2)
    with pytest.raises(ModelError, match="made for colours"):
        load_student(path, model(sharpness=7.0))
    other = seewhy.Model(Colours().eval(), size=8, mean=0.5, std=1.0, labels=("red", "green", "blue"))
    with pytest.raises(ModelError, match=r"mean 0\.0, now 0\.5"):
        load_student(path, other)
    with pytest.raises(ModelError, match="made for colours"):
        load_student(path).predict(x, model(sharpness=7.0))


def test_text_says_what_it_is_worth_and_the_model(made, tmp_path):
    student = made[0].students["tree"]
    told = student.save(tmp_path / "s.txt").read_text(encoding="utf-8")
    assert told.startswith("colours as a decision tree")
    assert f"On {round(student.fidelity * student.report.pictures)} of {student.report.pictures} pictures" in told
    assert student.text() in told
    assert repr(student).startswith("colours as a decision tree")
    with pytest.raises(DataError, match=r"\.json or \.txt"):
        student.save(tmp_path / "s.pkl")
    with pytest.raises(DataError, match="force"):
        student.save(tmp_path / "s.txt")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"format": 99}, "format"),
        ({"kind": "oracle"}, "oracle"),
        ({"classes": [0, 1, 7]}, "learned class 7 of 3"),
        ({"classes": [0, 0, 1]}, "different"),
        ({"classes": [0, 1]}, "scores of shape"),
        ({"basis": {"kind": "channels", "layer": "layer", "channels": 5}}, "no student"),
        ({"basis": {"kind": "channels", "layer": "layer", "channels": 10**12}}, "channels"),
        ({"by": "nobody"}, "nobody"),
        ({"surrogate": []}, "no student"),
        ({"report": {}}, "no student"),
    ],
)
def test_what_is_no_student_is_refused_in_a_line(change, why, made, tmp_path):
    plain = json.loads(made[0].students["linear"].json()) | change
    path = tmp_path / "s.student.json"
    path.write_text(json.dumps(plain))
    with pytest.raises(DataError, match=why) as told:
        load_student(path)
    assert "\n" not in str(told.value)


def test_files_of_other_kinds_are_refused(made, tmp_path):
    for name, content in (
        ("a.txt", b"no student"),
        ("b.json", b"[]"),
        ("c.json", b"\xff\xfe"),
        ("d.json", b"[" * 100_000),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(DataError, match="no student saved by seewhy"):
            load_student(path)
    with pytest.raises(DataError, match="no such file"):
        load_student(tmp_path / "none.json")
    with pytest.raises(DataError):
        load_student(tmp_path)
    plain = made[0].students["linear"].json().replace('"bias": [', '"bias": [NaN, ', 1)
    path = tmp_path / "nan.json"
    path.write_text(plain)
    with pytest.raises(DataError, match="NaN"):
        load_student(path)
