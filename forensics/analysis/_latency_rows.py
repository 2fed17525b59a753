"""How many rows a table had when: as it was counted, or as the rows' own times tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from forensics.analysis._correlate import SECOND_NS, on_one_clock
from forensics.analysis._latency_requests import at_home
from forensics.records.finding import Reference, iso

DAY_NS = 86_400 * SECOND_NS
YEAR_NS = 365 * DAY_NS
_OLD = r"(?i)(?:terminated_at|deleted_at)\s*<"
_STATES = ("all", "live and deleted", "deleted", "live")


@dataclass(frozen=True, slots=True)
class Series:
    """Rows of one table over time."""

    deployment: str
    database: str | None
    table: str
    at: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    sources: tuple[str, ...]
    positions: tuple[int, ...]
    basis: str
    """``counted``, ``estimated`` (InnoDB's figure), or ``rebuilt`` (from the times in a dump)."""

    def as_of(self, at: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """The last known count at each instant; before the first, the first."""
        place = np.searchsorted(self.at, at, side="right") - 1
        return self.rows[np.maximum(place, 0)].astype(np.float64)

    def known(self, at: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Whether a count is near enough to stand for an instant: no further than counts are apart, or a day."""
        slack = DAY_NS
        if self.basis != "rebuilt" and len(self.at) > 1:
            slack = max(slack, int(np.diff(self.at).max()))
        first = self.at[0] - slack if self.basis != "rebuilt" else np.iinfo(np.int64).min
        near: npt.NDArray[np.bool_] = (at >= first) & (at <= self.at[-1] + slack)
        return near

    def reference(self, place: int) -> Reference:
        """Where a count is written."""
        return Reference(self.sources[place], f"line:{self.positions[place]}", iso(int(self.at[place])))


def series(counts: pl.LazyFrame, instances: pl.LazyFrame, clocks: pl.LazyFrame, owners: pl.DataFrame) -> list[Series]:
    """All tables whose rows are known at three instants or more.

    Counts of all rows come first, then live and deleted ones together, then one state alone. What was counted is
    preferred to InnoDB's estimate, and both to the times in a dump, which know nothing of rows that are gone.

    Args:
        counts: One row per `RowCount`.
        instances: One row per `Instance`.
        clocks: One row per `Clock`.
        owners: Whose each file is.
    """
    told = _counted(counts, clocks, owners)
    known = {(one.deployment, one.table) for one in told}
    built = [one for one in _rebuilt(instances, clocks, owners) if (one.deployment, one.table) not in known]
    return told + built


def _counted(counts: pl.LazyFrame, clocks: pl.LazyFrame, owners: pl.DataFrame) -> list[Series]:
    whole = counts.filter(pl.col("is_complete").fill_null(value=True))
    rows = at_home(on_one_clock(whole, clocks), owners).collect()
    if rows.is_empty():
        return []
    names = rows.group_by("deployment", "table").agg(db=pl.col("database").drop_nulls().unique().sort())
    rows = rows.join(names, on=["deployment", "table"], how="left", nulls_equal=True)
    only = pl.when(pl.col("db").list.len() == 1).then(pl.col("db").list.first())
    rows = rows.with_columns(database=pl.coalesce("database", only)).drop("db")
    both = (
        rows.filter(pl.col("state").is_in(["live", "deleted"]))
        .group_by("deployment", "database", "table", "source", "at", "is_estimate")
        .agg(pl.col("rows").sum(), pl.col("position").min(), n=pl.col("state").n_unique())
        .filter(pl.col("n") == 2)
        .with_columns(state=pl.lit("live and deleted"))
    )
    columns = ["deployment", "database", "table", "state", "is_estimate", "at", "rows", "source", "position"]
    every = pl.concat([rows.select(columns), both.select(columns)]).filter(pl.col("state").is_in(_STATES))
    found: list[Series] = []
    for key, group in sorted(
        every.group_by("deployment", "database", "table"), key=lambda one: tuple(map(str, one[0]))
    ):
        for state, estimate in ((state, guess) for guess in (False, True) for state in _STATES):
            part = group.filter((pl.col("state") == state) & (pl.col("is_estimate") == estimate))
            part = part.sort("at", "source", "position").unique("at", keep="last", maintain_order=True)
            if part.height >= 3:
                found.append(_series(key, part, "estimated" if estimate else "counted"))
                break
    return found


def _rebuilt(instances: pl.LazyFrame, clocks: pl.LazyFrame, owners: pl.DataFrame) -> list[Series]:
    found = []
    rows = stock(instances, clocks, owners)
    for key, group in sorted(rows.group_by("deployment", "database"), key=lambda one: tuple(map(str, one[0]))):
        born = group.filter(pl.col("born").is_not_null()).sort("born", "source", "position")
        if born.height < 3:
            continue
        part = born.select(at="born", rows=pl.int_range(1, born.height + 1), source="source", position="position")
        last = group.select(at=pl.col("at").max(), rows=pl.lit(born.height, dtype=pl.Int64)).with_columns(
            source=pl.lit(born["source"][-1]), position=pl.lit(born["position"][-1])
        )
        part = pl.concat([part, last.filter(pl.col("at") > born["born"][-1])], how="vertical_relaxed")
        found.append(_series((*key, "instances"), part, "rebuilt"))
    return found


def _series(key: tuple[object, ...], part: pl.DataFrame, basis: str) -> Series:
    deployment, database, table = key
    return Series(
        str(deployment or ""),
        None if database is None else str(database),
        str(table),
        part["at"].cast(pl.Int64).to_numpy(),
        part["rows"].cast(pl.Int64).to_numpy(),
        tuple(part["source"]),
        tuple(part["position"]),
        basis,
    )


def stock(instances: pl.LazyFrame, clocks: pl.LazyFrame, owners: pl.DataFrame) -> pl.DataFrame:
    """Rows of nova's `instances`, each once, as dumps have them.

    Returns:
        ``deployment``, ``database``, ``at`` (ns, of the dump), ``born``, ``gone`` (ns), ``source``, ``position``.
    """

    def ns(name: str) -> pl.Expr:
        return pl.col(name).to_physical().cast(pl.Int64)

    rows = instances.filter(pl.col("is_deleted").is_not_null(), ~pl.col("is_archived").fill_null(value=False))
    gone = pl.when(pl.col("is_deleted")).then(pl.coalesce(ns("terminated_at"), ns("deleted_at")))
    told = at_home(on_one_clock(rows, clocks), owners).with_columns(
        born=ns("created_at"), gone=gone, key=pl.coalesce(pl.col("instance_id").cast(pl.String), "instance")
    )
    latest = told.sort("at", "source", "position").unique(
        ["deployment", "database", "key"], keep="last", maintain_order=True
    )
    return latest.select("deployment", "database", "at", "born", "gone", "source", "position").collect()


def old_counts(counts: pl.LazyFrame, clocks: pl.LazyFrame, owners: pl.DataFrame) -> pl.DataFrame:
    """Counts that an operator took of rows deleted long ago (`… terminated_at < (NOW() - INTERVAL 1 YEAR)`)."""
    asked = counts.filter(pl.col("state").str.contains(_OLD), pl.col("state").str.contains(r"(?i)1 YEAR|365 DAY"))
    columns = ["deployment", "table", "rows", "at", "source", "position", "state"]
    return at_home(on_one_clock(asked, clocks), owners).select(columns).sort("at", "source", "position").collect()
