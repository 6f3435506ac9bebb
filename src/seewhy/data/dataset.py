"""Many pictures, one after the other: read ahead while the network works, broken ones set aside, labels where they are known."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.core.sample import Sample
from seewhy.data.likeness import SIGNATURE_BYTES, signature
from seewhy.data.normalization import known_classes
from seewhy.data.picture import expand
from seewhy.data.source import clips_in, sample
from seewhy.engine.model import Fit, Model
from seewhy.errors import DataError, SeewhyError, ShapeError

AHEAD = 16
"""Pictures that are read before they are wanted."""

READERS = 2
"""Threads that read; decoding does not hold the lock of the interpreter."""


@dataclass(frozen=True)
class Mark:
    """What tells a picture from others.

    Attributes:
        digest: sixteen bytes of its content: of the file, or of the ready input.
        likeness: what pictures that look alike share, see `seewhy.data.likeness`; of a ready input, that only what is the same shares.
    """

    digest: bytes
    likeness: bytes

    @classmethod
    def of(cls, made: Sample, path: Path | None) -> "Mark":
        """Return the mark of a picture, from its file where there is one; raise `DataError` where that is gone."""
        data = made.inputs.detach().cpu().contiguous().numpy().tobytes() if path is None else content_of(path)
        if made.picture is None:
            return cls(content_digest(data), blake2b(data, digest_size=SIGNATURE_BYTES).digest())
        return cls(content_digest(data), signature(made.picture))


def content_of(path: Path) -> bytes:
    """Return what a file holds, or the files of a folder of frames; raise `DataError` where it cannot be read."""
    try:
        if path.is_dir():
            return b"".join(one.read_bytes() for one in sorted(path.iterdir()) if one.is_file())
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def content_digest(data: bytes) -> bytes:
    """Return sixteen bytes that tell one content from another."""
    return blake2b(data, digest_size=16).digest()


@dataclass(frozen=True, eq=False)
class Batch:
    """Some pictures of a data set.

    Attributes:
        places: their numbers in the data set.
        samples: the pictures, prepared.
        labels: index of each one's class; -1 where it is not known.
        marks: what tells them from others, where that was asked for.
    """

    places: tuple[int, ...]
    samples: tuple[Sample, ...]
    labels: Int[Tensor, " b"]
    marks: tuple[Mark, ...] = ()

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

    def part(self, places: Sequence[int]) -> "Dataset":
        """Return the pictures of these numbers, in this order; what is broken among them is written down for both."""
        return Dataset(
            tuple(self.names[place] for place in places),
            tuple(self.labels[place] for place in places),
            None if self.paths is None else tuple(self.paths[place] for place in places),
            None if self.ready is None else tuple(self.ready[place] for place in places),
            self.broken,
        )

    def batches(
        self,
        model: Model,
        rows: int,
        fit: Fit | None = None,
        begin: int = 0,
        *,
        marks: bool = False,
        light: bool = False,
    ) -> Iterator[Batch]:
        """Yield the pictures from number `begin` on, so many at a time; a broken one is left out and written down.

        Args:
            model: says how pictures are prepared.
            rows: of a batch; the last one may have fewer.
            fit: how pictures are fitted; the model's own way if None.
            begin: the first picture. From the picture behind one batch, the following batches are the same as without it.
            marks: also tell what each picture can be known by.
            light: let the sources go once the inputs are made; large photos take much memory.

        Raises:
            DataError: none of the pictures can be read.
        """
        pending: list[_Read] = []
        found = begin > 0
        for read in self._read(model, fit, begin, marks=marks, light=light):
            found = True
            pending.append(read)
            if len(pending) == rows:
                yield self._batch(pending)
                pending = []
        if pending:
            yield self._batch(pending)
        if not found and len(self):
            first = next(iter(self.broken.values()), "")
            raise DataError(f"none of the {len(self)} pictures can be read; the first: {first}")

    def _batch(self, pending: Sequence["_Read"]) -> Batch:
        places = tuple(read.place for read in pending)
        labels = [-1 if (known := self.labels[place]) is None else known for place in places]
        marks = tuple(read.mark for read in pending if read.mark is not None)
        return Batch(places, tuple(read.sample for read in pending), torch.tensor(labels), marks)

    def _read(self, model: Model, fit: Fit | None, begin: int, *, marks: bool, light: bool) -> Iterator["_Read"]:
        """Yield those pictures that can be read, in order."""

        def read(place: int) -> _Read:
            path = self.paths[place] if self.paths is not None else None
            made = self.ready[place] if path is None and self.ready is not None else sample(path, model, fit)
            mark = Mark.of(made, path) if marks else None
            return _Read(place, replace(made, picture=None, clip=None) if light and path is not None else made, mark)

        if self.ready is not None:
            yield from map(read, range(begin, len(self)))
            return
        pool = ThreadPoolExecutor(READERS, thread_name_prefix="seewhy-read")
        waiting: deque[tuple[int, Future[_Read]]] = deque()
        try:
            for place in range(begin, len(self)):
                waiting.append((place, pool.submit(read, place)))
                if len(waiting) > AHEAD:
                    yield from self._made(*waiting.popleft())
            while waiting:
                yield from self._made(*waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _made(self, place: int, future: "Future[_Read]") -> Iterator["_Read"]:
        try:
            yield future.result()
        except DataError as error:
            self.broken[self.names[place]] = str(error)


@dataclass(frozen=True, eq=False)
class _Read:
    """A picture that has been read, and its number."""

    place: int
    sample: Sample
    mark: Mark | None


def dataset(source: object, model: Model) -> Dataset:
    """Return a data set.

    Args:
        source: a folder, a list of files and folders (of videos, and of folders of frames, for a network for clips), a pair (inputs (n, c, h, w), labels (n,)) of ready inputs, or a `Dataset`.
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
    paths = tuple(clips_in(source) if model.for_clips else expand(source))
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
