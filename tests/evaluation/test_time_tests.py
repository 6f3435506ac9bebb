"""Time tests: networks of which it is known whether they need one frame, several, or their order."""

import json

import pytest
import torch
from torch import Tensor, nn

import seewhy
from clips import NETWORKS, planted_clip
from seewhy.contributions.frames import ClipProbe
from seewhy.errors import ConfigError, DataError, ModelError
from seewhy.evaluation.time_tests import ClipTest, clip_test, time_tests
from seewhy.targets import ClassScore

FRAMES = 10


class Seeing(nn.Module):
    """Knows of each frame how red it is and how blue; takes (b, t, c, h, w)."""

    def answer(self, score: Tensor) -> Tensor:
        return torch.stack([4 * score, torch.zeros_like(score)], dim=1)

    def forward(self, clips: Tensor) -> Tensor:
        bright = clips.mean(dim=(3, 4)).relu()
        return self.answer(self.score(bright[:, :, 0], bright[:, :, 2]))


class MeanOfFrames(Seeing):
    """Ignores time: red, on average."""

    def score(self, red: Tensor, blue: Tensor) -> Tensor:
        return red.mean(dim=1)


class LastFrame(Seeing):
    """Looks at the last frame alone."""

    def score(self, red: Tensor, blue: Tensor) -> Tensor:
        return red[:, -1]


class BagOfTwo(Seeing):
    """Needs a red frame and a blue one, in any order."""

    def score(self, red: Tensor, blue: Tensor) -> Tensor:
        return red.amax(dim=1) * blue.amax(dim=1)


class RedThenBlue(Seeing):
    """Needs blue after red."""

    def score(self, red: Tensor, blue: Tensor) -> Tensor:
        known, score = torch.zeros_like(red[:, 0]), torch.zeros_like(red[:, 0])
        for now in range(red.shape[1]):
            score = torch.maximum(score, known * blue[:, now])
            known = torch.maximum(known, red[:, now])
        return score


class Flicker(Seeing):
    """Counts changes from frame to frame, of which other orders have more."""

    def score(self, red: Tensor, blue: Tensor) -> Tensor:
        return (red[:, 1:] - red[:, :-1]).abs().sum(dim=1)


class Constant(Seeing):
    """Says the same of everything."""

    def score(self, red: Tensor, blue: Tensor) -> Tensor:
        return torch.ones_like(red[:, 0])


KNOWN = {
    MeanOfFrames: "image model",
    LastFrame: "image model",
    BagOfTwo: "several frames",
    RedThenBlue: "order",
    Flicker: "order",
    Constant: "undecided",
}


def clip_of(seed: int = 0) -> Tensor:
    """Return a clip whose frames are red first, then blue, with some noise; the last frame is red again for who looks only there."""
    clip = 0.02 * torch.randn(3, FRAMES, 6, 6, generator=torch.Generator().manual_seed(seed))
    clip[0, 1:4] += 1.5 + 0.1 * seed
    clip[2, 6:9] += 1.5
    return clip


def clip_for(network: type[Seeing], seed: int = 0) -> Tensor:
    clip = clip_of(seed)
    if network is LastFrame:
        clip[0, -1] += 2
    if network is Flicker:
        clip[0] = torch.linspace(0, 2, FRAMES)[:, None, None] + 0.01 * clip[0]
    return clip


def session_of(network: nn.Module) -> seewhy.Session:
    return seewhy.Session(seewhy.Model(network.eval(), frames=FRAMES, layout="btchw"))


def trial_of(network: nn.Module, clip: Tensor, **settings: int) -> ClipTest:
    return clip_test(ClipProbe(session_of(network), clip, ClassScore(0)), "a clip", **settings)


@pytest.mark.parametrize(("network", "verdict"), KNOWN.items())
def test_the_verdict_on_one_clip_is_the_truth(network, verdict):
    found = time_tests([trial_of(network(), clip_for(network))])
    assert found.verdict == verdict, found.text()
    assert found.line in str(found)


@pytest.mark.parametrize(("network", "verdict"), KNOWN.items())
def test_the_verdict_on_several_clips_is_the_truth(network, verdict):
    found = time_tests([trial_of(network(), clip_for(network, seed)) for seed in range(4)])
    assert found.verdict == verdict, found.text()


@pytest.mark.parametrize("name", ["frames-lstm", "loop-lstm", "conv-lstm"])
def test_networks_that_add_up_what_they_see_are_image_models(name):
    session = seewhy.Session(seewhy.Model(NETWORKS[name]().eval(), frames=16, layout="btchw"))
    found = time_tests([clip_test(ClipProbe(session, planted_clip()[0], ClassScore(0)))])
    assert found.verdict == "image model", found.text()


