"""The fast profile: half precision and merged norms, for those methods whose maps stay what they are."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seewhy.core.cost import Cost
from seewhy.core.explanation import Explanation
from seewhy.core.method import Method
from seewhy.engine.black_box import is_black_box
from seewhy.engine.joining import joined
from seewhy.engine.network import Network
from seewhy.engine.twin import twin
from seewhy.errors import ConfigError, SeewhyError

Profile = Literal["exact", "fast"]

FIDELITY = 0.99
"""The least cosine between a map and the exact one with which a faster way to run the network is used."""

TRIED = 2
"""Images, at most, on which a faster way is tried."""

SHORT = 64
"""Samples or channels with which methods that take many are tried."""

Explain = Callable[[Network, slice, Sequence[Method]], list[list[Explanation]]]
"""Explains some of the images on a network: a list of explanations, one per method, for each target."""


class Variant(Network):
    """Another way to run a network: its passes count as those of the network itself, too.

    Args:
        whole: the network as it is.
        module: what runs in its place.
    """

    def __init__(self, whole: Network, module: nn.Module) -> None:
        super().__init__(replace(whole.model, module=module, notes=()), seed=whole.seed)
        self._whole = whole

    def count(self, cost: Cost) -> None:
        """Add passes of one image, here and to the network itself."""
        super().count(cost)
        self._whole.count(cost)


@dataclass(frozen=True)
class Choice:
    """How the network is run for one method.

    Attributes:
        network: what runs.
        cosine: the least between its maps of the images that were tried and the exact ones.
        words: what runs and why, for people.
    """

    network: Network
    cosine: float
    words: str


class Fast:
    """Chooses for each method, with its settings, for each kind of question and size of the input, the fastest network that gives the same maps.

    The first image, or two, is explained by the network as it is, then in bfloat16 with batch norms merged, then with the norms merged alone. The
    first of these whose maps have a cosine of at least `fidelity` to the exact ones is used from then on, and its maps of those images are kept.
    Methods with many samples or channels are tried with few of them.

    Args:
        exact: the network as it is.
        fidelity: the least cosine.
        rows: rows per pass; measured if None.
    """

    def __init__(self, exact: Network, fidelity: float = FIDELITY, rows: int | None = None) -> None:
        if not 0 < fidelity <= 1:
            raise ConfigError(f"fidelity is a cosine above 0 and at most 1, got {fidelity}")
        self._exact, self._fidelity, self._rows = exact, fidelity, rows
        self._choices: dict[object, Choice] = {}
        self._variants: dict[tuple[str, bool], Network] = {}
        self._lock = threading.RLock()

    def answer(
        self,
        explain: Explain,
        inputs: Float[Tensor, "b c *spatial"],
        methods: Sequence[Method],
        kind: object,
        watched: frozenset[str],
    ) -> list[list[Explanation]]:
        """Explain images; a list of explanations, one per method, for each target.

        Args:
            explain: see `Explain`.
            inputs: the images, as the exact network takes them.
            methods: with their layers settled.
            kind: what distinguishes the targets from others: each kind is tried on its own.
            watched: layers that the targets look at.
        """
        chosen: dict[Method, Choice] = {}
        parts: dict[Method, list[list[Explanation]]] = {method: [] for method in methods}
        for method in parts:
            key = (method, tuple(inputs.shape[1:]), kind)
            with self._lock:  # another thread waits for the choice, and does not try again
                if key not in self._choices:
                    self._choices[key], head = self._tried(explain, inputs[:TRIED], method, watched)
                    parts[method] += [head] if head else []
                chosen[method] = self._choices[key]
        todo = {method: (chosen[method].network, sum(len(part[0]) for part in parts[method])) for method in chosen}
        for network, start in dict.fromkeys(todo.values()):
            group = [method for method, here in todo.items() if here == (network, start)]
            made = explain(network, slice(start, len(inputs)), group) if start < len(inputs) else []
            for place, method in enumerate(group):
                parts[method] += [[row[place] for row in made]] if made else []
        columns = [self._column(parts[method], chosen[method]) for method in methods]
        return [list(row) for row in zip(*columns, strict=True)]

    def _column(self, parts: list[list[Explanation]], choice: Choice) -> list[Explanation]:
        """Return what one method says for each target, all images together."""
        return [self._marked(joined(of_target), choice) for of_target in zip(*parts, strict=True)]

    def _tried(
        self, explain: Explain, images: Float[Tensor, "b c *spatial"], method: Method, watched: frozenset[str]
    ) -> tuple[Choice, list[Explanation]]:
        """Choose for a method that was not asked before; return also what it found for the first images, if all of it ran."""
        rows = slice(0, len(images))
        tried = shortened(method) if self._possible else method
        try:
            wanted = [row[0] for row in explain(self._exact, rows, [tried])]
        except SeewhyError:
            if tried == method:
                raise
            tried = method
            wanted = [row[0] for row in explain(self._exact, rows, [method])]
        choice, found = self._chosen(explain, tried, wanted, self._candidates(images, method.needs().layers | watched))
        if tried == method:
            return choice, found
        return replace(choice, words=f"{choice.words} (tried with {_changes(tried, method)})"), []

    def _chosen(
        self, explain: Explain, method: Method, wanted: list[Explanation], candidates: Iterator[tuple[str, Network]]
    ) -> tuple[Choice, list[Explanation]]:
        """Try the candidates, fastest first; return the first that is close enough, with its explanations, else the exact ones."""
        name = f"exact map of {' and '.join(sample.name or 'an image' for sample in wanted[0].samples)}"
        rows = slice(0, len(wanted[0]))
        refused = []
        for words, network in candidates:
            try:
                found = [row[0] for row in explain(network, rows, [method])]
            except SeewhyError as error:
                refused.append(f"{words} ({error})")
                continue
            cosine = min(map(fidelity, found, wanted))
            if cosine >= self._fidelity:
                why = f"; refused: {', '.join(refused)}" if refused else ""
                return Choice(network, cosine, f"fast profile: {words}, cosine {cosine:.6g} to the {name}{why}"), found
            refused.append(f"{words} (cosine {cosine:.6g} to the {name}, {self._fidelity} is wanted)")
        why = f"refused: {', '.join(refused)}" if refused else "nothing about it can be made faster"
        return Choice(self._exact, 1.0, f"fast profile: the network as it is; {why}"), wanted

    @property
    def _possible(self) -> bool:
        """Whether there is another way to run the network: not where it cannot be copied, and not for a black box."""
        return self._exact.own and not is_black_box(self._exact.module)

    def _candidates(
        self, images: Float[Tensor, "b c *spatial"], watched: frozenset[str]
    ) -> Iterator[tuple[str, Network]]:
        """Yield the ways to run the network, with their names, the fastest first; only one that is asked for is built."""
        exact = self._exact
        if not self._possible:
            return
        merged = exact.merged(images, watched)
        norms = merged is not exact
        halves = any(weight.dtype in (torch.float32, torch.float64) for weight in exact.module.parameters())
        if halves:
            yield f"bfloat16{' with merged norms' if norms else ''}", self._variant("half", merged, norms=norms)
        if norms:
            yield "merged norms", self._variant("whole", merged, norms=norms)

    def _variant(self, precision: str, network: Network, *, norms: bool) -> Network:
        key = (precision, norms)
        if key not in self._variants:
            module = twin(network.module)  # shares its weights; a cast makes new ones and leaves the user's
            made = Variant(self._exact, module.to(torch.bfloat16) if precision == "half" else module)
            if self._rows is not None:
                made.tuner.fix(self._rows)
            self._variants[key] = made
        return self._variants[key]

    def _marked(self, found: Explanation, choice: Choice) -> Explanation:
        """Write down on an explanation how the network was run, and give it the precision of the exact one."""
        exact = self._exact.weight.dtype
        cosines = (choice.cosine,) * len(found)
        made = replace(
            found,
            figures={**found.figures, f"cosine to {str(exact).removeprefix('torch.')}": cosines},
            notes=tuple((*notes, choice.words) for notes in found.notes),
            provenance={**found.provenance, "profile": "fast"},
        )
        if exact != torch.float64:
            return made
        return replace(
            made,
            heatmap=made.heatmap.double(),
            score=made.score.double(),
            residual=None if made.residual is None else made.residual.double(),
            error=None if made.error is None else made.error.double(),
        )


def shortened(method: Method) -> Method:
    """Return the method with fewer samples or channels, which tells as much about the network's precision, where it has many."""
    changes = {}
    for name in ("samples", "channels"):
        count = getattr(method, name, 0)
        every = name == "channels" and count is None
        if every or (type(count) is int and count > 4 * SHORT):
            changes[name] = SHORT
    return replace(method, **changes) if changes else method  # type: ignore[type-var]


def _changes(first: Method, second: Method) -> str:
    """Say which settings of the first method the second has not."""
    other = second.settings()
    return ", ".join(f"{name}={value}" for name, value in first.settings().items() if value != other[name])


def fidelity(found: Explanation, wanted: Explanation) -> float:
    """Return the least cosine between two maps of an image: 1 where both are zero, 0 where one is, or where another class came out."""
    if found.targets != wanted.targets or found.heatmap.shape != wanted.heatmap.shape:
        return 0.0
    a, b = (made.heatmap.double().flatten(1) for made in (found, wanted))
    lengths = a.norm(dim=1) * b.norm(dim=1)
    both_zero = ~a.any(dim=1) & ~b.any(dim=1)
    cosines = torch.where(
        lengths > 0, (a * b).sum(dim=1) / lengths.clamp_min(torch.finfo(a.dtype).tiny), both_zero.double()
    )
    return float(cosines.min().clamp(-1, 1))
