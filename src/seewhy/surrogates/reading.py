"""What students are to read: asked for by a name, fitted on the pictures to fit on."""

from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Int
from torch import Tensor

from seewhy.concepts.dictionary import Dictionary
from seewhy.concepts.fitting import fit_dictionary
from seewhy.concepts.vectors import ConceptVectors
from seewhy.data.features import Features
from seewhy.data.table import Table, read_table
from seewhy.errors import ConfigError, nearest
from seewhy.surrogates.attribute_columns import ATTRIBUTES, AttributeColumns, known_rows
from seewhy.surrogates.basis import Basis, ConceptScores, PooledChannels
from seewhy.surrogates.superpixel_words import SUPERPIXELS, SuperpixelWords

CONCEPTS = "concepts"
CHANNELS = "channels"
STATED = "stated"
"""The concepts that the network itself states."""
READ = (CONCEPTS, CHANNELS, SUPERPIXELS, ATTRIBUTES, STATED)
"""Besides a dictionary of concepts."""


@dataclass(frozen=True)
class Reading:
    """What students are to read.

    Attributes:
        on: "concepts", "channels", "superpixels", "attributes", or a dictionary of concepts.
        count: how many concepts, or kinds of superpixels, are found.
        dictionary: how concepts are found.
        table: of attributes.
        key: column of the table that names the pictures.
    """

    on: str | Dictionary
    count: int
    dictionary: str
    table: Table | None = None
    key: str | None = None

    @classmethod
    def of(
        cls, on: str | Dictionary, count: int, dictionary: str, table: str | Path | None, key: str | None
    ) -> "Reading":
        """Return what is asked for.

        Raises:
            ConfigError: see `check_reading`.
            DataError: a table that cannot be read.
        """
        check_reading(on, table, key)
        return cls(on, count, dictionary, None if table is None else read_table(table), key)

    def known(self, given: Features) -> tuple[Features, tuple[str, ...]]:
        """Return the pictures about which there is something to read, and what is to say about the others."""
        if self.table is None:
            return given, ()
        places, notes = known_rows(self.table, given.data.names, self.key)
        return (given if len(places) == len(given) else given.part(places)), notes

    def basis(self, given: Features, rows: Int[Tensor, " f"], seed: int) -> Basis:
        """Return what is read, fitted on the pictures of these numbers; of given concepts, those that beat random pictures."""
        if isinstance(self.on, ConceptVectors):
            return ConceptScores(self.on.only_verified())
        if isinstance(self.on, Dictionary):
            return ConceptScores(self.on)
        if self.table is not None:
            return AttributeColumns.fit(self.table, given, rows, self.key)
        if self.on == SUPERPIXELS:
            return SuperpixelWords.fit(given, rows, self.count, seed)
        if self.on == CHANNELS:
            return PooledChannels(given.layer, given.channels)
        return ConceptScores(fit_dictionary(given.part(rows), self.dictionary, self.count, seed=seed))


def check_reading(on: str | Dictionary, table: str | Path | None, key: str | None) -> None:
    """Raise `ConfigError` for something that cannot be read, for attributes without a table, and for a table that nothing reads."""
    if isinstance(on, str) and on not in READ:
        near = nearest(on, list(READ))
        raise ConfigError(
            f"students read {', '.join(READ)} or a dictionary of concepts, got {on!r}"
            + (f"; nearest: {near}" if near else "")
        )
    if on == ATTRIBUTES and table is None:
        raise ConfigError(
            "attributes are read from a table: one column with the file names of the pictures, the others what is known of them (table=, --table)"
        )
    if on != ATTRIBUTES and (table is not None or key is not None):
        raise ConfigError(
            "a table, and its key, are for students that read attributes (on='attributes', --on attributes)"
        )
