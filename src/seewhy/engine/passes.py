"""One pass through the network: what it gave, scored for a target, and the way back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.needs import INPUT, Needs
from seewhy.core.target import BoundTarget
from seewhy.core.trace import Reading, Trace
from seewhy.engine.grid import Grid
from seewhy.engine.recording import split_call
from seewhy.engine.steps import together
from seewhy.errors import GradientError, LayerError, ModelError, OutOfMemory
from seewhy.ops.finite import all_finite


@dataclass(frozen=True, eq=False)
class Pass:
    """One forward pass with its graph: it may be read, and differentiated for any number of targets.

    Attributes:
        inputs: what the network was given.
        reading: what it gave.
        nodes: by layer, what it put out, in its own layout.
        grids: by layer, how that lies in the picture.
        needs: what was wanted.
        calls: of layers that run once for each frame, what each call put out; their node is all of it as rows.
    """

    inputs: Float[Tensor, "b c *spatial"]
    reading: Reading
    nodes: Mapping[str, Tensor]
    grids: Mapping[str, Grid | None]
    needs: Needs
    calls: Mapping[str, tuple[Tensor, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, rows: slice, needs: Needs) -> "Pass":
        """Return some rows of the pass, without its graph."""
        reading = Reading(
            self.reading.output[rows].detach(),
            {name: value[rows].detach() for name, value in self.reading.activation.items()},
        )
        images = len(self.inputs)
        nodes = {
            name: raw_rows(node, rows, images).detach() for name, node in self.nodes.items() if not len(node) % images
        }
        return Pass(self.inputs[rows], reading, nodes, self.grids, needs)

    def trace(self, bound: BoundTarget, *, last: bool = False) -> Trace:
        """Score the pass with a bound target and go back to the places where gradients are wanted.

        Args:
            bound: the target.
            last: nothing else will be asked, so each part of the graph is let go as soon as it has been gone through.

        Raises:
            ModelError: a score is NaN or infinite.
            GradientError: the score does not depend on a place where a gradient is wanted.
        """
        with torch.inference_mode(mode=False), torch.set_grad_enabled(bool(self.needs.gradients)):
            score = bound(self.reading)
            check_finite(score)
            gradient = self._gradients(score, keep=not last) if self.needs.gradients else {}
        return Trace(
            inputs=upcast(self.inputs.detach()),
            output=self.reading.output.detach(),
            score=upcast(score.detach()),
            activation={name: upcast(value.detach()) for name, value in self.reading.activation.items()},
            gradient=gradient,
            raw={name: node.detach() for name, node in self.nodes.items() if name != INPUT},
            gridless=frozenset(name for name, grid in self.grids.items() if grid is None),
        )

    def _gradients(self, score: Float[Tensor, " b"], *, keep: bool) -> dict[str, Tensor]:
        names = sorted(self.needs.gradients)
        if not score.requires_grad:
            raise GradientError(
                f"no gradient goes from the target to {', '.join(names)}: the target does not depend on it, or the network cuts the graph"
            )
        try:
            found = self.back(score.sum(), names, keep=keep)
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(
                f"the way back through a pass of shape {tuple(self.inputs.shape)} does not fit into the memory of {score.device}"
            ) from error
        except RuntimeError as error:
            if "cudnn RNN backward" not in str(error):
                raise
            raise GradientError(
                "cuDNN does not go back through a recurrent layer in eval mode, and this one runs in a way of its own, so that its mode is left "
                "alone; explain the network on the CPU, or by a perturbation method such as 'rise'"
            ) from error
        gradients = {}
        for name, gradient in found.items():
            if gradient is None and name not in self.needs.lenient:
                raise GradientError(
                    f"the target does not depend on {name!r}: no gradient comes back to it; choose an earlier layer or another target"
                )
            known = torch.zeros_like(self.nodes[name]) if gradient is None else gradient
            gradients[name] = upcast(on_grid(known, self.grids.get(name)))
        return gradients

    def back(self, score: Float[Tensor, ""], names: Sequence[str], *, keep: bool) -> dict[str, Tensor | None]:
        """Return the derivative of a number at places, each in the layout of its node, by one backward; None where it does not depend.

        Of a layer that runs once for each frame it is the derivative at each call: through later calls too, where these read it.
        """
        at = {name: self.calls.get(name) or (self.nodes[name],) for name in names}
        flat = [place for places in at.values() for place in places]
        found = iter(torch.autograd.grad(score, flat, retain_graph=keep, allow_unused=True))
        return {name: joined(places, [next(found) for _ in places]) for name, places in at.items()}


def joined(places: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> Tensor | None:
    """Return the derivatives at all calls of a layer as rows; zero at those on which nothing depends, None where that is all of them."""
    if all(gradient is None for gradient in gradients):
        return None
    known = [torch.zeros_like(at) if one is None else one for at, one in zip(places, gradients, strict=True)]
    return known[0] if len(known) == 1 else together(known)


def check_finite(score: Float[Tensor, " b"]) -> None:
    """Raise `ModelError` where a score is NaN or infinite."""
    if not all_finite(score):
        bad = ", ".join(str(row) for row in (~torch.isfinite(score)).nonzero()[:, 0].tolist())
        raise ModelError(
            f"the network gives NaN or infinity for image {bad} of the batch; check its weights, the input and the precision"
        )


def on_grid(tensor: Tensor, grid: Grid | None) -> Tensor:
    """Return what a layer put out, or its gradient, as (b, c, *spatial); as it is where the layer has no grid."""
    return tensor if grid is None else grid.apply(tensor)


def upcast(tensor: Tensor) -> Tensor:
    """Return half precision as float32; heatmaps are sums of many small numbers."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def check_grids(trace: Trace, needs: Needs) -> None:
    """Raise `LayerError` where a layer whose activation is wanted has no spatial grid to draw on."""
    for layer in sorted(needs.activations & trace.gridless):
        raise LayerError(
            f"layer {split_call(layer)[0]!r} puts out {tuple(trace.raw[layer].shape)}, in which no spatial grid of the input's "
            f"proportions ({' x '.join(map(str, trace.inputs.shape[2:]))}) is found{_why_not(trace, layer)}; choose another with `seewhy layers`"
        )


