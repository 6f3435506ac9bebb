"""The hide test: blur the strongest area and ask again, beside areas of the same shape elsewhere."""

from dataclasses import dataclass
from itertools import product
from statistics import fmean, stdev
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.explanation import Explanation
from seewhy.core.probe import Probe
from seewhy.core.target import in_probability
from seewhy.errors import ConfigError
from seewhy.evaluation.area import SHARE, evidence_area
from seewhy.ops.filters import gaussian_blur

Outcome = Literal["passes", "unclear", "fails"]
STEPS = 8
"""Places along a side to which a control area may be moved."""
COARSE = 32
"""Cells along a side of the grid on which overlaps are measured; half as many where there is a third axis."""


@dataclass(frozen=True, eq=False)
class HideTestResult:
    """What the hide test found for one image.

    Attributes:
        before: probability of the class, or value of the target, on the image as it is.
        hidden: the same with the strongest area blurred.
        controls: the same with each control area blurred in its place.
        unit: "probability", or the unit of the target.
        area: the area that was hidden, at the input's resolution; `control_areas` likewise (n, *spatial).
        picture: the network's input with the area hidden.
        cost: passes that the test took.
        elsewhere: what the controls are, in words: of a clip, other places and times.
    """

    before: float
    hidden: float
    controls: tuple[float, ...]
    unit: str
    area: Bool[Tensor, "*spatial"]
    control_areas: Bool[Tensor, "n *spatial"]
    picture: Float[Tensor, "c *spatial"]
    cost: Cost
    elsewhere: str = "other places"

    @property
    def mean(self) -> float:
        """Mean over the controls."""
        return fmean(self.controls)

    @property
    def spread(self) -> float:
        """Standard deviation over the controls."""
        return stdev(self.controls)

    @property
    def outcome(self) -> Outcome:
        """What the figures say: "passes", "unclear" or "fails".

        It passes when hiding the area lowers the value below every control, by at least two standard deviations below
        their mean and by a twentieth of the value before; it fails when the controls lower the value as much on average.
        """
        gap = self.mean - self.hidden
        if gap <= 0 or self.hidden >= self.before:
            return "fails"
        clear = self.hidden < min(self.controls) and gap >= 2 * self.spread and gap >= 0.05 * abs(self.before)
        return "passes" if clear else "unclear"

    def sentence(self, name: str) -> str:
        """Say in plain words what was found for the target called `name`."""
        quantity = f"the {self.unit} of {name}"
        before, hidden, mean, spread = _told_apart(self.before, self.hidden, self.mean, self.spread)
        verb = "lowers" if self.hidden < self.before else "does not lower"
        facts = (
            f"Blurring the outlined area {verb} {quantity}: it goes from {before} to {hidden}. "
            f"Blurring the same shape in {len(self.controls)} {self.elsewhere} leaves {mean} ± {spread} on average."
        )
        endings = {
            "passes": "The network does use this area.",
            "unclear": "That is lower, but not clearly: read the map with care.",
            "fails": f"So {self.elsewhere} matter as much or more, and this map does not show what the answer rests on.",
        }
        return f"{facts} {endings[self.outcome]}"


def _told_apart(before: float, hidden: float, mean: float, spread: float) -> tuple[str, ...]:
    """Write four numbers with as many decimals as tell the first three apart: two to four, for small numbers four to six."""
    small = max(abs(before), abs(hidden), abs(mean)) < 0.05
    for decimals in (4, 5, 6) if small else (2, 3, 4):
        written = tuple(f"{value:.{decimals}f}" for value in (before, hidden, mean))
        if len(set(written)) == len({before, hidden, mean}):
            break
    return (*written, f"{spread:.{decimals}f}")


@dataclass(frozen=True)
class HideTest:
    """Ask whether the place that a map points at matters more than other places of the same size and shape.

    Args:
        share: share of the input that is hidden.
        controls: number of control areas: the same shape mirrored, turned and moved elsewhere; at least 8.

    Limits: a blurred picture is itself unusual, and blur leaves colour; where several places are each enough for the answer, hiding
        one changes little, and a true map fails.
    """

    share: float = SHARE
    controls: int = 8

    def __post_init__(self) -> None:
        if not 0 < self.share < 0.5:
            raise ConfigError(f"the share to hide lies between 0 and 0.5, got {self.share}")
        if self.controls < 8:
            raise ConfigError(f"a hide test needs at least 8 control areas, got {self.controls}")

    def run(
        self, probe: Probe, explanation: Explanation, areas: Bool[Tensor, "b *spatial"] | None = None
    ) -> list[HideTestResult | None]:
        """Run the test on the images of a probe; None where a map has no positive evidence, so that there is nothing to hide.

        Args:
            probe: the images and the target that were explained.
            explanation: the map of these images.
            areas: what is hidden, at the input's resolution, such as the tubes of a clip; the strongest `share` if None.
        """
        areas = evidence_area(explanation, self.share) if areas is None else areas
        areas = areas.to(probe.inputs.device)
        controls = torch.stack([control_areas(area, self.controls) for area in areas], dim=1)  # (n, b, h, w)
        likely = in_probability(probe.bound)
        asked = probe if likely is None else probe.toward(likely)
        blurred = _blurred(probe.inputs)
        variants = [hide(probe.inputs, blurred, masks) for masks in (areas, *controls)]
        before, unit = asked.score(), asked.bound.unit
        hidden, *others = asked.scores(variants)
        return [
            HideTestResult(
                before=float(before[row]),
                hidden=float(hidden[row]),
                controls=tuple(float(other[row]) for other in others),
                unit=unit,
                area=areas[row].cpu(),
                control_areas=controls[:, row].cpu(),
                picture=variants[0][row].cpu(),
                cost=Cost(forwards=1 + self.controls),
                elsewhere="other places" if explanation.samples[row].clip is None else "other places and times",
            )
            if areas[row].any()
            else None
            for row in range(len(areas))
        ]


