import pytest
import torch
from planted import SIZE, Gate, LooksAt, noise

import seewhy
from seewhy.targets import ClassScore


def halves(network, inputs):
    made = seewhy.importance(
        network, inputs, "bands", target=ClassScore(1), replace="zero", interactions=True, check=False
    )
    return {frozenset((one.first, one.second)): one.score for one in made.interactions}


class Mixed(Gate):
    """The gate of two bands instead of two halves."""

    def forward(self, x):
        wide = torch.cat([x[:, :1].expand(-1, 3, -1, -1), x[:, 1:2].expand(-1, 3, -1, -1)], dim=3)
        return super().forward(wide)


@pytest.mark.parametrize(("kind", "wanted"), [("and", -1.0), ("or", 1.0)])
def test_pairs_of_gates(kind, wanted):
    """All ones. "and": without either it is 0, so the second takes nothing more: 1 - 1 - 1. "or": only without both it is 0: 1 - 0 - 0."""
    found = halves(Mixed(kind), torch.ones(5, 3, SIZE, SIZE, dtype=torch.float64))
    assert found[frozenset(("red", "green"))].value == pytest.approx(wanted)
    assert found[frozenset(("red", "blue"))].value == pytest.approx(0.0)
    assert len(found) == 3


def test_a_linear_network_has_none():
    found = halves(LooksAt(torch.ones(3, 12, 12, dtype=torch.float64)), noise(8))
    assert all(abs(score.value) < 1e-9 for score in found.values())


def test_the_strongest_pair_comes_first():
    made = seewhy.importance(
        Mixed("and"),
        torch.ones(4, 3, SIZE, SIZE, dtype=torch.float64),
        "bands",
        target=1,
        replace="zero",
        interactions=True,
    )
    assert {made.interactions[0].first, made.interactions[0].second} == {"red", "green"}
