import pytest
import torch
from planted import LooksAt, noise

import seewhy
from seewhy.contributions.bands import Bands
from seewhy.contributions.grouping import Grouped, groups


def test_columns_that_move_together_are_one_group():
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(200, 2, generator=generator, dtype=torch.float64)
    jitter = 0.05 * torch.randn(200, 2, generator=generator, dtype=torch.float64)
    values = torch.stack([base[:, 0], base[:, 1], base[:, 0] + jitter[:, 0], torch.zeros(200), -base[:, 1]], dim=1)
    assert groups(values, 0.9) == [0, 1, 0, 2, 3]


def test_any_two_of_a_group_correlate():
    """A chain in which neighbours correlate by more than .9, and the ends by less, is no single group."""
    generator = torch.Generator().manual_seed(1)
    a, b = torch.randn(2, 5000, generator=generator, dtype=torch.float64)
    chain = torch.stack([a, a + 0.4 * b, a + 0.9 * b], dim=1)
    found = torch.corrcoef(chain.T)
    assert found[0, 1] > 0.9
    assert found[1, 2] > 0.9
    assert found[0, 2] < 0.9
    assert len(set(groups(chain, 0.9))) == 2


def test_bands_that_tell_the_same_go_together():
    """Two bands are copies, and the network hears their sum: in groups their effect is that of both."""
    inputs = noise(40, 3)
    inputs[:, 1] = inputs[:, 0]
    weight = torch.zeros(3, 12, 12, dtype=torch.float64)
    weight[:2] = 1.0
    network = LooksAt(weight)
    labels = network(inputs).argmax(dim=1)
    alone = seewhy.importance(network, (inputs, labels), "bands", replace="zero", check=False)
    together = seewhy.importance(network, (inputs, labels), "bands", replace="zero", check=False, group=0.9)
    assert [weight.unit for weight in together.weights] == ["red + green", "blue"]
    assert together.weights[0].score.value == pytest.approx(2 * alone.weights[0].score.value)
    assert any("3 units were put into 2 groups" in note for note in together.notes)


def test_names_list_the_first_of_many():
    units = Grouped(Bands(labels=tuple("abcdef")), (0, 0, 0, 0, 0, 1))
    assert units.names == ("a + b + c + 2 more", "f")


@pytest.mark.parametrize(("least", "pictures", "words"), [(1.5, 5, "between 0 and 1"), (0.9, 2, "at least 3")])
def test_what_cannot_be_grouped(least, pictures, words):
    with pytest.raises(seewhy.ConfigError, match=words):
        seewhy.importance(LooksAt(torch.ones(3, 12, 12)), noise(pictures).float(), "bands", replace="zero", group=least)
