"""`seewhy.concept_map`: one photo, and what each concept adds to what the network says of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from seewhy.api import ModelLike, Session, Source, TargetLike
from seewhy.concepts.dictionary import Dictionary
from seewhy.concepts.loading import load_dictionary
from seewhy.concepts.photo_concepts import PhotoConcepts, photo_concepts
from seewhy.concepts.pictures import ConceptPictures
from seewhy.concepts.stated import stated_concepts
from seewhy.core.sample import Sample
from seewhy.data.features import features
from seewhy.data.picture import sample
from seewhy.engine import session as engine
from seewhy.engine.model import Fit
from seewhy.errors import ConfigError, optional
from seewhy.report.concept_map_page import concept_map_page
from seewhy.report.concept_map_picture import concept_map_picture, concept_overlay
from seewhy.report.document import Document
from seewhy.targets import as_target

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class ConceptMap(Document):
    """What each concept adds to what a network says of one photo: baseline + contributions + offset + rest + error = score.

    Attributes:
        photo: the sum and its maps.
        pictures: of a data set, in which the concepts are strongest; None where none was given.
        command: makes it again; written on the page.
    """

    photo: PhotoConcepts
    pictures: ConceptPictures | None = None
    command: str = ""

    noun: ClassVar = "a concept map"

    @property
    def score(self) -> float:
        """What is split, in its unit (`photo.unit`)."""
        return self.photo.score

    @property
    def baseline(self) -> float:
        """The score where the layer gives nothing."""
        return self.photo.baseline

    @property
    def contributions(self) -> Float[Tensor, " k"]:
        """What each concept adds to the score; positive speaks for the target."""
        return self.photo.contributions

    @property
    def offset(self) -> float:
        """What the dictionary's offset adds."""
        return self.photo.offset

    @property
    def residual(self) -> float:
        """What is neither baseline nor offset nor any concept's."""
        return self.photo.residual

    @property
    def maps(self) -> Float[Tensor, "k *spatial"]:
        """What each concept adds at each place of the layer; each map sums to its contribution."""
        return self.photo.maps

    @property
    def order(self) -> tuple[int, ...]:
        """The concepts by the size of what they add, the largest first."""
        return self.photo.order

    def in_source(self, concept: int, size: tuple[int, int] | None = None) -> Float[Tensor, "h w"]:
        """Return the map of a concept on the pixels of the photo; NaN where the network saw nothing.

        Args:
            concept: its number.
            size: resolution (h, w) of the whole photo; its own if None.
        """
        return self.photo.in_source(self.maps[self._known(concept)], size)

    def overlay(self, concept: int) -> Image.Image:
        """Draw the map of one concept over the photo, with its scale."""
        return concept_overlay(self.photo, self._known(concept))

    def _known(self, concept: int) -> int:
        if not 0 <= concept < len(self.contributions):
            raise ConfigError(
                f"there is no concept {concept}; the dictionary has {len(self.contributions)}, from 0 to {len(self.contributions) - 1}"
            )
        return concept

    def picture(self) -> Image.Image:
        """Draw the sum, each concept on the photo, and pictures that show what it is."""
        return concept_map_picture(self.photo, self.pictures)

    def figure(self) -> "Figure":
        """Return the picture as a matplotlib figure (extra `plot`); nothing global is touched."""
        drawn = self.picture()
        made: Figure = optional("matplotlib.figure", "plot").Figure(
            figsize=(drawn.width / 120, drawn.height / 120), dpi=120
        )
        axes = made.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.imshow(drawn)
        return made

    def numbers(self) -> dict[str, Any]:
        """Return everything but the maps as plain values."""
        return self.photo.numbers()

    def page(self) -> str:
        """Return all of it as one HTML file."""
        return concept_map_page(self.photo, self.pictures, self.command)


def concept_map(
    photo: Source | Sample,
    model: ModelLike | engine.Session = None,
    dictionary: Dictionary | str | Path | None = None,
    target: TargetLike = None,
    *,
    data: object = None,
    fit: Fit | None = None,
    cache: str | Path | None = None,
    device: torch.device | str | None = None,
) -> ConceptMap:
    """Ask which concepts led to what the network says of one photo, and where they lie in it.

    The score is split into a sum: what is there without the layer's activation, what each concept adds (place by place), the dictionary's offset, what no
    concept explains, and the error of the sum, which is none where the network is linear behind the layer. All terms are told.

    Args:
        photo: a path, a PIL picture, a uint8 array (h, w, 3), a float tensor (3, h, w) with values from 0 to 1, or a prepared sample.
        model: a `seewhy.Model`, a name for `seewhy.load_model`, or a session that is open; the built-in network if None.
        dictionary: of one of its layers, or the file that `seewhy concepts` wrote. None: the concepts that the network itself states, see
            `seewhy.concepts.stated`.
        target: a class by name or index, a function of the answer, or one of `seewhy.targets`, such as `Contrast("tabby", "tiger cat")`; the predicted
            class if None.
        data: pictures that show what the concepts are: a folder, a list of files, or `Features` of the layer; none are shown if None.
        fit: "crop", "pad" or "squash"; the model's own way if None.
        cache: folder for the features of the data.
        device: where to run.

    Raises:
        ModelError: the dictionary was made for another network or for other preprocessing.
        SeewhyError: photo, layer or target does not fit; the message says what to do.

    Example:
        >>> found = seewhy.concept_map("cat.jpg", dictionary="concepts.safetensors")
        >>> found.overlay(found.order[0]).save("first.png")
    """
    session = _session(model, device)
    used = as_dictionary(dictionary, session)
    made = photo if isinstance(photo, Sample) else sample(photo, session.model, fit)
    found = photo_concepts(session, made, used, as_target(target))
    return ConceptMap(found, pictures_of(session, used, data, fit=fit, cache=cache))


def _session(model: ModelLike | engine.Session, device: torch.device | str | None) -> engine.Session:
    return model if isinstance(model, engine.Session) else Session(model, device=device)


def as_dictionary(given: Dictionary | str | Path | None, session: engine.Session) -> Dictionary:
    """Return a dictionary, read from its file where that is given; the concepts that the network states where nothing is.

    Raises:
        ConfigError: nothing is given, and the network states none.
    """
    if isinstance(given, Dictionary):
        return given
    if given is not None:
        return load_dictionary(given)
    stated = stated_concepts(session.model)
    if stated is None:
        raise ConfigError(
            f"{session.model.title} states no concepts of its own: give a dictionary, such as the file that `seewhy concepts` writes"
        )
    return stated


def pictures_of(
    session: engine.Session,
    dictionary: Dictionary,
    data: object,
    *,
    fit: Fit | None = None,
    cache: str | Path | None = None,
) -> ConceptPictures | None:
    """Return the pictures of a data set seen through the dictionary; None where no data set is given."""
    if data is None:
        return None
    return ConceptPictures(features(session, data, dictionary.layer, fit=fit, cache=cache), dictionary, session.model)
