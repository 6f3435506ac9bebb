"""Targets of a segmenter: a class over a region of its answer, which stays where it is whatever the image becomes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy import ndimage  # type: ignore[import-untyped]
from torch import Tensor

from seewhy.core.placing import Placed, placed_masks, placed_points
from seewhy.core.sample import Sample
from seewhy.core.target import BoundTarget, Probability, Target
from seewhy.core.trace import Reading
from seewhy.errors import TargetError
from seewhy.targets.classes import Which, find_class, name_of, part_of
from seewhy.targets.fitting import fitting, shape_words

Part = Literal["whole", "false-negative", "false-positive", "border"]
RegionUnit = Literal["logit", "probability", "log-probability"]


@dataclass(frozen=True, eq=False)
class Region(Target):
    """Mean (or sum) of the score of a class over a region of a map of classes (b, k, *cells), at any resolution of the answer.

    The region is frozen on the unperturbed image: y = mean over cells (i, j) of M of z_c(i, j). Without a mask, M is where the class is
    predicted; with one, M is the mask, and what the network predicts plays no part. Cells that a mask covers in part count in part.

    Args:
        index: the class, by index or name, or a tuple with one for each image; None only for an answer with one map.
        mask: an area in pixels of the source picture (h, w), of the input for ready inputs, clips and volumes; a list with one for each image.
        cut: "whole"; of a mask that says where the class really is, the "false-negative" part, where it is not predicted, or, beyond it, the
            "false-positive" part, where it is predicted; or the "border", the cells within `width` of the region's edge on either side.
        component: one connected piece of the region: its number by size, 0 the largest, or a point (x, y) of the source picture inside it.
        reduce: "mean", or "sum" as in Seg-Grad-CAM, which grows with the region.
        unit: "logit", "probability" or "log-probability" of the class at each cell.
        width: of the border, in cells of the answer.
        exclusive: whether the classes of a cell exclude each other (the largest is predicted), or each holds by itself (those above 0 are);
            None follows the model's `probability`. An answer with one map is always of the second kind.
        place: mask and point on the input; set by the session.

    Misleads: a map of the last layers repeats the region; methods look at the coarsest grid of such networks by themselves. A false-negative
        region has low scores by what it is: its map shows what speaks for the class there, not why that was not enough.

    Source: Vinogradova et al. 2020, Towards Interpretable Semantic Segmentation via Gradient-weighted Class Activation Mapping,
        arXiv 2002.11434, equation 2 (the sum over a region M).
    """

    index: Which = None
    mask: Any = None
    cut: Part = "whole"
    component: int | tuple[float, float] | None = None
    reduce: Literal["mean", "sum"] = "mean"
    unit: RegionUnit = "logit"
    width: int = 2
    exclusive: bool | None = None
    place: Placed | None = None

    def __post_init__(self) -> None:
        for name, kinds in (("cut", Part), ("unit", RegionUnit), ("reduce", Literal["mean", "sum"])):
            if getattr(self, name) not in get_args(kinds):
                raise TargetError(
                    f"{name} of a region is one of {', '.join(get_args(kinds))}, got {getattr(self, name)!r}"
                )
        if self.cut.startswith("false") and self.mask is None:
            raise TargetError(f"the {self.cut} part of a region needs a mask that says where the class really is")
        if self.width < 1:
            raise TargetError(f"the border of a region is at least 1 cell wide, got {self.width}")
        if isinstance(self.component, list):
            object.__setattr__(self, "component", tuple(self.component))

    def placed(self, samples: Sequence[Sample], probability: Probability) -> Target:
        """Return the target with its mask and its point on the input."""
        areas = None if self.mask is None else placed_masks(self.mask, samples)
        points = placed_points(self.component, samples) if isinstance(self.component, tuple) else None
        exclusive = probability != "sigmoid" if self.exclusive is None else self.exclusive
        return replace(self, place=Placed(samples[0].inputs.dim() - 1, areas, points), exclusive=exclusive)

    def part(self, rows: slice, images: int) -> Target:
        """Return the target of some of the images."""
        place = None if self.place is None else self.place.part(rows)
        return replace(self, index=part_of(self.index, rows, images), place=place)

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the class and the region of each image.

        Raises:
            TargetError: the answer is no map of classes; there is no such class; the class is predicted nowhere; no component is there.
        """
        place = self._placed()
        maps = class_maps(reading, place.axes).detach()
        classes = self._classes(maps, labels)
        region = self._regions(maps, classes, place, labels)
        size = region.flatten(1).sum(dim=1)

        def over(seen: Reading, unit: RegionUnit) -> Float[Tensor, " b"]:
            values = _in_unit(class_maps(seen, place.axes), unit, exclusive=self._exclusive(maps))
            chosen = values[torch.arange(len(values), device=values.device), classes]
            return (chosen * region).flatten(1).sum(dim=1)

        def score(seen: Reading) -> Float[Tensor, " b"]:
            return over(seen, self.unit) / size if self.reduce == "mean" else over(seen, self.unit)

        names = tuple(self._name(int(index), labels) for index in classes)
        unit = self.unit if self.reduce == "mean" else f"{self.unit}, summed over cells"
        return BoundTarget(score, names, unit, probability=lambda seen: over(seen, "probability") / size, region=region)

    def _placed(self) -> Placed:
        if self.place is not None:
            return self.place
        if self.mask is not None or isinstance(self.component, tuple):
            raise TargetError(
                "a mask or point of a region is in pixels of the source picture, and here the picture is not known; ask with seewhy.explain or Session.explain"
            )
        return Placed(2)

    def _exclusive(self, maps: Float[Tensor, "b k *cells"]) -> bool:
        return maps.shape[1] > 1 and self.exclusive is not False

    def _classes(self, maps: Float[Tensor, "b k *cells"], labels: Sequence[str] | None) -> Int[Tensor, " b"]:
        count = maps.shape[1]
        if self.index is None and count > 1:
            raise TargetError(
                f"a region of which class? {_seen(_predicted(maps, exclusive=self._exclusive(maps))[0], labels)}"
            )
        each = self.index if isinstance(self.index, tuple) else (self.index,) * len(maps)
        if len(each) != len(maps):
            raise TargetError(f"{len(each)} classes for {len(maps)} images; give one class, or one for each image")
        found = [0 if one is None else find_class(one, count, labels) for one in each]
        return torch.tensor(found, device=maps.device)

    def _regions(
        self,
        maps: Float[Tensor, "b k *cells"],
        classes: Int[Tensor, " b"],
        place: Placed,
        labels: Sequence[str] | None,
    ) -> Float[Tensor, "b *cells"]:
        """Return the weight of each cell of the answer in the region of each image."""
        predicted = _predicted(maps, exclusive=self._exclusive(maps))
        given = place.on(maps.shape[2:], maps)
        made = []
        for row, index in enumerate(classes.tolist()):
            here = predicted[row, index].to(maps)
            truth = None if given is None else given[row]
            region = self._within(here, truth)
            if not region.any():
                raise TargetError(self._nothing(row, name_of(index, labels), predicted[row], labels))
            point = None if place.points is None else place.points[row]
            region = self._component(region, point)
            made.append(_border(region, self.width) if self.cut == "border" else region)
        return torch.stack(made)

    def _within(
        self, predicted: Float[Tensor, "*cells"], truth: Float[Tensor, "*cells"] | None
    ) -> Float[Tensor, "*cells"]:
        if truth is None:
            return predicted
        if self.cut == "false-negative":
            return truth * (1 - predicted)
        return predicted * (1 - truth) if self.cut == "false-positive" else truth

    def _nothing(self, row: int, name: str, predicted: Bool[Tensor, "k *cells"], labels: Sequence[str] | None) -> str:
        where = f"image {row}: "
        if self.cut == "false-negative":
            return f"{where}nothing of the mask is missed: {name} is predicted all over it"
        if self.cut == "false-positive":
            return f"{where}{name} is predicted nowhere outside of the mask"
        return f"{where}{name} is predicted nowhere. {_seen(predicted, labels)}; a mask asks about a place whatever is predicted there"

    def _component(self, region: Float[Tensor, "*cells"], point: tuple[float, ...] | None) -> Float[Tensor, "*cells"]:
        """Return one connected piece of a region."""
        if self.component is None:
            return region
        pieces, sizes = components(region)
        if point is not None:
            cell = tuple(min(int(share * cells), cells - 1) for share, cells in zip(point, region.shape, strict=True))
            number = int(pieces[cell])
            if number < 0:
                raise TargetError(
                    f"the point {self.component} lies in no part of the region, which has {len(sizes)} connected pieces"
                )
        else:
            number = int(self.component)  # type: ignore[arg-type]  # a point has been handled
            if not 0 <= number < len(sizes):
                raise TargetError(
                    f"there is no component {number}; the region has {len(sizes)} connected pieces, numbered from 0, the largest first"
                )
        return region * torch.from_numpy(pieces == number).to(region)

    def _name(self, index: int, labels: Sequence[str] | None) -> str:
        name = name_of(index, labels)
        words = {
            "whole": "",
            "border": "border of ",
            "false-negative": "missed part of ",
            "false-positive": "false part of ",
        }
        piece = (
            ""
            if self.component is None
            else f", piece {self.component}"
            if isinstance(self.component, int)
            else ", the piece at a point"
        )
        marked = " over the given mask" if self.mask is not None and self.cut == "whole" else ""
        return f"{words[self.cut]}{name}{marked}{piece}"


