"""The sum over concepts in words and terms: picture, page and terminal show the same."""

from dataclasses import dataclass, replace

from seewhy.concepts.photo_concepts import PhotoConcepts
from seewhy.concepts.stated import StatedConcepts
from seewhy.render.bar import figures, percent
from seewhy.render.waterfall import Step, summed

SHOWN = 6
"""Concepts that are shown one by one, at most; the others are one term."""
LEAST = 0.02
"""Share of all that concepts and the rest add and take away below which a concept is one of the others."""
LARGE = 0.25
"""Share of what is to be explained from which on a rest is worth a warning."""
REST = "what no concept explains"
FOUND = "A concept is a direction that was found in the layer, not a word: what it stands for, its pictures suggest and do not prove."
STATED = "A concept is called what the network's maker called it; whether that is what the network sees there is another question."
SUM = "The sum says how the network arrived at this number, not whether the answer is right."


@dataclass(frozen=True)
class Split:
    """What is shown of the sum.

    Attributes:
        shown: numbers of the concepts that are terms of their own, the largest first.
        steps: the sum, term by term, with the other concepts as one.
    """

    shown: tuple[int, ...]
    steps: tuple[Step, ...]


def split(photo: PhotoConcepts, count: int = SHOWN) -> Split:
    """Return the sum with its largest concepts one by one."""
    size = float(photo.contributions.abs().sum()) + abs(photo.rest) + abs(photo.offset)
    large = [number for number in photo.order if abs(float(photo.contributions[number])) >= LEAST * size]
    shown = tuple((large or list(photo.order[:1]))[:count])
    terms = [(photo.names[number], float(photo.contributions[number])) for number in shown]
    others = photo.order[len(shown) :]
    if others:
        noun = "other concept" if len(others) == 1 else "other concepts"
        terms.append((f"{len(others)} {noun}", float(photo.contributions[list(others)].sum())))
    if bool(photo.dictionary.offset.any()):
        terms.append(("offset of the dictionary", photo.offset))
    if photo.rest or not isinstance(photo.dictionary, StatedConcepts):
        terms.append((REST, photo.rest))
    if not photo.found.affine:
        terms.append(("missed by the sum", photo.error))
    *steps, last = summed(("the layer gives nothing", photo.baseline), terms, f"{photo.unit} of {photo.target}")
    return Split(shown, (*steps, replace(last, end=photo.score)))


def creed(photo: PhotoConcepts) -> tuple[str, ...]:
    """Return what is said at the foot."""
    return (STATED if isinstance(photo.dictionary, StatedConcepts) else FOUND, SUM)


def answer_line(photo: PhotoConcepts) -> str:
    """Return what the network says of the photo, in one sentence."""
    if not photo.top:
        return f"The score of {photo.target} is {figures(photo.score)} ({photo.unit})."
    told = ", ".join(f"{name} {percent(share)}" for name, share in photo.top)
    return f"The network says: {told}."


def sum_line(photo: PhotoConcepts) -> str:
    """Return where the score comes from, in one sentence with all its terms."""
    adding = photo.contributions.clamp_min(0).sum()
    against = photo.contributions.clamp_max(0).sum()
    parts = [f"{figures(photo.baseline)} where the layer gives nothing"]
    parts.append(f"{float(adding):+.3g} by concepts that speak for it")
    if float(against):
        parts.append(f"{float(against):+.3g} by concepts that speak against it")
    if bool(photo.dictionary.offset.any()):
        parts.append(f"{photo.offset:+.3g} by the dictionary's offset")
    if photo.rest or not isinstance(photo.dictionary, StatedConcepts):
        parts.append(f"{photo.rest:+.3g} by what no concept explains")
    parts.append(_error(photo))
    return f"{photo.target}: {figures(photo.score)} {photo.unit} = " + ", ".join(parts) + "."


def _error(photo: PhotoConcepts) -> str:
    size = float(photo.contributions.abs().sum()) + abs(photo.score)
    return "and nothing missing" if abs(photo.error) <= 1e-4 * size else f"{photo.error:+.2g} missed by the sum"


def how_line(photo: PhotoConcepts) -> str:
    """Return how exact the sum is, in one sentence."""
    if photo.found.affine:
        return f"What follows {photo.layer} was found to be linear on the way from nothing to this photo, so the sum is exact."
    return f"What follows {photo.layer} is not linear; the sum is that of the mean gradient at {photo.found.steps} places on the way from nothing to this photo."


def concept_line(photo: PhotoConcepts, number: int) -> str:
    """Return what one concept does to the score, in one sentence."""
    value = float(photo.contributions[number])
    if value == 0:
        return f"adds nothing to {photo.target}"
    verb = "speaks for" if value > 0 else "speaks against"
    return f"{verb} {photo.target}: {value:+.3g} {photo.unit}"


def cautions(photo: PhotoConcepts) -> tuple[str, ...]:
    """Return what a reader must know first."""
    told = []
    size = float(photo.contributions.abs().sum())
    if abs(photo.rest) > LARGE * (size + abs(photo.rest)):
        told.append(
            f"The concepts miss a large part: what none of them explains adds {photo.rest:+.3g}, all of them together {float(photo.contributions.sum()):+.3g}. "
            "A dictionary of more concepts, or one fitted to pictures like this, would miss less."
        )
    if abs(photo.error) > 0.02 * (size + abs(photo.score)):
        told.append(f"The sum is not exact: it misses {photo.error:+.3g} {photo.unit}.")
    return tuple(told)
