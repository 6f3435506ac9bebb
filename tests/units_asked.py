"""Units taken away in a small data set, without what averages and ranks: shared by the tests of each kind of unit."""

import torch

import seewhy
from seewhy.contributions.effects import Asked, effects, joined
from seewhy.core.target import Target
from seewhy.data.dataset import Dataset, dataset
from seewhy.engine.block import Question
from seewhy.engine.probe import NetworkProbe


def data_of(network, shape=(6, 3, 8, 8)):
    """Seeded float64 inputs, and the same as a data set whose labels are all 0."""
    images = torch.randn(shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    return images, dataset((images, torch.zeros(len(images), dtype=torch.long)), seewhy.Model(network))


def asked_of(network, data: Dataset, units, target: Target, *, rows=8, seed=0):
    """Have the units learn from the data, and return what is asked of each batch, with the numbers of its pictures."""
    session = seewhy.Session(network)
    known = units.learned(session, data, seed)
    found = []
    for batch in data.batches(session.model, rows):
        block = session.block(session.network.accept(batch.inputs), known.needs())
        probe = NetworkProbe(Question(block, target), known.needs())
        found.append((Asked(probe, known.of_batch(batch, 0), batch.labels), batch.places))
    return found


def effects_of(network, data: Dataset, units, target: Target, *, rows=8, seed=0):
    """Return what each unit does in each picture."""
    asked = asked_of(network, data, units, target, rows=rows, seed=seed)
    return joined([effects([one], places) for one, places in asked])
