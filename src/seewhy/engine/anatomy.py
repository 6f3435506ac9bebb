"""What a network is made of, found out by running it once for each size of input: its layers, and the one that methods look at."""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seewhy.engine import frame_rows
from seewhy.engine.black_box import refuse_black_box
from seewhy.engine.constants import adds_constant
from seewhy.engine.frame_rows import FrameRows
from seewhy.engine.layers import Layer, Survey, choose, survey
from seewhy.engine.passes import joined
from seewhy.engine.recording import INTO, Reached, layer_of, split_call, watching
from seewhy.engine.token_grids import NOWHERE, Places
from seewhy.engine.token_order import measured
from seewhy.engine.tokens import TokenPlace, token_place
from seewhy.errors import LayerError, ModelError


class Anatomy:
    """The layers of a network, remembered by the shape of its input.

    Args:
        module: the network's twin.
        run: calls the twin on ready inputs, in the modes that the caller has set, and returns its answer.
        name: of the network, for people.
        layer: the layer that methods look at, where the model states it.
    """

    def __init__(self, module: nn.Module, run: Callable[[Tensor], Tensor], name: str, layer: str | None) -> None:
        self._module, self._run, self._name, self._layer = module, run, name, layer
        self._lock = threading.RLock()
        self._found: dict[tuple[int, ...], str] = {}
        self._places: dict[tuple[int, ...], Places] = {}
        self._layers: dict[tuple[int, ...], list[Layer]] = {}
        self._rows: dict[tuple[int, ...], dict[str, FrameRows]] = {}
        self._biased: dict[tuple[int, ...], tuple[str, ...]] = {}
        self._tokens: dict[tuple[int, ...], TokenPlace | None] = {}

    def layers(self, inputs: Float[Tensor, "1 c *spatial"]) -> tuple[list[Layer], str | None]:
        """List the layers in the order in which they finish, and name the one that methods look at.

        Args:
            inputs: one image of the size in question, of random numbers.

        Returns:
            The layers, and a name; None where no layer has a grid on which the answer depends.

        Raises:
            ModelError: the answer is not finite.
        """
        with torch.enable_grad():
            leaf = inputs.clone().requires_grad_()
            answer: list[Tensor] = []
            seen = self._survey(leaf, answer)
            gradients = _gradients(seen, answer[0])
        return seen.layers, self._layer or choose(
            self._module, seen, gradients, answer[0] if _is_map(answer[0], leaf) else None
        )

    def target_layer(self, inputs: Float[Tensor, "b c *spatial"]) -> str:
        """Return the layer that methods look at: the model's own, or the one that is found on inputs of this size.

        Raises:
            LayerError: the model states a layer that it does not have, or no layer has a grid on which the answer depends.
        """
        if self._layer is not None:
            layer_of(self._module, self._layer)
            return self._layer
        shape = tuple(inputs.shape[1:])
        with self._lock:
            if shape not in self._found:
                found = self.layers(sample_of(shape).to(inputs))[1]
                if found is None:
                    raise LayerError(
                        f"no layer of {self._name} has a spatial grid on which the answer depends, for inputs of "
                        f"{' x '.join(map(str, shape))}; `seewhy layers` lists them, and methods that look at the input need none"
                    )
                self._found[shape] = found
            return self._found[shape]

    def biased_layers(self, inputs: Float[Tensor, "b c *spatial"]) -> tuple[str, ...]:
        """Return the layers that run on inputs of this size and add a constant to their output, in the order in which they finish.

        A layer that runs several times is named call by call: "conv#0", "conv#1".
        """
        shape = tuple(inputs.shape[1:])
        with self._lock:
            if shape not in self._biased:
                with torch.no_grad():
                    layers = self._survey(inputs[:1]).layers
                self._biased[shape] = tuple(name for layer in layers for name in self._constant_calls(layer))
            return self._biased[shape]

    def activation_shape(self, layer: str, inputs: Float[Tensor, "b c *spatial"]) -> tuple[int, ...]:
        """Return the shape (c, *spatial) of what a layer gives on its grid for inputs of this size; raise `LayerError` where it has none."""
        layer_of(self._module, layer)
        base, call = split_call(layer)
        if base.endswith(INTO) and (place := self._token_place(inputs)).name == base:
            return place.grid.shape_of(tuple(place.tokens.shape))
        for found in self._ran(inputs):
            if found.name == base and found.grid is not None and not (found.stepped and call is not None):
                return found.grid.shape_of(found.shape)
        raise LayerError(
            f"layer {layer!r} of {self._name} has no spatial grid, or does not run; `seewhy layers` lists them"
        )

    def token_layer(self, inputs: Float[Tensor, "b c *spatial"]) -> str:
        """Return the place where the whole sequence of tokens has been put together: the first behind which some can be dropped.

        It is a layer that puts the tokens out, or "encoder:in" for what a layer is given.

        Raises:
            LayerError: no layer puts out tokens with places, or the network wants all of them.
        """
        return self._token_place(inputs).name

    def _token_place(self, inputs: Float[Tensor, "b c *spatial"]) -> TokenPlace:
        shape = tuple(inputs.shape[1:])
        with self._lock:
            if shape not in self._tokens:
                one, places = inputs[:1].detach(), self.places(inputs)
                with torch.no_grad(), torch.random.fork_rng(devices=[]):
                    self._tokens[shape] = token_place(self._module, lambda: self._run(one), one.shape[2:], places)
            found = self._tokens[shape]
        if found is None:
            raise LayerError(
                f"{self._name} has no sequence of tokens from which some can be dropped; that is for vision transformers whose tokens all look at each other, without windows"
            )
        return found

    def _ran(self, inputs: Float[Tensor, "b c *spatial"]) -> list[Layer]:
        """Return the layers that run on inputs of this size, in the order in which they finish."""
        shape = tuple(inputs.shape[1:])
        with self._lock:
            if shape not in self._layers:
                with torch.no_grad():
                    self._layers[shape] = self._survey(inputs[:1].detach()).layers
            return self._layers[shape]

    def places(self, inputs: Float[Tensor, "b c *spatial"]) -> Places:
        """Return the grids that the network's maps have on inputs of this size: tokens must lie on one of them."""
        shape = tuple(inputs.shape[1:])
        with self._lock:
            if shape not in self._places:
                with torch.no_grad():
                    self._survey(inputs[:1].detach())
            return self._places.get(shape, NOWHERE)

    def _survey(self, inputs: Tensor, answer: list[Tensor] | None = None) -> Survey:
        refuse_black_box(self._module, self._name)
        answers = [] if answer is None else answer
        with torch.random.fork_rng(devices=[]):
            measure = partial(self._measured, inputs.detach()) if inputs.dim() == 5 else None
            rows = partial(self._rows_measured, inputs.detach()) if inputs.dim() == 5 else None
            seen = survey(self._module, lambda: answers.append(self._run(inputs)), inputs.shape[2:], measure, rows)
        self._places[tuple(inputs.shape[1:])] = seen.places
        self._layers[tuple(inputs.shape[1:])] = seen.layers
        return seen

    def _measured(self, like: Tensor, places: Places, firsts: Mapping[int, str]) -> Places:
        """Return where the tokens of a clip lie, measured once for each size."""
        if (shape := tuple(like.shape[1:])) in self._places:
            return self._places[shape]

        def observe(clip: Tensor, layers: frozenset[str]) -> dict[str, Tensor]:
            with watching(self._module, layers, frozenset(), stop=True) as watch, suppress(Reached):
                self._run(clip)
            return {name: watch.of(name) for name in layers}

        with torch.no_grad():
            return measured(firsts, places.sizes, sample_of(shape).to(like), observe)

    def _rows_measured(self, like: Tensor, counts: Mapping[str, int]) -> dict[str, FrameRows]:
        """Return what the rows, or the calls, of some layers are, measured once for each size."""
        shape = tuple(like.shape[1:])
        if shape not in self._rows:
            with torch.no_grad():
                self._rows[shape] = frame_rows.measured(self._module, self._run, sample_of(shape).to(like), counts)
        return self._rows[shape]

    def layer(self, name: str, inputs: Float[Tensor, "b c *spatial"]) -> Layer | None:
        """Return one layer as it runs on inputs of this size; None where it does not run, or where the name is that of one call."""
        return next((layer for layer in self._ran(inputs) if layer.name == name.removesuffix(INTO)), None)

    def carrying(self, inputs: Float[Tensor, "b c *spatial"]) -> tuple[str, ...]:
        """Return the layers that hand something on from frame to frame, the outermost alone."""
        names = [layer.name for layer in self._ran(inputs) if layer.carries]
        return tuple(name for name in names if not any(name.startswith(f"{other}.") for other in names))

    def remembering(self, inputs: Float[Tensor, "b c *spatial"]) -> frozenset[str]:
        """Return all layers that are known so far to hand something on from frame to frame."""
        known = self._layers.get(tuple(inputs.shape[1:]), [])
        return frozenset(layer.name for layer in known if layer.carries)

    def _constant_calls(self, layer: Layer) -> list[str]:
        if not adds_constant(layer_of(self._module, layer.name)):
            return []
        if layer.runs == 1 or layer.stepped:
            return [layer.name]
        return [f"{layer.name}#{call}" for call in range(layer.runs)]


