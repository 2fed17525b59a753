"""What an analysis is given: a frame of each record that it asks for, or none."""

from __future__ import annotations

import polars as pl

from forensics.records import Record


def rows_of(rows: pl.DataFrame | pl.LazyFrame | None, record: type[Record]) -> pl.LazyFrame:
    """The rows that were given, lazily; no rows, all columns where none were.

    Examples:
        >>> from forensics.records import Clock
        >>> rows_of(None, Clock).collect().height
        0
    """
    return record.empty().lazy() if rows is None else rows.lazy()
