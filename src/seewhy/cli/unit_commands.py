"""The commands about what is inside a network, and their options; what they do stands in the modules beside this one."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from seewhy.cli.options import AsJson, Checkpoint, Device, FitName, Force, Layer, ModelName, Out, Photos


def activations(
    photos: Photos,
    model: ModelName = "efficientnet-lite0",
    layer: Layer = None,
    channels: Annotated[
        str,
        typer.Option(metavar="N|LIST", help="How many of the strongest (24), or which (3,17; one alone: 3,)."),
    ] = "24",
    by: Annotated[
        str,
        typer.Option(metavar="peak|mean", help="Strongest by the largest magnitude anywhere, or by the mean one."),
    ] = "peak",
    scale: Annotated[
        str, typer.Option(metavar="own|one", help="Each map ends at its own peak, or all share one scale.")
    ] = "own",
    out: Out = Path(),
    fit: FitName = None,
    checkpoint: Checkpoint = None,
    as_json: AsJson = False,
    force: Force = False,
    device: Device = None,
) -> None:
    """Show what a layer gives on each photo: the maps of its strongest channels, their norm, three principal components.

    Writes for each photo NAME.activations.png (the sheet), .html (the page to read), .json (numbers of every channel) and .npz (the raw maps).
    """
    from seewhy.cli.activating import Order, run

    run(Order(photos, model, checkpoint, layer, channels, by, scale, out, fit, as_json, force, device))


COMMANDS: tuple[Callable[..., None], ...] = (activations,)
"""In the order in which `seewhy --help` lists them."""
