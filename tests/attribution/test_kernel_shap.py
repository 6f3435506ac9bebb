import pytest
import torch
from captum.attr import KernelShap
from segment_oracle import FIVE, TWELVE, explained, game, per_segment, shapley

import seewhy


@pytest.mark.parametrize("samples", [30, 31, 500])
def test_with_all_coalitions_it_is_the_mean_over_all_orders(cnn, images, samples):
    found = explained(cnn, images, "kernel-shap", segments=FIVE, fill="white", samples=samples)
    worths = [game(cnn, image, FIVE, torch.ones_like(image)) for image in images]
    expected = torch.stack([shapley(worth, 5) for worth in worths])
    torch.testing.assert_close(per_segment(found.heatmap, FIVE), expected, rtol=0, atol=1e-9)
    assert found.error.abs().max() == 0
    assert found.cost == found.method.cost() == seewhy.Cost(32)


def test_twelve_segments_exactly_as_shapley_sampling_has_them(cnn, images):
    one = explained(cnn, images[:1], "kernel-shap", segments=TWELVE, samples=4096)
    other = explained(cnn, images[:1], "shapley-sampling", segments=TWELVE, exact=True)
    torch.testing.assert_close(one.heatmap, other.heatmap, rtol=0, atol=1e-9)


def test_errors_are_honest(cnn, images):
    """Over 30 seeds, distances from the exact values are as large as the errors say."""
    exact = explained(cnn, images, "shapley-sampling", segments=TWELVE, exact=True).heatmap
    found = [explained(cnn, images, "kernel-shap", segments=TWELVE, samples=160, seed=seed) for seed in range(30)]
    z = torch.stack([per_segment((one.heatmap - exact) / one.error, TWELVE) for one in found])
    z = z / torch.bincount(TWELVE.flatten())  # each pixel of a segment says the same
    assert 0.88 < float(z.square().mean().sqrt()) < 1.12
    assert float(z.mean().abs()) < 0.1


def test_the_error_falls_with_the_root_of_the_samples(cnn, images):
    few, many = (
        float(explained(cnn, images, "kernel-shap", segments="grid", count=49, samples=samples).error.square().mean())
        for samples in (400, 3600)
    )
    assert 7 < few / many < 13


def test_approaches_captum_as_both_take_many_samples(cnn, images):
    """Captum draws every coalition and keeps the sum by a weight of a million; its values still scatter."""
    torch.manual_seed(0)
    theirs = KernelShap(cnn).attribute(
        images[:1], baselines=torch.zeros_like(images[:1]), target=1, feature_mask=FIVE[None, None], n_samples=2000
    )
    found = per_segment(explained(cnn, images[:1], "kernel-shap", segments=FIVE).heatmap, FIVE)[0]
    per_band = torch.stack([theirs[0, 0, number == FIVE][0] for number in range(5)]).double()
    torch.testing.assert_close(per_band, found, rtol=0, atol=0.03 * float(found.abs().max()))


def test_a_linear_network_is_an_additive_game(linear, images):
    found = explained(linear, images, "kernel-shap", segments=TWELVE, samples=60)
    assert found.figures["R² of the surrogate"] == pytest.approx([1, 1, 1])
    assert found.error.max() < 1e-12


def test_fewer_samples_than_segments_are_said_and_still_add_up(cnn, images):
    found = explained(cnn, images, "kernel-shap", segments="grid", count=49, samples=8)
    assert any("no standard error can be given" in note for note in found.notes[0])
    assert torch.isinf(found.error).all()
    assert found.residual.abs().max() < 1e-12


def test_a_budget_plans_for_what_it_pays(cnn, images):
    """Nine forwards: nothing shown, and four pairs; the same as asking for eight samples."""
    paid = explained(cnn, images, "kernel-shap", segments=TWELVE, budget=9)
    asked = explained(cnn, images, "kernel-shap", segments=TWELVE, samples=8)
    assert torch.equal(paid.heatmap, asked.heatmap)
    assert paid.notes[0][0] == "stopped by the budget after 8 of 500 coalitions"


def test_masks_are_made_as_they_are_wanted(cnn, images, monkeypatch):
    """The images that are made and not yet scored are as many as go through the network at once, however many samples there are."""
    alive, most = [0], [0]
    masked = seewhy.core.probe.Probe.masked

    def watching(self, masks, fill):
        def counted():
            for mask in masks:
                alive[0] += 1
                most[0] = max(most[0], alive[0])
                yield mask

        for score in masked(self, counted(), fill):
            alive[0] -= 1
            yield score

    monkeypatch.setattr(seewhy.core.probe.Probe, "masked", watching)
    explained(cnn, images[:1], "kernel-shap", segments="grid", count=49, samples=600, rows=4)
    assert 1 <= most[0] <= 5


@pytest.mark.parametrize("wrong", [{"samples": 1}, {"samples": 0}, {"budget": 2}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(seewhy.ConfigError, match="kernel-shap wants"):
        seewhy.method("kernel-shap", **wrong)
