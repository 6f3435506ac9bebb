"""Targets of detectors: an object that was found, one of its edges, and an object that was not found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seewhy.core.detection import Detection, Rows, rows_of, to_input
from seewhy.core.sample import Geometry, Sample
from seewhy.core.target import Access, BoundTarget, Probability, Target
from seewhy.core.trace import Reading
from seewhy.errors import TargetError
from seewhy.ops.boxes import SIDES, areas, overlaps, within
from seewhy.targets.classes import find_class, name_of

Four = tuple[float, float, float, float]
Form = Literal["auto", "row", "affinity"]
Side = Literal["left", "top", "right", "bottom"]

STILL = 0.5
"""An object counts as still found where a detection of its class overlaps its box by at least this much."""

TINY = 1e-6


@dataclass(frozen=True)
class Box(Target):
    """An object that a detector found: its box and its class, frozen on the unperturbed image.

    In the form "row", for gradients: the score of its class in the row that gave it. Rows that come sorted anew each time are matched: the
    row is the one with the largest affinity, chosen without a gradient. In the form "affinity", for methods that change the image:
    max_j IoU(b, b_j) cos(p, p_j) o_j over the rows j of the changed image, with box b and class probabilities p of the object, and o the
    objectness: 1 where the changed image shows the same object as surely, 0 where nothing is left of it.

    Args:
        which: number of the detection, 0 the surest; a class, by name, for the surest of that class; or a box (x1, y1, x2, y2) in pixels
            of the source picture (of the input, for ready inputs), for the detection that overlaps it most.
        side: "left", "top", "right" or "bottom": where that edge lies, in pixels of the input, in place of the score.
        form: "auto" is the form that fits the method.
        rows: how the answer is read; that of the model if None.
        place: the box on the input, where it was given in source pixels; set by the session.

    Source: Petsiuk et al. 2021, D-RISE, arXiv 2006.03204, equations 2-5; for gradients at a row, its score or an edge: Zhao et al. 2024,
        ODAM, arXiv 2304.06354, equation 2. Differs in: where a network gives no objectness, the probability of the likeliest class stands
        for it, as a row of a head is there even where nothing is.
    """

    which: int | str | Four
    side: Side | None = None
    form: Form = "auto"
    rows: Rows | None = None
    place: tuple[Four, ...] | None = None

    def __post_init__(self) -> None:
        if self.side is not None and self.side not in SIDES:
            raise TargetError(f"an edge of a box is one of {', '.join(SIDES)}, got {self.side!r}")
        _check_form(self.form)
        if not isinstance(self.which, (int, str)):
            object.__setattr__(self, "which", _box(self.which))
        elif isinstance(self.which, bool) or (isinstance(self.which, int) and self.which < 0):
            raise TargetError(f"detections are numbered from 0, the surest first; got {self.which!r}")

    def suited(self, access: Access, answer: object) -> Target:
        """Return the form for gradients or for changed images."""
        rows = self.rows or rows_of(answer, f"box {self.which}")
        form = _form(self.form, access, rows)
        if self.side is not None and form == "affinity":
            if not rows.stable:
                raise TargetError(
                    f"the {self.side} edge of a box is asked by its gradient; rows that are sorted anew each time have no edge to follow "
                    "through changed images. Ask for the box, or use a method that asks for gradients"
                )
            form = "row"
        return replace(self, form=form, rows=rows)

    def placed(self, samples: Sequence[Sample], probability: Probability) -> Target:
        """Return the target with its box on the input."""
        if isinstance(self.which, (int, str)):
            return self
        return replace(self, place=tuple(_on_input(self.which, one.geometry) for one in samples))

    def part(self, rows: slice, images: int) -> Target:
        """Return the target of some of the images."""
        return self if self.place is None else replace(self, place=self.place[rows])

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the object that is meant in each image.

        Raises:
            TargetError: an image has no such detection.
        """
        rows = _rows(self.rows, reading, f"box {self.which}")
        found = [self._chosen(rows, reading.output[at : at + 1], labels, at) for at in range(len(reading.output))]
        objects = _Objects.of(rows, reading.output, found)
        names = tuple(_spelled(one, labels, self.side) for one in found)
        if self.side is not None:
            return BoundTarget(objects.edge(SIDES.index(self.side)), names, "pixel", gone=objects.gone)
        if self.form == "row":
            unit = "probability" if rows.score == "probability" else "logit"
            return BoundTarget(objects.row_score, names, unit, gone=objects.gone)
        return BoundTarget(objects.affinity, names, "affinity", gone=objects.gone)

    def _chosen(self, rows: Rows, answer: Tensor, labels: Sequence[str] | None, image: int) -> Detection:
        """Return the detection of one image that is meant."""
        found = rows.found(answer)
        where = f"image {image}: " if image else ""
        if not found:
            best = float(rows.sureness(answer.detach().float()).amax()) if answer.shape[1] else 0.0
            raise TargetError(
                f"{where}nothing was found in the picture (the surest row has a score of {best:.2g}, and {rows.least:g} is the least that counts); "
                "ask why an object was missed: seewhy.targets.MissedObject(box, class), or state a lower least"
            )
        if isinstance(self.which, int):
            if self.which >= len(found):
                raise TargetError(
                    f"{where}there is no detection {self.which}; {len(found)} were found, numbered from 0"
                )
            return found[self.which]
        if isinstance(self.which, str):
            return _surest(
                found, find_class(self.which, rows.scores(answer).shape[-1], labels), self.which, labels, where
            )
        return _nearest(found, (self.place or (self.which,) * (image + 1))[image], where)


