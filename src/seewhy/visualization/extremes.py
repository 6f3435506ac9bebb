"""The pictures that each channel of a layer ranks first, kept while batch after batch goes by; and a random sample of all pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

NOBODY = -1


class ChannelValues:
    """What a layer gave for a batch: the largest value of each channel, and where it is for the few rows that need it.

    Args:
        activation: (b, c, *spatial), or (b, c) without spatial axes.

    Attributes:
        channels: c.
        spatial: sizes of the spatial axes.
    """

    def __init__(self, activation: Float[Tensor, "b c *spatial"]) -> None:
        self.channels, self.spatial = activation.shape[1], tuple(activation.shape[2:])
        self._last = activation.dim() > 2 and activation.stride(1) == 1  # channels lie together: no copy is needed
        if not self.spatial:
            self._flat = activation
        else:
            self._flat = activation.movedim(1, -1).flatten(1, -2) if self._last else activation.flatten(2)

    @cached_property
    def largest(self) -> Float[Tensor, "b c"]:
        """The largest value over the positions, on the CPU."""
        values = self._flat.amax(1 if self._last else 2) if self.spatial else self._flat
        return values.float().cpu()

    @cached_property
    def smallest(self) -> Float[Tensor, "b c"]:
        """The smallest value over the positions, on the CPU."""
        values = self._flat.amin(1 if self._last else 2) if self.spatial else self._flat
        return values.float().cpu()

    def not_finite(self) -> list[int]:
        """Return the rows that hold NaN or infinity anywhere."""
        fine = (torch.isfinite(self.largest) & torch.isfinite(self.smallest)).all(dim=1)
        rows: list[int] = (~fine).nonzero()[:, 0].tolist()
        return rows

    def at(self, sign: int, rows: Int[Tensor, " n"], channels: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
        """Return the position of the largest (sign 1) or smallest (sign -1) value of a channel on a row, the first of several; -1
        without spatial axes.
        """
        if not self.spatial:
            return torch.full(rows.shape, NOBODY, dtype=torch.int32)
        rows, channels = rows.to(self._flat.device), channels.to(self._flat.device)
        values = self._flat[rows, :, channels] if self._last else self._flat[rows, channels]
        return (values.argmax(1) if sign > 0 else values.argmin(1)).int().cpu()


class Leaders:
    """For each channel the k pictures with the largest values so far; of equal values the earlier picture stands first.

    Memory is k times the number of channels, however many pictures go by. Values are float32 and start at minus infinity, so that channels
    that are negative everywhere have leaders too.

    Args:
        k: how many pictures are kept.
        channels: of the layer.
        sign: 1 for the largest value over the positions, -1 for the smallest.

    Attributes:
        values: (k, m), multiplied by the sign.
        pictures, positions: (k, m); -1 where there is none yet.
    """

    def __init__(self, k: int, channels: int, sign: int) -> None:
        self.sign = sign
        self.values = torch.full((k, channels), -torch.inf)
        self.pictures = torch.full((k, channels), NOBODY, dtype=torch.int32)
        self.positions = torch.full((k, channels), NOBODY, dtype=torch.int32)

    def see(self, seen: ChannelValues, pictures: Int[Tensor, " b"]) -> None:
        """Take a batch into account; its pictures come later than all before, and stand in order."""
        k, values = len(self.values), seen.largest if self.sign > 0 else -seen.smallest
        moved = (values > self.values[-1]).any(dim=0).nonzero()[:, 0]  # a tie with the last one comes too late
        if not len(moved):
            return
        pool = torch.cat([self.values[:, moved], values[:, moved]])
        order = pool.sort(dim=0, descending=True, stable=True).indices[:k]
        numbers = torch.cat([self.pictures[:, moved], pictures.int()[:, None].expand(-1, len(moved))])
        places = torch.cat([self.positions[:, moved], torch.full((len(values), len(moved)), NOBODY).int()])
        kept = places.gather(0, order)
        slots, columns = (order >= k).nonzero(as_tuple=True)
        kept[slots, columns] = seen.at(self.sign, order[slots, columns] - k, moved[columns])
        self.values[:, moved] = pool.gather(0, order)
        self.pictures[:, moved] = numbers.gather(0, order)
        self.positions[:, moved] = kept


@dataclass(frozen=True)
class Draw:
    """A random sample of pictures, decided by their content: the same whatever their order, and for all layers.

    Attributes:
        size: how many pictures it holds at most.
        tickets: of the pictures in it, as drawn from their content; the smallest win.
        pictures: their numbers, ascending.
    """

    size: int
    tickets: tuple[int, ...] = ()
    pictures: tuple[int, ...] = ()

    def see(self, tickets: Sequence[int], pictures: Sequence[int]) -> tuple["Draw", list[int]]:
        """Return the sample after some more pictures, and which rows of "those before, then the new ones" it holds."""
        tickets, pictures = (*self.tickets, *tickets), (*self.pictures, *pictures)
        winners = sorted(range(len(tickets)), key=lambda row: (tickets[row], row))[: self.size]
        rows = sorted(winners)
        return Draw(self.size, tuple(tickets[row] for row in rows), tuple(pictures[row] for row in rows)), rows


class Sampled:
    """What each channel gives for the pictures of a random sample.

    Attributes:
        values: largest value over the positions (s, m).
        positions: where (s, m).
    """

    def __init__(self, channels: int) -> None:
        self.values = torch.empty(0, channels)
        self.positions = torch.empty(0, channels, dtype=torch.int32)

    def see(self, rows: Sequence[int], seen: ChannelValues) -> None:
        """Keep these rows of "those before, then the batch's"."""
        before, channels = self.values.shape
        old = [row for row in rows if row < before]
        new = torch.tensor([row - before for row in rows if row >= before], dtype=torch.long)
        if len(old) == before and not len(new):
            return
        every = torch.arange(channels)
        where = seen.at(1, new.repeat_interleave(channels), every.repeat(len(new))).view(len(new), channels)
        self.values = torch.cat([self.values[old], seen.largest[new]])
        self.positions = torch.cat([self.positions[old], where])


class LayerSearch:
    """All that is kept of one layer while the pictures go by.

    Args:
        channels: of the layer.
        grid: its spatial axes.
        top: how many pictures are kept at either end.
    """

    def __init__(self, channels: int, grid: tuple[int, ...], top: int) -> None:
        self.channels, self.grid = channels, grid
        self.top, self.bottom = Leaders(top, channels, 1), Leaders(top, channels, -1)
        self.sampled = Sampled(channels)

    def see(self, seen: ChannelValues, pictures: Int[Tensor, " b"], rows: Sequence[int]) -> None:
        """Take a batch into account.

        Args:
            seen: what the layer gave.
            pictures: numbers of the batch's pictures.
            rows: what the random sample keeps of "its pictures so far, then the batch".
        """
        self.top.see(seen, pictures)
        self.bottom.see(seen, pictures)
        self.sampled.see(rows, seen)

    def tensors(self) -> dict[str, Tensor]:
        """Return all arrays by name."""
        found = {"sampled.values": self.sampled.values, "sampled.positions": self.sampled.positions}
        for end, leaders in (("top", self.top), ("bottom", self.bottom)):
            found |= {f"{end}.values": leaders.values, f"{end}.pictures": leaders.pictures}
            found[f"{end}.positions"] = leaders.positions
        return found

    def take_up(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `tensors` gave.

        Raises:
            ValueError: arrays of other shapes or kinds.
        """
        for name, before in self.tensors().items():
            found = tensors[name]
            if found.dtype != before.dtype or found.shape[1:] != before.shape[1:]:
                raise ValueError(
                    f"{name} has {found.dtype} {tuple(found.shape)}, wanted {before.dtype} {tuple(before.shape)}"
                )
        self.sampled.values, self.sampled.positions = tensors["sampled.values"], tensors["sampled.positions"]
        for end, leaders in (("top", self.top), ("bottom", self.bottom)):
            leaders.values, leaders.pictures = tensors[f"{end}.values"], tensors[f"{end}.pictures"]
            leaders.positions = tensors[f"{end}.positions"]


def strata(values: Float[Tensor, "s m"], rungs: int) -> Int[Tensor, "q m"]:
    """Return, for each channel, the row in the middle of each of so many equal strata of its values, the lowest first.

    Of equal values the earlier row is the lower one. Where there are fewer rows than strata, each row is its own.
    """
    count = len(values)
    rungs = min(rungs, count)
    order = values.sort(dim=0, stable=True).indices
    middles = [((2 * rung + 1) * count) // (2 * rungs) for rung in range(rungs)]
    return order[torch.tensor(middles, dtype=torch.long)]
