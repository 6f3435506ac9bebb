"""LibraGrad: input x gradient of a transformer, with those ways back cut or scaled that count a score twice or not at all."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.method import Attribution, Method, Source
from seewhy.core.needs import INPUT, Needs, at
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.core.relevance import conserving
from seewhy.errors import ConfigError, MethodError
from seewhy.rules.transformers import LIBRA


@register
@dataclass(frozen=True)
class LibraGrad(Method):
    """Multiply input and balanced gradient; at layers of tokens, the mean of several such maps.

    map = mean over layers of sum_c x_c * g_c, where g is the gradient of the score with

    - attention weights held constant: nothing comes back through queries and keys
    - the deviation of a layer norm held constant
    - the gate of a gated activation held constant: GELU(x) = x * (GELU(x) / x), SiLU(x) = x * sigmoid(x)
    - the gradient of a product of two such streams halved, as both factors would count it

    So every operation is linear up to a constant, and x * g is complete, but for the constants.

    Args:
        layers: where activation and gradient are multiplied: "input", or names of layers of one grid. The outputs of all blocks are
            the paper's FullGrad+, less the terms of the biases.

    Returns:
        Heatmap (b, *spatial), in units of the score; positive speaks for the target; at the input's resolution, or on the grid of the
        layers. The residual is the score minus its sum: what biases, the class token and embeddings of places hold.

    Raises:
        ConfigError: no layer is named.
        MethodError: the layers have several grids, or the network has an operation that is not made linear, such as sorting.

    Limits: at the input as noisy as any gradient; a mean over blocks is calmer. Tokens without a place hold a part of each map.
    Source: Mehri et al. 2025, LibraGrad, CVPR 2025, arXiv 2411.16760, sections 3 and 4. Differs in: FullGrad+ without bias terms.
    """

    layers: str | tuple[str, ...] = INPUT

    key = "libra-grad"
    title = "LibraGrad"
    family = "propagation"
    signed = True
    resolution = "input"
    source = Source("Mehri et al. 2025, LibraGrad", "2411.16760", "sections 3-4")
    merit = "input x gradient that adds up on transformers; one pass, no parameter"
    caution = "says nothing of why attention looked there; noisy at the input, so name the blocks"

    def __post_init__(self) -> None:
        if isinstance(self.layers, list):
            object.__setattr__(self, "layers", tuple(self.layers))
        if not self.layers:
            raise ConfigError(f"{self.key} wants at least one layer, or {INPUT!r}")

    @property
    def places(self) -> tuple[str, ...]:
        """The layers, one or several."""
        return (self.layers,) if isinstance(self.layers, str) else self.layers

    def needs(self) -> Needs:
        """Return nothing of the shared pass: the rules want one of their own."""
        return Needs()

    def cost(self) -> Cost:
        """Return the shared pass, and one under rules."""
        return Cost(2, 1)

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, what was met, and what the map lacks of the score."""
        found = probe.propagated(LIBRA, at(*(name for name in self.places if name != INPUT)))
        known = {**found.trace.activation, INPUT: found.trace.inputs}
        maps = [(known[name] * found.trace.gradient[name]).sum(dim=1) for name in self.places]
        return conserving(_mean(maps), found)


def _mean(maps: list[Float[Tensor, "b *spatial"]]) -> Float[Tensor, "b *spatial"]:
    sizes = {tuple(drawn.shape[1:]) for drawn in maps}
    if len(sizes) > 1:
        raise MethodError(
            f"the layers have several grids ({', '.join(map(str, sorted(sizes)))}); name layers of one size, such as the blocks of one stage"
        )
    return torch.stack(maps).mean(dim=0)
