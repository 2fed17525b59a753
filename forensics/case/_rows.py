"""All rows of a record of a case, with the zones that were found out applied."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import polars as pl

from forensics.errors import CaseError
from forensics.records import Clock, Edge, Problem, Record, Source
from forensics.store import scan

INSTANT = pl.Datetime("ns", "UTC")
_ASSUMED = pl.col("zone_basis") == "assumed"
_MOST_SCANS = 4


@dataclass(frozen=True, slots=True)
class Rows:
    """Gives the rows of a record: ``rows(Packet)`` is a `polars.LazyFrame`.

    Rows of a source whose zone was first assumed, and then found by comparing clocks,
    are moved by what the comparison found; their zone is then ``matched``.
    """

    parts: Callable[[type[Record]], Mapping[int, Sequence[Path]]]
    """Files of the store that hold rows of a record, by number of the source; of a source in its order."""
    sources: pl.DataFrame
    """`Source`, in the order of their numbers."""
    clocks: pl.DataFrame
    problems: pl.DataFrame
    zone_shifts_s: Mapping[str, float]
    """Seconds that the clock of a source is ahead of UTC because of its zone."""
    edges: pl.DataFrame = field(default_factory=Edge.empty)

    def __call__(self, record: type[Record], order: Sequence[int] | None = None) -> pl.LazyFrame:
        """All rows of a record; no rows where the case has none.

        Args:
            record: The record.
            order: Numbers of the sources, in the order in which their rows are wanted; all where None.
        """
        table = {Source: self.sources, Clock: self.clocks, Problem: self.problems, Edge: self.edges}.get(record)
        if table is not None:
            return table.lazy()
        names = self.sources["source"].to_list()
        parts = self.parts(record)
        numbered = [
            (number, part) for number in (sorted(parts) if order is None else order) for part in parts.get(number, ())
        ]
        if not self.zone_shifts_s:
            return scan(record, (path for _, path in numbered))
        keyed = groupby(numbered, key=lambda part: self.zone_shifts_s.get(names[part[0] - 1]))
        runs = [(shift_s, [path for _, path in run]) for shift_s, run in keyed]
        if len(runs) > _MOST_SCANS:  # those of one query all run at once
            return _moved(scan(record, (path for _, path in numbered)), record, self.zone_shifts_s)
        scans = [(scan(record, paths), shift_s) for shift_s, paths in runs]
        found = [rows if shift_s is None else _moved(rows, record, shift_s) for rows, shift_s in scans]
        return pl.concat(found) if found else record.empty().lazy()

    def matched(self) -> Rows:
        """The same with the zones that the clocks tell taken into account: in rows, in sources and in clocks."""
        assumed = self.sources.filter(_ASSUMED, pl.col("source").is_in(self.clocks["source"].to_list()))
        told = self.clocks.filter(pl.col("zone_s").is_not_null(), pl.col("source").is_in(assumed["source"].to_list()))
        shifts = dict(told.select("source", "zone_s").iter_rows())
        if not shifts:
            return self
        own = pl.col("source").is_in(list(shifts))
        shift_s = pl.col("source").replace_strict(shifts, default=0.0, return_dtype=pl.Float64)
        shift = _duration(shift_s)
        zones = [
            _zone(zone, shifts[source]) if source in shifts else zone
            for source, zone in self.sources.select("source", "zone").iter_rows()
        ]
        sources = self.sources.with_columns(
            pl.col("started_at", "ended_at") - shift,
            pl.Series("zone", zones, pl.String),
            zone_basis=pl.when(own).then(pl.lit("matched")).otherwise("zone_basis"),
        )
        clocks = self.clocks.with_columns(
            offset_s=pl.col("offset_s") - shift_s,
            pivot_at=pl.col("pivot_at") - shift,
            zone_s=pl.when(own).then(0.0).otherwise("zone_s"),
            pieces=_shifted(self.clocks, "pieces", shifts),
            witnesses=_shifted(self.clocks, "witnesses", shifts),
        )
        return replace(self, sources=sources, clocks=clocks, zone_shifts_s=shifts)


def _shifted(clocks: pl.DataFrame, name: str, shifts: Mapping[str, float]) -> pl.Series:
    """Lists in `Clock` whose instants and offsets are of a source's own clock, once its zone is taken out."""
    kind = Clock.polars_schema()[name]
    lists = clocks.select(pl.col(name).alias("items"), own="source").with_row_index("n")
    each = lists.filter(pl.col("items").list.len() > 0).explode("items").unnest("items")
    if each.is_empty():
        return clocks[name]
    fields = [one.name for one in kind.inner.fields]  # type: ignore[attr-defined]
    whose = "source" if "source" in fields else "own"
    by_s = pl.col(whose).replace_strict(shifts, default=0.0, return_dtype=pl.Float64)
    moved = each.with_columns(
        pl.col([one for one in _INSTANTS if one in fields]) - _duration(by_s),
        *([pl.col("offset_s") - by_s] if "offset_s" in fields else []),
    )
    again = moved.group_by("n", maintain_order=True).agg(items=pl.struct(fields))
    kept = lists.select("n").join(again, on="n", how="left", maintain_order="left")
    return kept["items"].cast(kind).alias(name)


_INSTANTS = ("from_at", "to_at", "at", "pivot_at")


def _duration(seconds: pl.Expr) -> pl.Expr:
    return (seconds * 1e9).round().cast(pl.Int64).cast(pl.Duration("ns"))


def _moved(rows: pl.LazyFrame, record: type[Record], shift_s: float | Mapping[str, float]) -> pl.LazyFrame:
    """Rows whose sources' clocks are so far ahead: all alike, or each source as told."""
    schema = record.polars_schema()
    instants = [name for name, kind in schema.items() if kind == INSTANT]
    mine, ahead = pl.lit(value=True), pl.lit(0.0)
    if isinstance(shift_s, Mapping):
        mine = pl.col("source").is_in(list(shift_s))
        for each_s in set(shift_s.values()):
            own = [name for name, told_s in shift_s.items() if told_s == each_s]
            ahead = pl.when(pl.col("source").is_in(own)).then(pl.lit(each_s)).otherwise(ahead)
    else:
        ahead = pl.lit(shift_s)
    moved = pl.col(instants) - _duration(ahead)
    if "zone_basis" not in schema:
        return rows.with_columns(moved)
    return rows.with_columns(
        pl.when(_ASSUMED & mine).then(moved).otherwise(pl.col(instants)).name.keep(),
        zone_basis=pl.when(_ASSUMED & mine).then(pl.lit("matched")).otherwise("zone_basis"),
    )


def _zone(assumed: str | None, shift_s: float) -> str:
    """Name of the zone that was found, as an offset from UTC."""
    if assumed not in (None, "UTC", "+00:00"):
        raise CaseError(f"a zone that is only assumed must be UTC, not {assumed}")
    minutes = round(shift_s / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
