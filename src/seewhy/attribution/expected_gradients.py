"""Expected gradients: integrated gradients, averaged over many baselines."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.method import Attribution, Method, Source
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.errors import ConfigError
from seewhy.ops.streams import mean, weighted_sum


@register
@dataclass(frozen=True)
class ExpectedGradients(Method):
    """Average (x - x0) times the gradient over baselines x0 and over random places on the line from x0 to the image.

    map = mean over samples of sum_c (x_c - x0_c) * d score(x0 + t (x - x0)) / d x_c. Baselines take turns; the places of one
    baseline are stratified: one is drawn in each of as many equal parts of the line as it has turns, which lowers the variance.

    Args:
        samples: draws in all, at least one per baseline.
        baselines: what stands for nothing: "black", "white", "zero", "mean", "blur", "noise" (one pattern, the same at each turn).

    Returns:
        Heatmap (b, *spatial) at the input's resolution, in units of the score; positive speaks for the target. The sum estimates the
        score at the image minus the mean score at the baselines; the residual is what the draws miss, and falls with more of them.

    Raises:
        ConfigError: a colour is asked for, and the model does not state its mean and std.

    Limits: which baselines stand for nothing decides what is found, as in integrated gradients; only their average hides no colour.
    Source: Erion et al. 2021, Improving performance of deep learning models with axiomatic attribution priors and expected gradients,
        arXiv 1906.10670; Lundberg and Lee 2017 (SHAP, arXiv 1705.07874), whose library calls it GradientSHAP.
        Differs in: baselines stand for nothing instead of being drawn from a data set; stratified places.
    """

    samples: int = 50
    baselines: tuple[str, ...] = ("black", "white", "blur", "noise")

    key = "expected-gradients"
    title = "Expected Gradients (GradientSHAP)"
    family = "gradient"
    signed = True
    resolution = "input"
    complete = True
    source = Source("Erion et al. 2021, expected gradients", "1906.10670")
    merit = "no single colour stands for nothing; adds up to the score within its error"
    caution = "an estimate from random draws; the choice of baselines decides what counts as evidence"

    def __post_init__(self) -> None:
        if not self.baselines or self.samples < len(self.baselines):
            raise ConfigError(
                f"{self.key} wants at least one baseline and one sample for each, got {len(self.baselines)} baselines and {self.samples} samples"
            )

    def needs(self) -> Needs:
        """Return nothing beyond the score of the image."""
        return Needs()

    def cost(self) -> Cost:
        """Return the image, the baselines, and a forward and backward per sample."""
        return Cost(1 + len(self.baselines) + self.samples, self.samples)

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, and the residual per image."""
        images = probe.inputs
        starts = [probe.stand_in(kind) for kind in self.baselines]
        turns = list(self._turns(probe.generator()))
        gradients = probe.gradients(starts[which] + place * (images - starts[which]) for which, place in turns)
        heatmap = mean(
            ((images - starts[which]) * gradient).sum(dim=1)
            for (which, _), gradient in zip(turns, gradients, strict=True)
        )
        shares = [sum(which == n for which, _ in turns) / self.samples for n in range(len(starts))]
        return Attribution.adding_up(heatmap, probe.score() - weighted_sum(shares, probe.scores(starts)))

    def _turns(self, generator: torch.Generator) -> Iterator[tuple[int, float]]:
        """Yield the baseline of each sample and a place on its line, one place in each of equal parts."""
        drawn: Float[Tensor, " n"] = torch.rand(self.samples, generator=generator, dtype=torch.float64)
        for which in range(len(self.baselines)):
            mine = drawn[which :: len(self.baselines)]
            for part, inside in enumerate(mine.tolist()):
                yield which, (part + inside) / len(mine)
