"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Photos = Annotated[
    list[Path], typer.Argument(metavar="PHOTO…", help="Pictures, or folders of pictures.", show_default=False)
]
ModelName = Annotated[str, typer.Option("--model", "-m", help="A model: see `seewhy models`.")]
Checkpoint = Annotated[
    Path | None,
    typer.Option(help="Weights for the model: .safetensors, or .pt without code in it.", show_default=False),
]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write to.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the numbers as JSON on stdout.")]
FitName = Annotated[
    str | None,
    typer.Option(
        "--fit",
        metavar="crop|pad|squash",
        help="How a picture is fitted; the model's own way by default.",
        show_default=False,
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Folder for what the network gives, so that it is computed once.", show_default=False
    ),
]
Layer = Annotated[
    str | None,
    typer.Option(help="Layer to look at: see `seewhy layers`; found by itself by default.", show_default=False),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        "-t",
        metavar="CLASS",
        help="Class to ask about, by name or index; the predicted one by default. Of other answers: box:2, missed:car@X,Y,W,H, "
        "region:road, keypoint:3, depth:X,Y,W,H, more:0, less:0, label:oedema, labels, prompt:a dog|a cat, frame:run@12; a unit: LAYER:N.",
        show_default=False,
    ),
]
Against = Annotated[
    str | None, typer.Option(metavar="CLASS", help="Ask why the target and not this class.", show_default=False)
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting of the method, such as steps=64; may be repeated.",
        show_default=False,
    ),
]
BudgetOption = Annotated[
    str | None,
    typer.Option(
        metavar="N|TIME",
        help="The most that a perturbation method may spend: forwards (500) or a time (30s, 2m); the best map so far is drawn.",
        show_default=False,
    ),
]
SegmentsOption = Annotated[
    str | None,
    typer.Option(
        metavar="slic|grid|FILE",
        help="Parts of the picture for LIME, SHAP and their kin; a file is a .npy of integers or a picture whose colours are parts.",
        show_default=False,
    ),
]
FillOption = Annotated[
    str | None,
    typer.Option(
        metavar="KIND|PICTURE",
        help="What is shown where something is hidden: mean, blur, noise, black, white, zero, or another picture.",
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option(help="Of everything that is drawn at random.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, mps …", show_default=False)]
Frames = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Of a clip: how many frames the network is given; as the model states by default.",
        show_default=False,
    ),
]
Stride = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Of a clip: frames of the video from one to the next; by default as the model states, or spread over all of it.",
        show_default=False,
    ),
]
Start = Annotated[
    float | None,
    typer.Option(min=0.0, metavar="SECONDS", help="Of a clip: where in the video it begins.", show_default=False),
]
End = Annotated[
    float | None,
    typer.Option(min=0.0, metavar="SECONDS", help="Of a clip: where in the video it ends.", show_default=False),
]
Slices = Annotated[
    str | None,
    typer.Option(
        "--slice",
        metavar="N|A-B|middle|all",
        help="Of a volume, for a network that takes pictures: which axial slices, from 0 at the feet.",
        show_default=False,
    ),
]
Time = Annotated[
    int | None,
    typer.Option(min=0, help="Of a NIfTI file that holds several volumes: which one, from 0.", show_default=False),
]
KeepIdentity = Annotated[
    bool,
    typer.Option(
        "--keep-identity",
        help="Of a DICOM file: write into NAME.map.dcm whose it is and file it with its study; by default nothing says whose it is.",
    ),
]
