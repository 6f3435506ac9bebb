"""One picture's way through a tree or a hierarchy, question by question."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor

from seewhy.data.features import Features
from seewhy.errors import ConfigError
from seewhy.surrogates.branching import NONE, Branching
from seewhy.surrogates.hierarchy import Hierarchy
from seewhy.surrogates.student import Student
from seewhy.surrogates.tree import Tree

SIDES = ("left", "right")
MOST_TERMS = 3
"""Terms of a sum that a sentence lists."""


@dataclass(frozen=True)
class Evidence:
    """One number that a question reads.

    Attributes:
        number: its place in what is read.
        name: what it is called.
        value: what it is for this picture.
        weight: by how much the sum of a hierarchy's fork grows with a deviation of it; 0 in a tree.
        adds: its term of that sum, relative to the mean picture; 0 in a tree.
    """

    number: int
    name: str
    value: float
    weight: float = 0.0
    adds: float = 0.0

    @property
    def much(self) -> str:
        """Whether there is more or less of it than in the mean picture, in a hierarchy's fork: "much", "little"."""
        return "much" if (self.adds > 0) == (self.weight > 0) else "little"


@dataclass(frozen=True)
class Step:
    """One question, and where the picture went.

    Attributes:
        node: that asked.
        child: where the picture went on.
        affirmed: whether to the right: the concept is present, or the sum is positive.
        value: what decides: the number that is read, or the sum.
        threshold: above which it goes right.
        evidence: what the question reads, the strongest first.
        short: the same in a few words, for the caption of a picture: "concept 3 absent: 0.02 < 0.31".
        text: "It went left because concept 3 is absent: 0.02 < 0.31."
    """

    node: int
    child: int
    affirmed: bool
    value: float
    threshold: float
    evidence: tuple[Evidence, ...]
    short: str
    text: str

    @property
    def side(self) -> str:
        """Left where the question is denied, right where it is affirmed."""
        return SIDES[self.affirmed]


@dataclass(frozen=True)
class Trace:
    """The way of one picture.

    Attributes:
        row: number of the picture among its features.
        picture: its name.
        steps: from the root to the leaf.
        leaf: in which it ends.
        answer: what the student says.
        network: what the network says.
        label: what is true; None where it is not known.
    """

    row: int
    picture: str
    steps: tuple[Step, ...]
    leaf: int
    answer: str
    network: str
    label: str | None

    @property
    def agrees(self) -> bool:
        """Whether the student says what the network says."""
        return self.answer == self.network

    @property
    def nodes(self) -> tuple[int, ...]:
        """All nodes that it passed, the root first."""
        return (*(step.node for step in self.steps), self.leaf)

    @property
    def end(self) -> str:
        """The last sentence: what it ended as, and what the network says."""
        truth = "" if self.label is None else f" In truth it is {self.label}."
        if self.agrees:
            return f"So the student says {self.answer}, as the network does.{truth}"
        return f"So the student says {self.answer}; the network says {self.network}.{truth}"

    @property
    def text(self) -> str:
        """All of it, a line each."""
        return "\n".join([f"{number}. {step.text}" for number, step in enumerate(self.steps, 1)] + [self.end])


def trace(student: Student, features: Features, row: int) -> Trace:
    """Return the way of one picture through a student that is a tree or a hierarchy.

    Args:
        student: the tree or hierarchy.
        features: of pictures, among them this one.
        row: its number.

    Raises:
        ConfigError: the student asks no questions, or there is no such picture.
        ModelError: the features are those of another network, layer or preprocessing.
    """
    if not 0 <= row < len(features):
        raise ConfigError(f"there are {len(features)} pictures, numbered from 0; got {row}")
    student.check(features)
    one = features.part([row])
    return traced(student, one, student.basis.read(one), [row])[0]


def traced(student: Student, features: Features, x: Float[Tensor, "n m"], rows: Sequence[int]) -> list[Trace]:
    """Return the ways of pictures whose numbers are already read, under the numbers that are given for them.

    Raises:
        ConfigError: the student asks no questions.
    """
    model = student.surrogate
    if not isinstance(model, Branching):
        raise ConfigError(
            f"a {model.title} asks no questions that a picture could be traced through; take a tree or a hierarchy"
        )
    route, said = model.route(x), features.predicted
    made = []
    for place, row in enumerate(rows):
        nodes = [node for node in route[place].tolist() if node != NONE]
        steps = tuple(_step(student, model, x[place], node, child) for node, child in pairwise(nodes))
        label = int(features.labels[place])
        made.append(
            Trace(
                row,
                features.data.names[place],
                steps,
                nodes[-1],
                student.learned[int(model.answer[nodes[-1]])],
                student.labels[int(said[place])],
                student.labels[label] if label >= 0 else None,
            )
        )
    return made


def _step(student: Student, model: Branching, x: Float[Tensor, " m"], node: int, child: int) -> Step:
    if isinstance(model, Tree):
        return _asked(student, model, x, node, child)
    if isinstance(model, Hierarchy):
        return _summed(student, model, x, node, child)
    raise ConfigError(f"how a {model.title} decides is not known here")


def _asked(student: Student, tree: Tree, x: Float[Tensor, " m"], node: int, child: int) -> Step:
    number, bar = int(tree.feature[node]), float(tree.threshold[node])
    name, value = student.basis.names[number], float(x[number])
    affirmed = child == int(tree.children[node, 1])
    read, edge = apart(value, bar)
    sign = ">" if affirmed else "<" if value < bar else "="
    text = f"It went {SIDES[affirmed]} because {name} is {tree.ways(node)[affirmed]}: {read} {sign} {edge}."
    short = f"{name} {tree.ways(node)[affirmed]}: {read} {sign} {edge}"
    return Step(node, child, affirmed, value, bar, (Evidence(number, name, value),), short, text)


def _summed(student: Student, model: Hierarchy, x: Float[Tensor, " m"], node: int, child: int) -> Step:
    terms, total = model.terms(x[None], node)[0], float(model.odds(x[None])[0, node])
    order = [place for place in terms.abs().argsort(descending=True).tolist() if model.weights[node, place] != 0]
    evidence = tuple(
        Evidence(
            place, student.basis.names[place], float(x[place]), float(model.weights[node, place]), float(terms[place])
        )
        for place in order
    )
    affirmed = child == int(model.children[node, 1])
    group = model.group(child, student.learned)
    pushing = [one for one in evidence if (one.adds > 0) == affirmed and one.adds != 0][:MOST_TERMS]
    why = (
        ", ".join(f"{one.much} {one.name} ({one.adds:+.2f})" for one in pushing)
        or f"the bias ({float(model.bias[node]):+.2f})"
    )
    sum_text, _ = apart(total, 0.0)
    text = f"It went {SIDES[affirmed]}, to {group}: the sum is {sum_text}, {'above' if affirmed else 'not above'} 0, most of all because of {why}."
    short = f"{group}: sum {sum_text} {'>' if affirmed else '≤'} 0"
    return Step(node, child, affirmed, total, 0.0, evidence, short, text)


def apart(value: float, threshold: float) -> tuple[str, str]:
    """Return both numbers with as many digits as it takes to see them differ, at least three."""
    for digits in range(3, 9):
        one, other = f"{value:.{digits}g}", f"{threshold:.{digits}g}"
        if one != other or value == threshold:
            return one, other
    return repr(value), repr(threshold)