def test_shares_are_of_the_way_from_an_empty_clip():
    clip = clip_for(MeanOfFrames)
    found = trial_of(MeanOfFrames(), clip)
    red = clip[0].mean(dim=(1, 2)).relu()
    assert found.unit == "log-odds"
    assert found.score == pytest.approx(4 * float(red.mean()), rel=1e-5)
    assert found.empty == 0  # of the two: the mean colour is as red as the clip
    torch.testing.assert_close(found.still, (red / red.mean()).double(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.alone, (red / red.sum()).double(), rtol=1e-5, atol=1e-6)


def test_the_scale_does_not_saturate():
    class Sure(MeanOfFrames):
        def answer(self, score: Tensor) -> Tensor:
            return 40 * super().answer(score)

    sure, plain = trial_of(Sure(), clip_of()), trial_of(MeanOfFrames(), clip_of())
    assert sure.score > 30  # a probability of 1 - 1e-13
    torch.testing.assert_close(sure.still, plain.still, rtol=1e-5, atol=1e-6)


def test_log_odds_are_against_all_other_classes():
    class Three(MeanOfFrames):
        def answer(self, score: Tensor) -> Tensor:
            return torch.stack([score, 0 * score, 0.5 * score], dim=1)

    found = trial_of(Three(), clip_of())
    probability = seewhy.Session(seewhy.Model(Three(), frames=FRAMES, layout="btchw")).predict(clip_of()[None])
    share = probability.double().softmax(1)[0, 0]
    assert found.score == pytest.approx(float((share / (1 - share)).log()), rel=1e-6)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_number_is_tested_whichever_way_it_goes_and_however_small(sign):
    class Number(BagOfTwo):
        def answer(self, score: Tensor) -> Tensor:
            return sign * (1e-3 * score[:, None] + 1e-4)

    probe = ClipProbe(session_of(Number()), clip_of(), seewhy.targets.Regression())
    found = time_tests([clip_test(probe)])
    assert found.clips[0].unit != "log-odds"
    assert found.verdict == "several frames", found.text()
    assert not found.stays


def test_order_that_raises_the_score_is_order_too():
    found = trial_of(Flicker(), clip_for(Flicker))
    assert float(found.shuffled.min()) > 1.5
    assert found.backward == pytest.approx(1, abs=0.05)


def test_a_place_in_time_foretells_other_orders_only_where_nothing_else_is_looked_at():
    assert trial_of(LastFrame(), clip_for(LastFrame)).one_place > 0.95
    assert trial_of(RedThenBlue(), clip_of()).one_place < 0.5
    assert trial_of(BagOfTwo(), clip_of()).one_place < 0.5


def test_the_class_stays_as_often_as_it_does():
    clip = clip_for(LastFrame)
    clip[0, 1:4] -= 4  # dark: class 1 would not win, but ties are for the first
    found = trial_of(LastFrame(), clip).stays
    assert found["best still"] == 1.0
    assert set(found) == {"still", "best still", "alone", "shuffled", "backward", "empty"}

    class Either(LastFrame):
        def answer(self, score: Tensor) -> Tensor:
            return torch.stack([score, torch.full_like(score, 1.0)], dim=1)

    either = trial_of(Either(), clip_for(LastFrame)).stays
    assert either["still"] == pytest.approx(4 / FRAMES)  # three red frames, and the last
    assert either["backward"] == 0.0


def test_clips_that_say_no_more_than_an_empty_one_are_left_out_and_counted():
    grey = torch.zeros(3, FRAMES, 6, 6)
    found = time_tests([trial_of(BagOfTwo(), clip_of()), trial_of(BagOfTwo(), clip_of(1)), trial_of(BagOfTwo(), grey)])
    assert found.verdict == "several frames"
    assert "1 of 3 clips are left out" in found.line


def test_the_same_seed_gives_the_same_numbers():
    one, other = (trial_of(RedThenBlue(), clip_of()) for _ in range(2))
    assert torch.equal(one.shuffled, other.shuffled)


def test_no_shuffle_is_the_order_itself():
    found = trial_of(Flicker(), clip_for(Flicker)[:, :2], shuffles=5)
    assert len(found.shuffled) == 5
    assert found.shuffled.tolist() == pytest.approx([found.backward] * 5)


def test_numbers_are_plain():
    found = time_tests([trial_of(RedThenBlue(), clip_of())])
    assert json.loads(json.dumps(found.numbers(), allow_nan=False))["verdict"] == "order"


def test_what_cannot_be_tested_is_refused():
    with pytest.raises(DataError, match="no clips"):
        time_tests([])
    with pytest.raises(ConfigError, match="at least 2 times"):
        trial_of(BagOfTwo(), clip_of(), shuffles=1)
    with pytest.raises(DataError, match="single frame"):
        trial_of(BagOfTwo(), clip_of()[:, :1])
    with pytest.raises(ModelError, match="takes pictures"):
        seewhy.time_tests(torch.zeros(1, 3, 4, 6, 6), seewhy.Model(nn.Flatten()))


def test_a_batch_of_clips_is_tested_clip_by_clip():
    found = seewhy.time_tests(torch.stack([clip_of(), clip_of(1)]), session_of(BagOfTwo()), 0)
    assert [clip.name for clip in found.clips] == ["image 0", "image 0"] or len(found.clips) == 2
    assert found.verdict == "several frames"
