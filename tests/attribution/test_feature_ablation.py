import torch
from captum.attr import FeatureAblation
from segment_oracle import TWELVE, explained, per_segment

import seewhy


def test_equals_captum(cnn, images):
    """Captum repeats a segment's value at each pixel and channel; here it is spread over the pixels."""
    fill = torch.full_like(images, 0.3)
    theirs = FeatureAblation(cnn).attribute(images, baselines=fill, target=1, feature_mask=TWELVE[None, None])
    found = explained(cnn, images, "feature-ablation", segments=TWELVE, fill=fill[0])
    sizes = torch.bincount(TWELVE.flatten())[TWELVE]
    torch.testing.assert_close(
        found.heatmap * sizes, theirs[:, 0].double(), rtol=0, atol=1e-6
    )  # it fills a float32 array


def test_equals_the_network_by_hand(cnn, images):
    found = per_segment(explained(cnn, images, "feature-ablation", segments=TWELVE).heatmap, TWELVE)
    with torch.no_grad():
        without = torch.stack([cnn(images * (n != TWELVE))[:, 1] for n in range(12)], dim=1)
        torch.testing.assert_close(found, cnn(images)[:, 1:2] - without, rtol=0, atol=1e-12)


def test_it_costs_one_pass_a_segment(cnn, images):
    found = explained(cnn, images, "feature-ablation", segments=TWELVE)
    assert found.cost == found.method.cost() == seewhy.Cost(13)


def test_what_the_budget_leaves_out_is_zero(cnn, images):
    whole = per_segment(explained(cnn, images, "feature-ablation", segments=TWELVE).heatmap, TWELVE)
    found = explained(cnn, images, "feature-ablation", segments=TWELVE, budget=5)
    values = per_segment(found.heatmap, TWELVE)
    torch.testing.assert_close(values[:, :5], whole[:, :5], rtol=1e-12, atol=1e-12)
    assert not values[:, 5:].any()
    assert found.notes[0] == ("stopped by the budget after 5 of 12 segments",)
