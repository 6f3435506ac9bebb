"""What is usual at a layer: streamed sums against all pictures at once."""

import pytest
import torch
from unit_planted import natural_inputs, planted_model

import seewhy
from networks import SmallViT, seeded
from seewhy.data.dataset import dataset
from seewhy.evaluation.ground import Ground, at_cells, features, largest, strongest_cells
from seewhy.evaluation.natural import SAMPLE, natural


def test_sums_equal_those_over_all_pictures_at_once():
    model, (inputs, labels) = planted_model(), natural_inputs(21)
    found = natural(Ground(seewhy.Session(model), "look", dataset((inputs, labels), model)), ["look"])
    with torch.no_grad():
        given = model.module.look(inputs)
    values = given.flatten(2).amax(dim=2)
    assert found.pictures == 21
    assert torch.allclose(found.mean, values.mean(0), atol=1e-12)
    assert torch.allclose(found.deviation, values.std(0), atol=1e-12)
    assert torch.allclose(found.highest, values.amax(0), atol=1e-12)
    assert torch.allclose(found.average, given.mean(dim=(0, 2, 3)), atol=1e-12)
    assert torch.allclose(found.sample["look"], given.mean(dim=(2, 3))[:SAMPLE], atol=1e-12)
    assert torch.allclose(found.middle["look"], given[:, :, 3, 3], atol=1e-12)


def test_deviation_keeps_its_digits_far_from_zero():
    model, (inputs, labels) = planted_model(), natural_inputs(20)
    model.module.look.bias = torch.nn.Parameter(torch.full((5,), 1e8, dtype=torch.float64))
    found = natural(Ground(seewhy.Session(model), "look", dataset((inputs, labels), model)))
    with torch.no_grad():
        values = model.module.look(inputs).flatten(2).amax(dim=2)
    assert torch.allclose(found.deviation, values.std(0), rtol=1e-6)


def test_dead_unit_is_constant_and_stands_nowhere():
    model = planted_model()
    found = natural(Ground(seewhy.Session(model), "look", dataset(natural_inputs(), model)))
    assert [found.constant(channel) for channel in range(5)] == [False] * 4 + [True]
    standing = found.standing(found.highest[None])[0]
    assert standing[4].isnan()
    assert torch.isfinite(standing[:4]).all()


def test_a_unit_at_its_ceiling_on_every_picture_is_constant_but_not_dead():
    model = planted_model()
    model.module.look.register_forward_hook(lambda part, given, made: made.clamp(max=-1.0) if made.min() < -9 else made)
    inputs, labels = natural_inputs(8)
    ramp = torch.linspace(-1, 1, 16, dtype=torch.float64).expand(8, 3, 16, 16) * 100
    found = natural(Ground(seewhy.Session(model), "look", dataset((ramp + inputs, labels), model)))
    assert found.constant(0)
    assert not found.dead(0)


def test_progress_and_thinning_count_pictures():
    model = planted_model()
    told = []
    here = Ground(
        seewhy.Session(model), "look", dataset(natural_inputs(20), model), None, lambda *about: told.append(about)
    )
    assert natural(here.thinned(6)).pictures == 6
    assert told[-1] == ("natural pictures", 6, 6)
    assert here.thinned(6).data.names[0] == here.data.names[0]
    assert here.thinned(6).data.names[-1] == here.data.names[-1]
    assert here.thinned(50) is here


def test_cells_are_means_over_what_they_cover():
    fine = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert at_cells(fine, (2, 2), torch.tensor([3])).item() == pytest.approx((10 + 11 + 14 + 15) / 4)
    assert at_cells(fine, (2, 2)).item() == pytest.approx((10 + 11 + 14 + 15) / 4)  # the middle: row 1, column 1
    assert at_cells(fine, ()).item() == pytest.approx(7.5)
    assert strongest_cells(fine, 0).item() == 15


def test_layers_of_tokens_and_of_rows_have_values_and_features_too():
    tokens = torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(largest(tokens), tokens.amax(dim=1))
    assert torch.allclose(features(tokens), tokens.mean(dim=1))
    rows = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(largest(rows), rows)
    assert torch.equal(features(rows), rows)


def test_a_transformer_is_looked_at_as_well():
    network = seeded(SmallViT())
    model = seewhy.Model(network, size=8, mean=0.5, std=0.5)
    inputs = torch.randn(6, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = natural(Ground(seewhy.Session(model), "blocks.1", dataset((inputs, torch.zeros(6)), model)))
    assert found.units == 8
    assert found.middle["blocks.1"].shape == (6, 8)
