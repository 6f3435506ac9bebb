"""Superpixels as what a readable model reads: which kinds of segments a picture has."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float, Int
from sklearn import cluster  # type: ignore[import-untyped]
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from seewhy.concepts.dictionary import Dictionary
from seewhy.core.values import Array
from seewhy.data.features import Features
from seewhy.engine.model import Model
from seewhy.errors import ConfigError, DataError, LayerError
from seewhy.ops.segments import members, slic_segments
from seewhy.surrogates.basis import Basis

SUPERPIXELS = "superpixels"
SEGMENTS = 15
"""About how many of each picture: the coarsest of the three sizes of ACE."""
MOST_SEGMENTS = 1000
BATCH = 32


@dataclass(frozen=True, eq=False)
class Segmented:
    """The segments of some pictures.

    Attributes:
        pooled: the layer's mean activation over each segment (s, c).
        owner: the number of its picture (s,).
    """

    pooled: Float[Tensor, "s c"]
    owner: Int[Tensor, " s"]


class WordMaps(Dictionary):
    """Where a word is, place by place: how much nearer an activation is to it than to the next word, 0 where another is nearer.

    Limits: places, not segments: the pictures that it lights up show about where a segment of this word is.
    """

    key: ClassVar = "words"
    title: ClassVar = "superpixel words"

    @classmethod
    def fit(cls, rows: Float[Tensor, "m c"], count: int, seed: int = 0) -> "WordMaps":
        """Refuse: words are found among segments.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("superpixel words are found among segments of pictures: distill with on='superpixels'")

    def coded(self, rows: Float[Tensor, "m c"]) -> Float[Tensor, "m k"]:
        """Return by how much each word is the nearest."""
        away = torch.cdist(rows, self.atoms)
        if len(self) == 1:
            return torch.ones_like(away)
        nearest = away.topk(2, dim=1, largest=False)
        lead = nearest.values[:, 1:] - nearest.values[:, :1]
        return torch.zeros_like(away).scatter_(1, nearest.indices[:, :1], lead)


