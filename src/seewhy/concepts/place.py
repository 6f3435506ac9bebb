"""Where concepts are looked for when nobody says where: at a layer that everything passes through."""

from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from seewhy.core.method import AUTO
from seewhy.data.dataset import Dataset, dataset
from seewhy.data.features import Features, Progress, features
from seewhy.engine.black_box import is_black_box
from seewhy.engine.head import Head
from seewhy.engine.model import Fit
from seewhy.engine.session import Session
from seewhy.errors import LayerError

TRIES = 24
"""Layers that are tried, from the last one backwards."""


def concept_features(
    session: Session,
    data: object,
    layer: str = AUTO,
    *,
    fit: Fit | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> Features:
    """Return what a layer gives for pictures; "auto" is the one that `passed_layer` finds. See `seewhy.data.features.features`."""
    source = data if isinstance(data, Features) else dataset(data, session.model)
    if layer == AUTO and isinstance(source, Dataset) and len(source) and not is_black_box(session.network.module):
        layer = passed_layer(session, next(source.batches(session.model, 2, fit)).inputs)
    return features(session, source, layer, fit=fit, cache=cache, progress=progress)


def passed_layer(session: Session, images: Float[Tensor, "b c *spatial"]) -> str:
    """Return the layer that methods look at; where something goes round it, the last one before it that everything passes through.

    In a transformer methods look at the norm of the last block, and the sum that the block adds to goes round it; what the block before hands on is
    the same sum, and all that follows depends on it alone. Where no such layer is found, it is the one that methods look at.

    Args:
        session: runs the network.
        images: two that differ, as the network takes them.
    """
    network = session.network
    chosen = network.target_layer(network.accept(images))
    if _all_passes(session, chosen, images):
        return chosen
    listed = [layer for layer in network.layers(tuple(images.shape[2:]), images.shape[1])[0] if layer.runs == 1]
    names = [layer.name for layer in listed]
    before = listed[: names.index(chosen)] if chosen in names else []
    candidates = [layer.name for layer in reversed(before) if layer.grid is not None]
    return next((name for name in candidates[:TRIES] if _all_passes(session, name, images)), chosen)


def _all_passes(session: Session, layer: str, images: Tensor) -> bool:
    try:
        Head.of(session.network, layer, images)
    except LayerError:
        return False
    return True