def hide(
    images: Float[Tensor, "b c *spatial"], blurred: Float[Tensor, "b c *spatial"], areas: Bool[Tensor, "b *spatial"]
) -> Float[Tensor, "b c *spatial"]:
    """Blend the blurred images in where the areas are; the edge is soft over about two hundredths of the shorter side.

    The edge is soft within a frame of a clip or a slice of a volume, and sharp from one to the next.
    """
    soft = _plane_by_plane(areas[:, None].to(images), min(images.shape[-2:]) / 50)
    return images + soft * (blurred - images)


def _blurred(images: Float[Tensor, "b c *spatial"]) -> Float[Tensor, "b c *spatial"]:
    """Blur by a tenth of the shorter side, each frame of a clip on its own: what hides a place must not smear it over time."""
    return _plane_by_plane(images, min(images.shape[-2:]) / 10)


def _plane_by_plane(images: Float[Tensor, "b c *spatial"], sigma: float) -> Float[Tensor, "b c *spatial"]:
    return gaussian_blur(images.reshape(-1, 1, *images.shape[-2:]), sigma).reshape(images.shape)


def control_areas(area: Bool[Tensor, "*spatial"], count: int) -> Bool[Tensor, "n *spatial"]:
    """Return the same shape mirrored, turned (where the input is square) and moved, away from the area and from each other.

    Areas that are pushed over an edge come in again at the opposite one, so that each keeps its size; those of a clip are moved in time
    as well, and run backwards. The choice is greedy and fixed: each next area overlaps least with the first one and with those chosen
    before.
    """
    shapes = torch.stack(_turned(area))
    steps = (*(min(STEPS, length) for length in area.shape[:-2]), STEPS, STEPS)
    side = COARSE if area.dim() == 2 else COARSE // 2
    cells = (*steps[:-2], side, side)
    axes = tuple(range(1, 1 + area.dim()))
    coarse = _pooled(shapes, cells)
    places = list(product(*(range(number) for number in steps)))
    moved = torch.stack(
        [
            coarse.roll([n * cell // step for n, cell, step in zip(place, cells, steps, strict=True)], axes)
            for place in places
        ]
    ).flatten(2)  # (places, shapes, n)
    candidates = moved.flatten(0, 1)
    size = candidates[0].square().sum().clamp_min(1e-12)
    overlap = candidates @ candidates[0] / size  # 1 for the area itself
    crowded = torch.zeros_like(overlap)
    chosen: list[Tensor] = []
    for _ in range(count):
        best = int((overlap + 0.5 * crowded / max(1, len(chosen))).argmin())
        place, shape = places[best // len(shapes)], shapes[best % len(shapes)]
        shifts = [round(length * n / step) for length, n, step in zip(area.shape, place, steps, strict=True)]
        chosen.append(shape.roll(shifts, tuple(range(area.dim()))))
        crowded += candidates @ candidates[best] / size
        crowded[best] = torch.inf
    return torch.stack(chosen)


def _pooled(shapes: Bool[Tensor, "m *spatial"], cells: tuple[int, ...]) -> Float[Tensor, "m *cells"]:
    """Return which share of each cell of a coarser grid each shape covers."""
    pooled = shapes.float()
    for axis, number in enumerate(cells, start=1):
        lines = pooled.movedim(axis, -1)
        rows = F.adaptive_avg_pool1d(lines.reshape(-1, 1, lines.shape[-1]), number)
        pooled = rows.reshape(*lines.shape[:-1], number).movedim(-1, axis)
    return pooled


def _turned(area: Bool[Tensor, "*spatial"]) -> list[Bool[Tensor, "*spatial"]]:
    """Return the mirrored and turned forms of an area that fit its frame, itself first; those of a clip also backwards."""
    if area.dim() == 3:
        forms = [form.rot90(turn, (-2, -1)) for form in (area, area.flip(-1)) for turn in (0, 2)]
        return [*forms, *(form.flip(0) for form in forms)]
    turns = (0, 1, 2, 3) if area.shape[0] == area.shape[1] else (0, 2)
    return [form.rot90(turn) for form in (area, area.flip(1)) for turn in turns]
