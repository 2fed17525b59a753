"""How does latency grow with the number of rows, and which operation is slower than it was or than elsewhere?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from forensics.analysis._correlate import on_one_clock
from forensics.analysis._given import rows_of
from forensics.analysis._latency_change import LEAST_OF_EACH, Slower, between, over_time
from forensics.analysis._latency_growth import Growth, growth
from forensics.analysis._latency_requests import at_home, once, places
from forensics.analysis._latency_rows import YEAR_NS, Series, old_counts, series, stock
from forensics.analysis._latency_story import Purge, grown, slower
from forensics.records import ApiRequest, Clock, Finding, Instance, LogRecord, RowCount, ShellCommand
from forensics.records.finding import Reference, iso

NEEDS = (ApiRequest,)
NEEDS_ANY = ()
USES = (RowCount, Instance, ShellCommand, LogRecord, Clock)
KINDS = {
    "latency-grows-with-rows": ("access lines of an API service", "row counts over time, or a dump of nova's database"),
    "latency-regression": ("access lines of an API service, of before and after or of two deployments",),
}
_DELETE = re.compile(r"(?i)\bdelete\s+from\b|\barchive_deleted_rows\b|\bdb\s+purge\b")
_STARTS = r"wsgi starting up on|^Starting \d+ workers|^Started child"


@dataclass(frozen=True, slots=True)
class _Scene:
    """The records on one clock, each with its deployment."""

    requests: pl.DataFrame
    tables: list[Series]
    stock: pl.DataFrame
    old: pl.DataFrame
    commands: pl.DataFrame
    starts: pl.DataFrame
    newest: int


def findings(
    requests: pl.LazyFrame,
    counts: pl.LazyFrame | None = None,
    instances: pl.LazyFrame | None = None,
    commands: pl.LazyFrame | None = None,
    logs: pl.LazyFrame | None = None,
    clocks: pl.LazyFrame | None = None,
) -> list[Finding]:
    """Find operations that slow down with a table, or at a moment, or in one of two deployments.

    A request enters once, however many layers and copies of a log tell of it, and only if it was served. What load
    or the size of the answers explain is blamed on neither rows nor releases; a slope is no step, a step no slope.
    Of more than a million requests, those of the busiest operations are judged by a sample, one in so many.

    Args:
        requests: One row per `ApiRequest`.
        counts: One row per `RowCount`.
        instances: One row per `Instance`: without counts, rows are told by their own times.
        commands: One row per `ShellCommand`: purges that somebody typed.
        logs: One row per `LogRecord`: copies of lines, and starts of services.
        clocks: One row per `Clock`; without it, stamps are taken as they are.

    Returns:
        `latency-grows-with-rows`, one for each operation and deployment, and `latency-regression`, one for each
        operation that got slower in a deployment or is slower in one than in another; most severe first.

    Examples:
        >>> findings(ApiRequest.empty().lazy())
        []
    """
    scene = _scene(requests, counts, instances, commands, logs, clocks)
    if scene.requests.is_empty():
        return []
    slopes = _growths(scene)
    told = [grown(one, _purge(one, scene), one.deployments) for one in slopes]
    told += [slower(change, _named(change), _started(change, scene)) for change in _changes(scene, slopes)]
    return sorted(told, key=Finding.order)


def _named(one: Slower) -> list[str]:
    return [name for name in one.deployments if name]


def _scene(
    requests: pl.LazyFrame,
    counts: pl.LazyFrame | None,
    instances: pl.LazyFrame | None,
    commands: pl.LazyFrame | None,
    logs: pl.LazyFrame | None,
    clocks: pl.LazyFrame | None,
) -> _Scene:
    ties = rows_of(clocks, Clock)
    asked = requests.lazy()
    counted = rows_of(counts, RowCount)
    known = rows_of(instances, Instance)
    typed = rows_of(commands, ShellCommand)
    lines = rows_of(logs, LogRecord)
    starts = lines.filter(pl.col("message").str.contains(_STARTS))
    owners = places(asked, counted, known, typed, starts)
    every = once(asked, lines, ties, owners)
    begun = at_home(on_one_clock(starts, ties), owners).select("deployment", "at", "message", "source", "position")
    deleted = at_home(on_one_clock(typed, ties), owners).select(
        "deployment", "at", "command", "affected", "source", "position"
    )
    rows = stock(known, ties, owners)
    tables = series(counted, known, ties, owners)
    seen = [*every["at"].tail(1), *rows["at"].sort().tail(1), *(int(table.at[-1]) for table in tables)]
    return _Scene(
        every,
        tables,
        rows,
        old_counts(counted, ties, owners),
        deleted.sort("at", "source", "position").collect(),
        begun.sort("at", "source", "position").collect(engine="streaming"),
        max(seen, default=0),
    )


def _growths(scene: _Scene) -> list[Growth]:
    """Operations that slow down with a table, deployment by deployment.

    Counts of a machine that serves no requests are those of a database that serves all deployments without counts.
    """
    names = sorted(scene.requests["deployment"].unique())
    own = {name: [table for table in scene.tables if table.deployment == name] for name in names}
    strangers = [table for table in scene.tables if table.deployment not in own]
    shared = [name for name in names if not own[name]]
    tests = max(1, scene.requests["operation"].n_unique() * max(1, len({t.table for t in scene.tables})))
    found = []
    for name in names:
        if own[name]:
            found += _judged(scene.requests.filter(pl.col("deployment") == name), own[name], tests)
    if strangers and shared:
        alone = [_judged(scene.requests.filter(pl.col("deployment") == name), strangers, tests) for name in shared]
        guilty = {one.deployments[0] for part in alone for one in part} or set(shared)
        found += _judged(scene.requests.filter(pl.col("deployment").is_in(guilty)), strangers, tests)
    return found


def _judged(requests: pl.DataFrame, tables: Sequence[Series], tests: int) -> list[Growth]:
    found = []
    for operation, rows in _by_operation(requests):
        if (one := growth(rows, operation, requests, tables, tests)) is not None:
            found.append(replace(one, deployments=tuple(sorted(one.requests["deployment"].unique()))))
    return found


def _by_operation(requests: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """The requests that were served, one operation after the other: all at once would be a copy of all."""
    for operation in sorted(requests["operation"].unique()):
        served = requests.filter(pl.col("operation") == operation, pl.col("served"))
        if served.height:
            yield operation, served


def _changes(scene: _Scene, slopes: Sequence[Growth]) -> list[Slower]:
    """Operations that got slower at a moment, and those that are slower in one deployment than in another."""
    found: list[Slower] = []
    explained = {(name, one.operation) for one in slopes for name in one.deployments}
    every = scene.requests.lazy().select("deployment", "operation", "at", "start", "duration_s", "stands_for")
    names = scene.requests["deployment"].unique().to_list()
    whole = {name: every.filter(pl.col("deployment") == name) for name in names}
    for operation, rows in _by_operation(scene.requests):
        parts = {str(name): part for (name,), part in rows.group_by("deployment", maintain_order=True)}
        parts = {name: parts[name] for name in sorted(parts)}
        for name, part in parts.items():
            if (name, operation) not in explained:
                one = over_time(part, operation, whole[name], name)
                found += [one] if one else []
        if len(parts) > 1:
            enough = {
                name: part["duration_s"].to_numpy() for name, part in parts.items() if part.height >= LEAST_OF_EACH
            }
            medians = sorted((float(np.median(seconds)), name) for name, seconds in enough.items())
            if len(medians) > 1:
                fast, slow = medians[0][1], medians[-1][1]
                apart = between(parts[fast], parts[slow], operation, whole[fast], whole[slow], (fast, slow))
                found += [apart] if apart else []
    return found


def _purge(one: Growth, scene: _Scene) -> Purge:
    """What a purge of that table would take: by a dump of its rows, else by a count that somebody took."""
    typed = scene.commands.filter(pl.col("command").str.contains(_DELETE.pattern))
    typed = typed.filter(pl.col("deployment") == one.series.deployment)
    commands = tuple(
        (at, " ".join(text.split()), affected, Reference(source, f"line:{position}", iso(at)))
        for _, at, text, affected, source, position in typed.head(6).iter_rows()
    )
    rows = scene.stock.filter(pl.col("deployment") == one.series.deployment)
    if one.series.table == "instances" and rows.height:
        old = rows.filter(pl.col("gone") < scene.newest - YEAR_NS).sort("gone", "source", "position")
        ends = pl.concat([old.head(1), old.tail(1)]).select("source", "position", "gone").iter_rows()
        cited = tuple(dict.fromkeys(Reference(s, f"line:{p}", iso(at)) for s, p, at in ends))
        return Purge(old.height, rows.height, cited, commands)
    counted = scene.old.filter(
        pl.col("deployment") == one.series.deployment, pl.col("table") == one.series.table, pl.col("rows") > 0
    )
    if counted.height:
        count, at, source, position = counted.select("rows", "at", "source", "position").row(0)
        total = int(one.series.as_of(pl.Series([at]).to_numpy())[0])
        if count <= total:
            return Purge(count, total, (Reference(source, f"line:{position}", iso(at)),), commands)
    return Purge(commands=commands)


def _started(one: Slower, scene: _Scene) -> tuple[int, str, Reference] | None:
    """The last start of the service between the last request of the old kind and the first of the new one."""
    if len(one.deployments) != 1:
        return None
    since, until = int(one.before["at"][-1]), int(one.after["at"][0])
    rows = scene.starts.filter(pl.col("deployment") == one.deployments[0], pl.col("at").is_between(since, until))
    if rows.is_empty():
        return None
    at, text, source, position = rows.select("at", "message", "source", "position").row(-1)
    return at, str(text), Reference(source, f"line:{position}", iso(at))


def rows_frames(finding: Finding, *frames: pl.LazyFrame | None) -> dict[str, Any] | None:
    """What `forensics.charts.latency_rows` draws of a finding; None for one that is not about rows.

    Args:
        finding: One of `findings`.
        frames: The records that `findings` took.
    """
    if finding.kind != "latency-grows-with-rows":
        return None
    scene = _scene(*_six(frames))
    for one in _growths(scene):
        if grown(one, Purge(), one.deployments).id == finding.id:
            fell = one.fall.at if one.fall else None
            points = one.requests.select(
                "duration_s", pl.col("source").cast(pl.String), "position",
                at=pl.from_epoch("start", time_unit="ns").dt.replace_time_zone("UTC"),
                rows=pl.Series(one.rows),
                after=pl.lit(value=False) if fell is None else pl.col("start") >= fell,
            )  # fmt: skip
            purge = _purge(one, scene)
            left = None if purge.rows is None or purge.of is None else max(purge.of - purge.rows, 0)
            return {"points": points, "finding": finding, "level_s": one.fit.level, "remaining_rows": left}
    return None


def quantile_frames(finding: Finding, *frames: pl.LazyFrame | None) -> dict[str, Any] | None:
    """What `forensics.charts.latency_quantiles` draws of a finding; None for one that has no two sides.

    Args:
        finding: One of `findings`.
        frames: The records that `findings` took.
    """
    if finding.kind != "latency-regression":
        return None
    scene = _scene(*_six(frames))
    for one in _changes(scene, _growths(scene)):
        if slower(one, _named(one), None).id == finding.id:
            names = one.deployments if len(one.deployments) == 2 else ("before", "since then")
            sides = [
                part.with_columns(side=pl.lit(name)) for part, name in zip((one.before, one.after), names, strict=True)
            ]
            at = pl.from_epoch("start", time_unit="ns").dt.replace_time_zone("UTC")
            columns = [pl.col("side", "duration_s"), pl.col("source").cast(pl.String), pl.col("position")]
            return {"requests": pl.concat(sides).select(*columns, at=at), "finding": finding}
    return None


def _six(frames: Sequence[pl.LazyFrame | None]) -> tuple[Any, ...]:
    return (*frames, *[None] * (6 - len(frames)))


CHARTS = {"latency_rows": rows_frames, "latency_quantiles": quantile_frames}
