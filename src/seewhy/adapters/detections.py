"""What detectors return, as rows: boxes and class scores. Each adapter knows a form by what stands in it, and imports none of the packages.

NamedRows      boxes and scores under two names, one row for each place of a head
DetrRows       DETR, Deformable DETR, RT-DETR, YOLOS and their kin in transformers: logits and pred_boxes
TorchvisionRows  torchvision's detectors, and what imitates them: for each image a mapping of boxes, labels and scores
YoloRows       a YOLO head, decoded: (b, 4 + k, n), or (b, n, 4 + 1 + k) with objectness
PlainRows      for each image rows (n, 6): x1, y1, x2, y2, score, class
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.detection import Rows, Score
from seewhy.errors import ConfigError, ModelError
from seewhy.ops.boxes import Format, corners

Unit = Literal["pixel", "share"]
"""Whether boxes are written in pixels of the input, or as shares of its width and height."""

FARTHEST = 4.0
"""A box that is said to be a share of the input and reaches farther than this is in pixels."""


@dataclass(frozen=True)
class NamedRows(Rows):
    """Boxes (b, q, 4) and class scores (b, q, k) that stand under two names of what the network returns; row q is the same place or query each time.

    Args:
        boxes, scores: the names, as keys or attributes.
        written: "xyxy", "xywh" or "cxcywh".
        unit: "pixel" or "share".
        score: what the scores are: "probability", or logits for a "sigmoid" or a "softmax".
        background: which column of the scores stands for nothing at all, -1 for the last; None where there is none.

    Raises:
        ModelError: the names are not there, the shapes do not go together, or boxes are not in the unit that is stated.
    """

    boxes_at: str = "boxes"
    scores_at: str = "scores"
    written: Format = "xyxy"
    unit: Unit = "share"
    background: int | None = None

    stable: ClassVar[bool] = True

    @property
    def last(self) -> Literal["background"] | None:  # type: ignore[override]
        """What stands behind the class scores."""
        return None if self.background is None else "background"

    def __call__(self, output: Any) -> Float[Tensor, "b q n"]:
        """Return the rows."""
        boxes, scores = (_named(output, name) for name in (self.boxes_at, self.scores_at))
        fits = boxes.dim() == 3 and boxes.shape[-1] == 4 and scores.dim() == 3 and scores.shape[:2] == boxes.shape[:2]
        if not fits:
            raise ModelError(
                f"boxes (b, q, 4) and scores (b, q, k) were wanted under {self.boxes_at!r} and {self.scores_at!r}, "
                f"got {tuple(boxes.shape)} and {tuple(scores.shape)}"
            )
        return torch.cat([_pixels(boxes, self.written, self.unit, self.size), self._ordered(scores)], dim=-1)

    def _ordered(self, scores: Float[Tensor, "b q k"]) -> Float[Tensor, "b q k"]:
        """Return the scores with the background last."""
        if self.background is None:
            return scores
        count = scores.shape[-1]
        if not -count <= self.background < count:
            raise ModelError(f"background is column {self.background}, and there are {count} scores in a row")
        at = self.background % count
        return torch.cat([scores[..., :at], scores[..., at + 1 :], scores[..., at : at + 1]], dim=-1)


@dataclass(frozen=True)
class DetrRows(NamedRows):
    """Object queries of DETR and its kin in transformers: `logits` (b, q, k + 1), the last for "no object", and `pred_boxes` (centre, size; shares).

    RT-DETR and Deformable DETR have no such last column, and a sigmoid: `DetrRows(score="sigmoid", background=None)`.
    """

    boxes_at: str = "pred_boxes"
    scores_at: str = "logits"
    written: Format = "cxcywh"
    unit: Unit = "share"
    score: Score = "softmax"
    background: int | None = -1


@dataclass(frozen=True)
class TorchvisionRows(Rows):
    """A mapping for each image with `boxes` (n, 4) in pixels, `labels` (n,) and `scores` (n,), sorted anew each time, n from 0 up.

    A row holds the score in the column of its label, and 0 in all others. Masks and keypoints that stand beside them are left out.

    Args:
        classes: how many labels there are, 0 (the background of torchvision) included: 91 for COCO.
        most: rows that the answer has; torchvision gives at most 100 detections of an image.

    Raises:
        ModelError: something else than such mappings, a label beyond `classes`, or more detections than `most`.
    """

    classes: int = 91
    most: int = 100

    stable: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_counts(self.classes, self.most)

    def __call__(self, output: Any) -> Float[Tensor, "b q n"]:
        """Return the rows."""
        if not isinstance(output, (list, tuple)) or not all(isinstance(one, Mapping) for one in output):
            raise ModelError(
                f"a list of a mapping for each image was wanted, with boxes, labels and scores; the network returned {type(output).__name__}"
            )
        parts = []
        for one in output:
            boxes, labels, scores = (_named(one, name) for name in ("boxes", "labels", "scores"))
            parts.append(_filled(boxes.reshape(-1, 4), labels.reshape(-1), scores.reshape(-1), self.classes, self.most))
        return torch.stack(parts)


@dataclass(frozen=True)
class PlainRows(Rows):
    """For each image rows (n, 6) of x1, y1, x2, y2, score, class, sorted anew each time: a list of them, or one tensor (b, n, 6).

    Args:
        classes: how many classes there are.
        most: rows that the answer has.
        unit: "pixel" or "share".
        order: where the score stands: "score class" or "class score".

    Raises:
        ModelError: another shape, a class beyond `classes`, or more rows than `most`.
    """

    classes: int = 80
    most: int = 300
    unit: Unit = "pixel"
    order: Literal["score class", "class score"] = "score class"

    stable: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_counts(self.classes, self.most)

    def __call__(self, output: Any) -> Float[Tensor, "b q n"]:
        """Return the rows."""
        images = list(output) if isinstance(output, (list, tuple, Tensor)) else None
        if images is None or not all(
            isinstance(one, Tensor) and one.dim() == 2 and one.shape[1] == 6 for one in images
        ):
            said = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ModelError(f"rows (n, 6) of x1, y1, x2, y2, score, class for each image were wanted, got {said}")
        at = (4, 5) if self.order == "score class" else (5, 4)
        return torch.stack(
            [
                _filled(
                    _pixels(one[:, :4], "xyxy", self.unit, self.size),
                    one[:, at[1]],
                    one[:, at[0]],
                    self.classes,
                    self.most,
                )
                for one in images
            ]
        )


@dataclass(frozen=True)
class YoloRows(Rows):
    """The decoded head of a YOLO network before its non-maximum suppression: row n is the same place of the head each time.

    Newer ones give (b, 4 + k, n), older ones (b, n, 4 + 1 + k) with an objectness; either alone or first in a tuple. Boxes are centre and size
    in pixels of the input, scores probabilities.

    Args:
        objectness_first: there is one, between the box and the classes, and the axes are (b, n, 5 + k).
        extra: numbers behind the classes that are left out, such as the 32 mask coefficients of a segmenter.

    Raises:
        ModelError: another shape.
    """

    least: float = 0.25
    overlap: float | None = 0.45
    objectness_first: bool = False
    extra: int = 0

    stable: ClassVar[bool] = True

    @property
    def last(self) -> Literal["objectness"] | None:  # type: ignore[override]
        """What stands behind the class scores."""
        return "objectness" if self.objectness_first else None

    def __call__(self, output: Any) -> Float[Tensor, "b q n"]:
        """Return the rows."""
        head = output[0] if isinstance(output, (tuple, list)) and output else output
        if not isinstance(head, Tensor) or head.dim() != 3:
            said = tuple(head.shape) if isinstance(head, Tensor) else type(head).__name__
            raise ModelError(f"a decoded head (b, 4 + k, n) was wanted, alone or first in a tuple; got {said}")
        rows = head if self.objectness_first else head.transpose(1, 2)
        rows = rows[..., : rows.shape[-1] - self.extra]
        least = 6 if self.objectness_first else 5
        if rows.shape[-1] < least or (rows.shape[-1] > rows.shape[1] and not self.objectness_first):
            raise ModelError(
                f"a decoded head (b, 4 + k, n) was wanted, got {tuple(head.shape)}; for (b, n, 5 + k) say YoloRows(objectness_first=True)"
            )
        boxes = corners(rows[..., :4], "cxcywh")
        if not self.objectness_first:
            return torch.cat([boxes, rows[..., 4:]], dim=-1)
        return torch.cat([boxes, rows[..., 5:], rows[..., 4:5]], dim=-1)


def _named(output: Any, name: str) -> Tensor:
    """Return the tensor under a name of what a network returned."""
    found = output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)
    if not isinstance(found, Tensor):
        known = list(output) if isinstance(output, Mapping) else []
        raise ModelError(
            f"the network returned no tensor {name!r}"
            + (f"; there are {', '.join(map(repr, known))}" if known else f", but {type(output).__name__}")
        )
    return found


def _pixels(
    boxes: Float[Tensor, "*b 4"], written: Format, unit: Unit, size: tuple[int, int] | None
) -> Float[Tensor, "*b 4"]:
    """Return boxes as corners in pixels of the input."""
    made = corners(boxes, written)
    if unit == "pixel":
        return made
    if size is None:
        raise ModelError(
            "boxes are shares of the input, whose size is not known: state size=(h, w) in the Model, or in what reads the rows"
        )
    if made.numel() and float(made.detach().abs().max()) > FARTHEST:
        raise ModelError(
            f"boxes are said to be shares of the input, and reach {float(made.detach().abs().max()):.4g}; say unit='pixel' where they are in pixels"
        )
    return made * made.new_tensor([size[1], size[0], size[1], size[0]])


def _filled(
    boxes: Float[Tensor, "n 4"], labels: Tensor, scores: Float[Tensor, " n"], classes: int, most: int
) -> Float[Tensor, "most columns"]:
    """Return detections of one image as rows with a column for each class, and rows of zeros up to `most`."""
    count = len(boxes)
    if not len(labels) == len(scores) == count:
        raise ModelError(f"{count} boxes, {len(labels)} labels and {len(scores)} scores do not go together")
    if count > most:
        raise ModelError(
            f"the network found {count} objects, and most={most} rows are made of them; state a larger number"
        )
    wanted = labels.long()
    if count and not 0 <= int(wanted.min()) <= int(wanted.max()) < classes:
        raise ModelError(
            f"labels go from {int(wanted.min())} to {int(wanted.max())}, and classes={classes} are stated, numbered from 0"
        )
    shares = torch.nn.functional.one_hot(wanted, classes).to(scores) * scores[:, None]
    rows = torch.cat([boxes.to(scores), shares], dim=1)
    return torch.cat([rows, rows.new_zeros(most - count, 4 + classes)])


def _check_counts(classes: int, most: int) -> None:
    if classes < 1 or most < 1:
        raise ConfigError(f"classes and most are at least 1, got {classes} and {most}")


ADAPTERS: dict[str, type[Rows]] = {
    "named": NamedRows,
    "detr": DetrRows,
    "torchvision": TorchvisionRows,
    "yolo": YoloRows,
    "plain": PlainRows,
}
"""By the names under which a file of settings asks for them."""


def stated_rows(stated: Mapping[str, Any]) -> Rows:
    """Return the adapter that settings ask for: {"form": "named", "boxes_at": "boxes", ...}.

    Raises:
        ConfigError: no such form, or a setting that it does not have.
    """
    settings = dict(stated)
    form = settings.pop("form", "named")
    if form not in ADAPTERS:
        raise ConfigError(f"detections are of a form {', '.join(map(repr, ADAPTERS))}; got {form!r}")
    fields = set(ADAPTERS[form].__dataclass_fields__)
    unknown = sorted(set(settings) - fields)
    if unknown:
        raise ConfigError(
            f"{ADAPTERS[form].__name__} has no setting {unknown[0]!r}; it has {', '.join(sorted(fields))}"
        )
    return ADAPTERS[form](**settings)
