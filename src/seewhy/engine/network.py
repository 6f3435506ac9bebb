"""The explained network at work: one private twin, counted passes, gradients only where they are wanted."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seewhy.core.cost import Cost
from seewhy.core.needs import INPUT, Needs
from seewhy.core.target import BoundTarget
from seewhy.core.trace import Reading, Trace
from seewhy.engine.chunking import Tuner
from seewhy.engine.grids import NOWHERE, Grid, find_grid, places_in
from seewhy.engine.layers import Layer, adds_constant, choose, survey
from seewhy.engine.model import Model, laid_out
from seewhy.engine.recording import NOTHING, layer_of, split_call, watching
from seewhy.engine.twin import borrowed, lay_channels_last, refuse_mixed_rows, twin, unwrapped
from seewhy.errors import GradientError, LayerError, ModelError, SeewhyError, ShapeError
from seewhy.ops.finite import all_finite


@dataclass(frozen=True, eq=False)
class Pass:
    """One forward pass with its graph: it may be read, and differentiated for any number of targets."""

    inputs: Float[Tensor, "b c *spatial"]
    reading: Reading
    nodes: Mapping[str, Tensor]
    grids: Mapping[str, Grid | None]
    needs: Needs

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
            _check_finite(score)
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
        found = torch.autograd.grad(
            score.sum(), [self.nodes[name] for name in names], retain_graph=keep, allow_unused=True
        )
        gradients = {}
        for name, gradient in zip(names, found, strict=True):
            if gradient is None and name not in self.needs.lenient:
                raise GradientError(
                    f"the target does not depend on {name!r}: no gradient comes back to it; choose an earlier layer or another target"
                )
            known = torch.zeros_like(self.nodes[name]) if gradient is None else gradient
            grid = self.grids.get(name)
            gradients[name] = upcast(known if grid is None else grid.apply(known))
        return gradients


class Network:
    """A private twin of a model's network on one device. Safe to share between threads: passes are made one at a time.

    Args:
        model: the network and its preprocessing.
        device: where the twin runs; where the network's weights are, if None.

    Attributes:
        notes: what a reader must know about how the network is run.
        spent: passes of one image made so far.
    """

    def __init__(self, model: Model, device: torch.device | str | None = None, seed: int = 0) -> None:
        self.model, self.seed = model, seed
        self.notes = model.notes
        self.spent = Cost()
        self.tuner = Tuner()
        self._lock = threading.RLock()
        self._format = torch.contiguous_format
        self._settled = self._draws = False
        self._found: dict[tuple[int, ...], str] = {}
        self._places: dict[tuple[int, ...], frozenset[tuple[int, ...]]] = {}
        self._biased: dict[tuple[int, ...], tuple[str, ...]] = {}
        if model.module.training:
            self.notes += ("the network was in train mode; it is explained in eval mode",)
        try:
            self.module, self._own = twin(model.module), True
        except ModelError as error:
            self.module, self._own = unwrapped(model.module), False
            self.notes += (f"{error}; the network itself is used, locked during each pass",)
        refuse_mixed_rows(self.module)
        if device is not None:
            if not self._own:
                raise ModelError(
                    "a network that cannot be copied can only be explained on the device where it is; leave device out"
                )
            self.module = self.module.to(device)

    @cached_property
    def weight(self) -> Tensor:
        """A floating-point weight: tells device and precision."""
        for weight in [*self.module.parameters(), *self.module.buffers()]:
            if weight.is_floating_point():
                return weight
        return torch.zeros(())

    def accept(self, inputs: Tensor) -> Float[Tensor, "b c *spatial"]:
        """Return inputs on the network's device and in its precision, as they may be differentiated; raise on a wrong kind."""
        if not isinstance(inputs, Tensor) or not inputs.is_floating_point() or inputs.dim() < 3:
            kind = f"{inputs.dtype} {tuple(inputs.shape)}" if isinstance(inputs, Tensor) else type(inputs).__name__
            raise ShapeError(
                f"the network's input is a floating-point tensor (b, c, h, w), already normalized; got {kind}"
            )
        if len(inputs) == 0:
            raise ShapeError("there are no images in the batch")
        if not all_finite(inputs):
            raise ShapeError("the input holds NaN or infinity; check how it was read and normalized")
        with torch.inference_mode(mode=False):
            inputs = inputs.detach().to(device=self.weight.device, dtype=self.weight.dtype)
            return inputs.clone() if inputs.is_inference() else inputs

    def forward(self, inputs: Float[Tensor, "b c *spatial"], needs: Needs, put: Mapping[str, Tensor] = NOTHING) -> Pass:
        """Run the network once.

        Args:
            inputs: what it takes, any number of rows.
            needs: what is wanted of the pass; the graph starts at the first place whose gradient is wanted.
            put: what layers give on instead of what they make, each in the layer's own layout.
        """
        with self._explained(inputs):
            made = self._forward(inputs, needs, put)
        if needs.gradients and not made.reading.output.requires_grad and INPUT not in needs.gradients:
            made = self._forward(inputs, needs | Needs(gradients=frozenset({INPUT})), put)
        self.count(Cost(forwards=len(inputs)))
        return made

    def _forward(self, inputs: Float[Tensor, "b c *spatial"], needs: Needs, put: Mapping[str, Tensor]) -> Pass:
        with self._running():
            if self._settled:
                return self._seeded(inputs, needs, put)
            made = self._try_channels_last(inputs, needs) or self._seeded(inputs, needs)
            self._settled = True
            return made

    def _try_channels_last(self, inputs: Float[Tensor, "b c *spatial"], needs: Needs) -> Pass | None:
        """Run a convolutional network with its channels last, which is faster on a CPU and equally exact.

        A network that calls `view` on such a tensor raises; it gets the usual order from then on, and None is returned.
        """
        convolves = any(isinstance(part, nn.Conv2d) for part in self.module.modules())
        if inputs.dim() != 4 or self.model.layout != "bchw" or not convolves:
            return None
        self._format = torch.channels_last
        before = lay_channels_last(self.module) if self._own else {}
        try:
            return self._seeded(inputs, needs)
        except SeewhyError:
            raise
        except RuntimeError:  # what is wrong with the input itself shows again, and is raised, in the usual order
            self._format = torch.contiguous_format
            for part, weight in before.items():
                part.weight = weight
            return None

    def _seeded(self, inputs: Float[Tensor, "b c *spatial"], needs: Needs, put: Mapping[str, Tensor] = NOTHING) -> Pass:
        """Run once; a network that draws random numbers in eval mode draws the same ones each time, and nobody else's."""
        if self._draws:
            with torch.random.fork_rng(devices=[]):
                torch.random.manual_seed(self.seed)
                return self._once(inputs, needs, put)
        if self._settled:
            return self._once(inputs, needs, put)
        before = torch.random.get_rng_state()
        made = self._once(inputs, needs, put)
        if torch.equal(before, torch.random.get_rng_state()):
            return made
        torch.random.set_rng_state(before)
        self._draws = True
        self.notes += ("the network draws random numbers in eval mode; each pass is given the same ones",)
        return self._seeded(inputs, needs, put)

    def _once(self, inputs: Float[Tensor, "b c *spatial"], needs: Needs, put: Mapping[str, Tensor]) -> Pass:
        from_input = INPUT in needs.gradients
        leaf = inputs.detach().clone().requires_grad_() if from_input else inputs
        with (
            torch.set_grad_enabled(from_input),
            watching(self.module, needs.activations, needs.gradients - {INPUT}, put) as watch,
        ):
            output = self.model.pick(self.module(self._arranged(leaf)))
            _check_answer(output, len(inputs))
            nodes = {name: watch.of(name) for name in needs.layers}
            grids = {name: self._grid(name, value, inputs) for name, value in nodes.items()}
            seen = {
                name: value if (grid := grids[name]) is None else grid.apply(value) for name, value in nodes.items()
            }
        if tuple(inputs.shape[1:]) not in self._places and any(value.dim() == 3 for value in nodes.values()):
            self._survey(inputs[:1])
            return self._once(inputs, needs, put)
        return Pass(inputs, Reading(output, seen), nodes | ({INPUT: leaf} if from_input else {}), grids, needs)

    def _grid(self, name: str, value: Tensor, inputs: Tensor) -> Grid | None:
        """Find the grid of what a layer put out; that of tokens must be one that the network's maps have, once they are known."""
        places = self._places.get(tuple(inputs.shape[1:]), NOWHERE)
        return find_grid(value, len(inputs), inputs.shape[2:], layer_of(self.module, name), places)

    def _survey(self, inputs: Float[Tensor, "1 c *spatial"]) -> list[Layer]:
        """List the layers that run on inputs of this size."""
        with self._running(), self._explained(inputs), torch.no_grad(), torch.random.fork_rng(devices=[]):
            layers, _ = survey(self.module, lambda: self.module(self._arranged(inputs)), inputs.shape[2:])
        self._places[tuple(inputs.shape[1:])] = places_in(layer.grid for layer in layers)
        return layers

    def _arranged(self, inputs: Tensor) -> Tensor:
        if inputs.dim() == 4 and self._format is not torch.contiguous_format:
            inputs = inputs.contiguous(memory_format=self._format)
        return laid_out(inputs, self.model.layout)

    @contextmanager
    def _running(self) -> Iterator[None]:
        """One pass at a time, in eval mode, outside of any inference mode of the caller; grad mode is put back."""
        mine = nullcontext() if self._own else borrowed(self.module)
        with self._lock, mine, torch.inference_mode(mode=False):
            yield

    @contextmanager
    def _explained(self, inputs: Tensor) -> Iterator[None]:
        """Turn whatever the network's own code raises into a `ModelError` that says on which input."""
        try:
            yield
        except SeewhyError:
            raise
        except Exception as error:  # the network is the user's own code, and may raise anything
            raise ModelError(
                f"{self.model.title} fails on an input of shape {tuple(inputs.shape)}: {type(error).__name__}: {str(error).strip()}"
            ) from error

    def count(self, cost: Cost) -> None:
        """Add passes of one image."""
        with self._lock:
            self.spent += cost

    def layers(self, input_size: tuple[int, ...], channels: int = 3) -> tuple[list[Layer], str | None]:
        """List the layers in the order in which they finish, and name the one that methods look at; None where none has a grid
        on which the answer depends.
        """
        generator = torch.Generator().manual_seed(0)
        inputs = self.accept(torch.randn(1, channels, *input_size, generator=generator))
        answer: list[Tensor] = []
        with self._running(), self._explained(inputs), torch.enable_grad(), torch.random.fork_rng(devices=[]):
            leaf = inputs.clone().requires_grad_()
            layers, outputs = survey(
                self.module, lambda: answer.append(self.model.pick(self.module(self._arranged(leaf)))), input_size
            )
            weights = torch.randn(answer[0].shape, generator=generator).to(answer[0].device)
            score = (answer[0].float() * weights).sum()
            if not torch.isfinite(score):
                raise ModelError(
                    "the network answers a random input with NaN or infinity; check its weights and the precision"
                )
            wanted = [
                out for layer, out in zip(layers, outputs, strict=True) if layer.grid is not None and out.requires_grad
            ]
            found = torch.autograd.grad(score, wanted, allow_unused=True) if wanted and score.requires_grad else ()
        self._places[channels, *input_size] = places_in(layer.grid for layer in layers)
        by_tensor = {id(out): gradient for out, gradient in zip(wanted, found, strict=False)}
        gradients = [by_tensor.get(id(out)) for out in outputs]
        return layers, self.model.layer or choose(self.module, layers, outputs, gradients)

    def target_layer(self, inputs: Float[Tensor, "b c *spatial"]) -> str:
        """Return the layer that methods look at: the model's own, or the one that is found on inputs of this size."""
        if self.model.layer is not None:
            layer_of(self.module, self.model.layer)
            return self.model.layer
        key = tuple(inputs.shape[1:])
        with self._lock:
            if key not in self._found:
                found = self.layers(key[1:], key[0])[1]
                if found is None:
                    raise LayerError(
                        f"no layer of {self.model.title} has a spatial grid on which the answer depends, for inputs of "
                        f"{' x '.join(map(str, key[1:]))}; `seewhy layers` lists them, and methods that look at the input need none"
                    )
                self._found[key] = found
            return self._found[key]

    def biased_layers(self, inputs: Float[Tensor, "b c *spatial"]) -> tuple[str, ...]:
        """Return the layers that run on inputs of this size and add a constant to their output, in the order in which they finish.

        A layer that runs several times is named call by call: "conv#0", "conv#1".
        """
        key = tuple(inputs.shape[1:])
        with self._lock:
            if key not in self._biased:
                self._biased[key] = self._find_biased(inputs[:1])
            return self._biased[key]

    def _find_biased(self, inputs: Float[Tensor, "1 c *spatial"]) -> tuple[str, ...]:
        names: list[str] = []
        for layer in self._survey(inputs):
            if adds_constant(layer_of(self.module, layer.name)):
                names += [layer.name] if layer.runs == 1 else [f"{layer.name}#{call}" for call in range(layer.runs)]
        return tuple(names)


