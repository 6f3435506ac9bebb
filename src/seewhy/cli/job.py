"""What was asked on the command line of `seewhy explain`, and what is settled for all sources."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from seewhy.api import Session
from seewhy.cli.choosing import MethodOrder
from seewhy.core.method import Method
from seewhy.core.target import Target
from seewhy.data.clips import Short
from seewhy.engine.model import Fit
from seewhy.errors import ConfigError


@dataclass(frozen=True)
class ClipOrder:
    """Which frames of a video are taken: how many, how far apart, between which seconds; None is what the model states, or all.

    `short` is what is done with too few frames. `windows` is whether a video is done in overlapping windows, `step` frames from one to the next; None: where it is long. `timeline` is whether each frame is hidden in turn, and whether time matters is tested.
    """

    frames: int | None = None
    stride: int | None = None
    start: float | None = None
    end: float | None = None
    timeline: bool = True
    windows: bool | None = None
    step: int | None = None
    short: str = "error"

    def words(self) -> list[str]:
        """Return the options that say the same."""
        numbers = {
            "--frames": self.frames,
            "--stride": self.stride,
            "--start": self.start,
            "--end": self.end,
            "--step": self.step,
        }
        said = [word for name, value in numbers.items() if value is not None for word in (name, f"{value:.10g}")]
        said += [] if self.short == "error" else ["--short", self.short]
        if self.windows is not None:
            said.append("--windows" if self.windows else "--no-windows")
        return said + ([] if self.timeline else ["--no-timeline"])


@dataclass(frozen=True)
class ScanOrder:
    """What is taken of a medical file: which slices, which of several volumes, and whether what is written says whose it is."""

    slices: str | None = None
    time: int | None = None
    keep_identity: bool = False

    def words(self) -> list[str]:
        """Return the options that say the same."""
        words = ["--slice", self.slices] if self.slices is not None else []
        words += ["--time", str(self.time)] if self.time is not None else []
        return words + (["--keep-identity"] if self.keep_identity else [])


@dataclass(frozen=True)
class Order:
    """What was asked on the command line."""

    photos: list[Path]
    model: str
    checkpoint: Path | None
    method: str
    about: MethodOrder
    target: str | None
    against: str | None
    out: Path
    fit: str | None
    hide_test: bool
    as_json: bool
    force: bool
    seed: int
    device: str | None
    profile: str = "exact"
    clip: ClipOrder = ClipOrder()
    scan: ScanOrder = ScanOrder()


@dataclass(frozen=True)
class Job:
    """What is asked, settled for all photos: the session, the target, the method, the folder."""

    order: Order
    session: Session
    target: Target
    method: Method
    why: str
    fit: Fit | None
    folder: Path
    progress: Callable[[str, int, int | None], None] | None = None


def command(order: Order, photo: Path) -> str:
    """Return the command that makes the same page again."""
    words = ["seewhy", "explain", str(photo), "--model", order.model, "--method", order.method]
    for name, value in (
        ("--target", order.target),
        ("--against", order.against),
        ("--fit", order.fit),
    ):
        words += [name, value] if value is not None else []
    words += order.about.words()
    words += order.clip.words() + order.scan.words()
    words += ["--profile", order.profile] if order.profile != "exact" else []
    words += ["--checkpoint", str(order.checkpoint)] if order.checkpoint else []
    words += ["--seed", str(order.seed)] if order.seed else []
    return shlex.join(words + ([] if order.hide_test else ["--no-hide-test"]))


def chosen_short(short: str) -> Short:
    """Return what is done with a clip of too few frames."""
    if short not in get_args(Short):
        raise ConfigError(f"--short is one of {', '.join(get_args(Short))}, got {short!r}")
    return cast("Short", short)
