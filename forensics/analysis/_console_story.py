"""A console log that went through the broker, told step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from forensics.records import Alternative, Finding, Step
from forensics.records.finding import Reference, iso

_MOST = 40
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Flood:
    """One instance whose console log was carried, with all that tells of it. Instants are ns on the case's clock."""

    instance: str | None
    hosts: tuple[str, ...]
    requests: pl.DataFrame
    replies: pl.DataFrame
    sizes: pl.DataFrame
    alarms: pl.DataFrame
    start: int
    end: int
    measured: str
    """What the figures rest on: ``api``, ``capture`` or ``listing``."""
    carried_bytes: int | None
    console_bytes: int | None
    console_lines: int | None
    guessed: bool = False
    """Whether nothing but the host and an alarm tells that the listing is that instance's."""


def told(flood: Flood) -> Finding:
    """The finding of one flood."""
    users = tuple(sorted(flood.requests["user_id"].drop_nulls().unique()))
    projects = tuple(sorted(flood.requests["project_id"].drop_nulls().unique()))
    count = flood.requests.height or flood.replies.height
    facts: dict[str, Any] = {
        "instance": flood.instance,
        "console_bytes": flood.console_bytes,
        "console_lines": flood.console_lines,
        "requests": count,
        "carried_bytes": flood.carried_bytes,
        "requested_by": list(users),
        "broker_alarms": [
            {"at": iso(at), "node": node, "kind": kind}
            for at, node, kind in flood.alarms.select("at", "node", "kind").iter_rows()
        ],
    }
    steps = tuple(sorted(_steps(flood), key=lambda step: step.when))
    evidence = tuple(dict.fromkeys(ref for step in steps for ref in step.evidence))
    named = f"instance {flood.instance}" if flood.instance else f"an instance on {', '.join(flood.hosts)}"
    size = f", {_size(flood.console_bytes)}," if flood.console_bytes else ""
    often = "once" if count == 1 else f"{count} times"
    carried = f": {_size(flood.carried_bytes)} in all" if flood.carried_bytes else ""
    return Finding(
        kind="console-log-flood",
        title=f"The console log of {named}{size} went through the message broker {often}{carried}",
        severity=_severity(flood),
        confidence=_confidence(flood),
        start=iso(flood.start),
        end=iso(flood.end),
        entities={
            "instances": (flood.instance,) if flood.instance else (),
            "hosts": flood.hosts,
            "users": users,
            "projects": projects,
        },
        facts=facts,
        story=steps,
        evidence=evidence,
        alternatives=tuple(_alternatives(flood)),
        remedy=_remedy(flood),
        next_evidence=_next(flood),
    )


def _severity(flood: Flood) -> str:
    if flood.measured == "listing":
        return "medium" if flood.alarms.height else "low"
    if flood.alarms.height:
        return "critical"
    return "high" if (flood.carried_bytes or 0) >= _GIB else "medium"


def _confidence(flood: Flood) -> str:
    clear = flood.requests.height > 0 and bool(flood.requests["clear"].all())
    if flood.measured == "api" and clear:
        return "proven"
    if flood.measured == "capture" and flood.instance and flood.replies.height and bool(flood.replies["named"].all()):
        return "proven"
    return "possible" if flood.measured == "listing" or flood.instance is None else "likely"


def _line(row: dict[str, Any], prefix: str = "", kind: str = "line") -> Reference:
    return Reference(row[f"{prefix}source"], f"{kind}:{row[f'{prefix}position']}", iso(row["at"]))


