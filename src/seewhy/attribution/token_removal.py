"""Token removal: what a vision transformer says when some patches are not there at all."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seewhy.core.budget import Allowance, Budget
from seewhy.core.cost import Cost
from seewhy.core.method import AUTO, Anatomy, Attribution, Method, Source
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.core.tokens import dropping_layer
from seewhy.errors import ConfigError, ShapeError
from seewhy.ops.channels import ratio


@register
@dataclass(frozen=True)
class TokenRemoval(Method):
    """Leave patches out of a vision transformer's sequence, and see what the score loses.

    One block at a time: map_t = mean over blocks B that hold t of (score(all) - score(all but B)). With samples, subsets S are dropped at
    random: map_t = mean of score where t stays - mean of score where t is dropped. Positions belong to the tokens before any is dropped,
    so those that stay keep their places, and nothing has to stand where others were.

    Args:
        layer: where tokens are dropped; "auto" is the first place where the whole sequence has been put together.
        block: side of the blocks, in tokens; they overlap and move by one token.
        samples: random subsets, at least 2; None leaves out each block once.
        share: how much of the tokens a random subset drops, above 0 and below 1.
        budget: the most that may be spent: forwards (500) or a time ("30s"); blocks then come in random order. None is no limit.

    Returns:
        Heatmap (b, h, w) on the grid of the tokens, in units of the score; positive speaks for the target. With samples also the
        standard error of each value.

    Raises:
        MethodError: the network has no tokens, or wants all of them, as those with windows do (Swin).
        ShapeError: a block covers the whole grid.

    Limits: one token alone hardly matters where its neighbours say the same: take blocks, or samples. A network that was trained on
        whole pictures only may be surprised by a short sequence. Tokens of one subset are dropped together, so its effect is shared out
        among them on average only.
    Source: Jain et al. 2022, Missingness Bias in Model Debugging, arXiv 2204.08945: dropping tokens in place of painting over patches.
        Differs in: blocks overlap; random subsets drop every token equally often, as far as their number allows.
    """

    layer: str = AUTO
    block: int = 1
    samples: int | None = None
    share: float = 0.5
    budget: Budget = None

    key = "token-removal"
    title = "Token Removal"
    family = "perturbation"
    access = "layers"
    signed = True
    resolution = "layer"
    source = Source("Jain et al. 2022, Missingness Bias in Model Debugging", "2204.08945")
    merit = "needs nothing to paint over what is hidden; exact for the network as it is, without gradients"
    caution = "one token alone hardly matters where others say the same; only for transformers without windows"

    def __post_init__(self) -> None:
        Allowance.of(self.budget)
        if self.block < 1 or not 0 < self.share < 1:
            raise ConfigError(
                f"{self.key} wants a block of at least 1 token and a share above 0 and below 1, got {self.block} and {self.share}"
            )
        if self.samples is not None and self.samples < 2:
            raise ConfigError(
                f"{self.key} wants at least 2 samples, or None to leave out each block once; got {self.samples}"
            )

    def resolve(self, anatomy: Anatomy) -> "TokenRemoval":
        """Return the method with the layer settled at which tokens can be dropped."""
        return replace(self, layer=dropping_layer(anatomy, self.key)) if self.layer == AUTO else self

    def needs(self) -> Needs:
        """Return the tokens."""
        return Needs(frozenset({self.layer}))

    def cost(self) -> Cost | None:
        """Return None: how many blocks there are depends on the grid."""
        return None

    def cost_on(self, anatomy: Anatomy) -> Cost:
        """Return the image, and what comes behind the layer for each subset; a network that cannot be cut there runs whole."""
        grid = anatomy.activation_shape(self.layer)[1:]
        wanted = self.samples or math.prod(max(cells - self.block + 1, 0) for cells in grid)
        most = Allowance.of(self.budget).forwards or wanted
        return Cost(forwards=1, partial=min(wanted, most))

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap; with samples, its standard error."""
        grid = tuple(probe.trace().activation[self.layer].shape[2:])
        dropped: list[Bool[Tensor, " n"]] = []
        scores = torch.stack(list(probe.with_tokens(self.layer, self._kept(probe, grid, dropped))))  # (s, b)
        without = torch.stack(dropped[: len(scores)]).to(scores)  # (s, n), 1 where the token was dropped
        if self.samples is None:
            lost = ratio((probe.score() - scores).T @ without, without.sum(dim=0))  # (b, n)
            return Attribution(lost.view(-1, *grid), notes=_unseen(without))
        found, error = _difference(scores, without)
        return Attribution(found.view(-1, *grid), error=error.view(-1, *grid), notes=_unseen(without))

    def _kept(
        self, probe: Probe, grid: tuple[int, ...], dropped: list[Bool[Tensor, " n"]]
    ) -> Iterator[Int[Tensor, "1 k"]]:
        """Yield the tokens that stay, always as many; write down which ones were dropped."""
        subsets = self._blocks(probe, grid) if self.samples is None else self._drawn(probe, math.prod(grid))
        for places in Allowance.of(self.budget).spend(subsets, least=2):
            without = torch.zeros(math.prod(grid), dtype=torch.bool)
            without[places] = True
            dropped.append(without)
            yield (~without).nonzero().T

    def _blocks(self, probe: Probe, grid: tuple[int, ...]) -> Iterator[Int[Tensor, " k"]]:
        """Yield every block that lies within the grid; in random order where a budget may end them."""
        if any(self.block > cells for cells in grid) or all(self.block >= cells for cells in grid):
            raise ShapeError(
                f"a block of {self.block} x {self.block} tokens must be smaller than the grid of {' x '.join(map(str, grid))}"
            )
        places = torch.arange(math.prod(grid)).view(grid)
        for axis in range(len(grid)):
            places = places.unfold(axis, self.block, 1)
        blocks = places.reshape(-1, self.block ** len(grid))
        if self.budget is not None:
            blocks = blocks[torch.randperm(len(blocks), generator=probe.generator())]
        yield from blocks

    def _drawn(self, probe: Probe, count: int) -> Iterator[Int[Tensor, " k"]]:
        """Yield random subsets of one size: parts of a permutation, then of the next, so that all are dropped equally often."""
        size = min(max(1, round(self.share * count)), count - 1)
        generator, left = probe.generator(), self.samples or 0
        while left > 0:
            order = torch.randperm(count, generator=generator)
            parts = order[: count // size * size].view(-1, size)[:left]
            yield from parts
            left -= len(parts)


def _difference(
    scores: Float[Tensor, "s b"], without: Float[Tensor, "s n"]
) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n"]]:
    """Return the mean score with each token minus that without it, and its standard error; 0 for a token of which only one was seen."""
    shares = torch.stack([1 - without, without])  # (2, s, n)
    counts = shares.sum(dim=1, keepdim=True)  # (2, 1, n)
    means = ratio(scores.T @ shares, counts)  # (2, b, n)
    squares = ratio(scores.square().T @ shares, counts)
    spread = (squares - means.square()).clamp_min(0)
    error = ratio(spread, (counts - 1).clamp_min(1)).sum(dim=0).sqrt()
    seen = (counts > 0).all(dim=0)
    return (means[0] - means[1]) * seen, error * seen


def _unseen(without: Float[Tensor, "s n"]) -> tuple[str, ...]:
    """Say how many tokens were never dropped, or never stayed: the map is zero there."""
    dropped = without.sum(dim=0)
    unseen = int(((dropped == 0) | (dropped == len(without))).sum()) if len(without) > 1 else int((dropped == 0).sum())
    return (f"{unseen} of {len(dropped)} tokens could not be judged, and are zero: take more passes",) if unseen else ()
