"""Many pictures, one after the other: read ahead while the network works, broken ones set aside, labels where they are known."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.core.sample import Sample
from seewhy.data.normalization import known_classes
from seewhy.data.picture import expand, sample
from seewhy.engine.model import Fit, Model
from seewhy.errors import DataError, SeewhyError, ShapeError

AHEAD = 16
"""Pictures that are read before they are wanted."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Some pictures of a data set.

    Attributes:
        places: their numbers in the data set.
        samples: the pictures, prepared.
        labels: index of each one's class; -1 where it is not known.
    """

    places: tuple[int, ...]
    samples: tuple[Sample, ...]
    labels: Int[Tensor, " b"]

    @property
    def inputs(self) -> Float[Tensor, "b c *spatial"]:
        """The network's inputs."""
        return torch.stack([sample.inputs for sample in self.samples])


@dataclass(frozen=True, eq=False)
class Dataset:
    """Pictures with a name each, and the class of those of which it is known.

    Attributes:
        names: of the pictures.
        labels: index of the class, None where it is not known.
        paths: files to read; None where the samples are ready.
        ready: prepared samples, for data that is in memory.
        broken: what is wrong with the pictures that could not be read, by name; it grows while they are read.
    """

    names: tuple[str, ...]
    labels: tuple[int | None, ...]
    paths: tuple[Path, ...] | None = None
    ready: tuple[Sample, ...] | None = None
    broken: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def batches(self, model: Model, rows: int, fit: Fit | None = None, begin: int = 0) -> Iterator[Batch]:
        """Yield the pictures from number `begin` on, so many at a time; a broken one is left out and written down.

        Raises:
            DataError: none of the pictures can be read.
        """
        pending: list[tuple[int, Sample]] = []
        found = False
        for place, made in self._read(model, fit, begin):
            if made is None:
                continue
            found = True
            pending.append((place, made))
            if len(pending) == rows:
                yield self._batch(pending)
                pending = []
        if pending:
            yield self._batch(pending)
        if not found and begin < len(self):
            first = next(iter(self.broken.values()), "")
            raise DataError(f"none of the {len(self)} pictures can be read; the first: {first}")

    def _batch(self, pending: Sequence[tuple[int, Sample]]) -> Batch:
        places = tuple(place for place, _ in pending)
        labels = [-1 if (known := self.labels[place]) is None else known for place in places]
        return Batch(places, tuple(made for _, made in pending), torch.tensor(labels))

    def _read(self, model: Model, fit: Fit | None, begin: int) -> Iterator[tuple[int, Sample | None]]:
        if self.ready is not None:
            yield from list(enumerate(self.ready))[begin:]
            return
        with ThreadPoolExecutor(1, thread_name_prefix="seewhy-read") as pool:
            waiting: deque[tuple[int, Future[Sample]]] = deque()
            for place, path in list(enumerate(self.paths or ()))[begin:]:
                waiting.append((place, pool.submit(sample, path, model, fit)))
                if len(waiting) > AHEAD:
                    yield self._made(*waiting.popleft())
            while waiting:
                yield self._made(*waiting.popleft())

    def _made(self, place: int, future: "Future[Sample]") -> tuple[int, Sample | None]:
        try:
            return place, future.result()
        except DataError as error:
            self.broken[self.names[place]] = str(error)
            return place, None


def dataset(source: object, model: Model) -> Dataset:
    """Return a data set.

    Args:
        source: a folder, a list of files and folders, a pair (inputs (n, c, h, w), labels (n,)) of ready inputs, or a `Dataset`.
        model: names the classes; the class of a picture is told from the name of its folder or file.

    Raises:
        DataError: a folder without pictures.
        ShapeError: inputs and labels that do not fit each other.
    """
    if isinstance(source, Dataset):
        return source
    if isinstance(source, (str, Path)):
        source = [source]
    if isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], Tensor):
        return _from_tensors(*source)
    if not isinstance(source, (list, tuple)):
        raise SeewhyError(f"a data set is a folder, a list of files, or (inputs, labels), got {type(source).__name__}")
    paths = tuple(expand(source))
    return Dataset(tuple(map(str, paths)), tuple(known_classes(paths, model.labels)), paths)


def _from_tensors(inputs: Tensor, labels: object) -> Dataset:
    known = torch.as_tensor(labels)
    if inputs.dim() < 4 or known.shape != inputs.shape[:1]:
        raise ShapeError(
            f"ready data is (inputs (n, c, h, w), labels (n,)), got {tuple(inputs.shape)} and {tuple(known.shape)}"
        )
    names = tuple(f"image {index}" for index in range(len(inputs)))
    ready = tuple(Sample(row, name=name) for row, name in zip(inputs, names, strict=True))
    return Dataset(names, tuple(int(label) for label in known), ready=ready)
