"""Readable models around one photo: fitted to some neighbours, judged on others, made again to see what chance makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seewhy.attribution.lime import LIME, Distance, Neighbours
from seewhy.core.budget import Budget
from seewhy.core.cost import Cost
from seewhy.core.game import Game
from seewhy.core.sample import Sample
from seewhy.core.target import Target
from seewhy.core.values import Array
from seewhy.engine.block import Bill, Question
from seewhy.engine.probe import NetworkProbe
from seewhy.engine.session import Progress, Session
from seewhy.errors import ConfigError
from seewhy.ops.coalitions import weighted_r2
from seewhy.surrogates.frontier import smallest_within
from seewhy.surrogates.local_models import LocalModel

LEAST = 8
"""Neighbours of a draw, at least: fewer tell nothing."""
GOOD, POOR, NOTHING = 0.8, 0.5, 0.05
"""R² from which on a model stands in well for the network; below which it must not be read as what the network does; and which is none."""
STEADY = 0.5
"""Share of their superpixels that models of two seeds have in common, below which that must be said."""


@dataclass(frozen=True)
class Around:
    """How neighbours of a photo are drawn, and how models of them are made.

    Args:
        samples: neighbours of a draw, at most, as none is asked twice; each model is fitted to one draw.
        runs: models of each kind and size, each fitted to a draw of its own: the first is shown, the others say what another seed would give.
        points: points of R² (of 100) that may be given up for a smaller model.
        size: superpixels of a linear model, or leaves of a tree, at most; chosen by the R² on a draw that serves nothing else if None.
        keep: probability that a neighbour shows a superpixel. LIME's 0.5 goes far from the photo, where a sum or a small tree fits worse.
        segments, count, fill, distance, width, budget: as in `seewhy.attribution.lime.LIME`. A budget is shared by all draws.
    """

    samples: int = 150
    runs: int = 4
    points: float = 2.0
    size: int | None = None
    keep: float = 0.8
    segments: str | Array = "slic"
    count: int = 16
    fill: str | Array = "blur"
    distance: Distance = "cosine"
    width: float = 0.25
    budget: Budget = None

    def __post_init__(self) -> None:
        if self.samples < LEAST or self.runs < 2:
            raise ConfigError(
                f"local models take at least {LEAST} samples and 2 runs, got {self.samples} and {self.runs}"
            )
        if not 0 < self.keep < 1:
            raise ConfigError(f"a superpixel is shown with a probability between 0 and 1, got {self.keep}")
        if self.size is not None and self.size < 1:
            raise ConfigError(f"the size of a local model is at least 1, got {self.size}")
        if isinstance(self.budget, int) and self.budget < self.draws * LEAST:
            raise ConfigError(
                f"{self.runs} runs take a budget of at least {self.draws * LEAST} forwards, got {self.budget}; raise it, or ask for fewer runs"
            )
        smallest_within([0.0], self.points)
        _ = self.lime

    @property
    def draws(self) -> int:
        """One for each run, and one on which the size is chosen."""
        return self.runs + 1

    @property
    def lime(self) -> LIME:
        """Return what draws and weighs the neighbours."""
        return LIME(
            fill=self.fill,
            budget=self.budget,
            segments=self.segments,
            count=self.count,
            samples=self.samples * self.draws,
            distance=self.distance,
            width=self.width,
            ridge=0.0,
        )


@dataclass(frozen=True)
class LocalPoint:
    """Models of one size.

    Attributes:
        size: the most that there may be to read.
        choose: mean R² on the draw on which the size is chosen.
        fidelity: R² of each run's model on the neighbours of the other runs.
    """

    size: int
    choose: float
    fidelity: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean R² over the runs."""
        return sum(self.fidelity) / len(self.fidelity)


