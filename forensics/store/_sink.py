"""Writes the rows of one source into files of a store."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from forensics.records import Record
from forensics.store._files import stopping, whole

_PART = re.compile(r"records/(\w+?)/(\d{6,})(_\d{6,})?(_\d{6,})?\.parquet")

ROW_GROUP = 65_536
"""Rows of a row group: fixed, so that the size of the reader's chunks does not show in the bytes."""
MOST_GROUPS = 128
"""Row groups of a file: what it knows of each one's columns is held until it ends, about a kilobyte a column."""
PARQUET: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 3,
    "version": "2.6",
    "data_page_version": "1.0",
    "use_dictionary": True,
    "write_statistics": True,
    "write_page_checksum": True,
    "store_schema": True,
}


def shaped(record: type[Record], frame: pl.DataFrame) -> pl.DataFrame:
    """The columns of the record in its order and types; null where the frame has no such column."""
    return frame.select(
        pl.col(name).cast(kind) if name in frame.columns else pl.lit(None, kind).alias(name)
        for name, kind in record.polars_schema().items()
    )


def part_key(record: str, cut: int = 0, nth: int = 0) -> str:
    """Which part of a source: the record, the slice that holds the rows, and the file among those of the slice, from 0.

    Examples:
        >>> part_key("Packet"), part_key("Packet", 3), part_key("Instance", nth=1)
        ('Packet', 'Packet_000003', 'Instance_000000_000001')
    """
    cut_of = f"_{cut:06d}" if cut or nth else ""
    return record + cut_of + (f"_{nth:06d}" if nth else "")


def part_name(number: int, key: str) -> str:
    """Where the store has a part of a source; the parts of one record stand in the order of their names.

    Examples:
        >>> part_name(7, "Packet"), part_name(7, "Packet_000003")
        ('records/Packet/000007.parquet', 'records/Packet/000007_000003.parquet')
    """
    record, mark, place = key.partition("_")
    return f"records/{record}/{number:06d}{mark}{place}.parquet"


def part_of(name: str) -> tuple[int, str] | None:
    """The number and the key that `part_name` made a name of; None where it did not.

    Examples:
        >>> part_of("records/Packet/000007_000003.parquet"), part_of("sources.parquet")
        ((7, 'Packet_000003'), None)
    """
    found = _PART.fullmatch(name)
    return None if found is None else (int(found[2]), found[1] + (found[3] or "") + (found[4] or ""))


@dataclass(slots=True)
class _Open:
    """A file that rows are written into."""

    path: Path
    cut: int
    nth: int
    ends: contextlib.ExitStack
    writer: pq.ParquetWriter
    groups: int = 0


class Sink:
    """Writes the rows of one source as they come, in memory that does not grow with them.

    Args:
        folder: The store under construction.
        number: Number of the source in the order of the evidence, from 1.
        cut: The slice that the first rows are of.
        nth: The file of this slice that the first rows are in.

    Attributes:
        rows: How many there are of each record.
        parts: The keys of the files that were written.

    Raises:
        StoppedError: If the system does not let it be written.
    """

    def __init__(self, folder: Path, number: int, cut: int = 0, nth: int = 0) -> None:
        self._folder, self._number, self._cut, self._nth = folder, number, cut, nth
        self._spanning: frozenset[type[Record]] = frozenset()
        self.parts: list[str] = []
        self._waiting: dict[type[Record], list[pl.DataFrame]] = {}
        self._open: dict[type[Record], _Open] = {}
        self.rows: dict[type[Record], int] = {}

    def append(self, record: type[Record], frame: pl.DataFrame) -> None:
        """Add rows of one record."""
        if not frame.height:
            return
        waiting = self._waiting.setdefault(record, [])
        waiting.append(shaped(record, frame))
        self.rows[record] = self.rows.get(record, 0) + frame.height
        if sum(part.height for part in waiting) >= ROW_GROUP:
            rows = pl.concat(waiting)
            whole = rows.height - rows.height % ROW_GROUP
            self._write(record, rows[:whole])
            self._waiting[record] = [rows[whole:]]

    def _write(self, record: type[Record], rows: pl.DataFrame) -> None:
        table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
        for start in range(0, table.num_rows, ROW_GROUP):
            part = self._open.get(record)
            if part is None or part.groups == MOST_GROUPS:
                part = self._open[record] = self._begun(record, table.schema, part)
            with stopping(part.path):
                part.writer.write_table(table.slice(start, ROW_GROUP), row_group_size=ROW_GROUP)
            part.groups += 1

    def _begun(self, record: type[Record], schema: pa.Schema, last: _Open | None) -> _Open:
        """The next file of a record: that of a slice's beginning, or the one behind a full one."""
        if last is None:
            cut, nth = (0 if record in self._spanning else self._cut), self._nth
        else:
            cut, nth = last.cut, last.nth + 1
        key = part_key(record.__name__, cut, nth)
        path = self._folder / part_name(self._number, key)
        if last is not None:
            del self._open[record]
            with stopping(last.path):
                last.ends.close()
        with stopping(path):
            self.parts.append(key)
            path.parent.mkdir(parents=True, exist_ok=True)
            ends = contextlib.ExitStack()
            file = ends.enter_context(whole(path, sync=False))  # the draft does, many at a time
            return _Open(path, cut, nth, ends, ends.enter_context(pq.ParquetWriter(file, schema, **PARQUET)))

    def cut(self, but: Collection[type[Record]]) -> None:
        """Further rows are of the next slice, but for those of some records: these are of the first one."""
        self._spanning = frozenset(but)
        later = {record: self._waiting.pop(record) for record in but if record in self._waiting}
        still = {record: self._open.pop(record) for record in but if record in self._open}
        self._close()
        self._waiting, self._open = later, still
        self._cut += 1

    def _close(self) -> None:
        for record, parts in self._waiting.items():
            rows = pl.concat(parts)
            if rows.height:
                self._write(record, rows)
        for part in self._open.values():
            with stopping(part.path):
                part.ends.close()
        self._open.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the files; after an interruption close them as they are: nobody will read them."""
        if kind is None:
            try:
                self._close()
            except BaseException as failed:
                self._drop(failed)
                raise
        elif error is not None:
            self._drop(error)

    def _drop(self, error: BaseException) -> None:
        for part in self._open.values():
            with contextlib.suppress(BaseException):
                part.ends.__exit__(type(error), error, error.__traceback__)
