"""From nothing to a map in a file: whole processes, with the import of torch taken off."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.measure import child
from benchmarks.models import PHOTOS

BAR = 1.0
PHOTO = str(PHOTOS / "cat.jpg")

COMMAND = "from seewhy.cli import main; main()"
CALL = f"""
import seewhy
seewhy.explain({PHOTO!r}).save("map.png")
"""
GRAD_CAM = """
from benchmarks.models import case, prepare_torchvision
prepare_torchvision()
from PIL import Image
from pytorch_grad_cam import GradCAM
asked = case("Lite0", 1)
made = GradCAM(asked.network, [asked.module])(asked.images, None)[0]
Image.fromarray((made * 255).astype("uint8")).save("map.png")
"""
CAPTUM = """
from benchmarks.models import case
from captum.attr import LayerGradCam
from PIL import Image
asked = case("Lite0", 1)
method = LayerGradCam(asked.network, asked.module)
made = method.attribute(asked.images, target=asked.classes[0][0], relu_attributions=True)[0, 0].detach()
Image.fromarray((made / made.max() * 255).byte().numpy()).save("map.png")
"""

WHOLE = "`seewhy explain PHOTO` (hide test: nine more passes)"
MAP = "`seewhy explain PHOTO`, until its map is written (wall)"
STARTS: dict[str, Sequence[str]] = {
    "`seewhy.explain(PHOTO).save(...)`": ["-c", CALL],
    "`seewhy explain PHOTO --no-hide-test`": ["-c", COMMAND, "explain", PHOTO, "--no-hide-test"],
    WHOLE: ["-c", COMMAND, "explain", PHOTO],
    "grad-cam, map only": ["-c", GRAD_CAM],
    "captum, map only": ["-c", CAPTUM],
}


@dataclass(frozen=True)
class Start:
    """Seconds beyond those of `import torch` alone, medians; None where the library is not installed."""

    name: str
    processor: float | None
    wall: float | None


def measured(runs: int) -> list[Start]:
    """Measure every start `runs` times, in turn with the bare import, after one that compiles the modules."""
    with TemporaryDirectory() as cache:
        rounds = [_round(cache) for _ in range(runs + 1)][1:]
    return [_start(name, [spent[name] for spent in rounds if name in spent]) for name in (*STARTS, MAP)]


def _round(cache: str) -> dict[str, tuple[float, float]]:
    """Start each once; return processor and wall seconds beyond those of the bare import."""
    base = child(["-c", "import torch"], cache=cache)
    spent = {}
    for name, arguments in STARTS.items():
        with suppress(ModuleNotFoundError), TemporaryDirectory() as folder:
            made = child(arguments, Path(folder), cache)
            spent[name] = (made.processor - base.processor, made.wall - base.wall)
            if name == WHOLE:
                spent[MAP] = (made.first - base.wall,) * 2
    return spent


def _start(name: str, pairs: list[tuple[float, float]]) -> Start:
    if not pairs:
        return Start(name, None, None)
    processor, wall = (median(column) for column in zip(*pairs, strict=True))
    return Start(name, processor, wall)
