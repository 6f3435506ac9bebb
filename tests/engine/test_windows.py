"""Windows: the scores of the images that show the fill there, whichever way they are computed."""

import threading

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import seewhy
from networks import SmallCNN, seeded
from seewhy.core.cost import Cost
from seewhy.core.needs import Needs
from seewhy.engine.block import Question
from seewhy.engine.following import windows as engine_windows
from seewhy.engine.following.local import Local
from seewhy.engine.network import Network
from seewhy.engine.probe import NetworkProbe
from seewhy.targets.classes import ClassScore
from seewhy.targets.inside import Channel

CORNERS = [(0, 0), (13, 20), (26, 26), (31, 3), (-3, 30), (7, -2), (40, 40)]
SIZE = (6, 5)


class Deep(nn.Module):
    """Enough picture for a window to leave most of it alone."""

    def __init__(self, layout: str = "bchw") -> None:
        super().__init__()
        self.layout = layout
        self.net = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3, padding=1), nn.AdaptiveAvgPool2d(1),
            nn.Flatten(), nn.Linear(8, 4),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x if self.layout == "bchw" else x.permute(0, 3, 1, 2))


@pytest.fixture
def model():
    return seewhy.Model(seeded(Deep()), size=32, mean=0.5, std=0.5)


@pytest.fixture
def pictures():
    """Three images of 32 x 32."""
    return torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def asked(model, pictures, target=None, rows=None):
    """Return a probe of the pictures, and the session behind it."""
    session = seewhy.Session(model, rows=rows)
    target = target or ClassScore(1)
    block = session.block(pictures.to(session.network.weight), target.needs())
    return NetworkProbe(Question(block, target), Needs()), session


def filled(pictures: Tensor, fill: Tensor, corner: tuple[int, ...], size: tuple[int, ...]) -> Tensor:
    """Return the pictures with one window filled, cell by cell."""
    made = pictures.clone()
    for row in range(max(corner[0], 0), min(corner[0] + size[0], pictures.shape[2])):
        for column in range(max(corner[1], 0), min(corner[1] + size[1], pictures.shape[3])):
            made[:, :, row, column] = fill[:, :, row, column]
    return made


def both(probe, fill, corners=CORNERS, size=SIZE):
    """Return the scores by windows and by whole images."""
    found = torch.stack(list(probe.windows(corners, size, fill)))
    wanted = torch.stack(list(probe.scores(filled(probe.inputs, fill, corner, size) for corner in corners)))
    return found, wanted


