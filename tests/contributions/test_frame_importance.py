"""Frames by deletion, gradient, insertion and windows; segments; the score after each frame."""

import itertools
import math

import pytest
import torch
from torch import Tensor, nn

import seewhy
from clips import NETWORKS, WHEN, LinearFrames, layout_of, planted_clip
from networks import seeded
from seewhy.contributions.frame_segments import segment_shares
from seewhy.contributions.frames import ClipProbe, frame_importance
from seewhy.contributions.prefix_curve import prefix_curve
from seewhy.errors import ConfigError, DataError, ShapeError
from seewhy.ops.frames import parts_of, stand_ins, swapped_in
from seewhy.targets import ClassScore

HIDINGS = ("freeze", "interpolate", "blur")


def probe_of(network: nn.Module, clip: Tensor, layout: str = "btchw", target: int | None = 0) -> ClipProbe:
    model = seewhy.Model(network.eval(), frames=clip.shape[1], layout=layout)  # type: ignore[arg-type]
    return ClipProbe(seewhy.Session(model), clip, ClassScore(target))


class FrameByFrame(nn.Module):
    """Adds up a square of each frame's brightness, and products of neighbours; takes (b, t, c, h, w)."""

    def forward(self, clips: Tensor) -> Tensor:
        bright = clips.mean(dim=(2, 3, 4))
        score = (bright.square() * torch.arange(1, clips.shape[1] + 1)).sum(1) + (bright[:, 1:] * bright[:, :-1]).sum(1)
        return torch.stack([score, -score], dim=1)


