"""Two pictures and what makes them alike to a network, as a page, a picture and numbers."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from seewhy.core.sample import Sample
from seewhy.evaluation.area import concentration, evidence_area, place
from seewhy.evaluation.pair import Comparison
from seewhy.ops.pairwise import strongest_pairs
from seewhy.render.bar import bar, figures
from seewhy.render.contact import contact
from seewhy.render.encode import data_uri, webp_bytes
from seewhy.render.pair import Join, joined
from seewhy.render.scene import drawing_size, resample, scene
from seewhy.report.document import Document
from seewhy.report.images import gradient
from seewhy.report.numbers import plain
from seewhy.report.sheet import sheet

FORMAT = "seewhy-similarity-1"
"""Name and version of the layout of the numbers."""
SIDE = 460
"""Longest side, in pixels, at which each picture is drawn."""
MOST = 5
"""Pairs of places that are drawn."""


@dataclass(frozen=True, eq=False)
class SimilarityReport(Document):
    """How alike two pictures are, with a map of each.

    Attributes:
        found: what was found.
        command: makes it again; written on the page.
    """

    found: Comparison
    command: str = ""

    noun: ClassVar = "a comparison of two pictures"

    @property
    def score(self) -> float:
        """Cosine, dot product, or minus the distance of the two embeddings."""
        return self.found.score

    @property
    def same(self) -> bool | None:
        """Whether the score reaches the threshold; None without one."""
        return None if self.found.threshold is None else self.score >= self.found.threshold

    @property
    def maps(self) -> Any:
        """The explanation of both pictures: two maps in one block."""
        return self.found.maps

    def verdict(self) -> str:
        """Say how alike they are, and on which side of the threshold."""
        found, what = self.found, _MEASURES[self.found.measure]
        line = f"{what} {figures(found.score)}"
        if found.threshold is None:
            return f"{line}."
        side = "the same" if self.same else "not the same"
        return f"{line}, threshold {figures(found.threshold)}: {side}, by a margin of {figures(abs(found.score - found.threshold))}."

    def lines(self) -> list[str]:
        """Say where in each picture the likeness lies."""
        maps, told = self.found.maps, []
        held = concentration(maps)
        for row, sample in enumerate(maps.samples):
            where = place(evidence_area(maps)[row])
            share = (
                "" if not where else f", the strongest 20 % of the seen area hold {100 * float(held[row]):.0f} % of it"
            )
            told.append(f"{sample.name or f'picture {row + 1}'}: {where or 'the map shows no evidence'}{share}.")
        return told

    def picture(self) -> Image.Image:
        """Draw both pictures with their maps on one scale; under them the strongest pairs of places, where the split is known."""
        maps = self.found.maps
        cells = [(self._drawn(row), (maps.samples[row].name or f"picture {row + 1}",)) for row in (0, 1)]
        limit = self._limit()
        foot = bar(
            2 * SIDE,
            14,
            signed=maps.method.signed,
            limit=limit,
            notes=(f"evidence ({maps.map_unit}), one scale for both",),
        )
        notes = [*self.lines(), *self._pair_lines()]
        top = contact(cells, columns=2, cell=(SIDE, SIDE), title=self.verdict(), foot=foot, notes=notes)
        pairs = self._joined()
        if pairs is None:
            return top
        whole = Image.new("RGB", (max(top.width, pairs.width), top.height + pairs.height + 20), top.getpixel((0, 0)))
        whole.paste(top, (0, 0))
        whole.paste(pairs, ((whole.width - pairs.width) // 2, top.height + 10), pairs)
        return whole

    def page(self) -> str:
        """Return both pictures with their maps as one HTML file."""
        maps = self.found.maps
        pairs = self._joined()
        content = {
            "verdict": self.verdict(),
            "outcome": {True: "same", False: "different", None: ""}[self.same],
            "sides": [
                {"name": maps.samples[row].name or f"picture {row + 1}", "map": _uri(self._drawn(row)), "line": line}
                for row, line in enumerate(self.lines())
            ],
            "gradient": gradient(signed=maps.method.signed, limit=self._limit()),
            "ends": (figures(-self._limit()) if maps.method.signed else "0", figures(self._limit())),
            "unit": maps.map_unit,
            "pairs": None if pairs is None else _uri(pairs),
            "pair_lines": self._pair_lines(),
            "rows": self._rows(),
        }
        return sheet(
            "pair",
            title="How alike are they, and where?",
            content=content,
            numbers=self.numbers(),
            subtitles=[f"{maps.provenance['model']} · {maps.method.title}"],
            cautions=self._cautions(),
            creed=["A map shows where, not why: each picture is explained with the other's embedding held fixed."],
            command=self.command,
            provenance=maps.provenance | {"method": maps.method.key, "settings": maps.method.settings()},
        )

    def numbers(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON."""
        found = self.found
        made: dict[str, Any] = plain(
            {
                "format": FORMAT,
                "pictures": [sample.name for sample in found.maps.samples],
                "measure": found.measure,
                "score": found.score,
                "threshold": found.threshold,
                "margin": None if found.threshold is None else found.score - found.threshold,
                "same": self.same,
                "embedding": found.layer or "the network's answer",
                "map_unit": found.maps.map_unit,
                "limit": self._limit(),
                "lines": self.lines(),
                "pairs": [{"first": a, "second": b, "adds": value} for a, b, value in self._strongest()],
                "pairs_layer": None if found.pairs is None else found.pairs.layer,
                "pairs_sum": None if found.pairs is None else float(found.pairs.values.sum()),
                "cost": found.maps.cost.as_dict(),
                "cautions": self._cautions(),
                "command": self.command,
                "provenance": found.maps.provenance,
            }
        )
        return made

    def _limit(self) -> float:
        return max(self.found.maps.scale_end(row) for row in (0, 1)) or 1.0

    def _drawn(self, row: int) -> Image.Image:
        maps = self.found.maps
        return _scene(
            maps.samples[row], maps.picture(row), maps.heatmap[row], signed=maps.method.signed, limit=self._limit()
        )

    def _cautions(self) -> list[str]:
        maps = self.found.maps
        notes = dict.fromkeys(note for notes in maps.notes for note in notes)
        return [*notes, f"{maps.method.title}: {maps.method.caution}."]

    def _strongest(self) -> list[tuple[tuple[int, int], tuple[int, int], float]]:
        """Return the pairs of places that add most: (row, column) of each, and what they add."""
        pairs = self.found.pairs
        if pairs is None:
            return []
        found = strongest_pairs(pairs.values, MOST)
        return [(divmod(a, pairs.first[1]), divmod(b, pairs.second[1]), value) for a, b, value in found]

    def _pair_lines(self) -> list[str]:
        pairs = self.found.pairs
        if pairs is None:
            return []
        total, drawn = float(pairs.values.sum()), self._strongest()
        held = sum(value for *_, value in drawn)
        count = pairs.values.numel()
        return [
            f"The {count} pairs of places of {pairs.layer} add up to the {_MEASURES[self.found.measure]} exactly ({figures(total)}). "
            f"Joined by lines: the {len(drawn)} strongest, each place once, which add {figures(held)}; the colours are each place's sum over the other picture, on one scale that ends at {figures(self._pair_limit())}."
        ]

    def _pair_limit(self) -> float:
        pairs = self.found.pairs
        return 1.0 if pairs is None else max(float(one.abs().max()) for one in pairs.maps) or 1.0

    def _joined(self) -> Image.Image | None:
        """Draw the exact maps side by side, with lines between the strongest pairs of places."""
        pairs, maps = self.found.pairs, self.found.maps
        if pairs is None:
            return None
        limit = self._pair_limit()
        drawn = [
            _scene(maps.samples[row], maps.picture(row), pairs.maps[row].float(), signed=True, limit=limit)
            for row in (0, 1)
        ]
        grids = (pairs.first, pairs.second)
        lines = []
        for number, (*cells, _) in enumerate(self._strongest(), 1):
            ends = [
                _spot(maps.samples[row], cell, grids[row], drawn[row].size)
                for row, cell in enumerate(cells)
                if isinstance(cell, tuple)
            ]
            lines.append(Join(ends[0], ends[1], str(number)))
        return joined(drawn[0], drawn[1], lines)

    def _rows(self) -> list[tuple[str, str]]:
        found = self.found
        embedding = f"mean over places of {found.layer}" if found.layer else "the network's answer"
        rows = [("measure", _MEASURES[found.measure]), ("score", figures(found.score)), ("embedding", embedding)]
        if found.threshold is not None:
            rows += [("threshold", figures(found.threshold)), ("margin", figures(found.score - found.threshold))]
        for number, (first, second, value) in enumerate(self._strongest(), 1):
            rows.append(
                (
                    f"pair {number}",
                    f"row {first[0]}, column {first[1]} with row {second[0]}, column {second[1]}: {figures(value)}",
                )
            )
        return [*rows, ("cost", str(found.maps.cost))]


