"""Ask everything about one photo: the answer, the maps, and how far to trust them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

from seewhy.contributions.channels import channel_contribution
from seewhy.core.cost import Cost
from seewhy.core.explanation import Explanation
from seewhy.core.method import Method
from seewhy.core.needs import Needs, at
from seewhy.core.sample import Sample
from seewhy.core.target import Target
from seewhy.engine.block import Block, Question
from seewhy.engine.model import Model, per_channel
from seewhy.engine.probe import NetworkProbe
from seewhy.engine.session import Session
from seewhy.evaluation.area import SHARE, concentration, evidence_area, place
from seewhy.evaluation.hide_test import HideTest as Test
from seewhy.evaluation.hide_test import HideTestResult
from seewhy.evaluation.scan_regions import scan_regions
from seewhy.render.bar import percent
from seewhy.report.alternatives import Alternative, alternatives, left_out
from seewhy.report.photo import Answer, ChannelFinding, HideTest, PhotoReport, TopClass
from seewhy.report.words import probability as written
from seewhy.targets.labels import FoundLabels

DRAWN = 720
"""Longest side, in pixels, at which a photo is drawn on a page."""
UNSURE = 0.3
"""Below this probability the page says that the network itself is unsure."""


@dataclass(frozen=True)
class Examination:
    """What to ask beside the map itself.

    Args:
        classes: how many of the likeliest classes are shown with their probability; where a method needs one pass only, with their maps.
        channels: how many of the strongest channels are shown, for methods that look at one layer.
        hide_test: whether to run the hide test.
        notes: what a reader must know beyond what the method says, such as why it was chosen.
    """

    classes: int = 5
    channels: int = 4
    hide_test: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Asked:
    """One photo that has been explained, with all that is needed to ask more about it.

    Attributes:
        explanation: the map, for whoever wants no more than that.
        session, sample, method, block, question: what was asked, and the pass that further questions share.
        layer: the layer whose channels are shown; None where the method looks at none, or at several.
        wanted: what else to ask.
        begun: what the session had spent before.
    """

    explanation: Explanation
    session: Session
    sample: Sample
    method: Method
    block: Block
    question: Question
    layer: str | None
    wanted: Examination
    begun: Cost


def ask(session: Session, sample: Sample, target: Target, method: Method, wanted: Examination | None = None) -> Asked:
    """Explain one photo for one target, in one pass that everything else that is wanted can share."""
    wanted, begun = wanted or Examination(), session.cost
    inputs = session.network.accept(sample.inputs[None])
    method = session.resolved(method, inputs)
    target = target.placed([sample], session.model.probability).suited(method.access, session.model.output)
    layer = _single_layer(method) if wanted.channels else None
    needs = method.needs() | target.needs() | (at(layer) if layer else Needs())
    block = session.block(inputs, needs)
    question = Question(block, target)
    if session.profile == "exact":
        explanation = session.attribute(question, method, [sample])
    else:  # the map alone may be made faster; what is asked beside it is asked of the network as it is
        explanation = session.answer([sample], [target], [method])[0][0]
    answer = block.shared.reading.output
    for note in (
        *wanted.notes,
        *_asked_about(question, sample),
        *left_out(answer, question.target, session.model.labels),
    ):
        explanation = explanation.noting(note)
    return Asked(explanation, session, sample, method, block, question, layer, wanted, begun)


def _asked_about(question: Question, sample: Sample) -> tuple[str, ...]:
    """Say which part of the picture is asked about, where it is a part of a map of the answer."""
    region = question.bound.region
    if region is None or region[0].dim() != 2:
        return ()
    weights = (region[0] / region[0].max()).float().cpu()
    here = place(sample.to_source(weights).nan_to_num(0) > 0.5)
    share = float((weights > 0).float().mean())
    return (
        f"asked about {percent(share)} of what the network sees{f': {here}' if here else ''}; the map shows what speaks for that, wherever it lies",
    )


def examine(asked: Asked, command: str = "") -> PhotoReport:
    """Return everything about one photo that belongs beside its map: other classes, tests, channels and figures.

    Args:
        asked: the photo, explained.
        command: the command that makes the same report again.
    """
    others = _others(asked)
    probe = NetworkProbe(asked.question, asked.method.needs())
    tested = Test().run(probe, asked.explanation)[0] if asked.wanted.hide_test else None
    maps = [(asked.explanation, probability_of(asked, asked.explanation)), *others]
    report = _report(asked, maps, tested, command)
    if asked.layer:
        report = _with_channels(report, asked, asked.layer)
    return replace(report, cost=costs(asked, tested))


def _single_layer(method: Method) -> str | None:
    layer = getattr(method, "layer", None)
    return layer if isinstance(layer, str) and method.resolution == "layer" else None


def likeliest(asked: Asked) -> tuple[tuple[str, float, int], ...]:
    """Return the likeliest classes: names, probabilities, indices; empty where the answer is no class."""
    return tuple((one.name, one.probability, one.index) for one in _said(asked))


def _said(asked: Asked) -> tuple[Alternative, ...]:
    """Return what the network says of the photo."""
    question = asked.question
    return alternatives(
        asked.block.shared.reading, question.target, question.bound.classes, asked.session.model, asked.wanted.classes
    )


def _others(asked: Asked) -> list[tuple[Explanation, float]]:
    """Return maps, with their probabilities, of what the network says beside the main question, where they are asked or cost one pass."""
    said = _said(asked)
    cheap = asked.method.cost() in (Cost(1, 0), Cost(1, 1))
    if not any(one.asked for one in said) or not (cheap or isinstance(asked.question.target, FoundLabels)):
        return []
    rest = [one for one in said if not one.asked]
    questions = [Question(asked.block, one.target) for one in rest]
    maps = [asked.session.attribute(question, asked.method, [asked.sample]) for question in questions]
    return [(made, one.probability) for made, one in zip(maps, rest, strict=True)]


def _report(
    asked: Asked,
    answered: Sequence[tuple[Explanation, float | None]],
    tested: HideTestResult | None,
    command: str,
) -> PhotoReport:
    maps, method = [made for made, _ in answered], asked.method
    main = maps[0]
    picture = shrunk(main.picture())
    size = (picture.height, picture.width)
    answers = [_answer(made, sureness, size) for made, sureness in answered]
    order = sorted(range(len(answers)), key=lambda n: -(answers[n].probability or 0))
    return PhotoReport(
        name=asked.sample.name,
        picture=picture,
        size=main.picture().size,
        model=asked.session.model.title,
        method=method.title,
        layer=", ".join(layers_of(method)),
        source=str(method.source),
        answers=tuple(answers[n] for n in order),
        chosen=order.index(0),
        top=tuple((name, share) for name, share, _ in likeliest(asked)),
        signed=method.signed,
        unit=main.map_unit,
        score_unit=main.unit,
        limit=max(made.scale_end() for made in maps),
        normalization=main.scale_words + (" over all maps of this photo" if len(maps) > 1 else " of this map"),
        hide_test=_hide_test(asked.session.model, main, tested, size),
        figures=estimate_figures(main),
        covered=str(main.coverage or ""),
        regions=scan_regions(main).rows if asked.sample.volume is not None else (),
        cautions=cautions(asked, main, answers[0].probability, tested),
        command=command,
        provenance=main.provenance | {"method": method.key, "settings": method.settings(), "area": SHARE},
    )


def _answer(made: Explanation, sureness: float | None, size: tuple[int, int]) -> Answer:
    """Return what is said about one target: its score, its map on the source picture, and where its evidence lies."""
    held = float(concentration(made)[0])
    return Answer(
        name=made.targets[0],
        score=float(made.score[0]),
        probability=sureness,
        heatmap=made.in_source(0, size).float().numpy(),
        concentration=None if np.isnan(held) else held,
        where=place(torch.from_numpy(_on_source(made, evidence_area(made)[0], size))),
    )


def layers_of(method: Method) -> tuple[str, ...]:
    """Return the layers that a method looks at."""
    layer = getattr(method, "layer", ())
    return (layer,) if isinstance(layer, str) else tuple(layer)


def shrunk(picture: Image.Image, longest: int = DRAWN) -> Image.Image:
    """Return a picture whose longer side has at most so many pixels."""
    shrink = longest / max(picture.size)
    if shrink >= 1:
        return picture
    return picture.resize(
        (max(1, round(picture.width * shrink)), max(1, round(picture.height * shrink))), Image.Resampling.LANCZOS
    )


def probability_of(asked: Asked, main: Explanation) -> float | None:
    """Return the probability of what a map is about; None for targets that have none."""
    chance = asked.question.bound.probability
    if chance is None:
        return None
    with torch.no_grad():
        return float(chance(asked.block.shared.reading)[0])


def _on_source(made: Explanation, area: Bool[Tensor, "h w"], size: tuple[int, int]) -> Bool[np.ndarray, "h2 w2"]:
    """Draw an area of the input on the source picture."""
    as_map = replace(made, heatmap=area[None].float())
    return (as_map.in_source(0, size).nan_to_num(0) > 0.5).numpy()


def _hide_test(
    model: Model, main: Explanation, tested: HideTestResult | None, size: tuple[int, int]
) -> HideTest | None:
    if tested is None:
        return None
    return hide_test_told(main, tested, _on_source(main, tested.area, size), viewed(tested.picture, model))


def top_classes(asked: Asked, main: Explanation) -> tuple[TopClass, ...]:
    """Return the likeliest classes, and which of them the map is about."""
    explained = None if main.classes is None else main.classes[0]
    return tuple(TopClass(name, share, index == explained) for name, share, index in likeliest(asked))


def hide_test_told(
    main: Explanation, tested: HideTestResult, area: Bool[np.ndarray, "..."], hidden: Image.Image | None = None
) -> HideTest:
    """Return what a hide test found, as the page tells it; `area` is the area as it is drawn there."""
    return HideTest(
        before=tested.before,
        hidden=tested.hidden,
        controls=tested.controls,
        share=float(tested.area.float().mean()),
        unit=tested.unit,
        outcome=tested.outcome,
        sentence=tested.sentence(main.targets[0]),
        area=area,
        hidden_picture=hidden,
    )


def viewed(inputs: Float[Tensor, "c h w"], model: Model) -> Image.Image | None:
    """Return a network's input as a picture, its normalization undone; None where that is not known or not one of colours."""
    if model.mean is None or model.std is None or inputs.dim() != 3 or len(inputs) not in (1, 3):
        return None
    mean, std = (torch.tensor(per_channel(value))[:, None, None] for value in (model.mean, model.std))
    pixels = (inputs.float() * std + mean).clamp(0, 1)
    pixels = pixels.flip(0) if model.channels == "bgr" else pixels
    return Image.fromarray((pixels.expand(3, -1, -1) * 255).round().byte().movedim(0, 2).numpy())


