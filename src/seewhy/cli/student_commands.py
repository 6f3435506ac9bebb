"""The commands about readable models, and their options; what they do stands in the modules beside this one."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from seewhy.cli.options import (
    Against,
    AsJson,
    BudgetOption,
    Cache,
    Checkpoint,
    Device,
    FillOption,
    FitName,
    Force,
    Layer,
    ModelName,
    Out,
    Photos,
    Seed,
    SegmentsOption,
    Target,
)


def distill(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model: see `seewhy models`.", show_default=False)],
    data: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Pictures, each class in a folder of its name.", show_default=False)
    ],
    into: Annotated[
        str,
        typer.Option(
            metavar="KIND|all",
            help="Which readable model: linear, tree, hierarchy, rules, additive, prototypes; several with commas between.",
        ),
    ] = "linear",
    on: Annotated[
        str,
        typer.Option(
            metavar="concepts|channels|superpixels|attributes|FILE",
            help="What it reads; a file is a dictionary of concepts, as `seewhy concepts` writes it.",
        ),
    ] = "concepts",
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV", help="For attributes: a line for each picture, one column names it.", show_default=False
        ),
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column with the file names.", show_default=False)
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many concepts are found.")] = 16,
    layer: Layer = None,
    teacher: Annotated[str, typer.Option(metavar="network|labels", help="Who teaches.")] = "network",
    points: Annotated[
        float, typer.Option(min=0, help="Percentage points of fidelity to give up for a smaller model.")
    ] = 2.0,
    out: Out = Path(),
    fit: FitName = None,
    checkpoint: Checkpoint = None,
    cache: Cache = None,
    as_json: AsJson = False,
    force: Force = False,
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """Fit readable models to a network, and say how nearly they say what it says.

    Writes FOLDER.KIND.student.html (the page to read), .json (for `seewhy predict`) and .txt for each kind of model; of several also
    FOLDER.students.html, .csv and .json, which compare them.
    """
    from seewhy.cli.distilling import Order, run

    run(
        Order(
            model=model,
            data=data,
            into=into,
            on=on,
            table=table,
            key=key,
            count=count,
            layer=layer,
            teacher=teacher,
            points=points,
            out=out,
            fit=fit,
            checkpoint=checkpoint,
            cache=cache,
            as_json=as_json,
            force=force,
            seed=seed,
            device=device,
        )
    )


def predict(
    student: Annotated[
        Path, typer.Argument(metavar="STUDENT", help="A .json file that `seewhy distill` wrote.", show_default=False)
    ],
    photos: Photos,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="The network that the student was made for; the one that it names by default, unless that is code.",
            show_default=False,
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="What is known of the photos, for a student that reads attributes.",
            show_default=False,
        ),
    ] = None,
    checkpoint: Checkpoint = None,
    out: Out = Path(),
    as_json: AsJson = False,
    force: Force = False,
    device: Device = None,
) -> None:
    """Show what a student says of photos, and why, beside the network's heatmap; where the two disagree is said first.

    Writes for each photo NAME.KIND.why.html (the page to read), .png and .json.
    """
    from seewhy.cli.predicting import Order, run

    run(
        Order(
            student=student,
            photos=photos,
            model=model,
            table=table,
            checkpoint=checkpoint,
            out=out,
            as_json=as_json,
            force=force,
            device=device,
        )
    )


def local(
    photos: Photos,
    model: ModelName = "efficientnet-lite0",
    into: Annotated[str, typer.Option(metavar="linear|tree|all", help="Which readable model.")] = "all",
    target: Target = None,
    against: Against = None,
    samples: Annotated[int, typer.Option(min=8, help="Neighbours that a model is fitted to.")] = 150,
    runs: Annotated[int, typer.Option(min=2, help="Seeds over which the spread is measured.")] = 4,
    size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Superpixels of the linear model, or leaves of the tree, at most; chosen by default.",
            show_default=False,
        ),
    ] = None,
    keep: Annotated[
        float, typer.Option(help="Share of the superpixels that a neighbour shows: nearer to 1 is more local.")
    ] = 0.8,
    count: Annotated[int, typer.Option(min=2, help="About how many superpixels.")] = 16,
    segments: SegmentsOption = None,
    fill: FillOption = None,
    budget: BudgetOption = None,
    out: Out = Path(),
    fit: FitName = None,
    checkpoint: Checkpoint = None,
    as_json: AsJson = False,
    force: Force = False,
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """Fit readable models to what a network does around each photo, and say how nearly they foretell it.

    Writes for each photo NAME.local.html (the page to read), .local.png and .local.json.
    """
    from seewhy.cli.localizing import Order, run

    run(
        Order(
            photos=photos,
            model=model,
            checkpoint=checkpoint,
            into=into,
            target=target,
            against=against,
            samples=samples,
            runs=runs,
            size=size,
            keep=keep,
            count=count,
            segments=segments,
            fill=fill,
            budget=budget,
            out=out,
            fit=fit,
            as_json=as_json,
            force=force,
            seed=seed,
            device=device,
        )
    )


COMMANDS: tuple[Callable[..., None], ...] = (distill, predict, local)
"""In the order in which `seewhy --help` lists them."""
