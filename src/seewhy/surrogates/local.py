"""Readable models around one photo: fitted to some neighbours, judged on others, made again to see what chance makes of them."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seewhy.attribution.lime import Neighbours
from seewhy.core.game import Game
from seewhy.core.sample import Sample
from seewhy.core.target import Target
from seewhy.engine.block import Bill, Question
from seewhy.engine.probe import NetworkProbe
from seewhy.engine.session import Progress, Session
from seewhy.errors import ConfigError
from seewhy.ops.coalitions import weighted_r2
from seewhy.surrogates.frontier import smallest_within
from seewhy.surrogates.local_models import LocalModel
from seewhy.surrogates.local_surrogate import LEAST, Around, LocalPoint, LocalSurrogate


def local_surrogates(
    session: Session,
    sample: Sample,
    target: Target,
    kinds: Sequence[type[LocalModel]],
    around: Around,
    *,
    progress: Progress | None = None,
) -> tuple[LocalSurrogate, ...]:
    """Return a readable model of each kind around one image; all share the same neighbours.

    Args:
        session: runs the network, which only has to answer; its seed is that of everything drawn.
        sample: the image.
        target: what is asked.
        kinds: of models.
        around: how.
        progress: is told how many neighbours are scored, of how many.

    Raises:
        ShapeError: a segment map of another size than the input's.
        MethodError: the image is a single segment.
    """
    lime = around.lime
    inputs = session.network.accept(sample.inputs[None])
    segments = lime.segment_map(inputs[0].cpu())
    patterns, often = _different(int(segments.max()) + 1, around, session.seed)
    watch = None if progress is None else lambda cost: progress("neighbours", cost.forwards - 1, len(patterns))
    with torch.inference_mode(mode=False):
        question = Question(session.block(inputs, target.needs()), target)
        probe = NetworkProbe(question, lime.needs(), Bill(watch=watch))
        drawn = lime.scored(Game(probe, segments, lime.hidden(probe)), patterns, around.draws * LEAST)
    counted = drawn.weights * torch.cat([often.new_ones(1), often])[: len(drawn.weights)]
    planned = len(patterns)
    found = _Found(Neighbours(drawn.shown, drawn.worths, counted), around, session.seed)
    bound = probe.bound
    notes = [*session.network.notes, *probe.remarks]
    if len(drawn.worths) - 1 < planned:
        notes.append(f"stopped by the budget after {len(drawn.worths) - 1} of {planned} neighbours")
    if found.still:
        notes.append("the score hardly moves, whichever superpixels are hidden: there is nothing to explain")
    shell = {
        "segments": segments,
        "sample": sample,
        "target": bound.names[0],
        "unit": bound.unit,
        "score": float(drawn.worths[0]),
        "held_out": found.held_out,
        "around": around,
        "cost": probe.cost,
        "notes": tuple(notes),
        "provenance": session.provenance,
    }
    return tuple(LocalSurrogate(**found.of(kind), **shell) for kind in kinds)  # type: ignore[arg-type]  # two dicts of its fields


def _different(players: int, around: Around, seed: int) -> tuple[Bool[Tensor, "d n"], Float[Tensor, " d"]]:
    """Draw choices of superpixels; return each once, in the order in which they came, and how often it did.

    So no model is judged on what it was fitted to. The choice of all is the photo itself, which is left out.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(around.samples * around.draws, players, generator=generator) < around.keep
    kept = drawn[~drawn.all(dim=1)]
    different, which, often = torch.unique(kept, dim=0, return_inverse=True, return_counts=True)
    if len(different) < around.draws * LEAST:
        raise ConfigError(
            f"there are only {len(different)} different neighbours of {players} superpixels, and {around.runs} runs take {around.draws * LEAST}; "
            "ask for more superpixels, more samples, or fewer runs"
        )
    first = torch.full((len(different),), len(kept)).scatter_reduce(0, which, torch.arange(len(kept)), "amin")
    order = first.argsort()
    return different[order], often[order].double()


class _Found:
    """Neighbours, dealt out to the runs."""

    def __init__(self, drawn: Neighbours, around: Around, seed: int) -> None:
        self.around, self.seed = around, seed
        self.photo = drawn.part(torch.tensor([0]))
        dealt = torch.arange(len(drawn.worths) - 1) % around.draws
        self.draws = [drawn.part(1 + (dealt == draw).nonzero()[:, 0]) for draw in range(around.draws)]
        low, high = drawn.worths.aminmax()
        self.still = bool(high - low <= 1e-9 * drawn.worths.abs().max())

    @property
    def held_out(self) -> tuple[int, float]:
        """How many neighbours the first run is judged on, and how many evenly weighted ones they are worth."""
        weights = self.others(0).weights
        return len(weights), float(weights.sum() ** 2 / weights.square().sum())

    def fitting(self, run: int) -> Neighbours:
        """Return what the models of a run are fitted to: its draw, and the photo itself."""
        return _joined([self.photo, self.draws[run]])

    def others(self, run: int) -> Neighbours:
        """Return what the models of a run are judged on: the draws of the other runs."""
        return _joined([self.draws[other] for other in range(self.around.runs) if other != run])

    def of(self, kind: type[LocalModel]) -> dict[str, Any]:
        """Return the models of a kind, and what they are worth."""
        runs = [dict(kind.path(self.fitting(run), self.seed)) for run in range(self.around.runs)]
        sizes = [size for size in runs[0] if all(size in models for models in runs)]
        frontier = tuple(
            LocalPoint(
                size,
                sum(_r2(models[size], self.draws[-1]) for models in runs) / len(runs),
                tuple(_r2(models[size], self.others(run)) for run, models in enumerate(runs)),
            )
            for size in sizes
        )
        chosen = self._chosen(frontier)
        models = [models[frontier[chosen].size] for models in runs]
        return {
            "model": models[0],
            "effects": torch.stack([model.effects(self.fitting(run)) for run, model in enumerate(models)]),
            "used": tuple(model.used for model in models),
            "frontier": frontier,
            "chosen": chosen,
            "says": float(models[0].scores(self.photo.shown)),
        }

    def _chosen(self, frontier: Sequence[LocalPoint]) -> int:
        """Return which size is taken: the largest that is allowed, or the smallest that does nearly as well as the best."""
        if self.around.size is not None:
            return max((n for n, point in enumerate(frontier) if point.size <= self.around.size), default=0)
        return smallest_within([point.choose for point in frontier], self.around.points)


def _joined(parts: Sequence[Neighbours]) -> Neighbours:
    return Neighbours(
        torch.cat([part.shown for part in parts]),
        torch.cat([part.worths for part in parts]),
        torch.cat([part.weights for part in parts]),
    )


def _r2(model: LocalModel, drawn: Neighbours) -> float:
    return weighted_r2(drawn.worths, model.scores(drawn.shown), drawn.weights)
