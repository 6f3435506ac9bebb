"""Every picture ends in exactly one leaf, flows add up, a wrong turn has one place, and a trace says why in true numbers."""

import pytest
import torch

from seewhy.data.dataset import Dataset
from seewhy.data.features import Features
from seewhy.data.shelf import Fingerprint
from seewhy.errors import ConfigError, ModelError
from seewhy.surrogates.basis import PooledChannels
from seewhy.surrogates.distilling import Course, Material, distilled
from seewhy.surrogates.flow import Flow
from seewhy.surrogates.hierarchy import Hierarchy
from seewhy.surrogates.lesson import Splits
from seewhy.surrogates.linear import Linear
from seewhy.surrogates.trace import apart, trace
from seewhy.surrogates.tree import Tree

NAMES = ("cat", "dog", "car", "truck")


@pytest.fixture(scope="module")
def material():
    generator = torch.Generator().manual_seed(0)
    raw = torch.rand(240, 6, generator=generator)
    outputs = 8 * raw[:, :4] + torch.rand(240, 4, generator=generator)
    data = Dataset(tuple(f"p{number}.png" for number in range(240)), tuple(outputs.argmax(1).tolist()))
    features = Features("pool", raw, None, outputs, outputs.argmax(1), data, Fingerprint("d", "n", {}), (8, 8))
    return Material(features, PooledChannels("pool", 6), Splits.drawn(features.predicted, 0), NAMES)


@pytest.fixture(scope="module", params=[Tree, Hierarchy])
def student(request, material):
    return distilled(request.param, material, Course(draws=1))


def flow_of(student, features):
    return Flow.of(student.surrogate, student.basis.read(features), features, student.classes)


def test_every_picture_ends_in_one_leaf_and_flows_add_up(student, material):
    model, flow = student.surrogate, flow_of(student, material.features)
    assert (flow.came[:, model.leaves].sum(dim=1) == 1).all() and flow.came[:, 0].all()
    for node in model.inner.tolist():
        left, right = model.children[node].tolist()
        assert flow.count(node) == flow.count(left) + flow.count(right)
    assert torch.equal(flow.said, student.predict(material.features))


def test_each_disagreement_has_just_one_place_where_it_went_wrong(student, material):
    model, flow = student.surrogate, flow_of(student, material.features)
    answered = {student.classes[place] for place in model.classes_below(0)}
    can = torch.tensor([int(index) in answered for index in flow.network])
    assert bool((~flow.agrees).any())
    assert torch.equal(flow.lost >= 0, ~flow.agrees & can)
    for row in (flow.lost >= 0).nonzero()[:, 0].tolist():
        node, wanted = int(flow.lost[row]), student.classes.index(int(flow.network[row]))
        taken = next(child for child in model.children[node].tolist() if flow.came[row, child])
        assert wanted in model.classes_below(node) and wanted not in model.classes_below(taken)


def test_a_trace_passes_the_nodes_of_the_route_and_says_what_decided(student, material):
    model, features = student.surrogate, material.features
    for row in (0, 7, 100):
        one = trace(student, features, row)
        passed = [node for node in model.route(student.basis.read(features.part([row])))[0].tolist() if node >= 0]
        assert list(one.nodes) == passed and one.picture == features.data.names[row]
        assert one.answer == NAMES[int(student.predict(features.part([row])))]
        assert one.network == NAMES[int(features.predicted[row])]
        for step in one.steps:
            assert (step.value > step.threshold) == step.affirmed
            assert f"went {step.side}" in step.text


def test_the_terms_of_a_step_and_the_bias_are_what_decides(material):
    student = distilled(Hierarchy, material, Course(draws=1))
    for step in trace(student, material.features, 3).steps:
        total = sum(one.adds for one in step.evidence) + float(student.surrogate.bias[step.node])
        assert step.value == pytest.approx(total, abs=1e-4)


def test_a_trace_is_told_in_words(material):
    student = distilled(Tree, material, Course(draws=1))
    one = trace(student, material.features, 0)
    step = one.steps[0]
    word, sign = ("present", ">") if step.affirmed else ("absent", "<")
    value, bar = apart(step.value, step.threshold)
    assert step.text == f"It went {step.side} because {step.evidence[0].name} is {word}: {value} {sign} {bar}."
    assert step.short == f"{step.evidence[0].name} {word}: {value} {sign} {bar}"
    assert one.text.splitlines()[0] == f"1. {step.text}"
    assert one.text.splitlines()[-1].startswith(f"So the student says {one.answer}")


@pytest.mark.parametrize(
    ("pair", "texts"),
    [
        ((0.02, 0.31), ("0.02", "0.31")),
        ((0.310001, 0.31), ("0.310001", "0.31")),
        ((2.0, 2.0), ("2", "2")),
    ],
)
def test_numbers_are_as_long_as_it_takes_to_tell_them_apart(pair, texts):
    assert apart(*pair) == texts


def test_what_cannot_be_traced_is_said(student, material):
    with pytest.raises(ConfigError, match="240 pictures, numbered from 0; got 240"):
        trace(student, material.features, 240)
    with pytest.raises(ConfigError, match="asks no questions"):
        trace(distilled(Linear, material, Course(draws=1)), material.features, 0)
    other = Features(
        "pool", material.features.raw, None, material.features.outputs, material.features.labels, material.features.data,
        Fingerprint("d", "other", {}), (8, 8),
    )  # fmt: skip
    with pytest.raises(ModelError, match="another network"):
        trace(student, other, 0)
