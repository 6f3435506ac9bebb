"""The commands about time, and their options; what they do stands in the module beside this one."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from seewhy.cli.options import AsJson, Checkpoint, Device, FitName, Force, Out, Seed, Target

Videos = Annotated[
    list[Path], typer.Argument(metavar="VIDEO…", help="Videos, or folders of them or of frames.", show_default=False)
]
Model = Annotated[
    str, typer.Option("--model", "-m", help="A network for clips: see `seewhy models`.", show_default=False)
]
Shuffles = Annotated[int, typer.Option(min=2, help="Other orders of the frames that are tried.")]


def timeline(
    videos: Videos,
    model: Model,
    target: Target = None,
    hiding: Annotated[
        str, typer.Option(metavar="freeze|interpolate|blur", help="What is shown in the place of a hidden frame.")
    ] = "freeze",
    width: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Frames of a window that is hidden at once; a quarter of the clip by default.",
            show_default=False,
        ),
    ] = None,
    segments: Annotated[
        int, typer.Option(min=2, max=64, help="Parts of the clip that the score is shared among; exact up to 10.")
    ] = 5,
    shuffles: Shuffles = 10,
    out: Out = Path(),
    fit: FitName = None,
    checkpoint: Checkpoint = None,
    as_json: AsJson = False,
    force: Force = False,
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """Say for each video which frames matter, when the answer was decided, and whether the network looks at time at all.

    Writes VIDEO.timeline.html (the page to read), .png and .json (every number).
    """
    from seewhy.cli.timing import Order, run_timeline

    run_timeline(
        Order(
            videos, model, checkpoint, target, shuffles, out, fit, as_json, force, seed, device, hiding, width, segments
        )
    )


def time_tests(
    videos: Videos,
    model: Model,
    target: Target = None,
    shuffles: Shuffles = 10,
    out: Out = Path(),
    fit: FitName = None,
    checkpoint: Checkpoint = None,
    as_json: AsJson = False,
    force: Force = False,
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """Say whether a network really looks at time: what is left of its answers where clips stand still, or run in another order.

    Writes time-tests.html (the page to read) and time-tests.json (every number). Videos that cannot be read are told, and the others done.
    """
    from seewhy.cli.timing import Order, run_tests

    run_tests(Order(videos, model, checkpoint, target, shuffles, out, fit, as_json, force, seed, device))


COMMANDS: tuple[Callable[..., None], ...] = (timeline, time_tests)
"""In the order in which `seewhy --help` lists them."""
