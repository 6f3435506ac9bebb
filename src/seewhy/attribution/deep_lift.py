"""DeepLIFT: by how much each pixel's difference from a baseline moves the score, through every difference in between."""

from dataclasses import dataclass

from seewhy.core.cost import Cost
from seewhy.core.method import Attribution, Method, Source
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.core.values import Array, as_value
from seewhy.rules.rescale import contributions


@register
@dataclass(frozen=True)
class DeepLIFT(Method):
    """Hand the score's difference from a baseline back, at each operation in the share that each input's own difference had in it.

    map = sum_c m_c (x_c - x0_c), with m the product of multipliers on the way back: where the gradient has f'(x), the Rescale rule has
    (f(x) - f(x0)) / (x - x0).

    Args:
        baseline: what stands for nothing: "black", "white", "zero", "mean", "blur", "noise", or an image (c, *spatial) as the network takes it.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, in units of the score; positive speaks for the target. The sum equals the score at
        the image minus the score at the baseline; the residual says by how much it does not, which is rounding. The coverage says
        which operations were met.

    Raises:
        MethodError: the network has an operation without such a rule (sorting, a cumulative product), or chooses by a mask that depends on the image.
        ConfigError: a colour is asked for, and the model does not state its mean and std.

    Limits: a pixel that has the baseline's colour gets nothing, however much it matters. One baseline is one question; another one is another.
        Unlike integrated gradients, two networks that compute the same in different ways may give different maps.
    Source: Shrikumar et al. 2017, Learning Important Features Through Propagating Activation Differences, arXiv 1704.02685, section 3.5.1.
        Differs in: the paper leaves open what multiplies, divides and compares. Here products of two activations split evenly, d(ab) = mean(b)
        da + mean(a) db, and quotients as products do; norms are sums, squares, roots and quotients; softmax has the logarithmic mean of both probabilities in place of
        each; of max pools the place of the larger of both maxima carries the difference; LSTM,
        GRU and plain recurrent layers are unrolled into their steps. All of these leave no remainder. Softmax before the
        score is not taken away: ask for the logit.
    """

    baseline: str | Array = "black"

    key = "deep-lift"
    title = "DeepLIFT"
    family = "propagation"
    signed = True
    resolution = "input"
    complete = True
    source = Source("Shrikumar et al. 2017, DeepLIFT", "1704.02685", "section 3.5.1")
    merit = "adds up to the score to the last digit from one pass; no noise where gradients saturate"
    caution = "a pixel that has the baseline's colour gets nothing; the map depends on how the network is written"

    def __post_init__(self) -> None:
        object.__setattr__(self, "baseline", as_value(self.baseline))

    def needs(self) -> Needs:
        """Return nothing beyond the score of the image."""
        return Needs()

    def cost(self) -> Cost:
        """Return the shared forward, and a pass of image and baseline with its way back."""
        return Cost(3, 2)

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, the residual per image and what was met on the way back."""
        heatmap, explained, coverage = contributions(probe, probe.stand_in(self.baseline))
        return Attribution.adding_up(heatmap, explained, coverage=coverage)
