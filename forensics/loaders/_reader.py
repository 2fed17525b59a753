"""What every reader of the base tier offers: bytes in, batches of records out, and no byte unaccounted for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import polars as pl

from forensics.evidence import Stream
from forensics.records import Record


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known about a source before its first byte is read.

    A value that the case declares wins over everything that a reader infers.
    """

    source: str
    """Label of the file: its path inside the evidence."""
    host: str | None = None
    """Host that the path names, for lines that do not name one."""
    capture_point: str | None = None
    """Name of the capture point, for packets."""
    modified_ns: int | None = None
    """Modification time of the file, nanoseconds since 1970."""
    zone: str | None = None
    """Declared or otherwise known zone of stamps without one: an Olson name or ``+02:00``."""
    zone_basis: str = "declared"
    """Where ``zone`` comes from: a word of `ZONE_BASES`."""
    year: int | None = None
    """Declared year of the first stamp without one."""
    rotated_on: int | None = None
    """Rotation day that the file's name tells, nanoseconds since 1970 (start of that day)."""
    elsewhere_ns: tuple[int, int] | None = None
    """First and last instant of the case's sources whose year is known."""
    command: str | None = None
    """Command line that printed it, where a transcript or the name of a collected file tells."""
    directory: str | None = None
    """Folder in which that command was typed."""
    taken_ns: int | None = None
    """When a snapshot was taken, nanoseconds since 1970, where something beside it tells."""
    taken_basis: str = "none"
    """How that is known: a word of `forensics.records.TIME_BASES`."""

    def taken(self) -> tuple[int | None, str]:
        """When a snapshot was taken, as far as anything tells: nanoseconds since 1970, and a word of `TIME_BASES`."""
        if self.taken_ns is not None:
            return self.taken_ns, self.taken_basis
        if self.rotated_on is not None:
            return self.rotated_on, "file-name"
        return (self.modified_ns, "modified") if self.modified_ns is not None else (None, "none")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the source that is no row: see `forensics.records.Span`."""

    offset_bytes: int
    length_bytes: int
    kind: str
    reason: str
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Cuts:
    """Where a long source is cut into slices, and which of them to read; the octets alone say where.

    A reader that can be taken up in the middle tells at each cut all that it knows there, as plain values: whoever
    goes on with these reads the rest as if nothing had happened.
    """

    every_bytes: int
    """A slice ends at the first place behind a multiple of this at which one can go on; 0 for no slices."""
    mark: Mapping[str, Any] | None = None
    """`Batch.mark` of the cut to go on from; None at the start of the source."""
    single: bool = False
    """Whether to stop at the next cut."""

    def behind(self, offset: int) -> int | None:
        """Where the next cut is due, None for never."""
        return (offset // self.every_bytes + 1) * self.every_bytes if self.every_bytes else None


@dataclass(frozen=True, slots=True)
class Batch:
    """What one chunk of a source yielded.

    Rows and stretches of all batches of a source, put together, cover it exactly and leave nothing out. Of a
    capture or a log, the ``offset_bytes`` and ``length_bytes`` of the rows of the one base record and of the
    stretches are disjoint, and rows of narrower records point into rows of the base record. A document has
    several base records side by side; one line of it may be told by rows of more than one of them, but no octet
    that a row holds is in a stretch.
    """

    rows: Mapping[type[Record], pl.DataFrame]
    stretches: tuple[Stretch, ...] = ()
    losses: tuple[tuple[int | None, int | None, str, int | None], ...] = ()
    """Losses that the evidence admits: instant (ns), position, kind, count."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What the reader found out about the source: ``year_basis``, ``zone``, ``zone_basis``, ``note``, ``format``,
    ``release``, ``release_basis``."""
    mark: Mapping[str, Any] | None = None
    """Where it is the last batch before a cut: what `Cuts.mark` takes to go on."""


class Reader(Protocol):
    """A format of the base tier."""

    name: str
    """Name of the format as `sources` shows it."""
    record: type[Record]
    """The base record; the one that matters most where there are several."""
    bases: tuple[type[Record], ...]
    """The base records: their rows are counted, and with the stretches they cover the source."""
    yields: tuple[type[Record], ...]
    """The base records and every narrower one."""
    reference: str
    """The document or upstream file that defines the format."""

    def likeness(self, head: bytes, name: str) -> float:
        """How sure it is, from 0 to 1, that a file with these first bytes (up to 64 KiB) is of this format.

        The name is a hint that may decide between equals, never a proof.
        """
        ...

    def batches(
        self, stream: Stream, origin: Origin, *, records: Collection[type[Record]] | None = None
    ) -> Iterator[Batch]:
        """Read the whole stream, in memory that does not grow with it.

        Args:
            stream: The source, decompressed, at its first byte.
            origin: What is known about it.
            records: The records that are wanted; all that the format yields where None.
        """
        ...


class SliceReader(Reader, Protocol):
    """A format of which a slice can be read without what lies before it."""

    spanning: tuple[type[Record], ...]
    """Records that need the whole source, in order; all others can be read slice by slice."""
    cores: int
    """How many cores one process keeps busy that reads a whole source."""

    def batches(
        self,
        stream: Stream,
        origin: Origin,
        *,
        records: Collection[type[Record]] | None = None,
        cuts: Cuts = Cuts(0),
    ) -> Iterator[Batch]:
        """As `Reader.batches`, the stream at the offset where the slice begins: ``base`` of its mark."""
        ...
