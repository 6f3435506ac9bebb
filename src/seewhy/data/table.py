"""What is known about each picture besides its pixels: the columns of a CSV file, joined to the pictures by name."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float

from seewhy.errors import ConfigError, DataError, nearest

MOST_BYTES = 1 << 27
"""Largest table that is read."""

MOST_CELLS = 20_000_000
MOST_COLUMNS = 1000
LONGEST_CELL = 1 << 16

MISSING = frozenset({"", "na", "n/a", "nan", "null"})
"""Cells, in small letters, that say that nothing is known."""

_DELIMITERS = ",;\t|"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, eq=False)
class Column:
    """One attribute of every picture.

    Attributes:
        name: the heading.
        cells: as they stand in the file; "" where nothing is known.
    """

    name: str
    cells: tuple[str, ...]

    @property
    def numbers(self) -> Float[np.ndarray, " n"] | None:
        """The cells as numbers, NaN where nothing is known; None where one of them is no finite number."""
        try:
            values = np.array([float(cell) if cell else np.nan for cell in self.cells])
        except ValueError:
            return None
        return None if np.isinf(values).any() else values


@dataclass(frozen=True, eq=False)
class Table:
    """The rows of a CSV file, not joined to anything yet.

    Attributes:
        name: of the file.
        header: of the columns.
        rows: the cells, row by row.
        ragged: lines with another number of cells than the header; they are left out.
    """

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    ragged: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Joined:
    """The attributes of those pictures that the table knows.

    Attributes:
        key: the column that names the pictures.
        places: which of the pictures have a row (n,), in their order.
        columns: all others, one cell for each of these pictures.
        missing: names of pictures without a row.
        ambiguous: names of pictures with several rows that differ.
        notes: what a reader must know.
    """

    key: str
    places: tuple[int, ...]
    columns: tuple[Column, ...]
    missing: tuple[str, ...]
    ambiguous: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def of(self, rows: Sequence[int], places: Sequence[int]) -> "Joined":
        """Return some of the rows, and where their pictures stand in another list."""
        columns = tuple(Column(one.name, tuple(one.cells[row] for row in rows)) for one in self.columns)
        return replace(self, places=tuple(places), columns=columns)


def read_table(path: str | Path) -> Table:
    """Read a CSV file: UTF-8 (or UTF-16 with its mark), cells divided by comma, semicolon, tab or bar, the first line names the columns.

    Raises:
        DataError: no such file, too large, not text in such an encoding, no columns, two columns of one name, or no rows.
    """
    path = Path(path)
    lines = _parsed(_text(path), path)
    try:
        header = tuple(cell.strip() for cell in next(lines)[1])
    except StopIteration:
        raise DataError(f"{path} is empty; a table has a line of column names and a line for each picture") from None
    _check_header(header, path)
    rows: list[tuple[str, ...]] = []
    ragged: list[int] = []
    for line, cells in lines:
        if len(cells) != len(header):
            ragged.append(line)
            continue
        rows.append(tuple(_clean(cell) for cell in cells))
        if len(rows) * len(header) > MOST_CELLS:
            raise DataError(f"{path} has more than {MOST_CELLS // 10**6} million cells; leave columns out")
    if not rows:
        where = f"; line {ragged[0]} has another number of cells than the {len(header)} columns" if ragged else ""
        raise DataError(f"{path} has no rows below its line of column names{where}")
    return Table(path.name, header, tuple(rows), tuple(ragged))


def join(table: Table, names: Sequence[str], key: str | None = None) -> Joined:
    """Give each picture its row.

    A cell names a picture by its path, the end of its path, its file name, or that without the ending; capital letters count only where
    they must.

    Args:
        table: the rows.
        names: paths or names of the pictures.
        key: column that names the pictures; None takes the one whose cells name most of them.

    Raises:
        ConfigError: no such column.
        DataError: no cell of the key names a picture.
    """
    place = _key_column(table, names, key)
    found = _matched([row[place] for row in table.rows], names)
    places: list[int] = []
    chosen: list[tuple[str, ...]] = []
    missing: list[str] = []
    ambiguous: list[str] = []
    for number, name in enumerate(names):
        rows = {table.rows[row] for row in found[number]}
        if len(rows) == 1:
            places.append(number)
            chosen.append(rows.pop())
        else:
            (ambiguous if rows else missing).append(name)
    if not places:
        raise DataError(_nothing_joined(table, names, table.header[place], ambiguous))
    columns = tuple(
        Column(heading, tuple(row[index] for row in chosen))
        for index, heading in enumerate(table.header)
        if index != place
    )
    notes = _notes(table, len(places), missing, ambiguous)
    return Joined(table.header[place], tuple(places), columns, tuple(missing), tuple(ambiguous), notes)


def csv_text(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table as CSV; text that a spreadsheet would run as a formula gets an apostrophe in front."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for row in (header, *rows):
        writer.writerow([_harmless(cell) if isinstance(cell, str) else cell for cell in row])
    return buffer.getvalue()


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path} is larger than {MOST_BYTES >> 20} MB; leave columns or rows out")
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); a CSV file was wanted") from error
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not text in UTF-8 (byte {error.start} is not); save it again as 'CSV UTF-8'"
        ) from None
    if "\0" in text:
        raise DataError(f"{path} is not text: it holds zero bytes; a CSV file was wanted")
    return text


def _parsed(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each line that is not empty."""
    first = text.lstrip("\r\n").partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(len(cell) > LONGEST_CELL for cell in cells):
                raise DataError(f"{path}, line {reader.line_num}: a cell of more than {LONGEST_CELL} letters")
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: not a line of a CSV file ({error})") from None


