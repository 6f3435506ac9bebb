from itertools import islice

import pytest
import torch
from captum.attr import ShapleyValues, ShapleyValueSampling
from segment_oracle import FIVE, TWELVE, explained, game, mean_over, per_segment, shapley

import seewhy
from seewhy.ops.coalitions import orders


def test_exact_values_are_the_mean_over_all_orders(cnn, images):
    found = explained(cnn, images, "shapley-sampling", segments=FIVE, fill="white")
    worths = [game(cnn, image, FIVE, torch.ones_like(image)) for image in images]
    expected = torch.stack([shapley(worth, 5) for worth in worths])
    torch.testing.assert_close(per_segment(found.heatmap, FIVE), expected, rtol=0, atol=1e-12)
    assert found.error.abs().max() == 0
    assert found.cost == found.method.cost() == seewhy.Cost(32)


def test_exact_values_equal_captum(cnn, images):
    """Captum fills a float32 array."""
    four = FIVE.clamp_max(3)
    theirs = ShapleyValues(cnn).attribute(images, torch.zeros_like(images), target=1, feature_mask=four[None, None])
    found = explained(cnn, images, "shapley-sampling", segments=four)
    sizes = torch.bincount(four.flatten())[four]
    torch.testing.assert_close(found.heatmap * sizes, theirs[:, 0].double(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("antithetic", [True, False])
def test_it_is_the_mean_over_the_orders_that_are_drawn(cnn, images, antithetic):
    settings = {"samples": 6, "antithetic": antithetic, "exact": False, "fill": "white"}
    found = explained(cnn, images[:1], "shapley-sampling", segments=FIVE, seed=4, **settings)
    drawn = [tuple(one.tolist()) for one in orders(5, 6, antithetic, torch.Generator().manual_seed(4))]
    worth = game(cnn, images[0], FIVE, torch.ones_like(images[0]))
    torch.testing.assert_close(per_segment(found.heatmap, FIVE)[0], mean_over(drawn, worth, 5), rtol=0, atol=1e-12)
    group = 2 if antithetic else 1
    groups = [mean_over(islice(drawn, n, n + group), worth, 5) for n in range(0, 6, group)]
    expected = torch.stack(groups).std(dim=0) / len(groups) ** 0.5
    torch.testing.assert_close(per_segment(found.error, FIVE)[0], expected, rtol=0, atol=1e-12)
    assert found.cost == found.method.cost() == seewhy.Cost(2 + 6 * 4)


@pytest.mark.parametrize("antithetic", [True, False])
def test_errors_are_honest(cnn, images, antithetic):
    """Over 30 seeds, distances from the exact values are as large as the errors say."""
    exact = explained(cnn, images, "shapley-sampling", segments=FIVE, exact=True).heatmap
    settings = {"samples": 60, "antithetic": antithetic, "segments": FIVE, "exact": False}
    found = [explained(cnn, images, "shapley-sampling", seed=seed, **settings) for seed in range(30)]
    z = torch.stack([per_segment((one.heatmap - exact) / one.error, FIVE) for one in found])
    z = z / torch.bincount(FIVE.flatten())  # each pixel of a segment says the same
    assert 0.88 < float(z.square().mean().sqrt()) < 1.12
    assert float(z.mean().abs()) < 0.1


def test_antithetic_orders_come_nearer_for_the_same_passes(cnn, images):
    exact = explained(cnn, images, "shapley-sampling", segments=FIVE, exact=True).heatmap

    def missed(antithetic: bool) -> float:
        settings = {"samples": 20, "antithetic": antithetic, "segments": FIVE, "exact": False}
        maps = [explained(cnn, images, "shapley-sampling", seed=seed, **settings).heatmap for seed in range(12)]
        return float((torch.stack(maps) - exact).square().mean())

    assert missed(True) < 0.7 * missed(False)


def test_agrees_with_the_sampling_of_captum_within_the_errors(cnn, images):
    torch.manual_seed(0)
    theirs = ShapleyValueSampling(cnn).attribute(
        images[:1], torch.zeros_like(images[:1]), target=1, feature_mask=TWELVE[None, None], n_samples=200
    )
    found = explained(cnn, images[:1], "shapley-sampling", segments=TWELVE, samples=200, antithetic=False)
    sizes = torch.bincount(TWELVE.flatten())[TWELVE]
    z = (found.heatmap * sizes - theirs[:, 0]) / (found.error * sizes * 2**0.5)
    assert float(z.abs().max()) < 4


@pytest.mark.parametrize(
    ("segments", "exact", "passes"), [(FIVE, None, 32), (TWELVE, None, 2 + 20 * 11), (FIVE, False, 2 + 20 * 4)]
)
def test_few_segments_are_asked_completely(cnn, images, segments, exact, passes):
    found = explained(cnn, images, "shapley-sampling", segments=segments, exact=exact)
    assert found.cost.forwards == passes


def test_the_budget_keeps_whole_pairs_only(cnn, images):
    """A pair of orders of twelve takes 22 passes besides nothing shown: 60 forwards pay for two."""
    paid = explained(cnn, images, "shapley-sampling", segments=TWELVE, budget=60)
    asked = explained(cnn, images, "shapley-sampling", segments=TWELVE, samples=4)
    torch.testing.assert_close(paid.heatmap, asked.heatmap, rtol=0, atol=1e-14)
    assert paid.notes[0][0] == "stopped by the budget after 4 of 20 orders"


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"samples": 0}, "at least 1 order"),
        ({"samples": 3}, "even number"),
        ({"exact": True, "segments": "grid", "count": 49}, "at most 20 segments"),
        ({"exact": True, "segments": TWELVE, "budget": 50}, "ended before all coalitions"),
        ({"segments": TWELVE, "budget": 12}, "take 23 forwards"),
    ],
)
def test_wrong_settings_are_refused(cnn, images, settings, text):
    with pytest.raises(seewhy.ConfigError, match=text):
        explained(cnn, images, "shapley-sampling", **settings)


def test_one_order_has_no_error_to_tell(cnn, images):
    found = explained(cnn, images, "shapley-sampling", segments=TWELVE, samples=1, antithetic=False)
    assert torch.isinf(found.error).all()
    assert found.residual.abs().max() < 1e-12