def sample_of(shape: tuple[int, ...]) -> Float[Tensor, "1 c *spatial"]:
    """Return one image of random numbers, always the same for a shape (c, *spatial)."""
    return torch.randn(1, *shape, generator=torch.Generator().manual_seed(0))


def _gradients(seen: Survey, answer: Tensor) -> list[Tensor | None]:
    """Return the derivative of a fixed random mixture of the answer at every layer with a grid; None where it does not depend."""
    weights = torch.randn(answer.shape, generator=torch.Generator().manual_seed(1)).to(answer.device)
    score = (answer.float() * weights).sum()
    if not torch.isfinite(score):
        raise ModelError("the network answers a random input with NaN or infinity; check its weights and the precision")
    gradients: list[Tensor | None] = [None] * len(seen.outputs)
    calls = {
        index: outputs if layer.stepped else outputs[-1:]
        for index, (layer, outputs) in enumerate(zip(seen.layers, seen.calls, strict=True))
        if layer.grid is not None and outputs[-1].requires_grad
    }
    if calls and score.requires_grad:
        flat = [output for outputs in calls.values() for output in outputs]
        found = iter(torch.autograd.grad(score, flat, allow_unused=True))
        for index, outputs in calls.items():
            gradients[index] = joined(outputs, [next(found) for _ in outputs])
    return gradients


def _is_map(answer: Tensor, inputs: Tensor) -> bool:
    """Say whether an answer is a map of the input: (b, k, *spatial), or (b, *spatial) in the input's proportions."""
    if answer.dim() == inputs.dim():
        return min(answer.shape[2:]) > 1
    if answer.dim() != inputs.dim() - 1 or min(answer.shape[1:]) < 2:
        return False
    shares = {
        cells * inputs.shape[2] == answer.shape[1] * pixels
        for cells, pixels in zip(answer.shape[1:], inputs.shape[2:], strict=True)
    }
    return shares == {True}
