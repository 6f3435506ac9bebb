"""What a unit does to the answer: closed forms on a linear head, the bootstrap by brute force, sums against rows."""

import pytest
import torch
from unit_planted import PLANTED, natural_inputs, planted_model

import seewhy
from seewhy.data.dataset import dataset
from seewhy.data.features import features
from seewhy.evaluation.ground import Ground
from seewhy.evaluation.natural import natural
from seewhy.evaluation.unit_effects import Effect, Running, effect, effects_of, resamples, slopes


def ground(count=24):
    model = planted_model()
    session = seewhy.Session(model)
    return Ground(session, "look", dataset(natural_inputs(count), model))


def test_class_weights_are_those_of_a_linear_head_times_the_deviation():
    here = ground()
    usual = natural(here)
    found = effect(here, PLANTED, usual.average)
    head = here.session.model.module.head.weight[:, PLANTED]
    means = here.session.model.module.look(natural_inputs()[0])[:, PLANTED].mean(dim=(1, 2))
    assert torch.allclose(found.activity, means.detach() - means.detach().mean(), atol=1e-12)
    assert torch.allclose(found.weights(), (head * means.std(correction=0)).detach(), atol=1e-9)
    assert found.weights().argmax() == 1


def test_the_mean_fall_over_the_data_says_nothing_on_a_linear_head():
    """The reason why weights are lines over the activity, and no means."""
    here = ground()
    found = effect(here, PLANTED, natural(here).average)
    assert found.logits.mean(dim=0).abs().max() < 1e-9
    assert found.weights().abs().max() > 0.1


def test_loss_rises_by_what_a_loop_over_the_whole_network_finds():
    here = ground(8)
    usual = natural(here)
    found = effect(here, PLANTED, usual.average)
    network, (inputs, labels) = here.session.model.module, natural_inputs(8)
    with torch.no_grad():
        activation = network.look(inputs)
        cut = activation.clone()
        cut[:, PLANTED] = usual.average[PLANTED]
        before, after = (
            torch.nn.functional.cross_entropy(network.head(a.mean(dim=(2, 3))), labels, reduction="none")
            for a in (activation, cut)
        )
    assert torch.allclose(found.loss, after - before, atol=1e-9)
    assert found.labelled == 8


def test_intervals_are_those_of_a_bootstrap_by_hand():
    generator = torch.Generator().manual_seed(0)
    activity = torch.randn(30, dtype=torch.float64, generator=generator)
    logits = activity[:, None] * torch.tensor([1.0, -2.0]) + torch.randn(
        30, 2, dtype=torch.float64, generator=generator
    )
    found = Effect(0, activity, logits, logits[:, 0], 30)
    drawn = []
    for counts in resamples(30, seed=5):
        rows = torch.repeat_interleave(torch.arange(30), counts.long())
        assert len(rows) == 30
        d, e = activity[rows], logits[rows]
        drawn.append((d[:, None] * e).sum(0) / d.square().sum() * d.std(correction=0))
    low, high = torch.stack(drawn).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64), dim=0)
    mine = found.intervals(seed=5)
    assert torch.allclose(mine[0], low, atol=1e-12)
    assert torch.allclose(mine[1], high, atol=1e-12)


def test_importance_is_the_mean_rise_and_one_picture_has_no_width():
    values = torch.arange(9.0)
    many, one = Effect(0, values, values[:, None], values, 9), Effect(0, values[:1], values[:1, None], values[:1], 1)
    found = many.importance(1)
    assert found.value == 4.0
    assert found == many.importance(1) != many.importance(2)
    half = 2.306 * (7.5 / 9) ** 0.5  # Student's interval, eight degrees of freedom
    assert found.high - found.low == pytest.approx(2 * half, rel=0.15)
    assert one.importance().low == one.importance().high == 0.0


def test_a_unit_that_never_moves_has_weight_zero():
    assert not slopes(torch.ones(1, 4, dtype=torch.float64), torch.zeros(4), torch.ones(4, 2)).any()


def test_sums_over_batches_give_what_rows_give():
    here = ground()
    usual = natural(here)
    running = effects_of(here, [PLANTED, 0], usual.average)
    for place, channel in enumerate((PLANTED, 0)):
        alone = effect(here, channel, usual.average)
        assert torch.allclose(running.weights(place)[0], alone.weights(), atol=1e-9)
        assert running.importance(place).value == pytest.approx(float(alone.loss.mean()), abs=1e-9)


def test_intervals_of_sums_cover_the_truth_as_often_as_they_say():
    """200 samples of a known line with unequal scatter: 95 % intervals hold the truth in 95 +- 4 %."""
    generator = torch.Generator().manual_seed(3)
    truth, hits = 1.5, 0
    for _ in range(200):
        activity = torch.randn(120, dtype=torch.float64, generator=generator)
        scatter = torch.randn(120, 1, dtype=torch.float64, generator=generator) * (0.3 + activity.abs()[:, None])
        running = Running([0])
        running.add(0, activity, truth * activity[:, None] + scatter, activity)
        running.pictures = 120
        weight, half = running.weights(0)
        hits += bool((weight - truth).abs() <= half)  # the deviation of the activity is one
    assert 0.91 <= hits / 200 <= 0.99


def test_planted_unit_has_the_largest_importance():
    here = ground()
    usual = natural(here)
    running = effects_of(here, range(5), usual.average)
    rises = [running.importance(place).value for place in range(5)]
    assert max(range(5), key=rises.__getitem__) == PLANTED
    assert rises[4] == pytest.approx(0.0, abs=1e-12)  # the dead one


def test_an_answer_that_is_no_row_of_classes_is_not_measured():
    class Map(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.look = torch.nn.Conv2d(3, 2, 3)

        def forward(self, x):
            return self.look(x)

    model = seewhy.Model(Map().double().eval(), size=16, mean=0.5, std=0.5)
    here = Ground(seewhy.Session(model), "look", dataset(natural_inputs(4), model))
    assert effect(here, 0, natural(here).average) is None


def test_what_a_cache_holds_of_the_layer_gives_the_same_without_a_look_at_the_pictures(tmp_path):
    here = ground()
    features(here.session, here.data, "look", cache=tmp_path)
    known = here.remembering(tmp_path)
    assert known.known is not None
    before = known.session.cost
    usual, found = natural(known), effect(known, PLANTED, natural(known).average)
    many = effects_of(known.thinned(9), [PLANTED], usual.average)
    assert (known.session.cost - before).forwards == 0
    plain = natural(here)
    for name in ("mean", "deviation", "lowest", "highest", "average"):
        torch.testing.assert_close(getattr(usual, name), getattr(plain, name), atol=1e-6, rtol=1e-6)
    wanted = effect(here, PLANTED, plain.average)
    for name in ("activity", "logits", "loss"):
        torch.testing.assert_close(getattr(found, name).double(), getattr(wanted, name).double(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        many.weights(0)[0].double(),
        effects_of(here.thinned(9), [PLANTED], plain.average).weights(0)[0].double(),
        atol=1e-5,
        rtol=1e-5,
    )


def test_a_cache_that_holds_nothing_of_the_layer_changes_nothing(tmp_path):
    here = ground()
    assert here.remembering(tmp_path) is here and here.remembering(None) is here
