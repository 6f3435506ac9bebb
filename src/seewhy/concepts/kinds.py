"""Every kind of dictionary, by its key."""

from seewhy.concepts.dictionary import Dictionary
from seewhy.concepts.kmeans import KMeans
from seewhy.concepts.nmf import NMF
from seewhy.concepts.pca import PCA
from seewhy.concepts.sae import SparseAutoencoder
from seewhy.concepts.stated import Prototypes, StatedConcepts
from seewhy.concepts.vectors import ConceptVectors
from seewhy.errors import ConfigError, nearest


def kinds() -> dict[str, type[Dictionary]]:
    """Return every kind of dictionary by its key."""
    return {kind.key: kind for kind in (NMF, PCA, KMeans, SparseAutoencoder)}


def every_kind() -> dict[str, type[Dictionary]]:
    """Return every kind that may come out of a file: those that are found in activations, given by examples, or stated by the network."""
    return {**kinds(), **{kind.key: kind for kind in (ConceptVectors, StatedConcepts, Prototypes)}}


def kind_of(key: str) -> type[Dictionary]:
    """Return a kind by its key; raise `ConfigError` with the nearest names."""
    known = kinds()
    if key not in known:
        near = nearest(key, list(known))
        raise ConfigError(
            f"a dictionary is one of {', '.join(known)}; got {key!r}" + (f"; nearest: {near}" if near else "")
        )
    return known[key]
