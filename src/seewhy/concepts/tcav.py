"""TCAV: does a concept speak for or against a class, how much, and would random pictures do so too?"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from seewhy.concepts.directions import Span, Way, steps
from seewhy.concepts.draws import LEVEL, chances, least_chance, members, resampled, subsets
from seewhy.contributions.table import Estimate
from seewhy.ops.bootstrap import interval

REPEATS = 200
BAND = 400
"""Random concepts from which the bands are read."""


@dataclass(frozen=True)
class Trial:
    """How concepts are tried.

    Args:
        way: how directions are found.
        repeats: of the resampling that intervals come from.
        draws: of random concepts.
        seed: of everything that is drawn.
    """

    way: Way = "mean difference"
    repeats: int = REPEATS
    draws: int = 999
    seed: int = 0


@dataclass(frozen=True)
class Pull:
    """What a class makes of steps at the layer, picture by picture.

    Attributes:
        category: index of the class.
        gradients: of its logit, summed over positions, for pictures of the class (n, c).
    """

    category: int
    gradients: Float[Tensor, "n c"]


@dataclass(frozen=True)
class Influence:
    """What a concept does to a class.

    Attributes:
        category: index of the class.
        share: TCAV, the share of the class's pictures whose logit rises towards the concept; 0.5 is neither.
        effect: logits that a picture of the class gains, to first order, by going as far as from random pictures to the concept's; at every position.
        random_share, random_effect: middle 95 % of the same for concepts of as many random pictures.
        chance: of an effect of this size with random pictures, up or down; not corrected.
        least: the smallest value that the chance could have had.
        pictures: of the class.
        others: random pictures that the concept was set against.
        corrected: the chance, corrected for all concepts and classes.
    """

    category: int
    share: Estimate
    effect: Estimate
    random_share: tuple[float, float]
    random_effect: tuple[float, float]
    chance: float
    least: float
    pictures: int
    others: int
    corrected: float = 1.0

    @property
    def significant(self) -> bool:
        """Whether the corrected chance is at most 5 %."""
        return self.corrected <= LEVEL

    @property
    def direction(self) -> str:
        """Return "for", "against", or "" where random pictures would do as much."""
        return "" if not self.significant else "for" if self.effect.value > 0 else "against"


def influences(
    with_it: Float[Tensor, "n c"], without: Float[Tensor, "m c"], pulls: Sequence[Pull], trial: Trial
) -> list[Influence]:
    """Return what a concept does to each class.

    The directional derivative of the logit of class k along the concept, summed over positions, is S = g . d, with g the gradient summed over positions
    and d the step from random pictures to those of the concept. TCAV is the share of the class's pictures with S > 0 (equation 2), the effect is the mean
    of S, in logits. Intervals: pictures of the concept, of the others and of the class are drawn anew in each repeat. The chance is the rank of |effect|
    among concepts of as many pictures drawn from all of these.

    Source: Kim et al. 2018, arXiv 1711.11279. Different here: pooled activations instead of flattened ones; the effect beside the share, which is 0 or 1
        for random concepts too where the network is nearly linear behind the layer; and the test. There, a t-test compares repeats that share the
        concept's pictures, as if they were independent: it calls random concepts significant far too often. Here a concept is one case, among random
        concepts: a randomization test, exact for concepts drawn like the others.
    Limits: a first-order effect at the pictures as they are. What differs between the concept's pictures and the others, their style too, is part of the
        concept: choose others that differ in the concept alone.

    Args:
        with_it: pooled activations of the concept's pictures; at least two.
        without: those of random pictures; at least two.
        pulls: of the classes.
        trial: how it is tried.
    """
    span = Span.of(torch.cat([with_it, without]))
    felt = [pull.gradients.double() @ span.axes.T for pull in pulls]  # (n_k, s) each
    count, total = len(with_it), len(span.rows)
    own = (torch.arange(total) < count).double()[None]
    step = steps(trial.way, span.rows, own, 1 - own)
    again = _resampled_steps(span, count, trial, Generator().manual_seed(trial.seed + 1))
    means = torch.stack([pull.mean(dim=0) for pull in felt], dim=1)  # (s, k)
    random, effects = _random(span, count, trial, means)
    chance = chances((step @ means)[0].abs(), effects.abs())
    least = least_chance(count, len(without), trial.draws)
    found = []
    for place, (pull, gradients) in enumerate(zip(pulls, felt, strict=True)):
        drawn = Generator().manual_seed(
            trial.seed + 2 + pull.category
        )  # so that no class changes what another one gets
        share, effect = _measured(gradients, step, again, min(count, len(gradients)), drawn)
        bands = [_band(values) for values in _shares_and_effects(gradients, random)]
        found.append(
            Influence(
                pull.category,
                share,
                effect,
                bands[0],
                bands[1],
                float(chance[place]),
                least,
                len(gradients),
                len(without),
            )
        )
    return found


def _random(
    span: Span, count: int, trial: Trial, means: Float[Tensor, "s k"]
) -> tuple[Float[Tensor, "band s"], Float[Tensor, "draws k"]]:
    """Return the steps of the first random concepts, for the band, and the effects of all.

    A mean difference is linear in the activations, so that of their effects is the effect of theirs.
    """
    total = len(span.rows)
    if trial.way != "mean difference":
        drawn = subsets(count, total, trial.draws, trial.seed)
        every = torch.cat([steps(trial.way, span.rows, chosen, 1 - chosen) for chosen in drawn])
        return every[:BAND], every @ means
    first = next(subsets(count, total, trial.draws, trial.seed))[:BAND]
    felt = span.rows @ means  # (n, k)
    inside = felt[members(count, total, trial.draws, trial.seed)].sum(dim=1)
    effects = inside / count - (felt.sum(dim=0) - inside) / (total - count)
    return steps(trial.way, span.rows, first, 1 - first), effects


def _resampled_steps(span: Span, count: int, trial: Trial, generator: Generator) -> Float[Tensor, "r s"]:
    inside = resampled(count, trial.repeats, generator)
    outside = resampled(len(span.rows) - count, trial.repeats, generator)
    positive = torch.cat([inside, torch.zeros_like(outside)], dim=1)
    negative = torch.cat([torch.zeros_like(inside), outside], dim=1)
    return steps(trial.way, span.rows, positive, negative)


def _shares_and_effects(
    gradients: Float[Tensor, "n s"], step: Float[Tensor, "r s"]
) -> tuple[Float[Tensor, " r"], Float[Tensor, " r"]]:
    """Return the share of pictures whose logit rises along each step, and the mean rise."""
    rises = gradients @ step.T
    return (rises > 0).double().mean(dim=0), rises.mean(dim=0)


def _measured(
    gradients: Float[Tensor, "n s"],
    step: Float[Tensor, "1 s"],
    again: Float[Tensor, "r s"],
    cases: int,
    generator: Generator,
) -> tuple[Estimate, Estimate]:
    """Return share and effect with their intervals over repeats, in which the pictures of the class are drawn anew as well."""
    mass = resampled(len(gradients), len(again), generator) / len(gradients)
    rises = again @ gradients.T  # (r, n)
    repeats = torch.stack([((rises > 0).double() * mass).sum(dim=1), (rises * mass).sum(dim=1)], dim=1)
    low, high = interval(repeats, torch.full((2,), cases))
    share, effect = (float(values[0]) for values in _shares_and_effects(gradients, step))
    return Estimate(share, float(low[0]), float(high[0])), Estimate(effect, float(low[1]), float(high[1]))


def _band(values: Float[Tensor, " r"]) -> tuple[float, float]:
    low, high = torch.quantile(values, torch.tensor([0.025, 0.975], dtype=values.dtype)).tolist()
    return low, high
