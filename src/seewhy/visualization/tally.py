"""All that a search keeps while the pictures go by, and how it is put away and taken up again."""

from array import array
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.data.dataset import Batch, Mark
from seewhy.data.likeness import Likeness
from seewhy.errors import DataError
from seewhy.visualization.extremes import ChannelValues, Draw, LayerSearch


class Tally:
    """What is known after some of the pictures.

    Args:
        top: pictures that are kept at either end of each channel.
        sample: pictures of the random sample.
        distinct: leave out pictures that are nearly the same as an earlier one.
        seed: of the random sample.

    Attributes:
        layers: what is kept of each layer; empty before the first batch.
        draw: which pictures the random sample holds.
        place: number of the first picture that is not yet in it.
        seen: how many pictures are in it.
        doubles: number of each picture that was left out, with that of the earlier one.
        broken: what is wrong with pictures that the network gives no finite numbers for, and those that cannot be read, by number.
    """

    def __init__(self, top: int, sample: int, *, distinct: bool, seed: int) -> None:
        self.top, self.distinct, self.seed = top, distinct, seed
        self.layers: dict[str, LayerSearch] = {}
        self.draw = Draw(sample)
        self.likeness = Likeness()
        self.numbers = array("i")
        self.place = self.seen = 0
        self.doubles: dict[int, int] = {}
        self.broken: dict[int, str] = {}

    def new(self, batch: Batch) -> list[int]:
        """Return the rows of a batch that are like no picture before them; note the others."""
        rows = []
        for row, (place, mark) in enumerate(zip(batch.places, batch.marks, strict=True)):
            earlier = self.likeness.find(mark.likeness) if self.distinct else None
            if earlier is None:
                rows.append(row)
                self._remember(place, mark)
            else:
                self.doubles[place] = self.numbers[earlier]
        return rows

    def _remember(self, place: int, mark: Mark) -> None:
        if self.distinct:
            self.likeness.add(mark.likeness)
            self.numbers.append(place)

    def see(
        self, activations: Mapping[str, Float[Tensor, "b c *spatial"]], places: Sequence[int], marks: Sequence[Mark]
    ) -> None:
        """Take what the layers gave for some pictures into account; one with NaN or infinity anywhere is set aside."""
        looked = {name: ChannelValues(value) for name, value in activations.items()}
        bad = {row: name for name, one in looked.items() for row in one.not_finite()}
        if bad:
            for row, name in bad.items():
                self.broken[places[row]] = f"the network gives NaN or infinity at layer {name!r}"
            good = [row for row in range(len(places)) if row not in bad]
            looked = {name: ChannelValues(value[good]) for name, value in activations.items()}
            places, marks = [places[row] for row in good], [marks[row] for row in good]
        if not places:
            return
        tickets = [ticket(mark.digest, self.seed) for mark in marks]
        self.draw, rows = self.draw.see(tickets, places)
        numbers = torch.tensor(places)
        for name, one in looked.items():
            if name not in self.layers:
                self.layers[name] = LayerSearch(one.channels, one.spatial, self.top)
            self.layers[name].see(one, numbers, rows)
        self.seen += len(places)

    def tensors(self) -> dict[str, Tensor]:
        """Return all arrays, to be put away."""
        found = {
            "likeness": torch.from_numpy(self.likeness.known.copy()),
            "numbers": torch.tensor(self.numbers, dtype=torch.int32),
        }
        for number, layer in enumerate(self.layers.values()):
            found |= {f"{number}.{name}": tensor for name, tensor in layer.tensors().items()}
        return found

    def facts(self) -> dict[str, Any]:
        """Return everything else, as plain values."""
        return {
            "layers": [[name, layer.channels, list(layer.grid)] for name, layer in self.layers.items()],
            "tickets": [str(number) for number in self.draw.tickets],
            "drawn": list(self.draw.pictures),
            "place": self.place,
            "seen": self.seen,
            "doubles": [list(pair) for pair in self.doubles.items()],
            "broken": [list(pair) for pair in self.broken.items()],
        }

    def take_up(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Go on from what `tensors` and `facts` gave; raise `DataError` where it is no such thing."""
        try:
            for number, (name, channels, grid) in enumerate(facts["layers"]):
                layer = LayerSearch(int(channels), tuple(map(int, grid)), self.top)
                layer.take_up({key: tensors[f"{number}.{key}"].clone() for key in layer.tensors()})
                self.layers[str(name)] = layer
            tickets, drawn = tuple(map(int, facts["tickets"])), tuple(map(int, facts["drawn"]))
            self.draw = Draw(self.draw.size, tickets, drawn)
            self.likeness = Likeness(np.asarray(tensors["likeness"].numpy(), np.uint8))
            self.numbers = array("i", tensors["numbers"].tolist())
            self.place, self.seen = int(facts["place"]), int(facts["seen"])
            self.doubles = {int(place): int(earlier) for place, earlier in facts["doubles"]}
            self.broken = {int(place): str(why) for place, why in facts["broken"]}
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"not a search that can be taken up: {error}") from error


def ticket(digest: bytes, seed: int) -> int:
    """Return the number that decides whether a picture is in the random sample: drawn from its content alone."""
    return int.from_bytes(blake2b(digest, digest_size=8, key=seed.to_bytes(8, "big", signed=True)).digest(), "big")