class TestScores:
    @pytest.mark.parametrize("rows", [None, 1, 3])
    @pytest.mark.parametrize("size", [SIZE, (1, 1), (32, 2), (12, 12)])
    def test_they_are_those_of_the_filled_images(self, model, pictures, size, rows, monkeypatch):
        monkeypatch.setattr(engine_windows, "WORTH", 2)  # also where it does not pay
        probe, session = asked(model, pictures, rows=rows)
        found, wanted = both(probe, pictures.flip(0) * 2, size=size)
        torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-12)
        assert (found - probe.score()).abs().max() > 1e-3
        assert session.cost.partial > 0 and probe.remarks == ()

    def test_a_window_larger_than_the_picture_fills_it(self, model, pictures):
        probe, _ = asked(model, pictures)
        found, wanted = both(probe, torch.zeros_like(pictures), [(0, 0), (-5, -5)], (40, 50))
        torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-12)
        torch.testing.assert_close(found[0], found[1], rtol=1e-11, atol=1e-12)

    def test_a_window_outside_changes_nothing(self, model, pictures):
        probe, _ = asked(model, pictures)
        found = next(probe.windows([(40, 40)], SIZE, torch.zeros_like(pictures)))
        torch.testing.assert_close(found, probe.score(), rtol=1e-11, atol=1e-12)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_other_precisions(self, pictures, dtype):
        model = seewhy.Model(seeded(Deep()).to(dtype), size=32, mean=0.5, std=0.5)
        probe, session = asked(model, pictures)
        found, wanted = both(probe, torch.zeros_like(probe.inputs))
        tolerance = {torch.float32: 1e-5, torch.bfloat16: 0.05}[dtype]
        torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)
        assert found.dtype == torch.float32 and session.cost.partial > 0

    def test_batch_norms_are_merged_but_not_in_half_precision(self, model, pictures, monkeypatch):
        ran = []
        followed = Network.followed

        def watched(self, tape, at, crop):
            ran.append(sum(entry.kind == "batch norm" for entry in tape.entries))
            return followed(self, tape, at, crop)

        monkeypatch.setattr(Network, "followed", watched)
        list(asked(model, pictures)[0].windows(CORNERS, SIZE, pictures))
        assert set(ran) == {0}
        half = seewhy.Model(seeded(Deep()).bfloat16(), size=32, mean=0.5, std=0.5)
        probe, _ = asked(half, pictures)
        list(probe.windows(CORNERS, SIZE, probe.inputs))
        assert set(ran) == {0, 1}

    def test_a_network_that_takes_channels_last(self, model, pictures):
        last = seewhy.Model(seeded(Deep("bhwc")), size=32, mean=0.5, std=0.5, layout="bhwc")
        found, wanted = both(asked(last, pictures)[0], torch.zeros_like(pictures))
        usual, _ = both(asked(model, pictures)[0], torch.zeros_like(pictures))
        torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-12)
        torch.testing.assert_close(found, usual, rtol=1e-11, atol=1e-12)

    def test_two_sessions_at_once(self, model, pictures):
        fill = torch.zeros_like(pictures)
        expected = torch.stack(list(asked(model, pictures, rows=4)[0].windows(CORNERS * 8, SIZE, fill)))
        found = {}

        def work(number: int) -> None:
            found[number] = torch.stack(list(asked(model, pictures, rows=4)[0].windows(CORNERS * 8, SIZE, fill)))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert torch.equal(found[0], expected) and torch.equal(found[1], expected)

    def test_one_session_in_two_threads(self, model, pictures):
        fill, found = torch.zeros_like(pictures), {}
        _, session = asked(model, pictures, rows=4)

        def work(number: int) -> None:
            block = session.block(pictures[number : number + 1], Needs())
            probe = NetworkProbe(Question(block, ClassScore(1)), Needs())
            found[number] = torch.stack(list(probe.windows(CORNERS * 8, SIZE, fill[:1])))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expected = torch.stack(list(asked(model, pictures, rows=4)[0].windows(CORNERS * 8, SIZE, fill)))
        torch.testing.assert_close(torch.cat([found[0], found[1]], dim=1), expected[:, :2], rtol=1e-11, atol=1e-12)

    def test_the_parts_that_a_window_does_not_reach_do_not_run(self, model, pictures):
        """The number of multiply-adds of 35 windows, from their count by an independent counter."""
        probe, _ = asked(model, pictures, rows=7)
        list(probe.windows(CORNERS, SIZE, pictures))
        with FlopCounterMode(display=False) as local:
            list(probe.windows(CORNERS * 5, SIZE, torch.zeros_like(pictures)))
        with FlopCounterMode(display=False) as whole:
            list(probe.scores([torch.zeros_like(pictures)] * 35))
        assert local.get_total_flops() < 0.5 * whole.get_total_flops()


class TestCost:
    def test_windows_are_partial_passes_and_the_tape_is_one_forward(self, model, pictures):
        probe, session = asked(model, pictures)
        list(probe.windows(CORNERS, SIZE, pictures))
        assert probe.cost == Cost(forwards=2, partial=len(CORNERS))
        # and the trial: the tape of the first image serves on; two windows both ways
        assert session.cost == Cost(forwards=3 * 2 + 2, partial=3 * len(CORNERS) + 2)

    def test_the_trial_is_made_once_for_a_size(self, model, pictures):
        probe, session = asked(model, pictures)
        list(probe.windows(CORNERS, SIZE, pictures))
        before = session.cost
        block = session.block(pictures, Needs())
        probe = NetworkProbe(Question(block, ClassScore(2)), Needs())
        list(probe.windows(CORNERS, SIZE, pictures))
        assert session.cost - before == Cost(forwards=6, partial=3 * len(CORNERS))

    def test_two_targets_share_the_tapes(self, model, pictures):
        session = seewhy.Session(model)
        block = session.block(pictures, Needs())
        costs = []
        for index in range(2):
            before = session.cost
            probe = NetworkProbe(Question(block, ClassScore(index)), Needs())
            list(probe.windows(CORNERS, SIZE, pictures))
            assert probe.cost == Cost(forwards=2, partial=len(CORNERS))  # each pays for what it needs
            costs.append((session.cost - before).forwards)
        assert costs == [5, 0]

    def test_tapes_that_do_not_fit_are_made_anew_for_each_pack(self, model, pictures, monkeypatch):
        monkeypatch.setattr(engine_windows, "TAPES", 0)
        probe, _ = asked(model, pictures, rows=3)
        found, wanted = both(probe, torch.zeros_like(pictures))
        torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-12)
        packs = 3  # 7 windows, 3 at a time
        assert probe.cost == Cost(forwards=1 + packs + len(CORNERS), partial=len(CORNERS))

    def test_the_first_pass_follows_eight(self, model, pictures, monkeypatch):
        rows = []
        followed = Network.followed

        def watched(self, tape, at, crop):
            rows.append(len(crop))
            return followed(self, tape, at, crop)

        monkeypatch.setattr(Network, "followed", watched)
        probe, _ = asked(model, pictures[:1])
        list(probe.windows([(0, 0)] * 20, SIZE, pictures[:1]))
        assert rows == [2, 8, 12]  # the trial, the first pass, and what is left of sixteen


