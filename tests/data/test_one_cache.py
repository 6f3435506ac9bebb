"""What a layer gives for some pictures is computed once, whichever analyses ask for it."""

import pytest
import torch

import seewhy
from networks import SmallCNN, seeded
from seewhy.data import features as kept


@pytest.fixture
def passes(monkeypatch):
    """Return how many pictures of a data set went through the network, search by search."""
    counted = []
    compute = kept._computed

    def counting(session, data, *rest):
        counted.append(len(data))
        return compute(session, data, *rest)

    monkeypatch.setattr(kept, "_computed", counting)
    return counted


def test_concepts_students_given_concepts_and_importance_share_one_pass(passes, tmp_path):
    network, generator = seeded(SmallCNN()).float(), torch.Generator().manual_seed(0)
    inputs = torch.randn(60, 3, 16, 16, generator=generator) + 3 * torch.randn(60, 3, 1, 1, generator=generator)
    data = inputs, network(inputs).argmax(1)
    found = seewhy.discover(network, data, layer="act", count=3, cache=tmp_path)
    student = seewhy.distill(network, data, layer="act", count=3, cache=tmp_path)
    table = seewhy.importance(network, data, of="channels", layer="act", cache=tmp_path, check=False)
    assert len(found.concepts) == 3 and student.report.pictures and len(table.weights) == 8
    assert passes == [60]
    given = {"bright": (inputs[:8] + 1, data[1][:8]), "dark": (inputs[8:16] - 1, data[1][8:16])}
    seewhy.tcav(network, data, given, layer="act", cache=tmp_path)
    assert sorted(passes) == [8, 8, 60]  # the concepts' own pictures, and no others
