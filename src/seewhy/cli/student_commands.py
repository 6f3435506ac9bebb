"""The commands about readable models, and their options; what they do stands in the modules beside this one."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from seewhy.cli.options import AsJson, Checkpoint, Device, FitName, Force, Layer, Out, Seed


def distill(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model: see `seewhy models`.", show_default=False)],
    data: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Pictures, each class in a folder of its name.", show_default=False)
    ],
    into: Annotated[str, typer.Option(metavar="KIND|all", help="Which readable model.")] = "linear",
    on: Annotated[
        str,
        typer.Option(
            metavar="concepts|channels|FILE", help="What it reads; a file is a dictionary that `seewhy concepts` wrote."
        ),
    ] = "concepts",
    count: Annotated[int, typer.Option(min=1, help="How many concepts are found.")] = 16,
    layer: Layer = None,
    teacher: Annotated[str, typer.Option(metavar="network|labels", help="Who teaches.")] = "network",
    points: Annotated[
        float, typer.Option(min=0, help="Percentage points of fidelity to give up for a smaller model.")
    ] = 2.0,
    out: Out = Path(),
    fit: FitName = None,
    checkpoint: Checkpoint = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder for what the network gives, so that it is computed once.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
    force: Force = False,
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """Fit readable models to a network, and say how nearly they say what it says."""
    from seewhy.cli.distilling import Order, run

    run(
        Order(
            model=model,
            data=data,
            into=into,
            on=on,
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


COMMANDS: tuple[Callable[..., None], ...] = (distill,)
"""In the order in which `seewhy --help` lists them."""