def _why_not(trace: Trace, layer: str) -> str:
    """Say what is known of a layer for clips or volumes without a grid."""
    shape, clips = trace.raw[layer].shape, len(trace.inputs)
    if trace.inputs.dim() != 5:
        return ""
    if split_call(layer)[1] is not None:
        return ": it is one call of several; without its number all calls are meant, where each is a frame"
    if len(shape) > 3 and shape[0] != clips and not shape[0] % clips:
        return f": its {shape[0]} rows for {clips} clip{'s' * (clips > 1)} are not found to be their frames, one after the other, clip by clip"
    if len(shape) == 3 and shape[0] == clips:
        return (
            f": it has numbers over time, and no places; or, if its {shape[1]} numbers for each channel are tokens, they come in no order "
            "of time, height and width that could be measured"
        )
    return ": it has no places" if len(shape) < 4 else ""


def raw_rows(raw: Tensor, rows: slice, images: int) -> Tensor:
    """Return what belongs to some of so many images, of what a layer put out: one row for each image, or one for each frame of each clip."""
    each = len(raw) // images
    start, stop, _ = rows.indices(images)
    return raw[start * each : stop * each]


def part_of(trace: Trace, rows: slice) -> Trace:
    """Return some rows of a trace."""
    return Trace(
        trace.inputs[rows],
        trace.output[rows],
        trace.score[rows],
        {name: value[rows] for name, value in trace.activation.items()},
        {name: value[rows] for name, value in trace.gradient.items()},
        {name: raw_rows(value, rows, len(trace.inputs)) for name, value in trace.raw.items()},
    )
