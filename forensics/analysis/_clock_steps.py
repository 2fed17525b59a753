"""Clocks that were set inside the evidence: as their own log says, by its stamps, and by other sources."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from forensics.analysis._correlate import SECOND_NS, of_most
from forensics.analysis._parts import in_parts
from forensics.records import LogRecord, Reference
from forensics.records.finding import iso

LEAST_STEP_NS = 2 * SECOND_NS
MOST_BACK_NS = 900 * SECOND_NS
"""A log whose stamps go back further is two logs in one file, or an hour of summer time twice."""
TOGETHER_NS = 60 * SECOND_NS
ZONE_NS = 1800 * SECOND_NS
_ROWS = 100_000
"""Lines that are held at a time."""
_RUN = 3
"""Lines (or seconds) before and after that agree: a single one was late, or written by another thread."""
STEPPED = (
    r"System clock was stepped by (?P<s>[-+]?[\d.]+) seconds",  # chronyd: local.c
    r"time reset (?:\(step\) )?(?P<s>[-+]?[\d.]+) s",  # ntpd: ntp_loopfilter.c, ntp_util.c
    r"time stepped by (?P<s>[-+]?[\d.]+)",
    r"step time server \S+ offset (?P<s>[-+]?[\d.]+) sec",  # ntpdate
    r"ntpd: time set (?P<s>[-+]?[\d.]+)\s?s",  # ntpd -q
    r"set local clock to .* \(offset (?P<s>[-+]?[\d.]+)s\)",  # openntpd
    r"setting time to .* \(offset (?P<s>[-+]?[\d.]+)s\)",  # busybox ntpd
)
CHANGED = r"^(?:Time has been changed|Clock change detected\. Flushing caches\.)"
"""What systemd and systemd-resolved say when the clock was set; not by how much."""
LEAP = r"Clock: (?:inserting|deleting) leap second"
_LOG = ("source", "host")
"""Whose lines, in the order of ``position``, one clock stamped."""
_UPTIME = r"^\[\s*(\d+\.\d+)\]"
_BY_MESSAGE, _BY_UPTIME, _BY_STAMPS, _BY_CHANGE = range(4)


@dataclass(frozen=True, slots=True)
class Step:
    """One clock that was set."""

    source: str
    host: str
    at_ns: int
    """By its own clock, once it was set."""
    by_ns: int | None
    bound_ns: int | None
    basis: str
    refs: tuple[Reference, ...]
    rank: int


def own_steps(logs: pl.LazyFrame) -> list[Step]:
    """Steps that a host's own log shows.

    Args:
        logs: One row per `LogRecord`.

    Returns:
        By host and instant; what several lines or files say of one step is one. Steps of less than two seconds are
        left out, but for leap seconds.

    Examples:
        >>> own_steps(LogRecord.empty().lazy())
        []
    """
    rows = logs.filter(pl.col("ts").is_not_null()).select(
        "source", "position", "message", "program",
        host=pl.coalesce("host", "source"), at=pl.col("ts").to_physical().cast(pl.Int64),
    )  # fmt: skip
    found = [*_said(rows), *_by_uptime(rows), *_backwards(rows)]
    kept: dict[str, list[Step]] = {}
    for step in sorted(found, key=lambda one: (one.host, one.rank, one.source, one.at_ns)):
        own = kept.setdefault(step.host, [])
        if all(abs(one.at_ns - step.at_ns) > TOGETHER_NS for one in own):
            own.append(step)
    told = (one for own in kept.values() for one in own if one.rank != _BY_CHANGE)
    return sorted(told, key=lambda one: (one.host, one.at_ns))


def _said(rows: pl.LazyFrame) -> list[Step]:
    message = pl.col("message")
    by = pl.coalesce([message.str.extract(pattern.replace("?P<s>", ""), 1) for pattern in STEPPED])
    anything = "stepped by|time reset|step time server|time set |local clock to|setting time to|leap second"
    told = (
        rows.filter(message.str.contains(anything))
        .with_columns(by=by.cast(pl.Float64, strict=False), leap=message.str.contains(LEAP))
        .filter((pl.col("by").abs() * SECOND_NS >= LEAST_STEP_NS) | pl.col("leap"))
        .sort("source", "position")
        .collect(engine="streaming")
    )
    steps = []
    for row in told.iter_rows(named=True):
        sign = -1 if "inserting" in row["message"] else 1
        by_ns = round((row["by"] if row["by"] is not None else sign) * SECOND_NS)
        refs = (Reference(row["source"], f"line:{row['position']}", iso(row["at"])),)
        basis = "a leap second" if row["leap"] else f"its own log: {row['message'][:120]}"
        steps.append(Step(row["source"], row["host"], row["at"], by_ns, 1_000_000, basis, refs, _BY_MESSAGE))
    return steps


def _runs(column: str) -> tuple[pl.Expr, pl.Expr]:
    """The last few values before a row, and those from it on, each as least and most."""
    before = [pl.col(column).shift(n).over(_LOG) for n in range(1, _RUN + 1)]
    after = [pl.col(column).shift(-n).over(_LOG) for n in range(_RUN)]
    whole = pl.all_horizontal(one.is_not_null() for one in (*before, *after))
    back = pl.when(whole).then(pl.max_horizontal(after) - pl.min_horizontal(before))
    ahead = pl.when(whole).then(pl.min_horizontal(after) - pl.max_horizontal(before))
    return back, ahead


def _backwards(rows: pl.LazyFrame) -> list[Step]:
    """Lines of one host in one file whose stamps fall back for good."""
    lines = rows.select("source", "position", "host", "at")
    held = _fell(lines.head(0).collect())
    ordered, last = True, lines.head(0).collect()
    for some in lines.collect_batches(chunk_size=_ROWS, engine="streaming"):
        near = pl.concat([last, some])
        since = near.select(*_LOG, pl.col("position", "at").diff().over(_LOG))
        ordered = ordered and not (since["position"] < 0).any()
        back = since.filter(pl.col("at").is_between(-MOST_BACK_NS, -LEAST_STEP_NS))
        if ordered and back.height:
            held = pl.concat([held, _fell(near.join(back, on=_LOG, how="semi"))])
        last = near.group_by(_LOG, maintain_order=True).tail(2 * _RUN - 1).select(near.columns)
    fell = held if ordered else _fell(lines.sort(*_LOG, "position").collect())  # a case has them in order
    steps = []
    for row in fell.sort("source", "host", "position").iter_rows(named=True):
        refs = tuple(
            Reference(row["source"], f"line:{place}", iso(at))
            for place, at in ((row["place"], row["was"]), (row["position"], row["at"]))
        )
        by_ns = row["at"] - row["was"]
        basis = "its stamps fall back from one line to the next and stay there"
        steps.append(Step(row["source"], row["host"], row["at"], by_ns, None, basis, refs, _BY_STAMPS))
    return steps


def _fell(lines: pl.DataFrame) -> pl.DataFrame:
    """Lines from which on stamps are earlier, with stamp and place of the line before; in the order of their file."""
    back, _ = _runs("at")
    return (
        lines.with_columns(
            away=back,
            was=pl.col("at").shift(1).over(_LOG),
            place=pl.col("position").shift(1).over(_LOG),
        )
        .filter((pl.col("away") <= -LEAST_STEP_NS) & (pl.col("at") - pl.col("was") >= -MOST_BACK_NS))
        .filter(pl.col("at") - pl.col("was") <= -LEAST_STEP_NS)
    )


def _by_uptime(rows: pl.LazyFrame) -> list[Step]:
    """Kernel lines: their uptime runs on while the clock is set (CLOCK_MONOTONIC, printk.time)."""
    lines = rows.filter(pl.col("program") == "kernel")
    counts = lines.group_by("source").agg(n=pl.len()).collect(engine="streaming").sort("source")
    parts = (part["source"].implode() for part in in_parts(counts, _ROWS))
    jumps = [_jumps(lines.filter(pl.col("source").is_in(sources))) for sources in parts]
    steps = []
    for row in (row for kernel in jumps for row in kernel.iter_rows(named=True)):
        by_ns = row["boot"] - row["before"]
        if abs(by_ns) < LEAST_STEP_NS or abs(by_ns) > 86_400 * SECOND_NS:
            continue
        refs = tuple(
            Reference(row["source"], f"line:{place}", iso(at))
            for place, at in ((row["place"], row["was"]), (row["position"], row["at"]))
        )
        basis = "the kernel's uptime runs on while the stamps of its lines jump"
        steps.append(Step(row["source"], row["host"], row["at"], by_ns, SECOND_NS, basis, refs, _BY_UPTIME))
    return steps


def _jumps(lines: pl.LazyFrame) -> pl.DataFrame:
    """Kernel lines at which stamps and uptime part, the first of each second, in the order of their file."""
    uptime = (pl.col("message").str.extract(_UPTIME, 1).cast(pl.Float64, strict=False) * 1e9).round().cast(pl.Int64)
    back, ahead = _runs("boot")
    first = [of_most(name, -pl.col("position")).alias(name) for name in ("position", "at", "up")]
    return (
        lines.filter(pl.col("message").str.contains(_UPTIME))
        .select("source", "position", "host", "at", up=uptime)
        .group_by("source", "host", second=pl.col("at") // SECOND_NS)
        .agg(*first, boot=(pl.col("at") - pl.col("up")).min())
        .collect(engine="streaming")
        .sort("source", "host", "position")
        .with_columns(
            back=back,
            ahead=ahead,
            place=pl.col("position").shift(1).over(_LOG),
            was=pl.col("at").shift(1).over(_LOG),
            before=pl.col("boot").shift(1).over(_LOG),
            ran=pl.col("up") - pl.col("up").shift(1).over(_LOG),
            run_on=pl.col("up").shift(-1).over(_LOG) - pl.col("up"),
        )
        .filter(((pl.col("back") <= -LEAST_STEP_NS) | (pl.col("ahead") >= LEAST_STEP_NS)) & (pl.col("ran") > 0))
        .filter(pl.col("run_on") >= 0)
    )


def steps_in(clocks: pl.DataFrame, frames: pl.LazyFrame) -> list[tuple[Step, str]]:
    """Steps between a source and its reference, as the pieces of its offset show them.

    Args:
        clocks: One row per `Clock`.
        frames: ``source``, ``locator``, ``at`` of rows that may be cited.

    Returns:
        Each with the reference. An offset that changes by whole half hours is summer time and no step.
    """
    found = []
    for row in clocks.filter(pl.col("pieces").list.len() > 1).sort("source").iter_rows(named=True):
        lines = [piece for piece in row["pieces"] if piece["host"] is None]
        sure = [
            piece
            for n, piece in enumerate(lines)
            if not (0 < n < len(lines) - 1)
            or piece["bound_s"] < min(lines[n - 1]["bound_s"], lines[n + 1]["bound_s"]) + 0.5
        ]
        for one, then in pairwise(sure):
            by_ns = round((then["offset_s"] - one["offset_s"]) * SECOND_NS)
            bound_ns = round((then["bound_s"] + one["bound_s"]) * SECOND_NS)
            rest = (by_ns + ZONE_NS // 2) % ZONE_NS - ZONE_NS // 2
            if (
                abs(by_ns) < LEAST_STEP_NS
                or abs(by_ns) <= bound_ns
                or (abs(by_ns) > ZONE_NS // 2 and abs(rest) <= bound_ns)
            ):
                continue
            edges = [_ns(one["to_at"]), _ns(then["from_at"])]
            own = frames.filter(pl.col("source") == row["source"])
            before, after = pl.col("at") <= edges[0], pl.col("at") >= edges[1] - 1
            ends = own.select(last=pl.col("at").filter(before).max(), first=pl.col("at").filter(after).min())
            last, first = ends.collect(engine="streaming").row(0)
            beside = own.filter(pl.col("at").is_in([last, first])).sort("at", "locator").collect(engine="streaming")
            here, there = (beside.filter(pl.col("at") == pl.lit(edge, pl.Int64)) for edge in (last, first))
            items = [*here.tail(1).rows(), *there.head(1).rows()]
            refs = tuple(Reference(source, locator, iso(at)) for source, locator, at in items)
            basis = f"the offset to {row['reference']} before and after: {row['basis']}"
            host = row["host"] or row["source"]
            found.append(
                (Step(row["source"], host, edges[1], by_ns, bound_ns, basis, refs, _BY_MESSAGE), row["reference"])
            )
    return found


def _ns(at: object) -> int:
    return int(pl.Series([at], dtype=pl.Datetime("ns", "UTC")).to_physical()[0])


__all__ = ["LogRecord", "Step", "own_steps", "steps_in"]
