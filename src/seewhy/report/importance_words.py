"""What a table of importance says, in words: what was asked, what "taken away" means, how sure it is."""

from collections.abc import Callable

from seewhy.contributions.table import Estimate, Importance, Weight
from seewhy.render.bar import figures

ONE = {
    "regions": "region",
    "superpixels": "superpixel",
    "foreground": "part of the picture",
    "bands": "input channel",
    "channels": "channel",
    "heads": "attention head",
    "layers": "layer",
    "concepts": "concept",
    "attributes": "attribute",
}
MANY = ONE | {"foreground": "parts of the picture"}


SHARES = ("accuracy", "area", "share")
"""What names of other numbers begin with that are shares, shown in percent."""


def plural(kind: str) -> str:
    """Return what units of a kind are called."""
    one = MANY.get(kind, kind)
    return one if kind not in ONE or kind == "foreground" else f"{one}s"


def heading(found: Importance) -> str:
    """Return the question that the table answers."""
    if found.kind == "attributes":
        return "Which attributes tell where the network fails?"
    where = f" of {found.layer}" if found.layer else ""
    return f"Which {plural(found.kind)}{where} count?"


def asked(found: Importance, name: str) -> tuple[str, ...]:
    """Return what was asked, of what, in lines."""
    pictures = f"{found.pictures} pictures" if found.pictures != 1 else "one picture"
    lines = [f"{name}: {pictures}" if name else pictures]
    if found.kind != "attributes":
        lines[0] += (
            f", {len(found.weights)} {plural(found.kind) if len(found.weights) > 1 else ONE.get(found.kind, found.kind)}"
        )
    lines.append(f"score: {found.target}{_in(found)}; loss: minus the log-probability of {_about(found)}")
    return tuple(lines)


def _in(found: Importance) -> str:
    return f" ({found.unit})" if found.unit and found.kind != "attributes" else ""


def _about(found: Importance) -> str:
    return "the label" if found.labels == "labels" else found.labels


def explained_line(found: Importance) -> str:
    """Return what share of the loss the attributes explain together; empty for other kinds."""
    share = found.explained.get("loss")
    if share is None:
        return ""
    if share.low <= 0:
        return (
            "Together the attributes explain nothing of the loss that chance would not "
            f"(share {signed_percent(share.value)}, 95 % interval {span(share, signed_percent)})."
        )
    beyond = " beyond what the class tells" if "loss, by the class alone" in found.explained else ""
    return (
        f"Together the attributes explain {signed_percent(share.value)} of how the loss differs from picture to picture{beyond} "
        f"(95 % interval {span(share, signed_percent)}; judged on pictures that the model has not seen)."
    )


def first_line(found: Importance) -> str:
    """Return which unit counts most, and how much."""
    first = found.weights[0]
    if found.kind == "attributes":
        if found.explained["loss"].low <= 0:
            return ""
        chance = "" if first.p is None else f", {chance_words(first.p)}"
        return f"{_capital(first.unit)} counts most: {signed_percent(first.loss.value)} of the variance of the loss{chance}."
    towards = "falls" if first.score.value >= 0 else "rises"
    one = first.score if first.score.value >= 0 else Estimate(-first.score.value, -first.score.high, -first.score.low)
    sure = "; the interval holds zero, so that even the sign is not sure" if one.high > one.low and one.low <= 0 else ""
    mean = " on average" if found.pictures > 1 else ""
    against = ", so it speaks against the answer" if first.score.value < 0 and not sure else ""
    return (
        f"{_capital(first.unit)} counts most: without it the score {towards} by {figures(one.value)}{_unit(found)}{mean}"
        f"{_interval(one)}{sure}{against}."
    )


def _capital(name: str) -> str:
    """Return a name as it begins a sentence: names with a dot, such as those of layers, are left as they are."""
    return name if "." in name or not name else name[0].upper() + name[1:]


def _unit(found: Importance) -> str:
    return f" {found.unit}" if found.unit else ""


def _interval(one: Estimate) -> str:
    return f" (95 % interval {span(one)})" if one.high > one.low else ""


def check_line(found: Importance) -> str:
    """Return whether the ranking holds, in a sentence; said also where that was not checked."""
    if found.check is not None:
        return found.check.words
    if found.kind == "attributes":
        return "The ranking is not checked: there is one attribute only."
    if found.pictures == 1:
        return "The ranking is not checked: that takes several pictures, some to rank by and others to judge by."
    return "The ranking is not checked; the notes say why."


def outcome(found: Importance) -> str:
    """Return "passes", "unclear" or "fails": whether the ranking does better than random orders."""
    if found.check is None:
        return "unclear"
    gap = found.check.gap
    return "passes" if gap.low > 0 else "fails" if gap.high < 0 else "unclear"


OUTCOMES = {
    "passes": "the ranking holds",
    "unclear": "the ranking is not shown to be true",
    "fails": "the ranking is worse than chance",
}


