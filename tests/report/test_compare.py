"""Every method of the registry appears in a comparison on a convolutional network or on a transformer, drawn or refused with a reason."""

from dataclasses import fields

import pytest
import torch

import seewhy
from clips import FRAMES, Planted3D, planted_clip
from networks import SmallCNN, SmallViT, seeded
from seewhy.core.sample import Sample
from seewhy.report.compare import compare
from seewhy.targets import ClassScore, top

SMALL = {"samples": 4, "steps": 6, "window": 4, "stride": 2, "count": 4}
FOR_TRANSFORMERS = {
    "raw-attention",
    "attention-rollout",
    "gradient-rollout",
    "le-grad",
    "attention-flow",
    "token-removal",
    "tis",
}
FOR_RECTIFIERS = {"guided-backprop", "guided-grad-cam", "deconvnet", "excitation-backprop", "lrp", "cam"}
FOR_B_COS = {"b-cos"}


def compared(network: torch.nn.Module):
    methods = []
    for key, kind in seewhy.methods().items():
        names = {field.name for field in fields(kind)}
        methods.append(seewhy.method(key, **{name: value for name, value in SMALL.items() if name in names}))
    inputs = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    session = seewhy.Session(seewhy.Model(network, size=8, mean=0.5, std=0.5))
    return compare(session, Sample(inputs, name="noise"), top(2), methods)


@pytest.fixture(scope="module")
def convolutional():
    return compared(seeded(SmallCNN()))


@pytest.fixture(scope="module")
def transformer():
    return compared(seeded(SmallViT()))


def test_what_is_left_out_is_what_does_not_fit(convolutional, transformer):
    assert set(convolutional.refused) == FOR_TRANSFORMERS | FOR_B_COS
    assert set(transformer.refused) <= FOR_RECTIFIERS | FOR_B_COS
    drawn = {row[0].method.key for found in (convolutional, transformer) for row in found.rows}
    assert drawn == set(seewhy.methods()) - FOR_B_COS


def test_reasons_are_sentences(convolutional, transformer):
    for reason in [*convolutional.refused.values(), *transformer.refused.values()]:
        assert len(reason.split()) > 6


def test_agreement_is_a_correlation(convolutional):
    found = torch.from_numpy(convolutional.agreement)
    assert found.shape == (len(convolutional.rows),) * 2
    known = found[~found.isnan()]
    assert (known.abs() <= 1 + 1e-9).all()
    torch.testing.assert_close(found, found.T, equal_nan=True)
    keys = [row[0].method.key for row in convolutional.rows]
    assert found[keys.index("integrated-gradients"), keys.index("integrated-gradients")] == pytest.approx(1)


def test_a_clip_is_compared_on_its_strongest_frame():
    session = seewhy.Session(seewhy.Model(Planted3D().eval(), frames=FRAMES, layout="bcthw"))
    [sample] = session.samples(planted_clip())
    found = compare(
        session, sample, [ClassScore(0)], [seewhy.method("grad-cam", layer="relu"), seewhy.method("saliency")]
    )
    assert found.frame in {5, 6, 7}
    assert found.numbers()["frame"] == found.frame
    assert found.agreement[0, 1] > 0.3  # over all frames
    assert found.picture().width > 300