@dataclass(frozen=True)
class MissedObject(Target):
    """An object that is there and was not found: what hides it, and what would show it.

    In the form "affinity", for methods that change the image: max_j IoU(g, b_j) p_jc, with the object's box g and class c. It is small on the picture
    itself; evidence for it is what would raise it, evidence against it is what hides it. No score is too low to count. In the form "row", for
    gradients: the score of class c in the row whose box overlaps the object most.

    Args:
        box: (x1, y1, x2, y2) in pixels of the source picture (of the input, for ready inputs).
        kind: its class, by index or name.
        form: "auto" is the form that fits the method.
        rows: how the answer is read; that of the model if None.
        place: the box on the input; set by the session.

    Raises:
        TargetError: the box is no box, lies outside of what the network saw, or is not in pixels.
    """

    box: Four
    kind: int | str
    form: Form = "auto"
    rows: Rows | None = None
    place: tuple[Four, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "box", _box(self.box))
        _check_form(self.form)

    def suited(self, access: Access, answer: object) -> Target:
        """Return the form for gradients or for changed images."""
        rows = self.rows or rows_of(answer, "a missed object")
        return replace(self, form=_form(self.form, access, rows), rows=rows)

    def placed(self, samples: Sequence[Sample], probability: Probability) -> Target:
        """Return the target with its box on the input."""
        return replace(self, place=tuple(_on_input(self.box, one.geometry) for one in samples))

    def part(self, rows: slice, images: int) -> Target:
        """Return the target of some of the images."""
        return self if self.place is None else replace(self, place=self.place[rows])

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the place and the class."""
        rows = _rows(self.rows, reading, "a missed object")
        images = len(reading.output)
        kind = find_class(self.kind, rows.scores(reading.output).shape[-1], labels)
        boxes = reading.output.new_tensor(self.place or (self.box,) * images)
        objects = _Objects(rows, boxes, torch.full((images,), kind, device=boxes.device), None, None)
        names = (f"missed {name_of(kind, labels)}",) * images
        if self.form == "row":
            best = overlaps(boxes[:, None], rows.boxes(reading.output.detach())).max(dim=1)
            if not bool((best.values > 0).all()):
                raise TargetError(
                    "no row of the network overlaps the missed object, so there is no score to differentiate; "
                    "use a method that only asks for answers, such as rise"
                )
            objects = replace(objects, row=best.indices if rows.stable else None)
            unit = "probability" if rows.score == "probability" else "logit"
            return BoundTarget(objects.row_score, names, unit, gone=objects.gone)
        return BoundTarget(objects.likeness, names, "affinity", gone=objects.gone)


@dataclass(frozen=True, eq=False)
class _Objects:
    """One frozen object for each image, and what a reading of these images says of them.

    Attributes:
        rows: how the answer is read.
        boxes: (b, 4) in pixels of the input.
        kinds: class of each (b,).
        chances: class probabilities of each (b, k); None for objects that were not found.
        row: the row that gave each (b,); None where rows have no identity.
    """

    rows: Rows
    boxes: Float[Tensor, "b 4"]
    kinds: Tensor
    chances: Float[Tensor, "b k"] | None
    row: Tensor | None

    @classmethod
    def of(cls, rows: Rows, answer: Float[Tensor, "b q n"], found: Sequence[Detection]) -> "_Objects":
        """Freeze what was found, one in each image."""
        answer = answer.detach()
        row = torch.tensor([one.row for one in found], device=answer.device)
        kinds = torch.tensor([one.kind for one in found], device=answer.device)
        images = torch.arange(len(answer), device=answer.device)
        boxes, chances = rows.boxes(answer)[images, row], rows.probabilities(answer)[images, row]
        return cls(rows, boxes, kinds, chances, row if rows.stable else None)

    def affinities(self, reading: Reading) -> Float[Tensor, "b q"]:
        """Return IoU(b, b_j) cos(p, p_j) o_j for each row j; for an object that was not found IoU(g, b_j) p_jc."""
        answer = reading.output
        near = overlaps(self.boxes[:, None], self.rows.boxes(answer))
        if self.chances is None:
            return near * self._of_kind(self.rows.sureness(answer))
        alike = torch.cosine_similarity(self.chances[:, None], self.rows.probabilities(answer), dim=-1, eps=1e-12)
        return near * alike * self.rows.objectness(answer)

    def affinity(self, reading: Reading) -> Float[Tensor, " b"]:
        """Return the largest affinity of each image; 0 where nothing is found."""
        made = self.affinities(reading)
        return made.amax(dim=1) if made.shape[1] else made.sum(dim=1)

    likeness = affinity

    def chosen(self, reading: Reading) -> Tensor:
        """Return the row of each image that is the object: its own, or the one that is nearest to it; no gradient goes through the choice."""
        if self.row is not None:
            return self.row
        with torch.no_grad():
            return self.affinities(reading).argmax(dim=1)

    def row_score(self, reading: Reading) -> Float[Tensor, " b"]:
        """Return the score of the object's class in its row; 0 where rows are matched and none is near."""
        scores = self._of_kind(self.rows.scores(reading.output))
        row = self.chosen(reading)
        value = scores.gather(1, row[:, None])[:, 0]
        if self.row is not None:
            return value
        with torch.no_grad():
            near = self.affinities(reading).amax(dim=1) > 0
        return value * near

    def edge(self, side: int) -> Callable[[Reading], Float[Tensor, " b"]]:
        """Return what reads where one edge of the object's row lies."""

        def score(reading: Reading) -> Float[Tensor, " b"]:
            edges = self.rows.boxes(reading.output)[..., side]
            return edges.gather(1, self.chosen(reading)[:, None])[:, 0]

        return score

    def gone(self, reading: Reading) -> Bool[Tensor, " b"]:
        """Say for each image whether no detection of the object's class is where it was."""
        answer = reading.output
        near = overlaps(self.boxes[:, None], self.rows.boxes(answer)) >= STILL
        sure = self._of_kind(self.rows.sureness(answer)) >= max(self.rows.least, TINY)
        return ~(near & sure).any(dim=1)

    def _of_kind(self, values: Float[Tensor, "b q k"]) -> Float[Tensor, "b q"]:
        """Return the column of each image's class."""
        return values.gather(2, self.kinds[:, None, None].expand(-1, values.shape[1], 1))[..., 0]


