"""What is a page, a picture and numbers at once, and is written as any of them."""

import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image

from seewhy import render
from seewhy.errors import DataError


class Document(ABC):
    """A result that people look at. Subclasses are frozen dataclasses.

    Attributes:
        noun: what it is called in messages: "a card".
    """

    noun: ClassVar[str]

    @abstractmethod
    def page(self) -> str:
        """Return all of it as one HTML file."""

    @abstractmethod
    def picture(self) -> Image.Image:
        """Draw all of it as one picture."""

    @abstractmethod
    def numbers(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON."""

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write it to a `.html`, `.png` or `.json` file.

        Raises:
            DataError: another ending; the file is there already and `force` is off, or it cannot be written.
        """
        return render.write_bytes(path, self._bytes(Path(path).suffix.lower()), force=force)

    def _bytes(self, ending: str) -> bytes:
        if ending == ".html":
            return self.page().encode()
        if ending == ".png":
            return render.png_bytes(self.picture())
        if ending == ".json":
            return json.dumps(self.numbers(), indent=2, allow_nan=False).encode()
        raise DataError(f"{self.noun} is written as .html, .png or .json, not {ending or 'without an ending'}")

    def _repr_png_(self) -> bytes:
        return self._bytes(".png")
