"""Whose memory grows with the requests that it serves?"""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from forensics.analysis._correlate import on_one_clock
from forensics.analysis._given import rows_of
from forensics.analysis._latency_requests import at_home, once, places
from forensics.analysis._memory_segments import Segment, segments
from forensics.records import ApiRequest, Clock, Finding, LogRecord, ProcessMemory
from forensics.records.finding import Alternative, Reference, Step, identity, iso

NEEDS = (ProcessMemory, ApiRequest)
NEEDS_ANY = ()
USES = (LogRecord, Clock)
KINDS = {
    "memory-growth": ("listings of a process's memory over time (ps, top, uWSGI)", "access lines of its service"),
}
_KILLED = r"(?i)out of memory: kill(?:ed)? process (\d+) \(([^)]*)\)"
_STARVED = r"(?i)\bMemoryError\b|cannot allocate memory"
_DAY_NS = 86_400 * 10**9
_FULL = 0.98


def findings(
    memory: pl.LazyFrame,
    requests: pl.LazyFrame,
    logs: pl.LazyFrame | None = None,
    clocks: pl.LazyFrame | None = None,
) -> list[Finding]:
    """Find processes whose memory grows with every request, and does not come back.

    A restart begins a new life. What levels off is a warm-up, what comes back is a cache that is emptied, and what
    grows without requests is none of theirs.

    Args:
        memory: One row per `ProcessMemory`.
        requests: One row per `ApiRequest`.
        logs: One row per `LogRecord`: the kernel's out-of-memory lines, pids of access lines, starts.
        clocks: One row per `Clock`; without it, stamps are taken as they are.

    Returns:
        One `memory-growth` per host and process: of several lives that grow, the one with the most requests.

    Examples:
        >>> findings(ProcessMemory.empty().lazy(), ApiRequest.empty().lazy())
        []
    """
    lives, ends = _lives(memory, requests, logs, clocks)
    best: dict[tuple[str, str], list[Segment]] = {}
    for one in lives:
        if one.grows:
            best.setdefault((one.host, one.process), []).append(one)
    told = []
    for growing in best.values():
        growing.sort(key=lambda one: (-one.served, int(one.listings["at"][0]), str(one.pid)))
        told.append(_finding(growing, ends))
    return sorted(told, key=Finding.order)


def _lives(
    memory: pl.LazyFrame, requests: pl.LazyFrame, logs: pl.LazyFrame | None, clocks: pl.LazyFrame | None
) -> tuple[list[Segment], pl.DataFrame]:
    ties = rows_of(clocks, Clock)
    lines = rows_of(logs, LogRecord)
    listed, asked = memory.lazy(), requests.lazy()
    notable = lines.filter(pl.col("message").str.contains(f"{_KILLED}|{_STARVED}"))
    starts = lines.filter(pl.col("message").str.contains("wsgi starting up on"))
    owners = places(listed, asked, notable, starts)
    lives = segments(listed, once(asked, lines, ties, owners), lines, ties, owners)
    columns = ["deployment", "at", "pid", "what", "program", "source", "position"]
    told = at_home(on_one_clock(notable, ties), owners).with_columns(what=pl.col("message"))
    used = 1 - pl.coalesce("available_bytes", "free_bytes") / pl.col("total_bytes")
    swapped = pl.col("swap_used_bytes") / pl.col("swap_total_bytes")
    full = listed.filter(
        pl.col("process").is_null(),
        (swapped >= _FULL) & (pl.col("swap_total_bytes") > 0)
        | (used >= _FULL) & pl.col("available_bytes").is_not_null(),
    )
    ended = at_home(on_one_clock(full, ties), owners).with_columns(
        what=pl.lit("memory is full"), program=pl.lit(None, pl.String)
    )
    both = pl.concat([told.select(columns), ended.select(columns)], how="vertical_relaxed")
    return lives, both.sort("at", "source", "position").collect()


def _exhausted(one: Segment, ends: pl.DataFrame) -> tuple[int, str, Reference] | None:
    """The first sign, in its life or within a day after it, that the memory had run out."""
    first, last = int(one.listings["at"][0]), int(one.listings["at"][-1])
    near = ends.filter(pl.col("deployment") == one.deployment, pl.col("at").is_between(first, last + _DAY_NS))
    for _, at, _, what, program, source, position in near.iter_rows():
        killed = re.search(_KILLED, str(what))
        of_it = (
            one.pid == int(killed[1]) or one.process[:15] == killed[2]
            if killed
            else what == "memory is full" or str(program or "").startswith(one.process)
        )
        if of_it:
            return (
                at,
                killed[0] if killed else str(what).splitlines()[0][:120],
                Reference(source, f"line:{position}", iso(at)),
            )
    return None


