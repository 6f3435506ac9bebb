"""A session runs the network, and nobody else does."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import or_
from types import TracebackType
from typing import Any, TypeVar, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.explanation import Explanation
from seewhy.core.method import Anatomy, Attribution, Method
from seewhy.core.needs import Needs
from seewhy.core.registry import registered
from seewhy.core.sample import Sample
from seewhy.core.target import Target
from seewhy.engine.ascent import Ascent, Revival, Together
from seewhy.engine.black_box import is_black_box
from seewhy.engine.block import Bill, Block, Question
from seewhy.engine.chunking import clock
from seewhy.engine.fast import FIDELITY, Fast, Profile
from seewhy.engine.joining import joined
from seewhy.engine.model import Model
from seewhy.engine.network import Network
from seewhy.engine.probe import NetworkProbe
from seewhy.engine.recurrent import recurrent_layers
from seewhy.errors import ConfigError, MethodError, OutOfMemory, SeewhyError, ShapeError, TargetError
from seewhy.ops.finite import all_finite
from seewhy.version import __version__

S = TypeVar("S", bound="Session")
Progress = Callable[[str, int, int | None], None]


class Session:
    """Explains images with one network, as many as you like; a context manager.

    Methods that ask about the same images share one forward pass, and those that ask about the same target one backward.
    Targets share the forward. The network itself is never touched: a private twin runs.

    Args:
        model: the network and its preprocessing.
        device: where to run; where the weights are, if None.
        seed: of everything that is drawn at random; the same seed gives the same maps.
        rows: rows per pass; measured if None.
        profile: "exact" runs the network as it is. "fast" runs it in bfloat16 and with merged norms for those methods whose maps of the first
            images then stay the same, which is tried once for each method, kind of target and size of input.
        fidelity: for "fast": the least cosine to the exact map.
        progress: is told, while a method works, its key, the passes so far and the passes expected (None where that is not known).
    """

    def __init__(
        self,
        model: Model,
        *,
        device: torch.device | str | None = None,
        seed: int = 0,
        rows: int | None = None,
        profile: Profile = "exact",
        fidelity: float = FIDELITY,
        progress: Progress | None = None,
    ) -> None:
        if profile not in get_args(Profile):
            raise ConfigError(f"profile is 'exact' or 'fast', got {profile!r}")
        if rows is not None and rows < 1:
            raise ShapeError(f"rows per pass must be at least 1, got {rows}")
        self.model, self.seed, self.profile = model, seed, profile
        self.network = Network(model, device, seed)
        self._rows, self._progress = rows, progress
        if rows is not None:
            self.network.tuner.fix(rows)
        self._fast = Fast(self.network, fidelity, rows) if profile == "fast" else None

    def __enter__(self: S) -> S:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the session; there is nothing to put back."""

    @property
    def cost(self) -> Cost:
        """Passes of one image that this session has made so far; what is shared counts once, so eight CAMs of five images cost five."""
        return self.network.spent

    def predict(self, inputs: Float[Tensor, "b c *spatial"]) -> Tensor:
        """Return the network's answers to ready inputs, on the CPU in float32 (or float64)."""
        inputs = self.network.accept(inputs)
        parts = [
            self.network.forward(part, Needs()).reading.output.detach() for part in torch.split(inputs, self._rows or 8)
        ]
        answer = torch.cat(parts).cpu()
        return answer if answer.dtype == torch.float64 else answer.float()

    @torch.inference_mode(mode=False)
    def answer(
        self, samples: Sequence[Sample], targets: Sequence[Target], methods: Sequence[Method]
    ) -> list[list[Explanation]]:
        """Explain samples: a list of explanations (one per method) for each target.

        Raises:
            SeewhyError: of any kind, with the method and the shape of the input added to what it says.
        """
        inputs = self.network.accept(_stacked(samples))
        targets = [target.placed(samples, self.model.probability) for target in targets]
        methods = [self.resolved(method, inputs) for method in methods]
        if self._fast is None:
            return self._answered(self.network, inputs, samples, targets, methods)

        def explain(network: Network, rows: slice, some: Sequence[Method]) -> list[list[Explanation]]:
            asked = [target.part(rows, len(inputs)) for target in targets]
            return self._answered(network, network.accept(inputs[rows]), samples[rows], asked, some)

        kind = frozenset(type(target) for target in targets)
        watched = reduce(or_, (target.needs().layers for target in targets), frozenset[str]())
        return self._fast.answer(explain, inputs, methods, kind, watched)

    def _answered(
        self,
        network: Network,
        inputs: Float[Tensor, "b c *spatial"],
        samples: Sequence[Sample],
        targets: Sequence[Target],
        methods: Sequence[Method],
    ) -> list[list[Explanation]]:
        """Explain samples on one network, block by block."""
        needs = reduce(or_, [*(method.needs() for method in methods), *(target.needs() for target in targets)], Needs())
        parts: list[list[list[Explanation]]] = []
        start = 0
        while start < len(inputs):
            rows = slice(start, start + network.tuner.rows((needs, "block")))
            asked = [target.part(rows, len(inputs)) for target in targets]
            try:
                with _naming(samples[rows], among=len(samples)):
                    block = self.block(inputs[rows], needs, network)
                    parts.append([self._explain(block, target, methods, samples[rows]) for target in asked])
            except OutOfMemory:
                if len(samples[rows]) == 1:
                    raise
                network.tuner.limit((needs, "block"), len(samples[rows]) // 2)
                continue
            start = rows.stop
        return [[joined([part[t][m] for part in parts]) for m in range(len(methods))] for t in range(len(targets))]

    def resolved(self, method: Method, inputs: Float[Tensor, "b c *spatial"]) -> Method:
        """Return a method with its layers settled for this network and inputs of this size.

        Raises:
            MethodError: the network is a black box, and the method looks inside.
        """
        if method.access != "answers" and is_black_box(self.network.module):
            raise MethodError(
                f"{method.key}: it looks inside the network, and {self.model.title} is a black box, which only answers; "
                f"methods that ask for no more: {_asking_for_answers()}"
            )
        return method.resolve(_Anatomy(self.network, inputs))

    def cost_of(self, method: Method, inputs: Float[Tensor, "b c *spatial"]) -> Cost | None:
        """Return what a method whose layers are settled will cost per image of this size; None where that depends on the image."""
        return method.cost_on(_Anatomy(self.network, inputs))

    @torch.inference_mode(mode=False)
    def block(self, inputs: Float[Tensor, "b c *spatial"], needs: Needs, network: Network | None = None) -> Block:
        """Return a block of images whose forward pass, made at once, all further questions share.

        Raises:
            TargetError: a target looks at a layer of a black box, which has none.
        """
        if needs.layers and is_black_box(self.network.module):
            raise TargetError(
                f"the target looks at {', '.join(map(repr, sorted(needs.layers)))}, and {self.model.title} is a black box without layers; "
                "ask about its answer: a class, or a function of the answer"
            )
        network = network or self.network
        begun = clock(inputs.device)
        block = Block(network, inputs, needs, self.seed)
        _ = block.shared
        network.tuner.saw((needs, "block"), len(inputs), clock(inputs.device) - begun)
        return block

    def ascent(
        self,
        target: Target,
        start: Float[Tensor, "1 c *spatial"],
        *,
        revival: Revival | None = None,
        together: Together | None = None,
        seen: frozenset[str] = frozenset(),
    ) -> Ascent:
        """Return what scores pictures of the size of `start` on their way up to a target; see `seewhy.engine.ascent.Ascent`.

        Raises:
            TargetError: the network is a black box, which gives no gradient.
        """
        if is_black_box(self.network.module):
            raise TargetError(
                f"a picture climbs along a gradient, and {self.model.title} is a black box, which only answers"
            )
        return Ascent(self.network, target, start, revival=revival, together=together, seen=seen)

    def _explain(
        self, block: Block, target: Target, methods: Sequence[Method], samples: Sequence[Sample]
    ) -> list[Explanation]:
        questions: dict[str, Question] = {}  # methods that ask in one form share the way back
        answers = []
        for method in methods:
            suited = target.suited(method.access, self.model.output)
            form = "" if suited is target else method.access
            question = questions.setdefault(form, Question(block, suited))
            answers.append(self.attribute(question, method, samples))
        return answers

    @torch.inference_mode(mode=False)
    def attribute(self, question: Question, method: Method, samples: Sequence[Sample]) -> Explanation:
        """Run one method, whose layers are settled, on one question."""
        probe = NetworkProbe(question, method.needs(), Bill(watch=self._watch(question, method)))
        try:
            made = method.attribute(probe)
        except SeewhyError as error:
            error.args = (f"{method.key}: {error.args[0] if error.args else error}",)
            raise
        found = made if isinstance(made, Attribution) else Attribution(made)
        bound, network = question.bound, question.block.network
        score = question.score
        _check_map(found.heatmap, method)
        return Explanation(
            heatmap=found.heatmap.detach().cpu(),
            score=score.cpu(),
            method=method,
            targets=bound.names,
            unit=bound.unit,
            samples=tuple(samples),
            cost=probe.cost,
            classes=bound.classes,
            residual=None if found.residual is None else found.residual.detach().cpu(),
            error=None if found.error is None else found.error.detach().cpu(),
            figures={name: tuple(values.tolist()) for name, values in found.figures.items()} | probe.losses,
            coverage=found.coverage,
            notes=tuple(
                self.network.notes
                + tuple(note for note in network.notes if note not in self.network.notes)
                + samples[index].notes
                + probe.remarks
                + probe.lost_words(index)
                + found.notes
                + _remarks(row, method, name)
                + _shortfall(found, index, bound.unit)
                for index, (row, name) in enumerate(zip(found.heatmap, bound.names, strict=True))
            ),
            provenance=self._provenance(network),
        )

    def _watch(self, question: Question, method: Method) -> Callable[[Cost], None] | None:
        """Return what tells the user's progress how far a method is."""
        progress = self._progress
        if progress is None:
            return None
        expected = method.cost_on(_Anatomy(question.block.network, question.block.inputs))
        total = None if expected is None else expected.forwards + expected.partial
        return lambda cost: progress(method.key, cost.forwards + cost.partial, total)

    @property
    def provenance(self) -> dict[str, Any]:
        """What made the maps: network, versions, seed, device, precision."""
        return self._provenance(self.network)

    def _provenance(self, network: Network) -> dict[str, Any]:
        weight = network.weight
        return {
            "model": self.model.title,
            "network": type(network.module).__name__,
            "seewhy": __version__,
            "torch": str(torch.__version__),
            "seed": self.seed,
            "device": str(weight.device),
            "precision": str(weight.dtype).removeprefix("torch."),
        } | _recurrent(network)


def _recurrent(network: Network) -> dict[str, str]:
    """Say which layers run in another mode than the rest, although they compute the same; nothing where there are none."""
    names = ", ".join(recurrent_layers(network.module))
    how = "in training mode without dropout, which computes what eval mode does; cuDNN goes back in no other mode"
    return {"recurrent_layers": f"{names}: {how}"} if names else {}


def _asking_for_answers() -> str:
    """Return the keys of the methods that a black box will do for."""
    keys = sorted(key for key, method in registered().items() if method.access == "answers")
    return (", ".join(keys[:8]) + (" …" if len(keys) > 8 else "")) or "none is installed"


class _Anatomy(Anatomy):
    """What a method may ask about the network before it runs."""

    def __init__(self, network: Network, inputs: Tensor) -> None:
        self._network, self._inputs = network, inputs

    @property
    def target_layer(self) -> str:
        return self._network.target_layer(self._inputs)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return tuple(self._inputs.shape[1:])

    def activation_shape(self, layer: str) -> tuple[int, ...]:
        return self._network.activation_shape(layer, self._inputs)

    @property
    def token_layer(self) -> str:
        return self._network.token_layer(self._inputs)

    @property
    def biased_layers(self) -> Sequence[str]:
        return self._network.biased_layers(self._inputs)


@contextmanager
def _naming(samples: Sequence[Sample], among: int) -> Iterator[None]:
    """Add to an error about a block of images which images these were, where there are others."""
    try:
        yield
    except SeewhyError as error:
        if len(samples) < among:
            names = ", ".join(sample.name or "unnamed" for sample in samples)
            error.args = (f"{error.args[0] if error.args else error} (in the block of {names})",)
        raise


def _stacked(samples: Sequence[Sample]) -> Tensor:
    shapes = {tuple(sample.inputs.shape) for sample in samples}
    if len(shapes) > 1:
        raise ShapeError(
            f"images of one call must have one shape, got {', '.join(map(str, sorted(shapes)))}; explain them one call each"
        )
    if not shapes:
        raise ShapeError("there are no images to explain")
    return torch.stack([sample.inputs for sample in samples])


def _check_map(heatmap: Tensor, method: Method) -> None:
    if not all_finite(heatmap):
        bad = ", ".join(str(row) for row in (~torch.isfinite(heatmap.flatten(1))).any(dim=1).nonzero()[:, 0].tolist())
        raise MethodError(
            f"{method.key}: the map of image {bad} holds NaN or infinity, and is not drawn; check weights and precision, or choose another method"
        )


def _remarks(heatmap: Tensor, method: Method, name: str) -> tuple[str, ...]:
    """Say what a picture of this map would hide."""
    if not heatmap.any():
        return (f"the map is zero everywhere: {method.title} finds nothing here that speaks for {name}",)
    if method.signed and heatmap.max() <= 0:
        return (f"the whole map is negative: everything in it speaks against {name}",)
    return ()


def _shortfall(found: Attribution, index: int, unit: str) -> tuple[str, ...]:
    """Say where a map that promises to add up misses what it explains by more than a twentieth."""
    if found.residual is None:
        return ()
    heatmap, missed = found.heatmap[index], float(found.residual[index])
    reached = float(heatmap.sum())
    if abs(missed) <= 0.05 * abs(reached + missed) + 1e-5 * float(heatmap.abs().sum()):
        return ()
    return (f"the map adds up to {reached:.3g} {unit}, although {reached + missed:.3g} are to be explained",)
