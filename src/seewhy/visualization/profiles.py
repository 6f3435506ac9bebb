"""How a picture is best made for a target: what it is made of, how it is moved, how many steps."""

from seewhy.core.target import Target
from seewhy.engine.model import Model
from seewhy.visualization.canvas import Fourier
from seewhy.visualization.maco import Maco
from seewhy.visualization.maximize import Climb
from seewhy.visualization.views import Views

SMALL = 64
"""Inputs up to this many pixels have no room for wide movements."""
UNIT = Climb()
"""For a channel, a neuron, a direction at a layer: what it wants may grow freely."""
ANSWER = Climb(canvas=Maco(), views=Views(turn=20.0, crop=(0.5, 0.9)))
"""For a class and whatever else reads the network's answer: objects, with the contrast and the colours of a photo."""
TINY = Climb(
    canvas=Fourier(decay=1.0, finest=None, rate=0.05),
    views=Views(count=4, turn=5.0, scale=0.05, shift=2.0),
    steps=192,
)
"""For small inputs, at their own size; grain is then all the detail that there is."""


def suited(model: Model, target: Target) -> Climb:
    """Return how a picture for a target is made by default."""
    if model.input_size is not None and min(model.input_size) <= SMALL:
        return TINY
    return ANSWER if target.reads_answer() else UNIT
