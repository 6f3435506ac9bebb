"""Clips made of the same frames: what they have in common is computed once, and the answers are those of the whole network."""

import pytest
import torch
from torch import Tensor, nn

import seewhy
from clips import NETWORKS, LinearFrames, layout_of, planted_clip
from networks import seeded
from seewhy.core.cost import Cost
from seewhy.core.needs import Needs
from seewhy.engine.block import Bill, Question
from seewhy.engine.prefix import ClipVariants
from seewhy.engine.sharing import Rows, Sharing, found_by_value, together, whole
from seewhy.ops.frames import held, repeated, stand_ins, swapped_in
from seewhy.targets import ClassScore
from seewhy.targets.inside import Channel

RECURRENT = ("frames-lstm", "frames-gru", "loop-lstm", "conv-lstm")


class Residual(nn.Module):
    """A CNN with a branch, norms and ReLUs in place, and the largest value over frames; takes (b, t, c, h, w)."""

    def __init__(self) -> None:
        super().__init__()
        self.begin, self.norm = nn.Conv2d(3, 6, 3, 2, padding=1), nn.BatchNorm2d(6)
        self.relu, self.branch = nn.ReLU(inplace=True), nn.Conv2d(6, 6, 3, padding=1, groups=2)
        self.head = nn.Linear(6, 3)

    def forward(self, clips: Tensor) -> Tensor:
        seen = self.relu(self.norm(self.begin(clips.reshape(-1, *clips.shape[2:]))))
        gone = seen
        seen = self.branch(seen)
        seen += gone
        seen = torch.relu_(seen)
        features = nn.functional.adaptive_avg_pool2d(seen, 1).flatten(1)
        answer: Tensor = self.head(features).view(len(clips), clips.shape[1], -1).amax(dim=1)
        return answer


class Tokens(nn.Module):
    """A transformer that sees each frame as a row, and the mean over frames; takes (b, t, c, h, w)."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.start = nn.Conv2d(3, 8, 8, 8), nn.Parameter(torch.zeros(1, 1, 8))
        self.norm, self.mixed, self.out, self.head = nn.LayerNorm(8), nn.Linear(8, 24), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, clips: Tensor) -> Tensor:
        rows = self.patch(clips.flatten(0, 1)).flatten(2).transpose(1, 2)
        rows = torch.cat([self.start.expand(len(rows), -1, -1), rows], dim=1)
        query, key, value = (
            part.view(len(rows), -1, 2, 4).transpose(1, 2) for part in self.mixed(self.norm(rows)).chunk(3, dim=-1)
        )
        seen = nn.functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(rows.shape)
        rows = rows + self.out(seen)
        answer: Tensor = self.head(rows[:, 0]).unflatten(0, clips.shape[:2]).mean(dim=1)
        return answer


class Stacked(nn.Module):
    """An LSTM cell whose steps are kept in a list and stacked; takes (b, t, c, h, w)."""

    def __init__(self) -> None:
        super().__init__()
        self.eye, self.cell, self.head = nn.Conv2d(3, 4, 8, 8), nn.GRUCell(4, 5), nn.Linear(5, 3)

    def forward(self, clips: Tensor) -> Tensor:
        state = clips.new_zeros(len(clips), 5)
        steps = []
        for frame in range(clips.shape[1]):
            state = self.cell(self.eye(clips[:, frame]).mean((2, 3)), state)
            steps.append(state)
        answer: Tensor = self.head(torch.stack(steps, dim=1).mean(dim=1))
        return answer


class OfTheBatch(nn.Module):
    """Every answer depends on the other clips of the pass, as no network's should."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv2d(3, 2, 3)

    def forward(self, clips: Tensor) -> Tensor:
        seen = self.look(clips.flatten(0, 1)).mean(dim=(2, 3)).unflatten(0, clips.shape[:2]).mean(dim=1)
        return seen - 0.5 * seen.mean(dim=0, keepdim=True)


def session_of(network: nn.Module, layout: str = "btchw") -> seewhy.Session:
    return seewhy.Session(seewhy.Model(network.eval(), frames=16, layout=layout))  # type: ignore[arg-type]


def variants_of(
    session: seewhy.Session, clips: Tensor, target: seewhy.Target | None = None
) -> tuple[ClipVariants, Bill]:
    bill, target = Bill(), target or ClassScore(0)
    block = session.block(session.network.accept(clips), target.needs())
    return ClipVariants(Question(block, target), bill), bill


def changed(clip: Tensor) -> list[Tensor]:
    """Return a clip with each frame hidden, held and repeated, and something quite different."""
    each = [(frame, frame + 1) for frame in range(16)]
    hidden = stand_ins(clip, each, "freeze")
    return [
        *(swapped_in(clip, hidden, run) for run in each),
        *(held(clip, frame) for frame in range(0, 16, 5)),
        *(repeated(clip, frame) for frame in range(0, 16, 5)),
        clip.flip(1),
        -2 * clip,
    ]


