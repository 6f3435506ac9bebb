"""`seewhy.local`: readable models of what a network does around one photo."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from PIL import Image

from seewhy import render
from seewhy.api import ModelLike, Session, Source, TargetLike
from seewhy.core.budget import Budget
from seewhy.core.sample import Sample
from seewhy.data.picture import sample
from seewhy.engine import session as engine
from seewhy.engine.model import Fit
from seewhy.errors import ConfigError, nearest
from seewhy.ops.segments import centroids
from seewhy.report.document import Document
from seewhy.report.local_map import local_map
from seewhy.report.local_page import local_page
from seewhy.report.local_picture import local_picture
from seewhy.surrogates.local import local_surrogates
from seewhy.surrogates.local_models import LocalModel, local_kinds
from seewhy.surrogates.local_surrogate import Around, LocalSurrogate
from seewhy.targets import as_target

ALL = "all"
ROWS = 16
"""Rows of a pass: a number that is not measured, so that the same seed gives the same models to the last bit."""


@dataclass(frozen=True, eq=False)
class Local(Document):
    """Readable models around one photo; what is said of one is said of the most faithful.

    Attributes:
        surrogates: by kind, made from the same neighbours.
        command: makes them again; written on the page.
    """

    surrogates: dict[str, LocalSurrogate]
    command: str = ""

    noun: ClassVar = "a local model"

    @property
    def best(self) -> LocalSurrogate:
        """The model of the highest R² on held-out neighbours."""
        return max(self.surrogates.values(), key=lambda one: one.fidelity)

    @property
    def fidelity(self) -> float:
        """Weighted R² on held-out neighbours of the best model."""
        return self.best.fidelity

    @property
    def spread(self) -> float:
        """Standard deviation of that R² over seeds."""
        return self.best.spread

    def text(self) -> str:
        """Return what each model is worth, and each model as people read it."""
        return "\n\n".join(one.text() for one in self.surrogates.values())

    def overlay(self) -> Image.Image:
        """Draw the best model on its photo: superpixels outlined, in colour, numbered."""
        return local_map(self.best)

    def picture(self) -> Image.Image:
        """Draw all models as one picture."""
        return local_picture(list(self.surrogates.values()))

    def page(self) -> str:
        """Return all models as one HTML file."""
        return local_page(list(self.surrogates.values()), self.numbers(), command=self.command)

    def numbers(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON."""
        first = self.best
        return {
            "photo": first.sample.name,
            "target": first.target,
            "unit": first.unit,
            "score": first.score,
            "neighbours": first.cost.forwards - 1,
            "cost": first.cost.as_dict(),
            "keep": first.around.keep,
            "superpixels": _superpixels(first),
            "models": {kind: _plain(one) for kind, one in self.surrogates.items()},
            "notes": list(first.notes),
            "provenance": first.provenance,
        }

    def _repr_png_(self) -> bytes:
        return render.png_bytes(self.overlay())


def _superpixels(one: LocalSurrogate) -> list[dict[str, Any]]:
    """Return where each superpixel is: its centre as shares of the input's axes, and its share of the input."""
    sizes = torch.bincount(one.segments.flatten()).double() / one.segments.numel()
    centres = (centroids(one.segments) + 0.5) / torch.tensor(one.segments.shape)
    return [
        {"centre": [round(part, 4) for part in centre], "share": round(share, 5)}
        for centre, share in zip(centres.tolist(), sizes.tolist(), strict=True)
    ]


def _plain(one: LocalSurrogate) -> dict[str, Any]:
    return {
        "fidelity": one.fidelity,
        "spread": one.spread,
        "fidelities": list(one.fidelities),
        "stability": one.stability,
        "stability by chance": one.stability_by_chance,
        "verdict": one.verdict,
        "cautions": list(one.cautions),
        "says": one.says,
        "held out": one.held_out[0],
        "size": one.model.size,
        "size unit": one.model.unit,
        "used": list(one.model.used),
        "used over seeds": [list(used) for used in one.used],
        "effects": one.effects.tolist(),
        "model": one.model.plain(),
        "frontier": [{"size": p.size, "choose": p.choose, "fidelity": list(p.fidelity)} for p in one.frontier],
    }


def local(
    photo: Source | Sample,
    model: ModelLike | engine.Session = None,
    into: str = ALL,
    *,
    target: TargetLike = None,
    samples: int = Around.samples,
    runs: int = Around.runs,
    points: float = Around.points,
    size: int | None = None,
    keep: float = Around.keep,
    segments: Any = "slic",
    count: int = Around.count,
    fill: Any = "blur",
    budget: Budget = None,
    fit: Fit | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: engine.Progress | None = None,
    command: str = "",
) -> Local:
    """Fit readable models to what a network answers to one photo with some of its superpixels hidden, and measure on others how nearly they say it.

    Args:
        photo: as `seewhy.explain` takes it.
        model: a `seewhy.Model`, a function of arrays (it only has to answer), a name for `seewhy.load_model`, or None for the built-in network;
            or a session that is open.
        into: "linear", "tree", or "all".
        target: what is asked; the predicted class if None.
        samples: neighbours that a model is fitted to; `runs + 1` times as many are asked at most.
        runs: seeds over which the spread is measured, at least 2.
        points: points of R² (of 100) that may be given up for a smaller model.
        size: superpixels of the linear model, or leaves of the tree, at most; chosen where None.
        keep: probability that a neighbour shows a superpixel: the nearer to 1, the more local.
        segments: "slic", "grid", or a map of integers of the size of the network's input.
        count: about how many superpixels, where they are made.
        fill: what is shown where one is hidden: "blur", "mean", "noise", "black", "white", "zero", or an image.
        budget: the most that may be spent: forwards (500) or a time ("30s").
        fit: how the photo is fitted.
        seed: of everything that is drawn.
        device: where to run.
        progress: is told what is done, how many neighbours are scored, of how many.
        command: makes it again; written on the page.

    Returns:
        A `Local`: `.fidelity`, `.spread`, `.text()`, `.overlay()`, `.numbers()`, `.save("local.html")`, and `.surrogates` by kind.

    Raises:
        SeewhyError: of any kind; the message says what to do.

    Example:
        >>> found = seewhy.local("photo.jpg", into="linear")
        >>> found.fidelity, found.spread
        >>> print(found.text())
    """
    if isinstance(model, engine.Session):
        session: engine.Session = model
    else:
        session = Session(model, device=device, seed=seed, rows=ROWS)
    around = Around(
        samples=samples,
        runs=runs,
        points=points,
        size=size,
        keep=keep,
        segments=segments,
        count=count,
        fill=fill,
        budget=budget,
    )
    made = local_surrogates(
        session, _sample(session, photo, fit), as_target(target), local_kinds_of(into), around, progress=progress
    )
    return Local({one.kind: one for one in made}, command)


def _sample(session: engine.Session, photo: Any, fit: Fit | None) -> Sample:
    if isinstance(photo, Sample):
        return photo
    if isinstance(photo, torch.Tensor) and photo.dim() >= 4 and len(photo) == 1:
        return Sample(session.network.accept(photo)[0], name="image 0")
    return sample(photo, session.model, fit)


def local_kinds_of(into: str) -> list[type[LocalModel]]:
    """Return the models that a word asks for; raise `ConfigError` where there is none of that name."""
    known = local_kinds()
    asked = list(known) if into == ALL else into.split(",")
    for key in asked:
        if key not in known:
            near = nearest(key, list(known))
            raise ConfigError(
                f"a photo is read by {', '.join(known)} or {ALL}; got {key!r}" + (f"; nearest: {near}" if near else "")
            )
    return [known[key] for key in asked]
