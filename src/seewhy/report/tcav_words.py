"""What trying given concepts found, in words."""

from seewhy.concepts.erasure import Erased
from seewhy.concepts.gate import Gate
from seewhy.concepts.sensitivity import Sensitivity, TriedConcept
from seewhy.concepts.tcav import Influence
from seewhy.contributions.table import Estimate
from seewhy.render.bar import figures

MOST_LINES = 6
"""Effects that are told in sentences."""
CREED = "A concept is what its pictures have and the others lack, their style too; and an effect is to first order, at these pictures."

READING = (
    (
        "concept",
        "A direction in the layer, from random pictures to those of the folder. It is told apart if held-out pictures lie on its side of the middle more "
        "often than with folders of as many random pictures, at 5 % over all concepts.",
    ),
    (
        "TCAV",
        "Share of the pictures of a class whose logit rises towards the concept (Kim et al. 2018). Where the network is nearly linear behind the layer it is "
        "0 or 1 for random concepts too: read it beside its band.",
    ),
    (
        "effect",
        "Logits that a picture of the class gains, to first order, by going as far as from random pictures to those of the concept, at every position.",
    ),
    ("band", "The middle 95 % of what folders of as many random pictures give."),
    (
        "chance",
        "How often random pictures have an effect as large, up or down: the rank of the effect among random concepts, corrected for all concepts and classes "
        "(Holm). For or against is said where it is at most 5 %.",
    ),
    (
        "without it",
        "How many fewer pictures are right once the direction is taken out of the layer at every position. The band ends at the worst of 19 random "
        "directions along which activations vary as much; a concept that does not go beyond it costs no more than chance, and one class in twenty goes beyond it "
        "by chance alone.",
    ),
)


def ordered(concept: TriedConcept) -> list[Influence]:
    """Return what a concept does to the classes, from those that it speaks for most to those that it speaks against."""
    return sorted(concept.influences, key=lambda one: -one.effect.value)


def heading(found: Sensitivity) -> str:
    """Return the question."""
    return f"Which concepts count at {found.layer}?"


def asked(found: Sensitivity, name: str) -> tuple[str, ...]:
    """Return what was tried, on what, in lines."""
    count = len(found.concepts)
    first = f"{name}: {found.pictures:,} pictures" if name else f"{found.pictures:,} pictures"
    return (
        f"{first}, {len(found.classes)} {'class' if len(found.classes) == 1 else 'classes'}, {count} concept{'s' if count > 1 else ''}",
        f"set against {found.others}; direction: {found.settings['way']}",
    )


def lines(found: Sensitivity) -> list[str]:
    """Return the first sentences: what speaks for and against what, and which concepts are not there."""
    passed = [concept for concept in found.concepts if concept.verified]
    told = [(concept, one) for concept in passed for one in concept.influences if one.significant]
    told.sort(key=lambda pair: -abs(pair[1].effect.value))
    made = [f"{_quoted(concept.name)} {_speaks(found, concept, one)}" for concept, one in told[:MOST_LINES]]
    if len(told) > MOST_LINES:
        made.append(f"… and {len(told) - MOST_LINES} more effects that random pictures do not have.")
    if not told:
        made.append("No concept does more to any class than random pictures do.")
    silent = [concept.name for concept in passed if not any(one.significant for one in concept.influences)]
    if silent:
        made.append(
            f"{_listed(silent)}: told from random pictures, but no class answers to {'it' if len(silent) == 1 else 'them'} more than to those."
        )
    failed = [concept.name for concept in found.concepts if not concept.verified]
    if failed:
        made.append(f"{_listed(failed)}: not told from random pictures.")
    return made


def _speaks(found: Sensitivity, concept: TriedConcept, one: Influence) -> str:
    towards = f"speaks {one.direction} {found.classes[one.category]}: {logits(one.effect)}"
    gone = concept.erasure and concept.erasure.classes.get(one.category)
    return f"{towards}; {_costs(gone)}." if gone and gone.certain and one.effect.value > 0 else f"{towards}."


def _costs(gone: Erased) -> str:
    return f"without it {points(gone.fall)} fewer of its pictures are right"


def _quoted(name: str) -> str:
    return f"\u201c{name}\u201d"


def _listed(given: list[str]) -> str:
    names = [_quoted(name) for name in given]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def logits(one: Estimate) -> str:
    """Return an effect with its interval: "+2.1 logits (+1.2 to +3.0)"."""
    return f"{one.value:+.1f} logits ({one.low:+.1f} to {one.high:+.1f})"


def points(one: Estimate) -> str:
    """Return a fall of a share with its interval, in percentage points."""
    said = f"{100 * one.value:.0f}"
    return f"{said} point{'' if said == '1' else 's'} ({100 * one.low:.0f} to {100 * one.high:.0f})"


def gate_line(concept: TriedConcept) -> str:
    """Return how well a concept is told from random pictures."""
    low, high = concept.gate.random
    return (
        f"{concept.gate.accuracy:.0%} of held-out pictures on the right side; random pictures {low:.0%} to {high:.0%} ({chance(concept.corrected, concept.gate)})"
    ).replace("%", " %")


def chance(value: float, found: Influence | Gate) -> str:
    """Return a corrected p-value: "p = 0.03", "p < 0.001"; "p ≤ 0.03" where no random concept does as much, so that it might be smaller."""
    if value < 1 and found.chance <= found.least * (1 + 1e-9):
        return f"p ≤ {value:.2g}"
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}" if value < 0.0995 else f"p = {value:.2f}"


def erasure_line(concept: TriedConcept) -> str:
    """Return what taking a concept out costs over all pictures; empty where that was not asked."""
    if concept.erasure is None:
        return ""
    whole = concept.erasure.everything
    more = (
        "more than any of 19 random directions of the same variance"
        if whole.certain
        else "no more than random directions of the same variance"
    )
    return (
        f"Taken out of the layer ({_share(concept.erasure.variance)} of its variance), {points(whole.fall)} fewer of all pictures are right: {more} "
        f"(on average {100 * whole.matched.value:.0f}, at worst {100 * whole.worst:.0f}); plain random directions {100 * whole.random.value:.0f}."
    )


def _share(value: float) -> str:
    return f"{figures(100 * value)} %"


def verdict(concept: TriedConcept) -> tuple[str, str]:
    """Return how a concept is marked: the kind of its mark, and the words."""
    if concept.verified:
        return "passes", "told from random pictures"
    return "fails", "not told from random pictures"


def cautions(found: Sensitivity) -> tuple[str, ...]:
    """Return what must be read first: what is left out."""
    made = [f"{name} is left out: {why}" for name, why in found.left_out.items()]
    if found.broken:
        name, why = next(iter(found.broken.items()))
        count = len(found.broken)
        made.append(
            f"{count} picture{'s' if count > 1 else ''} could not be read and {'are' if count > 1 else 'is'} left out, such as {name}: {why}"
        )
    return tuple(made)
