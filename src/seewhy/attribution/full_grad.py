"""FullGrad: the input and the biases of all layers share the score among them, and each says where."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.method import AUTO, Anatomy, Attribution, Method, Source
from seewhy.core.needs import INPUT, Needs
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.ops.channels import ratio
from seewhy.ops.filters import resize

MOST_MISSING = 0.1
"""Share of the score that may be missing before a note says so."""


@register
@dataclass(frozen=True)
class FullGrad(Method):
    """Add up where the input and the bias of every layer contribute to the score.

    In a network of convolutions, linear layers, batch norms, pools, ReLU and ReLU6, the score is exactly sum(x * g) + sum over layers of
    sum(bias * g), with g the gradient at the input and at each layer's output. The bias of a ReLU6 is 6 where it is saturated. map =
    psi(x * g) + sum over layers of psi(bias * g), where psi takes magnitudes, stretches those of one layer of one image to 0 to 1, sums over
    channels and resizes to the input.

    Args:
        layers: the layers whose biases count; "auto" stands for all that run.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, not negative, without a unit. The residual is that of the decomposition: score
        minus all its terms, in units of the score; 0 where it is complete. Layers without a grid count for the residual only.

    Limits: magnitudes: what speaks against the target is as bright as what speaks for it. Smooth activations, softmax and layer norm
        add constants of their own, which are missing; a note says so where they are more than a tenth of the score. Deep networks have
        many layers, and each counts as much as the input.
    Source: Srinivas and Fleuret 2019, Full-Gradient Representation for Neural Network Visualization, arXiv 1905.00780. Differs in:
        values are stretched over all channels of a layer at once, as in the authors' code, and resized with cell centres aligned; the
        ceiling of ReLU6 counts as a bias.
    """

    layers: tuple[str, ...] = (AUTO,)

    key = "full-grad"
    title = "FullGrad"
    family = "gradient"
    signed = False
    resolution = "input"
    map_unit = "relative"
    source = Source(
        "Srinivas and Fleuret 2019, Full-Gradient Representation for Neural Network Visualization", "1905.00780"
    )
    merit = "adds the biases of every layer: sharp and complete on ReLU networks"
    caution = "magnitudes only; incomplete for smooth activations and layer norm, which the residual tells"

    def resolve(self, anatomy: Anatomy) -> "FullGrad":
        """Return the method with "auto" replaced by all layers that run and add a constant."""
        if AUTO not in self.layers:
            return self
        found = [name for given in self.layers for name in (anatomy.biased_layers if given == AUTO else (given,))]
        return replace(self, layers=tuple(dict.fromkeys(found)))

    def needs(self) -> Needs:
        """Return the gradient at the input and at each layer; it may be zero where the target does not depend on a layer."""
        return Needs(gradients=frozenset({INPUT, *self.layers}), lenient=frozenset(self.layers))

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, with what the terms leave of the score."""
        trace = probe.trace()
        images, size = len(trace.inputs), tuple(trace.inputs.shape[2:])
        term = trace.inputs * trace.gradient[INPUT]  # (b, c, *spatial)
        heatmap, residual = _psi(term, size), trace.score - term.flatten(1).sum(dim=1)
        for name, constant in zip(self.layers, probe.constants(self.layers), strict=True):
            term = constant * trace.gradient[name]  # (b, c, *layer); more rows where a layer sees windows of each image
            if len(term) % images == 0:
                residual = residual - term.reshape(images, -1).sum(dim=1)
            if len(term) == images and term.dim() == len(size) + 2 and max(term.shape[2:]) > 1:
                heatmap = heatmap + _psi(term, size)
        return Attribution(heatmap, residual, _notes(residual, trace.score))


def _psi(term: Float[Tensor, "b c *layer"], size: tuple[int, ...]) -> Float[Tensor, "b *spatial"]:
    """Take magnitudes, stretch them to 0 to 1 over each image's layer, sum over channels, resize."""
    strength = term.abs()
    per_image = (-1, *[1] * (term.dim() - 1))
    low, high = strength.flatten(1).aminmax(dim=1)  # (b,)
    spread = (high - low).where(high - low > 8 * torch.finfo(high.dtype).eps * high, 0)  # rounding is not stretched
    stretched = ratio(strength - low.view(per_image), spread.view(per_image))
    return resize(stretched.sum(dim=1), size)


def _notes(residual: Float[Tensor, " b"], score: Float[Tensor, " b"]) -> tuple[str, ...]:
    """Say where more of the score is missing than a reader would expect."""
    missing = residual.abs() / score.abs().clamp_min(torch.finfo(score.dtype).tiny)
    if not (missing > MOST_MISSING).any():
        return ()
    return (
        f"input and biases leave up to {float(missing.max()):.0%} of the score unexplained: smooth activations (SiLU, GELU), "
        "softmax, layer norm and products of activations add constants of their own",
    )
