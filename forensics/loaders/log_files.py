"""Log files: any framing that the folder ``lines`` knows, line by line, also mixed in one file."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

import polars as pl

from forensics.errors import NotUnderstoodError, UnknownColumnError
from forensics.evidence import Stream, host_of, series_of
from forensics.loaders._message_format import MessageReader
from forensics.loaders._paths import Given, Paths, given
from forensics.loaders._reader import Batch, Cuts, Origin, Reader
from forensics.loaders._release import ReleaseObserver
from forensics.loaders._scan import scan, selected
from forensics.loaders.lines._chunks import CHUNK_BYTES
from forensics.loaders.lines._duplicates import KEY as RECORD_KEY
from forensics.loaders.lines._duplicates import mark_duplicates
from forensics.loaders.lines._reader import MARKS, batches, likeness
from forensics.records import LogRecord, Record

__all__ = ["READERS", "RECORD_KEY", "LogFiles", "mark_duplicates", "scan_logs"]

_NAMES = tuple(LogRecord.polars_schema().names())
_MARKS_BYTES = 64 << 20
"""All marks of a source take so much as JSON, those of most logs a kilobyte each; what follows is one slice."""


class LogFiles:
    """Every log that has one record a line (and lines that continue it)."""

    name: str = "log"
    record: type[Record] = LogRecord
    bases: tuple[type[Record], ...] = (LogRecord,)
    spanning: tuple[type[Record], ...] = ()
    cores: int = 1
    reference: str = "the framings in forensics/loaders/lines, each with its own reference"

    @property
    def yields(self) -> tuple[type[Record], ...]:
        """Log records, and every record that a message format reads from them."""
        return (LogRecord, *MessageReader().yields)

    def likeness(self, head: bytes, name: str) -> float:
        """Share of the first lines that some framing claims; see `Reader`."""
        return likeness(head, name)

    def batches(
        self,
        stream: Stream,
        origin: Origin,
        *,
        records: Collection[type[Record]] | None = None,
        cuts: Cuts = Cuts(0),  # noqa: B008 - frozen
    ) -> Iterator[Batch]:
        """Read the whole stream, or a slice of it; see `SliceReader`."""
        leaves = None if records is None else [record for record in records if record is not LogRecord]
        wanted = leaves is None or bool(leaves)
        messages = MessageReader(leaves) if wanted else MessageReader() if cuts.every_bytes else None
        room = _MARKS_BYTES
        if cuts.mark is not None and messages is not None:
            messages.resume(cuts.mark["messages"])
            room = cuts.mark["room"]
        release = ReleaseObserver()
        for batch in batches(stream, origin, cuts=cuts):
            frame = batch.rows[LogRecord]
            facts = dict(batch.facts)
            told = (mark.partition("=") for mark in facts.pop(MARKS, "").split())
            if not cuts.single:
                release.see(frame, {name: int(line) for name, _, line in told})
            narrower: Mapping[type[Record], pl.DataFrame] = {}
            if messages is not None and frame.height:
                if wanted:
                    narrower = messages.leaves(frame)
                else:
                    messages.observe(frame)
            mark = None
            if batch.mark is not None and messages is not None:
                mark = {**batch.mark, "messages": messages.state}
                room -= len(json.dumps(mark))
                mark = {**mark, "room": room} if room >= 0 else None
            rows: dict[type[Record], pl.DataFrame] = {LogRecord: frame, **narrower}
            yield Batch(rows, batch.stretches, batch.losses, facts | release.facts(), mark)
            if mark is not None and cuts.single:
                return


READERS: tuple[Reader, ...] = (LogFiles(),)  # type: ignore[assignment]  # what mypy misses: `yields` is only read


def scan_logs(paths: Paths) -> pl.LazyFrame:
    """Log records of files, in any framing that is known, as a lazy frame: only the columns asked for are made.

    Args:
        paths: A file, a folder, a pattern such as ``"controller/*.log"``, a binary file object, ``"-"`` for standard
            input, or a list of these. Rows come file after file, in the order
            given; those of a pattern or a folder in the order of names.

    Returns:
        One row per `LogRecord`, with its continuation lines. Stamps without a zone are read as UTC, and
        ``zone_basis`` says so; a case (`forensics.open_case`) finds the zone out. ``duplicate_of`` is null: see
        `mark_duplicates`.

    Raises:
        EvidenceError: If there is no such file.
        NotUnderstoodError: When it is collected, if a file is no log.

    Examples:
        >>> import io
        >>> line = b"2014-01-10 09:11:45.072 129745 INFO nova.compute [-] Hello"
        >>> scan_logs(io.BytesIO(line)).select("pid", "logger", "message").collect().row(0)
        (129745, 'nova.compute', 'Hello')
    """
    files = given(paths, LogRecord)
    return scan(LogRecord, partial(_rows, files), repeatable=all(file.repeatable for file in files))


def _rows(
    files: Sequence[Given],
    with_columns: Sequence[str] | None = None,
    predicate: pl.Expr | None = None,
    n_rows: int | None = None,
    batch_size: int | None = None,  # noqa: ARG001 - batches are as large as chunks make them
) -> Iterator[pl.DataFrame]:
    names = list(_NAMES) if with_columns is None else list(with_columns)
    needed = {*names, *(predicate.meta.root_names() if predicate is not None else [])}
    unknown = sorted(needed - set(_NAMES))
    if unknown:
        raise UnknownColumnError(f"no column {', '.join(unknown)}", hint=f"there are {', '.join(_NAMES)}")
    found = (rows for file in files for rows in _of_file(file, needed, n_rows))
    yield from selected(found, names, predicate, n_rows)


def _of_file(file: Given, needed: set[str], limit: int | None) -> Iterator[pl.DataFrame]:
    with file.open() as stream:
        yield from _of_stream(stream, file, needed, limit)


def _of_stream(stream: Stream, file: Given, needed: set[str], limit: int | None) -> Iterator[pl.DataFrame]:
    head = stream.peek()
    if not head:
        return
    if not likeness(head):
        raise NotUnderstoodError(
            "no line begins as in any known log", where=file.label, hint="`forensics formats` lists what can be read"
        )
    origin = Origin(
        file.label,
        host=host_of(file.label),
        modified_ns=file.modified_ns,
        rotated_on=series_of(file.label).rotated_on_ns,
    )
    # a few rows need no large chunk
    chunk_bytes = CHUNK_BYTES if limit is None or limit > 10_000 else 1 << 20
    for batch in batches(stream, origin, columns=needed, chunk_bytes=chunk_bytes):
        yield batch.rows[LogRecord]
