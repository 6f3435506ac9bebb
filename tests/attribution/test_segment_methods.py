"""What all methods that hide segments keep to; a new one is found through the registry."""

import numpy as np
import pytest
import torch
from segment_oracle import FIVE, TWELVE, explained, per_segment

import seewhy
from seewhy.core.perturbing import SegmentMethod

KEYS = sorted(key for key, kind in seewhy.methods().items() if issubclass(kind, SegmentMethod))
SHAPLEY = [key for key in KEYS if seewhy.methods()[key].complete]
DRAWN = {"lime": {"samples": 60, "ridge": 0.0}, "kernel-shap": {"samples": 60}, "shapley-sampling": {"exact": False}}
"""Settings under which each is exact where the score is linear."""

WRONG = [
    (torch.zeros(4, 4, dtype=torch.long), seewhy.ShapeError, "size of the network's input"),
    (torch.zeros(0, dtype=torch.long), seewhy.ShapeError, "whole numbers"),
    pytest.param((torch.zeros(8, 8), seewhy.ShapeError, "whole numbers"), marks=pytest.mark.door),
    (torch.zeros(8, 8, dtype=torch.long), seewhy.MethodError, "single segment"),
    ("felzenszwalb", seewhy.ConfigError, "'slic', 'grid'"),
]
"""Segment maps that cannot be used, the error and what it says."""


def test_the_family_is_whole():
    assert set(KEYS) >= {"feature-ablation", "lime", "kernel-shap", "shapley-sampling", "partition-shap"}
    assert set(SHAPLEY) >= {"kernel-shap", "shapley-sampling", "partition-shap"}