def _check_answer(output: Tensor, rows: int) -> None:
    if not output.is_floating_point():
        raise ModelError(
            f"the network's answer is {output.dtype}; a floating-point answer, before any arg-max, is needed"
        )
    if output.dim() == 0 or len(output) != rows:
        raise ModelError(
            f"the network gave an answer of shape {tuple(output.shape)} for {rows} images; one row per image is needed"
        )


def _check_finite(score: Float[Tensor, " b"]) -> None:
    if not all_finite(score):
        bad = ", ".join(str(row) for row in (~torch.isfinite(score)).nonzero()[:, 0].tolist())
        raise ModelError(
            f"the network gives NaN or infinity for image {bad} of the batch; check its weights, the input and the precision"
        )


def upcast(tensor: Tensor) -> Tensor:
    """Return half precision as float32; heatmaps are sums of many small numbers."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def check_grids(trace: Trace, needs: Needs) -> None:
    """Raise `LayerError` where a layer whose activation is wanted has no spatial grid to draw on."""
    for layer in sorted(needs.activations & trace.gridless):
        raise LayerError(
            f"layer {split_call(layer)[0]!r} puts out {tuple(trace.raw[layer].shape)}, in which no spatial grid of the input's "
            f"proportions ({' x '.join(map(str, trace.inputs.shape[2:]))}) is found; choose another with `seewhy layers`"
        )
