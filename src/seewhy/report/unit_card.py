"""From what was found out about a unit to its card: pictures cut and drawn, classes named, sentences written."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from seewhy.contributions.table import Estimate
from seewhy.core.cost import Cost
from seewhy.core.sample import Geometry
from seewhy.engine.session import Session
from seewhy.evaluation.natural import SAMPLE
from seewhy.evaluation.unit_effects import Effect
from seewhy.evaluation.unit_study import UnitStudy, highest
from seewhy.render.scene import drawing_size, scene
from seewhy.report.examine import shrunk
from seewhy.report.unit import ClassWeight, MadePicture, NaturalPatch, UnitCard
from seewhy.report.unit_words import check_lines, verdict
from seewhy.version import __version__
from seewhy.visualization.examples import Example

FEW = 20
"""With fewer natural pictures than this a card says that they are few."""
CLASSES = 6
"""Classes, at most, that a card names on each side."""
_PATCH, _WHOLE = 320, 320


def card(
    session: Session,
    found: UnitStudy,
    data: str,
    *,
    rank: int | None = None,
    command: str = "",
    cost: Cost | None = None,
    seed: int = 0,
) -> UnitCard:
    """Return the card of a unit.

    Args:
        session: knows the network and its classes.
        found: what was found out.
        data: the natural pictures, in words.
        rank: place of the unit by importance, where all units of its layer were measured.
        command: makes the card again.
        cost: passes that it took.
        seed: of the resamples that the intervals come from.
    """
    usual, channel, effect = found.natural, found.channel, found.effect
    speaks_for, speaks_against = ((), ()) if effect is None else weights(effect, session.model.labels, seed)
    return UnitCard(
        layer=found.layer,
        channel=channel,
        units=usual.units,
        model=session.model.title,
        data=data,
        pictures=usual.pictures,
        mean=float(usual.mean[channel]),
        deviation=float(usual.deviation[channel]),
        highest=highest(usual, found.examples),
        constant=float(usual.highest[channel]) if found.dead else None,
        made=_made(found),
        top=tuple(patch(session, found, example) for example in found.examples.top),
        strip=tuple(patch(session, found, example) for example in found.examples.strip),
        values=tuple(float(value) for value in found.examples.sampled),
        speaks_for=speaks_for,
        speaks_against=speaks_against,
        classes=0 if effect is None else effect.logits.shape[1],
        importance=None if effect is None else effect.importance(seed),
        rank=rank,
        ablated=0 if effect is None else len(effect.loss),
        labelled=0 if effect is None else effect.labelled,
        trust=found.trust,
        checks=check_lines(found.trust),
        verdict=verdict(found),
        cautions=_cautions(found),
        notes=(*found.notes, *_left_out(found)),
        command=command,
        provenance={"seewhy": __version__, "seed": seed, **_plainly(found.found.about)},
        cost=str(cost) if cost is not None else "",
    )


def weights(
    effect: Effect, labels: Sequence[str] | None, seed: int
) -> tuple[tuple[ClassWeight, ...], tuple[ClassWeight, ...]]:
    """Return the classes that a unit speaks for and against, the heaviest first; only those whose interval leaves zero out."""
    values = effect.weights()
    low, high = effect.intervals(seed)
    made = [
        ClassWeight(class_name(labels, k), Estimate(float(values[k]), float(low[k]), float(high[k])))
        for k in values.argsort(descending=True, stable=True).tolist()
    ]
    clear = [one for one in made if one.clear]
    return (
        tuple(one for one in clear if one.weight.value > 0)[:CLASSES],
        tuple(one for one in reversed(clear) if one.weight.value < 0)[:CLASSES],
    )


def class_name(labels: Sequence[str] | None, index: int) -> str:
    """Return a class in words."""
    return labels[index] if labels else f"class {index}"


def _made(found: UnitStudy) -> tuple[MadePicture, ...]:
    if found.made is None:
        return ()
    rows = zip(found.made.images, found.made.values.tolist(), found.made.seeds, strict=True)
    return tuple(MadePicture(as_picture(image), value, seed) for image, value, seed in rows)


def as_picture(image: Float[Tensor, "c h w"]) -> Image.Image:
    """Return values from 0 to 1 as a picture; the mean of other numbers of channels than one and three in grey."""
    shown = image if len(image) in (1, 3) else image.mean(dim=0, keepdim=True)
    pixels = (shown.expand(3, -1, -1).clamp(0, 1) * 255).round().to(torch.uint8).movedim(0, 2)
    return Image.fromarray(pixels.cpu().numpy())


def patch(session: Session, found: UnitStudy, example: Example) -> NaturalPatch:
    """Cut what the unit sees out of a natural picture, and draw on the whole of it where the unit is active."""
    picture = found.found.picture(example)
    heat = found.maps.get(example.picture)
    return NaturalPatch(
        crop=shrunk(found.found.crop(example, found.layer), _PATCH),
        whole=None if heat is None else _drawn(found, example, picture, heat),
        name=example.name.replace("\\", "/").rsplit("/", 1)[-1],
        value=example.value,
        quantile=example.quantile,
        label=None if example.label is None else class_name(session.model.labels, example.label),
    )


def _geometry(found: UnitStudy, example: Example, picture: Image.Image) -> Geometry:
    """Return how the network's input lies in a picture; one that was in memory is the input itself."""
    view = found.found.view
    height, width = view.size[-2:]
    if found.found.sources[example.picture].path is None and picture.size == (width, height):
        return Geometry((height, width), (0, 0, height, width), (height, width))
    return view.geometry((picture.height, picture.width))