@pytest.mark.parametrize("make", [*NETWORKS.values(), LinearFrames, Residual, Tokens, Stacked])
def test_the_answers_are_those_of_the_whole_network(make):
    network = seeded(make()) if make in (LinearFrames, Residual, Tokens, Stacked) else make()
    clip = planted_clip()[0].to(next(network.parameters()))
    session = session_of(network, layout_of(network))
    found = torch.cat(list(variants_of(session, clip[None])[0].scores(one[None] for one in changed(clip))))
    wanted = session.predict(torch.stack(changed(clip)))[:, 0]
    torch.testing.assert_close(found.to(wanted), wanted, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("name", RECURRENT)
def test_deleting_frames_takes_at_most_six_tenths_of_the_multiply_adds(name):
    network = NETWORKS[name]().eval()
    clips = torch.stack(changed(planted_clip()[0])[:16]).transpose(1, 2)
    with torch.no_grad(), Sharing() as mode:
        network(clips)
    assert mode.made <= 0.6 * mode.asked
    rows = 17 if "loop" not in name and "conv" not in name else 2 * 16
    eye = rows / 256  # each different frame once; in a loop, two of them at each step
    assert mode.made / mode.asked == pytest.approx(eye, abs=0.07)


@pytest.mark.parametrize("name", RECURRENT)
def test_what_is_charged_are_partial_passes(name):
    variants, bill = variants_of(session_of(NETWORKS[name]()), planted_clip())
    list(variants.scores(one[None] for one in changed(planted_clip()[0])[:16]))
    assert bill.cost == Cost(forwards=1, partial=16)
    assert not bill.remarks


def test_two_clips_of_one_block_have_the_answers_that_each_has_alone():
    session, clips = session_of(NETWORKS["loop-lstm"]()), planted_clip(count=2)
    variants, bill = variants_of(session, clips)
    streams = zip(changed(clips[0]), changed(clips[1]), strict=True)
    found = torch.stack(list(variants.scores(torch.stack(pair) for pair in streams)))
    for place in range(2):
        torch.testing.assert_close(found[:, place], session.predict(torch.stack(changed(clips[place])))[:, 0])
    assert bill.cost.partial == len(found)


def test_a_network_that_mixes_frames_first_runs_whole_and_says_so():
    session = session_of(NETWORKS["3d"](), "bcthw")
    variants, bill = variants_of(session, planted_clip())
    list(variants.scores(one[None] for one in changed(planted_clip()[0])[:5]))
    assert bill.cost == Cost(forwards=6)
    assert bill.remarks == (
        "each changed clip ran through the whole network: it mixes frames at once, or does little with each alone",
    )


def test_a_black_box_runs_whole():
    session = seewhy.Session(seewhy.Model(lambda clips: clips.mean(axis=(2, 3, 4))[:, :2], frames=16, layout="bcthw"))
    variants, bill = variants_of(session, planted_clip())
    found = torch.cat(list(variants.scores(one[None] for one in changed(planted_clip()[0])[:3])))
    wanted = torch.stack(changed(planted_clip()[0])[:3]).mean(dim=(2, 3, 4))[:, 0]
    torch.testing.assert_close(found.float(), wanted)
    assert "black box" in bill.remarks[0]


def test_rows_that_an_operation_mixes_are_put_together_first():
    network, clips = seeded(OfTheBatch()).float(), torch.stack(changed(planted_clip()[0])[:4]).transpose(1, 2)
    with torch.no_grad():
        wanted = network(clips)
        with Sharing() as mode:
            found = whole(network(clips))
    torch.testing.assert_close(found, wanted)
    assert mode.made < mode.asked


def test_a_target_inside_the_network_sees_real_activations():
    session, clip = session_of(seeded(Residual()).float()), planted_clip()[0]
    target = Channel("branch", 2)
    found = torch.cat(list(variants_of(session, clip[None], target)[0].scores(one[None] for one in changed(clip))))
    wanted = []
    for one in changed(clip):
        block = session.block(session.network.accept(one[None]), target.needs())
        wanted.append(Question(block, target).score)
    torch.testing.assert_close(found, torch.cat(wanted))


def test_an_operation_that_writes_is_seen_by_all_who_hold_the_tensor():
    rows = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)).repeat(3, 1, 1, 1)
    layer = nn.Conv2d(3, 5, 3)

    def run() -> tuple[Tensor, Tensor]:
        made = layer(rows)
        same = made
        made.relu_()
        made[:, 0] = 7.0
        made.add_(1)
        return whole(made), whole(same)

    with torch.no_grad():
        wanted = run()
        with Sharing():
            found = run()
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)


def test_rows_are_the_same_where_every_bit_is():
    row = torch.randn(1, 40, generator=torch.Generator().manual_seed(0))
    near = row.clone()
    near[0, 3] = torch.nextafter(near[0, 3], torch.tensor(9.0))
    swapped = row.clone()
    swapped[0, [0, 6]] = row[0, [6, 0]]  # whose bits have the same sums
    found = found_by_value(torch.cat([row, near, row, near]))
    assert len(found.own) == 2
    torch.testing.assert_close(found.whole(), torch.cat([row, near, row, near]), rtol=0, atol=0)
    coincidence = torch.cat([row, swapped, row])
    torch.testing.assert_close(found_by_value(coincidence).whole(), coincidence, rtol=0, atol=0)


def test_rows_of_two_tensors_are_combined():
    one = Rows(torch.tensor([[1.0], [2.0]]), torch.tensor([0, 0, 1, 1]))
    other = Rows(torch.tensor([[5.0], [6.0]]), torch.tensor([0, 1, 1, 1]))
    (a, b), where = together([one, other])
    assert len(a) == 3
    torch.testing.assert_close((a + b)[where], one.whole() + other.whole())


def test_the_trial_is_made_once():
    session = session_of(NETWORKS["frames-gru"]())
    variants_of(session, planted_clip())
    before = session.cost
    variants_of(session, planted_clip(seed=1))
    assert session.cost - before == Cost(forwards=1)  # the clip itself
    assert not Needs().layers
