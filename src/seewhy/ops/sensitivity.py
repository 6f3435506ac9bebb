"""How much each of many inputs matters to a score: estimators from samples, without knowledge of what was sampled."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.ops.channels import ratio


@dataclass(eq=False)
class Moments:
    """Running sums over pairs of a mask m and a score s, as d = m - centre and t = s - offset; their size does not grow with the pairs."""

    t: Float[Tensor, " b"]
    d: Float[Tensor, "1 *spatial"]
    dd: Float[Tensor, "1 *spatial"]
    dt: Float[Tensor, "b *spatial"]
    ddt: Float[Tensor, "b *spatial"]
    ddtt: Float[Tensor, "b *spatial"]
    count: int = 0

    @classmethod
    def of(cls, like: Float[Tensor, " b"], size: tuple[int, ...]) -> "Moments":
        """Return sums over nothing, for scores like these and masks of this size."""
        few, many = like.new_zeros(1, *size), like.new_zeros(len(like), *size)
        return cls(torch.zeros_like(like), few, few.clone(), many, many.clone(), many.clone())

    def add(self, d: Float[Tensor, "1 *spatial"], t: Float[Tensor, " b"]) -> None:
        """Add one pair."""
        dd, tall = d * d, t.view(-1, *[1] * (d.dim() - 1))
        self.count += 1
        self.t += t
        self.d += d
        self.dd += dd
        self.dt.addcmul_(d, tall)
        self.ddt.addcmul_(dd, tall)
        self.ddtt.addcmul_(dd, tall * tall)

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def covariance(self) -> Float[Tensor, "b *spatial"]:
        """The unbiased covariance of each pixel of the mask with the score; at least two pairs."""
        tall = self.t.view(-1, *[1] * (self.d.dim() - 1))
        return (self.dt - self.d * tall / self.count) / (self.count - 1)

    @property
    def covariance_error(self) -> Float[Tensor, "b *spatial"]:
        """The standard error of the covariance: that of a mean of d (t - mean t)."""
        middle = (self.t / self.count).view(-1, *[1] * (self.d.dim() - 1))
        mean = (self.dt - self.d * middle) / self.count
        square = (self.ddtt - 2 * middle * self.ddt + middle**2 * self.dd) / self.count
        return ((square - mean**2).relu() / (self.count - 1)).sqrt()

    @property
    def product(self) -> Float[Tensor, "b *spatial"]:
        """The mean of d t."""
        return self.dt / self.count

    @property
    def product_error(self) -> Float[Tensor, "b *spatial"]:
        """The standard error of the mean of d t."""
        return ((self.ddtt / self.count - self.product**2).relu() / (self.count - 1)).sqrt()


def moments(
    pairs: Iterable[tuple[Float[Tensor, "1 *spatial"], Float[Tensor, " b"]]],
    centre: float,
    offset: Float[Tensor, " b"],
    size: tuple[int, ...],
) -> tuple[Moments, Moments]:
    """Return the sums over the first, third, fifth ... pair of mask and score, and over the others.

    Args:
        pairs: masks and scores, one after the other.
        centre: taken from each mask.
        offset: taken from each score: a number near them keeps the digits of their differences.
        size: of the masks.
    """
    halves = Moments.of(offset, size), Moments.of(offset, size)
    for index, (mask, score) in enumerate(pairs):
        halves[index % 2].add(mask.to(offset) - centre, score - offset)
    return halves


def reliability(first: Float[Tensor, "b *spatial"], second: Float[Tensor, "b *spatial"]) -> Float[Tensor, " b"]:
    """Return how well the mean of two independent maps would agree with another such mean, from how well the two agree.

    2 r / (1 + r), with r the correlation over the pixels of the two; 0 where r is not positive.
    Source: Spearman 1910, Brown 1910, British Journal of Psychology 3.
    """
    a, b = (part.flatten(1) - part.flatten(1).mean(dim=1, keepdim=True) for part in (first, second))
    r = ratio((a * b).sum(dim=1), a.norm(dim=1) * b.norm(dim=1)).clamp(0, 1)
    return 2 * r / (1 + r)


def total_order(
    base: Float[Tensor, "n b"], other: Float[Tensor, "n b"], mixed: Float[Tensor, "n d b"]
) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b d"]]:
    """Return the total-order Sobol index of each of d inputs, and its standard error.

    ST_i = E[(f(A) - f(A with column i of B))^2] / (2 Var f): the share of the variance that would be left if all inputs but i were known.
    The error is that of a ratio of two means, and takes the samples as independent. Where the score never changes, both are 0.

    Args:
        base: f(A), n samples of b functions.
        other: f(B).
        mixed: f(A with column i of B).

    Source: Jansen 1999, Analysis of variance designs for model output, Computer Physics Communications 117; Saltelli et al. 2010,
        doi 10.1016/j.cpc.2009.09.018, table 2, equation (f).
    """
    squares = (base[:, None] - mixed) ** 2  # (n, d, b)
    middle = (base + other).mean(dim=0) / 2
    doubled = (base - middle) ** 2 + (other - middle) ** 2  # (n, b), on average twice the variance
    found = ratio(squares.mean(dim=0), doubled.mean(dim=0))  # (d, b)
    spread = (squares - found * doubled[:, None]).std(dim=0, correction=0) / max(1, len(base) - 1) ** 0.5
    return found.T, ratio(spread, doubled.mean(dim=0)).T


def hsic(
    cells: Float[Tensor, "n d"], scores: Float[Tensor, "n b"], width: float = 0.5
) -> tuple[Float[Tensor, "b d"], Float[Tensor, " b"]]:
    """Return the dependence of each of d inputs with each of b scores, and what it would be by chance on average over the inputs.

    HSIC_i = tr(K_i H L H) / n^2 with H = 1 - 1/n, the biased estimator, which is never negative. K_i and L are Gaussian kernels, of the
    given width between values of input i and of the median distance between scores. If the scores were dealt out to the samples
    anew at random, the mean over all ways to do it would be tr(H K_i H) tr(H L H) / (n^2 (n - 1)).

    Source: Gretton et al. 2005, Measuring statistical dependence with Hilbert-Schmidt norms, doi 10.1007/11564089_7, equation 9 (there with
        (n - 1)^2).
    """
    n, d = cells.shape
    answers = torch.stack([_centred(_gaussian(one, _median_distance(one))) for one in scores.T])  # (b, n, n)
    traces = answers.diagonal(dim1=1, dim2=2).sum(dim=1)  # (b,)
    found, chance = [], torch.zeros_like(traces)
    for column in cells.T:
        kernel = _gaussian(column, column.new_tensor(width))
        found.append((answers * kernel).sum(dim=(1, 2)) / n**2)
        chance += _centred(kernel).trace() * traces / (n**2 * (n - 1) * d)
    return torch.stack(found, dim=1).relu(), chance  # below 0 by rounding only


def _gaussian(values: Float[Tensor, " n"], width: Float[Tensor, ""]) -> Float[Tensor, "n n"]:
    apart = values[:, None] - values
    return torch.exp(-0.5 * (apart / width) ** 2)


def _median_distance(values: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Return the median distance of two values; 1 where most are the same, and no width would tell them apart."""
    rows, columns = torch.triu_indices(len(values), len(values), offset=1, device=values.device)
    median = (values[rows] - values[columns]).abs().median()
    return torch.where(median > 0, median, 1)


def _centred(kernel: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    return kernel - kernel.mean(dim=0) - kernel.mean(dim=1, keepdim=True) + kernel.mean()
