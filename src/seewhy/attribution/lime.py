"""LIME: the weights of a linear model that stands in for the network around the image."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seewhy.core.game import Game, Shares
from seewhy.core.method import Source
from seewhy.core.perturbing import SegmentMethod, stopped
from seewhy.core.registry import register
from seewhy.errors import ConfigError
from seewhy.ops.coalitions import linear_fit

Distance = Literal["cosine", "euclidean"]


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Images like one, with some of its segments hidden.

    Attributes:
        shown: which segments each of them shows.
        worths: their scores.
        weights: how much each counts: the more, the nearer it is.
    """

    shown: Bool[Tensor, "m n"]
    worths: Float[Tensor, " m"]
    weights: Float[Tensor, " m"]

    def part(self, places: Int[Tensor, " k"]) -> "Neighbours":
        """Return some of them."""
        return Neighbours(self.shown[places], self.worths[places], self.weights[places])


@register
@dataclass(frozen=True)
class LIME(SegmentMethod):
    """Hide random halves of the segments, and fit a linear model of the score to who was shown.

    map = w / pixels of the segment, w = argmin sum_i k(z_i) (score(z_i) - b - w . z_i)^2 + ridge |w|^2, with z_i which segments are shown,
    each with probability 1/2, and k(z) = exp(-d(z, all)^2 / width^2). The image itself is the first sample.

    Args:
        fill: what is shown where a segment is hidden.
        budget: the most that may be spent; the model is then fitted to what there is.
        segments: "slic" (by colour and place), "grid" (equal boxes), or a map of integers of the size of the network's input.
        count: about how many segments, where they are made.
        samples: random coalitions, at least 1; several times the number of segments.
        distance: d is 1 - cosine, which is 1 - sqrt(share shown), or "euclidean", sqrt(share hidden); both go from 0 to 1.
        width: of the kernel; how quickly samples that show less of the image lose their say.
        ridge: how much small weights are preferred; 0 is least squares.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, in units of the score per pixel; positive speaks for the target. The sum over a
        segment is its weight. With its standard error, and R² of the linear model, per image.

    Raises:
        ConfigError: a setting out of range.
        ShapeError: a segment map of another size than the input's.
        MethodError: the image is a single segment.

    Limits: an R² far below 1 says that the network is not linear in these segments, and the weights describe a model that it is not.
        Width and ridge change the map, and there is no right value; samples of half the image lie far from the image.
    Source: Ribeiro et al. 2016, "Why Should I Trust You?" Explaining the Predictions of Any Classifier, arXiv 1602.04938, equations 1-2.
        Differs in: ridge regression on all segments instead of a chosen few, as in the authors' code for images; standard errors.
    """

    samples: int = 500
    distance: Distance = "cosine"
    width: float = 0.25
    ridge: float = 1.0

    key = "lime"
    title = "LIME"
    source = Source(
        'Ribeiro et al. 2016, "Why Should I Trust You?" Explaining the Predictions of Any Classifier',
        "1602.04938",
        "equations 1-2",
    )
    merit = "a linear model of the score around the image, that says how good a model it is"
    caution = "an R² far below 1 means that the weights describe a model that the network is not"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.samples < 1 or self.width <= 0 or self.ridge < 0 or self.distance not in get_args(Distance):
            raise ConfigError(
                f"{self.key} wants at least 1 sample, a width above 0, a ridge of at least 0 and a distance of "
                f"{' or '.join(get_args(Distance))}; got {self.samples}, {self.width}, {self.ridge} and {self.distance!r}"
            )

    def coalitions_asked(self, segments: Int[Tensor, "*spatial"]) -> int:
        """Return the number of samples."""
        return self.samples

    def shares(self, game: Game) -> Shares:
        """Return the weights of the linear model."""
        drawn = self.scored(game, torch.rand(self.samples, game.players, generator=game.generator()) < 0.5)
        asked = len(drawn.worths)
        fit = linear_fit(drawn.shown, drawn.worths, drawn.weights, self.ridge)
        notes = stopped(asked - 1, self.samples, "samples")
        if asked <= game.players:
            notes += ("fewer samples than segments: the weights are the smallest that fit, take more samples",)
        return Shares(fit.values, None, fit.error, {"R² of the surrogate": fit.quality}, notes)

    def scored(self, game: Game, drawn: Bool[Tensor, "m n"], least: int = 1) -> Neighbours:
        """Ask what neighbours are worth that show these segments; the image itself comes first, `least` others are asked whatever the clock says."""
        worths = torch.tensor([game.full, *game.worths(self.affordable(drawn, least))], dtype=torch.float64)
        shown = torch.cat([torch.ones_like(drawn[:1]), drawn])[: len(worths)]
        return Neighbours(shown, worths, self.kernel(shown))

    def kernel(self, shown: Bool[Tensor, "m n"]) -> Float[Tensor, " m"]:
        """Return how much each sample counts."""
        share = shown.double().mean(dim=1)
        away = 1 - share.sqrt() if self.distance == "cosine" else (1 - share).sqrt()
        return (-(away**2) / self.width**2).exp()
