from itertools import pairwise

import pytest
import torch
from gradient_oracle import explained, gradient

import seewhy


def test_on_a_linear_network_it_equals_integrated_gradients(linear, images):
    for deviation in (0.02, 0.3, 1.0):
        found = explained(linear, images, "guided-ig", steps=7, deviation=deviation, baseline="white")
        line = explained(linear, images, "integrated-gradients", steps=2, baseline="white")
        torch.testing.assert_close(found.heatmap, line.heatmap)
        torch.testing.assert_close(found.residual, torch.zeros_like(found.residual), rtol=0, atol=1e-11)


@pytest.mark.parametrize("settings", [{"fraction": 1.0}, {"deviation": 0.0}])
def test_where_all_move_alike_the_path_is_the_straight_line(cnn, images, settings):
    places = [(step / 5) ** 2 for step in range(6)]
    parts = [(b - a) * (gradient(cnn, a * images) + gradient(cnn, b * images)) / 2 for a, b in pairwise(places)]
    expected = (images * sum(parts)).sum(dim=1)
    found = explained(cnn, images, "guided-ig", steps=5, **settings)
    torch.testing.assert_close(found.heatmap, expected, rtol=1e-9, atol=1e-12)


class TestThePath:
    gradient = torch.tensor([[3.0, -1.0, 4.0, -2.0]])
    way = torch.ones(1, 4)

    def moved(self, aim, way=way, gone=None, **settings):
        method = seewhy.method("guided-ig", **({"fraction": 0.5, "deviation": 1.0} | settings))
        return method._moved(torch.zeros(1, 4) if gone is None else gone, self.gradient, way, aim)

    def test_the_smallest_gradients_go_first(self):
        """A quarter of the distance is half of what the two smallest can go; beyond a half goes half of the two that are left: one."""
        torch.testing.assert_close(self.moved(0.25), torch.tensor([[0, 0.5, 0, 0.5]]))
        torch.testing.assert_close(self.moved(0.625), torch.tensor([[0.5, 1, 0, 1]]))

    def test_groups_are_shares_of_those_that_still_have_room(self):
        """Three have room, so half of them is two: the values at 1 and 3; the one that is there already is not counted."""
        gone = torch.tensor([[0, 1.0, 0, 0]])
        torch.testing.assert_close(self.moved(0.5, gone=gone), torch.tensor([[0.5, 1, 0, 0.5]]))

    def test_none_strays_further_than_the_deviation(self):
        torch.testing.assert_close(self.moved(0.5, deviation=0.1), torch.tensor([[0.4, 0.6, 0.4, 0.6]]))

    def test_the_distance_is_made_up_whatever_the_ways(self):
        generator = torch.Generator().manual_seed(0)
        way, slope = torch.randn(3, 50, generator=generator), torch.randn(3, 50, generator=generator)
        method = seewhy.method("guided-ig", deviation=0.2)
        gone = torch.zeros_like(way)
        for step in range(1, 11):
            before, gone = gone, method._moved(gone, slope.roll(step, 1), way, step / 10)
            assert ((gone - step / 10).abs() <= method.deviation + 1e-6).all()
            assert (gone >= before - 1e-6).all()
            torch.testing.assert_close((gone * way.abs()).sum(dim=1), step / 10 * way.abs().sum(dim=1))
        torch.testing.assert_close(gone, torch.ones_like(gone))

    def test_a_value_that_has_no_way_does_no_harm(self):
        found = self.moved(0.5, way=torch.tensor([[1.0, 0, 1, 1]]))
        assert torch.isfinite(found).all()
        torch.testing.assert_close((found * torch.tensor([1.0, 0, 1, 1])).sum(), torch.tensor(1.5))


def test_the_residual_falls_with_the_steps(cnn, images):
    worst = [float(explained(cnn, images, "guided-ig", steps=steps).residual.abs().max()) for steps in (3, 100)]
    assert worst[0] > 3 * worst[1]


@pytest.mark.parametrize(
    "settings", [{"steps": 0}, {"fraction": 0.0}, {"fraction": 1.5}, {"deviation": -0.1}, {"crowding": 0}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(seewhy.ConfigError, match="guided-ig wants"):
        seewhy.method("guided-ig", **settings)
