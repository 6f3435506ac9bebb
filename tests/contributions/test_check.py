import math
from dataclasses import replace

import pytest
import torch
from planted import LooksAt, answered, box, noise

import seewhy
from seewhy.contributions.check import Removal, check, gap_to_random, halves, removal, removed_counts, share_beaten
from seewhy.contributions.measuring import Plan, measured
from seewhy.contributions.regions import Regions
from seewhy.contributions.study import Study
from seewhy.data.dataset import dataset
from seewhy.engine.session import Session

GRID = Regions(rows=4, columns=4, fill="zero")


def graded() -> LooksAt:
    """Box number k of the grid counts k."""
    pixels = GRID.pixels((12, 12)).double()
    return LooksAt(torch.stack([pixels, torch.zeros_like(pixels), torch.zeros_like(pixels)]))


def study(network, inputs, labels) -> Study:
    session = Session(seewhy.Model(network))
    return Study(session, dataset((inputs, labels), session.model), GRID)


def test_halves_are_alike_in_their_classes():
    labels = torch.tensor([0] * 10 + [1] * 6 + [2] * 4)
    half = halves(labels, 3)
    for label, count in ((0, 5), (1, 3), (2, 2)):
        assert half[labels == label].sum() == count
    assert not torch.equal(half, halves(labels, 4))


def test_counts_go_from_none_to_all():
    for units in (2, 3, 16, 49, 1280):
        counts = removed_counts(units)
        assert counts[0] == 0
        assert counts[-1] == units
        assert list(counts) == sorted(set(counts))
        assert len(counts) <= 13


def test_each_half_is_judged_by_the_order_of_the_other():
    """Brute force: the accuracy of a picture with the first units of the other half's ranking set to zero."""
    network = graded()
    inputs, labels = answered(network, noise(20))
    made = study(network, inputs, labels)
    found = measured(made, Plan()).found
    half = halves(found.labels, 0)
    removed = removal(made, found, half, orders=10, seed=0)
    pixels = GRID.pixels((12, 12))
    for picture in range(20):
        order = found.score[half != half[picture]].abs().mean(dim=0).argsort(descending=True)
        for point, count in enumerate(removed.counts):
            shown = inputs[picture : picture + 1].clone()
            shown[..., torch.isin(pixels, order[:count])] = 0.0
            assert removed.kept[0, picture, point] == float(network(shown).argmax() == labels[picture])


def test_area_is_the_mean_accuracy_over_shares_removed():
    kept = torch.tensor([1.0, 1.0, 0.0, 0.0], dtype=torch.float64).expand(1, 5, 4)
    removed = Removal((0, 2, 4, 10), kept, torch.zeros(5, dtype=torch.int64), ("this ranking",))
    assert removed.areas[0].tolist() == pytest.approx([0.2 + 0.1] * 5)


def test_gap_has_the_interval_of_a_paired_mean():
    generator = torch.Generator().manual_seed(0)
    own = (torch.rand(1, 80, 2, generator=generator) < 0.4).double()
    other = (
        (torch.rand(1, 80, 2, generator=generator) < 0.7).double().expand(12, -1, -1)
    )  # all random orders do the same
    removed = Removal((0, 1), torch.cat([own, other]), torch.zeros(80, dtype=torch.int64), ("this ranking",))
    gap = gap_to_random(removed, 0)
    each = removed.areas[1] - removed.areas[0]
    half = 1.99 * each.std().item() / math.sqrt(80)
    assert gap.value == pytest.approx(each.mean().item())
    assert gap.low == pytest.approx(each.mean().item() - half, abs=0.1 * half)
    assert gap.high == pytest.approx(each.mean().item() + half, abs=0.1 * half)


def test_orders_that_are_beaten_are_counted():
    areas = torch.tensor([0.5, 0.6, 0.7, 0.5, 0.4], dtype=torch.float64)
    kept = areas[:, None, None].expand(5, 3, 2)
    assert share_beaten(Removal((0, 1), kept, torch.zeros(3, dtype=torch.int64), ("this ranking",))) == (2 + 0.5) / 4


def test_a_true_ranking_holds_and_its_halves_agree():
    network = graded()
    inputs, labels = answered(network, noise(60))
    made = study(network, inputs, labels)
    found = check(made, measured(made, Plan()).found, 10, 0)
    assert found.gap.low > 0
    assert found.stability > 0.8
    assert found.words.startswith("The ranking holds")
    assert [curve.order for curve in found.curves] == ["this ranking", "random order"]
    assert found.curves[0].accuracy[0].value == 1.0


@pytest.mark.parametrize("seed", range(3))
def test_a_ranking_by_chance_does_not_hold(seed):
    """Every unit counts the same, so that no order is better than any other."""
    network = LooksAt(torch.ones(3, 12, 12, dtype=torch.float64))
    inputs, labels = answered(network, noise(60, seed=seed))
    made = study(network, inputs, labels)
    found = check(made, measured(made, Plan()).found, 10, seed)
    assert found.gap.low <= 0 <= found.gap.high
    assert "not shown to be better than chance" in found.words


def test_labels_by_chance_leave_a_gap_that_covers_zero():
    network = LooksAt(box(1, 1))
    labels = torch.randint(2, (60,), generator=torch.Generator().manual_seed(5))
    made = study(network, noise(60), labels)
    found = check(made, measured(made, Plan()).found, 10, 0)
    assert found.gap.low <= 0 <= found.gap.high


def test_units_that_nobody_looks_at_leave_no_gap():
    network = LooksAt(torch.zeros(3, 12, 12, dtype=torch.float64))
    made = study(network, noise(12), torch.zeros(12))
    found = check(made, measured(made, Plan()).found, 10, 0)
    assert (found.gap.low, found.gap.value, found.gap.high) == (0.0, 0.0, 0.0)
    assert found.stability is None


def test_units_with_an_activation_have_a_control():
    network = graded()
    inputs, labels = answered(network, noise(40))
    made = study(network, inputs, labels)
    found = measured(made, Plan()).found
    backwards = replace(found, sizes=-found.magnitude)
    curves = {curve.order: curve for curve in check(made, backwards, 10, 0).curves}
    assert curves["by activation"].area.value > curves["random order"].area.value > curves["this ranking"].area.value


def test_too_few_pictures_or_orders():
    network = graded()
    made = study(network, *answered(network, noise(3)))
    found = measured(made, Plan()).found
    assert check(made, found, 10, 0) is None
    with pytest.raises(seewhy.ConfigError, match="at least 10"):
        check(made, found, 3, 0)
