"""The sentences about concepts: what they explain, how far to trust them, how to read them."""

from collections.abc import Sequence
from math import floor
from pathlib import Path

from seewhy.concepts.discovered import STEADY, Concept, Concepts
from seewhy.concepts.pictures import Lit
from seewhy.contributions.table import Estimate
from seewhy.render.bar import figures, percent
from seewhy.report.sheet import kept

CREED = (
    "A concept is a direction in what the layer gives. Its pictures suggest what it stands for; they do not prove it.",
    "Importance says what the network uses, not whether it should; and it holds for these pictures.",
)
"""Said at the foot of every page."""

SLIGHT = 0.1
"""Beside the answer that a concept speaks for most, one for which it speaks by less than this share of that is not named."""
MOST_NAMED = 6
"""Concepts that a caution names."""

SCALES = {
    "shapley": "part in the score (logits)",
    "ablation": "fall of the score (logits)",
    "sobol": "share of the score's variance",
}
"""What importance is, by the rule."""


def title(found: Concepts) -> str:
    """Return what the page is about."""
    return f"What “{found.dictionary.layer}” is made of"


def subtitle(found: Concepts) -> str:
    """Return the network, the concepts and the pictures in one line."""
    model = found.provenance.get("model", "network")
    cells = " × ".join(map(str, found.features.cells))
    where = f"{found.features.channels} channels" + (f", {cells} positions" if cells else "")
    return f"{model} · {where} · {len(found)} concepts by {found.dictionary.title} · {len(found.features)} pictures"


def tiles(found: Concepts) -> list[tuple[str, str]]:
    """Return the head lines: a figure, and what it says."""
    about = found.figures
    made = [
        (
            kept(percent(max(0.0, about.explained))),
            f"of what the layer gives (its variance) is explained by these {len(found)} concepts together",
        )
    ]
    if about.agreement is not None:
        control = (
            "" if about.control is None else f"; with as many random directions {kept(percent(about.control.value))}"
        )
        made.append(
            (
                kept(percent(about.agreement.value)),
                f"of the pictures keep their predicted class when the network sees nothing but these concepts{control}",
            )
        )
    if about.chance is not None:
        living = found.living
        steady = sum(one.steady for one in living)
        made.append(
            (
                f"{steady} of {len(living)}",
                f"concepts come out nearly the same from other starts and from either half of the pictures "
                f"(stability of at least {STEADY:.1f}; random directions reach {about.chance:.2f})",
            )
        )
    return made


def cautions(found: Concepts) -> list[str]:
    """Return what must be read first."""
    lines = []
    if found.figures.explained < 0.5:
        lines.append(
            kept(
                f"The concepts explain only {percent(max(0.0, found.figures.explained))} of what the layer gives; most of it they do not tell about. "
                "More of them explain more."
            )
        )
    about = found.figures
    if about.agreement is not None and about.control is not None and about.agreement.low <= about.control.value:
        lines.append("Rebuilt from the concepts, the network keeps no more of its answers than from random directions.")
    shaky = [one for one in found.living if one.stability is not None and not one.steady]
    if shaky:
        lines.append(_unstable(shaky, found))
    dead = [one for one in found.concepts if one.note]
    if dead:
        lines.append(f"{_are(dead)} no concept at all: active in no picture, or the same in all.")
    if found.features.data.broken:
        name, why = next(iter(found.features.data.broken.items()))
        count = len(found.features.data.broken)
        lines.append(
            f"{count} picture{'s' if count > 1 else ''} could not be read and {'are' if count > 1 else 'is'} left out; the first: {why if name in why else f'{name}: {why}'}"
        )
    if found.figures.weighed == 0:
        lines += [_sentence(note) for note in found.notes if note.startswith("importance is not known")]
    return lines


def notes(found: Concepts) -> list[str]:
    """Return what must be known about how it was measured."""
    return [_sentence(note) for note in found.notes if not note.startswith("importance is not known")]


def _unstable(shaky: Sequence[Concept], found: Concepts) -> str:
    if len(shaky) == len(found.living):
        return (
            f"All {len(shaky)} concepts are unstable: another {len(found.features)} pictures of the same kind would give others. Read them as a "
            "sketch of what is in these pictures, and take more pictures, or fewer concepts, before you build on one."
        )
    return (
        f"{_are(shaky)} unstable: other pictures of the same kind would give other concepts in {_their(shaky)} place. "
        f"{_marked(shaky)} marked."
    )


