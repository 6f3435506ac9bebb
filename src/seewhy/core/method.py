"""How a question is answered: the base of every heatmap method."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Literal

from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.core.rules import Coverage
from seewhy.core.values import as_plain

AUTO = "auto"
"""A layer of this name is replaced by the one that the session finds for the network."""


@dataclass(frozen=True)
class Source:
    """Where a formula comes from: authors, year, title; arXiv number or DOI; equation."""

    cite: str
    arxiv: str = ""
    equation: str = ""

    def __str__(self) -> str:
        return ", ".join(filter(None, [self.cite, f"arXiv {self.arxiv}" if self.arxiv else "", self.equation]))


@dataclass(frozen=True, eq=False)
class Attribution:
    """A heatmap together with what the method can say about its own truth.

    Attributes:
        heatmap: (b, *spatial).
        residual: for methods that promise completeness, per image: score explained minus sum of the map, in units of the score.
        notes: sentences about the whole block that a reader must know.
        error: for estimates: the standard error of each value of the map.
        figures: numbers per image about how good the estimate is, by their names: {"R² of the surrogate": (b,)}.
        coverage: for methods with backward rules: what was met on the way back.
    """

    heatmap: Float[Tensor, "b *spatial"]
    residual: Float[Tensor, " b"] | None = None
    notes: tuple[str, ...] = ()
    error: Float[Tensor, "b *spatial"] | None = None
    figures: Mapping[str, Float[Tensor, " b"]] = field(default_factory=dict)
    coverage: Coverage | None = None

    @classmethod
    def adding_up(
        cls,
        heatmap: Float[Tensor, "b *spatial"],
        explained: Float[Tensor, " b"],
        notes: tuple[str, ...] = (),
        **more: Any,
    ) -> "Attribution":
        """Return a map that promises to add up to `explained`, with what it misses as the residual."""
        return cls(heatmap, explained - heatmap.flatten(1).sum(dim=1), notes, **more)


class Anatomy(ABC):
    """What a method may ask about the network before it runs, in order to settle its layers."""

    @property
    @abstractmethod
    def target_layer(self) -> str:
        """The last layer with a spatial grid that the answer depends on."""

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """The shape (c, *spatial) of one input."""

    @abstractmethod
    def activation_shape(self, layer: str) -> tuple[int, ...]:
        """Return the shape (c, *spatial) of what a layer gives on its grid; raise `LayerError` where it has none."""

    @property
    @abstractmethod
    def token_layer(self) -> str:
        """The first layer that puts out tokens, with a place for each part of the picture; raise `LayerError` where there is none."""

    @property
    @abstractmethod
    def biased_layers(self) -> Sequence[str]:
        """The layers that run and add a constant to their output, in the order in which they finish; "conv#1" is a second call."""


class Method(ABC):
    """A way to draw a heatmap. Subclasses are frozen dataclasses whose fields are plain values.

    The facts below are data on the class; lists, forms, pages and contract tests are made from them.

    Attributes:
        key: the name in the registry, the paper's spelling in kebab-case.
        title: the name as people write it.
        family: "cam", "gradient", "perturbation", "propagation", "attention" or "control".
        access: what it asks of the network: only "answers" (a black box will do), "layers" too, or "gradients".
        signed: negative values mean evidence against the target.
        resolution: the map has the grid of the "layer" or of the "input".
        map_unit: unit of the map's values; {unit} stands for the unit of the score.
        complete: the map adds up to the score (or to its difference from a baseline), and the residual is reported.
        source: the paper.
        merit: one line about what the method is good at.
        caution: one line about when the map misleads.
    """

    key: ClassVar[str]
    title: ClassVar[str]
    family: ClassVar[Literal["cam", "gradient", "perturbation", "propagation", "attention", "control"]]
    access: ClassVar[Literal["answers", "layers", "gradients"]] = "gradients"
    signed: ClassVar[bool]
    resolution: ClassVar[Literal["layer", "input"]]
    map_unit: ClassVar[str] = "{unit}"
    complete: ClassVar[bool] = False
    source: ClassVar[Source]
    merit: ClassVar[str]
    caution: ClassVar[str]

    @abstractmethod
    def needs(self) -> Needs:
        """Return what the method wants to see of the pass over the images themselves."""

    def cost(self) -> Cost | None:
        """Return the passes per image, the shared one included; None where it depends on the image.

        Unless a method says otherwise: the shared forward, and one backward where it wants gradients.
        """
        return Cost(1, 1 if self.needs().gradients else 0)

    def cost_on(self, anatomy: "Anatomy") -> Cost | None:
        """Return the passes per image for one network and size of input, the method's layers settled; None where it depends on the image.

        Methods whose cost depends on the network (channels of a layer, windows of an image) say so here, and None in `cost`.
        """
        return self.cost()

    @abstractmethod
    def attribute(self, probe: Probe) -> Float[Tensor, "b *spatial"] | Attribution:
        """Return the heatmap of the probe's images for the probe's target."""

    def resolve(self, anatomy: Anatomy) -> "Method":
        """Return the method with every layer called "auto" replaced by the network's own."""
        layer = getattr(self, "layer", None)
        if layer == AUTO:
            return replace(self, layer=anatomy.target_layer)  # type: ignore[type-var]
        if isinstance(layer, tuple) and AUTO in layer:
            return replace(self, layer=tuple(anatomy.target_layer if name == AUTO else name for name in layer))  # type: ignore[type-var]
        return self

    def settings(self) -> dict[str, Any]:
        """Return the fields as plain values; `registry.make(key, **settings)` gives the method back."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}  # type: ignore[arg-type]
        return {name: as_plain(value) for name, value in values.items()}
