"""Rows in hand, whoever selected them: on one clock, of some minutes, about something, as a timeline."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from forensics.analysis._correlate import placed
from forensics.case._lines import line
from forensics.case._rows import INSTANT
from forensics.case._tables import TIMED
from forensics.case._time import instant, names
from forensics.errors import CaseError
from forensics.records import Record

_SHOWN = ("at", "bound_s", "host", "record", "text", "source", "position", "ts", "offset_bytes", "length_bytes")


def on_one_clock(rows: pl.LazyFrame, clocks: pl.DataFrame) -> pl.LazyFrame:
    """The rows in their order, with when they were on the reference clock.

    Args:
        rows: Rows with ``ts`` and ``source``; with ``host``, too, where files hold lines of several.
        clocks: One row per `Clock`.

    Returns:
        ``at`` (instant), ``bound_s`` (how sure that is; null where nothing ties the source's clock), then all columns.

    Raises:
        CaseError: If ``ts`` or ``source`` is missing.
    """
    schema = rows.collect_schema()
    _need(schema, "ts", "source")
    rest = [name for name in schema if name not in ("at", "bound_s")]
    keys = [pl.col("ts").cast(INSTANT), *(name for name in ("source", "host") if name in schema)]
    apart = rows.with_row_index("row").select("row", *keys, rest=pl.struct(rest))  # columns may have any name
    told = placed(apart, clocks.lazy()).sort("row")
    return told.select("at", "bound_s", "rest").select("at", "bound_s", pl.col("rest").struct.unnest())


def between(
    rows: pl.LazyFrame, start: str | datetime | None, end: str | datetime | None, column: str | None
) -> pl.LazyFrame:
    """The rows of a time, ``[start, end)``; open on a side that is None.

    Args:
        rows: Rows with an instant.
        start: ISO 8601, UTC where it names no zone.
        end: The same; not part of it.
        column: Which instant; ``at``, else ``ts``, else the first where None.

    Raises:
        CaseError: If there is no such column, or an end is no instant.
    """
    schema = rows.collect_schema()
    if column is None:
        instants = [name for name, kind in schema.items() if isinstance(kind, pl.Datetime)]
        column = next((name for name in ("at", "ts") if name in instants), instants[0] if instants else "ts")
    _need(schema, column)
    at = pl.col(column).cast(INSTANT)
    tests = [at >= pl.lit(instant(start)).cast(INSTANT)] if start is not None else []
    tests += [at < pl.lit(instant(end)).cast(INSTANT)] if end is not None else []
    return rows.filter(*tests) if tests else rows


def speaking_of(rows: pl.LazyFrame, entity: str) -> pl.LazyFrame:
    """The rows that name something: an address or another identifier exactly, a text anywhere in a message."""
    return rows.filter(names(rows.collect_schema(), entity))


def as_timeline(rows: pl.LazyFrame) -> pl.LazyFrame:
    """One line of text a row, by time, as `forensics.case.Case.timeline` has it; columns that are missing are left out.

    Args:
        rows: Rows of any record, or anything else with ``at`` or ``ts``.

    Raises:
        CaseError: If there is neither.
    """
    schema = rows.collect_schema()
    if "at" not in schema:
        _need(schema, "ts")
        rows = rows.with_columns(at=pl.col("ts"))
    record = _record_of(schema)
    if record is not None:
        rows = rows.with_columns(text=line(record), record=pl.lit(record.__name__))
    elif "text" not in schema:
        plain = (name for name, kind in schema.items() if not kind.is_nested() and kind != pl.Binary)
        own = [pl.lit(f"{name}=") + pl.col(name).cast(pl.String) for name in plain if name not in _SHOWN]
        rows = rows.with_columns(text=pl.concat_str(own, separator=" ", ignore_nulls=True) if own else pl.lit(""))
    there = rows.collect_schema()
    order = [name for name in ("at", "source", "position") if name in there]
    return rows.sort(order, nulls_last=True, maintain_order=True).select(name for name in _SHOWN if name in there)


def _record_of(schema: Mapping[str, pl.DataType]) -> type[Record] | None:
    """The record that the rows are of, as their columns tell."""
    fitting = (record for record in TIMED if set(record.columns()) <= set(schema))
    return max(fitting, key=lambda record: len(record.columns()), default=None)


def _need(schema: Mapping[str, pl.DataType], *wanted: str) -> None:
    missing = [name for name in wanted if name not in schema]
    if missing:
        raise CaseError(f"rows without {', '.join(missing)}", hint=f"there are {', '.join(schema) or 'no columns'}")
