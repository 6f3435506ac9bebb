"""A student: a readable model of a network, what it reads, and what it is worth."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from seewhy.contributions.plain import plain
from seewhy.data.features import Features
from seewhy.data.shelf import Fingerprint, network_digest, preprocessing_of
from seewhy.engine.model import Fit, Model
from seewhy.engine.session import Session
from seewhy.errors import DataError, ModelError
from seewhy.render import write_bytes
from seewhy.surrogates import words
from seewhy.surrogates.asking import features_of, session_of
from seewhy.surrogates.bases import basis_plain
from seewhy.surrogates.basis import Basis
from seewhy.surrogates.example import Example
from seewhy.surrogates.frontier import Frontier
from seewhy.surrogates.lesson import By
from seewhy.surrogates.measure import Report, predictions
from seewhy.surrogates.surrogate import Surrogate

FORMAT = 1
"""Version of the file that `Student.save` writes."""


@dataclass(frozen=True, eq=False, repr=False)
class Student:
    """A readable model that stands in for a network.

    Attributes:
        surrogate: the model.
        basis: what it reads.
        classes: that it has learned, as indices of the network's answer.
        labels: names of all classes of the network.
        by: who taught it.
        report: what it is worth.
        frontier: fidelity against size, and the random control.
        fingerprint: pictures, network, preprocessing that it was made from.
        seconds: that fitting it took, all sizes, without the control.
        about: what else made it.
        fit: how pictures are fitted; None is the model's own way.
        session: holds the network, so that photos can be asked about; it is not saved.
        examples: the pictures that the model keeps, one for each of `surrogate.examples`; none where it keeps numbers only.

    Example:
        >>> student = seewhy.distill(network, "photos/", into="linear")
        >>> student.labels[student.predict("photo.jpg")]
        'tabby'
        >>> student.save("tabby.student.json")
    """

    surrogate: Surrogate
    basis: Basis
    classes: tuple[int, ...]
    labels: tuple[str, ...]
    by: By
    report: Report
    frontier: Frontier
    fingerprint: Fingerprint
    seconds: float = 0.0
    about: Mapping[str, Any] = field(default_factory=dict)
    fit: Fit | None = None
    session: Session | None = None
    examples: tuple[Example, ...] = ()

    @property
    def kind(self) -> str:
        """Of the model."""
        return self.surrogate.key

    @property
    def fidelity(self) -> float:
        """Share of the report's pictures on which it says what the network says."""
        return self.report.fidelity.value

    @property
    def accuracy(self) -> float | None:
        """Share of the report's pictures on which it is right; None where no label is known."""
        return None if self.report.accuracy is None else self.report.accuracy.value

    @property
    def learned(self) -> tuple[str, ...]:
        """Names of the classes that it has learned."""
        return tuple(self.labels[index] for index in self.classes)

    def features(self, source: object, model: Model | nn.Module | str | None = None) -> Features:
        """Return what the network gives for pictures at the layer that this student reads.

        Args:
            source: a photo, a list of photos and folders, ready inputs (n, c, h, w), or `Features`, which come back as they are.
            model: the network it was made for; the one that it was distilled from if None.

        Raises:
            ModelError: no network is known, or it is another one.
            DataError: a picture that cannot be read.
        """
        if isinstance(source, Features):
            found = source
        else:
            found = features_of(session_of(model, self.session), source, self.basis.layer, self.fit)
        self.check(found)
        return found

    def scores(self, source: object, model: Model | nn.Module | str | None = None) -> Float[Tensor, "n j"]:
        """Return its scores for the classes that it has learned, picture by picture; see `features` for what may be asked about."""
        return self.surrogate.scores(self.basis.read(self.features(source, model)))

    def predict(self, source: object, model: Model | nn.Module | str | None = None) -> Int[Tensor, " n"]:
        """Return the class that it gives to each picture, as an index of the network's answer: `student.labels` has the names."""
        return predictions(self.scores(source, model), self.classes)

    def check(self, features: Features) -> None:
        """Raise `ModelError` where features are not those of the network that this student was made for."""
        self._compare(features.fingerprint.network, features.fingerprint.preprocessing)
        if features.layer != self.basis.layer:
            raise ModelError(
                f"the student reads layer {self.basis.layer!r}, and these are features of {features.layer!r}"
            )

    def check_network(self, model: Model) -> None:
        """Raise `ModelError` where a model is not the network that this student was made for, with the same preprocessing."""
        self._compare(network_digest(model.module), preprocessing_of(model))

    def _compare(self, network: str, preprocessing: Mapping[str, Any]) -> None:
        if network != self.fingerprint.network:
            made_for = str(self.about.get("model", "")) or "another network"
            raise ModelError(
                f"the student was made for {made_for}: weights, or structure, of this network are not those; "
                "give the network that it was made for, or distill this one anew"
            )
        if preprocessing != self.fingerprint.preprocessing:
            given = {name: (value, preprocessing.get(name)) for name, value in self.fingerprint.preprocessing.items()}
            differing = [f"{name} {was!r}, now {now!r}" for name, (was, now) in given.items() if was != now]
            raise ModelError(
                f"the student was made for the same network with other preprocessing ({'; '.join(differing)}); state it as it was then"
            )

    def text(self) -> str:
        """Return the model as people read it."""
        return self.surrogate.text(self.basis.names, self.learned)

    @property
    def heading(self) -> str:
        """Which network is shown as what."""
        return words.heading(self.surrogate.title, str(self.about.get("model", "")) or "the network", self.by)

    def lines(self) -> list[str]:
        """Return what it is worth, in sentences."""
        return words.lines(self.report, self.surrogate)

    def verdict(self) -> tuple[str, str]:
        """Return whether what it reads beats its control, such as random directions: "passes", "fails" or "unclear", and a sentence with the margin."""
        return words.verdict(self.frontier, f"{self.basis.noun}s", self.basis.control_noun)

    def plain(self) -> dict[str, Any]:
        """Return all of it as plain values, ready for JSON; the session stays behind."""
        return {
            "format": FORMAT,
            "kind": self.kind,
            "fidelity": self.fidelity,
            "accuracy": self.accuracy,
            "surrogate": self.surrogate.plain(),
            "basis": basis_plain(self.basis),
            "classes": list(self.classes),
            "labels": list(self.labels),
            "by": self.by,
            "report": plain(self.report),
            "frontier": plain(self.frontier),
            "fingerprint": plain(self.fingerprint),
            "seconds": self.seconds,
            "fit": self.fit,
            "about": plain(self.about),
            "examples": plain(self.examples),
        }

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write all of it as `.json`, which `seewhy.load_student` reads; or what people read of it as `.txt`.

        Raises:
            DataError: another ending, a file that exists (unless `force`), a place that cannot be written.
        """
        path = Path(path)
        if path.suffix not in (".json", ".txt"):
            raise DataError(
                f"{path.name}: a student is written as .json or .txt, not {path.suffix or 'without ending'}"
            )
        content = self.json() if path.suffix == ".json" else self.document()
        return write_bytes(path, content.encode(), force=force)

    def json(self) -> str:
        """Return what stands in its file."""
        return json.dumps(self.plain(), allow_nan=False)

    def document(self) -> str:
        """Return what people read of it: what it is worth, and the model."""
        return "\n".join([self.heading, "", *self.lines(), self.verdict()[1], "", self.text(), ""])

    def __repr__(self) -> str:
        return "\n".join([self.heading, *(f"  {line}" for line in self.lines()), f"  {self.verdict()[1]}"])

    def _repr_html_(self) -> str:
        """Return the same for a notebook."""
        items = "".join(f"<li>{escape(line)}</li>" for line in [*self.lines(), self.verdict()[1]])
        return f"<b>{escape(self.heading)}</b><ul>{items}</ul>"


def names_of(labels: Sequence[str] | None, count: int) -> tuple[str, ...]:
    """Return the names of all classes of a network; "class 3" where it has none."""
    known = tuple(labels or ())
    return known if len(known) == count else tuple(f"class {index}" for index in range(count))
