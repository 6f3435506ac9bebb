"""The commands and their options; what they do stands in the modules beside this one."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from seewhy.cli import console
from seewhy.cli.concept_commands import COMMANDS as CONCEPT_COMMANDS
from seewhy.cli.importance_command import importance
from seewhy.cli.objects_command import COMMANDS as OBJECT_COMMANDS
from seewhy.cli.options import (
    Against,
    AsJson,
    BudgetOption,
    Checkpoint,
    Device,
    End,
    FillOption,
    FitName,
    Force,
    Frames,
    KeepIdentity,
    Layer,
    ModelName,
    Out,
    Photos,
    Seed,
    SegmentsOption,
    Settings,
    Slices,
    Start,
    Stride,
    Target,
    Time,
)
from seewhy.cli.pairing_command import similar
from seewhy.cli.student_commands import COMMANDS as STUDENT_COMMANDS
from seewhy.cli.time_commands import COMMANDS as TIME_COMMANDS
from seewhy.cli.unit_commands import COMMANDS as UNIT_COMMANDS
from seewhy.version import __version__

app = typer.Typer(
    name="seewhy",
    help="Ask a vision model why: heatmaps that say how far to trust them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        console.out().print(f"seewhy {__version__}", markup=False)
        raise typer.Exit


@app.callback()
def common(
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Set what holds for every command."""
    console.settings.debug = debug


@app.command()
def explain(
    photos: Photos,
    model: ModelName = "efficientnet-lite0",
    method: Annotated[str, typer.Option(help="How: see `seewhy methods`.")] = "grad-cam",
    target: Target = None,
    against: Against = None,
    layer: Layer = None,
    settings: Settings = None,
    budget: BudgetOption = None,
    segments: SegmentsOption = None,
    fill: FillOption = None,
    out: Out = Path(),
    fit: FitName = None,
    checkpoint: Checkpoint = None,
    hide_test: Annotated[bool, typer.Option(help="Run the hide test: nine more passes.")] = True,
    as_json: AsJson = False,
    force: Force = False,
    seed: Seed = 0,
    device: Device = None,
    profile: Annotated[
        str,
        typer.Option(
            metavar="exact|fast",
            help="fast: bfloat16 and merged norms where the map of the first photo stays the same.",
        ),
    ] = "exact",
    frames: Frames = None,
    short: Annotated[
        str,
        typer.Option(
            metavar="error|repeat|loop",
            help="Of a clip with fewer frames than the network takes: refuse it, hold the last frame, or begin anew.",
        ),
    ] = "error",
    stride: Stride = None,
    start: Start = None,
    end: End = None,
    windows: Annotated[
        bool | None,
        typer.Option(
            "--windows/--no-windows",
            help="Of a video: look at all of it, in overlapping windows; by default where frames lie a stride apart and the video is long.",
            show_default=False,
        ),
    ] = None,
    step: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Of windows: frames from one to the next; half of what a window spans by default.",
            show_default=False,
        ),
    ] = None,
    timeline: Annotated[
        bool,
        typer.Option(
            help="Of a clip: what is lost without each frame, and whether time matters; about five passes a frame."
        ),
    ] = True,
    slices: Slices = None,
    time: Time = None,
    keep_identity: KeepIdentity = False,
) -> None:
    """Show where in each photo, clip or scan the evidence for the answer lies, and how far to trust that.

    Writes for each photo NAME.why.png (the map), NAME.why.html (the page to read), NAME.why.json (every number) and NAME.why.npz (the raw map).
    For a network for clips, a video, an animation or a folder of frames is one clip; it gets NAME.why.mp4 (video, map, curve of importance),
    NAME.why.webp (a small preview) and NAME.why.sheet.png (frames on one scale) in place of the picture.
    DICOM files, folders with a DICOM series and NIfTI files are scans: see the options --slice, --time and --keep-identity; their maps are also written
    back as NAME.map.nii.gz and NAME.map.dcm, without anything that says whose they are.
    Exit codes: 0 all done, 2 wrong use, 3 some photos failed, 130 interrupted.
    """
    from seewhy.cli.choosing import MethodOrder
    from seewhy.cli.explaining import run
    from seewhy.cli.job import ClipOrder, Order, ScanOrder

    run(
        Order(
            photos=photos,
            model=model,
            checkpoint=checkpoint,
            method=method,
            about=MethodOrder(tuple(settings or ()), layer, budget, segments, fill),
            target=target,
            against=against,
            out=out,
            fit=fit,
            hide_test=hide_test,
            as_json=as_json,
            force=force,
            seed=seed,
            device=device,
            profile=profile,
            clip=ClipOrder(frames, stride, start, end, timeline, windows, step, short),
            scan=ScanOrder(slices, time, keep_identity),
        )
    )


