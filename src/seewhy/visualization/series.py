"""A picture for each of several targets, one after the other, within one budget."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from typing import Any

import torch

from seewhy.core.budget import Allowance, Budget
from seewhy.core.target import Target
from seewhy.engine.session import Session
from seewhy.errors import ConfigError
from seewhy.render.bar import figures
from seewhy.visualization.diversify import Diversity, diversify
from seewhy.visualization.gallery import Gallery
from seewhy.visualization.maximize import Climb, Progress, Visualization, as_input, maximize, picture_shape
from seewhy.visualization.objectives import check_objectives

Watching = Callable[[str, int, int, float], None]
"""Is told what the picture is for, the steps made, the steps planned, and the score."""


@dataclass
class Purse:
    """A budget that several pictures share: what one leaves over, the next ones may spend."""

    budget: Budget
    left: int

    def __post_init__(self) -> None:
        self._allowance = Allowance.of(self.budget)
        self._begun = time.monotonic()
        self._steps = self._allowance.forwards

    def share(self) -> Budget:
        """Return what the next picture may spend."""
        pictures, self.left = max(1, self.left), self.left - 1
        if self._allowance.seconds is not None:
            rest = self._allowance.seconds - (time.monotonic() - self._begun)
            return f"{max(rest / pictures, 1e-3):.3f}s"
        return None if self._steps is None else max(1, self._steps // pictures)

    def pay(self, steps: int) -> None:
        """Note how many steps a picture took."""
        if self._steps is not None:
            self._steps = max(1, self._steps - steps)


def series(
    session: Session,
    targets: Sequence[Target],
    climb: Climb,
    *,
    count: int = 1,
    diversity: Diversity | None = None,
    seed: int = 0,
    watching: Watching | None = None,
) -> Gallery:
    """Make `count` pictures for each target; those of one target differ by their seed, or by more where diversity is asked for.

    Each picture is what it would be alone: nothing of it depends on the other targets, but for a budget of time that they share.

    Raises:
        ConfigError: no targets, or fewer than one picture for each.
        LayerError, TargetError: a target does not fit the network; said before any picture is begun.
    """
    if not targets:
        raise ConfigError("the list of targets is empty; name at least one")
    if count < 1:
        raise ConfigError(f"at least one picture is made for each target, got count={count}")
    grey = torch.full((1, *picture_shape(session.model, climb)), 0.5)
    names = check_objectives(session, targets, as_input(grey, session.model))
    purse = Purse(climb.budget, len(targets) * (count if diversity is None else 1))
    parts: list[_Part] = []
    for target, name in zip(targets, names, strict=True):
        told = partial(watching, name) if watching is not None else None
        if diversity is None:
            parts += [_one(session, target, climb, purse, seed=seed + place, told=told) for place in range(count)]
        else:
            parts.append(
                _diverse(session, target, climb, purse, count=count, diversity=diversity, seed=seed, told=told)
            )
    return Gallery(
        images=torch.cat([part.made.images for part in parts]).cpu(),
        scores=torch.cat([part.made.scores for part in parts]),
        targets=tuple(name for part in parts for name in part.made.targets),
        units=tuple(part.made.unit for part in parts for _ in part.made.targets),
        seeds=tuple(own for part in parts for own in part.seeds),
        notes=tuple(part.notes for part in parts for _ in part.made.targets),
        title=session.model.title,
        remarks=tuple(part.remark for part in parts if part.remark),
        settings=plain(climb) | {"count": count, "diversity": plain(diversity)},
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """Pictures of one target, what they began with, and what is to be said of them."""

    made: Visualization
    seeds: tuple[int, ...]
    notes: tuple[str, ...] = ()
    remark: str = ""


def _one(session: Session, target: Target, climb: Climb, purse: Purse, *, seed: int, told: Progress | None) -> _Part:
    curve: list[float] = []
    made = maximize(session, target, replace(climb, budget=purse.share()), seed, heard(curve, told))
    purse.pay(len(curve))
    return _Part(made, (seed,), dead(curve))


def _diverse(
    session: Session,
    target: Target,
    climb: Climb,
    purse: Purse,
    *,
    count: int,
    diversity: Diversity,
    seed: int,
    told: Progress | None,
) -> _Part:
    curve: list[float] = []
    own = replace(climb, budget=purse.share())
    found = diversify(session, target, own, count=count, diversity=diversity, seed=seed, progress=heard(curve, told))
    purse.pay(len(curve))
    remark = (
        f"{found.pictures.targets[0]}: {count} pictures made to differ; mean score {figures(float(found.pictures.scores.mean()))}, "
        f"a plain picture {figures(found.plain)}; mean cosine of their Gram matrices at {found.layer} {figures(found.likeness)}"
    )
    return _Part(found.pictures, tuple(range(seed, seed + count)), dead(curve), remark)


def heard(curve: list[float], told: Progress | None) -> Progress:
    """Return what writes down the scores of a climb, and tells who watches."""

    def hear(step: int, steps: int, score: float) -> None:
        curve.append(score)
        if told is not None:
            told(step, steps, score)

    return hear


def dead(curve: Sequence[float]) -> tuple[str, ...]:
    """Say that nothing a climb has tried changed the score."""
    if len(curve) < 2 or min(curve) != max(curve):
        return ()
    return (
        f"dead: the score stayed {figures(curve[0])} through all {len(curve)} steps, and the picture shows nothing",
    )


def plain(value: Any) -> Any:
    """Return nested dataclasses as plain values, each with its kind."""
    if is_dataclass(value) and not isinstance(value, type):
        return {"kind": type(value).__name__.lower()} | {
            field.name: plain(getattr(value, field.name)) for field in fields(value)
        }
    if isinstance(value, torch.Tensor):
        return f"tensor {tuple(value.shape)}"
    return list(map(plain, value)) if isinstance(value, (tuple, list)) else value
