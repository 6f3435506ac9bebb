"""What detectors answer, as one tensor: a row for each thing that may be an object."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, TypeVar

from jaxtyping import Float
from torch import Tensor

from seewhy.core.sample import Geometry
from seewhy.errors import ConfigError, TargetError
from seewhy.ops.boxes import areas, kept

Score = Literal["probability", "sigmoid", "softmax"]
"""What the class scores of a row are: probabilities already, or logits that a sigmoid, or a softmax over the classes, makes into some."""

R = TypeVar("R", bound="Rows")

MOST_LISTED = 300
"""Detections of one picture that are looked at: the surest ones."""


@dataclass(frozen=True)
class Detection:
    """One object that a detector found.

    Attributes:
        row: which row of the answer it is.
        box: corners (x1, y1, x2, y2) in pixels of the network's input.
        kind: index of its class.
        score: its probability, times its objectness where the network gives one.
    """

    row: int
    box: tuple[float, float, float, float]
    kind: int
    score: float


@dataclass(frozen=True)
class Rows(ABC):
    """How a detector's answer becomes rows (b, q, 4 + k), or (b, q, 4 + k + 1): give one to `seewhy.Model(..., output=...)`.

    The first four numbers of a row are the corners of its box in pixels of the input. Then come the scores of the k classes as the network
    gives them, and last that of the background, or the objectness, where there is one. An image with fewer objects than rows has rows of zeros.

    Args:
        least: a row of at least this score counts as a detection, in lists and when it is counted whether an object is still found.
        overlap: of two rows of one class whose boxes overlap by more than this (intersection over union), only the surer one is listed. None
            lists both: the network itself has seen to it.
        size: (h, w) of the network's input, for networks that give boxes as shares of it; taken from the `Model` if None.

    Attributes:
        stable: a row is the same question for every image, as an object query or a place of a head is; False where rows come sorted by score.
        score: what the class scores are.
        last: what the number behind the class scores is: "background" (its score, of the same kind), "objectness" (a probability), or None.
    """

    least: float = 0.5
    overlap: float | None = None
    size: tuple[int, int] | None = None

    stable: ClassVar[bool] = False
    score: Score = "probability"
    last: ClassVar[Literal["background", "objectness"] | None] = None

    def __post_init__(self) -> None:
        if not 0 <= self.least <= 1:
            raise ConfigError(f"least is a probability between 0 and 1, got {self.least}")
        if self.overlap is not None and not 0 <= self.overlap <= 1:
            raise ConfigError(f"overlap is a share between 0 and 1, or None; got {self.overlap}")

    @abstractmethod
    def __call__(self, output: Any) -> Float[Tensor, "b q n"]:
        """Return the rows of what the network returned; raise `ModelError` where it is not of the kind that this reads."""

    def for_input(self: R, size: tuple[int, int]) -> R:
        """Return the same for a network whose input has this size (h, w); a size that was stated stays."""
        return self if self.size is not None else replace(self, size=size)

    def boxes(self, rows: Float[Tensor, "b q n"]) -> Float[Tensor, "b q 4"]:
        """Return the boxes."""
        return rows[..., :4]

    def scores(self, rows: Float[Tensor, "b q n"]) -> Float[Tensor, "b q k"]:
        """Return the scores of the classes, as the network gives them."""
        return rows[..., 4:] if self.last is None else rows[..., 4:-1]

    def probabilities(self, rows: Float[Tensor, "b q n"]) -> Float[Tensor, "b q k"]:
        """Return the probabilities of the classes."""
        if self.score == "softmax":
            both = rows[..., 4:] if self.last == "background" else self.scores(rows)
            return both.softmax(dim=-1)[..., : self.scores(rows).shape[-1]]
        return self.scores(rows).sigmoid() if self.score == "sigmoid" else self.scores(rows)

    def objectness(self, rows: Float[Tensor, "b q n"]) -> Float[Tensor, "b q"]:
        """Return how sure the network is that a row is an object at all; where it does not say, the probability of the likeliest class."""
        if self.last == "objectness":
            return rows[..., -1]
        if self.last == "background" and self.score == "softmax":
            return 1 - rows[..., 4:].softmax(dim=-1)[..., -1]
        if self.last == "background":
            return 1 - (rows[..., -1].sigmoid() if self.score == "sigmoid" else rows[..., -1])
        return self.probabilities(rows).amax(dim=-1)

    def sureness(self, rows: Float[Tensor, "b q n"]) -> Float[Tensor, "b q k"]:
        """Return the score by which rows are listed: the probability of each class, times the objectness where the network gives one beside it."""
        made = self.probabilities(rows)
        return made * self.objectness(rows)[..., None] if self.last == "objectness" else made

    def found(self, rows: Float[Tensor, "b q n"]) -> tuple[Detection, ...]:
        """Return what is found in the only image of some rows, the surest first.

        Raises:
            TargetError: the rows are those of several images.
        """
        if len(rows) != 1:
            raise TargetError(f"detections are listed image by image; got the rows of {len(rows)}")
        rows = rows.detach().float()
        best = self.sureness(rows)[0].max(dim=-1)
        sure = (best.values >= self.least) & (areas(self.boxes(rows)[0]) > 0) & (best.values > 0)
        chosen = sure.nonzero()[:, 0]
        order = best.values[chosen].argsort(descending=True, stable=True)
        chosen = chosen[order][: 10 * MOST_LISTED]
        if self.overlap is not None and len(chosen):
            boxes, scores, kinds = self.boxes(rows)[0, chosen], best.values[chosen], best.indices[chosen]
            chosen = chosen[kept(boxes, scores, kinds, self.overlap)]
        return tuple(
            Detection(row, _four(self.boxes(rows)[0, row]), int(best.indices[row]), float(best.values[row]))
            for row in chosen[:MOST_LISTED].tolist()
        )


def _four(box: Tensor) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box.tolist()
    return x1, y1, x2, y2


def rows_of(answer: object, what: str) -> Rows:
    """Return the adapter by which a model gives its answer; raise `TargetError` where that gives no rows."""
    if isinstance(answer, Rows):
        return answer
    raise TargetError(
        f"{what} is about the boxes of a detector, and the model does not say how it gives them; "
        "for instance seewhy.Model(network, ..., output=DetrRows()) from seewhy.adapters.detections, or TorchvisionRows(), YoloRows() or PlainRows()"
    )


def to_input(boxes: Float[Tensor, "*b 4"], geometry: Geometry | None) -> Float[Tensor, "*b 4"]:
    """Return boxes of a source picture on the network's input, both in pixels; as they are for a ready input."""
    if geometry is None:
        return boxes
    scale, offset = _placed(geometry, boxes)
    return (boxes - offset) / scale


def to_source(boxes: Float[Tensor, "*b 4"], geometry: Geometry | None) -> Float[Tensor, "*b 4"]:
    """Return boxes of the network's input on the source picture, both in pixels; as they are for a ready input."""
    if geometry is None:
        return boxes
    scale, offset = _placed(geometry, boxes)
    return boxes * scale + offset


def _placed(geometry: Geometry, like: Tensor) -> tuple[Float[Tensor, " 4"], Float[Tensor, " 4"]]:
    """Return source pixels per input pixel, and where the input begins, for x, y, x, y."""
    top, left, bottom, right = geometry.window
    across, down = (right - left) / geometry.size[1], (bottom - top) / geometry.size[0]
    return like.new_tensor([across, down, across, down]), like.new_tensor([left, top, left, top])