def estimate_figures(main: Explanation) -> dict[str, float]:
    """Return what the method says about its own estimate; a standard error as the share of the map's largest magnitude."""
    found = {name: values[0] for name, values in main.figures.items()}
    if main.error is not None:
        found["median standard error, share of the strongest value"] = float(
            main.error[0].median() / main.heatmap[0].abs().max().clamp_min(1e-30)
        )
    if main.residual is not None:
        found["not accounted for (residual)"] = float(main.residual[0])
    return found


def costs(asked: Asked, tested: HideTestResult | None) -> tuple[str, ...]:
    """Say what the map needed, what the test took, and what was spent in all, counted as it ran."""
    test = (f"hide test: {tested.cost}",) if tested is not None else ()
    whole = f"in all, with other classes and channels: {asked.session.cost - asked.begun}"
    return (f"map: {asked.explanation.cost}", *test, whole)


def cautions(asked: Asked, main: Explanation, sureness: float | None, tested: HideTestResult | None) -> tuple[str, ...]:
    """Return what a reader must know, the most serious first; `sureness` is the probability of what is explained, where it has one."""
    lines = list(main.notes[0])
    if tested is not None and tested.outcome == "fails":
        lines.append("The hide test fails: do not read this map as the reason for the answer.")
    if sureness is not None and sureness < UNSURE:
        lines.append(f"The network itself is unsure: it gives {main.targets[0]} a probability of {written(sureness)}.")
    lines.append(f"{main.method.title}: {main.method.caution}.")
    return tuple(lines)


def _with_channels(report: PhotoReport, asked: Asked, layer: str) -> PhotoReport:
    """Add the strongest channels of the layer, from the same pass."""
    found = channel_contribution(NetworkProbe(asked.question, at(layer)), layer)
    size = (report.picture.height, report.picture.width)
    rows = []
    for index in found.strongest(asked.wanted.channels)[0].tolist():
        drawn = replace(asked.explanation, heatmap=found.maps[:, index].cpu()).in_source(0, size).float().numpy()
        rows.append(ChannelFinding(index, float(found.contribution[0, index]), float(found.share[0, index]), drawn))
    return replace(report, channels=tuple(rows), channels_share=sum(row.share for row in rows))
