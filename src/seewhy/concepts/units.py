"""Concepts as units: what the network loses without each, measured like regions, channels and heads."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seewhy.concepts.dictionary import Dictionary
from seewhy.contributions.units import Gone, Units
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.core.swap import Swap
from seewhy.data.dataset import Dataset
from seewhy.data.shelf import network_digest
from seewhy.engine.grid import Grid, raw_with
from seewhy.engine.model import Model
from seewhy.engine.session import Session
from seewhy.errors import ConfigError, LayerError


@dataclass(frozen=True, eq=False)
class ConceptUnits(Units):
    """The concepts of a dictionary; one that is taken away is subtracted, code times atom, at every position of the layer, and what follows runs again.

    Args:
        dictionary: of the concepts.
        grid: how positions lie in what the layer gives; found by `learned`.

    Limits: what the dictionary leaves unexplained stays, so that with all concepts gone the network still sees that rest; an activation without a
        concept may be one that no picture gives.
    """

    dictionary: Dictionary
    grid: Grid | None = None

    kind: ClassVar = "concepts"

    @property
    def names(self) -> tuple[str, ...]:
        """The concepts' names."""
        return self.dictionary.names

    @property
    def replacement(self) -> str:
        """What is left where a concept was, in words."""
        return "the activation less code times atom; what the dictionary leaves unexplained stays"

    @property
    def layer(self) -> str:
        """Where the concepts are."""
        return self.dictionary.layer

    def learned(self, session: Session, data: Dataset, seed: int) -> "ConceptUnits":
        """Return the same units, with the grid of the layer.

        Raises:
            LayerError: the network has no such layer, or one of another width.
        """
        first = next(data.batches(session.model, 1)).inputs
        made = session.network.forward(session.network.accept(first), self.needs())
        grid = made.grids[self.layer]
        shape = tuple(made.nodes[self.layer].shape)
        width = shape[1] if grid is None else grid.shape_of(shape)[0]
        if width != self.dictionary.atoms.shape[1]:
            raise LayerError(
                f"the dictionary is of {self.dictionary.atoms.shape[1]} channels, and layer {self.layer!r} of this network has {width}; "
                "it was made for another network, make one for this with `seewhy concepts`"
            )
        return replace(self, grid=grid)

    def of(self, model: Model) -> "ConceptUnits":
        """Return the same units; raise `ConfigError` where the dictionary was made for another network."""
        made_from = self.dictionary.fingerprint
        if made_from is not None and made_from.network != network_digest(model.module):
            raise ConfigError(
                f"the dictionary was made for another network than {model.title}, or for other weights of it; make one for this with `seewhy concepts`"
            )
        return self

    def needs(self) -> Needs:
        """Return the output of the layer."""
        return Needs(outputs=frozenset({self.layer}))

    def answers(self, probe: Probe, gone: Gone) -> Iterator[Float[Tensor, "b k"]]:
        """Yield the answers with some concepts taken away; none that is absent from all pictures is asked about."""
        raw = probe.trace().raw[self.layer]
        code = self.codes(probe)
        absent = (code == 0).all(dim=2).all(dim=0).cpu()
        return probe.swapped(self._swaps(raw, code, which & ~absent) for which in gone)

    def sizes(self, probe: Probe) -> Float[Tensor, "b m"]:
        """Return the mean magnitude of each code."""
        return self.codes(probe).abs().mean(dim=2)

    def codes(self, probe: Probe) -> Float[Tensor, "b m positions"]:
        """Return the codes of the probe's pictures, each encoded alone, so that none depends on the pictures beside it."""
        activation = self._activation(probe.trace().raw[self.layer])
        return torch.stack([self.dictionary.encode(one.flatten(1).T.float().cpu()).T for one in activation]).to(
            activation
        )

    def _activation(self, raw: Tensor) -> Float[Tensor, "b c positions"]:
        return (raw if self.grid is None else self.grid.apply(raw)).reshape(
            len(raw), self.dictionary.atoms.shape[1], -1
        )

    def _swaps(self, raw: Tensor, code: Tensor, which: Bool[Tensor, " m"]) -> dict[str, Swap]:
        """Return what stands in the place of the layer's output."""
        if not which.any():
            return {}
        less = torch.einsum("bmp,mc->bcp", code[:, which], self.dictionary.atoms[which].to(code))
        activation = raw if self.grid is None else self.grid.apply(raw)
        value = raw_with(raw, self.grid, activation - less.view_as(activation))
        return {self.layer: Swap(torch.ones((1,) * raw.dim(), dtype=torch.bool), value)}