def _rows(stated: Rows | None, reading: Reading, what: str) -> Rows:
    """Return how the answer is read, if it is one of rows."""
    rows = stated or rows_of(None, what)
    if reading.output.dim() != 3 or reading.output.shape[-1] < 5 + (rows.last is not None):
        raise TargetError(f"{what} is about rows (b, q, 4 + k), and the answer has shape {tuple(reading.output.shape)}")
    boxes = rows.boxes(reading.output.detach().float())
    real = boxes[areas(boxes) > 0]
    if len(real) and float(real.abs().max()) <= 1.5 and (rows.size is None or min(rows.size) > 3):
        raise TargetError(
            f"the boxes of the answer lie between 0 and {float(real.abs().max()):.3g}: they are shares of the picture, and pixels of the input are "
            "wanted; say unit='share' in what reads the rows"
        )
    return rows


def _form(stated: Form, access: Access, rows: Rows) -> Form:
    if stated != "auto":
        return stated
    return "row" if access == "gradients" or (access == "layers" and rows.stable) else "affinity"


def _check_form(form: Form) -> None:
    if form not in ("auto", "row", "affinity"):
        raise TargetError(f"form is 'auto', 'row' or 'affinity', got {form!r}")


def _box(given: Sequence[float]) -> Four:
    """Return four numbers as a box in pixels; raise `TargetError` where they are none."""
    try:
        x1, y1, x2, y2 = (float(value) for value in given)
    except (TypeError, ValueError) as error:
        raise TargetError(f"a box is four numbers (x1, y1, x2, y2) in pixels, got {given!r}") from error
    if not all(abs(value) < 1e7 for value in (x1, y1, x2, y2)):
        raise TargetError(f"a box is four finite numbers in pixels, got {given!r}")
    if x2 <= x1 or y2 <= y1:
        raise TargetError(
            f"box ({x1:g}, {y1:g}, {x2:g}, {y2:g}) has no area; its corners are (x1, y1, x2, y2), not a corner and a size"
        )
    if max(abs(value) for value in (x1, y1, x2, y2)) <= 1.5:
        raise TargetError(
            f"box ({x1:g}, {y1:g}, {x2:g}, {y2:g}) is in shares of the picture, and pixels are wanted: multiply by its width and height"
        )
    return x1, y1, x2, y2


