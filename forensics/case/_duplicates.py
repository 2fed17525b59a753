"""Log records that stand in several files of a case are marked in all but the first of them; none is dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from forensics.case._rows import Rows
from forensics.evidence import series_of
from forensics.loaders.log_files import RECORD_KEY
from forensics.records import LogRecord
from forensics.store import ROW_GROUP, Sink, scan

_MOST_RECORDS = 5_000_000
"""More than this are not compared: each takes some twenty octets of memory."""
_NONE = pl.DataFrame(schema={"source": pl.String, "position": pl.Int64, "duplicate_of": pl.String})


def mark(folder: Path, rows: Rows) -> list[dict[str, Any]]:
    """Mark them in the store.

    Args:
        folder: The store under construction.
        rows: Its rows.

    Returns:
        Rows of `forensics.records.Problem`: one where there are too many records to compare.
    """
    numbers = rows.parts(LogRecord)
    names = dict(enumerate(rows.sources["source"].to_list(), 1))
    before = rows(LogRecord).filter(pl.col("duplicate_of").is_not_null())
    marked = set(before.select(pl.col("source").unique()).collect()["source"])  # in a case that this one goes on from
    count = rows(LogRecord).select(pl.len()).collect().item()
    found = _NONE
    problems: list[dict[str, Any]] = []
    if count > _MOST_RECORDS and len(numbers) > 1:
        sample = f"{count:,} log records; up to {_MOST_RECORDS:,} are compared"
        what = "duplicates across files were not looked for"
        problems.append({"source": "(logs)", "type": what, "example": sample})
    elif len(numbers) > 1:
        found = _found(rows, numbers, names)
    marked |= set(found["source"])
    for number, paths in numbers.items():
        if names[number] in marked:
            own = found.filter(source=names[number]).lazy()
            for path in paths:
                length = scan(LogRecord, [path]).select(pl.len()).collect().item()
                with Sink(folder, number, *map(int, path.stem.split("_")[1:])) as sink:  # `part_name`
                    for start in range(0, length, ROW_GROUP):
                        part = scan(LogRecord, [path]).slice(start, ROW_GROUP).drop("duplicate_of")
                        joined = part.join(own, on=["source", "position"], how="left", maintain_order="left")
                        sink.append(LogRecord, joined.collect())
    return problems


def _found(rows: Rows, numbers: Mapping[int, Sequence[Path]], names: Mapping[int, str]) -> pl.DataFrame:
    series = {number: series_of(names[number]) for number in numbers}
    first = {one.stem: number for number, one in reversed(series.items())}  # the pieces of a log stand together
    order = sorted(numbers, key=lambda number: (first[series[number].stem], series[number].order, number))
    timed = rows(LogRecord, order).with_row_index("row").filter(pl.col("ts").is_not_null())
    keyed = timed.select("row", pl.col("source").cast(pl.Categorical), "position", key=RECORD_KEY)
    several = _several(keyed.select("key").collect(engine="streaming")["key"].to_numpy())
    if not len(several):
        return _NONE
    known = pl.col("key").map_batches(lambda keys: _among(keys, several), return_dtype=pl.Boolean, is_elementwise=True)
    held = keyed.filter(known).collect(engine="streaming").sort("row").drop("row")
    held = held.with_columns(nth=pl.int_range(pl.len(), dtype=pl.UInt32).over("key", "source"))
    earliest = pl.col("source", "position").first().over("key", "nth").name.prefix("first_")
    found = held.with_columns(earliest).filter(pl.col("source") != pl.col("first_source"))
    place = pl.concat_str("first_source", pl.lit(":"), "first_position")
    return found.select(pl.col("source").cast(pl.String), "position", duplicate_of=place)


def _several(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The values that stand there more than once, in order."""
    ordered = np.sort(keys)
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def _among(keys: pl.Series, known: npt.NDArray[np.uint64]) -> pl.Series:
    """Which of some values are among others, which are in order."""
    values = keys.to_numpy()
    place = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return pl.Series(known[place] == values)
