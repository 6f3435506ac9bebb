"""Finer-CAM: what sets a class apart from the classes that it is most easily mistaken for."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.method import AUTO, Method, Source
from seewhy.core.needs import Needs, at
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.core.target import BoundTarget, Target
from seewhy.core.trace import Reading
from seewhy.errors import ConfigError, TargetError
from seewhy.ops.channels import over_positions, weighted_sum
from seewhy.targets.classes import class_logits


@register
@dataclass(frozen=True)
class FinerCAM(Method):
    """Explain, by Grad-CAM, the logit of a class minus a share of the mean logit of the classes most similar to it.

    map = relu(sum_k w_k A_k), w_k the mean over positions of d (y_c - strength * mean_d(y_d)) / d A_k. The similar classes d are, for each
    image, those whose logits are nearest to that of c.

    Args:
        layer: the layer; "auto" is the last one with a grid.
        references: number of similar classes, at least 1; all others, if there are fewer.
        strength: how much of the similar classes is taken off, at least 0; 0 gives Grad-CAM.

    Returns:
        Heatmap (b, *spatial) at the layer's resolution, not negative, in units of the logit.

    Raises:
        TargetError: the target is not the logit of one class.

    Limits: those of Grad-CAM. Logits that are near on this image need not belong to classes that look alike; name the rival yourself
        with the target Contrast and 'grad-cam'.
    Source: Zhang et al. 2025, Finer-CAM, arXiv 2501.11309. Differs in: nothing; similar classes count equally
        (pytorch-grad-cam weights them by their probability).
    """

    layer: str = AUTO
    references: int = 3
    strength: float = 0.6

    key = "finer-cam"
    title = "Finer-CAM"
    family = "cam"
    signed = False
    resolution = "layer"
    source = Source("Zhang et al. 2025, Finer-CAM", "2501.11309")
    merit = "tells look-alike classes apart"
    caution = "classes with near logits need not look alike; a coarse grid"

    def __post_init__(self) -> None:
        if self.references < 1 or self.strength < 0:
            raise ConfigError(
                f"finer-cam wants at least 1 reference and a strength of at least 0, got {self.references} and {self.strength}"
            )

    def needs(self) -> Needs:
        """Return activation and gradient of the layer."""
        return at(self.layer)

    def attribute(self, probe: Probe) -> Float[Tensor, "b *spatial"]:
        """Return the heatmap."""
        trace = probe.toward(_Apart(probe.bound, self.references, self.strength)).trace()
        activation, gradient = trace.activation[self.layer], trace.gradient[self.layer]  # (b, c, *spatial)
        return weighted_sum(over_positions(gradient), activation).relu()


@dataclass(frozen=True)
class _Apart(Target):
    """A class's logit minus a share of the mean logit of the classes nearest to it."""

    asked: BoundTarget
    references: int
    strength: float

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the similar classes of each image."""
        logits = class_logits(reading).detach()
        own = self._classes(reading, logits)[:, None]  # (b, 1)
        distance = (logits - logits.gather(1, own)).abs().scatter(1, own, torch.inf)  # (b, k)
        count = min(self.references, logits.shape[1] - 1)
        similar = distance.argsort(dim=1, stable=True)[:, :count]  # (b, references)

        def score(seen: Reading) -> Float[Tensor, " b"]:
            return seen.output.gather(1, own)[:, 0] - self.strength * seen.output.gather(1, similar).mean(dim=1)

        return BoundTarget(score, tuple(f"{name} apart from its like" for name in self.asked.names), "logit")

    def _classes(self, reading: Reading, logits: Float[Tensor, "b k"]) -> Tensor:
        """Return the class of each image; raise where what was asked is anything but its logit."""
        if self.asked.classes is not None:
            classes = torch.tensor(self.asked.classes, device=logits.device)
            if torch.equal(self.asked(reading).detach(), logits.gather(1, classes[:, None])[:, 0]):
                return classes
        raise TargetError(
            f"the target must be the logit of one class, got {self.asked.names[0]!r} ({self.asked.unit}); "
            "use seewhy.targets.ClassScore, or 'grad-cam', which takes any target"
        )