_MEASURES = {"cosine": "cosine", "dot": "dot product", "distance": "minus the distance"}


def _scene(
    sample: Sample, picture: Image.Image, heatmap: Float[Tensor, "h w"], *, signed: bool, limit: float
) -> Image.Image:
    size = drawing_size(picture.size, 1, SIDE)
    values = sample.to_source(heatmap, (size[1], size[0])).float().cpu().numpy()
    drawn: Image.Image = scene(
        picture, resample(values, size), size, signed=signed, limit=limit, outline=None if signed else 0.2
    )
    return drawn


def _spot(sample: Sample, cell: tuple[int, int], grid: tuple[int, int], drawn: tuple[int, int]) -> tuple[float, float]:
    """Return the centre (x, y) of a cell of the grid on the drawn picture."""
    shares = [(index + 0.5) / count for index, count in zip(cell, grid, strict=True)]
    if sample.geometry is not None:
        (top, left, bottom, right), (height, width) = sample.geometry.window, sample.geometry.source
        shares = [(top + shares[0] * (bottom - top)) / height, (left + shares[1] * (right - left)) / width]
    return float(np.clip(shares[1], 0, 1)) * drawn[0], float(np.clip(shares[0], 0, 1)) * drawn[1]


def _uri(picture: Image.Image) -> str:
    return data_uri(webp_bytes(picture, 82), "image/webp")
