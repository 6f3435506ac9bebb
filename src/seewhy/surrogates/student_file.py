"""Read a student from its file."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, cast, get_args

import torch
from torch import nn

from seewhy.contributions.plain import record
from seewhy.data.shelf import Fingerprint
from seewhy.engine.model import Fit, Model
from seewhy.errors import ConfigError, DataError
from seewhy.surrogates.asking import session_of
from seewhy.surrogates.bases import basis_from
from seewhy.surrogates.example import Example
from seewhy.surrogates.frontier import Frontier
from seewhy.surrogates.kinds import kinds
from seewhy.surrogates.lesson import By
from seewhy.surrogates.measure import Report
from seewhy.surrogates.student import FORMAT, Student

LARGEST = 1 << 28
"""A file that is larger is none of ours."""


def load_student(
    path: str | Path, model: Model | nn.Module | str | None = None, table: str | Path | None = None
) -> Student:
    """Read what `Student.save` wrote; nothing in the file is executed, and no network that it names is loaded.

    Args:
        path: of the `.json` file.
        model: the network that it was made for, so that it can look at photos; its features can be asked about without.
        table: what is known of the pictures that it will be asked about, for a student that reads attributes; its file holds none.

    Raises:
        DataError: no such file, or no student.
        ModelError: another network than that it was made for.

    Example:
        >>> student = seewhy.load_student("photos.linear.student.json", network)
        >>> student.labels[student.predict("photo.jpg")]
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"it is larger than {LARGEST >> 20} MiB")
        student = student_from(json.loads(path.read_bytes(), parse_constant=_refused))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except json.JSONDecodeError:
        raise DataError(
            f"{path}: no student saved by seewhy (it is not JSON); `seewhy distill` writes NAME.student.json"
        ) from None
    except KeyError as error:
        raise DataError(f"{path}: no student saved by seewhy (there is no {error} in it)") from error
    except (
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        RuntimeError,
        RecursionError,
        ConfigError,
        DataError,
    ) as error:
        raise DataError(f"{path}: no student saved by seewhy ({error})") from error
    if table is not None:
        student = replace(student, basis=student.basis.with_table(table))
    if model is None:
        return student
    session = session_of(model, None)
    student.check_network(session.model)
    return replace(student, session=session)


def student_from(given: Any) -> Student:
    """Return the student of plain values; raise `ValueError`, `KeyError`, `TypeError` or an error of ours where they are none."""
    if not isinstance(given, Mapping) or given["format"] != FORMAT:
        raise ValueError(f"it is not written in format {FORMAT}, which this version reads")
    kind = kinds().get(str(given["kind"]))
    if kind is None:
        raise ValueError(f"it is of kind {given['kind']!r}, this version knows {', '.join(kinds())}")
    made = Student(
        kind.from_plain(given["surrogate"]),
        basis_from(given["basis"]),
        tuple(given["classes"]),
        tuple(map(str, given["labels"])),
        cast("By", _one_of(given["by"], get_args(By))),
        record(Report, given["report"]),
        record(Frontier, given["frontier"]),
        record(Fingerprint, given["fingerprint"]),
        float(given["seconds"]),
        dict(given["about"]),
        cast("Fit | None", given["fit"] and _one_of(given["fit"], get_args(Fit))),
        examples=tuple(record(Example, one) for one in given["examples"]),
    )
    _check(made)
    return made


def _check(made: Student) -> None:
    """Raise `ValueError` where the parts of a student do not fit each other."""
    classes = made.classes
    if not classes or len(set(classes)) != len(classes) or not all(type(one) is int for one in classes):
        raise ValueError("its classes are not different whole numbers")
    if min(classes) < 0 or max(classes) >= len(made.labels):
        raise ValueError(f"it has learned class {max(classes)} of {len(made.labels)}")
    if not 0 <= made.frontier.chosen < len(made.frontier.points):
        raise ValueError("the size that was chosen is none of its frontier")
    scores = made.surrogate.scores(torch.zeros(1, len(made.basis.names)))
    if tuple(scores.shape) != (1, len(classes)):
        raise ValueError(f"it gives scores of shape {tuple(scores.shape)} for {len(classes)} classes")
    if tuple(one.picture for one in made.examples) != made.surrogate.examples:
        raise ValueError("its pictures are not those that its model keeps")
    if not bool(scores.isfinite().all()):
        raise ValueError("it gives scores that are no finite numbers")


def _one_of(given: object, known: tuple[str, ...]) -> str:
    if given not in known:
        raise ValueError(f"{given!r} is none of {', '.join(known)}")
    return str(given)


def _refused(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}, which is no number")
