"""Which hosts stopped speaking while others went on, and when did they come back?"""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import pairwise
from typing import Any

import polars as pl

from forensics.analysis._correlate import SECOND_NS, on_one_clock
from forensics.analysis._given import rows_of
from forensics.analysis._silence import (
    MINUTE_NS,
    UNSURE_ZONES,
    Silence,
    gaps,
    machine,
    reference,
    signs,
    silence,
    stretches,
    with_notifications,
)
from forensics.records import Alternative, Clock, Finding, LogRecord, Notification, Reference, ServiceState, Step
from forensics.records.finding import identity, iso

NEEDS = (LogRecord,)
USES = (Notification, ServiceState, Clock)
KINDS = {"host-silent": ("logs of two hosts or more, or one with what it says when it starts",)}

SHORTEST_NS = 300 * SECOND_NS
"""Shorter pauses are nobody's concern: a restart, a slow disk, a log that is flushed in blocks."""
TIMES = 4
"""A silence is so many times as long as the longest pause that the host is used to make."""
OUTAGES = 3
"""So many of a host's longest pauses may be silences themselves; what is used to be is told by the others."""
ENOUGH = 8
"""Pauses that a rhythm takes."""
NEAR_NS = 180 * SECOND_NS
"""How close to the silence the lines of a stop or start stand."""
_STARTS = (
    r"(?i)\blinux version \d|^command line: |starting compute node|starting \S+ node \(version|rsyslogd.*\bstart\b|"
    r"imklog.*log source|startup finished in|initializing cgroup subsys|systemd \S+ running in system mode"
)
_STOPS = (
    r"(?i)exiting on signal 15|reached target (?:system )?(?:shutdown|reboot|power-off)|shutting down for system|"
    r"system is (?:going down|rebooting|powering down)|caught sigterm, (?:exiting|stopping)|reboot: (?:restart|power)"
)
_ROTATED = r"\.(\d{1,3})(?:\.(?:gz|bz2|xz|zst))?$"
_MARKS: dict[str, Any] = {"host": pl.String, "at": pl.Datetime("ns", "UTC")} | dict.fromkeys(
    ("what", "text", "source", "locator"), pl.String
)
_SHOWN = {"machine": pl.String, "from_at": pl.Int64, "to_at": pl.Int64}


def findings(
    log_records: pl.LazyFrame,
    notifications: pl.LazyFrame | None = None,
    services: pl.LazyFrame | None = None,
    clocks: pl.LazyFrame | None = None,
) -> list[Finding]:
    """Find the hosts that fell silent.

    A host is silent when it says nothing for much longer than it ever does, and others go on meanwhile; or when it
    pauses, and then says what only a machine or service says that starts. The end of a host's log is a silence only
    where a log server that collects it goes on with other hosts.

    Args:
        log_records: One row per `LogRecord`, any number.
        notifications: One row per `Notification`: signs of life too.
        services: One row per `ServiceState`: who was seen down.
        clocks: One row per `Clock`; without it, stamps are taken as they are.

    Returns:
        One `host-silent` per silence, by start.

    Examples:
        >>> findings(LogRecord.empty().lazy())
        []
    """
    ties = rows_of(clocks, Clock)
    heard = rows_of(notifications, Notification)
    states = rows_of(services, ServiceState)
    logs = log_records.lazy()
    said = _signs(logs, heard, ties)
    guessed = logs.filter(pl.col("zone_basis").is_in(UNSURE_ZONES)).select("source").head(1)
    found = _candidates(said, open_ended=guessed.collect(engine="streaming").is_empty())
    if found.is_empty():
        return []
    around = _around(logs, ties, found)
    down = _down(states, ties, found)
    told = []
    for row in found.iter_rows(named=True):
        quiet = silence(gaps(said.filter(pl.col("machine") == row["machine"])), row["machine"], row["from_at"])
        own = around.filter(pl.col("machine") == row["machine"])
        started = own.filter(pl.col("starts") & _within("at", row["to_at"], NEAR_NS))
        stopped = own.filter(pl.col("stops") & _within("at", row["from_at"] - NEAR_NS, NEAR_NS + SECOND_NS))
        seen_down = down.filter((pl.col("machine") == row["machine"]) & pl.col("at").is_between(
            row["from_at"], row["to_at"] if row["to_at"] is not None else row["until"]))  # fmt: skip
        if quiet is None or not (row["rhythm"] or (started.height and row["long"]) or seen_down.height):
            continue
        if not row["others"] and not started.height:
            continue
        told.append(_finding(quiet, row, started, stopped, seen_down))
    return sorted(told, key=Finding.order)


