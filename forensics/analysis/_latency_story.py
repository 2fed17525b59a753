"""Findings on latency in words: what was measured, what else it could be, what to do now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from forensics.analysis._latency_change import Slower
from forensics.analysis._latency_growth import Growth
from forensics.analysis._latency_statistics import MOST_POINTS
from forensics.records.finding import Alternative, Finding, Reference, Step, identity, iso

SCALE = 100_000


@dataclass(frozen=True, slots=True)
class Purge:
    """What a purge would take, or has taken."""

    rows: int | None = None
    """Rows deleted more than a year before the newest evidence."""
    of: int | None = None
    """Rows that there were when that was counted."""
    references: tuple[Reference, ...] = ()
    commands: tuple[tuple[int, str, int | None, Reference], ...] = ()
    """``(at, statement, rows affected, where)`` of deletions that somebody typed."""


def said(seconds: float) -> str:
    """A latency as people say it.

    Examples:
        >>> said(0.0214), said(3.94), said(138.6)
        ('21 ms', '3.94 s', '139 s')
    """
    if abs(seconds) < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if abs(seconds) < 100 else f"{seconds:.0f} s"


def taken(rows: pl.DataFrame) -> str:
    """How many requests were looked at, and of how many, where not all were."""
    each = int(rows["stands_for"].to_numpy().max(initial=1))
    return f"{rows.height:,} requests" + (f" (one in {each} of all)" if each > 1 else "")


def cite(rows: pl.DataFrame, most: int = 3) -> tuple[Reference, ...]:
    """The lines of some requests."""
    some = rows.head(most).select("source", "position", "at").iter_rows()
    return tuple(Reference(source, f"line:{position}", iso(at)) for source, position, at in some)


def harm(added_s: float) -> str:
    """How bad a longer wait is: nobody notices a fifth of a second, and clients give up after half a minute or so."""
    if added_s < 0.2:
        return "info"
    return "low" if added_s < 0.5 else "medium" if added_s < 30 else "high"


def grown(one: Growth, purge: Purge, hosts: Sequence[str]) -> Finding:
    """The finding of an operation that slows down with a table."""
    fit, rows = one.fit, one.rows
    remain = None if purge.rows is None or purge.of is None else max(purge.of - purge.rows, 0)
    predicted = None if remain is None else foretold(one, remain)
    facts: dict[str, Any] = {
        "operation": one.operation,
        "table": one.series.table,
        "seconds_per_100k_rows": fit.slope * SCALE,
        "ci_low": fit.low * SCALE,
        "ci_high": fit.high * SCALE,
        "rank_correlation": one.correlation,
        "requests": one.requests.height,
        "rows_min": int(rows.min()),
        "rows_max": int(rows.max()),
        "purgeable_rows": purge.rows,
        "predicted_s_after_purge": predicted,
    }
    where = f" on {', '.join(hosts)}" if hosts else ""
    title = (
        f"{one.operation}{where} slows down with the rows of {one.series.table}: {said(one.least_s)} at "
        f"{facts['rows_min']:,} rows, {said(one.most_s)} at {facts['rows_max']:,}"
    )
    ordered = one.requests.with_columns(rows=pl.Series(rows)).sort("rows", "at", "source", "position")
    refs = (*cite(ordered), *cite(ordered.reverse()), *_counts(one))
    added = one.most_s - one.least_s
    return Finding(
        kind="latency-grows-with-rows",
        title=title,
        severity=harm(added) if added >= 0.2 * one.least_s else "info",
        confidence=_sure(one),
        start=iso(int(one.requests["start"].min() or 0)),  # type: ignore[arg-type]
        end=None,
        entities={"hosts": tuple(hosts)},
        facts=facts,
        story=_growth_story(one, ordered, purge, predicted),
        evidence=tuple(dict.fromkeys((*refs, *purge.references))),
        alternatives=_growth_alternatives(one),
        remedy=_growth_remedy(one, purge, predicted),
        next_evidence=_growth_next(one, purge),
        id=identity(
            "latency-grows-with-rows", {"hosts": hosts, "operation": [one.operation], "table": [one.series.table]}
        ),
    )


def foretold(one: Growth, remain: int) -> float:
    """The fit at so many rows; where a purge has left about as many, its level is what was measured after it."""
    if one.fall and one.fall.followed and abs(one.fall.to_rows - remain) <= 0.05 * remain:
        return max(one.fall.seen_s + one.fit.slope * (remain - one.fall.seen_rows), 0.0)
    return max(one.fit.at(float(remain)), 0.0)


def _sure(one: Growth) -> str:
    """Proven by an experiment only: rows fell, the latency followed as foretold, and other operations did not."""
    still = any(control.still for control in one.controls)
    if one.fall and one.fall.followed and still and one.fall.to_rows <= 0.8 * one.fall.from_rows:
        return "proven"
    return "likely" if still or (one.fall and one.fall.followed) else "possible"


def _counts(one: Growth) -> tuple[Reference, ...]:
    """Where the fewest and the most rows are written."""
    low, high = (
        int(np.flatnonzero(one.series.rows == value)[0]) if (one.series.rows == value).any() else 0
        for value in (int(one.rows.min()), int(one.rows.max()))
    )
    return tuple(dict.fromkeys((one.series.reference(low), one.series.reference(high))))


def _growth_story(one: Growth, ordered: pl.DataFrame, purge: Purge, predicted: float | None) -> tuple[Step, ...]:
    steps: list[tuple[int, str, tuple[Reference, ...]]] = []
    table, counts = one.series.table, _counts(one)
    basis = {
        "counted": "counted",
        "estimated": "as InnoDB estimates them",
        "rebuilt": "as the rows' own times in the dump tell them",
    }[one.series.basis]
    third = max(3, ordered.height // 5)
    few, many = ordered.head(third), ordered.tail(third)
    low, high = (float(np.median(part["duration_s"].to_numpy())) for part in (few, many))
    text = f"At {int(few['rows'].median()):,} rows of {table} ({basis}) {one.operation} takes {said(low)} (median of {third} requests)."  # type: ignore[arg-type]  # noqa: E501
    steps.append((int(few["at"].min()), text, (*cite(few.sort("at", "source", "position")), counts[0])))  # type: ignore[arg-type]
    text = f"At {int(many['rows'].median()):,} rows it takes {said(high)} (median of {third})."  # type: ignore[arg-type]
    steps.append((int(many["at"].min()), text, (*cite(many.sort("at", "source", "position")), counts[-1])))  # type: ignore[arg-type]
    if one.fall:
        fall = one.fall
        then = "followed" if fall.followed else "did not follow"
        text = (
            f"The rows fall from {fall.from_rows:,} to {fall.to_rows:,}. What came before lets expect "
            f"{said(fall.told_s)} now; {fall.requests} requests take {said(fall.seen_s)}, after {said(fall.peak_s)} at "
            f"the peak: the latency {then}."
        )
        late = one.requests.filter(pl.col("start") >= fall.at)
        steps.append((fall.at, text, (one.series.reference(fall.place), *cite(late))))
    for at, statement, affected, ref in purge.commands:
        text = f"Somebody types `{statement[:140]}`"
        text += f": {affected:,} rows." if affected is not None else "."
        if affected is not None and affected <= 1 and "deleted=1" in statement.replace(" ", ""):
            text += " Since Grizzly `deleted` holds the row's own id: 1 matches one row at most."
        steps.append((at, text, (ref,)))
    last = int(one.requests["at"][-1])
    sample = f" (of {one.fit.points:,} of them)" if one.requests.height > MOST_POINTS else ""
    text = (
        f"Over {taken(one.requests)}{sample} the slope is {said(one.fit.slope * SCALE)} per 100,000 rows "
        f"(95 %: {said(one.fit.low * SCALE)} to {said(one.fit.high * SCALE)}), Spearman's rank correlation "
        f"{one.correlation:.2f}."
    )
    if predicted is not None and purge.rows is not None:
        text += f" Without the {purge.rows:,} rows deleted more than a year ago it would be {said(predicted)}."
    steps.append((last, text, cite(one.requests.tail(1))))
    return tuple(Step(iso(at), text, refs) for at, text, refs in sorted(steps, key=lambda step: step[0]))


def _growth_alternatives(one: Growth) -> tuple[Alternative, ...]:
    still = [control for control in one.controls if control.still]
    told = []
    for what, rho in (
        ("load (requests that come in at the same time)", one.load),
        ("the size of the answers", one.length),
    ):
        if rho is None:
            because = "all answers have one size"
            verdict = "ruled out"
        else:
            verdict = "ruled out" if rho < one.correlation - 0.1 or one.partial > 0.6 else "open"
            because = (
                f"its rank correlation with the latency is {rho:.2f}; that of the rows is {one.correlation:.2f}, and "
                f"{one.partial:.2f} with load and size held still"
            )
        told.append(Alternative(what, verdict, because))
    if still:
        quiet = still[0]
        because = (
            f"{quiet.operation} does not follow the rows ({quiet.requests} requests, rank correlation "
            f"{quiet.correlation:.2f})"
        )
        told.append(Alternative("the whole host or service became slower", "ruled out", because))
    else:
        because = "no other operation with enough requests is known to have stayed as it was"
        told.append(Alternative("the whole host or service became slower", "open", because))
    drift = (
        "something else that grew along with the rows, such as memory in use, another table or the age of the process"
    )
    if one.fall and one.fall.followed:
        because = "the rows fell and the latency followed them, by as much as the requests before had let expect"
        told.append(Alternative(drift, "ruled out", because, (one.series.reference(one.fall.place),)))
    else:
        because = "rows and latency rise together with time; only a purge would tell them apart"
        if one.as_well:
            because = f"{', '.join(one.as_well)} explain it equally well; " + because
        told.append(Alternative(drift, "open", because))
    told.append(
        Alternative(
            "one moment after which it was slower (an upgrade)", "ruled out",
            "the rows explain the latencies better than any one moment does",
        )
    )  # fmt: skip
    return tuple(told)


def _growth_remedy(one: Growth, purge: Purge, predicted: float | None) -> tuple[str, ...]:
    gain = ""
    if predicted is not None and purge.rows:
        gain = (
            f" That takes {purge.rows:,} rows, and the fit foretells {said(predicted)} instead of {said(one.most_s)}."
        )
    table = one.series.table
    steps = ["Back up first: `mysqldump --single-transaction nova > nova-$(date +%F).sql`."]
    if table.startswith(("instance", "block_device", "fixed_ip", "migration", "virtual_interface")):
        steps += [
            (
                "Move deleted rows to the shadow tables, a batch at a time until it says 0: `nova-manage db "
                f"archive_deleted_rows --max_rows 1000` (later releases: `--before`, `--until-complete`).{gain}"
            ),
            (
                "By hand, children first (instance_system_metadata, instance_info_caches, instance_faults, …), in "
                "batches: `delete from … where deleted != 0 and terminated_at < now() - interval 1 year limit 1000`. "
                "Not `deleted = 1`: since Grizzly a deleted row's `deleted` is its own id."
            ),
        ]
    else:
        steps += [
            f"Find the statements that read {table} (slow query log, `explain`) and whether an index serves them.",
            f"Delete what nobody needs any more from {table} in batches, expired rows first." + gain,
        ]
    steps += [
        "Restart the API service after it: it does not give back the memory that the large results took.",
        "Archive regularly (cron), and watch the number of rows beside the latency.",
    ]
    return tuple(steps)


def _growth_next(one: Growth, purge: Purge) -> tuple[str, ...]:
    wanted = []
    if not (one.fall and one.fall.followed):
        wanted.append(f"latencies of {one.operation} before and after a purge of {one.series.table}")
        wanted.append("MySQL's slow query log over the same time: Rows_examined and Query_time of the statements")
    if not any(control.still for control in one.controls):
        wanted.append("access lines of other operations of the same service over the same time")
    if purge.rows is None:
        wanted.append(
            f"`select count(*) from {one.series.table} where deleted != 0 and terminated_at < now() - interval 1 year`"
        )
    return tuple(wanted)


def slower(one: Slower, hosts: Sequence[str], start: tuple[int, str, Reference] | None) -> Finding:
    """The finding of an operation that is slower than it was, or than elsewhere.

    Args:
        one: What was measured.
        hosts: Deployments or hosts concerned.
        start: The last start of the service before it got slower: when, which line, and where.
    """
    apart = len(one.deployments) == 2
    low, high, ratio = one.before_s, one.after_s, one.ratio
    facts: dict[str, Any] = {
        "operation": one.operation,
        "before_median_s": low,
        "after_median_s": high,
        "ratio": ratio,
    }
    first = int(one.after["at"][0])
    if apart:
        facts["deployments"] = list(one.deployments)
        title = f"{one.operation} takes {said(high)} on {one.deployments[1]} and {said(low)} on {one.deployments[0]}"
    else:
        facts["changed_at"] = iso(first)
        where = f" on {one.deployments[0]}" if one.deployments[0] else ""
        title = f"{one.operation}{where} takes {ratio:.3g} times as long since {(iso(first) or '')[:19]}Z: {said(high)} after {said(low)}"  # noqa: E501
    severity = harm(high - low)
    if apart and (one.all_alike or ratio < 2):
        severity = "info"
    quiet = any(not other.alike for other in one.others)
    refs = (*cite(one.before.tail(3)), *cite(one.after))
    return Finding(
        kind="latency-regression",
        title=title,
        severity=severity,
        confidence="likely" if quiet and one.separation >= 0.9 else "possible",
        start=iso(int(one.after["start"].min() or 0)) if apart else iso(first),  # type: ignore[arg-type]
        end=None,
        entities={"hosts": tuple(hosts)},
        facts=facts,
        story=_slower_story(one, start),
        evidence=refs,
        alternatives=_slower_alternatives(one, start),
        remedy=_slower_remedy(one),
        next_evidence=_slower_next(one, start),
        id=identity("latency-regression", {"hosts": hosts, "operation": [one.operation], "between": one.deployments}),
    )


def _slower_story(one: Slower, start: tuple[int, str, Reference] | None) -> tuple[Step, ...]:
    apart = len(one.deployments) == 2
    steps: list[tuple[int, str, tuple[Reference, ...]]] = []
    for part, seconds, place in ((one.before, one.before_s, 0), (one.after, one.after_s, -1)):
        where = f"{one.deployments[place]}: " if apart else ""
        tail = float(np.quantile(part["duration_s"].to_numpy(), 0.95))
        when = "" if apart else " until then" if part is one.before else " from here on"
        text = f"{where}{taken(part)} {one.operation}{when}, median {said(seconds)}, 95 % below {said(tail)}."
        steps.append((int(part["at"][0]), text, cite(part)))
    if start:
        at, what, ref = start
        steps.append((at, f"The service is started: {what[:120]}", (ref,)))
    for other in one.others[:3]:
        text = f"Meanwhile {other.operation}: {other.ratio:.2g} times its median ({other.requests:,} requests)."
        steps.append((int(one.after["at"][0]), text, cite(one.after.head(1))))
    return tuple(Step(iso(at), text, refs) for at, text, refs in sorted(steps, key=lambda step: step[0]))


def _slower_alternatives(one: Slower, start: tuple[int, str, Reference] | None) -> tuple[Alternative, ...]:
    apart = len(one.deployments) == 2
    told = [
        Alternative(
            "chance, or a few odd requests", "ruled out",
            f"of all pairs of a request of either side the later side's is the slower one in {one.separation:.0%}"
            if not apart else f"the slower side is slower in {one.separation:.0%} of all pairs of requests",
        ),
        Alternative(
            "more load, or larger answers", "ruled out" if one.partial >= 0.5 else "open",
            f"with both held still, a rank correlation of {one.partial:.2f} between side and latency is left",
        ),
    ]  # fmt: skip
    quiet = [other for other in one.others if not other.alike]
    host = "weaker hardware, or a busier host" if apart else "the whole host became slower"
    if quiet:
        because = f"{quiet[0].operation} takes {quiet[0].ratio:.2g} times as long, this one {one.ratio:.3g} times"
        told.append(Alternative(host, "ruled out", because))
    elif one.others:
        because = f"all {len(one.others)} other operations that can be compared are slower, too"
        told.append(Alternative(host, "open", because))
    else:
        told.append(Alternative(host, "open", "no other operation was there to compare"))
    if apart:
        because = "their requests are of one operation; what the clients asked for in detail is not in the line"
        told.append(Alternative("another mix of requests", "open", because))
    elif start is None:
        told.append(Alternative("a new release or configuration", "open", "no start of the service was seen before it"))
    return tuple(told)


def _slower_remedy(one: Slower) -> tuple[str, ...]:
    if len(one.deployments) == 2:
        return (
            "Compare release, configuration and rows of the tables behind that operation in both deployments.",
            "Profile one slow request: MySQL's slow query log, or osprofiler, with the request id of a cited line.",
        )
    return (
        "Look at what changed at that time: packages (`rpm -qa --last`, /var/log/dpkg.log), configuration, schema.",
        "Run one such request with MySQL's slow query log on, and compare the statements with the release before.",
        "If it must be fast now, go back to the release before, as its notes allow.",
    )


def _slower_next(one: Slower, start: tuple[int, str, Reference] | None) -> tuple[str, ...]:
    wanted = ["counts of the tables' rows over the same time (a CSV of time, table, rows)"]
    if len(one.deployments) == 1 and start is None:
        wanted.append("the package manager's log, and the service's log around that moment")
    if not one.others:
        wanted.append("access lines of other operations over the same time")
    return tuple(wanted)
