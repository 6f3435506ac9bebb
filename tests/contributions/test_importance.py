import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from planted import LooksAt, answered, box, noise

import seewhy
from seewhy.contributions.importance import importance_of
from seewhy.contributions.measuring import Plan
from seewhy.contributions.regions import Regions
from seewhy.contributions.table import Estimate, Importance
from seewhy.data.dataset import dataset
from seewhy.engine.session import Session
from seewhy.targets import Channel


def planted(count: int = 24, **options):
    network = LooksAt(box(2, 1))
    return seewhy.importance(network, answered(network, noise(count)), "regions", count=4, replace="mean", **options)


def test_the_same_seed_gives_the_same_table():
    assert planted().numbers() == planted().numbers()
    assert planted(seed=1).numbers() != planted().numbers()


def test_resampled_pictures_repeat_too():
    network = LooksAt(box(2, 1))
    tables = [
        seewhy.importance(
            network, answered(network, noise(9)), "regions", count=2, replace="resample", repeats=2
        ).numbers()
        for _ in range(2)
    ]
    assert tables[0] == tables[1]


def test_the_size_of_a_batch_changes_nothing():
    network = LooksAt(box(2, 1) + 0.1 * noise(1)[0])
    data = answered(network, noise(11))
    tables = []
    for rows in (1, 4, 16):
        session = Session(seewhy.Model(network), rows=rows)
        units = Regions(rows=3, columns=3, fill="resample")
        made = importance_of(session, dataset(data, session.model), units, plan=Plan(rows=rows))
        tables.append(made.numbers()["weights"] + [made.check.gap.value, made.check.gap.low, made.check.stability])
    for other in tables[1:]:
        assert_near(tables[0], other)


def assert_near(first, second):
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for name in first:
            assert_near(first[name], second[name])
    elif isinstance(first, list):
        for one, other in zip(first, second, strict=True):
            assert_near(one, other)
    else:
        assert first == (pytest.approx(second, abs=1e-10) if isinstance(first, float) else second)


def test_classes_of_one_name_are_told_apart():
    model = seewhy.Model(LooksAt(box(0, 0)), labels=["crane", "crane"])
    made = seewhy.importance(model, (noise(6), torch.tensor([0, 1, 0, 1, 0, 1])), "regions", count=2, check=False)
    assert set(made.weights[0].classes) == {"crane (0)", "crane (1)"}


def test_a_watcher_is_told_how_many_pictures_are_done():
    told = []
    seewhy.importance(LooksAt(box(2, 1)), noise(20), "regions", count=2, progress=lambda *one: told.append(one))
    assert told[0] == ("regions", 8, 20)
    assert ("regions", 20, 20) in told
    assert told[-1] == ("check, half 2 of 2", 10, 10)
    told.clear()
    seewhy.importance(LooksAt(box(2, 1)), noise(1), "regions", count=4, progress=lambda *one: told.append(one))
    assert told[-1] == ("regions", 18, None)  # the picture, 16 boxes, and all of them


def test_a_network_that_is_mostly_wrong_is_said_to_be():
    network, inputs = LooksAt(box(2, 1)), noise(20)
    made = seewhy.importance(network, (inputs, 1 - network(inputs).argmax(dim=1)), "regions", count=2)
    assert any("label of only 0% of the pictures" in note for note in made.notes)
    assert "share" not in made.weights[0].figures
    assert any("no unit is given a share" in note for note in made.notes)


def test_the_mean_over_pictures_and_its_interval():
    network, inputs = LooksAt(box(0, 0)), noise(50)
    made = seewhy.importance(network, (inputs, torch.ones(50)), "regions", count=4, replace="zero", check=False)
    falls = inputs[:, 0, :3, :3].sum(dim=(1, 2))
    best = made.weights[0].score
    half = 2.01 * falls.std().item() / 50**0.5
    assert best.value == pytest.approx(falls.mean().item())
    assert best.low == pytest.approx(falls.mean().item() - half, abs=0.08 * half)
    assert best.high == pytest.approx(falls.mean().item() + half, abs=0.08 * half)