@dataclass(frozen=True, eq=False)
class LocalSurrogate:
    """A readable model of what a network does around one photo, and what it is worth.

    Attributes:
        model: fitted to the first draw.
        effects: what showing each superpixel adds to the model's score, on average over neighbours, for each run (r, n); the first row is the model's.
        used: the superpixels that the model of each run reads.
        frontier: fidelity against size.
        chosen: number of the point of the frontier that is taken.
        segments: which superpixel each pixel of the input belongs to, numbered from 0.
        sample: the photo.
        target: what was asked, in words.
        unit: of the score.
        score: what the network says of the photo itself.
        says: what the model says of the photo itself.
        held_out: how many neighbours the model is judged on, and how many evenly weighted ones these are worth.
        around: how it was made.
        cost: passes through the network, shared by all models of the call.
        notes: what a reader must know.
        provenance: network, versions, seed.

    Source: Ribeiro et al. 2016, arXiv 1602.04938. Why held-out neighbours and several runs: the chosen superpixels change with the draw
        (Alvarez-Melis & Jaakkola 2018, arXiv 1806.08049; Visani et al. 2020, arXiv 2001.11757). Differs in: the size is chosen by the fit to
        neighbours that serve nothing else; a tree beside the sum.
    Limits: it says what the network does with hidden superpixels, most of them pictures that no camera takes, and nothing about other photos.
    """

    model: LocalModel
    effects: Float[Tensor, "r n"]
    used: tuple[tuple[int, ...], ...]
    frontier: tuple[LocalPoint, ...]
    chosen: int
    segments: Int[Tensor, "*spatial"]
    sample: Sample
    target: str
    unit: str
    score: float
    says: float
    held_out: tuple[int, float]
    around: Around
    cost: Cost
    notes: tuple[str, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Of the model."""
        return self.model.key

    @property
    def fidelity(self) -> float:
        """Weighted R² of the model on neighbours that it was not fitted to and whose size was not chosen on: 1 is perfect, 0 no better than their mean."""
        return self.frontier[self.chosen].fidelity[0]

    @property
    def fidelities(self) -> tuple[float, ...]:
        """The same for the model of each run, the model's own first."""
        return self.frontier[self.chosen].fidelity

    @property
    def spread(self) -> float:
        """Standard deviation of the R² over the runs: how far another seed may lie off."""
        return float(torch.tensor(self.fidelities, dtype=torch.float64).std())

    @property
    def stability(self) -> float:
        """Share of superpixels that the models of two runs have in common, of those that either reads, the mean over all pairs; 1 where none reads any."""
        pairs = [_common(set(one), set(other)) for one, other in combinations(self.used, 2)]
        return sum(pairs) / len(pairs)

    @property
    def stability_by_chance(self) -> float:
        """About what `stability` would be, had the runs chosen as many superpixels blindly."""
        count = self.effects.shape[1]
        return sum(_blind(len(one), len(other), count) for one, other in combinations(self.used, 2)) / (
            len(self.used) * (len(self.used) - 1) / 2
        )

    @property
    def superpixels(self) -> int:
        """How many the model reads."""
        return len(self.model.used)

    @property
    def verdict(self) -> Literal["good", "fair", "poor", "nothing"]:
        """Whether the model may be read as what the network does here: by R², minus its spread."""
        sure = self.fidelity - self.spread
        return "good" if sure >= GOOD else "fair" if sure >= POOR else "poor" if sure > NOTHING else "nothing"

    @property
    def cautions(self) -> tuple[str, ...]:
        """What must be read first; empty where the model stands in well."""
        lines = [_CAUTIONS[self.verdict].format(r2=f"{self.fidelity:.2f}", title=self.model.title)]
        if self.verdict != "nothing" and self.stability < STEADY:
            lines.append(
                f"Another seed makes the {self.model.title} read other superpixels: two seeds share {self.stability:.0%} of them. Take more samples."
            )
        return tuple(line for line in lines if line)

    def ranked(self) -> list[int]:
        """Return the superpixels that the model reads, the largest effect first."""
        return sorted(self.model.used, key=lambda number: -abs(float(self.effects[0, number])))

    def text(self) -> str:
        """Return what it is worth, then the model as people read it."""
        lines = [
            f"{self.model.title} of {self.target} around {self.sample.name or 'the image'}: R² {self.fidelity:.2f} on {self.held_out[0]} held-out neighbours "
            f"(over {len(self.used)} seeds {min(self.fidelities):.2f} to {max(self.fidelities):.2f}, standard deviation {self.spread:.2f})",
            f"{self.superpixels} of {self.effects.shape[1]} superpixels; seeds share {self.stability:.0%} of them, blind choice {self.stability_by_chance:.0%}",
            f"of the photo itself the network says {self.score:.3g} {self.unit}, the model {self.says:.3g}",
        ]
        return "\n".join(line for line in (*lines, *self.cautions, self.model.text()) if line)


_CAUTIONS = {
    "good": "",
    "fair": "",
    "poor": "This {title} misses much of what the network does here (R² {r2} on neighbours that it has not seen): do not read it as the network's reasons.",
    "nothing": "The {title} explains nothing of the network here (R² {r2} on neighbours that it has not seen): what it reads is noise.",
}


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


def _common(one: set[int], other: set[int]) -> float:
    return len(one & other) / len(one | other) if one | other else 1.0


def _blind(one: int, other: int, count: int) -> float:
    """Return about what two blind choices among `count` have in common: the expected intersection over the expected union."""
    both = one * other / count
    return both / (one + other - both) if one + other else 1.0