@pytest.mark.parametrize("key", KEYS)
class TestEverySegmentMethod:
    def test_on_a_linear_network_a_segment_is_worth_weight_times_change(self, key, linear, images):
        found = explained(linear, images, key, segments=TWELVE, fill="white", **DRAWN.get(key, {}))
        way = (linear.weight[1] * (images - 1)).sum(dim=1).detach()
        torch.testing.assert_close(per_segment(found.heatmap, TWELVE), per_segment(way, TWELVE), rtol=0, atol=1e-10)

    def test_the_value_is_spread_evenly(self, key, cnn, images):
        found = explained(cnn, images, key, segments=FIVE).heatmap
        for number in range(5):
            inside = found[:, number == FIVE]
            assert torch.equal(inside, inside[:, :1].expand_as(inside))

    def test_a_segment_that_the_score_does_not_see_is_worth_nothing(self, key, linear, images):
        linear.weight.data[:, :, FIVE == 3] = 0
        found = explained(linear, images, key, segments=FIVE, **DRAWN.get(key, {}))
        assert per_segment(found.heatmap, FIVE)[:, 3].abs().max() < 1e-11

    @pytest.mark.parametrize("numbers", [np.int64, np.uint8, np.int32])
    def test_numbers_of_a_map_are_only_names(self, key, cnn, images, numbers):
        named = (FIVE.numpy() * 7 + 3).astype(numbers)
        one, other = (explained(cnn, images, key, segments=given).heatmap for given in (named, FIVE))
        assert torch.equal(one, other)

    @pytest.mark.parametrize("wrong", WRONG)
    def test_a_wrong_map_is_refused(self, key, cnn, images, wrong):
        segments, error, text = wrong
        with pytest.raises(error, match=text):
            explained(cnn, images, key, segments=segments)

    @pytest.mark.parametrize("count", [1, 0, -3])
    def test_too_few_segments_are_refused(self, key, count):
        with pytest.raises(seewhy.ConfigError, match="at least 2 segments"):
            seewhy.method(key, count=count)

    def test_two_segments_will_do(self, key, cnn, images):
        halves = torch.arange(8)[:, None].expand(8, 8) // 4
        found = explained(cnn, images, key, segments=halves).heatmap
        with torch.no_grad():
            score = cnn(images)[:, 1]
            top, bottom = (cnn(images * (halves == side))[:, 1] for side in (0, 1))
        if key in SHAPLEY:
            nothing = cnn(torch.zeros_like(images))[:, 1].detach()
            expected = (top - nothing + score - bottom) / 2
            torch.testing.assert_close(per_segment(found, halves)[:, 0], expected)
        elif key == "feature-ablation":
            torch.testing.assert_close(per_segment(found, halves), torch.stack([score - bottom, score - top], dim=1))

    @pytest.mark.parametrize("segments", ["slic", "grid"])
    def test_segments_are_made_of_each_image_alone(self, key, cnn, images, segments):
        settings = {"segments": segments, "count": 9, "samples": 40} if key != "feature-ablation" else {"count": 9}
        together = explained(cnn, images, key, **settings)
        apart = [explained(cnn, image[None], key, **settings) for image in images]
        torch.testing.assert_close(together.heatmap, torch.cat([one.heatmap for one in apart]), rtol=1e-9, atol=1e-12)
        assert together.cost.forwards == max(one.cost.forwards for one in apart)
        for name, values in together.figures.items():
            assert values == pytest.approx([one.figures[name][0] for one in apart])

    @pytest.mark.parametrize(("segments", "count"), [("grid", 9), (TWELVE, 50)])
    def test_the_cost_is_known_beforehand(self, key, cnn, images, segments, count):
        session = seewhy.Session(seewhy.Model(cnn, mean=0.0, std=1.0))
        method = seewhy.method(key, segments=segments, count=count, fill="zero")
        assert session.cost_of(method, images) == session.explain(images, 1, method).cost

    def test_a_budget_ends_it_and_a_note_says_so(self, key, cnn, images):
        settings = {"exact": False, "samples": 10} if key == "shapley-sampling" else {}
        budget = 30 if key == "shapley-sampling" else 9
        found = explained(cnn, images, key, segments=TWELVE, budget=budget, **settings)
        assert 3 <= found.cost.forwards <= 1 + budget
        assert any(note.startswith("stopped by the budget after ") for note in found.notes[0])
        if key in SHAPLEY:
            assert found.residual.abs().max() < 1e-12

    def test_a_budget_that_is_not_reached_changes_nothing(self, key, cnn, images):
        settings = {"exact": True} if key == "shapley-sampling" else {}
        one, other = (explained(cnn, images, key, segments=FIVE, budget=budget, **settings) for budget in (5000, None))
        assert torch.equal(one.heatmap, other.heatmap)
        assert one.notes == other.notes

    def test_no_time_gives_a_map_all_the_same(self, key, cnn, images):
        settings = {"exact": False} if key == "shapley-sampling" else {}
        found = explained(cnn, images, key, segments=TWELVE, budget="0.0001s", **settings)
        assert found.heatmap.isfinite().all()
        assert any(note.startswith("stopped by the budget after ") for note in found.notes[0])
        if key in SHAPLEY:
            assert found.residual.abs().max() < 1e-12

    def test_errors_and_figures_go_with_the_explanation(self, key, cnn, images, tmp_path):
        found = explained(cnn, images, key, segments=TWELVE)
        again = seewhy.load(found.save(tmp_path / "map.npz"))
        assert again.figures == found.figures
        assert (found.error is None) == (again.error is None)
        assert found.error is None or torch.equal(again.error, found.error)


@pytest.mark.parametrize("key", SHAPLEY)
class TestEveryShapleyMethod:
    def test_it_adds_up(self, key, cnn, images):
        found = explained(cnn, images, key, segments=TWELVE, fill="white", samples=40)
        with torch.no_grad():
            difference = (cnn(images) - cnn(torch.ones_like(images)))[:, 1]
        torch.testing.assert_close(found.heatmap.sum(dim=(1, 2)), difference, rtol=0, atol=1e-11)
        assert found.residual.abs().max() < 1e-11

    def test_segments_that_play_the_same_part_get_the_same(self, key, cnn):
        """Mirrored halves of a mirrored picture, and a network that does not tell them apart."""
        image = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(5), dtype=torch.float64)

        class Mirrored(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = cnn

            def forward(self, x):
                return self.inner(x) + self.inner(x.flip(-1))

        image = image + image.flip(-1)
        quarters = (torch.arange(8)[:, None] // 4) * 2 + torch.arange(8)[None] // 4
        values = per_segment(explained(Mirrored(), image, key, segments=quarters).heatmap, quarters)[0]
        torch.testing.assert_close(values[[0, 2]], values[[1, 3]])
        assert (values[0] - values[2]).abs() > 1e-3
