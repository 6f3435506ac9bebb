"""The explained network at work: one private twin, counted passes, gradients only where they are wanted."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seewhy.core.cost import Cost
from seewhy.core.needs import INPUT, Needs
from seewhy.core.trace import Reading
from seewhy.engine.anatomy import Anatomy
from seewhy.engine.chunking import Tuner
from seewhy.engine.folding import merged
from seewhy.engine.following.local import Local
from seewhy.engine.following.patches import Rectangles
from seewhy.engine.following.taping import Reference
from seewhy.engine.grid import Grid
from seewhy.engine.grids import find_grid
from seewhy.engine.layered import Layered
from seewhy.engine.model import Model, laid_out
from seewhy.engine.passes import Pass, on_grid
from seewhy.engine.recording import NOTHING, Put, Reached, layer_of, split_call, watching
from seewhy.engine.replay import CannotCut, Tape, record
from seewhy.engine.steps import spread, spread_put, together
from seewhy.engine.token_grids import NOWHERE
from seewhy.engine.twin import borrowed, lay_channels_last, refuse_mixed_rows, twin, unwrapped
from seewhy.errors import ModelError, OutOfMemory, SeewhyError, ShapeError
from seewhy.ops.finite import all_finite

PLAINLY: AbstractContextManager[Any] = nullcontext()
"""Nobody watches the operations of a pass."""


class Network(Layered):
    """A private twin of a model's network on one device. Safe to share between threads: passes are made one at a time.

    Args:
        model: the network and its preprocessing.
        device: where the twin runs; where the network's weights are, if None.

    Attributes:
        notes: what a reader must know about how the network is run.
        spent: passes of one image made so far.
        cuts: by kind of partial pass, why it cannot be used; empty where it can.
        own: whether a private twin runs, and not the user's network itself.
        remembered: what was found out about the network by passes of other kinds, by what was asked.
    """

    def __init__(self, model: Model, device: torch.device | str | None = None, seed: int = 0) -> None:
        self.model, self.seed = model, seed
        self.notes = model.notes
        self.spent = Cost()
        self.tuner = Tuner()
        self.cuts: dict[object, str] = {}
        self.remembered: dict[object, Any] = {}
        self._lock = threading.RLock()
        self._format = torch.contiguous_format
        self._settled = self._draws = False
        self._merged: tuple[Network, frozenset[str]] | None = None
        if model.module.training:
            self.notes += ("the network was in train mode; it is explained in eval mode",)
        try:
            self.module, self.own = twin(model.module), True
        except ModelError as error:
            self.module, self.own = unwrapped(model.module), False
            self.notes += (f"{error}; the network itself is used, locked during each pass",)
        refuse_mixed_rows(self.module)
        if device is not None:
            if not self.own:
                raise ModelError(
                    "a network that cannot be copied can only be explained on the device where it is; leave device out"
                )
            self.module = self.module.to(device)
        self._anatomy = Anatomy(self.module, self._run, model.title, model.layer)

    @cached_property
    def weight(self) -> Tensor:
        """A floating-point weight: tells device and precision."""
        for weight in [*self.module.parameters(), *self.module.buffers()]:
            if weight.is_floating_point():
                return weight
        return torch.zeros(())

    def merged(self, inputs: Float[Tensor, "b c *spatial"], watched: frozenset[str] = frozenset()) -> "Network":
        """Return the same network with its batch norms merged into the layers before them; itself where none can be.

        Args:
            inputs: images of the size in question; the first one is run, to see which norm reads what.
            watched: layers whose output must stay what it is; where merging would change one, the network itself is returned.
        """
        with self._explained(inputs), self._running(), torch.no_grad():
            if self._merged is None:
                self._merged = self._with_merged_norms(self._arranged(inputs[:1]))
        network, changed = self._merged
        return self if changed & {split_call(name)[0] for name in watched} else network

    def _with_merged_norms(self, image: Float[Tensor, "1 ..."]) -> tuple["Network", frozenset[str]]:
        def run(module: nn.Module) -> Tensor:
            with torch.random.fork_rng(devices=[], enabled=self._draws):
                if self._draws:  # another thread may watch the global state
                    torch.random.manual_seed(self.seed)
                return self.model.pick(module(image.clone()))

        found = merged(self.module, run) if self.own else None
        return (self, frozenset()) if found is None else (_Merged(self, found[0]), found[1])

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

    def forward(
        self,
        inputs: Float[Tensor, "b c *spatial"],
        needs: Needs,
        put: Mapping[str, Put] = NOTHING,
        under: AbstractContextManager[Any] = PLAINLY,
        *,
        partial: bool = False,
        stop: bool = False,
    ) -> Pass:
        """Run the network once.

        Args:
            inputs: what it takes, any number of rows.
            needs: what is wanted of the pass; the graph starts at the first place whose gradient is wanted.
            put: what layers give on instead of what they make, each in the layer's own layout; or what makes that from what the layer is given
                and what it made.
            under: what sees each operation of the pass: rules, a recorder, a replay.
            partial: only a part of the network runs under it, and the pass is counted so.
            stop: the pass ends where all layers that are wanted have been seen; it has no answer then, and is counted as a partial one.
        """
        with self._explained(inputs):
            made = self._forward(inputs, needs, put, under, stop=stop)
        if needs.gradients and not made.reading.output.requires_grad and INPUT not in needs.gradients:
            made = self._forward(inputs, needs | Needs(gradients=frozenset({INPUT})), put, under)
        self.count(Cost(partial=len(inputs)) if partial or stop else Cost(forwards=len(inputs)))
        return made

    def _forward(
        self,
        inputs: Float[Tensor, "b c *spatial"],
        needs: Needs,
        put: Mapping[str, Put],
        under: AbstractContextManager[Any] = PLAINLY,
        *,
        stop: bool = False,
    ) -> Pass:
        with self._running():
            if self._settled:
                return self._seeded(inputs, needs, put, under, stop=stop)
            made = self._try_channels_last(inputs, needs) or self._seeded(inputs, needs)
            self._settled = True
            return made if under is PLAINLY and not put else self._seeded(inputs, needs, put, under)

    def _try_channels_last(self, inputs: Float[Tensor, "b c *spatial"], needs: Needs) -> Pass | None:
        """Run a convolutional network with its channels last, which is faster on a CPU and equally exact.

        A network that calls `view` on such a tensor raises; it gets the usual order from then on, and None is returned.
        """
        convolves = any(isinstance(part, nn.Conv2d) for part in self.module.modules())
        if inputs.dim() != 4 or self.model.layout != "bchw" or not convolves:
            return None
        self._format = torch.channels_last
        before = lay_channels_last(self.module) if self.own else {}
        try:
            return self._seeded(inputs, needs)
        except (SeewhyError, torch.OutOfMemoryError):
            raise
        except RuntimeError:  # what is wrong with the input itself shows again, and is raised, in the usual order
            self._format = torch.contiguous_format
            for part, weight in before.items():
                part.weight = weight
            return None

    def _seeded(
        self,
        inputs: Float[Tensor, "b c *spatial"],
        needs: Needs,
        put: Mapping[str, Put] = NOTHING,
        under: AbstractContextManager[Any] = PLAINLY,
        *,
        stop: bool = False,
    ) -> Pass:
        """Run once; a network that draws random numbers in eval mode draws the same ones each time, and nobody else's."""
        if self._draws:
            with torch.random.fork_rng(devices=[]):
                torch.random.manual_seed(self.seed)
                return self._once(inputs, needs, put, under, stop=stop)
        if self._settled:
            return self._once(inputs, needs, put, under, stop=stop)
        before = torch.random.get_rng_state()
        made = self._once(inputs, needs, put, under)
        if torch.equal(before, torch.random.get_rng_state()):
            return made
        if torch.equal(made.reading.output, self._once(inputs, needs, put, under).reading.output):
            return made  # it was another thread that drew
        torch.random.set_rng_state(before)
        self._draws = True
        self.notes += ("the network draws random numbers in eval mode; each pass is given the same ones",)
        return self._seeded(inputs, needs, put, under)

    def _once(
        self,
        inputs: Float[Tensor, "b c *spatial"],
        needs: Needs,
        put: Mapping[str, Put],
        under: AbstractContextManager[Any],
        *,
        stop: bool = False,
    ) -> Pass:
        from_input = INPUT in needs.gradients
        leaf = inputs.detach().clone().requires_grad_() if from_input else inputs
        steps = self._steps(inputs, needs.layers | put.keys())
        keep = spread(needs.activations | needs.outputs, steps)
        differentiate = spread(needs.gradients - {INPUT}, steps)
        with (
            torch.set_grad_enabled(from_input),
            watching(self.module, keep, differentiate, spread_put(put, steps), stop=stop) as watch,
        ):
            try:
                output = self._run(leaf, under)
            except Reached:
                output = leaf.new_empty((len(leaf), 0))
            _check_answer(output, len(inputs))
            calls = {
                name: tuple(watch.of(f"{name}#{n}") for n in range(steps[name])) for name in needs.layers & steps.keys()
            }
            with torch.set_grad_enabled(bool(needs.gradients)):
                nodes = {
                    name: together(calls[name]) if name in calls else watch.of(name) for name in sorted(needs.layers)
                }
        grids = {name: self._grid(name, value, inputs) for name, value in nodes.items()}
        with torch.set_grad_enabled(bool(needs.gradients)):
            seen = {name: on_grid(value, grids[name]) for name, value in nodes.items()}
        return Pass(inputs, Reading(output, seen), nodes | ({INPUT: leaf} if from_input else {}), grids, needs, calls)

    def _steps(self, inputs: Tensor, names: Iterable[str]) -> dict[str, int]:
        """Return which of these layers run once for each frame of a clip, and how often: without the number of a call, all calls are meant."""
        if inputs.dim() != 5:
            return {}
        layers = {name: self._anatomy.layer(name, inputs) for name in names if name != INPUT}
        return {name: layer.runs for name, layer in layers.items() if layer is not None and layer.stepped}

    def _grid(self, name: str, value: Tensor, inputs: Tensor) -> Grid | None:
        """Find the grid of what a layer put out; that of tokens must be one that the network's maps have, and rows must be frames in order."""
        places = self._anatomy.places(inputs) if value.dim() == 3 else NOWHERE
        grid = find_grid(value, len(inputs), inputs.shape[2:], layer_of(self.module, name), places)
        if grid is None or not grid.frames:
            return grid
        layer = self._anatomy.layer(name, inputs)
        ordered = layer is not None and layer.grid is not None and layer.grid.frames == grid.frames
        return grid if ordered else None

    def _run(self, inputs: Tensor, under: AbstractContextManager[Any] = PLAINLY) -> Tensor:
        """Call the twin and return its answer."""
        arranged = self._arranged(inputs)
        with under:
            return self.model.pick(self.module(arranged))

    def tape(self, layer: str, image: Float[Tensor, "1 c *spatial"], like: Tape | None = None) -> Tape:
        """Return what is needed to go on from a layer with other activations of this image.

        Two passes, of one row and of two; only the first where a tape of another image of this size is known.

        Raises:
            CannotCut: the network cannot be cut there, or draws random numbers.
        """
        with self._explained(image), self._running(), torch.no_grad():
            if self._draws:
                raise CannotCut("the network draws random numbers")

            def run(arranged: Tensor, mode: TorchFunctionMode) -> None:
                with mode:
                    self.module(arranged)

            made = record(self.module, layer, self._arranged(image), run, like)
        self.count(Cost(forwards=3 if like is None else 1))
        return replace(made, image=image)  # its axes are put into the network's order again when it is replayed

    def watched(self, inputs: Float[Tensor, "b c *spatial"], under: AbstractContextManager[Any]) -> Tensor:
        """Return the answer of one pass that `under` watches and may change; it decides about the graph, and about the rows of the answer.

        The pass is not counted.
        """
        with self._explained(inputs), self._running(), torch.random.fork_rng(devices=[], enabled=self._draws):
            if self._draws:
                torch.random.manual_seed(self.seed)
            return self._run(inputs, under)

    def reference(self, image: Float[Tensor, "1 c h w"]) -> Reference:
        """Return the taped pass over an image, from which changes of it are followed; one pass.

        Raises:
            CannotCut: the network cannot be followed, or draws random numbers.
        """
        with self._explained(image), self._running(), torch.no_grad():
            if self._draws:
                raise CannotCut("the network draws random numbers")
            made = Reference(self._called, self._formatted(image))
        self.count(Cost(forwards=1))
        return made

    def followed(self, reference: Reference, at: Rectangles, crop: Float[Tensor, "n c h w"]) -> Tensor:
        """Return the answers to changed images, from what a change in a rectangle of each reaches; a partial pass a row.

        Raises:
            CannotCut: a change cannot be followed.
        """
        with self._explained(crop), self._running(), torch.no_grad():
            local = Local(reference, at, self._formatted(crop))
            answer = local.answer(self._called(local.images, local))
            _check_answer(answer, len(crop))
        self.count(Cost(partial=len(crop)))
        return answer

    def _called(self, formatted: Tensor, mode: TorchFunctionMode) -> Tensor:
        """Call the twin on ready inputs, the order of their axes included in what the mode sees."""
        with mode:
            return self.model.pick(self.module(laid_out(formatted, self.model.layout)))

    def _formatted(self, inputs: Tensor) -> Tensor:
        """Return inputs in the network's memory format; one number that stands for all of them is not written out."""
        if inputs.dim() == 4 and self._format is not torch.contiguous_format and any(inputs.stride()):
            return inputs.contiguous(memory_format=self._format)
        return inputs

    def _arranged(self, inputs: Tensor) -> Tensor:
        return laid_out(self._formatted(inputs), self.model.layout)

    @contextmanager
    def _running(self) -> Iterator[None]:
        """One pass at a time, in eval mode, outside of any inference mode of the caller; grad mode is put back."""
        mine = nullcontext() if self.own else borrowed(self.module)
        with self._lock, mine, torch.inference_mode(mode=False):
            yield

    @contextmanager
    def _explained(self, inputs: Tensor) -> Iterator[None]:
        """Turn whatever the network's own code raises into a `ModelError` that says on which input."""
        try:
            yield
        except (SeewhyError, CannotCut):
            raise
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(
                f"an input of shape {tuple(inputs.shape)} does not fit into the memory of {inputs.device}"
            ) from error
        except Exception as error:  # the network is the user's own code, and may raise anything
            raise ModelError(
                f"{self.model.title} fails on an input of shape {tuple(inputs.shape)}: {type(error).__name__}: {str(error).strip()}"
            ) from error

    def count(self, cost: Cost) -> None:
        """Add passes of one image."""
        with self._lock:
            self.spent += cost


class _Merged(Network):
    """A copy of a network with merged norms; it shares the lock, and passes count as those of the network itself."""

    def __init__(self, whole: Network, module: nn.Module) -> None:
        self.__dict__.update(whole.__dict__)
        self._whole, self.module, self.cuts = whole, module, {}

    def count(self, cost: Cost) -> None:
        """Add passes of one image to what the network itself has made."""
        self._whole.count(cost)


def _check_answer(output: Tensor, rows: int) -> None:
    if not output.is_floating_point():
        raise ModelError(
            f"the network's answer is {output.dtype}; a floating-point answer, before any arg-max, is needed"
        )
    if output.dim() == 0 or len(output) != rows:
        raise ModelError(
            f"the network gave an answer of shape {tuple(output.shape)} for {rows} images; one row per image is needed"
        )
