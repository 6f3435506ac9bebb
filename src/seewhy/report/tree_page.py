"""A tree or a hierarchy as pictures: at a glance, question by question, and photo by photo."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from markupsafe import Markup
from torch import Tensor

from seewhy.engine.model import Model
from seewhy.render.bar import figures
from seewhy.report.album import Album, Shot
from seewhy.report.tree_map import tree_map
from seewhy.surrogates.branching import NONE, Branching
from seewhy.surrogates.distilling import Material
from seewhy.surrogates.flow import Flow
from seewhy.surrogates.hierarchy import Hierarchy
from seewhy.surrogates.sparse_logistic import order_of
from seewhy.surrogates.student import Student
from seewhy.surrogates.trace import SIDES, Step, Trace, traced
from seewhy.surrogates.tree import Tree

SHOWN = 4
"""Photos on each side of a question."""
ENDING = 6
"""Photos of a leaf."""
LOST = 4
"""Photos that went wrong at a question, or end elsewhere than the network says."""
NAMED = 4
"""Classes that a line lists."""
OPEN = 2
"""Levels of questions that are open at first."""
FOLLOWED = (4, 1, 3)
"""Photos that can be followed: on which student and network are right, on which both err, and on which they differ."""


def tree_block(student: Student, model: Branching, material: Material, network: Model) -> dict[str, Any]:
    """Return what `tree.html.jinja` uses, by name.

    Args:
        student: shown.
        model: its tree or hierarchy.
        material: what it was made from; the pictures of the report are those that are seen to flow.
        network: says how pictures are prepared.
    """
    features = material.features.part(material.splits.report)
    x = student.basis.read(features)
    flow = Flow.of(model, x, features, student.classes)
    sheet = _Sheet(student, model, flow, Album.of(features, student.basis, network), features.data.names)
    followed = traced(student, features.part(sheet.followed()), x[sheet.followed()], sheet.followed())
    content = {
        "map": tree_map(model, flow, [sheet.short(node) for node in range(len(model.children))]),
        "thumbs": {node: sheet.thumb(node) for node in range(len(model.children))},
        "ways": {node: sheet.ways(node) for node in model.inner.tolist()},
        "strong": any(sheet.ways(node)[1] == "strong" for node in model.inner.tolist()),
        "root": sheet.node(0),
        "followed": [sheet.follow(one) for one in followed],
        "noun": student.basis.noun,
        "pictures": len(features),
        "sums": isinstance(model, Hierarchy),
        "never": sheet.never(),
    }
    return content | {"symbols": Markup() if sheet.album is None else sheet.album.symbols()}


@dataclass(frozen=True, eq=False)
class _Sheet:
    """What the page says of each node.

    Attributes:
        student, model: shown.
        flow: of the pictures of the report.
        album: their photos; None where what is read has no place in them.
        names: of the pictures.
    """

    student: Student
    model: Branching
    flow: Flow
    album: Album | None
    names: Sequence[str]

    def short(self, node: int) -> str:
        """Return what a node is called on the map."""
        if int(self.model.children[node, 0]) == NONE:
            return self.student.learned[int(self.model.answer[node])]
        if isinstance(self.model, Hierarchy):
            return self.model.group(node, self.student.learned)
        return self._concept(node) if self.ways(node)[1] == "present" else f"{self._concept(node)} strong"

    def thumb(self, node: int) -> Shot | None:
        """Return the photo of a node on the map: of a question about a concept where that is strongest, of a leaf one on which the answer is right."""
        here = self.flow.at(node)
        if (
            self.album is None
            or not len(here)
            or (isinstance(self.model, Hierarchy) and node in self.model.inner.tolist())
        ):
            return None
        if int(self.model.children[node, 0]) == NONE:
            worth = self.flow.agrees[here].long() + (self.flow.labels[here] == self.flow.said[here]).long()
            return self.album.photo(int(here[worth.argmax()]))
        number = self._number(node)
        return self.album.lit(int(self.flow.x[:, number].argmax()), number)

    def node(self, node: int, level: int = 0) -> dict[str, Any]:
        """Return a node and all below it."""
        if int(self.model.children[node, 0]) == NONE:
            return self._leaf(node)
        here = self.flow.at(node)
        sides = [self._side(node, side, level) for side in (0, 1)]
        return {
            "leaf": False,
            "node": node,
            "title": self._question(node),
            "concept": "" if isinstance(self.model, Hierarchy) else self._concept(node),
            "came": len(here),
            "classes": self._classes(here),
            "sides": sides,
            "wrong": self._wrong(node),
        }

    def _side(self, node: int, side: int, level: int) -> dict[str, Any]:
        child = int(self.model.children[node, side])
        here = self.flow.at(child)
        way, rule = self._way(node, side)
        return {
            "side": SIDES[side],
            "way": way,
            "rule": rule,
            "child": child,
            "count": len(here),
            "classes": self._classes(here),
            "evidence": self._evidence(node, side),
            "photos": self._photos(node, side, here),
            "what": self._what(node, side),
            "open": level < OPEN,
            "below": self.node(child, level + 1),
        }

    def _leaf(self, node: int) -> dict[str, Any]:
        here, flow = self.flow.at(node), self.flow
        same, other = here[flow.agrees[here]], here[~flow.agrees[here]]
        known = here[flow.labels[here] >= 0]
        true = int((flow.labels[known] == flow.said[known]).sum())
        wrong = same[(flow.labels[same] >= 0) & (flow.labels[same] != flow.network[same])]
        good = same[~torch.isin(same, wrong)]
        return {
            "leaf": True,
            "node": node,
            "answer": self.student.learned[int(self.model.answer[node])],
            "came": len(here),
            "same": len(same),
            "purity": _percent(len(same), len(here)) if len(here) else "",
            "true": f"{true} of them truly are" if len(known) == len(here) and len(here) else "",
            "photos": [self._photo(row) for row in good[:ENDING].tolist()],
            "other": [
                self._photo(row, f"network: {self._class(int(flow.network[row]))}") for row in other[:LOST].tolist()
            ],
            "others": len(other),
            "wrong": [self._photo(row, f"truly {self._class(int(flow.labels[row]))}") for row in wrong[:LOST].tolist()],
            "wrongs": len(wrong),
        }

    def _wrong(self, node: int) -> dict[str, Any] | None:
        """Return what goes wrong at a question: pictures that went where the network's class is answered no more."""
        lost = (self.flow.lost == node).nonzero()[:, 0]
        if not len(lost):
            return None
        photos = []
        for row in lost[:LOST].tolist():
            side = SIDES[int(self.flow.came[row, int(self.model.children[node, 1])])]
            network, said = self._class(int(self.flow.network[row])), self._class(int(self.flow.said[row]))
            photos.append(self._photo(row, f"network: {network}; went {side}, ends as {said}"))
        return {"count": len(lost), "classes": self._classes(lost), "photos": photos}

    def _photos(self, node: int, side: int, here: Int[Tensor, " p"]) -> list[dict[str, Any]]:
        """Return photos that go one way: those for which the question is affirmed most, and, where a concept is absent, typical ones."""
        if self.album is None or not len(here):
            return []
        if isinstance(self.model, Hierarchy):
            odds = self.model.odds(self.flow.x[here])[:, node] * (1 if side else -1)
            return [self._photo(row) for row in here[odds.argsort(descending=True)[:SHOWN]].tolist()]
        number = self._number(node)
        order = here[self.flow.x[here, number].argsort(descending=True, stable=True)]
        if side:
            return [self._photo(row, self._value(row, number), number) for row in order[:SHOWN].tolist()]
        places = torch.linspace(0, len(order) - 1, min(SHOWN, len(order))).round().long()
        return [self._photo(row, self._value(row, number)) for row in order[places].tolist()]

    def _evidence(self, node: int, side: int) -> list[dict[str, Any]]:
        """Return what speaks for one side of a hierarchy's fork, the largest weight first: its name, weight and photos; nothing for a tree."""
        if not isinstance(self.model, Hierarchy):
            return []
        weights = self.model.weights[node]
        numbers = [number for number in order_of(weights).tolist() if (weights[number] > 0) == bool(side)]
        widest = float(weights.abs().max())
        return [
            {
                "name": self.student.basis.names[number],
                "weight": f"{abs(float(weights[number])):.2f}",
                "percent": round(100 * abs(float(weights[number])) / widest, 1),
                "photos": self._strongest(number),
            }
            for number in numbers
        ]

    def _strongest(self, number: int) -> list[dict[str, Any]]:
        if self.album is None:
            return []
        return [self._photo(row, "", number) for row in self.flow.x[:, number].argsort(descending=True)[:3].tolist()]

    def _question(self, node: int) -> str:
        if isinstance(self.model, Hierarchy):
            left, right = (
                self.model.group(child, self.student.learned) for child in self.model.children[node].tolist()
            )
            return f"{left} – or {right}?"
        return f"Is {self._concept(node)} {self.ways(node)[1]}?"

    def _way(self, node: int, side: int) -> tuple[str, str]:
        if isinstance(self.model, Hierarchy):
            return self.model.group(int(self.model.children[node, side]), self.student.learned), (
                "sum at most 0",
                "sum above 0",
            )[side]
        bar = figures(float(self.model.threshold[node])) if isinstance(self.model, Tree) else ""
        return self.ways(node)[side], (f"at most {bar}", f"above {bar}")[side]

    def _what(self, node: int, side: int) -> str:
        if isinstance(self.model, Hierarchy):
            return "The clearest of those that go this way"
        concept = self._concept(node)
        return (
            f"Typical ones, {concept} from just {self.ways(node)[0]} to weakest",
            f"Where {concept} is strongest, dark where it does not light up",
        )[side]

    def _classes(self, rows: Int[Tensor, " p"]) -> str:
        """Return what the network says of pictures: "frog (40), deer (12) and 3 other classes"."""
        counts = Counter(self.flow.network[rows].tolist()).most_common()
        named = ", ".join(f"{self._class(index)} ({count})" for index, count in counts[:NAMED])
        more = len(counts) - NAMED
        return f"{named} and {more} other class{'es' if more > 1 else ''}" if more > 0 else named

    def _photo(self, row: int, note: str = "", number: int | None = None) -> dict[str, Any]:
        if self.album is None:
            return {"shot": None, "name": self.names[row], "note": note}
        shot = self.album.photo(row) if number is None else self.album.lit(row, number)
        return {"shot": shot, "name": shot.name, "note": note}

    def never(self) -> str:
        """Return the classes that the network gives to pictures and the student answers nowhere."""
        answered = {self.student.classes[place] for place in self.model.classes_below(0)}
        rows = torch.tensor([int(index) not in answered for index in self.flow.network], dtype=torch.bool)
        return self._classes(rows.nonzero()[:, 0])

    def followed(self) -> list[int]:
        """Return photos to follow, drawn at random, of different classes: on which all is right, both err, student and network differ."""
        flow = self.flow
        order = torch.randperm(len(flow.ends), generator=torch.Generator().manual_seed(0))
        err = (flow.labels >= 0) & (flow.labels != flow.network)
        chosen: list[int] = []
        for wanted, most in zip((flow.agrees & ~err, flow.agrees & err, ~flow.agrees), FOLLOWED, strict=True):
            first = {int(flow.network[row]): row for row in reversed(order[wanted[order]].tolist())}
            chosen += list(first.values())[:most]
        return chosen

    def follow(self, one: Trace) -> dict[str, Any]:
        """Return the way of a photo: its steps with the concept in the photo, and where it ends."""
        return {
            "photo": self._photo(one.row),
            "trace": one,
            "steps": [self._step(one, step) for step in one.steps],
            "nodes": " ".join(map(str, one.nodes)),
        }

    def _step(self, one: Trace, step: Step) -> dict[str, Any]:
        shots: list[dict[str, Any]] = []
        if self.album is not None and step.evidence:
            first = max(step.evidence, key=lambda one: one.adds if step.affirmed else -one.adds)  # a tree has but one
            strength = (
                1.0
                if isinstance(self.model, Hierarchy)
                else first.value / step.threshold
                if step.threshold > 0
                else 1.0
            )
            best = int(self.flow.x[:, first.number].argmax())
            lit = self.album.lit(one.row, first.number, min(1.0, strength))
            shots = [
                {
                    "shot": self.album.lit(best, first.number),
                    "name": f"{first.name} at its strongest",
                    "note": first.name,
                },
                {"shot": lit, "name": f"{first.name} in this photo", "note": "in this photo"},
            ]
        return {"text": step.text, "node": step.node, "shots": shots}

    def _number(self, node: int) -> int:
        return int(self.model.feature[node]) if isinstance(self.model, Tree) else NONE

    def ways(self, node: int) -> tuple[str, str]:
        """Return how the two answers to a question are called."""
        return self.model.ways(node) if isinstance(self.model, Tree) else SIDES

    def _concept(self, node: int) -> str:
        return self.student.basis.names[self._number(node)]

    def _class(self, index: int) -> str:
        return self.student.labels[index]

    def _value(self, row: int, number: int) -> str:
        return figures(float(self.flow.x[row, number]))


def _percent(part: int, whole: int) -> str:
    """Return a share of some pictures in percent; only all of them are 100."""
    return f"{100 if part == whole else min(round(100 * part / whole), 99)}\u00a0%"
