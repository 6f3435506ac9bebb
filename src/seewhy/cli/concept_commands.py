"""The commands about concepts, and their options; what they do stands in the modules beside this one."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from seewhy.cli.options import (
    Against,
    AsJson,
    Cache,
    Checkpoint,
    Device,
    FitName,
    Force,
    Layer,
    ModelName,
    Out,
    Photos,
    Seed,
    Target,
)


def concepts(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", help="Pictures; classes are told from folder or file names.", show_default=False
        ),
    ],
    model: ModelName = "efficientnet-lite0",
    layer: Layer = None,
    count: Annotated[int, typer.Option(min=1, help="How many concepts are looked for.")] = 16,
    kind: Annotated[str, typer.Option(metavar="auto|nmf|pca|kmeans|sae", help="How they are looked for.")] = "auto",
    source: Annotated[
        str,
        typer.Option(
            metavar="positions|crops",
            help="What is taken apart: the layer's positions, or crops of the pictures (CRAFT).",
        ),
    ] = "positions",
    dictionary: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Concepts that an earlier run wrote (.safetensors), to be looked at on these pictures.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        str, typer.Option(metavar="shapley|sobol|ablation", help="How their importance is measured.")
    ] = "shapley",
    names: Annotated[
        str,
        typer.Option(
            metavar="classes|numbers",
            help="Named by the classes of their pictures, where these surely say something, or not.",
        ),
    ] = "classes",
    top: Annotated[int, typer.Option(min=1, max=48, help="Pictures that show a concept.")] = 8,
    out: Out = Path(),
    fit: FitName = None,
    checkpoint: Checkpoint = None,
    cache: Cache = None,
    as_json: AsJson = False,
    force: Force = False,
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """Take a layer's features apart into concepts that can be seen, and say how much each counts and how far to trust it.

    Writes NAME.LAYER.concepts.html (the page to read), .png, .json (every number) and .safetensors (the dictionary, for `seewhy distill --on`,
    `seewhy importance --of concepts` and others).
    """
    from seewhy.cli.discovering import Order, run

    run(
        Order(
            data=data,
            model=model,
            layer=layer,
            count=count,
            kind=kind,
            source=source,
            dictionary=dictionary,
            by=by,
            names=names,
            top=top,
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


def concept_map(
    photos: Photos,
    dictionary: Annotated[
        Path | None,
        typer.Option(
            "--dictionary",
            "-d",
            metavar="FILE",
            help="Concepts, as `seewhy concepts` wrote them (.safetensors); those that the network states by default.",
            show_default=False,
        ),
    ] = None,
    model: ModelName = "efficientnet-lite0",
    target: Target = None,
    against: Against = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            metavar="FOLDER",
            help="Pictures that show what the concepts are; may be repeated.",
            show_default=False,
        ),
    ] = None,
    out: Out = Path(),
    fit: FitName = None,
    checkpoint: Checkpoint = None,
    cache: Cache = None,
    as_json: AsJson = False,
    force: Force = False,
    device: Device = None,
) -> None:
    """Say which concepts led to what the network says of each photo: a sum that adds up, each concept with its map.

    Writes PHOTO.concept-map.html (the page to read), .png and .json (every term).
    """
    from seewhy.cli.concept_mapping import Order, run

    run(
        Order(
            photos=photos,
            dictionary=dictionary,
            model=model,
            checkpoint=checkpoint,
            target=target,
            against=against,
            data=data or [],
            out=out,
            fit=fit,
            cache=cache,
            as_json=as_json,
            force=force,
            device=device,
        )
    )


def tcav(
    concepts: Annotated[
        Path,
        typer.Argument(
            metavar="CONCEPTS", help="A folder with a folder of pictures for each concept.", show_default=False
        ),
    ],
    data: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Pictures, each class in a folder of its name.", show_default=False)
    ],
    model: ModelName = "efficientnet-lite0",
    layer: Layer = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--class",
            "-c",
            metavar="CLASS",
            help="A class to look at, by name or index; may be repeated. By default the ten with most pictures.",
            show_default=False,
        ),
    ] = None,
    random: Annotated[
        Path | None,
        typer.Option(
            "--random",
            metavar="FOLDER",
            help="Pictures that concepts are set against; by default the data, for each class without its own.",
            show_default=False,
        ),
    ] = None,
    way: Annotated[
        str, typer.Option(metavar="mean|ridge|logistic", help="How the direction of a concept is found.")
    ] = "mean difference",
    repeats: Annotated[int, typer.Option(help="Of the resampling that intervals come from; at least 50.")] = 200,
    erasure: Annotated[bool, typer.Option(help="Also take each concept out of the layer.")] = True,
    out: Out = Path(),
    fit: FitName = None,
    checkpoint: Checkpoint = None,
    cache: Cache = None,
    as_json: AsJson = False,
    force: Force = False,
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """Say which given concepts speak for or against which classes, and whether random pictures would do the same.

    Writes CONCEPTS.tcav.html (the page to read), .png, .json and .csv (every number) and .safetensors (the concepts, for seewhy distill --on).
    """
    from seewhy.cli.probing import Order, run

    run(
        Order(
            concepts=concepts,
            data=data,
            model=model,
            checkpoint=checkpoint,
            layer=layer,
            classes=classes or [],
            random=random,
            way=way,
            repeats=repeats,
            erase=erasure,
            out=out,
            fit=fit,
            cache=cache,
            as_json=as_json,
            force=force,
            seed=seed,
            device=device,
        )
    )


COMMANDS: tuple[Callable[..., None], ...] = (concepts, concept_map, tcav)
"""In the order in which `seewhy --help` lists them."""
