"""DeepLIFT-SHAP: DeepLIFT, averaged over several baselines."""

from dataclasses import dataclass

from seewhy.core.cost import Cost
from seewhy.core.method import Attribution, Method, Source
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.core.values import Array, as_value
from seewhy.errors import ConfigError
from seewhy.ops.streams import mean
from seewhy.rules.rescale import contributions


@register
@dataclass(frozen=True)
class DeepLIFTSHAP(Method):
    """Average DeepLIFT's map over baselines: no single colour stands for nothing.

    map = mean over baselines x0 of sum_c m_c(x, x0) (x_c - x0_c), with m the multipliers of DeepLIFT's Rescale rule between x and x0.

    Args:
        baselines: what stands for nothing, at least one: "black", "white", "zero", "mean", "blur", "noise", or images (c, *spatial).

    Returns:
        Heatmap (b, *spatial) at the input's resolution, in units of the score; positive speaks for the target. The sum equals the score at
        the image minus the mean score at the baselines; the residual says by how much it does not, which is rounding. The coverage
        says which operations were met.

    Raises:
        MethodError: the network has an operation without such a rule.
        ConfigError: no baseline, or a colour is asked for, and the model does not state its mean and std.

    Limits: approximates the Shapley values of pixels that are missing independently, and only as far as the network is linear between the
        differences; which baselines stand for nothing decides what is found.
    Source: Lundberg and Lee 2017, A Unified Approach to Interpreting Model Predictions, arXiv 1705.07874, section 4.2 (Deep SHAP).
        Differs in: a few baselines that stand for nothing instead of a sample of a data set; multipliers as in `DeepLIFT`.
    """

    baselines: tuple[str | Array, ...] = ("black", "white", "blur", "noise")

    key = "deep-lift-shap"
    title = "DeepLIFT-SHAP"
    family = "propagation"
    signed = True
    resolution = "input"
    complete = True
    source = Source("Lundberg and Lee 2017, SHAP", "1705.07874", "section 4.2")
    merit = "no single colour stands for nothing; adds up to the score, exactly and without noise"
    caution = "the choice of baselines decides what counts as evidence"

    def __post_init__(self) -> None:
        given = (self.baselines,) if isinstance(self.baselines, (str, Array)) else tuple(self.baselines)
        if not given:
            raise ConfigError(f"{self.key} wants at least one baseline, got none")
        object.__setattr__(self, "baselines", tuple(map(as_value, given)))

    def needs(self) -> Needs:
        """Return nothing beyond the score of the image."""
        return Needs()

    def cost(self) -> Cost:
        """Return the shared forward, and a pass of image and baseline with its way back for each baseline."""
        return Cost(1 + 2 * len(self.baselines), 2 * len(self.baselines))

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, the residual per image and what was met on the way back."""
        starts = [probe.stand_in(kind) for kind in self.baselines]
        heatmaps, explained, coverages = zip(*(contributions(probe, start) for start in starts), strict=True)
        return Attribution.adding_up(mean(heatmaps), mean(explained), coverage=coverages[0])