def _steps(flood: Flood) -> list[Step]:
    steps = []
    for row in flood.sizes.iter_rows(named=True):
        figures = [_size(row["bytes"])] if row["bytes"] is not None else []
        figures += [f"{row['lines']:,} lines"] if row["lines"] is not None else []
        if figures:
            steps.append(Step(iso(row["at"]) if row["at"] > 0 else None,
                              f"console.log has {' and '.join(figures)}", (_line(row),)))  # fmt: skip
    rows = flood.requests.sort("at", "request").to_dicts()
    for row in rows[:_MOST]:
        places: tuple[Reference, ...] = (_line(row),)
        if row["response_bytes"] is not None:
            answer = _line(row, "answer_")
            places = (answer,) if answer.locator == places[0].locator else (*places, answer)
            failed = f", with status {row['status']}" if (row["status"] or 200) >= 400 else ""
            text = f"{_who(row)} asks for the console log: the answer has {_size(row['response_bytes'])}{failed}"
        else:
            text = f"{_who(row)} asks for the console log"
        steps.append(Step(iso(row["at"]), text, places))
    if len(rows) > _MOST:
        steps.append(Step(iso(rows[-1]["at"]), f"… and so on: {len(rows) - _MOST} more requests", (_line(rows[-1]),)))
    for row in flood.replies.sort("at", "source", "position").head(_MOST).iter_rows(named=True):
        text = f"{row['src']} publishes an answer of {_size(row['body_bytes'])} to the broker"
        steps.append(Step(iso(row["at"]), text, (_line(row, kind="frame"),)))
    for row in flood.alarms.head(_MOST).iter_rows(named=True):
        place = (_line(row),)
        used, limit = row["used_bytes"], row["limit_bytes"]
        share = f" at {_size(used)} of {_size(limit)}" if used and limit else ""
        steps.append(
            Step(iso(row["at"]), f"{row['node']} raises its {row['kind']} alarm{share}: publishers wait", place)
        )
        if row["until"] is not None:
            ended = Reference(row["until_source"], f"line:{row['until_position']}", iso(row["until"]))
            steps.append(Step(iso(row["until"]), f"{row['node']} clears its {row['kind']} alarm", (ended,)))
    return steps


def _who(row: dict[str, Any]) -> str:
    return f"user {row['user_id']}" if row["user_id"] else "somebody"


def _size(count: int | None) -> str:
    """Octets as a person says them.

    Examples:
        >>> _size(5905580032), _size(31185211), _size(102400), _size(17)
        ('5.9 GB', '31.2 MB', '102 kB', '17 bytes')
    """
    if count is None:
        return "unknown size"
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.0f} kB" if count >= 1000 else f"{count} bytes"


def _alternatives(flood: Flood) -> list[Alternative]:
    told = []
    wire = tuple(_line(row, kind="frame") for row in flood.replies.head(3).iter_rows(named=True))
    if flood.measured != "listing":
        largest = flood.requests.sort("response_bytes", "at", descending=True, nulls_last=True).head(3)
        cited = wire or tuple(_line(row, "answer_") for row in largest.iter_rows(named=True))
        because = "nova sends the last 100 KiB since 2013.1; these answers are many times that"
        told.append(Alternative("the answers were capped: only a log's end was sent", "ruled out", because, cited))
    total = flood.replies["total_bytes"][0] if flood.replies.height else None
    if total:
        share = flood.replies["body_bytes"].sum() / total
        verdict = "ruled out" if share >= 0.5 else "open"
        because = f"these answers are {share:.0%} of all octets that were published in the capture"
    else:
        verdict, because = "open", "no capture shows what else the broker carried"
    other = "something else filled the broker: notifications that nobody reads, another service"
    told.append(Alternative(other, verdict, because, wire))
    return told


def _remedy(flood: Flood) -> tuple[str, ...]:
    name = flood.instance or "UUID"
    return (
        "ask the user to close the console page of that instance: every refresh carries the whole log again",
        f"on the compute host, `truncate -s 0 console.log` in the directory of instance {name}; then rebuild it",
        "find the next one before it is asked for: `find /var/lib/nova/instances -name console.log -size +100M`",
        "run nova 2013.1 (Grizzly) or later, which sends the last 100 KiB only, or take over that change",
    )


def _next(flood: Flood) -> tuple[str, ...]:
    wanted = []
    if flood.guessed:
        wanted.append("`virsh domuuid` of the directory's name on that host: whether the large log is that instance's")
    if flood.measured == "listing":
        wanted.append("nova-api's log of that time: its access lines tell the size of each answer")
    if flood.instance is None:
        wanted.append("nova-compute's log of that host at level INFO: it names the instance of each request")
    if flood.measured != "capture" and flood.replies.is_empty():
        wanted.append("a capture of port 5672 beside the broker: it shows what share of the traffic the answers are")
    if flood.alarms.is_empty():
        wanted.append("the broker's log: it tells whether its memory alarm was raised")
    if flood.sizes.is_empty():
        wanted.append("`ls -l` and `wc -l` of console.log in the instance's directory")
    return tuple(wanted)
