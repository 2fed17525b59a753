"""Reads a line of the reference end to end, as a stranger would: the format is found out, the rows are compared."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pytest

import forensics
from forensics.errors import NotUnderstoodError
from forensics.evidence import host_of, series_of, stream_of
from forensics.loaders._reader import Origin
from forensics.loaders._registry import pick
from forensics.records import LogRecord, Record

Wanted = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """Evidence as the reference shows it, and what must be known of it afterwards."""

    section: str
    text: str | bytes
    record: type[Record]
    want: Wanted | Sequence[Wanted]
    """Columns of the only row, or of each row in order; no rows at all where it is empty."""
    name: str | None = None
    """Path inside the evidence, where it matters."""
    known: dict[str, Any] = field(default_factory=dict)
    """What is known of the file beforehand: fields of `Origin`."""

    @property
    def octets(self) -> bytes:
        """The evidence as it lies in the file."""
        return self.text.encode() if isinstance(self.text, str) else self.text


def parameters(lines: Sequence[Line]) -> list[Any]:
    """Lines as parameters of a test, each named by its section and its number in there."""
    seen: Counter[str] = Counter()
    found = []
    for line in lines:
        seen[line.section] += 1
        found.append(pytest.param(line, id=f"{line.section}-{seen[line.section]}"))
    return found


def rows_of(line: Line) -> pl.DataFrame:
    """Rows of a line's record: through `scan_records`, or as a case reads a file of which something is known."""
    if line.name is None and not line.known:
        try:
            return forensics.scan_records(io.BytesIO(line.octets), line.record).collect()
        except NotUnderstoodError:
            return line.record.empty()
    name = line.name or "x"
    told = {"source": name, "host": host_of(name), "rotated_on": series_of(name).rotated_on_ns} | line.known
    origin = Origin(**told)
    reader = pick(line.octets[:65_536], f"$ {origin.command}" if origin.command else origin.source)
    assert reader is not None, "no format knows it"
    batches = list(reader.batches(stream_of(io.BytesIO(line.octets), "x"), origin))
    found = [batch.rows[line.record] for batch in batches if line.record in batch.rows]
    return line.record.validate(pl.concat(found) if found else line.record.empty())


def meet(line: Line) -> None:
    """Fails where a row is missing, or a column is not what it must be."""
    rows = rows_of(line)
    instants = [name for name, kind in rows.schema.items() if isinstance(kind, pl.Datetime)]
    shown = rows.with_columns(
        pl.col(instants).dt.strftime("%Y-%m-%d %H:%M:%S%.9f").str.replace(r"\.?0{0,9}$", "")
        if instants
        else pl.lit(None).alias("_")
    )
    wanted = [line.want] if isinstance(line.want, dict) else list(line.want)
    told = [{name: row[name] for name in want} for row, want in zip(shown.to_dicts(), wanted, strict=False)]
    assert told == wanted, f"{line.section}: {line.octets[:300]!r}"
    assert len(shown) == len(wanted), shown.select(line.record.polars_schema().names()[6:]).to_dicts()[len(wanted) :]


def log(section: str, text: str | bytes, name: str | None = None, /, known: Wanted | None = None, **want: Any) -> Line:
    """A line that becomes one record of a log."""
    return Line(section, text, LogRecord, want, name, known or {})
