"""Reads log text in tests, and checks on the way that every octet is accounted for."""

import io
from datetime import UTC, datetime

import polars as pl

from forensics.evidence import stream_of
from forensics.loaders._reader import Batch, Origin
from forensics.loaders.lines._reader import batches
from forensics.records import LogRecord

NOON = int(datetime(2026, 7, 1, tzinfo=UTC).timestamp()) * 10**9


def read(data: bytes | str, *, fast: bool = True, chunk_bytes: int = 1 << 24, **origin) -> pl.DataFrame:
    """The records of a log, as one frame."""
    return whole(data, fast=fast, chunk_bytes=chunk_bytes, **origin)[0]


def whole(
    data: bytes | str, *, fast: bool = True, chunk_bytes: int = 1 << 24, **origin
) -> tuple[pl.DataFrame, list[Batch]]:
    """The records of a log, and the batches that they came in."""
    octets = data.encode() if isinstance(data, str) else data
    told = {"source": "host1/x.log", "modified_ns": NOON} | origin
    stream = stream_of(io.BytesIO(octets), "x")
    found = list(batches(stream, Origin(**told), chunk_bytes=chunk_bytes, fast=fast))
    frame = pl.concat([batch.rows[LogRecord] for batch in found]) if found else LogRecord.empty()
    LogRecord.validate(frame, cast=False)
    assert_covered(frame, found, stream.offset)
    return frame, found


def assert_covered(frame: pl.DataFrame, found: list[Batch], size: int) -> None:
    """Rows and stretches are disjoint and leave nothing out."""
    places = frame.select("offset_bytes", "length_bytes").rows()
    places += [(s.offset_bytes, s.length_bytes) for batch in found for s in batch.stretches]
    at = 0
    for offset, length in sorted(places):
        assert (offset, length > 0) == (at, True), f"at {at}: the next stretch begins at {offset}"
        at += length
    assert at == size