@dataclass(frozen=True, eq=False)
class SuperpixelWords(Basis):
    """1 for each word that a picture has: each of its segments is the word whose activation is nearest to its own.

    A picture, as the network sees it, is cut into about fifteen segments of even colour (SLIC). The layer's activation is averaged over each: the
    share of a cell that the segment covers is its weight. Words are the k means of all segments of the pictures to fit on.

    Args:
        at: name of the layer.
        words: (m, c).
        segments: about how many of each picture.

    Source: Ghorbani, Wexler, Zou and Kim 2019 (ACE), arXiv 1902.03129. Differs in: the activation of the whole picture is pooled over a segment, where
        ACE shows each segment to the network alone, enlarged on grey; one size of segments; no outliers are thrown out.
    Limits: the segments know colours, not objects; at a late layer an activation has also seen what lies around the segment.
        Cutting takes about 0.2 s for a picture of 224 pixels on one core, and is not kept in the cache.
    """

    at: str
    words: Float[Tensor, "m c"]
    segments: int = SEGMENTS
    _seen: "WeakKeyDictionary[Features, Segmented]" = field(default_factory=WeakKeyDictionary, repr=False)

    kind: ClassVar = SUPERPIXELS
    noun: ClassVar = "superpixel word"
    control_noun: ClassVar = "random words"

    @classmethod
    def fit(
        cls, features: Features, rows: Int[Tensor, " f"], count: int, seed: int = 0, segments: int = SEGMENTS
    ) -> "SuperpixelWords":
        """Return so many words of the segments of some of the pictures.

        Raises:
            LayerError: the layer has no two axes of positions.
            DataError: fewer segments than words.
        """
        made = cls(features.layer, torch.zeros(0, features.channels), segments)
        found = made.segmented(features)
        mine = found.pooled[torch.isin(found.owner, rows)]
        if len(torch.unique(mine, dim=0)) < count:
            raise DataError(
                f"{len(rows)} pictures have fewer different segments than {count} words; give more pictures, or ask for fewer"
            )
        middles = cluster.KMeans(count, n_init=3, random_state=seed).fit(mine.numpy()).cluster_centers_
        return replace(made, words=torch.from_numpy(middles).to(mine))

    @property
    def names(self) -> tuple[str, ...]:
        """Numbers from 0."""
        return tuple(f"word {number}" for number in range(len(self.words)))

    @property
    def layer(self) -> str:
        """Whose activations are pooled."""
        return self.at

    @property
    def maps(self) -> WordMaps:
        """Where each word is."""
        return WordMaps(self.words, torch.zeros(self.words.shape[1]), self.names, self.at)

    def read(self, features: Features) -> Float[Tensor, "n m"]:
        """Return 1 for each word that a picture has, 0 for the others.

        Raises:
            DataError: a picture cannot be read any more.
        """
        found = self.segmented(features)
        has = torch.zeros(len(features), len(self.words))
        has[found.owner, self.word_of(found.pooled)] = 1
        return has

    def word_of(self, pooled: Float[Tensor, "s c"]) -> Int[Tensor, " s"]:
        """Return the word of each segment."""
        return torch.cdist(pooled, self.words).argmin(dim=1)

    def segmented(self, features: Features) -> Segmented:
        """Return the segments of all pictures; they are cut once for the same features."""
        if features not in self._seen:
            self._seen[features] = _segmented(features, self.segments)
        return self._seen[features]

    def control(self, features: Features, seed: int) -> "SuperpixelWords":
        """Return as many words in random directions from the middle of these, as far from it as these are on average."""
        middle = self.words.mean(dim=0)
        noise = torch.randn(self.words.shape, generator=torch.Generator().manual_seed(seed))
        reach = (self.words - middle).norm(dim=1).mean()
        return replace(self, words=middle + reach * noise / noise.norm(dim=1, keepdim=True))

    def plain(self) -> dict[str, Any]:
        """Return layer, words and how many segments a picture has."""
        return {"layer": self.at, "words": Array.of(self.words).plain(), "segments": self.segments}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "SuperpixelWords":
        """Read back what `plain` gave."""
        words, segments = Array.from_plain(plain["words"]).tensor(), int(plain["segments"])
        if words.dim() != 2 or not words.numel() or not bool(words.isfinite().all()):
            raise ValueError(f"words of shape {tuple(words.shape)}, wanted is (m, c), all finite")
        if not 1 < segments <= MOST_SEGMENTS:
            raise ValueError(f"{segments} segments of a picture")
        return cls(str(plain["layer"]), words, segments)


def _segmented(features: Features, count: int) -> Segmented:
    if len(features.cells) != 2:
        raise LayerError(
            f"superpixels are averaged over the positions of a layer, and {features.layer!r} has {len(features.cells)} axes of them, not two; "
            "choose another layer"
        )
    pooled: list[Tensor] = []
    owner: list[Tensor] = []
    for batch in features.data.batches(_preparing(features), BATCH, features.fit, light=True):
        for row, image in zip(batch.places, batch.inputs, strict=True):
            found = _pooled(features.activation[row], slic_segments(image, count))
            pooled.append(found)
            owner.append(torch.full((len(found),), row))
    made = Segmented(torch.cat(pooled), torch.cat(owner))
    if len(torch.unique(made.owner)) < len(features):
        name, why = next(iter(features.data.broken.items()), ("one of them", "it is gone"))
        raise DataError(f"pictures must be read again to be cut into superpixels, and {name} cannot be: {why}")
    return made


def _preparing(features: Features) -> Model:
    """Return what prepares pictures as they were prepared for these features; it has no network in it."""
    return Model(nn.Identity(), **features.fingerprint.preprocessing)


def _pooled(activation: Float[Tensor, "c h w"], segments: Int[Tensor, "y x"]) -> Float[Tensor, "s c"]:
    """Return the mean activation over each segment, each cell weighted by the share of it that the segment covers."""
    covered = adaptive_avg_pool2d(members(segments).float(), (activation.shape[1], activation.shape[2])).flatten(1)
    weights = covered / covered.sum(dim=1, keepdim=True).clamp_min(1e-12)
    return weights @ activation.flatten(1).T