def _check_header(header: Sequence[str], path: Path) -> None:
    if len(header) > MOST_COLUMNS:
        raise DataError(f"{path} has {len(header)} columns; at most {MOST_COLUMNS} are read")
    if len(header) < 2:
        raise DataError(
            f"{path} has one column, {header[0]!r}; it takes one that names the pictures and one that says something about them"
        )
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise DataError(f"{path}: two columns are called {twice[0]!r}; give each its own name")


def _clean(cell: str) -> str:
    cell = cell.strip()
    return "" if cell.lower() in MISSING else cell


def _key_column(table: Table, names: Sequence[str], key: str | None) -> int:
    if key is not None:
        if key not in table.header:
            near = nearest(key, table.header)
            hint = f"nearest: {near}" if near else f"there are {', '.join(map(repr, table.header[:12]))}"
            raise ConfigError(f"{table.name} has no column {key!r}; {hint}")
        return table.header.index(key)
    named = [
        sum(bool(rows) for rows in _matched([row[index] for row in table.rows], names))
        for index in range(len(table.header))
    ]
    return named.index(max(named))


def _matched(cells: Sequence[str], names: Sequence[str]) -> list[list[int]]:
    """Return for each picture the numbers of the rows that name it, by the longest way of naming it that any row uses."""
    for fold in (False, True):
        rows_of: dict[str, list[int]] = {}
        for row, cell in enumerate(cells):
            if cell:
                rows_of.setdefault(_spelled(cell, fold=fold), []).append(row)
        ways = [[_spelled(way, fold=fold) for way in _ways(name)] for name in names]
        shared = Counter(way for each in ways for way in set(each))
        found = [next((rows_of[way] for way in each if way in rows_of and shared[way] == 1), []) for each in ways]
        if any(found):
            return found
    return [[] for _ in names]


def _ways(name: str) -> Iterator[str]:
    """Yield how a picture may be named, the longest first: its path and every end of it, with and without the ending."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    for first in range(len(parts)):
        path = PurePosixPath(*parts[first:])
        yield str(path)
        yield str(path.with_suffix(""))


def _spelled(name: str, *, fold: bool) -> str:
    name = name.replace("\\", "/").removeprefix("./")
    return name.casefold() if fold else name


def _nothing_joined(table: Table, names: Sequence[str], key: str, ambiguous: Sequence[str]) -> str:
    if ambiguous:
        return f"{table.name}: every picture has several rows that differ, such as {ambiguous[0]!r}; leave one row for each"
    return (
        f"{table.name}: no cell of column {key!r} names one of the {len(names)} pictures, such as {PurePosixPath(names[0]).name!r}; "
        "one column must hold file names (with or without folder and ending); name it with --key (key=)"
    )


def _notes(table: Table, joined: int, missing: Sequence[str], ambiguous: Sequence[str]) -> tuple[str, ...]:
    notes = []
    if missing:
        notes.append(
            f"{len(missing)} of {joined + len(missing) + len(ambiguous)} pictures have no row in {table.name}, such as "
            f"{PurePosixPath(missing[0]).name}; they are left out"
        )
    if ambiguous:
        notes.append(
            f"{len(ambiguous)} pictures have several rows that differ in {table.name}, such as {PurePosixPath(ambiguous[0]).name}; "
            "they are left out"
        )
    if table.ragged:
        notes.append(
            f"{len(table.ragged)} lines of {table.name} have another number of cells than the header, the first is line {table.ragged[0]}; "
            "they are left out"
        )
    return tuple(notes)
