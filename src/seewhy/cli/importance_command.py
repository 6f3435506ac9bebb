"""The command that ranks what counts, and its options; what it does stands in `weighing`."""

from pathlib import Path
from typing import Annotated

import typer

from seewhy.cli.options import AsJson, Checkpoint, Device, FitName, Force, Layer, ModelName, Out, Seed


def importance(
    source: Annotated[
        Path, typer.Argument(metavar="PHOTO|FOLDER", help="A picture, or a folder of them.", show_default=False)
    ],
    of: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="What is ranked: regions, superpixels (one photo), foreground, bands, channels, heads, layers, concepts, attributes.",
        ),
    ] = "regions",
    model: ModelName = "efficientnet-lite0",
    layer: Layer = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            "-t",
            metavar="CLASS",
            help="Class whose score counts, by name or index; by default each picture's own: its label, else the predicted class.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        str,
        typer.Option(
            metavar="ablation|shapley|contribution",
            help="Each unit taken away alone; in all orders; or gradient times activation (channels).",
        ),
    ] = "ablation",
    replace: Annotated[
        str | None,
        typer.Option(
            metavar="mean|resample|blur|zero",
            help="What stands in the place of a unit; by default what suits the kind.",
            show_default=False,
        ),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="For foreground: a mask picture for each picture, of the same name; what is not black is the object.",
            show_default=False,
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="For attributes: a line for each picture, with its file name and what is known of it.",
            show_default=False,
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="The column with the file names; found by itself by default.", show_default=False
        ),
    ] = None,
    dictionary: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="For concepts: the .safetensors file that `seewhy concepts` wrote.", show_default=False
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(min=1, help="Regions along each side, or how many superpixels.", show_default=False),
    ] = None,
    group: Annotated[
        float | None,
        typer.Option(
            metavar="CORRELATION",
            help="Take units away together whose effects correlate by more than this, such as 0.9.",
            show_default=False,
        ),
    ] = None,
    interactions: Annotated[
        bool, typer.Option("--interactions", help="Also measure how the first twenty units act in pairs.")
    ] = False,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="N|TIME",
            help="The most that may be spent: a time (30s, 2m), or for Shapley answers for each picture (500).",
            show_default=False,
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="For channels and concepts: folder for what their layer gives, shared with other commands.",
            show_default=False,
        ),
    ] = None,
    out: Out = Path(),
    fit: FitName = None,
    checkpoint: Checkpoint = None,
    as_json: AsJson = False,
    force: Force = False,
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """Rank what counts, with intervals, and check whether the ranking holds.

    Parts of the picture, parts of the network, or attributes of the pictures. Writes NAME.importance.KIND.html (the page to read), .png, .json
    (every number) and .csv (the table).
    """
    from seewhy.cli.weighing import Order, run

    run(
        Order(
            source=source,
            of=of,
            model=model,
            checkpoint=checkpoint,
            layer=layer,
            target=target,
            by=by,
            replace=replace,
            masks=masks,
            table=table,
            key=key,
            dictionary=dictionary,
            count=count,
            group=group,
            interactions=interactions,
            budget=budget,
            cache=cache,
            out=out,
            fit=fit,
            as_json=as_json,
            force=force,
            seed=seed,
            device=device,
        )
    )
