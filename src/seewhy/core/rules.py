"""How a method changes the way back through the network: rules for operations, and the report of which ones were met."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor

from seewhy.core.trace import Trace
from seewhy.errors import MethodError

Status = Literal["exact rule", "fallback gradient", "unsupported"]


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation of a pass, as the network called it: a module's, a functional call or an operator.

    Attributes:
        kind: what it is, whatever way it was called: "convolution", "linear", "relu", "add", "matmul", ...
        function: the torch function; never one that writes in place.
        args, kwargs: what it was called with.
        moved: of the first linear or convolution, where the rules have a rewrite of their own for that: moves another image, such as a black
            one, as the network moved its input on the way here (padded, cut, turned).
    """

    kind: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    moved: Callable[[Tensor], Tensor] | None = None

    def run(self) -> Any:
        """Return what the network itself would compute here."""
        return self.function(*self.args, **self.kwargs)

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument that may have been given by place or by name."""
        return self.args[position] if position < len(self.args) else self.kwargs.get(name, default)

    @property
    def input(self) -> Tensor:
        """The first argument."""
        found: Tensor = self.argument(0, "input")
        return found

    def on(self, *tensors: Any) -> Any:
        """Run the operation with other first arguments, such as another input, weight and bias; the rest stays."""
        names = ("input", "weight", "bias")[: len(tensors)]
        rest = {name: value for name, value in self.kwargs.items() if name not in names}
        return self.function(*tensors, *self.args[len(tensors) :], **rest)

    def replaced(self, function: Callable[..., Any]) -> "Operation":
        """Return the same call of another function."""
        return replace(self, function=function)


Rewrite = Callable[[Operation], Any]
"""Does what the operation does, and changes its gradient."""


@dataclass(frozen=True, eq=False)
class Rules:
    """A way back through the network: what is put in the place of which kind of operation.

    A rewrite keeps the operation's value and changes its gradient, so that relevance is activation times gradient at any layer.
    Only operations on the path from the input (or from a layer) are rewritten.

    Attributes:
        name: for people: "LRP epsilon-plus".
        rewrites: by kind of operation; called outside of the rules, so what a rewrite computes is not rewritten again.
        exact: kinds whose plain gradient is what the rule wants; operations that only move numbers are so for every rule.
        unsupported: kinds on which the method is refused.
        required: at least one of these kinds must be met, or the method is refused: there would be nothing to do for it.
        on_fallback: what happens where an operation has neither a rewrite nor an exact gradient: "refuse", or "flag" the map.
        first: rewrites the first linear or convolution on the path from the input, and gives back relevance itself: its "gradient"
            is the relevance of its input; see `Propagation.first`.
        merge_norms: run a private copy in which batch norms are merged into the convolutions before them.
    """

    name: str
    rewrites: Mapping[str, Rewrite] = field(default_factory=lambda: MappingProxyType({}))
    exact: frozenset[str] = frozenset()
    unsupported: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    on_fallback: Literal["refuse", "flag"] = "flag"
    first: Rewrite | None = None
    merge_norms: bool = False

    def status(self, kind: str) -> Status:
        """Say what these rules make of a kind of operation that does not only move numbers."""
        if kind in self.unsupported:
            return "unsupported"
        return "exact rule" if kind in self.rewrites or kind in self.exact else "fallback gradient"


@dataclass(frozen=True)
class Coverage:
    """Which operations were met on the path, how often, and what was done with them.

    Attributes:
        rules: name of the rules.
        met: (kind, times, status), the most frequent first; operations that only move numbers count as "exact rule".
    """

    rules: str
    met: tuple[tuple[str, int, Status], ...]

    def kinds(self, status: Status) -> tuple[str, ...]:
        """Return the kinds of one status."""
        return tuple(kind for kind, _, found in self.met if found == status)

    def __str__(self) -> str:
        return "; ".join(
            f"{status}: {', '.join(f'{kind} x {times}' for kind, times, found in self.met if found == status)}"
            for status in ("exact rule", "fallback gradient", "unsupported")
            if self.kinds(status)
        )


class NotCovered(MethodError):  # noqa: N818 (it names the state of things)
    """Rules do not fit the operations of a network.

    Attributes:
        coverage: what was met.
    """

    def __init__(self, message: str, coverage: Coverage) -> None:
        super().__init__(message)
        self.coverage = coverage


@dataclass(frozen=True, eq=False)
class Propagation:
    """One pass and its way back under rules.

    Attributes:
        trace: scores, activations and the rules' gradients, of the images themselves.
        coverage: what was met.
        first: where `Rules.first` was used: what it gave, as relevance of the image's pixels (b, c, *spatial).
        beside: the scores of the images beside them, where there were some.
    """

    trace: Trace
    coverage: Coverage
    first: Float[Tensor, "b c *spatial"] | None = None
    beside: Float[Tensor, " b"] | None = None