def _on_input(box: Four, geometry: Geometry | None) -> Four:
    """Return the part of a box of the source that the network saw, in pixels of the input."""
    if geometry is None:
        return box
    height, width = geometry.source
    said = ", ".join(f"{value:g}" for value in box)
    if not bool(areas(within(torch.tensor(box), (float(height), float(width)))) > 0):
        raise TargetError(f"box ({said}) lies outside of the picture, which is {width} x {height} pixels")
    seen = within(to_input(torch.tensor(box, dtype=torch.float64), geometry), geometry.size)
    if not bool(areas(seen) > 0):
        raise TargetError(
            f"box ({said}) lies in a part of the picture that the network does not see; fit the picture by 'pad' or 'squash'"
        )
    x1, y1, x2, y2 = seen.tolist()
    return x1, y1, x2, y2


def _surest(found: Sequence[Detection], kind: int, name: str, labels: Sequence[str] | None, where: str) -> Detection:
    of_kind = [one for one in found if one.kind == kind]
    if not of_kind:
        known = ", ".join(dict.fromkeys(name_of(one.kind, labels) for one in found))
        raise TargetError(f"{where}no {name} was found in the picture; found: {known}")
    return of_kind[0]


def _nearest(found: Sequence[Detection], box: Four, where: str) -> Detection:
    """Return the detection that overlaps a box most, whatever its class."""
    near = overlaps(torch.tensor(box), torch.tensor([one.box for one in found]))
    best = int(near.argmax())
    if float(near[best]) <= 0:
        raise TargetError(
            f"{where}no detection overlaps the box ({', '.join(f'{value:.4g}' for value in box)}, pixels of the input); "
            "if an object there was missed, ask for seewhy.targets.MissedObject(box, class)"
        )
    return found[best]


def _spelled(one: Detection, labels: Sequence[str] | None, side: str | None) -> str:
    name = name_of(one.kind, labels)
    return f"{side} edge of {name}" if side else name
