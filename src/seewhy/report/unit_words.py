"""The sentences of a unit card: what each check found, and what that allows a reader to say."""

from seewhy.evaluation.unit_study import UnitStudy
from seewhy.evaluation.unit_trust import Agreement, OwnRank, Path, Reached, Robustness, Trust
from seewhy.render.bar import figures
from seewhy.report.unit import CheckLine, UnitCard

NAMES = ("strength", "robustness", "own picture", "several starts", "way through the network")
"""What the five checks are called, in their order."""
FAR = 3.0
"""Times the natural maximum from which on a made picture is called far beyond it."""
CREED = (
    "A made picture shows what the unit answers to most, not what it does in photos; read it beside the natural patches.",
    "Natural patches are the best of this folder, no more: another folder may hold better ones.",
)
"""Said at the foot of every card."""


def check_lines(trust: Trust | None) -> tuple[CheckLine, ...]:
    """Return the five checks in words."""
    if trust is None:
        return ()
    return (
        _strength(trust.reached),
        _robust(trust.robustness),
        _own(trust.rank),
        _starts(trust.agreement, trust.reached),
        _way(trust.path),
    )


def _strength(found: Reached) -> CheckLine:
    ratio = f" ({found.ratio:.2f} ×)" if found.ratio is not None else ""
    figure = f"{figures(found.value)} made, {figures(found.natural)} natural{ratio}"
    if far_beyond(found):
        reading = "No natural picture here comes near: this folder may lack what the unit looks for, or no photo looks like that."
    elif found.holds:
        reading = "The made picture excites the unit at least as much as any natural picture here."
    else:
        reading = (
            "A natural picture excites the unit more: the ascent did not get there, so the natural patches say more."
        )
    return CheckLine(NAMES[0], found.holds, figure, reading)


def far_beyond(found: Reached) -> bool:
    """Say whether the made picture excites the unit so much more than any natural one that the two need not be about the same thing."""
    return found.ratio is not None and found.ratio >= FAR


def _robust(found: Robustness | None) -> CheckLine:
    if found is None:
        return _not_made(NAMES[1], "the made picture does not bring the unit above zero")
    figure = f"keeps {_share(found.mean)} on average, {_share(found.worst)} in the worst tenth of {found.views} views"
    if found.holds:
        reading = (
            "Small turns, shifts and changes of scale leave most of the effect: it does not hang on single pixels."
        )
    else:
        reading = (
            "Small turns, shifts and changes of scale take most of the effect away: the picture works by fine detail."
        )
    return CheckLine(NAMES[1], found.holds, figure, reading)


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


def _own(found: OwnRank | None) -> CheckLine:
    if found is None:
        return _not_made(
            NAMES[2], "the unit's largest activation is the same on all natural pictures, so nothing is unusual for it"
        )
    figure = f"place {found.rank} of {found.units} units, {figures(found.standing)} natural deviations above its mean"
    if found.holds:
        reading = (
            "Measured by what is usual for each, the picture lifts this unit above nearly all others of its layer."
        )
    else:
        reading = f"The picture lifts other units more, unit {found.first} most: it is not this unit's own."
    return CheckLine(NAMES[2], found.holds, figure, reading)


def _starts(found: Agreement | None, strength: Reached) -> CheckLine:
    if found is None:
        return _not_made(NAMES[3], "it takes two made pictures and two natural examples of a unit that moves")
    figure = f"{found.made:.2f} among {found.pictures} made, {found.top:.2f} among the strongest natural, {found.usual:.2f} among any"
    if not strength.holds:
        reading = "The made pictures did not get to what photos do, so their likeness says little."
        return CheckLine(NAMES[3], None, figure, reading)
    if found.holds:
        reading = f"From every start the same thing appears, as layer {found.layer} sees it."
    else:
        reading = (
            "The made pictures are less alike than the natural ones: a hint that the unit looks for several things."
        )
    return CheckLine(NAMES[3], found.holds, figure, reading)


def _way(found: Path | None) -> CheckLine:
    if found is None:
        return _not_made(
            NAMES[4], "it takes three natural examples of a unit that moves, and natural pictures beside them"
        )
    figure = f"within the band of natural pictures at {found.inside} of {len(found.points)} layers"
    if found.index is not None:
        told = sum(point.index is not None for point in found.points)
        layers = "layer" if told == 1 else f"{told} layers"
        figure += f"; {found.index:.2f} from 0, any picture, to 1, the strongest natural ones, over the {layers} where that can be told"
    if found.holds is None:
        reading = (
            "So does any photo here: the strongest natural ones have little in common on the way, so this says little."
        )
    elif found.holds:
        reading = (
            "On the way to the unit the network handles the made pictures much like the natural ones that excite it."
        )
    else:
        reading = (
            "On the way to the unit the network handles the made pictures unlike natural ones: "
            "what they show need not be what works in photos."
        )
    return CheckLine(NAMES[4], found.holds, figure, reading)


def _not_made(name: str, why: str) -> CheckLine:
    return CheckLine(name, None, "not made", f"Not made: {why}.")


def verdict(found: UnitStudy) -> str:
    """Return one sentence on how the card may be read; it never says what the unit means."""
    trust = found.trust
    if found.dead:
        value = figures(float(found.natural.highest[found.channel]))
        made = (
            ""
            if trust is None or trust.reached.value <= trust.reached.natural
            else (
                f"; a made picture does excite it ({figures(trust.reached.value)}), which tells what would, not what it does"
            )
        )
        return f"A dead unit here: it gives {value} on every one of {found.natural.pictures} natural pictures{made}."
    if found.natural.constant(found.channel):
        value = figures(float(found.natural.highest[found.channel]))
        return (
            f"Every natural picture brings this unit to {value} somewhere: read where it is active, not how strongly."
        )
    if trust is None:
        return "No picture could be made for this unit; the natural patches are all there is to read."
    return made_verdict(trust)


def made_verdict(trust: Trust) -> str:
    """Return how the made pictures may be read, by what their checks found."""
    if not trust.reached.holds:
        return "Read the natural patches: the made pictures do not excite the unit as much as photos do."
    failed = [check.name for check in check_lines(trust) if check.holds is False]
    like_natural = trust.path is not None and trust.path.holds
    if not failed and far_beyond(trust.reached) and not like_natural:
        return "The made pictures hold together, but no natural picture here comes near them: they need not show what excites the unit in photos."
    if not failed:
        return (
            f"Made pictures and natural patches may be read together: all {trust.made} checks that say something hold."
        )
    return f"Read the made pictures only beside the natural patches: {_listed(failed)} {'does' if len(failed) == 1 else 'do'} not hold."


def _listed(words: list[str]) -> str:
    quoted = [f"“{word}”" for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def importance_of(card: UnitCard) -> str:
    """Return what taking the unit away does to the loss, in words; empty where it was not measured."""
    found = card.importance
    if found is None:
        return ""
    about = "the label where it is known, else the network's own answer"
    if card.labelled == card.ablated:
        about = "the label"
    elif not card.labelled:
        about = "the network's own answer"
    if found.low > 0:
        does = "the network does worse without it"
    elif found.high < 0:
        does = "the network does better without it"
    else:
        does = "no clear effect"
    rank = f"; place {card.rank} of {card.units} in its layer" if card.rank else ""
    interval = f"[{figures(found.low)}, {figures(found.high)}]"
    return f"Without it the loss changes by {found.value:+.3g} {interval} over {card.ablated} pictures ({about}): {does}{rank}"
