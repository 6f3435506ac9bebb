"""What "auto" means for networks of clips."""

import pytest
import torch
from torch import nn

import seewhy
from clip_transformers import KINDS, clips, made, model_of
from clips import FRAMES, NETWORKS, SIDE, layout_of
from seewhy.choice import choose


class Last(nn.Module):
    """A 3-D network whose last maps have as many cells as are said."""

    def __init__(self, cells):
        super().__init__()
        self.look, self.pool, self.head = nn.Conv3d(3, 4, 1), nn.AdaptiveAvgPool3d(cells), nn.Linear(4, 3)
        self.norm = nn.BatchNorm3d(4)

    def forward(self, given):
        return self.head(self.norm(self.pool(self.look(given))).mean(dim=(2, 3, 4)))


@pytest.mark.parametrize(
    ("cells", "chosen", "why"),
    [
        ((2, 7, 7), "grad-cam", "keeps a grid"),
        ((1, 7, 7), "integrated-gradients", "shows no time"),
        ((4, 3, 7), "integrated-gradients", "too coarse to show a place"),
    ],
)
def test_few_frames_show_time_and_few_cells_no_place(cells, chosen, why):
    session = seewhy.Session(seewhy.Model(Last(cells).eval(), frames=8))
    found = choose(session, torch.zeros(1, 3, 8, 28, 28))
    assert (found.method.key, why in found.why) == (chosen, True)


def test_a_volume_has_three_axes_of_place():
    session = seewhy.Session(seewhy.Model(Last((2, 7, 7)).eval()))
    assert "too coarse" in choose(session, torch.zeros(1, 3, 8, 28, 28)).why


@pytest.mark.parametrize("kind", [*KINDS, *NETWORKS])
def test_the_chosen_method_works(kind):
    if kind in KINDS:
        model, given = model_of(made(kind)), clips(1)
    else:
        network = NETWORKS[kind]().eval()
        model = seewhy.Model(network, frames=FRAMES, layout=layout_of(network), mean=0.0, std=1.0)
        given = clips(1, frames=FRAMES, side=SIDE)
    session = seewhy.Session(model)
    choice = choose(session, given)
    expected = {"vivit": "gradient-rollout", "timesformer": "gradient-rollout"}.get(kind, "grad-cam")
    assert choice.method.key == expected
    assert session.explain(given, 0, choice.method).heatmap.dim() == 4