def _within(column: str, start: int | None, length: int) -> pl.Expr:
    return pl.lit(value=False) if start is None else pl.col(column).is_between(start, start + length)


def _signs(logs: pl.LazyFrame, heard: pl.LazyFrame, ties: pl.LazyFrame) -> pl.DataFrame:
    return signs(with_notifications(logs, heard), ties)


def collector(source: str, name: str) -> str:
    """The folder of a log server that keeps several hosts' logs; empty for a host's own folder.

    Examples:
        >>> collector("rsyslog/cc01/nova.log", "cc01"), collector("cc01/var/log/syslog", "cc01")
        ('rsyslog', '')
        >>> collector("rsyslog/nova.log", "cc01")
        'rsyslog/nova.log'
    """
    folders = source.split("/")
    for depth, folder in enumerate(folders):
        if folder.lower().partition(".")[0] == name or folder.lower() == name:
            return "/".join(folders[:depth])
    return source


def _collected(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """Rows with the ``collector`` of the source in a column."""
    pairs = rows.select("machine", column).unique().sort("machine", column)
    places = [collector(source, name) for name, source in pairs.iter_rows()]
    return rows.join(pairs.with_columns(collector=pl.Series(places, dtype=pl.String)), on=["machine", column])


def _whole(one: str, other: str, held: Collection[str]) -> bool:
    """Whether all files of a rotated series between two of it are there, whoever speaks in them.

    Examples:
        >>> _whole("syslog.3.gz", "syslog.1", {"syslog.3.gz", "syslog.1"}), _whole("a.2", "a", {"a.2", "a.1", "a"})
        (False, True)
    """
    first, last = sorted((_number(one), _number(other)))
    names = {re.sub(_ROTATED, "", source) for source in (one, other)}
    there = {_number(source) for source in held if re.sub(_ROTATED, "", source) in names}
    return set(range(first + 1, last)) <= there


def _number(source: str) -> int:
    found = re.search(_ROTATED, source)
    return int(found[1]) if found else 0


def _candidates(said: pl.DataFrame, *, open_ended: bool) -> pl.DataFrame:
    """Pauses that are longer than a host is used to, with what others did meanwhile.

    Args:
        said: As `signs` gives it.
        open_ended: Whether the ends of logs can be compared: only where the zone of each is known.

    Returns:
        ``machine``, ``from_at``, ``to_at`` (null while it lasts), ``until`` (end of the pause or of the evidence),
        ``usual`` (longest usual pause), ``long``, ``rhythm``, ``others`` (how many) and ``goes_on`` (a row of `signs`).
    """
    between = gaps(said)
    length = pl.col("gap").drop_nulls()
    several = length.sort(descending=True)
    rest = between.group_by("machine").agg(
        n=length.len(), median=length.median(), usual=several.slice(OUTAGES, 1).first(),
        near=(length >= several.slice(OUTAGES, 1).first() / 2).sum(),
    )  # fmt: skip
    ends = said.group_by("machine", "last_source").agg(pl.col("last_at").max())
    reach = _collected(ends, "last_source").group_by("collector").agg(collected_to=pl.col("last_at").max())
    pauses = between.filter((pl.col("gap") >= SHORTEST_NS) | pl.col("to_at").is_null())
    collected = _collected(pauses, "from_source").join(reach, on="collector", how="left")
    until = pl.coalesce("to_at", pl.when(pl.col("collector") != "").then(pl.col("collected_to")))
    rated = collected.with_columns(until=until, gap=until - pl.col("from_at")).join(rest, on="machine")
    usual = pl.coalesce("usual", "median").clip(MINUTE_NS)
    long = (pl.col("gap") >= SHORTEST_NS) & (pl.col("gap") >= TIMES * pl.col("median").clip(MINUTE_NS))
    rhythm = (pl.col("gap") >= TIMES * usual) & (pl.col("n") >= ENOUGH + OUTAGES) & (pl.col("near") >= OUTAGES + 3)
    wanted = rated.with_columns(usual=usual, long=long, rhythm=long & rhythm).filter(long)
    held = {*said["first_source"].unique(), *said["last_source"].unique()}
    told = []
    for row in wanted.iter_rows(named=True):
        if row["to_source"] is not None and not _whole(row["from_source"], row["to_source"], held):
            continue
        rest_of = said.filter(
            (pl.col("machine") != row["machine"])
            & (pl.col("first_at") > row["from_at"])
            & (pl.col("last_at") < row["until"])
        ).sort("first_at", "machine")
        if row["to_at"] is None:
            rest_of = _collected(rest_of, "first_source").filter(pl.col("collector") == row["collector"])
            rest_of = rest_of.sort("first_at", "machine")
        marks = [row["from_at"], *rest_of["first_at"].to_list(), row["until"]]
        hole = max(later - earlier for earlier, later in pairwise(marks))
        others = rest_of["machine"].n_unique() if hole <= row["gap"] / 2 else 0
        middle = rest_of.row(rest_of.height // 2, named=True) if others else None
        if row["to_at"] is None and not (others and open_ended):
            continue
        told.append({**{key: row[key] for key in ("machine", "from_at", "to_at", "until", "usual", "rhythm", "long")},
                     "others": others, "goes_on": middle})  # fmt: skip
    if not told:
        return pl.DataFrame(schema=_SHOWN)
    return pl.DataFrame(told, infer_schema_length=None).with_columns(pl.col("from_at", "to_at").cast(pl.Int64))


def _around(logs: pl.LazyFrame, ties: pl.LazyFrame, found: pl.DataFrame) -> pl.DataFrame:
    """The lines of a stop before the silences, and of a start after them."""
    edges = pl.concat([
        found.select("machine", minute=pl.col(column) // MINUTE_NS + step)
        for column in ("from_at", "to_at") for step in range(-3, 4)
    ]).drop_nulls().unique()  # fmt: skip
    named = logs.with_columns(host=pl.coalesce("host", "source")).select("ts", "host", "source", "position", "message")
    near = (
        on_one_clock(named, ties)
        .with_columns(minute=pl.col("at") // MINUTE_NS)
        .filter(pl.col("minute").is_in(edges["minute"].unique().to_list()))  # holds no rows back, as a join might
        .with_columns(starts=pl.col("message").str.contains(_STARTS), stops=pl.col("message").str.contains(_STOPS))
        .filter(pl.col("starts") | pl.col("stops"))
        .with_columns(machine=machine())
    )
    told = near.collect(engine="streaming").join(edges, on=["machine", "minute"], how="semi")
    return told.sort("at", "source", "position")


def _down(states: pl.LazyFrame, ties: pl.LazyFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Who says that a service of these hosts is down, and when."""
    said = states.filter((pl.col("state") == "down") & pl.col("service_host").is_not_null())
    named = on_one_clock(said, ties).with_columns(machine=machine("service_host"))
    wanted = named.filter(pl.col("machine").is_in(found["machine"].unique().to_list()))
    return wanted.select("at", "machine", "service", "source", "position").collect().sort("at", "source", "position")


def _span(nanoseconds: float) -> str:
    minutes = nanoseconds / MINUTE_NS
    return f"{minutes:.0f} min" if minutes < 59.5 else f"{minutes / 60:.3g} h"


def _first(rows: pl.DataFrame) -> tuple[Reference, ...]:
    return tuple(reference(row["source"], row["position"], row["at"]) for row in rows.head(1).iter_rows(named=True))


def _finding(
    quiet: Silence, row: dict[str, Any], started: pl.DataFrame, stopped: pl.DataFrame, down: pl.DataFrame
) -> Finding:
    length = _span(row["until"] - row["from_at"])
    others = f", while {row['others']} other host{'s' * (row['others'] > 1)} went on" if row["others"] else ""
    steps = [Step(iso(quiet.from_at), f"The last line of {quiet.host} before the silence.", (quiet.last,))]
    if stopped.height:
        steps.append(Step(iso(int(stopped["at"][0])), "It says that it is being shut down.", _first(stopped)))
    if row["goes_on"]:
        mark = row["goes_on"]
        where = reference(mark["first_source"], mark["first_position"], mark["first_at"])
        steps.append(Step(where.at, f"{mark['host']} goes on meanwhile.", (where,)))
    if down.height:
        steps.append(Step(iso(int(down["at"][0])), f"{down['service'][0] or 'A service'} of it is said to be down.",
                          _first(down)))  # fmt: skip
    if quiet.first:
        steps.append(Step(iso(quiet.to_at), f"{quiet.host} speaks again, after {length}.", (quiet.first,)))
    if started.height:
        steps.append(Step(iso(int(started["at"][0])), "It says what is said at a start.", _first(started)))
    steps.sort(key=lambda step: step.when)
    proof = tuple(dict.fromkeys(ref for step in steps for ref in step.evidence))
    sure = bool(started.height or down.height)
    confidence = "proven" if sure and row["others"] else "likely" if sure or row["rhythm"] else "possible"
    return Finding(
        kind="host-silent",
        title=f"{quiet.host} said nothing for {length}{others}" + ("" if quiet.to_at else ", and has not come back"),
        severity="info",
        confidence=confidence,
        start=iso(quiet.from_at),
        end=iso(quiet.to_at),
        entities={"hosts": (quiet.host,)},
        facts=quiet.as_fact() | {"usual_pause_s": row["usual"] / SECOND_NS, "planned": bool(stopped.height)},
        story=tuple(steps),
        evidence=proof,
        alternatives=_alternatives(started, stopped, down, row),
        remedy=(
            f"Look at {quiet.host}: `last -x reboot shutdown`, `journalctl --list-boots`, `ipmitool sel list`.",
            "Whatever waits for its word (nova's image cache, a scheduler, a monitor) took it for gone meanwhile.",
        ),
        next_evidence=() if sure else (f"`journalctl --list-boots` of {quiet.host}, or its own /var/log",),
        id=identity("host-silent", {"hosts": (quiet.host,), "from": (iso(quiet.from_at) or "",)}),
    )


def _alternatives(
    started: pl.DataFrame, stopped: pl.DataFrame, down: pl.DataFrame, row: dict[str, Any]
) -> tuple[Alternative, ...]:
    told = []
    if started.height:
        told.append(
            Alternative("only its lines were lost on their way", "ruled out", "it says that it starts", _first(started))
        )
    elif down.height:
        told.append(
            Alternative("only its lines were lost on their way", "ruled out", "others saw it down", _first(down))
        )
    else:
        told.append(Alternative("only its lines were lost on their way", "open", "nothing says that it stopped"))
    usual = _span(row["usual"])
    told.append(Alternative("it had nothing to say", "ruled out" if row["rhythm"] else "open",
                            f"it is never quiet for more than {usual} otherwise" if row["rhythm"]
                            else "its log is too short, or too irregular, to tell"))  # fmt: skip
    if stopped.height:
        told.append(
            Alternative("it was shut down on purpose", "open", "its own words before the silence", _first(stopped))
        )
    return tuple(told)


def chart_frames(
    finding: Finding,
    log_records: pl.LazyFrame,
    notifications: pl.LazyFrame | None = None,
    services: pl.LazyFrame | None = None,  # noqa: ARG001  charts get all that findings get
    clocks: pl.LazyFrame | None = None,
) -> dict[str, Any]:
    """What `forensics.charts.host_lanes.host_lanes` needs to draw a finding.

    Args:
        finding: A `host-silent`.
        log_records: As for `findings`.
        notifications: As for `findings`.
        services: As for `findings`.
        clocks: As for `findings`.

    Returns:
        ``finding``, ``lanes``, ``silences`` and ``marks`` (none), as that function has them.
    """
    ties = rows_of(clocks, Clock)
    heard = rows_of(notifications, Notification)
    said = _signs(log_records.lazy(), heard, ties)
    instants = ("from_at", "to_at")
    row = {"host": finding.facts["host"], "from_at": finding.start, "to_at": finding.end}
    text = pl.DataFrame([row], schema=dict.fromkeys(row, pl.String))
    quiet = text.with_columns(pl.col(*instants).str.to_datetime(time_unit="ns", time_zone="UTC"))
    start = quiet["from_at"].to_physical()[0]
    end = quiet["to_at"].to_physical()[0]
    end = max(said["last_at"].to_list()) if end is None else end
    margin = max((end - start) * 2 // 5, 1800 * SECOND_NS)
    return {
        "finding": finding,
        "lanes": stretches(said, start - margin, end + margin),
        "silences": quiet,
        "marks": pl.DataFrame(schema=_MARKS),
    }


CHARTS = {"host_lanes": chart_frames}
