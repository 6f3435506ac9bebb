"""Kernel SHAP: Shapley values of segments from a weighted regression."""

from dataclasses import dataclass
from itertools import chain

import torch
from jaxtyping import Int
from torch import Tensor

from seewhy.core.budget import Allowance
from seewhy.core.game import Game, Shares
from seewhy.core.method import Source
from seewhy.core.perturbing import SegmentMethod, stopped
from seewhy.core.registry import register
from seewhy.errors import ConfigError
from seewhy.ops.coalitions import kernel_fit, kernel_pairs, pair_count


@register
@dataclass(frozen=True)
class KernelSHAP(SegmentMethod):
    """Show coalitions of segments and their complements, and fit the values that share out the score among the segments.

    map = phi / pixels of the segment, phi = argmin sum_z k(z) (score(z) - score(nothing) - phi . z)^2 such that the sum of phi is
    score(x) - score(nothing), with k(z) = (n - 1) / (C(n, |z|) |z| (n - |z|)). Over all coalitions these are the Shapley values.

    Args:
        fill: what is shown where a segment is hidden; everything hidden is "nothing".
        budget: the most that may be spent; the values are then fitted to what there is.
        segments: "slic" (by colour and place), "grid" (equal boxes), or a map of integers of the size of the network's input.
        count: about how many segments, where they are made.
        samples: coalitions, at least 2, asked in pairs of a coalition and its complement. Sizes of which all coalitions find room are
            asked completely, and with at least 2^n - 2 samples the values are exact.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, in units of the score per pixel; positive speaks for the target. The sum over a
        segment is its Shapley value, the sum of all is score(x) - score(nothing), exactly. With its standard error, and R² of the additive
        model.

    Raises:
        ConfigError: fewer than 2 samples, or a budget that does not pay for them.
        ShapeError: a segment map of another size than the input's.
        MethodError: the image is a single segment.

    Limits: coalitions of few segments look like no photo, and what the network says of them counts most. Another fill gives other values.
        The error is that of the drawing alone.
    Source: Lundberg & Lee 2017, A Unified Approach to Interpreting Model Predictions, arXiv 1705.07874, theorem 2; pairs and errors as in
        Covert & Lee 2021, arXiv 2012.01536. Differs in: the sum is kept exactly instead of by a large weight; errors from the residuals of
        the one regression instead of from many.
    """

    samples: int = 500

    key = "kernel-shap"
    title = "Kernel SHAP"
    complete = True
    source = Source(
        "Lundberg & Lee 2017, A Unified Approach to Interpreting Model Predictions", "1705.07874", "theorem 2"
    )
    merit = "Shapley values that add up, with standard errors; exact where there are few segments"
    caution = "coalitions of few segments look like no photo; another fill gives other values"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.samples < 2 or (Allowance.of(self.budget).forwards or 3) < 3:
            raise ConfigError(
                f"{self.key} wants at least 2 samples, and a budget of at least 3 forwards, got {self.samples} and {self.budget!r}"
            )

    def coalitions_asked(self, segments: Int[Tensor, "*spatial"]) -> int:
        """Return nothing shown, and the samples, as far as there are coalitions."""
        return 1 + 2 * min(self.samples // 2, pair_count(int(segments.max()) + 1))

    def shares(self, game: Game) -> Shares:
        """Return the Shapley values."""
        planned = min(self.samples // 2, pair_count(game.players))
        paid = Allowance.of(self.budget).forwards
        pairs = kernel_pairs(game.players, min(planned, (paid - 1) // 2) if paid else planned, game.generator())
        asked = chain([game.nobody()], (who for half in pairs.coalitions for who in (half, ~half)))
        nothing, *rest = game.worths(self.affordable(asked, least=3))
        done = len(rest) // 2
        worths = torch.tensor(rest[: 2 * done], dtype=torch.float64).view(done, 2)
        fit = kernel_fit(pairs.first(done), worths, nothing, game.full)
        notes = stopped(2 * done, 2 * planned, "coalitions")
        if not fit.error.isfinite().all():
            notes += ("too few samples for so many segments: no standard error can be given, take more samples",)
        return Shares(fit.values, game.full - nothing, fit.error, {"R² of the surrogate": fit.quality}, notes)
