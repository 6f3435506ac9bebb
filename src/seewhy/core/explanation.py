"""What a method said about a block of images: whole at birth, never changed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from seewhy import render
from seewhy.core.cost import Cost
from seewhy.core.method import Method
from seewhy.core.packing import packed, unpacked
from seewhy.core.reel import reel
from seewhy.core.registry import make
from seewhy.core.rules import Coverage
from seewhy.core.sample import Sample
from seewhy.core.volume import SHOWN
from seewhy.errors import DataError
from seewhy.ops.filters import resize

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Explanation:
    """What one method said about a block of images and one target, with all that is needed to say it again.

    Attributes:
        heatmap: (b, *spatial) at the method's own resolution, in units of the score; never rescaled.
        score: value of the target, one per image.
        method: the method with every setting, its layer included.
        targets: what was asked, in words, one per image: "tabby".
        unit: unit of the score: "logit", "probability", ...
        classes: index of the class per image, where the target is one class.
        samples: the images; what a picture of the map is drawn on.
        cost: passes per image that this map needed; a pass that methods share is counted in each of them.
        residual: for methods that promise completeness, score explained minus sum of the map, per image.
        error: for estimates, the standard error of each value of the map.
        figures: numbers per image that say how good an estimate is, by their names.
        coverage: for methods with backward rules, which operations they met and what was done with each.
        notes: what a reader must know about these maps, per image.
        provenance: network, versions, seed.
    """

    heatmap: Float[Tensor, "b *spatial"]
    score: Float[Tensor, " b"]
    method: Method
    targets: tuple[str, ...]
    unit: str
    samples: Sequence[Sample]
    cost: Cost
    classes: tuple[int, ...] | None = None
    residual: Float[Tensor, " b"] | None = None
    error: Float[Tensor, "b *spatial"] | None = None
    figures: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    coverage: Coverage | None = None
    notes: tuple[tuple[str, ...], ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.heatmap)

    def __getitem__(self, index: int) -> "Explanation":
        """Return the explanation of one image of the block."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"image {index} of a block of {len(self)}")
        here = slice(index % len(self), index % len(self) + 1)
        return replace(
            self,
            heatmap=self.heatmap[here],
            score=self.score[here],
            targets=self.targets[here],
            samples=self.samples[here],
            classes=None if self.classes is None else self.classes[here],
            residual=None if self.residual is None else self.residual[here],
            error=None if self.error is None else self.error[here],
            figures={name: values[here] for name, values in self.figures.items()},
            notes=self.notes[here],
        )

    def noting(self, sentence: str) -> "Explanation":
        """Return the same explanation with one more note for every image."""
        return replace(self, notes=tuple((*notes, sentence) for notes in self.notes))

    @property
    def map_unit(self) -> str:
        """Unit of the map's values, which not every method gives in units of the score."""
        return self.method.map_unit.format(unit=self.unit)

    def scale_end(self, index: int = 0) -> float:
        """Return the magnitude at which a colour scale for one image should end.

        That is the map's largest magnitude on the grid of a layer. At pixel resolution it is the 99th percentile: single
        pixels may be a hundred times as large as all others, and a scale that ends at them shows nothing else.
        """
        magnitudes = self.heatmap[index].abs().flatten()
        largest = float(magnitudes.max())
        if self.method.resolution == "layer":
            return largest
        count = max(1, round(0.01 * len(magnitudes)))
        return float(magnitudes.topk(count).values[-1]) or largest

    @property
    def scale_words(self) -> str:
        """What the end of the colour scale is, in words."""
        if self.method.resolution == "input":
            return "the 99th percentile"
        return "the largest magnitude" if self.method.signed else "the maximum"

    def at(self, size: tuple[int, ...]) -> Float[Tensor, "b *resized"]:
        """Return the heatmap resized to `size` in pixels: interpolated, not rescaled."""
        return resize(self.heatmap, size)

    def in_source(self, index: int = 0, size: tuple[int, int] | None = None) -> Float[Tensor, "*source"]:
        """Return the map of one image on the pixels of its source picture, clip (t, h, w) or volume (d, h, w); NaN where the network saw nothing.

        Args:
            index: which image of the block.
            size: resolution (h, w) of the whole picture, or of each frame; its own if None. Without a source, the input's grid.
        """
        return self.samples[index].to_source(self.heatmap[index], size)

    def strongest_frame(self, index: int = 0) -> int | None:
        """Return which frame of a clip, or slice of a volume as it is shown, holds the largest sum of magnitudes of the map; None for a picture."""
        heatmap = self.heatmap[index]
        if heatmap.dim() < 3:
            return None
        if self.samples[index].placement is not None:
            return int(self._shown(index).abs().nansum(dim=(1, 2)).argmax())
        frames = self.at(tuple(self.samples[index].inputs.shape[1:]))[index]
        return int(frames.abs().flatten(1).sum(dim=1).argmax())

    def picture(self, index: int = 0) -> Image.Image:
        """Return the source picture of one image, of a clip its strongest frame; a grey view where the sample came as a ready input."""
        return self.samples[index].view(self.strongest_frame(index) or 0)

    def overlay(self, index: int = 0, **options: Any) -> Image.Image:
        """Draw the map of one image over its picture in grey (of a clip, its strongest frame), with a colour bar; options as in `seewhy.render.overlay`."""
        picture, drawn = self._drawn(index)
        return render.overlay(picture, drawn, **(self._labels(index) | options))

    def reel(self, index: int = 0, **options: Any) -> render.Reel:
        """Return the moving pictures of one clip: `images()` yields them, `sheet(...)` puts frames beside one another; options as in `seewhy.core.reel.reel`.

        Raises:
            ShapeError: it explains a picture or a volume.
        """
        labels = self._labels(index) | {
            "limit": self.scale_end(index),
            "normalization": f"{self.scale_words} of the whole clip",
        }
        return reel(self.samples[index], self.heatmap[index], **(labels | options))

    def sheet(self, index: int = 0, strongest: int = 6, evenly: int = 6, **options: Any) -> Image.Image:
        """Draw frames of one clip with their maps on one scale: the strongest ones, and ones that lie evenly over the clip; options as in `reel`.

        Raises:
            ShapeError: it explains a picture or a volume.
        """
        drawn = self.reel(index, **options)
        return drawn.sheet(drawn.picked(strongest, evenly))

    def figure(self, index: int = 0, **options: Any) -> "Figure":
        """Return a matplotlib figure of the same picture (extra `plot`); nothing global is touched."""
        picture, drawn = self._drawn(index)
        return render.figure(picture, drawn, **(self._labels(index) | options))

    def _drawn(self, index: int, most: int = 900) -> tuple[Image.Image, Float[np.ndarray, "h w"]]:
        """Return the picture and the map on it, both at a size for looking: at most `most` pixels on the long side."""
        picture = self.picture(index)
        shrink = min(1.0, most / max(picture.size))
        size = (max(1, round(picture.height * shrink)), max(1, round(picture.width * shrink)))
        if shrink < 1:
            picture = picture.resize(size[::-1], Image.Resampling.LANCZOS)
        volume = self.samples[index].placement is not None
        drawn, frame = self._shown(index) if volume else self.in_source(index, size), self.strongest_frame(index)
        return picture, (drawn if frame is None else drawn[frame]).float().cpu().numpy()

    def _shown(self, index: int) -> Float[Tensor, "d h w"]:
        """Return the map of one volume in the orientation in which scans are shown."""
        volume, drawn = self.samples[index].volume, self.in_source(index)
        return drawn if volume is None else torch.from_numpy(volume.turn(SHOWN).apply(drawn.cpu().numpy()).copy())

    def _labels(self, index: int) -> dict[str, Any]:
        return {
            "signed": self.method.signed,
            "unit": self.map_unit,
            "title": f"{self.targets[index]} · {self.method.title}",
            "limit": self.scale_end(index) or None,
            "normalization": f"{self.scale_words} of this map",
        }

    def summary(self) -> dict[str, Any]:
        """Return everything but the maps as plain values, ready for JSON."""
        return {
            "method": self.method.key,
            "settings": self.method.settings(),
            "targets": list(self.targets),
            "unit": self.unit,
            "classes": None if self.classes is None else list(self.classes),
            "score": self.score.tolist(),
            "residual": None if self.residual is None else self.residual.tolist(),
            "figures": {name: list(values) for name, values in self.figures.items()},
            "coverage": None if self.coverage is None else asdict(self.coverage),
            "cost": self.cost.as_dict(),
            "notes": [list(notes) for notes in self.notes],
            "names": [sample.name for sample in self.samples],
            "resolution": list(self.heatmap.shape[1:]),
            "provenance": self.provenance,
        }

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the explanation: `.npz` holds all of it, `.png` the picture of the first image, `.json` the numbers; of a clip, `.mp4` is its movie
        (frame, map, curve of importance), `.webp` and `.gif` are small previews of that, and `.png` is a sheet of its frames.

        Raises:
            DataError: another ending, a file that exists (unless `force`), a place that cannot be written.
        """
        path = Path(path)
        if path.suffix in (".mp4", ".webp", ".gif"):
            return render.write_reel(path, self.reel(), force=force)
        if path.suffix == ".png":
            return render.write_bytes(path, render.png_bytes(self._shown_whole(0)), force=force)
        if path.suffix == ".json":
            return render.write_bytes(path, json.dumps(self.summary(), indent=2).encode(), force=force)
        if path.suffix == ".npz":
            return render.write_bytes(path, packed(self.summary(), self.heatmap, self.error, self.samples), force=force)
        raise DataError(
            f"{path.name}: an explanation is written as .npz (all of it), .png or .json, of a clip also as .mp4, .webp or .gif, "
            f"not {path.suffix or 'without an ending'}"
        )

    @classmethod
    def load(cls, path: str | Path) -> "Explanation":
        """Read what `save` wrote to an `.npz` file; nothing in the file is executed."""
        about, heatmap, error, samples = unpacked(path)
        return cls(
            heatmap=heatmap,
            score=torch.tensor(about["score"], dtype=heatmap.dtype),
            method=make(about["method"], **about["settings"]),
            targets=tuple(about["targets"]),
            unit=about["unit"],
            samples=samples,
            cost=Cost(**about["cost"]),
            classes=None if about["classes"] is None else tuple(about["classes"]),
            residual=None if about["residual"] is None else torch.tensor(about["residual"], dtype=heatmap.dtype),
            error=error,
            figures={name: tuple(values) for name, values in about["figures"].items()},
            coverage=_coverage(about["coverage"]),
            notes=tuple(tuple(notes) for notes in about["notes"]),
            provenance=about["provenance"],
        )

    def _shown_whole(self, index: int) -> Image.Image:
        """Return the picture that shows most of one map: of a clip, its sheet."""
        clip = self.heatmap.dim() == 4 and self.samples[index].placement is None
        return self.sheet(index) if clip else self.overlay(index)

    def _repr_png_(self) -> bytes:
        return render.png_bytes(self._shown_whole(0))

    def _repr_html_(self) -> str:
        cells = []
        for index in range(min(len(self), 8)):
            alt = f"{self.method.title} for {self.targets[index]}, score {self.score[index]:.3g} {self.unit}"
            picture = self._shown_whole(index)
            wide = self.heatmap.dim() == 4
            picture.thumbnail((1200, 900) if wide else (440, 520))
            source, share = render.data_uri(render.webp_bytes(picture, 75), "image/webp"), 98 if wide else 48
            cells.append(f'<img src="{source}" alt="{escape(alt, quote=True)}" style="max-width:{share}%;margin:4px">')
        more = f"<p>and {len(self) - 8} more images</p>" if len(self) > 8 else ""
        return f"<div>{''.join(cells)}{more}</div>"


def _coverage(about: dict[str, Any] | None) -> Coverage | None:
    return None if about is None else Coverage(about["rules"], tuple(tuple(row) for row in about["met"]))
