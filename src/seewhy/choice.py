"""A sensible method for a network, and why: what `method="auto"` means."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from seewhy.core.method import Method
from seewhy.core.registry import make
from seewhy.engine.black_box import is_black_box
from seewhy.engine.session import Session
from seewhy.errors import LayerError

AUTO_METHOD = "auto"
"""What stands for "choose one for me" in the place of a method's key."""
COARSE = 4
"""Fewer cells than this along a side of the last grid show no place."""


@dataclass(frozen=True)
class Choice:
    """A method, and the sentence that says why it was chosen."""

    method: Method
    why: str

    @property
    def note(self) -> str:
        """What a reader of the map is told."""
        return f"method chosen by itself: {self.method.title}, because {self.why}"


def choose(session: Session, inputs: Float[Tensor, "b c *spatial"]) -> Choice:
    """Choose a method by what the network is; the images themselves play no part, so all images of a kind get the same one.

    Args:
        session: holds the network.
        inputs: images of the size in question.
    """
    if is_black_box(session.network.module):
        return Choice(
            make("kernel-shap"),
            "the network is a black box, and this one needs answers only, is signed and has error bars",
        )
    layers, _ = session.network.layers(tuple(inputs.shape[2:]), inputs.shape[1])
    if any(layer.grid is not None and layer.grid.form == "tokens" and layer.grid.extra for layer in layers):
        return Choice(
            make("gradient-rollout"),
            "the network is a transformer with a class token, which gathers its evidence by attention",
        )
    try:
        layer = session.network.target_layer(inputs)
    except LayerError:
        return Choice(_at_pixels(session), "no layer of the network has a spatial grid")
    grid = session.network.activation_shape(layer, inputs)[1:]
    size, frames = " x ".join(map(str, grid)), inputs.shape[2] if session.model.for_clips else 1
    if min(grid[-2:] if session.model.for_clips else grid) < COARSE:
        return Choice(_at_pixels(session), f"the network's last grid of {size} cells is too coarse to show a place")
    if session.model.for_clips and grid[0] == 1 < frames:
        return Choice(_at_pixels(session), f"the network's last grid of {size} cells has no frames, and shows no time")
    return Choice(make("grad-cam"), "the network keeps a grid to its last layers, where this one is cheap and robust")


def _at_pixels(session: Session) -> Method:
    known = session.model.mean is not None and session.model.std is not None
    return make("integrated-gradients", baseline="black" if known else "blur")