def _are(listed: Sequence[Concept]) -> str:
    names = ", ".join(f"“{kept(one.name)}”" for one in listed[:MOST_NAMED])
    more = f" and {len(listed) - MOST_NAMED} more" if len(listed) > MOST_NAMED else ""
    return f"{names}{more} {'are' if len(listed) > 1 else 'is'}"


def _their(listed: Sequence[Concept]) -> str:
    return "their" if len(listed) > 1 else "its"


def _marked(listed: Sequence[Concept]) -> str:
    return "They are" if len(listed) > 1 else "It is"


def _sentence(note: str) -> str:
    return note[:1].upper() + note[1:].rstrip(".") + "."


def size_text(one: Concept, by: str) -> str:
    """Return how much a concept counts, with its interval."""
    if one.size is None:
        return "not known"
    if by == "sobol":
        return f"{kept(percent(one.size.value))} ({percent(one.size.low)} to {kept(percent(one.size.high))})"
    return f"{figures(one.size.value)} logits ({figures(one.size.low)} to {figures(one.size.high)})"


def stability_text(one: Concept) -> str:
    """Return how surely it is found again."""
    if one.stability is None:
        return "not known"
    if one.steady:
        return f"{one.stability:.2f}"
    return f"{floor(100 * one.stability) / 100:.2f}, unstable"  # one that is just below is not called as good as those above


def share_text(one: Concept) -> str:
    """Return its share of what the layer gives."""
    return kept(percent(max(0.0, one.share)))


def classes_text(one: Concept) -> str:
    """Return the classes of its strongest pictures: "frog 71 % (of all pictures 10 %)"."""
    return ", ".join(
        kept(f"{entry.name} {percent(entry.share)} (of all pictures {percent(entry.base)})")
        for entry in one.classes[:3]
    )


def speaks(one: Concept, most: int = 3) -> list[tuple[str, str]]:
    """Return the answers that a concept speaks for with what they lose without it, those beside which it is not slight."""
    largest = max(one.speaks_for.values(), default=0.0)
    listed = [(name, signed(value)) for name, value in one.speaks_for.items() if value >= SLIGHT * largest]
    return listed[:most]


def caption(found: Concepts, lit: Lit) -> str:
    """Return what stands under a picture: its class where that is known, else its file."""
    return found.classes[lit.picture] or Path(lit.name).stem


def signed(value: float) -> str:
    """Return a number with its sign."""
    return f"{value:+.2g}"


def effect_text(value: Estimate) -> str:
    """Return an effect with its sign and interval."""
    return f"{value.value:+.2f} ({value.low:+.2f} to {value.high:+.2f})"


def reading(found: Concepts) -> list[tuple[str, str]]:
    """Return how the page is read: a term, and what it means."""
    how = {
        "shapley": "How much of the score (the logit) of a picture's class is this concept's part, on average over the orders in which concepts could be "
        "taken away (Shapley value); the size of it, mean over pictures. Parts of a picture's concepts add up to what all of them do.",
        "ablation": "How far the score (the logit) of a picture's class moves when the concept alone is taken away; the size of it, mean over pictures.",
        "sobol": "The share of the ups and downs of the score that would be left if all concepts but this one were known, while all are turned up and "
        "down at random (total-order Sobol index, as in CRAFT); mean over pictures.",
    }[found.by]
    patches = (
        "Above, the part of a picture that the layer sees where the concept is strongest; below, the whole picture, dark where the concept is "
        "less than half as strong (point at a picture to see all of it)."
        if found.pictures.local
        else "Pictures are shown as the network sees them, dark where the concept is less than half as strong as at its peak there "
        "(point at a picture to see all of it)."
    )
    return [
        (
            "pictures",
            patches
            + " Those in which it is strongest come first, each with how strong it is there beside the first; near-duplicates are left out.",
        ),
        ("importance", f"{how} The line over the bar is a 95 % interval over pictures."),
        (
            "speaks for",
            "The answers that lose most when it is taken away, in logits against the mean of all answers.",
        ),
        (
            "found with",
            "Classes that are met more often among its strongest pictures than chance would have it (hypergeometric test, corrected for all concepts and "
            "classes). A concept without any bears its number: names are never made up.",
        ),
        (
            "stability",
            "How nearly the same direction comes out from other starts and from the halves of the pictures: 1 is the same, and below "
            f"{STEADY} it is called unstable.",
        ),
        ("share", "By how much the concepts explain less of what the layer gives without this one."),
        (
            "present in",
            "Share of the pictures in which it is at least half as strong as in its strongest ones.",
        ),
    ]
