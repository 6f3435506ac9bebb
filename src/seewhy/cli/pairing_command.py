"""The command that compares two pictures, and its options."""

from pathlib import Path
from typing import Annotated

import typer

from seewhy.cli.options import AsJson, Checkpoint, Device, FitName, Force, Layer, ModelName, Out, Seed, Settings


def similar(
    first: Annotated[Path, typer.Argument(metavar="A", help="A picture.", show_default=False)],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another picture.", show_default=False)],
    model: ModelName = "efficientnet-lite0",
    method: Annotated[str, typer.Option(help="How the maps are made: see `seewhy methods`.")] = "grad-cam",
    measure: Annotated[
        str, typer.Option(metavar="cosine|dot|distance", help="How embeddings are compared.")
    ] = "cosine",
    threshold: Annotated[
        float | None, typer.Option(help="Score from which the two count as the same.", show_default=False)
    ] = None,
    embedding: Annotated[
        str | None,
        typer.Option(
            metavar="LAYER|answer",
            help="Layer whose mean over places is the embedding; the answer, or a classifier's last layer, by itself.",
            show_default=False,
        ),
    ] = None,
    layer: Layer = None,
    settings: Settings = None,
    out: Out = Path(),
    fit: FitName = None,
    checkpoint: Checkpoint = None,
    as_json: AsJson = False,
    force: Force = False,
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """Say how alike two pictures are to a network, and show where in each the likeness lies.

    Writes A-B.similar.html, .png and .json.
    """
    from seewhy.cli.choosing import MethodOrder
    from seewhy.cli.pairing import Order, run

    run(
        Order(
            first=first,
            second=second,
            model=model,
            checkpoint=checkpoint,
            method=method,
            about=MethodOrder(tuple(settings or ()), layer, None, None, None),
            measure=measure,
            threshold=threshold,
            embedding=embedding,
            out=out,
            fit=fit,
            as_json=as_json,
            force=force,
            seed=seed,
            device=device,
        )
    )
