"""`forensics packets`: captures summarised in one pass, or their packets shown, filtered and converted."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from forensics.case._lines import line
from forensics.case._query import query_failed, there_are
from forensics.case._time import speaks_of
from forensics.cli import _live as live
from forensics.cli import _show as show
from forensics.cli import _summary as summary
from forensics.errors import CaseError, UnknownColumnError
from forensics.escape import csv_cells
from forensics.loaders.captures.packets import scan_packets
from forensics.records import Packet
from forensics.store import is_store

_GAPS = 3
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_OF_ONE_ROW = {"is_null", "is_not_null", "is_in", "sql_is_in", "not", "cast", "strict_cast", "is_between"}
_OF_ONE_ROW |= {f"str.{name}" for name in ("contains", "starts_with", "ends_with", "len_chars", "to_lowercase")}
"""What an expression may call if it is to look at one packet at a time; `max` and the like look at all."""
_KINDS = (".csv", ".tsv", ".parquet")


def packets(
    files: list[str],
    *,
    where: str,
    columns: str,
    limit: int | None,
    follow: str,
    sql: str,
    to: Path | None,
    as_json: bool,
) -> int:
    """Show what was asked for; returns the exit code."""
    if to is not None:
        _may_be_written(to)
    elif (
        files == ["-"]
        and not (sql or as_json)
        and (tests := _one_by_one(where, follow)) is not None
        and live.may_follow()
    ):
        names = [name.strip() for name in columns.split(",") if name.strip()]
        return live.follow(tests, names, limit, rows=bool(names or follow or limit is not None))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        frame: pl.LazyFrame = scan_packets(sys.stdin.buffer if files == ["-"] else files)
        if follow:
            frame = frame.filter(speaks_of(Packet, follow))
        try:
            if where:
                frame = frame.filter(pl.sql_expr(where))
            if sql:
                frame = pl.SQLContext({"packets": frame}).execute(sql)
            if columns:
                frame = frame.select(_known(columns, frame.collect_schema().names()))
            if to is not None:
                _written(frame if limit is None else frame.head(limit), to)
            elif sql or columns or follow or limit is not None:
                _rows(frame, 50 if limit is None else limit, as_lines=not (sql or columns), as_json=as_json)
            else:
                said = summary.told(frame, files, whole=not where)
                if as_json:
                    show.as_json(said | {"damage": _texts(told)})
                else:
                    summary.put(said)
        except pl.exceptions.PolarsError as error:
            failed = query_failed(error, ("packets",), where="--sql" if sql else "--filter")
            if not sql and "valid columns" not in str(error):
                failed = CaseError(failed.what, where=failed.where, hint=there_are((), list(Packet.columns())))
            raise failed from error
    damage = _texts(told)
    for text in damage:
        show.say(f"Warning: {show.safe(text)}")
    return _GAPS if damage else 0


def _one_by_one(where: str, follow: str) -> list[pl.Expr] | None:
    """What a packet has to be, if each can be looked at for itself; None if not, or if it makes no sense."""
    try:
        tests = [pl.sql_expr(where)] if where else []
    except pl.exceptions.PolarsError:
        return None
    for test in tests:
        called = set(re.findall(r"\.([a-z_.]+)\(", _QUOTED.sub("", str(test))))
        if not called <= _OF_ONE_ROW or not set(test.meta.root_names()) <= set(Packet.columns()):
            return None
    return [*tests, speaks_of(Packet, follow)] if follow else tests


def _texts(told: Sequence[warnings.WarningMessage]) -> list[str]:
    """What the reader warned of: damaged stretches of the captures."""
    return list(dict.fromkeys(str(one.message) for one in told if one.category is UserWarning))


def _known(columns: str, known: list[str]) -> list[str]:
    names = [name.strip() for name in columns.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        what = f"no column {', '.join(unknown)}" if unknown else "no column is named"
        raise UnknownColumnError(what, where="--columns", hint=there_are(unknown, known))
    return names


def _may_be_written(to: Path) -> None:
    if to.suffix.lower() not in _KINDS:
        raise CaseError(f"its name ends in none of {', '.join(_KINDS)}", where=str(to), hint="the ending is the format")
    if not to.parent.is_dir():
        raise CaseError("there is no such folder", where=str(to.parent), hint="make it first, or write elsewhere")
    if any(is_store(folder) for folder in to.absolute().parents):
        raise CaseError("the file would lie inside a case", where=str(to), hint="write it elsewhere")


def _rows(frame: pl.LazyFrame, limit: int, *, as_lines: bool, as_json: bool) -> None:
    rows = frame.head(limit + 1).collect(engine="streaming")
    if as_json:
        instants = [name for name, kind in rows.schema.items() if isinstance(kind, pl.Datetime)]
        shown = rows.head(limit).with_columns(pl.col(instants).dt.strftime("%Y-%m-%dT%H:%M:%S%.9fZ"))
        show.as_json(shown.to_dicts())
    elif as_lines:
        own = rows.head(limit).select("source", "position", "ts", text=line(Packet))
        for source, position, ts, text in own.iter_rows():
            at = f"{ts:%Y-%m-%d %H:%M:%S.%f}" if ts is not None else "no time"
            for part in show.wrapped(f"{at} {show.safe(text)} [{show.safe(source)}:{position}]", "", "    "):
                show.put(part)
    else:
        show.frame(rows.head(limit))
    if rows.height > limit and not as_json:
        show.put("… and more (--limit)")
    if not rows.height and not as_json:
        show.put("no packets" if as_lines else "no rows")


def _written(frame: pl.LazyFrame, to: Path) -> None:
    kind = to.suffix.lower()
    rows = 0
    if kind == ".parquet":
        with to.open("wb") as file:
            frame.sink_parquet(file, compression="zstd", maintain_order=True)
        rows = pl.scan_parquet(to.absolute(), glob=False).select(pl.len()).collect().item()
    else:
        separator = "\t" if kind == ".tsv" else ","
        with to.open("wb") as file:
            for part in frame.collect_batches(chunk_size=65_536):
                csv_cells(part).write_csv(file, include_header=rows == 0, separator=separator)
                rows += part.height
            if not rows:
                frame.collect_schema().to_frame().write_csv(file, separator=separator)
    show.put(f"{show.counted(rows, 'row')} in {show.safe(str(to))}")
