"""Which climb suits which target."""

from networks import SmallCNN, seeded
from seewhy.engine.model import Model
from seewhy.targets import Channel, ClassScore
from seewhy.visualization.maco import Maco
from seewhy.visualization.profiles import suited


def test_classes_keep_the_spectrum_of_photos_and_units_are_free():
    model = Model(seeded(SmallCNN()), size=224, mean=0.5, std=0.5)
    assert isinstance(suited(model, ClassScore(1)).canvas, Maco)
    assert isinstance(suited(model, ClassScore(1) - Channel("body", 0)).canvas, Maco)
    assert not isinstance(suited(model, Channel("body", 0)).canvas, Maco)


def test_small_inputs_are_moved_by_no_more_than_two_pixels():
    model = Model(seeded(SmallCNN()), size=32, mean=0.5, std=0.5)
    for target in (Channel("body", 0), ClassScore(1)):
        climb = suited(model, target)
        assert climb.views.shift <= 2 and climb.views.turn <= 5 and climb.views.crop == (1.0, 1.0)
