"""Which links were down, from when to when, and why? Ports of switches, cards and bonds of hosts."""

from __future__ import annotations

from typing import Any

import polars as pl

from forensics.analysis._correlate import SECOND_NS, on_one_clock
from forensics.analysis._given import rows_of
from forensics.analysis._port_names import port_key
from forensics.analysis._port_scene import survey
from forensics.records import Alternative, Bpdu, Clock, Edge, Finding, LogRecord, PortEvent, Reference, Step
from forensics.records.finding import identity, iso

NEEDS = (PortEvent,)
USES = (Bpdu, Edge, LogRecord, Clock)
KINDS = {"link-down": ("the log of a switch, or the kernel log of a host",)}

MOST = 20
"""An interface that went down more often is told once, with how often."""
STRANDED_NS = 600 * SECOND_NS
"""A bond that stays without members while its host goes on logging so long is no reboot and no maintenance of it."""
REMEDIES = {
    "guard": "Find who sent the BPDU before the port is opened again: see the cut-off that explains it, if any.",
    "admin": "Somebody shut it on purpose: see the switch's log of commands before you open it.",
    "other": "Compare both ends: `show interfaces` at the switch, `ip -s link` and `ethtool` at the host.",
}


def findings(
    port_events: pl.LazyFrame,
    bpdus: pl.LazyFrame | None = None,
    edges: pl.LazyFrame | None = None,
    log_records: pl.LazyFrame | None = None,
    clocks: pl.LazyFrame | None = None,
) -> list[Finding]:
    """Tell every span in which a port of a switch, a card or a bond of a host was down.

    A link that is down is an observation: cables are moved, hosts start anew. It ranks above ``info`` only where a
    host's bond has lost its last member, for no reason that any log gives, and the host goes on without it.

    Args:
        port_events: One row per `PortEvent`.
        bpdus: One row per `Bpdu`, which help to compare clocks.
        edges: One row per `Edge`.
        log_records: One row per `LogRecord`: how far a host's log reaches.
        clocks: One row per `Clock`.

    Returns:
        One `link-down` a span, most severe first; an interface that flaps more than `MOST` times has one for all.

    Examples:
        >>> findings(PortEvent.empty().lazy())
        []
    """
    scene = survey(port_events, bpdus, edges, clocks)
    spans = scene.spans
    if spans.is_empty():
        return []
    reach = _reach(log_records, clocks)
    often = spans.group_by("machine", "key").len("often")
    spans = spans.join(often, on=["machine", "key"]).sort("machine", "key", "from_at")
    told = [_finding(row, reach) for row in spans.filter(pl.col("often") <= MOST).iter_rows(named=True)]
    many = spans.filter(pl.col("often") > MOST).group_by("machine", "key", maintain_order=True)
    told += [_finding(rows.row(0, named=True) | _over(rows), reach) for _, rows in many]
    return sorted(told, key=Finding.order)


def _over(rows: pl.DataFrame) -> dict[str, Any]:
    """All spans of one interface as one: from the first to the last."""
    last = rows.row(-1, named=True)
    return {name: last[name] for name in ("to_at", "to_source", "to_position")} | {
        "reason": rows["reason"].drop_nulls().first() if rows["reason"].n_unique() == 1 else None
    }


def _reach(log_records: pl.LazyFrame | None, clocks: pl.LazyFrame | None) -> dict[str, int]:
    """Source -> its last instant, by its own clock."""
    logs = rows_of(log_records, LogRecord)
    ties = rows_of(clocks, Clock)
    told = on_one_clock(logs.select("ts", "source"), ties).group_by("source").agg(pl.col("own").max())
    return dict(told.collect(engine="streaming").iter_rows())


def _finding(row: dict[str, Any], reach: dict[str, int]) -> Finding:
    owner = "switch" if row["is_switch"] else "host"
    whose = {"switches" if row["is_switch"] else "hosts": (row["machine"],), "interfaces": (row["name"],)}
    own = [line for line in row["rows"] if line["name"] == row["name"]] or row["rows"]
    refs = [Reference(line["source"], f"line:{line['position']}", iso(line["at"])) for line in own[:4]]
    back = Reference(row["to_source"], f"line:{row['to_position']}", iso(row["to_at"])) if row["to_source"] else None
    facts = {
        owner: row["machine"],
        "interface": row["name"],
        "from": iso(row["from_at"]),
        "to": iso(row["to_at"]),
        "reason": row["reason"],
    }
    why = f" ({row['reason']})" if row["reason"] else ""
    times = row["often"] if row["often"] > MOST else 1
    said = f"{row['name']} of {row['machine']} was down{why}" + (f" {times} times" if times > 1 else "")
    if times > 1:
        facts["times"] = times
    steps = [Step(iso(row["from_at"]), f"{row['name']} of {row['machine']} went down{why}.", tuple(refs))]
    if back:
        steps.append(
            Step(iso(row["to_at"]), f"It was up again{' by a timer' if row['back'] == 'timer' else ''}.", (back,))
        )
    stranded = _stranded(row, reach)
    return Finding(
        kind="link-down",
        title=said + ("" if row["to_at"] is not None else ", and nothing says that it came back"),
        severity="low" if stranded else "info",
        confidence="proven",
        start=iso(row["from_at"]),
        end=iso(row["to_at"]),
        entities=whose,
        facts=facts,
        story=tuple(steps),
        evidence=(*refs, *((back,) if back else ())),
        alternatives=_alternatives(tuple(refs)) if stranded else (),
        remedy=(_remedy(row["reason"]),),
        next_evidence=("The log of the switch at the other end, which says why.",) if stranded else (),
        id=identity("link-down", {**whose, "since": [str(iso(row["own"]))]}),
    )


