"""What a layer gives on a photo, in one call."""

from collections.abc import Sequence

from seewhy.api import ModelLike, Session, Source
from seewhy.core.method import AUTO
from seewhy.engine.model import Fit
from seewhy.visualization.activations import SHOWN, Activations, Scale
from seewhy.visualization.activations import activations as activations_of
from seewhy.visualization.layer_maps import Order


def activations(
    photo: Source,
    model: ModelLike = None,
    layer: str = AUTO,
    *,
    channels: int | Sequence[int] = SHOWN,
    by: Order = "peak",
    scale: Scale = "own",
    fit: Fit | None = None,
    device: str | None = None,
) -> Activations:
    """Show what a layer gives on one photo: where is each channel active, and what do all of them have in common?

    Args:
        photo: a path, a PIL picture, a uint8 array (h, w, 3), or a float tensor (3, h, w) with values from 0 to 1.
        model: a `seewhy.Model`, or a name for `seewhy.load_model`; the built-in network if None.
        layer: name of the layer; "auto" is the one that methods look at.
        channels: how many of the strongest are shown, or the numbers of those that are wanted.
        by: what makes a channel strong: "peak" (largest magnitude anywhere) or "mean" (mean magnitude).
        scale: "own": each map ends at its own peak; "one" scale for all.
        fit: "crop", "pad" or "squash"; the model's own way if None.
        device: where to run; where the network is, if None.

    Returns:
        `Activations`: `.sheet()` draws them, `.maps` (m, h, w) are the raw values of the channels shown, `.layer` holds the whole layer with
        `.maps` (c, h, w), `.norm()` and `.components()`, `.save("maps.npz")` writes them.

    Raises:
        LayerError: no such layer; the nearest names are offered.
        SeewhyError: the picture, the model or a channel does not fit; the message says what to do.

    Example:
        >>> seewhy.activations("photo.jpg", layer="blocks.10").sheet().save("activations.png")
    """
    with Session(model, device=device) as session:
        [made] = session.samples([photo], fit)
        name = session.network.target_layer(session.network.accept(made.inputs[None])) if layer == AUTO else layer
        return activations_of(session, made, name, channels=channels, by=by, scale=scale)
