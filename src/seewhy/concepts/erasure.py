"""What a network gets wrong once a concept is taken out of what a layer hands on."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from seewhy.contributions.estimate import estimates
from seewhy.contributions.table import Estimate
from seewhy.data.features import Features
from seewhy.engine.head import Head

DRAWS = 19
"""Random directions of each kind: a concept that costs more than all of them is one case in twenty."""
PICTURES = 500
"""Pictures that are tried at most."""


@dataclass(frozen=True)
class Erased:
    """What taking a direction out does to one group of pictures.

    Attributes:
        before: share of them that are right with nothing taken out.
        fall: how much lower that is without the concept.
        random: the same without a random direction, on average.
        matched: the same without a random direction along which activations vary as much as along the concept, on average.
        worst: the largest of those falls.
        beyond: fall - matched, picture by picture.
        pictures: in the group.
    """

    before: float
    fall: Estimate
    random: Estimate
    matched: Estimate
    worst: float
    beyond: Estimate
    pictures: int

    @property
    def certain(self) -> bool:
        """Whether the concept costs more than each of the directions of the same variance, and surely more than they do on average."""
        return self.beyond.low > 0 and self.fall.value > self.worst


@dataclass(frozen=True)
class Erasure:
    """What taking a concept out of the activations does.

    Attributes:
        everything: to all pictures.
        classes: to those of each class, by its index.
        variance: share of the layer's variance over positions that lies along the concept.
        matched: the same for the directions of equal variance, on average.
    """

    everything: Erased
    classes: dict[int, Erased]
    variance: float
    matched: float


def erased(
    activation: Float[Tensor, "n c *spatial"], middle: Float[Tensor, " c"], direction: Float[Tensor, " c"]
) -> Float[Tensor, "n c *spatial"]:
    """Return activations whose part along a direction is that of the middle, at every position: a - ((a - o) . v) v.

    Args:
        activation: what the layer gives.
        middle: o, the mean over all positions of all pictures.
        direction: of any length but 0.
    """
    unit = direction / direction.norm()
    flat = activation.flatten(2) if activation.dim() > 2 else activation[..., None]
    along = unit @ flat - middle @ unit  # (n, positions)
    left: Tensor = flat - along[:, None] * unit[:, None]
    return left.view(activation.shape)


class Eraser:
    """Takes directions out of the activations of some pictures, and says who is still right.

    Args:
        features: of the pictures.
        head: what the network does behind the layer.
        truth: what is right for each picture: its label, or what the network says of it untouched.
        seed: of the random directions and the intervals.
    """

    def __init__(self, features: Features, head: Head, truth: Int[Tensor, " n"], seed: int) -> None:
        self.features, self.head, self.truth, self.seed = features, head, truth, seed
        rows = features.rows.double()
        self.middle = rows.mean(dim=0)
        spread, axes = torch.linalg.eigh((rows - self.middle).T @ (rows - self.middle) / len(rows))
        self.spread, self.axes = spread.clamp_min(0), axes.T
        self.before = self._right(features.raw)
        plain = torch.randn(DRAWS, len(self.middle), generator=Generator().manual_seed(seed)).double()
        self.random = torch.stack([self.without(direction) for direction in plain]).mean(dim=0)

    def without(self, direction: Float[Tensor, " c"]) -> Float[Tensor, " n"]:
        """Return which pictures are right without a direction: 1 or 0."""
        made = erased(self.features.activation, self.middle.float(), direction.float())
        return self._right(self.features.with_activation(made))

    def erasure(self, direction: Float[Tensor, " c"], classes: Sequence[int]) -> Erasure:
        """Return what taking a concept out does, beside random directions.

        Args:
            direction: of the concept.
            classes: for which it is told apart.
        """
        unit = direction.double() / direction.double().norm()
        varies = float((self.spread * (self.axes @ unit) ** 2).sum())
        alike = self.matched(varies)
        own = self.without(unit)
        matched = torch.stack([self.without(other) for other in alike])  # (d, n)
        total = float(self.spread.sum())
        reached = ((alike @ self.axes.T) ** 2 @ self.spread).mean()
        return Erasure(
            self._erased(own, matched, torch.ones_like(self.truth, dtype=torch.bool)),
            {one: self._erased(own, matched, self.truth == one) for one in classes if bool((self.truth == one).any())},
            varies / total if total else 0.0,
            float(reached) / total if total else 0.0,
        )

    def matched(self, variance: float) -> Float[Tensor, "d c"]:
        """Return random directions along which activations vary so much.

        In the principal axes, a direction drawn from the sphere is weighed by powers of their variances until it has the variance that is wanted; that rises
        with the power, so halving finds it. Where no direction varies as much, the nearest comes out.
        """
        drawn = torch.randn(DRAWS, len(self.spread), generator=Generator().manual_seed(self.seed + 1)).double()
        logs = self.spread.clamp_min(float(self.spread.amax()) * 1e-12 + 1e-300).log()
        low, high = torch.full((DRAWS, 1), -64.0).double(), torch.full((DRAWS, 1), 64.0).double()
        for _ in range(60):
            power = (low + high) / 2
            weights = (2 * power * logs + (drawn**2).log()).softmax(dim=1)
            more = (weights @ self.spread)[:, None] > variance
            low, high = torch.where(more, low, power), torch.where(more, power, high)
        weights = (2 * low * logs + (drawn**2).log()).softmax(dim=1)
        made: Tensor = (weights.sqrt() * drawn.sign()) @ self.axes
        return made

    def _right(self, raw: Tensor) -> Float[Tensor, " n"]:
        return (self.head.answers(raw).argmax(dim=1) == self.truth).double()

    def _erased(self, own: Tensor, matched: Float[Tensor, "d n"], among: Tensor) -> Erased:
        alike = matched.mean(dim=0)
        falls = torch.stack([self.before - own, self.before - self.random, self.before - alike, alike - own], dim=1)
        fall, random, mean, beyond = estimates(falls[among], self.seed)
        worst = (self.before - matched)[:, among].mean(dim=1).amax()
        return Erased(float(self.before[among].mean()), fall, random, mean, float(worst), beyond, int(among.sum()))
