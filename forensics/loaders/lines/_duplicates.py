"""The same record in several files: rsyslog writes it to two or three, and rotated files overlap."""

from __future__ import annotations

import polars as pl

_ROW = "row of all records"
KEY = pl.struct("host", "ts", "pid", "severity", pl.coalesce("logger", "program").alias("speaker"), "message").hash(
    seed=1
)
"""One number for all that makes two records the same."""


def mark_duplicates(records: pl.LazyFrame | pl.DataFrame) -> pl.LazyFrame:
    """Fill ``duplicate_of`` where a file read earlier has the same record. No row is dropped.

    Two records are the same if host, instant (of the innermost stamp), process, level, logger (or program) and
    message are. A file may say one thing twice within its clock's resolution: the second of them is a duplicate only
    of the second in the other file. The outer stamp is not looked at; each file of a fan-out has its own.

    Args:
        records: Rows of `LogRecord`, of all files; the order of rows is that of the files.

    Returns:
        The same rows in the same order; ``duplicate_of`` is ``source:position`` of the first.

    References:
        openstack/operations-guide, doc/source/ops-logging-rsyslog.rst: one record goes to three files.

    Examples:
        >>> from datetime import UTC, datetime
        >>> from forensics.records import LogRecord
        >>> rows = LogRecord.sample(overrides={
        ...     "source": ["c1/syslog", "c1/nova.log"], "position": [3, 1], "host": "c1", "logger": "nova", "pid": 7,
        ...     "ts": datetime(2012, 12, 19, tzinfo=UTC), "severity": "INFO", "message": "x", "duplicate_of": None,
        ... })
        >>> mark_duplicates(rows).collect()["duplicate_of"].to_list()
        [None, 'c1/syslog:3']
    """
    given = records.lazy()
    numbered = given.select("source", "position", "ts", key=KEY).with_row_index(_ROW)
    nth = pl.int_range(pl.len()).over("key", "source").alias("nth")
    place = pl.concat_str("source", pl.lit(":"), "position").alias("place")
    again = numbered.filter(pl.col("ts").is_not_null() & (pl.len().over("key") > 1)).with_columns(nth, place)
    first = pl.col("place").first().over("key", "nth", order_by=_ROW)
    elsewhere = pl.col("source") != pl.col("source").first().over("key", "nth", order_by=_ROW)
    found = again.with_columns(first=first, elsewhere=elsewhere).filter("elsewhere").select(_ROW, "first")
    joined = given.with_row_index(_ROW).join(found, on=_ROW, how="left", maintain_order="left")
    marked = pl.coalesce("first", "duplicate_of").alias("duplicate_of")
    return joined.with_columns(marked).drop(_ROW, "first")
