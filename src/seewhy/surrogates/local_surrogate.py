"""A readable model around one photo, and what it is worth."""

from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.attribution.lime import LIME, Distance
from seewhy.core.budget import Budget
from seewhy.core.cost import Cost
from seewhy.core.sample import Sample
from seewhy.core.values import Array
from seewhy.errors import ConfigError
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


def _common(one: set[int], other: set[int]) -> float:
    return len(one & other) / len(one | other) if one | other else 1.0


def _blind(one: int, other: int, count: int) -> float:
    """Return about what two blind choices among `count` have in common: the expected intersection over the expected union."""
    both = one * other / count
    return both / (one + other - both) if one + other else 1.0
