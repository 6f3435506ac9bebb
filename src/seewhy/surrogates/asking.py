"""What a student is asked about: photos, ready inputs, and the network that looks at them."""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from seewhy.adapters.load import load_model
from seewhy.core.sample import Sample
from seewhy.data.dataset import Dataset
from seewhy.data.features import Features, features
from seewhy.data.picture import sample
from seewhy.engine.model import Fit, Model
from seewhy.engine.session import Session
from seewhy.errors import DataError, ModelError, ShapeError


def session_of(model: Model | nn.Module | str | None, known: Session | None) -> Session:
    """Return what runs the network that is asked; raise `ModelError` where there is none."""
    if model is None:
        if known is None:
            raise ModelError(
                "a student that was read from a file needs the network that it was made for, to look at pictures: give model="
            )
        return known
    if isinstance(model, str):
        model = load_model(model)
    return Session(model if isinstance(model, Model) else Model(model))


def features_of(session: Session, source: object, layer: str, fit: Fit | None) -> Features:
    """Return what a layer gives for pictures, each of which must be readable.

    Raises:
        DataError: one of them cannot be read.
    """
    found = features(session, _pictures(source, session.model, fit), layer, fit=fit)
    if found.data.broken:
        name, why = next(iter(found.data.broken.items()))
        raise DataError(f"{len(found.data.broken)} of the pictures cannot be read, such as {name}: {why}")
    return found


def _pictures(source: object, model: Model, fit: Fit | None) -> object:
    """Return pictures as a data set takes them."""
    if isinstance(source, Tensor):
        if source.dim() < 4:
            raise ShapeError(f"ready inputs are (n, c, h, w), got {tuple(source.shape)}; one alone is x[None]")
        return source, torch.full((len(source),), -1)
    given = list(source) if isinstance(source, (list, tuple)) else [source]
    if given and all(isinstance(one, (Image.Image, Sample)) for one in given):
        ready = tuple(one if isinstance(one, Sample) else sample(one, model, fit) for one in given)
        return Dataset(tuple(f"picture {n}" for n in range(len(ready))), (None,) * len(ready), ready=ready)
    return [source] if isinstance(source, (str, Path)) else source