def _drawn(found: UnitStudy, example: Example, picture: Image.Image, heat: Float[Tensor, "h w"]) -> Image.Image:
    """Draw an activation on its photo, on one scale for all photos of the unit: from zero to the largest natural value."""
    size = drawing_size(picture.size, _WHOLE, _WHOLE)
    limit = max(0.0, highest(found.natural, found.examples))
    geometry = _geometry(found, example, picture)
    on_source: Float[np.ndarray, "h w"] = geometry.to_source(heat.float(), (size[1], size[0])).numpy()
    values = np.where(np.isnan(on_source), np.nan, np.clip(on_source, 0, limit))
    return scene(picture, values, size, signed=False, limit=limit, outline=None)


def _cautions(found: UnitStudy) -> tuple[str, ...]:
    usual = found.natural
    lines = []
    if found.dead:
        value = float(usual.highest[found.channel])
        always = "always zero" if value == 0 else f"always {value:.3g}"
        lines.append(
            f"This unit is dead on these pictures: its largest activation is {always}. Natural patches show nothing of it."
        )
    elif usual.constant(found.channel):
        lines.append(
            f"This unit is at a ceiling: its largest activation is {float(usual.highest[found.channel]):.3g} on every picture, "
            "so the strongest natural pictures are merely the first ones."
        )
    if usual.pictures < FEW:
        lines.append(
            f"Only {usual.pictures} natural picture{'' if usual.pictures == 1 else 's'}: maximum, deviation and intervals are guesses."
        )
    if found.effect is not None and not found.effect.labelled:
        lines.append("No class of a picture is known from its name, so the loss is about the network's own answers.")
    return tuple(lines)


def _left_out(found: UnitStudy) -> tuple[str, ...]:
    """Say which pictures the search did not use."""
    search = found.found
    lines = []
    if search.broken:
        name, why = next(iter(search.broken.items()))
        lines.append(f"{len(search.broken)} pictures could not be read; the first: {name}: {why}")
    if search.duplicates:
        lines.append(
            f"{len(search.duplicates)} pictures are nearly the same as an earlier one and were left out of the search."
        )
    if min(SAMPLE, len(search.sources)) < 3:
        lines.append("Checks that compare natural pictures take at least three of them.")
    return tuple(lines)


def _plainly(about: Any) -> dict[str, Any]:
    return {str(key): value for key, value in dict(about).items()}
