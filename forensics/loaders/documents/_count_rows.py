"""Rows of `RowCount`, and the stamps of lists that operators keep."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import polars as pl

from forensics.clocks import LocalClock, iso
from forensics.loaders.documents._document import Document
from forensics.loaders.documents._instants import instant_of
from forensics.loaders.documents._sql_counts import Counted
from forensics.records import RowCount


def stamps(document: Document) -> Callable[[str], int | None]:
    """Reads stamps of the rows: with an offset, of the document's zone or else UTC, or seconds since 1970."""
    zone = LocalClock(document.origin.zone or "UTC")

    def read(text: str) -> int | None:
        bare = text.strip()
        if re.fullmatch(r"\d{9,10}(?:\.\d+)?", bare):
            return int(bare.split(".")[0]) * 10**9
        if re.fullmatch(r"\d{13}", bare):
            return int(bare) * 10**6
        if re.fullmatch(r"\d{4}-\d\d-\d\d", bare):
            bare += " 00:00:00"
        if re.fullmatch(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d", bare):
            bare += ":00"
        found = iso(pl.Series([re.sub(r" ?UTC$", "Z", bare)]))
        if found["ts"][0] is not None:
            at: int = found["ts"].dt.epoch("ns").item()
            return at
        if found["local_ns"][0] is None:
            return instant_of(text, document.origin.zone)
        local: int = zone.utc(found["local_ns"])["ts"].dt.epoch("ns").item()
        return local

    return read


def add_counts(
    document: Document, line: int, count: int, told: Sequence[Counted], at: int | None, basis: str = "stated"
) -> None:
    """Rows of `RowCount` for what some lines tell."""
    ts, known = (at, basis) if at is not None else document.taken()
    for one in told:
        document.add(
            RowCount, line, count, ts=ts, ts_basis=known, database=one.database, table=one.table, state=one.state,
            rows=one.rows, is_estimate=one.is_estimate, data_bytes=one.data_bytes,
        )  # fmt: skip
