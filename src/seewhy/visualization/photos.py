"""A photo as the start of a picture, or as what a picture is to match."""

from typing import Any

from jaxtyping import Float
from torch import Tensor

from seewhy.core.needs import Needs
from seewhy.core.values import Array
from seewhy.data.picture import sample
from seewhy.engine.model import Fit, Model
from seewhy.engine.session import Session
from seewhy.errors import ShapeError
from seewhy.targets.inside import channels_first
from seewhy.visualization.maximize import Climb, as_input, picture_shape


def as_photo(source: Any, model: Model, fit: Fit | None = None) -> Float[Tensor, "c h w"]:
    """Return a photo at the size of the network's input, with values from 0 to 1, as pictures are made.

    Args:
        source: what `seewhy.explain` takes; or, where the network takes other than one or three channels, a float tensor (c, h, w) of the
            network's size with values from 0 to 1.
        model: says size, channels and how a photo is fitted.
        fit: another way of fitting.

    Raises:
        DataError: not a picture that can be read.
        ShapeError: a tensor of another shape.
    """
    wanted = picture_shape(model, Climb())
    if wanted[0] not in (1, 3):
        if not isinstance(source, Tensor) or tuple(source.shape) != wanted or not source.is_floating_point():
            raise ShapeError(
                f"{model.title} takes {wanted[0]} channels; a photo for it is a float tensor {wanted} with values from 0 to 1"
            )
        return source.detach().clamp(0, 1)
    inputs = sample(source, model, fit).inputs
    _, mean, std = model.needs_preprocessing()
    picture = (inputs * inputs.new_tensor(std)[:, None, None] + inputs.new_tensor(mean)[:, None, None]).clamp(0, 1)
    return picture.flip(0) if model.channels == "bgr" else picture


def features_of(session: Session, photo: Float[Tensor, "c h w"], layer: str) -> Array:
    """Return what a layer gives on a photo (c, *spatial); raise `LayerError` where there is no such layer."""
    network = session.network
    inputs = network.accept(as_input(photo[None], session.model))
    activation = network.forward(inputs, Needs(activations=frozenset({layer})), stop=True).reading.activation[layer]
    return Array.of(channels_first(activation)[0].detach())
