from itertools import product

import pytest
import torch
from segment_oracle import TWELVE, explained, game, mean_over, per_segment

import seewhy
from seewhy.ops.coalitions import halves
from seewhy.ops.segments import centroids, grid_segments

QUARTERS = (torch.arange(8)[:, None] // 4) * 2 + torch.arange(8)[None] // 4


def consistent(tree) -> list[tuple[int, ...]]:
    """Return all orders in which each half joins as one: two for each node of the hierarchy."""
    if isinstance(tree, int):
        return [(tree,)]
    left, right = map(consistent, tree)
    return [a + b for a, b in product(left, right)] + [b + a for a, b in product(left, right)]


def tree_of(places: torch.Tensor, members: list[int]):
    """Return the hierarchy that the method makes, as nested pairs."""
    if len(members) == 1:
        return members[0]
    first = halves(places[members]).tolist()
    return tuple(
        tree_of(places, [one for one, here in zip(members, first, strict=True) if here == side])
        for side in (True, False)
    )


def test_owen_values_of_two_levels_by_hand(cnn, images):
    """((0, 1), (2, 3)): the eight orders in which each half joins as one, written out."""
    orders = [
        (0, 1, 2, 3),
        (1, 0, 2, 3),
        (0, 1, 3, 2),
        (1, 0, 3, 2),
        (2, 3, 0, 1),
        (2, 3, 1, 0),
        (3, 2, 0, 1),
        (3, 2, 1, 0),
    ]
    assert sorted(consistent(((0, 1), (2, 3)))) == sorted(orders)
    found = explained(cnn, images, "partition-shap", segments=QUARTERS, fill="white")
    worths = [game(cnn, image, QUARTERS, torch.ones_like(image)) for image in images]
    expected = torch.stack([mean_over(orders, worth, 4) for worth in worths])
    torch.testing.assert_close(per_segment(found.heatmap, QUARTERS), expected, rtol=0, atol=1e-12)
    assert found.cost == found.method.cost() == seewhy.Cost(2 + 2 * (1 + 4))
    assert found.figures["pixels of an undivided region"] == pytest.approx([16, 16, 16])


@pytest.mark.parametrize("count", [6, 9])
def test_owen_values_of_uneven_hierarchies_are_the_mean_over_all_orders_of_the_hierarchy(cnn, images, count):
    segments = grid_segments((8, 8), count)
    players = int(segments.max()) + 1
    orders = consistent(tree_of(centroids(segments), list(range(players))))
    assert len(orders) == 2 ** (players - 1)
    worth = game(cnn, images[0], segments, torch.zeros_like(images[0]))
    found = explained(cnn, images[:1], "partition-shap", segments="grid", count=count)
    torch.testing.assert_close(
        per_segment(found.heatmap, segments)[0], mean_over(orders, worth, players), rtol=0, atol=1e-12
    )


def test_one_cut_shares_between_two_halves(cnn, images):
    """Two samples: the upper and the lower half, as two players; within them it is spread over the pixels."""
    found = explained(cnn, images, "partition-shap", samples=2, fill="white")
    upper = torch.arange(8)[:, None].expand(8, 8) < 4
    with torch.no_grad():
        score, nothing = cnn(images)[:, 1], cnn(torch.ones_like(images))[:, 1]
        above, below = (cnn(torch.where(half, images, 1.0))[:, 1] for half in (upper, ~upper))
    expected = torch.where(
        upper, (above - nothing + score - below)[:, None, None], (below - nothing + score - above)[:, None, None]
    )
    torch.testing.assert_close(found.heatmap, expected / 2 / 32)
    assert found.figures["pixels of an undivided region"] == pytest.approx([32, 32, 32])


def test_it_looks_closer_where_most_is_at_stake(linear, images):
    """All weight is in one corner: boxes are cut there down to the last, and elsewhere never."""
    corner = torch.zeros(8, 8, dtype=torch.bool)
    corner[:2, 6:] = True
    linear.weight.data = linear.weight.data * corner
    found = explained(linear, images, "partition-shap", count=64, samples=600)
    expected = (linear.weight[1] * images).sum(dim=1).detach()
    torch.testing.assert_close(found.heatmap, expected, rtol=0, atol=1e-12)
    blind = explained(linear, images, "partition-shap", count=64, samples=2)
    assert not torch.allclose(blind.heatmap, expected, atol=1e-3)


def test_more_samples_make_it_finer(cnn, images):
    sizes = [
        explained(cnn, images, "partition-shap", count=64, samples=samples).figures["pixels of an undivided region"]
        for samples in (2, 20, 200, 2000)
    ]
    assert all(
        fine < coarse
        for one, other in zip(sizes[1:], sizes, strict=False)
        for fine, coarse in zip(one, other, strict=True)
    )
    assert max(sizes[-1]) < 4


def test_a_hierarchy_that_ends_costs_no_more(cnn, images):
    found = explained(cnn, images, "partition-shap", segments=TWELVE, samples=5000)
    assert found.cost == found.method.cost()
    assert found.cost.forwards < 400


@pytest.mark.parametrize("wrong", [{"samples": 1}, {"budget": 2}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(seewhy.ConfigError, match="partition-shap wants"):
        seewhy.method("partition-shap", **wrong)
