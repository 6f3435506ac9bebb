"""Feature ablation: how much the score falls when a segment is hidden."""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from seewhy.core.game import Game, Shares
from seewhy.core.method import Source
from seewhy.core.perturbing import SegmentMethod, stopped
from seewhy.core.registry import register


@register
@dataclass(frozen=True)
class FeatureAblation(SegmentMethod):
    """Hide each segment alone, and give it what the score loses.

    map = (score(x) - score(x with the segment hidden)) / pixels of the segment.

    Args:
        fill: what is shown where a segment is hidden.
        budget: the most that may be spent; segments that it leaves out get 0, and a note says how many.
        segments: "slic" (by colour and place), "grid" (equal boxes), or a map of integers of the size of the network's input.
        count: about how many segments, where they are made.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, in units of the score per pixel; positive: the score falls without it. The sum
        over a segment is what the score loses; the sum of all need not be the score.

    Raises:
        ShapeError: a segment map of another size than the input's.
        MethodError: the image is a single segment.

    Limits: of two segments that say the same thing each gets nothing, as the other stays; see the Shapley methods. What the hidden place
        looks like matters: another fill gives another map.
    Source: Zeiler & Fergus 2014, Visualizing and Understanding Convolutional Networks, arXiv 1311.2901, section 4.2. Differs in: segments
        instead of a sliding square.
    """

    key = "feature-ablation"
    title = "Feature Ablation"
    source = Source(
        "Zeiler & Fergus 2014, Visualizing and Understanding Convolutional Networks", "1311.2901", "section 4.2"
    )
    merit = "what the score loses without a segment: nothing to believe, nothing drawn at random, few passes"
    caution = "of two segments that say the same thing, each gets nothing"

    def coalitions_asked(self, segments: Int[Tensor, "*spatial"]) -> int:
        """Return one for each segment."""
        return int(segments.max()) + 1

    def shares(self, game: Game) -> Shares:
        """Return what the score loses without each segment."""
        without = ~torch.eye(game.players, dtype=torch.bool)
        losses = [game.full - worth for worth in game.worths(self.affordable(without))]
        values = torch.zeros(game.players, dtype=torch.float64)
        values[: len(losses)] = torch.tensor(losses, dtype=torch.float64)
        return Shares(values, notes=stopped(len(losses), game.players, "segments"))