@app.command()
def compare(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="A picture.", show_default=False)],
    model: ModelName = "efficientnet-lite0",
    methods: Annotated[
        str | None,
        typer.Option(
            help="Keys with commas between; a choice of every family by default, 'all' for all.", show_default=False
        ),
    ] = None,
    classes: Annotated[int, typer.Option(min=1, max=10, help="How many of the likeliest classes.")] = 2,
    layer: Layer = None,
    budget: Annotated[
        str, typer.Option(metavar="N|TIME", help="The most that each perturbation method may spend per class.")
    ] = "400",
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
    """Draw methods x classes for one photo in one grid, NAME.compare.png, and how far the methods agree.

    By default one method of each family, and a control that knows nothing.
    """
    from seewhy.cli.choosing import MethodOrder
    from seewhy.cli.comparing import Order, run

    run(
        Order(
            photo=photo,
            model=model,
            checkpoint=checkpoint,
            methods=methods,
            classes=classes,
            about=MethodOrder((), layer, budget, segments, fill),
            out=out,
            fit=fit,
            as_json=as_json,
            force=force,
            seed=seed,
            device=device,
        )
    )


@app.command()
def methods(
    model: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL]", help="A model; costs are then those on it.", show_default=False),
    ] = None,
    checkpoint: Checkpoint = None,
    as_json: AsJson = False,
) -> None:
    """List the methods: family, sign, what each asks of the network and costs, what it is good and bad at, source."""
    from seewhy.cli.listing import list_methods

    list_methods(model, checkpoint, as_json=as_json)


@app.command()
def coverage(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model: see `seewhy models`.")] = "efficientnet-lite0",
    method: Annotated[str, typer.Option(help="A method with rules for the way back.")] = "lrp",
    settings: Settings = None,
    checkpoint: Checkpoint = None,
    as_json: AsJson = False,
) -> None:
    """List which operations of a model a propagation method has a rule for, and where it would fall back or refuse."""
    from seewhy.cli.choosing import MethodOrder
    from seewhy.cli.listing import list_coverage

    list_coverage(model, checkpoint, method, MethodOrder(tuple(settings or ())), as_json=as_json)


@app.command()
def models(as_json: AsJson = False) -> None:
    """List where models come from, and what of that is installed."""
    from seewhy.cli.listing import list_models

    list_models(as_json=as_json)


@app.command()
def layers(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model: see `seewhy models`.")] = "efficientnet-lite0",
    checkpoint: Checkpoint = None,
    as_json: AsJson = False,
) -> None:
    """List a model's layers with their shapes, and mark the one that methods look at."""
    from seewhy.cli.listing import list_layers

    list_layers(model, checkpoint, as_json=as_json)


@app.command()
def doctor(
    model: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL]", help="A model whose preprocessing is in doubt.", show_default=False),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FOLDER]",
            help="Pictures to try it on; class names in file or folder names help.",
            show_default=False,
        ),
    ] = None,
    checkpoint: Checkpoint = None,
    as_json: AsJson = False,
) -> None:
    """Check this installation; with MODEL and FOLDER, check that the model's pictures are prepared as it was trained."""
    from seewhy.cli.listing import examine_environment, examine_preprocessing

    if model is None:
        examine_environment(as_json=as_json)
    else:
        examine_preprocessing(model, folder, checkpoint, as_json=as_json)


_FURTHER: tuple[Callable[..., None], ...] = (
    *OBJECT_COMMANDS,
    similar,
    *TIME_COMMANDS,
    *UNIT_COMMANDS,
    importance,
    *CONCEPT_COMMANDS,
    *STUDENT_COMMANDS,
)
for _command in _FURTHER:
    app.command()(_command)


def main() -> None:
    """Run the command line; an unexpected error is one line unless --debug is given."""
    try:
        app()
    except KeyboardInterrupt:
        console.say("interrupted")
        sys.exit(console.INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(console.OK)
    except Exception as error:
        if console.settings.debug:
            raise
        console.complain(error)
        sys.exit(1)
