"""What methods have in common that look at noisy copies of an image instead of the image itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.method import Method
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.errors import ConfigError
from seewhy.ops.noise import noisy


@dataclass(frozen=True)
class NoisyMethod(Method):
    """A method over noisy copies of the images.

    Args:
        samples: noisy copies, at least `fewest`.
        noise: standard deviation of the noise as a share of each image's own range of values.
    """

    samples: int = 50
    noise: float = 0.15

    fewest: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.samples < self.fewest or self.noise < 0:
            raise ConfigError(
                f"{self.key} wants samples of at least {self.fewest} and noise of at least 0, got {self.samples} and {self.noise}"
            )

    def needs(self) -> Needs:
        """Return nothing of the shared pass: all looks are at noisy copies."""
        return Needs()

    def cost(self) -> Cost:
        """Return the image, which the target is bound on, and a forward and a backward for each copy."""
        return Cost(1 + self.samples, self.samples)

    def copies(self, probe: Probe) -> Iterator[Float[Tensor, "b c *spatial"]]:
        """Yield the noisy copies, drawn one at a time."""
        return noisy(probe.inputs, self.samples, self.noise, probe.generator())
