"""Networks whose layer holds concepts that are known, and data that shows them."""

import torch
from torch import Tensor, nn

import seewhy
from seewhy.concepts.dictionary import Dictionary
from seewhy.concepts.nmf import NMF
from seewhy.concepts.replay import ConceptReplay
from seewhy.data.features import Features, features

COUNT, SIDE = 24, 4


class Layered(nn.Module):
    """The layer hands on a picture that is never negative; the head is a linear map of the means, or of their squares as well."""

    def __init__(self, weight: Tensor, *, squared: bool = False) -> None:
        super().__init__()
        self.layer = nn.ReLU()
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.arange(len(weight), dtype=weight.dtype) / 7)
        self.squared = squared

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of the classes."""
        mean = self.layer(x).mean(dim=(2, 3))
        return (mean + mean.square() if self.squared else mean) @ self.weight.T + self.bias


def session_of(weight: Tensor, *, squared: bool = False, labels: tuple[str, ...] | None = None) -> seewhy.Session:
    """Return a session of such a network; the weight is (classes, channels)."""
    network = Layered(weight.float(), squared=squared)
    return seewhy.Session(seewhy.Model(network, size=SIDE, mean=0.0, std=1.0, labels=labels, name="layered"))


def pictures(channels: int, count: int = COUNT, seed: int = 0) -> Tensor:
    """Return inputs (n, channels, h, w) that are never negative."""
    return torch.rand(count, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def features_of(session: seewhy.Session, inputs: Tensor, labels: Tensor | None = None) -> Features:
    """Return what the layer gives for inputs."""
    known = torch.full((len(inputs),), -1) if labels is None else labels
    return features(session, (inputs, known), "layer")


def channels_as_concepts(channels: int) -> Dictionary:
    """Return the dictionary in which each channel is a concept, named by its number."""
    names = tuple(f"concept {number}" for number in range(channels))
    return NMF(torch.eye(channels), torch.zeros(channels), names=names, layer="layer")


def replay_of(session: seewhy.Session, found: Features, dictionary: Dictionary) -> ConceptReplay:
    """Return what replays concepts of these features."""
    return ConceptReplay(found.head(session), found, dictionary, dictionary.codes(found))