def verdict(found: Importance) -> str:
    """Return the outcome of the check in a few words."""
    return OUTCOMES[outcome(found)] if found.check is not None else "the ranking is not checked"


def reading(found: Importance) -> tuple[tuple[str, str], ...]:
    """Return how to read the table: a word and what it means."""
    return _reading_attributes(found) if found.kind == "attributes" else _reading_units(found)


def _reading_units(found: Importance) -> tuple[tuple[str, str], ...]:
    one = ONE.get(found.kind, "unit")
    lines = [
        (
            "taken away",
            f"in the place of a {one} stands: {found.replacement}. Another replacement is another question.",
        ),
        (
            "score",
            "how far the score falls when the unit is taken away, on average over the pictures. Above zero the unit speaks for the answer, "
            "below zero against it.",
        ),
        ("loss", "how far the loss rises then: above zero the network does worse without the unit."),
        (
            "interval",
            "where the average would lie for other pictures of this kind, 19 times out of 20 (bootstrap over pictures).",
        ),
        (
            "rank",
            "by the mean size of the change of the score, up or down: a unit that does much in both directions counts, though its mean is near zero.",
        ),
    ]
    if found.pictures == 1:
        lines[3] = (
            "interval",
            "there is one picture; where an interval is given, it is that of the estimate, not of other pictures.",
        )
    if found.check is not None:
        lines.append(
            (
                "check",
                "units are taken away one after the other. If the ranking is true, what the network gets right falls sooner in its order than in random ones. "
                "Each half of the pictures is ranked by the other half.",
            )
        )
    return tuple(lines)


def _reading_attributes(found: Importance) -> tuple[tuple[str, str], ...]:
    return (
        (
            "model",
            "a regression foretells the loss of a picture from its attributes; it is judged only on pictures that it has not seen.",
        ),
        ("taken away", f"an attribute is shuffled: each picture gets {found.replacement}."),
        (
            "share",
            "how much worse the model foretells the loss (or the score) then, as a share of its variance. Below zero it is noise.",
        ),
        (
            "interval",
            "where the share would lie for other pictures of this kind, 19 times out of 20 (bootstrap over pictures).",
        ),
        (
            "p",
            "the chance of so strong a link if the attribute added nothing to the others, corrected for their number (Holm). Attributes that move "
            "together have large p, as neither adds to the other.",
        ),
        (
            "gap",
            "mean loss of the pictures of a level minus that of all others; above zero the network does worse there. A plain difference: another "
            "attribute may stand behind it, which the p of the table above takes into account.",
        ),
        ("caution", "these are links, not causes: what is not in the table can stand behind an attribute."),
    )


def span(one: Estimate, say: Callable[[float], str] = figures) -> str:
    """Return an interval as "0.1 to 0.3"."""
    return f"{say(one.low)} to {say(one.high)}"


def figure_text(key: str, one: Estimate, pictures: int = 2) -> str:
    """Return one of the other numbers of a unit: accuracy and shares in percent; whether the one picture keeps its class."""
    if key == "accuracy" and pictures == 1 and one.value in (0.0, 1.0):
        return "yes" if one.value else "no"
    say = signed_percent if key.startswith(SHARES) else figures
    return say(one.value) + (f" ({span(one, say)})" if one.high > one.low else "")


def shows_size(found: Importance) -> bool:
    """Say whether the mean size of the change, by which units are ranked, is another number than the change itself."""
    return found.kind != "attributes" and any(abs(one.score.value) != one.magnitude.value for one in found.weights)


def estimate_text(one: Estimate, found: Importance) -> str:
    """Return a value with its interval, short: "1.2 (0.9 to 1.5)"."""
    say = signed_percent if found.kind == "attributes" else figures
    return say(one.value) + (f" ({span(one, say)})" if one.high > one.low else "")


def signed_percent(share: float) -> str:
    """Return a share in percent that may be below zero: "32 %", "1.8 %", "-0.4 %"."""
    digits = 0 if abs(share) >= 0.0995 else 1
    return f"{100 * share + 0.0:.{digits}f} %".replace("-0.0 %", "0.0 %")


def chance_words(p: float) -> str:
    """Return a p-value: "p = 0.03", "p < 0.001"."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}" if p < 0.0995 else f"p = {p:.2f}"


def chance(p: float | None) -> str:
    """Return a p-value for a narrow column."""
    return "–" if p is None else chance_words(p).removeprefix("p ").removeprefix("= ")


def columns(found: Importance) -> tuple[tuple[str, str], ...]:
    """Return the effects that are shown, the one that ranks first, each with its title."""
    if found.kind == "attributes":
        return (("loss", "share of the loss"), ("score", "share of the score"))
    unit = f", {found.unit}" if found.unit else ""
    return (("score", f"fall of the score{unit}"), ("loss", "rise of the loss, nats"))


def effect(weight: Weight, which: str) -> Estimate:
    """Return one of the effects of a unit."""
    return weight.loss if which == "loss" else weight.score