def size(count: float) -> str:
    """Bytes as people say them.

    Examples:
        >>> size(160_293), size(165_396_480)
        ('160 kB', '165 MB')
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(count) >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count:.0f} B"


def _cite(rows: pl.DataFrame) -> tuple[Reference, ...]:
    some = rows.select("source", "position", "at").iter_rows()
    return tuple(Reference(source, f"line:{position}", iso(at)) for source, position, at in some)


def _finding(growing: list[Segment], ends: pl.DataFrame) -> Finding:
    one, rows = growing[0], growing[0].listings
    end = _exhausted(one, ends)
    facts: dict[str, Any] = {
        "process": one.process,
        "host": one.host or None,
        "bytes_per_request": one.fit.slope,
        "from_bytes": one.from_bytes,
        "to_bytes": one.to_bytes,
        "exhausted_at": iso(end[0]) if end else None,
    }
    share = one.to_bytes / max(one.from_bytes, 1)
    severity = "high" if end else "medium" if share >= 1.3 else "low"
    steps: list[tuple[int, str, tuple[Reference, ...]]] = []
    pid = f" (pid {one.pid})" if one.pid is not None else ""
    text = f"{one.process}{pid} holds {size(one.from_bytes)}."
    steps.append((int(rows["at"][0]), text, _cite(rows.head(1))))
    middle = rows.row(rows.height // 2, named=True)
    done = int(middle["served"] - rows["served"][0])
    text = f"After {done:,} requests it holds {size(middle['resident_bytes'])}."
    steps.append((middle["at"], text, _cite(rows[rows.height // 2 : rows.height // 2 + 1])))
    text = (
        f"After {one.served:,} requests it holds {size(one.to_bytes)}: {size(one.fit.slope)} a request (95 %: "
        f"{size(one.fit.low)} to {size(one.fit.high)}), and the second half grows like the first "
        f"({size(one.second)} and {size(one.first)} a request)."
    )
    steps.append((int(rows["at"][-1]), text, _cite(rows.tail(1))))
    if end:
        steps.append((end[0], f"The memory runs out: {end[1]}.", (end[2],)))
    for other in growing[1:4]:
        text = f"Another process of the same program (pid {other.pid}) grows alike: {size(other.fit.slope)} a request."
        steps.append((int(other.listings["at"][0]), text, _cite(other.listings.head(1))))
    where = f" on {one.host}" if one.host else ""
    return Finding(
        kind="memory-growth",
        title=(
            f"{one.process}{where} takes {size(one.fit.slope)} more with each request: {size(one.from_bytes)} grew to "
            f"{size(one.to_bytes)}"
        ),
        severity=severity,
        confidence="likely" if one.own or one.interval >= 0.3 else "possible",
        start=iso(int(rows["at"][0])),
        end=None,
        entities={"hosts": (one.host,) if one.host else ()},
        facts=facts,
        story=tuple(Step(iso(at), text, refs) for at, text, refs in sorted(steps, key=lambda step: step[0])),
        evidence=(*_cite(rows.head(2)), *_cite(rows.tail(2)), *((end[2],) if end else ())),
        alternatives=_alternatives(one),
        remedy=(
            f"Restart {one.process} when nobody waits for it: only that gives the memory back now.",
            (
                "Find the requests that return or load most (latency by operation, MySQL's slow query log), and purge "
                "the tables that they read."
            ),
            (
                "Limit the damage until then: workers that are recycled (uWSGI `max-requests`), or a memory limit of "
                "the service (systemd `MemoryMax=`) below the host's memory, with a restart."
            ),
        ),
        next_evidence=(
            "the kernel's log and `free` or sar over the same time: whether the host runs out of memory",
            "which operations the growth goes with: resident memory listed before and after single requests",
        ),
        id=identity("memory-growth", {"hosts": (one.host,), "process": (one.process,)}),
    )  # fmt: skip


def _alternatives(one: Segment) -> tuple[Alternative, ...]:
    refs = _cite(one.listings.tail(1))
    told = [
        Alternative(
            "a warm-up: caches and heap that fill once", "ruled out",
            f"it does not level off: {size(one.first)} a request in the first half, {size(one.second)} in the second",
            refs,
        ),
        Alternative(
            "a cache that is emptied from time to time", "ruled out",
            f"at the end it still holds {size(one.to_bytes)}, all but what it had at its peak", refs,
        ),
    ]  # fmt: skip
    if one.idle is not None:
        because = f"without requests it grows at {max(one.idle, 0):.0%} of the pace that it has with them"
        told.append(Alternative("growth with time, whatever it serves", "ruled out", because))
    else:
        because = "it was never without requests for long enough; from listing to listing growth and requests have a "
        because += f"rank correlation of {one.interval:.2f}"
        told.append(Alternative("growth with time, whatever it serves", "open", because))
    if not one.own:
        because = "its access lines have no pid: all requests of that service on that host are counted as its own"
        told.append(Alternative("other processes served a part of the requests", "open", because))
    return tuple(told)


def chart_frames(
    finding: Finding,
    memory: pl.LazyFrame,
    requests: pl.LazyFrame,
    logs: pl.LazyFrame | None = None,
    clocks: pl.LazyFrame | None = None,
) -> dict[str, Any] | None:
    """What `forensics.charts.memory_requests` draws of a finding.

    Args:
        finding: One of `findings`.
        memory: The records that `findings` took, this one and those that follow.
        requests: One row per `ApiRequest`.
        logs: One row per `LogRecord`.
        clocks: One row per `Clock`.
    """
    lives, _ = _lives(memory, requests, logs, clocks)
    facts = finding.facts
    own = [one for one in lives if (one.process, one.host or None) == (facts["process"], facts["host"])]
    if not own:
        return None
    parts = []
    for number, one in enumerate(own, 1):
        told = one.fit.slope == facts["bytes_per_request"] and one.from_bytes == facts["from_bytes"]
        at = pl.from_epoch("at", time_unit="ns").dt.replace_time_zone("UTC")
        served = (pl.col("served") - pl.col("served").first()).cast(pl.Int64)
        name = f"{one.process}, pid {one.pid}" if one.pid is not None else f"{one.process}, life {number}"
        parts.append(one.listings.with_columns(at, served, life=pl.lit(name), told=pl.lit(told)))
    return {"listings": pl.concat(parts), "finding": finding}


CHARTS = {"memory_requests": chart_frames}
