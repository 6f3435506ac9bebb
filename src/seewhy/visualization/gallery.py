"""Pictures that were made for targets, with what they score: to look at, to save, to compute with."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from seewhy import render
from seewhy.errors import DataError, optional
from seewhy.render.bar import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMAT = 1
"""Of the `.npz` file."""

_CELL = 224
"""Pixels that a picture of a sheet may fill."""


@dataclass(frozen=True, eq=False)
class Gallery:
    """Pictures made for targets, and what each target gives for its picture.

    Attributes:
        images: (n, c, h, w) with values from 0 to 1; RGB where there are three channels.
        scores: what the target gives for each picture as it is, not moved (n,).
        targets: what each picture was made for, in words.
        units: of the scores.
        seeds: that each picture began with.
        notes: what a reader must know about each picture; empty where there is nothing.
        title: line above the sheet.
        remarks: lines under the sheet, about all pictures.
        settings: how each picture was made, as plain values.
        photo: the photo (c, h, w) that all pictures were made from, values from 0 to 1; None where there was none.
        photo_scores: what each target gives for the photo.

    A high score says what the network responds to when nothing keeps the picture natural; it does not say what the network responds to in
    photos. Natural examples belong beside each picture: `seewhy examples`.
    """

    images: Float[Tensor, "n c h w"]
    scores: Float[Tensor, " n"]
    targets: tuple[str, ...]
    units: tuple[str, ...]
    seeds: tuple[int, ...]
    notes: tuple[tuple[str, ...], ...]
    title: str = ""
    remarks: tuple[str, ...] = ()
    settings: tuple[dict[str, Any], ...] = ()
    photo: Float[Tensor, "c h w"] | None = None
    photo_scores: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.images.shape[1:]))
        return f"Gallery({len(self)} pictures of {size}: {', '.join(dict.fromkeys(self.targets))})"

    def picture(self, index: int = 0) -> Image.Image:
        """Return one picture, pixel by pixel; a picture of other than one or three channels shows each beside the next, in grey."""
        return drawn(self.images[index])

    def caption(self, index: int) -> list[str]:
        """Return what stands under a picture: the target, its score, and what a reader must know."""
        score = f"{figures(float(self.scores[index]))} {self.units[index]}"
        if self.photo_scores:
            score += f" (the photo: {figures(self.photo_scores[index])})"
        seed = f", seed {self.seeds[index]}" if self.targets.count(self.targets[index]) > 1 else ""
        return [self.targets[index], score + seed, *self.notes[index]]

    def sheet(self, columns: int | None = None) -> Image.Image:
        """Return all pictures with their captions on one sheet."""
        cells = [(self.picture(index), self.caption(index)) for index in range(len(self))]
        if self.photo is not None:
            cells.insert(0, (drawn(self.photo), ["the photo, as the network sees it"]))
        wide = max(1, round(cells[0][0].width / cells[0][0].height))
        return render.contact(
            cells,
            columns=columns or (len(cells) if len(cells) <= 5 else None),
            cell=(_CELL * min(wide, 4), _CELL),
            title=self.title,
            notes=self.remarks,
        )

    def figure(self, columns: int | None = None) -> "Figure":
        """Return the sheet as a matplotlib figure (extra `plot`), a panel for each picture; nothing global is touched."""
        columns = min(len(self), columns or 4)
        rows = -(-len(self) // columns)
        made: Figure = optional("matplotlib.figure", "plot").Figure(
            figsize=(2.6 * columns, 3.1 * rows), dpi=150, layout="constrained"
        )
        made.suptitle(self.title, parse_math=False)
        for index, axes in enumerate(made.subplots(rows, columns, squeeze=False).flat):
            axes.set_axis_off()
            if index < len(self):
                axes.imshow(self.picture(index), cmap="gray", vmin=0, vmax=255)
                axes.set_title("\n".join(self.caption(index)[:2]), fontsize=7, parse_math=False)
        return made

    def summary(self) -> dict[str, Any]:
        """Return everything but the pictures as plain values, ready for JSON."""
        return {
            "pictures": [
                {
                    "target": target,
                    "score": score,
                    "unit": unit,
                    "seed": seed,
                    "notes": list(notes),
                    "settings": settings,
                }
                for target, score, unit, seed, notes, settings in self._rows()
            ],
            "shape": list(self.images.shape[1:]),
            "title": self.title,
            "remarks": list(self.remarks),
            "photo_scores": list(self.photo_scores),
        }

    def _rows(self) -> Iterator[tuple[str, float, str, int, tuple[str, ...], dict[str, Any]]]:
        scores: list[float] = self.scores.tolist()
        settings = self.settings or ({},) * len(self)
        return zip(self.targets, scores, self.units, self.seeds, self.notes, settings, strict=True)

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the gallery: `.png` is the sheet (the picture alone where there is one), `.npz` holds all of it, `.json` the numbers.

        Raises:
            DataError: another ending, a file that exists (unless `force`), a place that cannot be written.
        """
        path = Path(path)
        if path.suffix == ".png":
            shown = self.picture() if len(self) == 1 and self.photo is None else self.sheet()
            return render.write_bytes(path, render.png_bytes(shown), force=force)
        if path.suffix == ".json":
            return render.write_bytes(path, json.dumps(self.summary(), indent=2).encode(), force=force)
        if path.suffix == ".npz":
            return render.write_bytes(path, self._packed(), force=force)
        raise DataError(
            f"{path.name}: pictures are written as .png, .npz (all of it) or .json, not {path.suffix or 'without an ending'}"
        )

    def _packed(self) -> bytes:
        about = json.dumps(self.summary() | {"format": FORMAT}).encode()
        photo = {} if self.photo is None else {"photo": self.photo.float().cpu().numpy()}
        buffer = BytesIO()
        np.savez_compressed(
            buffer,
            allow_pickle=False,
            images=self.images.float().cpu().numpy(),
            scores=self.scores.cpu().numpy(),
            about=np.frombuffer(about, dtype=np.uint8),
            **photo,
        )
        return buffer.getvalue()

    @classmethod
    def load(cls, path: str | Path) -> "Gallery":
        """Read what `save` wrote to an `.npz` file; nothing in the file is executed.

        Raises:
            DataError: no such file, or not such a file.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                about = json.loads(arrays["about"].tobytes())
                images, scores = torch.from_numpy(arrays["images"]), torch.from_numpy(arrays["scores"])
                photo = torch.from_numpy(arrays["photo"]) if "photo" in arrays else None
            if about["format"] != FORMAT:
                raise DataError(f"{path}: written in format {about['format']}, this version reads {FORMAT}")
            rows = about["pictures"]
            columns = {
                name: tuple(row[name] for row in rows) for name in ("target", "unit", "seed", "notes", "settings")
            }
        except FileNotFoundError:
            raise DataError(f"{path}: no such file") from None
        except DataError:
            raise
        except (ValueError, KeyError, TypeError, OSError, EOFError) as error:
            raise DataError(f"{path}: not pictures saved by seewhy ({error})") from error
        return cls(
            images,
            scores,
            columns["target"],
            columns["unit"],
            columns["seed"],
            tuple(tuple(each) for each in columns["notes"]),
            about["title"],
            tuple(about["remarks"]),
            columns["settings"],
            photo,
            tuple(about["photo_scores"]),
        )

    def _repr_png_(self) -> bytes:
        return render.png_bytes(self.sheet())


def joined(galleries: Iterable[Gallery]) -> Gallery:
    """Return galleries of one network, made with the same settings, as one."""
    parts = list(galleries)
    return replace(
        parts[0],
        images=torch.cat([part.images for part in parts]),
        scores=torch.cat([part.scores for part in parts]),
        targets=tuple(name for part in parts for name in part.targets),
        units=tuple(unit for part in parts for unit in part.units),
        seeds=tuple(seed for part in parts for seed in part.seeds),
        notes=tuple(notes for part in parts for notes in part.notes),
        settings=tuple(settings for part in parts for settings in part.settings),
        remarks=tuple(dict.fromkeys(remark for part in parts for remark in part.remarks)),
        photo_scores=tuple(score for part in parts for score in part.photo_scores),
    )


def drawn(image: Float[Tensor, "c h w"]) -> Image.Image:
    """Return an image with values from 0 to 1 as a picture; channels that are not red, green and blue stand side by side, in grey."""
    values = (image.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    if len(values) == 3:
        return Image.fromarray(values.transpose(1, 2, 0))
    return Image.fromarray(np.concatenate(list(values), axis=1))