@pytest.fixture
def clip() -> Tensor:
    return torch.randn(3, 6, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture
def quadratic() -> nn.Module:
    network = FrameByFrame().double()
    network.register_buffer("precision", torch.zeros(1, dtype=torch.float64))
    return network


@pytest.mark.parametrize("hiding", HIDINGS)
def test_deletion_insertion_and_windows_are_differences_of_scores(quadratic, clip, hiding):
    def score(one: Tensor) -> Tensor:
        return quadratic(one.transpose(0, 1)[None])[0, 0]

    made = frame_importance(probe_of(quadratic, clip), hiding, width=3, stride=2)
    each = [(frame, frame + 1) for frame in range(6)]
    hidden, dull = stand_ins(clip, each, hiding), stand_ins(clip, each, "blur")
    wanted = [score(clip) - score(swapped_in(clip, hidden, run)) for run in each]
    torch.testing.assert_close(made.deletion, torch.stack(wanted))
    inserted = [score(swapped_in(dull, clip, run)) - score(dull) for run in each]
    torch.testing.assert_close(made.insertion, torch.stack(inserted))
    assert made.windows == ((0, 3), (2, 5), (3, 6))
    together = [score(clip) - score(swapped_in(clip, stand_ins(clip, [run], hiding), run)) for run in made.windows]
    torch.testing.assert_close(made.in_windows, torch.stack(together))
    assert made.whole == pytest.approx(float(score(clip) - score(dull)))


@pytest.mark.parametrize("hiding", HIDINGS)
def test_of_a_linear_network_gradient_and_deletion_are_equal(hiding):
    network = seeded(LinearFrames())
    made = frame_importance(probe_of(network, planted_clip()[0].double()), hiding)
    torch.testing.assert_close(made.gradient, made.deletion, atol=1e-9, rtol=1e-7)
    assert float(made.magnitude.sum()) == pytest.approx(1)


def test_the_gradient_is_that_of_the_change(quadratic, clip):
    made = frame_importance(probe_of(quadratic, clip))
    bright = clip.mean(dim=(0, 2, 3))
    before = torch.cat([bright[1:2], bright[:-1]])
    neighbours = torch.cat([bright[1:], torch.zeros(1)]) + torch.cat([torch.zeros(1), bright[:-1]])
    slope = 2 * torch.arange(1, 7) * bright + neighbours
    torch.testing.assert_close(made.gradient, slope * (bright - before))


@pytest.mark.parametrize("hiding", HIDINGS)
@pytest.mark.parametrize("name", list(NETWORKS))
def test_most_evidence_lies_in_the_frames_that_matter(name, hiding):
    network = NETWORKS[name]()
    made = frame_importance(probe_of(network, planted_clip()[0], layout_of(network)), hiding)
    for values in (made.deletion, made.gradient, made.insertion):
        positive = values.clamp_min(0)
        assert float(positive[WHEN].sum() / positive.sum()) > 0.8
    best = made.windows[int(made.in_windows.argmax())]
    assert best[0] < WHEN.stop
    assert best[1] > WHEN.start


def test_a_black_box_has_no_gradient(clip):
    model = seewhy.Model(lambda clips: clips.mean(axis=(2, 3, 4))[:, :2] * 6, frames=6, layout="bcthw")
    made = frame_importance(ClipProbe(seewhy.Session(model), clip.float(), ClassScore(0)))
    assert made.gradient is None
    assert made.magnitude is None
    bright = clip.float().mean(dim=(2, 3))[0]
    wanted = (bright - torch.cat([bright[1:2], bright[:-1]])).double()
    torch.testing.assert_close(made.deletion, wanted, atol=1e-6, rtol=1e-4)


@pytest.mark.door
def test_what_is_no_clip_is_refused(quadratic, clip):
    with pytest.raises(DataError, match="single frame"):
        probe_of(quadratic, clip[:, :1])
    with pytest.raises(ShapeError, match="a clip is"):
        probe_of(quadratic, clip[:, 0])
    with pytest.raises(ConfigError, match="freeze, interpolate, blur"):
        frame_importance(probe_of(quadratic, clip), "hide")
    with pytest.raises(ConfigError, match="a window has from 1 to 5"):
        frame_importance(probe_of(quadratic, clip), width=6)


def test_two_frames_are_enough(quadratic, clip):
    made = frame_importance(probe_of(quadratic, clip[:, :2]))
    assert made.windows == ((0, 1), (1, 2))
    torch.testing.assert_close(made.in_windows, made.deletion)


@pytest.mark.parametrize("hiding", HIDINGS)
def test_shapley_values_are_those_of_all_orders(quadratic, clip, hiding):
    runs = ((0, 1), (1, 3), (3, 4), (4, 6))
    made = segment_shares(probe_of(quadratic, clip), runs, hiding)
    hidden = stand_ins(clip, runs, hiding)

    def worth(inside: frozenset[int]) -> float:
        shown = hidden.clone()
        for number in inside:
            shown[:, slice(*runs[number])] = clip[:, slice(*runs[number])]
        return float(quadratic(shown.transpose(0, 1)[None])[0, 0])

    wanted = torch.zeros(4, dtype=torch.float64)
    for order in itertools.permutations(range(4)):
        for place, number in enumerate(order):
            wanted[number] += worth(frozenset(order[: place + 1])) - worth(frozenset(order[:place]))
    torch.testing.assert_close(made.values, wanted / math.factorial(4))
    assert made.exact
    assert made.coalitions == 15
    assert not made.error.any()
    assert made.explained == pytest.approx(float(made.values.sum()), rel=1e-9)
    assert abs(made.residual) < 1e-9 * abs(made.explained)


def test_sampled_values_add_up_and_lie_within_their_errors():
    network, clip = NETWORKS["loop-lstm"](), planted_clip()[0].double()
    probe = probe_of(network.double(), clip)
    sampled = segment_shares(probe, parts_of(16, 16), pairs=12)
    assert not sampled.exact
    assert sampled.coalitions == 1 + 24 * 15
    assert abs(sampled.residual) < 1e-9
    again = segment_shares(probe, parts_of(16, 16), pairs=12)
    assert torch.equal(sampled.values, again.values)
    matter = set(range(*WHEN.indices(16)))
    runs = ((0, 5), (5, 6), (6, 7), (7, 8), (8, 16))
    exact = segment_shares(probe, runs)  # frames that do not matter are dummies, so that these values are the same
    for run, value in zip(runs, exact.values, strict=True):
        if run[0] in matter:
            assert abs(float(sampled.values[run[0]] - value)) < 4 * float(sampled.error[run[0]]) + 1e-6


@pytest.mark.parametrize("runs", [((0, 6),), ((0, 2), (3, 6)), ((0, 3), (2, 6)), ((0, 3), (3, 5))])
def test_segments_must_cover_the_clip(quadratic, clip, runs):
    with pytest.raises(ConfigError, match="cover all 6 frames"):
        segment_shares(probe_of(quadratic, clip), runs)


class Deciding(nn.Module):
    """An LSTM, one way or both, on the mean colour of each frame; takes (b, t, c, h, w)."""

    def __init__(self, *, bidirectional: bool = False) -> None:
        super().__init__()
        self.eye, self.memory = nn.Conv2d(3, 4, 4, 4), nn.LSTM(4, 5, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(10 if bidirectional else 5, 3)

    def steps(self, clips: Tensor) -> Tensor:
        seen = self.eye(clips.flatten(0, 1)).mean(dim=(2, 3)).unflatten(0, clips.shape[:2])
        steps: Tensor = self.memory(seen)[0]
        return steps

    def forward(self, clips: Tensor) -> Tensor:
        answer: Tensor = self.head(self.steps(clips)[:, -1])
        return answer


def test_of_a_causal_network_the_curve_is_what_its_head_makes_of_each_state(clip):
    network = seeded(Deciding())
    with torch.no_grad():
        network.head.weight.mul_(20)
        answers = network.head(network.steps(clip.transpose(0, 1)[None])[0])
    probe = probe_of(network, 1.0 * clip)
    found = prefix_curve(probe)
    assert found.way == "seen"
    assert found.memory == ("memory",)
    torch.testing.assert_close(found.scores, answers[:, 0])
    assert found.classes == tuple(answers.argmax(1).tolist())


def test_a_network_that_sees_ahead_is_not_called_causal(clip):
    found = prefix_curve(probe_of(seeded(Deciding(bidirectional=True)), clip))
    assert found.way == "held"
    assert "sees later frames too" in found.note
    assert float(found.scores[-1]) == pytest.approx(probe_of(seeded(Deciding(bidirectional=True)), clip).score)


@pytest.mark.parametrize(("name", "way"), [("3d", "held"), *((one, "seen") for one in NETWORKS if one != "3d")])
def test_which_networks_are_causal_is_measured(name, way):
    network = NETWORKS[name]()
    found = prefix_curve(probe_of(network, planted_clip()[0], layout_of(network)))
    assert found.way == way
    rise = found.scores.diff()
    assert int(rise.argmax()) + 1 in range(*WHEN.indices(16))


class Switching(nn.Module):
    """A cell that remembers the brightest frame so far: class 1 from brightness 1 on, class 0 before; takes (b, t, c, h, w)."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = Keep()

    def forward(self, clips: Tensor) -> Tensor:
        state = clips.new_full((len(clips),), -9.0)
        for frame in clips.unbind(1):
            state = self.cell(frame, state)
        return torch.stack([torch.ones_like(state), state], dim=1)


class Keep(nn.Module):
    """One step: the larger of what is known and what is seen."""

    def forward(self, frame: Tensor, state: Tensor) -> Tensor:
        return torch.maximum(state, frame.mean(dim=(1, 2, 3)))


@pytest.mark.parametrize("when", [0, 1, 4, 5])
def test_it_is_decided_where_the_class_changes_for_the_last_time(when):
    clip = torch.zeros(3, 6, 4, 4)
    clip[:, when] = 3.0
    found = prefix_curve(probe_of(Switching(), clip, target=None))
    assert found.way == "seen"
    assert found.decided == when
    assert found.classes == (0,) * when + (1,) * (6 - when)