def test_the_loss_is_that_of_the_label():
    network, inputs = LooksAt(box(0, 0)), noise(20)
    labels = torch.arange(20) % 2
    made = seewhy.importance(network, (inputs, labels), "regions", count=4, replace="zero", check=False)
    shown = inputs.clone()
    shown[:, :, :3, :3] = 0.0
    cross = torch.nn.functional.cross_entropy
    assert made.weights[0].loss.value == pytest.approx(
        (cross(network(shown), labels) - cross(network(inputs), labels)).item()
    )
    assert made.labels == "labels"
    assert made.target == "the label of each picture"


def test_per_class_is_the_mean_over_the_pictures_of_the_class():
    network, inputs = LooksAt(box(0, 0)), noise(20)
    labels = torch.tensor([0] * 12 + [1] * 8)
    model = seewhy.Model(network, labels=["no", "yes"])
    made = seewhy.importance(model, (inputs, labels), "regions", count=4, replace="zero", check=False)
    falls = inputs[:, 0, :3, :3].sum(dim=(1, 2))
    best = made.weights[0]
    assert list(best.classes) == ["no", "yes"]  # most pictures first
    assert best.classes["no"].value == pytest.approx(-falls[:12].mean().item())
    assert best.classes["yes"].value == pytest.approx(falls[12:].mean().item())
    assert best.score.value == pytest.approx((12 * best.classes["no"].value + 8 * best.classes["yes"].value) / 20)


def test_without_labels_the_answer_itself_is_asked_about():
    network, inputs = LooksAt(box(2, 1)), noise(8)
    made = seewhy.importance(network, inputs, "regions", count=4, replace="zero", check=False)
    assert made.labels == "the network's own answers"
    assert made.target == "the predicted class of each picture"
    assert made.figures["accuracy"].value == 1.0
    assert made.weights[0].score.value == pytest.approx(inputs[:, 0, 6:9, 3:6].sum(dim=(1, 2)).abs().mean().item())


def test_some_labels_are_said_to_be_some():
    network = LooksAt(box(2, 1))
    made = seewhy.importance(network, (noise(6), torch.tensor([1, -1, 0, 1, -1, 1])), "regions", count=4, check=False)
    assert made.labels == "labels of 4 of 6 pictures, the network's own answers for the others"


def test_one_picture_has_no_interval_and_says_so():
    made = seewhy.importance(LooksAt(box(2, 1)), noise(1), "regions", count=4)
    best = made.weights[0].score
    assert best.low == best.value == best.high
    assert made.check is None
    assert any("one picture only" in note for note in made.notes)


def test_one_class_only_is_said():
    network = LooksAt(box(2, 1))
    made = seewhy.importance(network, (noise(8), torch.ones(8)), "regions", count=2)
    assert any("all pictures are of one class" in note for note in made.notes)
    assert made.check is not None


def test_three_pictures_are_too_few_to_check():
    network = LooksAt(box(2, 1))
    made = seewhy.importance(network, noise(3), "regions", count=2)
    assert made.check is None
    assert any("too few pictures" in note for note in made.notes)


def test_a_network_that_gives_one_number_has_no_loss():
    class Number(LooksAt):
        def forward(self, x):
            return super().forward(x)[:, 1:]

    made = seewhy.importance(Number(box(2, 1)), noise(6), "regions", count=4, target=seewhy.targets.Regression())
    assert made.weights[0].unit == "row 3, column 2"
    assert math.isnan(made.weights[0].loss.value)
    assert made.check is None
    assert any("no loss" in note for note in made.notes)
    assert json.loads(json.dumps(made.numbers(), allow_nan=False))["weights"][0]["loss"]["value"] is None


