"""Units of a layer whose activations are known already: nothing but what follows the layer runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch

from seewhy.contributions.baseline import MOST_PICTURES, baseline_of, channel_axis, even_places
from seewhy.contributions.effects import Asked
from seewhy.contributions.layer_channels import Channels
from seewhy.contributions.slices import Slices
from seewhy.contributions.study import LabelScore, Questions, Study
from seewhy.data.dataset import Batch, Dataset
from seewhy.data.features import Features
from seewhy.engine.block import Bill
from seewhy.engine.head import Head
from seewhy.engine.head_probe import HeadProbe
from seewhy.engine.session import Session
from seewhy.errors import ConfigError, LayerError

K = TypeVar("K", bound="KnownChannels")
FILLS = ("auto", "mean", "zero")
"""What may stand in the place of a channel: nothing for which a picture has to be looked at again."""
AT_ONCE = 64
"""Pictures at a time, where not one at a time: no picture is in memory, only what the layer gave for it."""


@dataclass(frozen=True, eq=False)
class Known:
    """What a layer gave for every picture of a data set, and what follows the layer.

    Attributes:
        features: of the layer; their pictures are the data.
        head: what follows.
    """

    features: Features
    head: Head

    @classmethod
    def of(cls, session: Session, features: Features) -> "Known":
        """Return the same with the head.

        Raises:
            LayerError: the answer does not depend on the layer alone, or is no row of numbers.
        """
        first = next(features.data.part([0]).batches(session.model, 1, features.fit))
        if session.predict(first.inputs).dim() != 2:
            raise LayerError(
                "the network's answer is no row of classes; leave out the cache, and the pictures are looked at again"
            )
        try:
            return cls(features, features.head(session))
        except LayerError as error:
            raise LayerError(f"{error}; or leave out the cache, and the pictures are looked at again") from error


@dataclass(frozen=True, eq=False)
class KnownChannels(Channels):
    """The channels of a layer, with what it gave for every picture.

    Args:
        features: of the layer; their pictures are the data.

    Raises:
        ConfigError: something is to stand in the place of a channel for which pictures have to be looked at again.
    """

    features: Features | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        single = self.features is None or len(self.features) < 2
        if self.fill not in FILLS or self.gradients or (self.fill == "auto" and single):
            raise ConfigError(
                "the cache holds what a layer gives for several pictures as they are: with it, channels are taken away (by 'ablation' or 'shapley') and "
                "replaced by their 'mean' or by 'zero'; leave it out for anything else"
            )

    def learned(self: K, session: Session, data: Dataset, seed: int) -> K:
        """Return the same units with their means, over the same pictures as without a cache."""
        found = self.features
        if found is None:
            raise ConfigError("the activations of the layer are not known; give features")
        axis = channel_axis(found.raw.shape, found.grid, found.layer)
        some = found.raw[even_places(len(found), MOST_PICTURES)]
        return replace(
            self,
            fill="mean" if self.fill == "auto" else self.fill,
            slices=(Slices(found.layer, "", found.raw.shape[axis]),),
            known={found.layer: baseline_of(found.layer, some, found.grid)},
        )


@dataclass(frozen=True, eq=False)
class KnownStudy(Study):
    """A study of units of a layer that is known: no picture is read, and nothing runs but what follows the layer.

    Args:
        about: the layer.
    """

    about: Known | None = None

    def asked(self, what: str, places: Sequence[int], rows: int | None = None) -> Iterator[Questions]:
        """Yield questions about pictures, a batch at a time."""
        done = 0
        several = self.rows if self.rows == 1 else AT_ONCE
        for some in torch.split(torch.as_tensor(places, dtype=torch.long), rows or several):
            yield self._known(some.tolist())
            done += len(some)
            if self.progress is not None and len(self.data) > 1:
                self.progress(what, done, len(places))

    def _known(self, places: list[int]) -> Questions:
        if self.about is None:
            raise ConfigError("a study of a layer that is known takes the layer")
        found = self.about.features
        labels = found.labels[places]
        probe = HeadProbe(
            self.about.head,
            found.raw[places],
            found.outputs[places],
            self.target or LabelScore(labels),
            Bill(watch=self._watch()),
        )
        batch = Batch(tuple(places), (), labels)
        return Questions(batch, [Asked(probe, self.units.of_batch(batch, 0), labels)])
