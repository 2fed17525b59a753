"""Reads a document that a test wrote, and holds the reader to its promises."""

import importlib
import io
from typing import Any, NamedTuple

import polars as pl

from forensics.evidence import stream_of
from forensics.loaders._reader import Origin
from forensics.loaders._registry import pick
from forensics.records import Record


class Said(NamedTuple):
    """What a document yielded."""

    rows: dict[type[Record], pl.DataFrame]
    rejects: list[str]
    facts: dict[str, str]
    format: str | None

    def of(self, record: type[Record], *columns: str) -> list[Any]:
        """Values of columns, a tuple a row; of one column, its values."""
        frame = self.rows.get(record, record.empty())
        return frame[columns[0]].to_list() if len(columns) == 1 else frame.select(columns).rows()


def reader_of(module: str) -> Any:
    """The one reader of a module."""
    (reader,) = importlib.import_module(f"forensics.loaders.documents.{module}").READERS
    return reader


def likeness(module: str, text: str, name: str = "x", command: str | None = None) -> float:
    """How sure a reader is of a text."""
    return float(reader_of(module).likeness(text.encode(), f"$ {command}" if command else name))


def said(module: str, text: str | bytes, source: str = "x", **origin: Any) -> Said:
    """Read a text with one reader, which must be the one that is picked; rows and stretches must cover every octet."""
    octets = text.encode() if isinstance(text, str) else text
    reader = reader_of(module)
    command = origin.get("command")
    picked = pick(octets[:65_536], f"$ {command}" if command else source)
    found: dict[type[Record], list[pl.DataFrame]] = {}
    covered = bytearray(len(octets))
    rejects: list[str] = []
    facts: dict[str, str] = {}
    for batch in reader.batches(stream_of(io.BytesIO(octets), source), Origin(source, **origin)):
        facts |= batch.facts
        for record, frame in batch.rows.items():
            record.validate(frame)
            found.setdefault(record, []).append(frame)
            for offset, length in frame.select("offset_bytes", "length_bytes").iter_rows():
                covered[offset : offset + length] = b"r" * length
        for stretch in batch.stretches:
            place = slice(stretch.offset_bytes, stretch.offset_bytes + stretch.length_bytes)
            assert not any(covered[place]), "a stretch lies on a row or on another stretch"
            covered[place] = b"s" * stretch.length_bytes
            if stretch.kind == "reject":
                rejects += octets[place].decode("utf-8", "replace").splitlines()
    assert all(covered), "an octet is neither row nor stretch"
    rows = {record: pl.concat(frames) for record, frames in found.items()}
    return Said(rows, rejects, facts, picked.name if picked else None)
