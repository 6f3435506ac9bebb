"""Where the answer is a map, methods look at the coarsest grid, and not at the last layer, which repeats the answer."""

import torch
from torch import nn

import seewhy


class UNet(nn.Module):
    """Down, bottleneck, up with a skip, head; or pooled to classes."""

    def __init__(self, *, dense: bool) -> None:
        super().__init__()
        self.first, self.down = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, 2, 1)
        self.middle, self.up = nn.Conv2d(4, 4, 3, padding=1), nn.ConvTranspose2d(4, 4, 2, 2)
        self.head, self.dense = nn.Conv2d(8, 3, 1), dense

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = self.first(x).relu()
        made = self.up(self.middle(self.down(kept).relu()).relu()).relu()
        answer = self.head(torch.cat([kept, made], dim=1))
        return answer if self.dense else answer.mean(dim=(2, 3))


def looked_at(network: nn.Module) -> str:
    with seewhy.Session(seewhy.Model(network.eval())) as session:
        return session.network.target_layer(torch.rand(1, 3, 16, 16))


def test_a_segmenter_is_looked_at_in_its_bottleneck_and_a_classifier_at_its_last_grid():
    assert looked_at(UNet(dense=True)) == "middle"
    assert looked_at(UNet(dense=False)) == "head"


def test_the_layer_that_is_the_answer_is_left_out_where_no_grid_is_coarser():
    flat = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))
    assert looked_at(flat) == "1"