def class_maps(reading: Reading, axes: int) -> Float[Tensor, "b k *cells"]:
    """Return an answer as maps of the picture; one map for each image is one channel.

    Raises:
        TargetError: it is no map, or holds NaN or infinity.
    """
    output = reading.output
    if output.dim() == axes + 1:
        output = output[:, None]
    if output.dim() != axes + 2:
        raise TargetError(
            f"a map over the picture is asked for, and the network's answer has shape {shape_words(output.shape)}; {fitting(output.shape)}"
        )
    if not torch.isfinite(output).all():
        raise TargetError("the network's answer holds NaN or infinity; check its weights, the input and the precision")
    return output


def components(region: Float[Tensor, "*cells"]) -> tuple[Int[np.ndarray, "*cells"], list[int]]:
    """Number the connected pieces of a region (cells that share a side) by size, from 0, the largest first; -1 outside."""
    marked = (region > 0).cpu().numpy()
    pieces, count = ndimage.label(marked)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-sizes, kind="stable")
    rank = np.full(count + 1, -1)
    rank[order + 1] = np.arange(count)
    return rank[pieces], sizes[order].tolist()


def _border(region: Float[Tensor, "*cells"], width: int) -> Float[Tensor, "*cells"]:
    """Return the cells within `width` of the edge of a region, on either side; the edge of the picture is none."""
    marked = (region >= 0.5).cpu().numpy()
    marked = marked if marked.any() else (region > 0).cpu().numpy()
    grown = ndimage.binary_dilation(marked, iterations=width)
    shrunk = ndimage.binary_erosion(marked, iterations=width, border_value=1)
    band = grown & ~shrunk
    if not band.any():
        raise TargetError("the region covers the whole picture, so it has no border in it")
    return torch.from_numpy(band).to(region)


