"""Why a student says what it says of one photo, beside what the network says: reasons that add up, or questions that were answered."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor

from seewhy.data.features import Features
from seewhy.surrogates.additive import Additive
from seewhy.surrogates.branching import Branching
from seewhy.surrogates.linear import Linear
from seewhy.surrogates.prototypes import Prototypes
from seewhy.surrogates.rules import Rules, said
from seewhy.surrogates.student import Student
from seewhy.surrogates.trace import Step, trace
from seewhy.surrogates.tree import Tree
from seewhy.surrogates.words import share

MOST_PROTOTYPES = 5
"""Prototypes that are named for a photo."""
MOST_ALIKE = 3
"""Numbers that are named as what makes two pictures alike."""


@dataclass(frozen=True)
class Reason:
    """One reason.

    Attributes:
        name: of what it is about: a concept, a rule, a prototype.
        note: what there is of it in the photo.
        adds: to the score of the class; None where nothing is added up.
        number: which of the numbers that are read it is about, to be shown in the photo; None for none.
        prototype: its number, for a picture that the photo resembles.
        strength: how much of it there is in the photo, from 0 to 1: what is absent is not lit.
    """

    name: str
    note: str = ""
    adds: float | None = None
    number: int | None = None
    prototype: int | None = None
    strength: float = 1.0


@dataclass(frozen=True)
class Case:
    """What speaks for and against one class.

    Attributes:
        answer: the class.
        score: of the student for it.
        start: what every photo has; None where nothing is added up.
        reasons: the strongest first; with the start they add up to the score.
    """

    answer: str
    score: float
    start: float | None
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Reasoning:
    """What a student says of one photo, and why.

    Attributes:
        photo: its name.
        kind: of the student.
        title: the same for people.
        answer: the student's class.
        network: the network's class.
        confidence: the network's probability of its class.
        learned: whether the student knows the network's class at all.
        label: the true class; None where it is not known.
        cases: for the student's class; and for the network's, where that is another one which the student has learned.
        sentence: how the reasons are to be read.
        scores: the student's scores of its likeliest classes.
    """

    photo: str
    kind: str
    title: str
    answer: str
    network: str
    confidence: float
    learned: bool
    label: str | None
    cases: tuple[Case, ...]
    sentence: str
    scores: tuple[tuple[str, float], ...] = field(default=())

    @property
    def agrees(self) -> bool:
        """Whether student and network name the same class."""
        return self.answer == self.network

    @property
    def first_line(self) -> str:
        """Whether they agree, and on what."""
        sure = share(self.confidence)
        if self.agrees:
            return f"Student and network agree: {self.answer} (the network gives it {sure})."
        told = f"They disagree: the student says {self.answer}, the network says {self.network} ({sure})."
        return told if self.learned else f"{told} The student has not learned {self.network}."

    def lines(self) -> list[str]:
        """Return all of it as text."""
        made = [self.first_line]
        if self.label is not None:
            made.append(f"In truth, by the name of its folder: {self.label}.")
        for case in self.cases:
            made += ["", f"{'Why' if case.answer == self.answer else 'And why not'} {case.answer}? {self.sentence}"]
            made += [f"  {_signed(case.start)}  start, the same for every photo"] if case.start is not None else []
            made += [f"  {_begun(one, number)}  {_told(one)}" for number, one in enumerate(case.reasons, 1)]
            made += [f"  {_signed(case.score)}  in all"] if case.start is not None else []
        return made


def reasoning(student: Student, features: Features, row: int = 0) -> Reasoning:
    """Return why a student says what it says of one picture.

    Args:
        student: of the network whose features they are.
        features: of pictures, among them this one.
        row: its number.

    Raises:
        ModelError: the features are those of another network, layer or preprocessing.
    """
    student.check(features)
    one = features.part([row])
    x = student.basis.read(one)
    scores, probabilities = student.surrogate.scores(x)[0], one.outputs[0].softmax(dim=0)
    said_place, network = int(scores.argmax()), int(one.predicted[0])
    places = [said_place]
    if network in student.classes and student.classes.index(network) != said_place:
        places.append(student.classes.index(network))
    label = int(one.labels[0])
    order = scores.argsort(descending=True)[:5].tolist()
    return Reasoning(
        photo=one.data.names[0],
        kind=student.kind,
        title=student.surrogate.title,
        answer=student.learned[said_place],
        network=student.labels[network],
        confidence=float(probabilities[network]),
        learned=network in student.classes,
        label=student.labels[label] if label >= 0 else None,
        cases=_cases(student, one, x, places, scores),
        sentence=SENTENCES.get(student.kind, ""),
        scores=tuple((student.learned[place], float(scores[place])) for place in order),
    )


def _cases(
    student: Student, one: Features, x: Float[Tensor, "1 m"], places: Sequence[int], scores: Float[Tensor, " j"]
) -> tuple[Case, ...]:
    """Return what speaks for each of some classes, as places among those that were learned."""
    model = student.surrogate
    if isinstance(model, Branching):
        steps = trace(student, one, 0).steps
        asked = [_question(step, model) for step in steps]
        return (Case(student.learned[places[0]], float(scores[places[0]]), None, tuple(asked)),)
    if isinstance(model, Prototypes):
        return tuple(
            Case(student.learned[place], float(scores[place]), None, _alike(student, model, x, place))
            for place in places
        )
    made = []
    for place in places:
        start, reasons = _terms(student, x, place)
        ordered = sorted(reasons, key=lambda reason: -abs(reason.adds or 0.0))
        made.append(Case(student.learned[place], float(scores[place]), start, tuple(ordered)))
    return tuple(made)


def _question(step: Step, model: Branching) -> Reason:
    """Return a question that was answered; a concept that is absent is as dim as it is far below what would count as present."""
    dim = isinstance(model, Tree) and not step.affirmed and step.threshold > 0
    strength = min(max(step.value / step.threshold, 0.0), 1.0) if dim else 1.0
    return Reason(step.text, number=step.evidence[0].number if step.evidence else None, strength=strength)


def _terms(student: Student, x: Float[Tensor, "1 m"], place: int) -> tuple[float | None, list[Reason]]:
    """Return the start of a class and what is added to it, for models that are sums."""
    model, names = student.surrogate, student.basis.names
    if isinstance(model, Linear):
        terms, away = model.terms(x)[0, place], ((x - model.mean) / model.scale)[0]
        used = (model.weights[place] != 0).nonzero()[:, 0].tolist()
        return float(model.bias[place]), [
            Reason(names[n], _away(float(away[n]), float(model.weights[place, n])), float(terms[n]), n) for n in used
        ]
    if isinstance(model, Additive):
        terms = model.terms(x)[0, place]
        return float(model.bias[place]), [
            Reason(names[number], f"it is {float(x[0, number]):.3g} here", float(term), number)
            for number, term in zip(model.numbers, terms, strict=True)
        ]
    if isinstance(model, Rules):
        return float(model.bias[place]), [
            Reason(said(rule.conditions, names) or "always", "", rule.adds[place], _first_number(rule.conditions))
            for rule in model.account(x[0])
        ]
    return None, []


def _first_number(conditions: Sequence[object]) -> int | None:
    numbers = [getattr(one, "number", None) for one in conditions]
    return numbers[-1] if numbers else None


def _away(deviations: float, weight: float) -> str:
    if abs(deviations) < 0.05:
        return f"as usual here, times {weight:+.2f}"
    return (
        f"{abs(deviations):.1f} deviations {'stronger' if deviations > 0 else 'weaker'} than usual, times {weight:+.2f}"
    )


def _alike(student: Student, model: Prototypes, x: Float[Tensor, "1 m"], place: int) -> tuple[Reason, ...]:
    """Return the prototypes of a class that a picture resembles most, and what makes them alike."""
    names, made = student.basis.names, []
    near = [one for one in model.nearest(x, len(model.points))[0] if one.class_ == place]
    for one in near[:MOST_PROTOTYPES]:
        order = sorted(range(len(one.shares)), key=lambda number: -one.shares[number])
        alike = [number for number in order if one.shares[number] > 0][:MOST_ALIKE]
        why = ", ".join(f"{names[number]} ({one.shares[number]:.2f})" for number in alike) or "nothing that stands out"
        example = student.examples[one.prototype].name if student.examples else f"picture {one.picture}"
        title = f"{student.learned[one.class_]}, {example.rpartition('/')[2]}"
        made.append(Reason(title, f"alike in {why}", one.similarity, alike[0] if alike else None, one.prototype))
    return tuple(made)


def _begun(one: Reason, number: int) -> str:
    return f"{number:>3}." if one.adds is None else _signed(one.adds)


def _told(one: Reason) -> str:
    return f"{one.name}: {one.note}" if one.note else one.name


def _signed(value: float) -> str:
    return f"{value:+7.2f}"


SENTENCES = {
    "linear": "Its score is a sum:",
    "additive": "Its score is a sum:",
    "rules": "Its score is the sum of the rules that hold:",
    "prototypes": "It resembles these pictures most (1 is the same, 0 nothing in common), above all where they are lit:",
    "tree": "It answered these questions:",
    "hierarchy": "It answered these questions:",
}
