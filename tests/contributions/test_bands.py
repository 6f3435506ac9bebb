import pytest
import torch
from planted import LooksAt, noise

import seewhy
from seewhy.contributions.bands import Bands, band_names
from seewhy.contributions.importance import importance_of
from seewhy.contributions.measuring import Plan, measured
from seewhy.contributions.study import Study
from seewhy.data.dataset import dataset
from seewhy.engine.session import Session
from seewhy.targets import Custom

STRENGTHS = torch.tensor([3.0, 1.0, 0.0, -2.0], dtype=torch.float64)
"""Each band's weight, the same at each pixel."""


def linear() -> LooksAt:
    return LooksAt(STRENGTHS[:, None, None].expand(4, 12, 12) / 144)


def bands(repeats: int = 1) -> Bands:
    return Bands(repeats=repeats, labels=band_names(4, "rgb"))


def test_a_taken_band_changes_the_score_by_its_own_part_alone():
    """f = sum_j w_j mean(x_j): the fall is w_j (mean x_j - mean x'_j), each picture lends once, so the signed mean is zero."""
    inputs = noise(50, 4)
    session = Session(seewhy.Model(linear()))
    data = dataset((inputs, torch.ones(50)), session.model)
    units = bands().learned(session, data, 0)
    found = measured(Study(session, data, units), Plan()).found
    lender = units.lenders.of(range(50))
    wanted = STRENGTHS * (inputs - lender).mean(dim=(2, 3))
    torch.testing.assert_close(found.score, wanted)
    torch.testing.assert_close(found.score.mean(dim=0), torch.zeros(4, dtype=torch.float64), rtol=0, atol=1e-12)


def test_permutation_importance_of_a_linear_model_is_its_closed_form():
    """The rise of the squared error of a model that is right is 2 w^2 Var(x), Fisher et al. 2019; pixels are all alike, so x is one number."""
    x = torch.randn(1500, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * torch.tensor(
        [1.0, 2, 1, 1]
    )
    inputs = x[:, :, None, None].expand(-1, -1, 12, 12)
    session = Session(seewhy.Model(linear()), rows=64)
    data = dataset((inputs, torch.ones(1500)), session.model)
    made = importance_of(session, data, bands(), plan=Plan(check=False, rows=64))
    size = {weight.unit: weight.magnitude for weight in made.weights}
    for band, strength, spread in zip(bands().names, STRENGTHS.tolist(), (1, 2, 1, 1), strict=True):
        wanted = abs(strength) * spread * 2 / torch.pi**0.5  # E |x - x'| of two normal numbers
        assert size[band].value == pytest.approx(wanted, rel=0.06)
        assert size[band].low <= wanted <= size[band].high or wanted == 0
    found = measured(Study(session, data, bands().learned(session, data, 0)), Plan(rows=64)).found
    squares = found.score.square().mean(dim=0)
    torch.testing.assert_close(squares, 2 * STRENGTHS.square() * x.var(dim=0), rtol=0.12, atol=0)


def test_squared_loss_of_a_perfect_model_rises_by_twice_the_explained_variance():
    inputs = noise(60, 4)
    network = linear()
    truth = network(inputs)[:, 1].detach()
    session = Session(seewhy.Model(network))
    data = dataset((inputs, torch.zeros(60)), session.model)
    units = bands().learned(session, data, 3)
    found = measured(Study(session, data, units, Custom(lambda out: out[:, 1])), Plan()).found
    rise = (truth[:, None] - found.score - truth[:, None]).square().mean(dim=0)  # (f(x') - y)^2 - (f(x) - y)^2
    means = inputs.mean(dim=(2, 3))
    lent = units.lenders.of(range(60)).mean(dim=(2, 3))
    centred, other = means - means.mean(dim=0), lent - lent.mean(dim=0)
    variance = centred.square().mean(dim=0)
    covariance = (centred * other).mean(dim=0)  # between a picture and its lender: zero in the limit
    torch.testing.assert_close(rise, 2 * STRENGTHS.square() * (variance - covariance))


def test_the_one_band_that_matters_comes_first_and_the_check_holds():
    weight = torch.zeros(6, 12, 12, dtype=torch.float64)
    weight[4] = 1.0
    network = LooksAt(weight)
    inputs = noise(60, 6)
    labels = network(inputs).argmax(dim=1)
    made = seewhy.importance(network, (inputs, labels), "bands")
    assert made.weights[0].unit == "band 5"
    assert made.weights[0].loss.low > 0
    assert all(weight.magnitude.high == 0 for weight in made.weights[1:])
    assert made.check.gap.low > 0
    assert made.check.beats >= 0.9
    assert made.check.words.startswith("The ranking holds")
    assert made.replacement == "the same place of another picture of the data"


def test_names_of_bands():
    assert band_names(3, "bgr") == ("blue", "green", "red")
    assert band_names(5, "rgb") == ("band 1", "band 2", "band 3", "band 4", "band 5")


def test_a_single_channel_has_nothing_to_be_compared_with():
    with pytest.raises(seewhy.ConfigError, match="single channel"):
        seewhy.importance(LooksAt(torch.ones(1, 12, 12)), (torch.rand(4, 1, 12, 12), torch.zeros(4)), "bands")


def test_one_picture_has_no_other_to_take_from():
    with pytest.raises(seewhy.ConfigError, match="only one"):
        seewhy.importance(LooksAt(torch.ones(3, 12, 12)), torch.rand(1, 3, 12, 12), "bands", replace="resample")
