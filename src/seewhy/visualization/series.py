"""A picture for each of several targets, one after the other, within one budget."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from typing import Any

import torch

from seewhy.core.budget import Budget
from seewhy.core.target import Target
from seewhy.engine.session import Session
from seewhy.errors import ConfigError
from seewhy.render.bar import figures
from seewhy.visualization.diversify import Diversity, diversify
from seewhy.visualization.gallery import Gallery, joined
from seewhy.visualization.maximize import Climb, Progress, Visualization, as_seen, maximize, picture_shape
from seewhy.visualization.objectives import check_objectives
from seewhy.visualization.purse import Purse

Watching = Callable[[str, int, int, float], None]
"""Is told what the picture is for, the steps made, the steps planned, and the score."""


@dataclass(frozen=True, eq=False)
class Series:
    """What the pictures of one call have in common.

    Args:
        session: of the network.
        climbs: how the picture for a target is made; budgets of their own have no effect.
        seed: of the first picture for each target.
        budget: the most that all pictures may take together.
        watching: is told how far each picture is.
    """

    session: Session
    climbs: Callable[[Target], Climb]
    seed: int = 0
    budget: Budget = None
    watching: Watching | None = None

    def told(self, name: str) -> Progress | None:
        """Return what is told about a picture of this name."""
        return None if self.watching is None else partial(self.watching, name)

    def gallery(self, made: Visualization, name: str, climb: Climb, seeds: Sequence[int]) -> Gallery:
        """Return pictures of one target as a gallery."""
        count = len(made.images)
        return Gallery(
            images=made.images.detach().cpu(),
            scores=made.scores,
            targets=(name,) * count,
            units=(made.unit,) * count,
            seeds=tuple(seeds),
            notes=tuple(dead(curve) for curve in made.curves),
            title=self.session.model.title,
            settings=(plain(climb),) * count,
        )


def maximized(
    series: Series, targets: Sequence[Target], *, count: int = 1, diversity: Diversity | None = None
) -> Iterator[Gallery]:
    """Yield a gallery of `count` pictures for each target; they differ by their seed, or by more where diversity is asked for.

    Each picture is what it would be alone: nothing of it depends on the other targets, but for a budget of time that they share.

    Raises:
        ConfigError: no targets, or fewer than one picture for each.
        LayerError, TargetError: a target does not fit the network. All of this is said before any picture is begun.
    """
    if not targets:
        raise ConfigError("the list of targets is empty; name at least one")
    if count < 1:
        raise ConfigError(f"at least one picture is made for each target, got count={count}")
    if diversity is not None and count < 2:
        raise ConfigError(f"pictures differ from each other where there are at least two, got count={count}")
    session = series.session
    climb = series.climbs(targets[0])
    grey = torch.full((1, *picture_shape(session.model, climb)), 0.5)
    names = check_objectives(session, targets, as_seen(grey, session.model, climb))
    purse = Purse(series.budget, len(targets) * (count if diversity is None else 1))
    if diversity is not None:
        return (
            _diverse(series, *pair, purse=purse, count=count, diversity=diversity)
            for pair in zip(targets, names, strict=True)
        )
    return (_alike(series, *pair, purse, count) for pair in zip(targets, names, strict=True))


def _alike(series: Series, target: Target, name: str, purse: Purse, count: int) -> Gallery:
    """Make pictures of one target from as many seeds."""
    parts = []
    for seed in range(series.seed, series.seed + count):
        climb = replace(series.climbs(target), budget=purse.share())
        made = maximize(series.session, target, climb, seed, series.told(name))
        purse.pay(len(made.curves[0]))
        parts.append(series.gallery(made, name, climb, (seed,)))
    return joined(parts)


def _diverse(series: Series, target: Target, name: str, *, purse: Purse, count: int, diversity: Diversity) -> Gallery:
    """Make pictures of one target that differ."""
    climb = replace(series.climbs(target), budget=purse.share())
    found = diversify(
        series.session, target, climb, count=count, diversity=diversity, seed=series.seed, progress=series.told(name)
    )
    purse.pay(found.steps)
    score = figures(float(found.pictures.scores.mean()))
    remark = (
        f"{name}: {count} pictures made to differ; mean score {score}, a plain picture {figures(found.plain)}; "
        f"mean cosine of their Gram matrices at {found.layer} {figures(found.likeness)}"
    )
    made = series.gallery(found.pictures, name, climb, range(series.seed, series.seed + count))
    settings = made.settings[0] | {"diversity": plain(diversity)}
    return replace(made, remarks=(remark,), settings=(settings,) * count)


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
