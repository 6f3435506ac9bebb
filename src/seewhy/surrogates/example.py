"""Real pictures that a readable model keeps, and how they are found again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seewhy.data.dataset import Dataset, content_digest, content_of
from seewhy.errors import DataError


@dataclass(frozen=True)
class Example:
    """A picture of the data set that a student was made from.

    Attributes:
        picture: its number there.
        name: of its file.
        digest: of its content, in hexadecimal digits: of the file, or of the ready input.
    """

    picture: int
    name: str
    digest: str

    def found(self) -> Path:
        """Return its file.

        Raises:
            DataError: there is none of this name, or it is not the same any more.
        """
        path = Path(self.name)
        if content_digest(content_of(path)).hex() != self.digest:
            raise DataError(f"{path}: its content is not what it was when the student was made")
        return path


def examples_of(data: Dataset, pictures: Sequence[int]) -> tuple[Example, ...]:
    """Return the pictures of these numbers as they can be found again.

    Raises:
        DataError: the file of one is gone.
    """
    return tuple(
        Example(number, data.names[number], content_digest(_content(data, number)).hex()) for number in pictures
    )


def _content(data: Dataset, number: int) -> bytes:
    if data.paths is not None:
        return content_of(data.paths[number])
    return (data.ready or ())[number].inputs.detach().cpu().contiguous().numpy().tobytes()
