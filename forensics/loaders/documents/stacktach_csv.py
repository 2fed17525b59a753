"""StackTach's tables of notifications as CSV with a line of headings, as `SELECT` and database browsers export them."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from forensics.evidence import Stream
from forensics.loaders._reader import Batch, Origin, Stretch
from forensics.loaders.documents._notification import READABLE, notification_rows, places_of_table
from forensics.records import Notification, Record

CHUNK_BYTES = 8 << 20
MOST_BYTES = 64 << 20
"""A single row may be this long: MySQL's longest packet by default."""
_KNOWN = frozenset([
    "id", "deployment", "deployment_id", "tenant", "json", "routing_key", "state", "old_state", "old_task", "task",
    "image_type", "when", "publisher", "event", "service", "host", "instance", "request_id", "uuid", "owner", "status",
    "message_id",
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How cells are set: MySQL's INTO OUTFILE escapes quotes with a backslash, others double them."""

    separator: str
    escaped: bool

    def cells(self, texts: list[str]) -> Iterator[list[str]]:
        """Cells of rows."""
        escape = "\\" if self.escaped else None
        return csv.reader(texts, delimiter=self.separator, doublequote=not self.escaped, escapechar=escape)


def _headings(head: bytes) -> tuple[list[str], _Dialect] | None:
    """Columns and dialect, if the file is such an export."""
    line, ended, rest = head.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
    if not ended or len(line) > 2000 or b"json" not in line.lower():
        return None
    text = line.decode("utf-8", "replace").strip()
    for separator in (",", ";", "\t"):
        names = [name.strip().strip('"`').lower().rpartition(".")[2] for name in text.split(separator)]
        if len(names) >= 3 and {"json"} < set(names) <= _KNOWN and {"event", "routing_key", "when"} & set(names):
            return names, _Dialect(separator, re.search(rb'"[\[{]\s{0,8}\\"', rest) is not None)
    return None


class _Csv:
    """Reader of such exports: see `forensics.loaders._reader.Reader`."""

    name = "stacktach-csv"
    record: type[Record] = Notification
    bases: tuple[type[Record], ...] = (Notification,)
    yields: tuple[type[Record], ...] = (Notification,)
    reference = "rackerlabs/stacktach stacktach/models.py (RawData, GlanceRawData, GenericRawData), 2012 to 2015"

    def likeness(self, head: bytes, name: str) -> float:  # noqa: ARG002 - the headings tell
        """See `Reader`."""
        return 0.97 if _headings(head) else 0.0

    def batches(
        self, stream: Stream, origin: Origin, *, records: Collection[type[Record]] | None = None
    ) -> Iterator[Batch]:
        """See `Reader`."""
        known = _headings(stream.peek())
        names, dialect = known or ([], _Dialect(",", escaped=False))
        wanted = records is None or Notification in records
        rest, offset, line = b"", 0, 1
        while True:
            more = stream.read(max(CHUNK_BYTES, len(rest)))
            octets = rest + more
            if not octets:
                return
            ends = _ends(octets, dialect.escaped, bool(more))
            if not ends and len(octets) < MOST_BYTES:
                rest = octets
                continue
            if not ends:  # a quote that nobody closed: go on behind the line
                cut = octets.find(b"\n") + 1 or len(octets)
                yield Batch({}, (Stretch(offset, cut, "reject", "a quoted cell that does not end", line),))
            else:
                cut = ends[-1]
                yield _batch(_Chunk(octets[:cut], ends, offset, line), names, dialect, origin.source, wanted)
            line += octets.count(b"\n", 0, cut)
            offset, rest = offset + cut, octets[cut:]


READERS = (_Csv(),)


def _ends(octets: bytes, escaped: bool, more: bool) -> list[int]:
    """Where rows end: behind line feeds that no quotes enclose."""
    plain = octets.replace(b"\\\\", b"  ").replace(b'\\"', b"  ") if escaped else octets
    view = np.frombuffer(plain, dtype=np.uint8)
    inside = np.cumsum(view == 0x22, dtype=np.int32) & 1
    ends: list[int] = (np.flatnonzero((view == 0x0A) & (inside == 0)) + 1).tolist()
    if not more and (not ends or ends[-1] < len(octets)):
        ends.append(len(octets))
    return ends


@dataclass(frozen=True, slots=True)
class _Chunk:
    octets: bytes
    ends: list[int]
    offset: int
    line: int


def _batch(chunk: _Chunk, names: list[str], dialect: _Dialect, source: str, wanted: bool) -> Batch:
    rows: list[list[str]] = []
    places: list[tuple[int, int, int]] = []
    stretches: list[Stretch] = []
    start, line = 0, chunk.line
    for end in chunk.ends:
        octets = chunk.octets[start:end]
        cells = _cells(octets, dialect)
        place = (line, chunk.offset + start, len(octets))
        if len(cells) == len(names) and place[1] > 0:
            rows.append(cells)
            places.append(place)
        else:
            blank = not octets.strip()
            titles = place[1] == 0 and len(cells) == len(names)
            kind, reason = ("padding", "blank") if blank else ("framing", "headings") if titles else (
                "reject", "a row with another number of cells than there are headings")  # fmt: skip
            stretches.append(Stretch(place[1], place[2], kind, reason, line))
        line += octets.count(b"\n")
        start = end
    if not rows or not wanted:
        return Batch({}, tuple(stretches))
    table = pl.DataFrame(rows, schema=dict.fromkeys(_once(names), pl.String), orient="row")
    where = pl.DataFrame(places, schema=["position", "offset_bytes", "length_bytes"], orient="row")
    told = places_of_table(_shaped(table))
    known = pl.concat([told, where.with_columns(source=pl.lit(source))], how="horizontal")
    return Batch({Notification: notification_rows(table["json"], known).drop(READABLE)}, tuple(stretches))


def _cells(octets: bytes, dialect: _Dialect) -> list[str]:
    text = octets.decode("utf-8", "replace").removeprefix("\ufeff").rstrip("\r\n")
    limit = csv.field_size_limit(MOST_BYTES)
    try:
        return next(dialect.cells([text]), [])
    except csv.Error:
        return []
    finally:
        csv.field_size_limit(limit)


def _once(names: list[str]) -> list[str]:
    return [name if name not in names[:at] else f"{name} {at}" for at, name in enumerate(names)]


def _shaped(table: pl.DataFrame) -> pl.DataFrame:
    """Columns of all three tables under the names of ``rawdata``."""
    spare = {"deployment": "deployment_id", "tenant": "owner", "state": "status"}
    return table.with_columns(
        pl.col(other).alias(name)
        for name, other in spare.items()
        if other in table.columns and name not in table.columns
    )
