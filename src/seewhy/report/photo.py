"""Everything that is said about one photo, as plain values: the page, the JSON and the terminal show the same."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image

from seewhy.evaluation.scan_regions import Region


@dataclass(frozen=True, eq=False)
class Answer:
    """One class (or other target) that the network was asked about.

    Attributes:
        name: "tabby", or a description of another target.
        score: value of the target.
        probability: probability of the class; None where the target is no class.
        heatmap: evidence on the source picture, at drawing resolution (h, w); NaN where the network saw nothing.
        concentration: share of the positive evidence inside the strongest fifth of the seen area; None if there is none.
        where: the place of the evidence, in words; empty if there is none.
    """

    name: str
    score: float
    probability: float | None
    heatmap: Float[np.ndarray, "h w"]
    concentration: float | None = None
    where: str = ""


@dataclass(frozen=True)
class TopClass:
    """One of the likeliest classes; `explained` where the map is about it."""

    name: str
    probability: float
    explained: bool


@dataclass(frozen=True, eq=False)
class HideTest:
    """Probability before and after the strongest area is blurred, against control areas of the same shape.

    Attributes:
        before, hidden: probability of the class (or value of the target) as it is, and with the area blurred.
        controls: the same with each control area blurred.
        share: share of the seen picture that the area covers.
        unit: "probability", or the unit of the target.
        outcome: "passes", "unclear" or "fails".
        sentence: the outcome in plain words, with the figures.
        area: the hidden area on the source picture, at drawing resolution; of a clip (t, h, w).
        hidden_picture: what the network saw with the area hidden, without its normalization; of a clip, one frame.
    """

    before: float
    hidden: float
    controls: tuple[float, ...]
    share: float
    unit: str
    outcome: Literal["passes", "unclear", "fails"]
    sentence: str
    area: Bool[np.ndarray, "*spatial"]
    hidden_picture: Image.Image | None = None


@dataclass(frozen=True, eq=False)
class ChannelFinding:
    """One channel of the layer: what it adds to the decision (signed), its share, and where it is active."""

    index: int
    contribution: float
    share: float
    heatmap: Float[np.ndarray, "h w"]


@dataclass(frozen=True, eq=False)
class PhotoReport:
    """One photo, one network, one method: the answers with their maps, and how far to trust them.

    Attributes:
        name: file name, for people (untrusted text: escape it).
        picture: the source picture, upright.
        size: its full size (w, h) in pixels; `picture` may be smaller.
        model: the network in words; method, layer: how the map was made; source: the paper.
        answers: the classes, most probable first; `chosen` is the index of the one that is explained.
        top: names and probabilities of the top classes, also those without a map.
        signed: negative values of the maps are evidence against.
        unit: unit of the map's values; `score_unit`: unit of the answers' scores ("logit" ...).
        limit: value at the end of the colour scale, shared by all maps of this photo; `normalization` says what it is, in words.
        hide_test: None where it was not run.
        channels: the strongest channels of the layer; empty where not asked; `channels_share` is what they carry together.
        figures: how good the map is as an estimate, by the names that the method gives them.
        covered: for methods with backward rules, what they did with which operations, in words.
        regions: of a picture out of a scan, how large the places above half of the map's maximum are, and where; empty otherwise.
        cost: passes, in words, for the map and for the tests.
        cautions: lines that a reader must see first.
        command: the command that makes this page again.
        provenance: versions, hashes, seeds and settings, for the JSON and the foot of the page.
    """

    name: str
    picture: Image.Image
    size: tuple[int, int]
    model: str
    method: str
    layer: str
    source: str
    answers: tuple[Answer, ...]
    chosen: int
    top: tuple[tuple[str, float], ...]
    signed: bool
    unit: str
    score_unit: str
    limit: float
    normalization: str
    hide_test: HideTest | None
    channels: tuple[ChannelFinding, ...] = ()
    channels_share: float | None = None
    figures: dict[str, float] = field(default_factory=dict)
    covered: str = ""
    regions: tuple[Region, ...] = ()
    cost: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    command: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def explained(self) -> Answer:
        """The answer that the page is about."""
        return self.answers[self.chosen]