def test_a_broken_picture_is_named_and_the_rest_is_done(tmp_path):
    generator = np.random.default_rng(0)
    for number in range(5):
        Image.fromarray(generator.integers(0, 255, (12, 12, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    (tmp_path / "3.png").write_bytes(b"no picture")
    model = seewhy.Model(LooksAt(box(2, 1)), size=12, mean=0.5, std=0.5)
    for replacement in ("blur", "resample"):
        made = seewhy.importance(model, tmp_path, "regions", count=4, replace=replacement)
        assert made.pictures == 4
        assert [name.rpartition("/")[2] for name in made.broken] == ["3.png"]
        assert made.weights[0].unit == "row 3, column 2"


def test_a_budget_of_time_ends_the_pictures():
    made = planted(200, budget="0.05s")
    assert 1 <= made.pictures < 200
    assert any(f"after {made.pictures} of 200 pictures" in note for note in made.notes)


def test_numbers_come_back_from_a_file(tmp_path):
    made = planted(interactions=True)
    path = made.save(tmp_path / "table.json")
    again = Importance.load(path)
    assert again == made
    assert again.places.tensor().equal(made.places.tensor())
    with pytest.raises(seewhy.DataError, match="exists"):
        made.save(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not a file of importance"),
        ("[]", "format 1 is read"),
        ('{"format": 1, "kind": 3}', "expected"),
        ('{"format": 1, "kind": "bands"}', "not Importance"),
        ('{"format": 1, "weights": [7]}', "Weight is an object"),
        ("[" * 100_000, "not a file of importance"),
    ],
)
def test_a_file_of_something_else(tmp_path, text, words):
    (tmp_path / "table.json").write_text(text)
    with pytest.raises(seewhy.DataError, match=words):
        Importance.load(tmp_path / "table.json")


def test_the_short_form_names_what_a_reader_needs():
    made = planted()
    words = repr(made)
    assert "Importance of regions (16 units) for the label of each picture, 24 pictures" in words
    assert "row 3, column 2" in words
    assert made.check.words in words
    assert "and 6 more" in words
    assert made.top(2) == made.weights[:2]


def test_names_are_escaped_in_html():
    value = Estimate(1.0, 0.5, 1.5)
    made = planted()
    weight = type(made.weights[0])("<b>&", value, value, value)
    shown = Importance("regions", (weight,), "blur", 2, "<i>", "logit", "labels")._repr_html_()
    assert "<b>" not in shown
    assert "&lt;b&gt;&amp;" in shown


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"of": "region"}, "nearest: 'regions'"),
        pytest.param({"by": "magic"}, "'magic'", marks=pytest.mark.door),
        ({"replace": "pink"}, "'pink'"),
        ({"masks": "folder"}, "masks is a setting of foreground"),
        ({"of": "superpixels"}, "those of one photo"),
        ({"budget": 500}, "no budget for ablation"),
        ({"budget": "soon"}, "a budget is"),
        ({"target": Channel("layer", 0)}, "looks at"),
        ({"target": 7}, "no class 7"),
        ({"orders": 2}, "at least 10"),
        ({"by": "shapley", "samples": 3}, "even"),
    ],
)
def test_what_does_not_fit_is_told(options, words):
    asked = {"of": "regions"} | options
    with pytest.raises(seewhy.SeewhyError, match=words):
        seewhy.importance(LooksAt(box(2, 1)), noise(5), **asked)


def test_a_label_that_the_network_does_not_know():
    with pytest.raises(seewhy.TargetError, match="the network has 2 classes"):
        seewhy.importance(LooksAt(box(2, 1)), (noise(4), torch.tensor([0, 1, 5, 0])), "bands")


def test_a_plan_is_read_at_once():
    with pytest.raises(seewhy.ConfigError, match="no budget for ablation"):
        Plan(budget=500)
    assert Plan(budget="2m").seconds == 60  # half to measure, half to check
    assert Plan(budget="2m", check=False).seconds == 120
    assert Plan().seconds is None