def _stranded(row: dict[str, Any], reach: dict[str, int]) -> bool:
    lost = "no_active_member" in row["said"] and not row["is_switch"]
    return lost and row["to_at"] is None and reach.get(row["source"], 0) - row["own"] > STRANDED_NS


def _alternatives(refs: tuple[Reference, ...]) -> tuple[Alternative, ...]:
    return (
        Alternative(
            "the host was being shut down or started anew",
            "ruled out",
            "its own log goes on for minutes without it",
            refs,
        ),
        Alternative(
            "somebody pulled its cables, or shut its ports, on purpose", "open", "no switch's log says why", refs
        ),
    )


def _remedy(reason: str | None) -> str:
    text = (reason or "").lower()
    return REMEDIES["guard" if "bpdu" in text else "admin" if "admin" in text else "other"]


def chart_frames(
    finding: Finding,
    port_events: pl.LazyFrame,
    bpdus: pl.LazyFrame | None = None,
    edges: pl.LazyFrame | None = None,
    log_records: pl.LazyFrame | None = None,  # noqa: ARG001  charts get all that findings get
    clocks: pl.LazyFrame | None = None,
) -> dict[str, Any]:
    """What `forensics.charts.lanes.lanes` needs to draw a finding.

    Args:
        finding: A `link-down`.
        port_events: As for `findings`.
        bpdus: As for `findings`.
        edges: As for `findings`.
        log_records: As for `findings`.
        clocks: As for `findings`.

    Returns:
        ``title``, ``note`` and ``bars``: when this port was down, and above all others when those were that were down
        within the time drawn: this port's, and as much again on both sides, an hour at least.
    """
    spans = survey(port_events, bpdus, edges, clocks).spans
    name, machine = finding.facts["interface"], finding.facts.get("switch") or finding.facts.get("host")
    own = (pl.col("machine") == machine) & (pl.col("key") == port_key(name))
    mine = spans.filter(own)
    start = int(mine["from_at"].min())  # type: ignore[arg-type]
    ends = pl.concat([spans["to_at"], spans["from_at"]]).drop_nulls()
    end = int(ends.max() if mine["to_at"].null_count() else mine["to_at"].max())  # type: ignore[arg-type]
    if finding.facts.get("times") is None:
        start, end = (_ns(at, other) for at, other in ((finding.start, start), (finding.end, end)))
    margin = max(end - start, 1800 * SECOND_NS)
    near = spans.filter(
        pl.col("from_at") <= end + margin, (pl.col("to_at") >= start - margin).fill_null(value=True)
    ).with_columns(own=own)
    instant = pl.Datetime("ns", "UTC")
    said = pl.col("rows").list.first().struct.field("message")
    bars = near.sort("own", "machine", "key", "from_at", descending=[True, False, False, False]).select(
        "source", "position", group="machine", lane=pl.col("name").first().over("machine", "key"),
        what=pl.when("own").then(pl.lit("this port is down")).otherwise(pl.lit("another is down")),
        meaning=pl.when("own").then(pl.lit("trouble")).otherwise(pl.lit("answers")),
        from_at=pl.max_horizontal("from_at", pl.lit(start - margin)).cast(instant),
        to_at=pl.when(pl.col("to_at") <= end + margin).then("to_at").cast(instant),
        text=pl.coalesce("reason", said),
    )  # fmt: skip
    return {"title": finding.title, "note": "and every port that was down about then", "bars": bars}


def _ns(text: str | None, otherwise: int) -> int:
    """An instant as findings have it, in nanoseconds."""
    if text is None:
        return otherwise
    return int(pl.Series([text]).str.to_datetime(time_unit="ns", time_zone="UTC").to_physical()[0])


CHARTS = {"lanes": chart_frames}
