"""Pictures made by gradient ascent: a step against a bare forward and backward up to the layer, and against lucent; a whole picture in seconds."""

import copy
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import ModuleType

import torch

import seewhy
from benchmarks import measure
from benchmarks.models import UpTo, lite0, prepare_torchvision
from benchmarks.table import markdown
from seewhy.core.target import Target
from seewhy.targets import Channel, ClassScore
from seewhy.visualization.maximize import Climb, maximize

BAR = 1.15
"""The most that a step may cost, in bare steps."""
LEAST = 3.0
"""How many times as much a step of lucent must cost."""
SECONDS = 10.0
"""The most that the picture of one unit may take with everything as it comes, on two cores."""
STEPS = 24
UNITS = {
    "early": ("blocks.3", 17),
    "middle": ("blocks.8", 20),
    "late": ("blocks.13", 100),
    "class": ("classifier", 340),
}
"""Layer and channel; the last is the logit of a class, through the whole network."""


@dataclass(frozen=True)
class Measured:
    """One unit.

    Attributes:
        unit: where it lies, and its name.
        views: of each step, as it comes.
        step: a step with so many views, in bare steps of as many rows.
        single: a step with one view, in bare steps of one row.
        lucent: a step of lucent, which shows one view, in bare steps of one row; None where it is not installed.
    """

    unit: str
    views: int
    step: float
    single: float
    lucent: float | None


@dataclass(frozen=True)
class Picture:
    """One picture with everything as it comes: seconds on so many threads, and what the unit gives for it."""

    unit: str
    threads: int
    wall: float
    processor: float
    score: float


def measured(name: str, seconds: float) -> Measured:
    """Measure one unit of `UNITS`; the canvas, the views and the passes before and after the steps are part of the price."""
    layer, channel = UNITS[name]
    views = Climb().views.count
    step = measure.in_turn({measure.BASE: _bare(layer, channel, views), "ours": _ours(layer, channel, views)}, seconds)[
        "ours"
    ]
    single = {measure.BASE: _bare(layer, channel, 1), "ours": _ours(layer, channel, 1)}
    try:
        single["lucent"] = _lucent(layer, channel)
    except ImportError:
        single.pop("lucent", None)
    found = measure.in_turn(single, seconds)
    lucent = found["lucent"] / STEPS if "lucent" in found else None
    return Measured(f"{name}: {layer}, {channel}", views, step / STEPS, found["ours"] / STEPS, lucent)


def _bare(layer: str, channel: int, rows: int) -> Callable[[], None]:
    """Return a forward up to the layer and back to the pixels, as one would write it by hand: float32, frozen weights, nothing else."""
    network = UpTo(lite0()[0].module, layer)
    images = torch.randn(rows, 3, 224, 224, generator=torch.Generator().manual_seed(0))

    def run() -> None:
        leaf = images.clone().requires_grad_()
        given = network(leaf)
        score = given[:, channel].mean()
        torch.autograd.grad(score, leaf)

    return run


def _ours(layer: str, channel: int, views: int) -> Callable[[], None]:
    session = seewhy.Session(lite0()[0])
    climb = Climb(steps=STEPS, patient=True)
    climb = replace(climb, views=replace(climb.views, count=views))
    target: Target = ClassScore(channel) if layer == "classifier" else Channel(layer, channel)
    return lambda: maximize(session, target, climb) and None


def _lucent(layer: str, channel: int) -> Callable[[], None]:
    """Return as many steps of lucent with everything as it comes, at the same size of picture. Its hooks stay, so each run has a network of its own."""
    prepare_lucent()
    from lucent.optvis import objectives, param, render

    network = lite0()[0].module
    wanted = objectives.channel(layer.replace(".", "_"), channel)

    def run() -> None:
        own = copy.deepcopy(network)
        render.render_vis(
            own,
            wanted,
            lambda: param.image(224),
            thresholds=(STEPS,),
            progress=False,
            show_image=False,
        )
        for part in own.modules():  # a hook holds its module, the module its hook, and the hook what it has seen
            part._forward_hooks.clear()

    return run


def prepare_lucent() -> None:
    """Make lucent importable beside current libraries: it wants names that kornia and scikit-learn have moved since."""
    prepare_torchvision()
    import kornia
    from kornia.geometry import transform
    from sklearn.base import BaseEstimator

    old = ModuleType("sklearn.decomposition.base")
    old.BaseEstimator = BaseEstimator  # type: ignore[attr-defined]
    sys.modules.setdefault(old.__name__, old)
    for name in ("get_rotation_matrix2d", "warp_affine"):
        if not hasattr(kornia, name):
            setattr(kornia, name, getattr(transform, name))


def pictures(names: Sequence[str] = tuple(UNITS), threads: int = 2) -> list[Picture]:
    """Make one picture for each unit with everything as it comes, on two threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return [_picture(name, threads) for name in names]
    finally:
        torch.set_num_threads(before)


def _picture(name: str, threads: int) -> Picture:
    layer, channel = UNITS[name]
    target: int | str = channel if layer == "classifier" else f"{layer}:{channel}"
    begun, busy = time.perf_counter(), time.process_time()
    made = seewhy.visualize(lite0()[0], target)
    wall, processor = time.perf_counter() - begun, time.process_time() - busy
    return Picture(f"{layer}, {channel}", threads, wall, processor, float(made.scores[0]))


def table(found: Sequence[Measured]) -> str:
    """One line for each unit."""
    head = (
        "a step of ascent",
        "ours",
        f"at most {BAR:g}",
        "ours, one view",
        "lucent",
        "lucent / ours",
        f"at least {LEAST:g}",
    )
    return markdown(head, [_line(one) for one in found])


def _line(one: Measured) -> Sequence[str]:
    lucent = ("not installed", "", "")
    if one.lucent is not None:
        ratio = one.lucent / one.single
        lucent = (f"{one.lucent:.2f}", f"{ratio:.1f} x", _yes(ratio >= LEAST))
    ours = f"**{one.step:.2f}** ({one.views} views)"
    return (one.unit, ours, _yes(one.step <= BAR), f"{one.single:.2f}", *lucent)


def pictures_table(found: Sequence[Picture]) -> str:
    """One line for each picture."""
    head = ("one picture, as it comes", "threads", "seconds", "processor", f"at most {SECONDS:g} s", "score")
    return markdown(
        head,
        [
            (
                one.unit,
                str(one.threads),
                f"**{one.wall:.1f}**",
                f"{one.processor:.1f}",
                _yes(one.wall <= SECONDS),
                f"{one.score:.3g}",
            )
            for one in found
        ],
    )


def _yes(reached: bool) -> str:
    return "yes" if reached else "**no**"