def _predicted(maps: Float[Tensor, "b k *cells"], *, exclusive: bool) -> Bool[Tensor, "b k *cells"]:
    """Return where each class is predicted."""
    if not exclusive:
        return maps > 0
    return torch.zeros_like(maps, dtype=torch.bool).scatter(1, maps.argmax(dim=1, keepdim=True), value=True)


def _in_unit(maps: Float[Tensor, "b k *cells"], unit: RegionUnit, *, exclusive: bool) -> Float[Tensor, "b k *cells"]:
    if unit == "logit":
        return maps
    if exclusive:
        return maps.softmax(dim=1) if unit == "probability" else maps.log_softmax(dim=1)
    return maps.sigmoid() if unit == "probability" else torch.nn.functional.logsigmoid(maps)


def _seen(predicted: Bool[Tensor, "k *cells"], labels: Sequence[str] | None) -> str:
    """Say which classes are predicted, and on what share of the picture."""
    held = predicted.flatten(1).float().mean(dim=1)
    order = [int(index) for index in held.argsort(descending=True, stable=True)[:6] if held[index] > 0]
    listed = ", ".join(f"{name_of(index, labels)} ({max(1, round(100 * float(held[index])))} %)" for index in order)
    return f"predicted here: {listed}" if listed else "no class is predicted here"