class Random(Deep):
    """Draws numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + torch.rand(4, dtype=x.dtype)


class Branches(Deep):
    """Goes another way where its last map holds large numbers."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.net[:7](x)
        return self.net[7:](-x if x.abs().amax() > 1e6 else x)


class Divided(Deep):
    """Divides by the spread of the first row."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x / x[0].std().item())


class Global(Deep):
    """Looks at the whole picture first."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - x.mean(dim=(2, 3), keepdim=True))


class TestFallBack:
    @pytest.mark.parametrize(
        ("network", "why"),
        [(Random, "random numbers"), (Divided, "looks at values"), (Global, "reaches most of what")],
    )
    def test_the_whole_network_runs_and_it_is_said(self, network, why, pictures):
        one = pictures[:1]
        probe, _ = asked(seewhy.Model(seeded(network()), size=32, mean=0.5, std=0.5), one, rows=1)
        found, wanted = both(probe, torch.zeros_like(one))
        torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-12)
        assert (
            len(probe.remarks) == 1 and why in probe.remarks[0] and "the whole of it ran each time" in probe.remarks[0]
        )
        assert probe.cost == Cost(forwards=1 + 2 * len(CORNERS))

    def test_a_window_that_takes_another_way_is_run_whole(self, pictures):
        probe, _ = asked(seewhy.Model(seeded(Branches()), size=32, mean=0.5, std=0.5), pictures, rows=1)
        fill = torch.zeros_like(pictures)
        fill[:, :, 20:, 20:] = 1e9
        found, wanted = both(probe, fill)
        torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-12)
        assert "looks at values" in probe.remarks[0]
        assert probe.cost.partial > 0 and probe.cost.forwards > 2

    def test_a_wrong_answer_is_not_used(self, model, pictures, monkeypatch):
        answer = Local.answer
        monkeypatch.setattr(Local, "answer", lambda self, output: answer(self, output) * (1 + 1e-6))
        probe, _ = asked(model, pictures)
        found, wanted = both(probe, torch.zeros_like(pictures))
        torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-12)
        assert "answers differently" in probe.remarks[0] and probe.cost.partial == 0

    def test_a_target_inside_the_network_needs_the_whole(self, model, pictures):
        probe, _ = asked(model, pictures, Channel("net.6", 2))
        found, wanted = both(probe, torch.zeros_like(pictures))
        torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-12)
        assert probe.cost.partial == 0

    def test_a_clip_is_run_whole(self):
        network = nn.Sequential(nn.Conv3d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten())
        model = seewhy.Model(seeded(network), mean=0.5, std=0.5)
        clips = torch.randn(2, 3, 4, 6, 6, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
        probe, _ = asked(model, clips)
        found = next(probe.windows([(1, -1, 5)], (2, 3, 3), torch.zeros_like(clips)))
        changed = clips.clone()
        changed[:, :, 1:3, :2, 5:] = 0
        torch.testing.assert_close(found, next(probe.scores([changed])), rtol=1e-12, atol=1e-12)
        assert probe.remarks == () and probe.cost.partial == 0

    def test_a_network_without_convolutions_is_run_whole_without_a_word(self, linear):
        model = seewhy.Model(nn.Sequential(nn.Flatten(), nn.Linear(192, 3)).double(), size=8, mean=0.5, std=0.5)
        images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
        probe, session = asked(model, images)
        found, wanted = both(probe, torch.zeros_like(images), [(0, 0), (4, 4)], (2, 2))
        torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-12)
        assert probe.remarks == () and session.cost.partial == 0

    def test_an_error_of_the_network_is_raised(self, pictures):
        class Fails(Deep):
            def forward(self, x: Tensor) -> Tensor:
                if len(x) == 1 and not x[0, 0, 0].any():
                    raise RuntimeError("no answer today")
                return super().forward(x)

        probe, _ = asked(seewhy.Model(seeded(Fails()), size=32, mean=0.5, std=0.5), pictures, rows=1)
        with pytest.raises(seewhy.ModelError, match="no answer today"):
            list(probe.windows([(0, 0)], (32, 32), torch.zeros_like(pictures)))


def test_the_small_network_of_the_contract_tests(cnn, images):
    """Eight cells: hardly anything stays local, and the scores are right."""
    probe, _ = asked(seewhy.Model(seeded(SmallCNN()), size=8, mean=0.5, std=0.5), images)
    found, wanted = both(probe, torch.zeros_like(images), [(0, 0), (6, 6), (3, 2)], (2, 2))
    torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-12)
