"""What holds of every reader, whatever the octets: no exception, no octet lost, every row sound."""

from __future__ import annotations

import io
from collections.abc import Collection
from contextlib import closing

from forensics.evidence import Stream, stream_of
from forensics.loaders._reader import Origin, Reader
from forensics.records import Record

NOON_NS = 1_360_892_418 * 10**9
MOST_BYTES = 1 << 23
"""Compressed octets are followed as far as this."""


def stream(octets: bytes, name: str) -> Stream:
    """The octets as evidence; what they hold when they are compressed, to 8 MiB."""
    opened = stream_of(io.BytesIO(octets), name)
    return opened if opened.compression is None else stream_of(io.BytesIO(_plain(opened.read(MOST_BYTES))), name)


def _plain(octets: bytes) -> bytes:
    """Octets that are no compressed data themselves."""
    return octets if stream_of(io.BytesIO(octets), "-").compression is None else b""


def read(
    reader: Reader,
    octets: bytes,
    name: str = "cc12/x.txt",
    *,
    records: Collection[type[Record]] | None = None,
    validated: bool = True,
) -> dict[type[Record], int]:
    """Read with one reader, and hold what `Batch` promises; returns how many rows there were.

    Rows are validated unless ``validated`` says that octets alone are to be accounted for, which is cheaper.
    """
    source = stream(octets, name)
    disjoint = len(reader.bases) == 1 and type(reader).__module__.split(".")[2] in ("captures", "log_files")
    spans: list[tuple[int, int, bool]] = []
    counts: dict[type[Record], int] = {}
    for batch in reader.batches(source, Origin(name, host="cc12", modified_ns=NOON_NS), records=records):
        for record, frame in batch.rows.items():
            if validated:
                record.validate(frame, cast=False)
            counts[record] = counts.get(record, 0) + frame.height
            if record in reader.bases or not disjoint:
                places = (frame[column].to_list() for column in ("offset_bytes", "length_bytes"))
                spans += [(offset, length, True) for offset, length in zip(*places, strict=True)]
        spans += [(one.offset_bytes, one.length_bytes, False) for one in batch.stretches]
    if records is None:
        covered(spans, source.offset, disjoint=disjoint)
    return counts


def covered(spans: list[tuple[int, int, bool]], size: int, *, disjoint: bool) -> None:
    """Spans (offset, length, whether a row) cover ``[0, size)``; only rows of a document may lie on each other."""
    end, last_is_row = 0, False
    for offset, length, is_row in sorted(spans):
        assert length > 0 or (is_row and not disjoint), (offset, length)
        assert offset <= end, f"octets {end} to {offset} are lost"
        if offset < end:
            assert not disjoint, f"octet {offset} is told twice"
            assert (is_row and last_is_row) or not length, f"octet {offset} is in a row and in a stretch"
        if offset + length >= end:
            end, last_is_row = offset + length, is_row
    assert end == size, f"octets {end} to {size} are lost"


def all_of(source: Stream, size: int = MOST_BYTES) -> bytes:
    """What a stream holds, to a bound."""
    with closing(source):
        return source.read(size)
