"""The hide test of a clip: tubes are hidden in place and time, against the same shape elsewhere and at other times."""

import pytest
import torch

import seewhy
from clips import FRAMES, MATTERS, NETWORKS, SIDE, layout_of, planted_clip
from seewhy.core.needs import Needs
from seewhy.engine.block import Question
from seewhy.engine.probe import NetworkProbe
from seewhy.evaluation.hide_test import HideTest, control_areas, hide
from seewhy.ops.tubes import tubes
from seewhy.targets import ClassScore


def hide_result(name, area):
    network = NETWORKS[name]().eval()
    session = seewhy.Session(seewhy.Model(network, frames=FRAMES, layout=layout_of(network)))
    clip = planted_clip()
    made = session.explain(clip, 0, "saliency")
    probe = NetworkProbe(Question(session.block(clip, Needs()), ClassScore(0)), Needs())
    return HideTest().run(probe, made, area[None])[0]


def planted():
    """Return the tube of the planted block, from the clip itself."""
    [tube] = tubes(planted_clip()[0].mean(dim=0) - 0.5, held=1.0)
    return tube


def test_the_planted_block_is_one_tube_in_its_frames_and_places():
    tube = planted()
    assert [part.frame for part in tube.slices] == [5, 6, 7]
    assert [(part.top, part.left, part.bottom, part.right) for part in tube.slices] == [
        (4, 2 + 3 * step, 10, 8 + 3 * step) for step in range(3)
    ]
    inside = torch.zeros(FRAMES, SIDE, SIDE, dtype=torch.bool)
    inside[MATTERS] = True
    assert not (tube.cells & ~inside).any()


@pytest.mark.parametrize("name", ["3d", "frames-lstm"])
def test_hiding_the_tube_passes_and_hiding_elsewhere_fails(name):
    area = planted().cells
    right = hide_result(name, area)
    assert right.outcome == "passes"
    wrong = hide_result(name, area.roll((8, 16, 14), (0, 1, 2)))
    assert wrong.outcome == "fails"
    assert right.hidden < wrong.hidden


def test_controls_of_a_clip_keep_their_size_and_lie_elsewhere():
    area = torch.zeros(12, 40, 60, dtype=torch.bool)
    area[3:6, 5:15, 10:25] = True
    controls = control_areas(area, 8)
    assert controls.shape == (8, 12, 40, 60)
    assert controls.flatten(1).sum(dim=1).tolist() == [int(area.sum())] * 8
    assert float((controls & area).flatten(1).sum(dim=1).float().mean()) < 0.02 * int(area.sum())
    assert len({tuple(control.any(dim=(1, 2)).tolist()) for control in controls}) > 1  # they lie at other times, too


def test_a_short_clip_has_controls_too():
    area = torch.zeros(2, 16, 16, dtype=torch.bool)
    area[0, :4, :4] = True
    assert control_areas(area, 8).flatten(1).sum(dim=1).tolist() == [16] * 8


def test_hiding_changes_the_frames_of_the_area_alone():
    clip, area = planted_clip(), torch.zeros(1, FRAMES, SIDE, SIDE, dtype=torch.bool)
    area[:, 6] = True
    changed = hide(clip, torch.zeros_like(clip), area)
    assert torch.equal(changed[:, :, :6], clip[:, :, :6])
    assert torch.equal(changed[:, :, 7:], clip[:, :, 7:])
    assert float(changed[:, :, 6].abs().max()) < 1e-5
