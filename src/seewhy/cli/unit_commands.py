"""The commands about what is inside a network, and their options; what they do stands in the modules beside this one."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from seewhy.cli.options import AsJson, Checkpoint, Device, FitName, Force, Layer, ModelName, Out, Photos, Seed


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


def unit(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model: see `seewhy models`.", show_default=False)],
    name: Annotated[
        str,
        typer.Argument(
            metavar="LAYER:CHANNEL", help="The unit, such as blocks.8:20; see `seewhy layers`.", show_default=False
        ),
    ],
    data: Annotated[
        list[Path],
        typer.Option("--data", metavar="FOLDER", help="Natural pictures; may be repeated.", show_default=False),
    ],
    pictures: Annotated[int, typer.Option(min=1, max=16, help="Made for the unit, from different starts.")] = 4,
    top: Annotated[int, typer.Option(min=1, max=36, help="Natural examples.")] = 9,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Of gradient ascent, for each picture.", show_default=False)
    ] = None,
    natural: Annotated[int, typer.Option(min=1, help="Pictures, at most, that say what is usual.")] = 512,
    ablated: Annotated[
        int, typer.Option(min=0, help="Pictures, at most, on which the unit is taken away; 0 for none.")
    ] = 256,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the search for examples is put away.", show_default=False),
    ] = None,
    out: Out = Path(),
    fit: FitName = None,
    checkpoint: Checkpoint = None,
    as_json: AsJson = False,
    force: Force = False,
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """Show one unit on a card: pictures made for it beside natural ones, the classes it speaks for, and how far to trust that.

    Writes LAYER-CHANNEL.unit.html (the page to read), .unit.png (the card to show) and .unit.json (every number).
    """
    from seewhy.cli.carding import Order, run

    run(
        Order(
            model=model,
            unit=name,
            data=data,
            checkpoint=checkpoint,
            pictures=pictures,
            top=top,
            steps=steps,
            natural=natural,
            ablated=ablated,
            out=out,
            fit=fit,
            cache=cache,
            as_json=as_json,
            force=force,
            seed=seed,
            device=device,
        )
    )


def visualize(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model: see `seewhy models`.")] = "efficientnet-lite0",
    layer: Annotated[
        list[str] | None,
        typer.Option(
            help="Layer of the channels, or that a photo is seen through; may be repeated.", show_default=False
        ),
    ] = None,
    channel: Annotated[
        list[str] | None,
        typer.Option(metavar="N|A-B", help="Channels of the layer: 3, 0-9, 1,5; may be repeated.", show_default=False),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="center|ROW,COL", help="One neuron of the channel, not the mean of all.", show_default=False
        ),
    ] = None,
    of_class: Annotated[
        list[str] | None,
        typer.Option("--class", help="A class, by name or index; may be repeated.", show_default=False),
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="A class that is to lose: --class zebra --against horse.", show_default=False)
    ] = None,
    photo: Annotated[
        Path | None, typer.Option(help="Make the picture from a photo; see --as.", show_default=False)
    ] = None,
    way: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="caricature|inversion|accentuation",
            help="Exaggerate what a layer sees in the photo, show what a layer has kept of it, or change it a little towards a class or channel.",
            show_default=False,
        ),
    ] = None,
    count: Annotated[int, typer.Option(help="Pictures for each target, from as many seeds.")] = 1,
    diverse: Annotated[
        bool, typer.Option("--diverse", help="Make the --count pictures differ from each other.")
    ] = False,
    canvas: Annotated[
        str | None, typer.Option(help="What a picture is made of: fourier, pixels or maco.", show_default=False)
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Of gradient ascent.", show_default=False)] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="N|TIME", help="The most for all pictures together: 30s, 2m, or steps.", show_default=False
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="N|HxW", help="Size in pixels; the network's own by default.", show_default=False),
    ] = None,
    tv: Annotated[float | None, typer.Option(help="Weight of the total variation.", show_default=False)] = None,
    l2: Annotated[float | None, typer.Option(help="Weight of the distance from grey.", show_default=False)] = None,
    power: Annotated[
        float, typer.Option(help="Of the cosine of a caricature; higher keeps nearer to the photo.")
    ] = 1.0,
    within: Annotated[
        float, typer.Option(help="How far the activations of an accentuated photo may move, as a share of their size.")
    ] = 0.4,
    npz: Annotated[bool, typer.Option("--npz", help="Write the pictures as arrays, too.")] = False,
    out: Out = Path(),
    fit: FitName = None,
    checkpoint: Checkpoint = None,
    as_json: AsJson = False,
    force: Force = False,
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """Make pictures that excite channels or classes most; with --photo, a caricature, an inversion or an accentuation of it.

    Writes NAME.visualize.png for each picture, a sheet with all of them and their scores (.sheet.png), and the numbers (.json).
    """
    from seewhy.cli.visualizing import Order, run
    from seewhy.cli.wished import Wish

    wish = Wish(tuple(layer or ()), tuple(channel or ()), at, tuple(of_class or ()), against, photo, way)
    run(
        Order(
            model=model,
            checkpoint=checkpoint,
            wish=wish,
            fit=fit,
            canvas=canvas,
            count=count,
            diverse=diverse,
            steps=steps,
            budget=budget,
            size=size,
            tv=tv,
            l2=l2,
            power=power,
            within=within,
            npz=npz,
            out=out,
            as_json=as_json,
            force=force,
            seed=seed,
            device=device,
        )
    )


def examples(
    pictures: Annotated[
        list[Path], typer.Argument(metavar="FOLDER…", help="Folders of pictures, or pictures.", show_default=False)
    ],
    layer: Annotated[
        list[str] | None,
        typer.Option(
            help="Layer to look into, may be repeated: see `seewhy layers`; found by itself by default.",
            show_default=False,
        ),
    ] = None,
    channel: Annotated[
        list[int] | None,
        typer.Option(
            metavar="C",
            help="Channel to show, may be repeated; 12 spread over the layer by default. All are searched and stored.",
            show_default=False,
        ),
    ] = None,
    model: ModelName = "efficientnet-lite0",
    top: Annotated[int, typer.Option(min=1, max=100, help="Pictures at either end of each channel.")] = 9,
    rungs: Annotated[int, typer.Option(min=1, max=100, help="Pictures across the quantiles between.")] = 9,
    sample: Annotated[int, typer.Option(min=1, help="Pictures in the random sample for the quantiles.")] = 256,
    keep_duplicates: Annotated[
        bool, typer.Option("--keep-duplicates", help="Keep pictures that are nearly the same as an earlier one.")
    ] = False,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where the search is put away, so that one that was killed goes on; OUT/cache by default.",
            show_default=False,
        ),
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Put nothing away.")] = False,
    out: Out = Path(),
    fit: FitName = None,
    checkpoint: Checkpoint = None,
    as_json: AsJson = False,
    force: Force = False,
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """Find the pictures that each channel of a layer likes best and least, in one pass over a folder.

    Writes for each layer FOLDER.LAYER.examples.png (the sheet) and .html (the page to read), and for all FOLDER.examples.json (every number) and .npz.
    Exit codes: 0 all done, 2 wrong use, 3 some pictures could not be used, 130 interrupted; the same command then goes on.
    """
    from seewhy.cli.searching import Order, run

    run(
        Order(
            pictures=pictures,
            model=model,
            checkpoint=checkpoint,
            layers=layer,
            channels=channel,
            top=top,
            rungs=rungs,
            sample=sample,
            distinct=not keep_duplicates,
            cache=cache,
            cached=not no_cache,
            out=out,
            fit=fit,
            as_json=as_json,
            force=force,
            seed=seed,
            device=device,
        )
    )


def atlas(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model: see `seewhy models`.", show_default=False)],
    layer: Annotated[str, typer.Argument(metavar="LAYER", help="A layer: see `seewhy layers`.", show_default=False)],
    data: Annotated[
        list[Path],
        typer.Option("--data", metavar="FOLDER", help="Natural pictures; may be repeated.", show_default=False),
    ],
    units: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Which, such as 0-9,40; all, but at most 320.", show_default=False),
    ] = None,
    pictures: Annotated[int, typer.Option(min=1, max=4, help="Made for each unit, from different starts.")] = 2,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Of gradient ascent, for each picture.", show_default=False)
    ] = None,
    natural: Annotated[int, typer.Option(min=1, help="Pictures, at most, that say what is usual.")] = 256,
    ablated: Annotated[
        int, typer.Option(min=0, help="Pictures, at most, on which each unit is taken away; 0 for none.")
    ] = 32,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="The time for the made pictures (10m); what is done is written.", show_default=False
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the search for examples is put away.", show_default=False),
    ] = None,
    out: Out = Path(),
    fit: FitName = None,
    checkpoint: Checkpoint = None,
    as_json: AsJson = False,
    force: Force = False,
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """Show all units of a layer as one page that is browsed, searched and sorted; Ctrl-C keeps what is done.

    Writes LAYER.atlas.html and LAYER.atlas.json.
    """
    from seewhy.cli.surveying import Order, run

    run(
        Order(
            model=model,
            layer=layer,
            data=data,
            checkpoint=checkpoint,
            units=units,
            pictures=pictures,
            steps=steps,
            natural=natural,
            ablated=ablated,
            budget=budget,
            out=out,
            fit=fit,
            cache=cache,
            as_json=as_json,
            force=force,
            seed=seed,
            device=device,
        )
    )


COMMANDS: tuple[Callable[..., None], ...] = (activations, visualize, examples, unit, atlas)
"""In the order in which `seewhy --help` lists them."""
