"""A timeline for other tools: CSV that no spreadsheet computes, Parquet, and Timesketch's JSON lines."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from forensics import escape
from forensics.errors import CaseError

KINDS = (".csv", ".parquet", ".jsonl")


def export(rows: pl.DataFrame, target: Path) -> int:
    """Write a timeline to a file; its suffix says how.

    Secrets are masked. ``.csv`` is UTF-8 with a header, text as `forensics.escape.csv` makes it safe. ``.jsonl`` is
    what Timesketch imports: ``message``, ``datetime``, ``timestamp_desc`` in every line; rows without a time are left
    out of it, for it takes none.

    Args:
        rows: As `forensics.case.Case.timeline` gives them.
        target: ``NAME.csv``, ``NAME.parquet`` or ``NAME.jsonl``.

    Returns:
        Rows that were written.

    Raises:
        CaseError: If the suffix is none of these, or there is no such folder.

    References:
        Timesketch, docs/guides/user/import-from-json-csv.md.
    """
    if target.suffix not in KINDS:
        raise CaseError(f"unknown kind of file {target.suffix!r}", where=str(target), hint=f"one of {', '.join(KINDS)}")
    if not target.parent.is_dir():
        raise CaseError("its folder does not exist", where=str(target))
    plain = rows.with_columns(pl.col("text").fill_null("").map_batches(_masked, return_dtype=pl.String))
    if target.suffix == ".parquet":
        plain.write_parquet(target, statistics=True)
        return plain.height
    if target.suffix == ".csv":
        stamps = [pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.9fZ") for name in ("at", "ts")]
        safe = [pl.col(name).map_batches(_terminal, return_dtype=pl.String) for name in ("host", "text", "source")]
        escape.csv_cells(plain.with_columns(*stamps, *safe)).write_csv(target)
        return plain.height
    timed = plain.filter(pl.col("at").is_not_null())
    stamp = pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00")
    with target.open("wb") as file:
        for row in timed.with_columns(datetime=stamp).iter_rows(named=True):
            told = {
                "message": row["text"],
                "datetime": row["datetime"],
                "timestamp_desc": row["record"],
                "hostname": row["host"],
                "data_type": f"forensics:{row['record']}",
                "source_file": row["source"],
                "position": row["position"],
                "clock_bound_s": row["bound_s"],
            }
            file.write(json.dumps(told, ensure_ascii=True).encode() + b"\n")
    return timed.height


def _masked(texts: pl.Series) -> pl.Series:
    return pl.Series([escape.masked(text) for text in texts], dtype=pl.String)


def _terminal(texts: pl.Series) -> pl.Series:
    return pl.Series([None if text is None else escape.line(text) for text in texts], dtype=pl.String)
