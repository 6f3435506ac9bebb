"""Given concepts as one picture: each with some of its pictures, and bars for what it does to each class."""

from collections.abc import Mapping, Sequence

from PIL import Image

from seewhy.concepts.sensitivity import Sensitivity, TriedConcept
from seewhy.contributions.table import Estimate
from seewhy.render.bars import Bars, bars
from seewhy.render.chart import Scale, captioned
from seewhy.render.overlay import stacked
from seewhy.render.text import PAPER
from seewhy.report import tcav_words as words
from seewhy.report.axis import axis
from seewhy.report.tcav_strips import Shown

WIDTH = 1000
MOST = 12
"""Concepts that the picture shows."""
_GAP = 6


def tcav_picture(found: Sensitivity, pictures: Mapping[str, Shown], name: str = "") -> Image.Image:
    """Draw the concepts, one under another.

    Args:
        found: what was found.
        pictures: of each concept, by its name.
        name: of the data.
    """
    listed = found.concepts[:MOST]
    left = len(found.concepts) - len(listed)
    head = captioned(
        Image.new("RGB", (WIDTH, 1), PAPER),
        WIDTH,
        words.heading(found),
        (*words.asked(found, name), *words.lines(found)),
    )
    scales = _effect_scale(listed), _fall_scale(listed)
    parts: list[Image.Image | None] = [head]
    for concept in listed:
        parts += [_title(concept), _strip(pictures[concept.name]), _chart(found, concept, *scales)]
    foot = (
        "grey: the middle 95 % of random pictures; for what is lost without the concept, up to the worst of 19 random directions of the same variance",
        "lines are 95 % intervals; p is corrected for all concepts and classes",
        f"{left} more concepts stand in the files of numbers" if left else "",
    )
    return stacked([*parts, captioned(Image.new("RGB", (WIDTH, 1), PAPER), WIDTH, "", foot)], 12)


def _title(concept: TriedConcept) -> Image.Image:
    _, verdict = words.verdict(concept)
    return captioned(
        Image.new("RGB", (WIDTH, 1), PAPER), WIDTH, f"{concept.name}: {verdict}", (words.gate_line(concept),)
    )


def _strip(pictures: Shown) -> Image.Image:
    side = 90
    whole = Image.new("RGB", (WIDTH, side), PAPER)
    for place, picture in enumerate(pictures.given):
        whole.paste(picture.resize((side, side), Image.Resampling.BICUBIC), (10 + place * (side + _GAP), 0))
    return whole


def _chart(found: Sensitivity, concept: TriedConcept, effects: Scale, falls: Scale | None) -> Image.Image:
    listed = words.ordered(concept)
    names = [found.classes[one.category] for one in listed]
    shares = [one.share for one in listed]
    columns = [
        Bars(
            "effect, logits",
            *_ends([one.effect for one in listed]),
            [
                f"{one.effect.value:+.1f}{f'  {words.chance(one.corrected, one)}' if one.significant else ''}"
                for one in listed
            ],
            effects,
            [one.random_effect for one in listed],
        )
    ]
    if concept.erasure is not None and falls is not None:
        gone = [concept.erasure.classes.get(one.category) for one in listed]
        none = Estimate(0.0, 0.0, 0.0)
        columns.append(
            Bars(
                "without it, points lost",
                *_ends([each.fall if each else none for each in gone]),
                [f"{100 * each.fall.value:.0f}".replace("-0", "0") if each else "–" for each in gone],
                falls,
                [(0.0, max(0.0, each.worst) if each else 0.0) for each in gone],
            )
        )
    labels = [f"{label}   TCAV {share.value:.2f}" for label, share in zip(names, shares, strict=True)]
    return bars(labels, columns, width=WIDTH)


def _ends(given: Sequence[Estimate]) -> tuple[list[float], list[float], list[float]]:
    return [one.value for one in given], [one.low for one in given], [one.high for one in given]


def _effect_scale(concepts: Sequence[TriedConcept]) -> Scale:
    ends = [
        end
        for concept in concepts
        for one in concept.influences
        for end in (one.effect.value, one.effect.low, one.effect.high, *one.random_effect)
    ]
    made = axis([0.0, *ends], from_zero=False)
    return Scale(tuple(zip(made.ticks, made.labels, strict=True)))


def _fall_scale(concepts: Sequence[TriedConcept]) -> Scale | None:
    gone = [each for concept in concepts if concept.erasure for each in concept.erasure.classes.values()]
    if not gone:
        return None
    made = axis([0.0, *(end for each in gone for end in (each.fall.low, each.fall.high, each.worst))], from_zero=False)
    return Scale(tuple((tick, f"{100 * tick:.0f}") for tick in made.ticks))
