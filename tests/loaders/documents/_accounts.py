"""Reads a document as a case would, and holds the reader to its promise: every octet is a row's or in a stretch."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from forensics.evidence import stream_of
from forensics.loaders._reader import Origin, Reader, Stretch
from forensics.records import Record


@dataclass(slots=True)
class Read:
    """Everything that a reader said of some octets."""

    rows: dict[type[Record], pl.DataFrame]
    stretches: list[Stretch] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    losses: list[tuple[int | None, int | None, str, int | None]] = field(default_factory=list)

    def of(self, record: type[Record]) -> pl.DataFrame:
        """Rows of one record, none where there are none."""
        return self.rows.get(record, record.empty())

    def kinds(self) -> set[str]:
        """What kinds of stretches there are."""
        return {stretch.kind for stretch in self.stretches}


def read(reader: Reader, octets: bytes, origin: Origin | None = None) -> Read:
    """Read octets whole, check types and accounts."""
    found: dict[type[Record], list[pl.DataFrame]] = {}
    done = Read({})
    for batch in reader.batches(stream_of(io.BytesIO(octets), "x"), origin or Origin("x")):
        for record, frame in batch.rows.items():
            assert frame.schema == record.polars_schema(), record.__name__
            assert record in reader.bases
            found.setdefault(record, []).append(frame)
        done.stretches += batch.stretches
        done.facts |= batch.facts
        done.losses += batch.losses
    done.rows = {record: pl.concat(frames) for record, frames in found.items()}
    for record, frame in done.rows.items():
        record.validate(frame)
    check(octets, done.rows, done.stretches)
    return done


def check(octets: bytes, rows: Mapping[type[Record], pl.DataFrame], stretches: list[Stretch]) -> None:
    """No octet is left out, none of a row's is in a stretch, and no stretch meets another; lines are right."""
    held, noted = np.zeros(len(octets), bool), np.zeros(len(octets), np.int64)
    lines = np.cumsum(np.frombuffer(b"\n" + octets, np.uint8) == 10)
    for frame in rows.values():
        for offset, length, position in frame.select("offset_bytes", "length_bytes", "position").iter_rows():
            assert offset >= 0
            assert offset + length <= len(octets)
            held[offset : offset + length] = True
            assert lines[offset] <= position <= lines[max(offset + length - 1, offset)]
    for stretch in stretches:
        assert stretch.length_bytes > 0
        assert stretch.offset_bytes + stretch.length_bytes <= len(octets)
        noted[stretch.offset_bytes : stretch.offset_bytes + stretch.length_bytes] += 1
        assert stretch.position == lines[stretch.offset_bytes]
    assert noted.max(initial=0) <= 1
    assert not (held & (noted > 0)).any(), np.flatnonzero(held & (noted > 0))[:5]
    assert (held | (noted > 0)).all(), np.flatnonzero(~(held | (noted > 0)))[:5]
