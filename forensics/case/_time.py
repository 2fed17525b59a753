"""What all records say of something or of some minutes, on one clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from forensics.analysis._correlate import placed
from forensics.case._lines import line
from forensics.case._rows import INSTANT, Rows
from forensics.errors import CaseError
from forensics.records import Record

_PLACE = ("source", "position", "offset_bytes", "length_bytes")


def instant(text: str | datetime) -> datetime:
    """An instant in UTC from ISO 8601; one without zone is taken as UTC.

    Examples:
        >>> instant("2013-02-15 01:40:18").isoformat(), instant("2013-02-15T01:40:18+01:00").isoformat()
        ('2013-02-15T01:40:18+00:00', '2013-02-15T00:40:18+00:00')
    """
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else text
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise CaseError(f"{text!r} is no instant", hint="write 2013-02-15T01:40:18Z") from error


def speaks_of(record: type[Record], entity: str) -> pl.Expr:
    """Whether a row names something: an address or another identifier exactly, a text anywhere in it."""
    return names({name: column.dtype for name, column in record.columns().items()}, entity)


def names(schema: Mapping[str, pl.DataType], entity: str) -> pl.Expr:
    """The same for rows of any columns."""
    wanted = entity.lower() if _is_mac(entity) else entity
    tests = []
    for name, kind in schema.items():
        if kind == pl.List(pl.String):
            tests.append(pl.col(name).list.contains(wanted))
        elif kind != pl.String or name == "source":
            continue
        elif name in ("message", "comment", "command", "payload"):
            tests.append(pl.col(name).str.contains(wanted, literal=True))
        else:
            tests.append(pl.col(name) == wanted)
    return pl.any_horizontal(tests).fill_null(False) if tests else pl.lit(False)


def _is_mac(text: str) -> bool:
    return len(text) == 17 and text.count(":") == 5


def timeline(
    rows: Rows,
    records: Sequence[type[Record]],
    *,
    entity: str | None,
    around: str | datetime | None,
    minutes: float,
) -> pl.DataFrame:
    """See `forensics.case.Case.timeline`. Where two records tell of one line or packet, the later is shown.

    Args:
        rows: The rows of the case.
        records: The records to look through.
        entity: What to look for; everything where None.
        around: Middle of the time wanted; all of it where None.
        minutes: Half of the time wanted.
    """
    if minutes < 0:
        raise CaseError("minutes must not be negative")
    parts = []
    for rank, record in enumerate(records):
        own = rows(record)
        if entity is not None:
            own = own.filter(speaks_of(record, entity))
        text = line(record)
        parts.append(own.select("ts", "host", *_PLACE, text=text, record=pl.lit(record.__name__), rank=pl.lit(rank)))
    found = placed(pl.concat(parts), rows.clocks.lazy())
    if around is not None:
        middle, reach = instant(around), timedelta(minutes=minutes)
        start, end = (pl.lit(edge).cast(INSTANT) for edge in (middle - reach, middle + reach))
        found = found.filter(pl.col("at").is_between(start, end))
    told_best = pl.col("rank") == pl.col("rank").max().over("source", "position")
    shown = ("at", "bound_s", "host", "record", "text", "source", "position", "ts", "offset_bytes", "length_bytes")
    order = ("at", "source", "position", "text", "host")  # one line may tell several things
    return found.filter(told_best).sort(order, nulls_last=True).select(shown).collect()


def mentions(rows: Rows, records: Sequence[type[Record]], entity: str) -> pl.DataFrame:
    """See `forensics.case.Case.mentions`."""
    parts = [
        rows(record)
        .filter(speaks_of(record, entity))
        .group_by("source", "host")
        .agg(rows=pl.len().cast(pl.Int64), first_at=pl.col("ts").min(), last_at=pl.col("ts").max())
        .with_columns(record=pl.lit(record.__name__))
        for record in records
    ]
    shown = ("record", "source", "host", "rows", "first_at", "last_at")
    return pl.concat(parts).select(shown).sort("first_at", "source", "record", nulls_last=True).collect()
