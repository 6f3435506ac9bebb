"""What follows a layer alone runs whatever order of axes the network takes."""

import pytest
import torch
from torch import Tensor, nn

import seewhy
from clips import FRAMES, SIDE, Planted3D, planted_clip
from networks import SmallCNN, seeded


class Turned(nn.Module):
    """A network that takes its input in another order of axes."""

    def __init__(self, network: nn.Module, order: tuple[int, ...]) -> None:
        super().__init__()
        self.network, self.order = network, order

    def forward(self, given: Tensor) -> Tensor:
        return self.network(given.permute(self.order))


@pytest.mark.parametrize("layout", ["bcthw", "btchw", "bthwc"])
def test_clips(layout: str) -> None:
    order = {"bcthw": (0, 1, 2, 3, 4), "btchw": (0, 2, 1, 3, 4), "bthwc": (0, 4, 1, 2, 3)}[layout]
    model = seewhy.Model(Turned(Planted3D().eval(), order), frames=FRAMES, size=SIDE, layout=layout)
    found = seewhy.Session(model).explain(planted_clip(), 0, "ablation-cam")
    plain = seewhy.Session(seewhy.Model(Planted3D().eval(), frames=FRAMES, layout="bcthw"))
    torch.testing.assert_close(found.heatmap, plain.explain(planted_clip(), 0, "ablation-cam").heatmap)
    assert found.cost.partial > 0
    assert not any("cannot be cut" in note for note in found.notes[0])


def test_pictures_with_their_channels_last(images: Tensor) -> None:
    model = seewhy.Model(Turned(seeded(SmallCNN()), (0, 3, 1, 2)), layout="bhwc")
    found = seewhy.Session(model).explain(images, 0, "ablation-cam")
    plain = seewhy.Session(seewhy.Model(seeded(SmallCNN()))).explain(images, 0, "ablation-cam")
    torch.testing.assert_close(found.heatmap, plain.heatmap)
    assert found.cost == plain.cost
    assert not any("cannot be cut" in note for note in found.notes[0])
