"""The command `seewhy objects` and its options; what it does stands in the module beside this one."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from seewhy.cli.options import (
    AsJson,
    BudgetOption,
    Checkpoint,
    Device,
    FillOption,
    FitName,
    Force,
    Layer,
    Out,
    Photos,
    Seed,
    SegmentsOption,
    Settings,
)


def objects(
    photos: Photos,
    model: Annotated[str, typer.Option("--model", "-m", help="A detector: see `seewhy models`.", show_default=False)],
    method: Annotated[
        str, typer.Option(help="How: see `seewhy methods`; auto is hires-cam, and rise for a black box.")
    ] = "auto",
    truth: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Marked objects: COCO's .json, YOLO's .txt, or a folder of these; what was missed is then explained, too.",
            show_default=False,
        ),
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Names of YOLO's classes, one a line; the model's labels by default.",
            show_default=False,
        ),
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Objects that are explained, of the found and of the missed.")] = 8,
    layer: Layer = None,
    settings: Settings = None,
    budget: BudgetOption = None,
    segments: SegmentsOption = None,
    fill: FillOption = None,
    out: Out = Path(),
    fit: FitName = None,
    checkpoint: Checkpoint = None,
    as_json: AsJson = False,
    force: Force = False,
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """List what a detector found in each photo and what it missed, and show where the evidence for each object lies.

    Writes for each photo NAME.objects.html (the page to read), .png (one picture), .json (every number) and .npz (the raw maps).
    """
    from seewhy.cli.choosing import MethodOrder
    from seewhy.cli.explaining_objects import Order, run

    run(
        Order(
            photos=photos,
            model=model,
            checkpoint=checkpoint,
            method=method,
            about=MethodOrder(tuple(settings or ()), layer, budget, segments, fill),
            truth=truth,
            classes=classes,
            most=most,
            out=out,
            fit=fit,
            as_json=as_json,
            force=force,
            seed=seed,
            device=device,
        )
    )


COMMANDS: tuple[Callable[..., None], ...] = (objects,)
"""As `seewhy --help` lists it."""
