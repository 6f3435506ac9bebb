import pytest
import torch
from gradient_oracle import explained

import seewhy
from networks import Linear

SIZE = 24


def hill() -> tuple[Linear, torch.Tensor]:
    """A linear network whose weights are a hill in one corner above a plain that speaks against the class, and one white picture."""
    network = Linear((1, SIZE, SIZE), classes=2)
    row, column = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    network.weight.data = torch.zeros(2, 1, SIZE, SIZE)
    network.weight.data[1, 0] = torch.exp(-((row - 8.0) ** 2 + (column - 15.0) ** 2) / 50) - 0.05
    network.bias.data = torch.zeros(2)
    return network.double().eval(), torch.ones(1, 1, SIZE, SIZE, dtype=torch.float64)


class TestOnALinearNetwork:
    AREAS = (0.1, 0.25)

    @pytest.fixture(scope="class")
    def found(self):
        network, image = hill()
        maps = {
            area: explained(network, image, "extremal-perturbation", areas=(area,), steps=200, fill="zero", width=0.08)
            for area in self.AREAS
        }
        return network.weight.data[1, 0], maps

    @pytest.mark.parametrize("area", AREAS)
    def test_hardly_a_square_of_the_same_area_keeps_more(self, found, area):
        """A tenth is what the soft edge of a smooth mask gives away against a sharp square on the best place."""
        weight, maps = found
        side = round((area * SIZE**2) ** 0.5)
        squares = weight.unfold(0, side, 1).unfold(1, side, 1).sum(dim=(2, 3))
        kept = (maps[area].heatmap[0] * weight).sum()
        assert kept >= 0.9 * squares.max()
        assert kept > 1.3 * squares.mean()

    @pytest.mark.parametrize("area", AREAS)
    def test_the_mask_lies_on_the_largest_weights(self, found, area):
        """The best region of all, smooth or not, is the top share of the weights."""
        weight, maps = found
        best = weight >= weight.flatten().topk(round(area * SIZE**2)).values[-1]
        mask = maps[area].heatmap[0] > 0.5
        assert (mask & best).sum() / (mask | best).sum() > 0.75

    @pytest.mark.parametrize("area", AREAS)
    def test_the_area_is_met(self, found, area):
        [size] = found[1][area].figures[f"size of the mask of {area:.0%}"]
        assert size == pytest.approx(area, abs=0.04)
        assert size == pytest.approx(float(found[1][area].heatmap.mean()))

    @pytest.mark.parametrize("area", AREAS)
    def test_what_it_keeps_is_what_the_network_says(self, found, area):
        weight, maps = found
        [kept] = maps[area].figures[f"share of the score kept by {area:.0%}"]
        assert kept == pytest.approx(float((maps[area].heatmap[0] * weight).sum() / weight.sum()))


def test_several_areas_are_the_mean_of_each_alone(cnn, images):
    together = explained(cnn, images, "extremal-perturbation", areas=(0.1, 0.3), steps=12)
    apart = [explained(cnn, images, "extremal-perturbation", areas=(area,), steps=12).heatmap for area in (0.1, 0.3)]
    torch.testing.assert_close(together.heatmap, (apart[0] + apart[1]) / 2, rtol=1e-9, atol=1e-12)
    assert together.cost == seewhy.Cost(2 + 2 * 13, 24)


def test_the_least_area_is_the_first_that_keeps_enough():
    """By hand: shares 0.5 and 0.95 kept by 10 and 20 %; another image keeps enough nowhere."""
    method = seewhy.method("extremal-perturbation", areas=(0.1, 0.2), keeps=0.9)
    figures = method._figures(torch.tensor([[0.5, 0.1], [0.95, 0.2]]), torch.zeros(2, 2, 4, 4))
    torch.testing.assert_close(figures["least area that keeps 90% of the score"], torch.tensor([0.2, 1.0]))


def test_a_budget_is_shared_by_the_areas(cnn, images):
    found = explained(cnn, images, "extremal-perturbation", areas=(0.1, 0.3), steps=50, budget=9)
    assert found.cost == found.method.cost() == seewhy.Cost(2 + 2 * 5, 8)


def test_no_edge_is_sharper_than_a_hill(cnn, images):
    """Hills of 0.25 * 8 = 2 cells on a grid of 8: the maximum of such hills falls by no more than exp(-1/2) / 2 a pixel, and a little
    for the smooth maximum."""
    [heatmap] = explained(cnn, images[:1], "extremal-perturbation", areas=(0.2,), steps=60, width=0.25).heatmap
    assert max(float(heatmap.diff(dim=axis).abs().max()) for axis in (0, 1)) < 0.31 * 1.3


@pytest.mark.parametrize(
    "settings",
    [{"areas": ()}, {"areas": (0.0,)}, {"areas": (0.5, 1.0)}, {"steps": 0}, {"cells": 0}, {"width": 0.0}, {"strictness": 0.0}, {"rate": 0.0}, {"keeps": 0.0}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(seewhy.ConfigError, match="extremal-perturbation wants"):
        seewhy.method("extremal-perturbation", **settings)


def test_the_search_written_out_in_plain_torch(cnn, images):
    """Masks, both losses, the growing constraint and Adam, with autograd through the network itself."""
    places = torch.arange(8, dtype=torch.float64)
    reach = torch.exp(-((places[:, None] - places) ** 2) / (2 * 1.6**2))
    wanted = torch.zeros(64, dtype=torch.float64)
    wanted[64 - 19 :] = 1  # 0.3 of 64 places

    def smooth(values):
        weights = torch.exp(values / 0.05)
        return (values * weights).sum(dim=-1) / weights.sum(dim=-1)

    def spread(cells):
        rows = smooth(reach[None, :, None, :] * cells.transpose(1, 2)[:, None])  # (b, u, j)
        return smooth(reach * rows[:, :, None])

    def kept(masks):
        whole, nothing = cnn(images)[:, 1].detach(), cnn(0 * images)[:, 1].detach()
        return (cnn(images * masks[:, None])[:, 1] - nothing) / (whole - nothing).abs()

    drawn = torch.rand(8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    cells = (0.495 + 0.01 * drawn).repeat(3, 1, 1).requires_grad_()
    adam = torch.optim.Adam([cells], lr=0.05)
    for step in range(25):
        masks = spread(cells)
        off = (masks.flatten(1).sort(dim=1).values - wanted).square().mean(dim=1)
        adam.zero_grad()
        (300 * 1000 ** ((step + 1) / 25 - 1) * off - kept(masks)).sum().backward()
        adam.step()
        cells.data.clamp_(0, 1)
    settings = {"areas": (0.3,), "steps": 25, "fill": "zero", "width": 0.2}
    found = explained(cnn, images, "extremal-perturbation", **settings)
    torch.testing.assert_close(found.heatmap, spread(cells).detach(), rtol=1e-9, atol=1e-11)
    shares = torch.tensor(found.figures["share of the score kept by 30%"], dtype=torch.float64)
    torch.testing.assert_close(shares, kept(spread(cells)).detach(), rtol=1e-9, atol=1e-11)
