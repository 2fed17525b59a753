"""When did the message broker run short, or lose a node?"""

from __future__ import annotations

from typing import Any

import polars as pl

from forensics.analysis._broker_alarms import alarms
from forensics.analysis._correlate import SECOND_NS, on_one_clock
from forensics.analysis._given import rows_of
from forensics.records import BrokerEvent, Clock, Finding, Step
from forensics.records.finding import Reference, iso

NEEDS = (BrokerEvent,)
USES = (Clock,)
KINDS = {"broker-alarm": ("a log of RabbitMQ",)}

LASTS_NS = 600 * SECOND_NS
"""An alarm that goes on so long while the log does is an outage: whoever publishes waits until it ends."""
_LOST = {"node_down": "lost", "partition": "cut off", "minority": "paused, in a minority"}
_MOST = 30
_ALARMS = ("memory", "disk")
_SPAN = ("node", "kind", "at", "until", "used_bytes", "limit_bytes", "source", "position")


def findings(broker_events: pl.LazyFrame, clocks: pl.LazyFrame | None = None) -> list[Finding]:
    """Name the nodes that raised a memory or disk alarm, and those that were lost.

    Args:
        broker_events: One row per `BrokerEvent`.
        clocks: One row per `Clock`.

    Returns:
        One `broker-alarm` per node and kind (``memory``, ``disk``, ``node_down``, ``partition``, ``minority``), with
        ``node``, ``kind``, ``alarms`` (how many), ``lasted_s`` (all together; null where one does not end). ``info``,
        but ``medium`` for an alarm that does not end, or ends after `LASTS_NS`, and for a partition.

    Examples:
        >>> findings(BrokerEvent.empty().lazy())
        []
    """
    ties = rows_of(clocks, Clock)
    raised = alarms(broker_events.lazy(), ties)
    lost = _lost(broker_events.lazy(), ties)
    told = [_told(rows) for frame in (raised, lost) for _, rows in frame.group_by("node", "kind", maintain_order=True)]
    return sorted(told, key=Finding.order)


def _lost(events: pl.LazyFrame, clocks: pl.LazyFrame) -> pl.DataFrame:
    """Nodes that others saw go, each time once, with their return; without those that said they were stopping."""
    timed = on_one_clock(events, clocks)
    kinds = ("node_down", "node_up", "partition", "minority", "shutdown", "startup", "ready")
    own = {"startup", "ready", "shutdown"}
    by_name = pl.when(pl.col("kind").is_in(list(own))).then(pl.coalesce("node", "host"))
    seen = pl.coalesce(by_name, "peer", "node")
    columns = ("at", "bound", "kind", "source", "position")
    said = timed.filter(pl.col("kind").is_in(kinds)).select(*columns, node=seen)
    reach = timed.group_by("source").agg(log_ends=pl.col("at").max())
    rows, last = pl.collect_all([said.filter(pl.col("node").is_not_null()).sort("at", "source", "position"), reach])
    stopped = rows.filter(pl.col("kind") == "shutdown").select("node", stopped="at")
    gone = rows.filter(pl.col("kind").is_in(list(_LOST)))
    planned = gone.join_asof(
        stopped.sort("stopped"), left_on="at", right_on="stopped", by="node", strategy="nearest",
        tolerance=60 * SECOND_NS, check_sortedness=False,
    )  # fmt: skip
    gone = planned.filter(pl.col("stopped").is_null() | (pl.col("kind") != "node_down")).drop("stopped")
    back = rows.filter(pl.col("kind").is_in(["node_up", "startup", "ready"])).select(
        "node", until="at", until_source="source", until_position="position", back="at"
    )
    paired = gone.join_asof(
        back.sort("back"), left_on="at", right_on="back", by="node", strategy="forward", check_sortedness=False
    )
    key = ["node", "kind"]
    since = (pl.col("at") - pl.col("at").shift(1)).over(key)
    again = (since > 10 * SECOND_NS).fill_null(value=True)
    nothing = {"used_bytes": pl.lit(None, pl.Int64), "limit_bytes": pl.lit(None, pl.Int64)}
    once = paired.sort("at", "source", "position").filter(again).with_columns(**nothing)
    return once.join(last, on="source", how="left").sort("at", *key, "source", "position")


def _told(rows: pl.DataFrame) -> Finding:
    node, kind = str(rows["node"][0]), str(rows["kind"][0])
    count, start = rows.height, int(rows["at"].min())  # type: ignore[arg-type]
    open_ones = rows.filter(pl.col("until").is_null())
    spans = (rows["until"] - rows["at"]).drop_nulls()
    longest = max([*spans.to_list(), *(open_ones["log_ends"] - open_ones["at"]).to_list(), 0])
    bad = kind == "partition" or (kind in _ALARMS and longest >= LASTS_NS)
    steps = [step for row in rows.head(_MOST).iter_rows(named=True) for step in _steps(row)]
    what = f"raised its {kind} alarm" if kind in _ALARMS else f"was {_LOST[kind]}"
    often = "" if count == 1 else f" {count} times"
    lasted = None if open_ones.height else round(float(spans.sum()) / SECOND_NS, 3)
    facts: dict[str, Any] = {"node": node, "kind": kind, "alarms": count, "lasted_s": lasted}
    return Finding(
        kind="broker-alarm",
        title=f"{node} {what}{often}" + ("" if open_ones.is_empty() else ", and nothing says that it ended"),
        severity="medium" if bad else "info",
        confidence="proven",
        start=iso(start),
        end=None if open_ones.height else iso(int(rows["until"].max())),  # type: ignore[arg-type]
        entities={"hosts": (node.partition("@")[2] or node,), "interfaces": (kind,)},
        facts=facts,
        story=tuple(steps),
        evidence=tuple(dict.fromkeys(ref for step in steps for ref in step.evidence)),
        remedy=_REMEDY.get(kind, _NODE),
        next_evidence=("a capture of port 5672 beside the broker: who sends how much",) if bad else (),
    )


def _steps(row: dict[str, Any]) -> list[Step]:
    place = Reference(row["source"], f"line:{row['position']}", iso(row["at"]))
    alarm = row["kind"] in _ALARMS
    figures = (
        f": {row['used_bytes']:,} bytes, limit {row['limit_bytes']:,}"
        if row["used_bytes"] and row["limit_bytes"]
        else ""
    )
    text = (
        f"{row['node']} raises its {row['kind']} alarm{figures}" if alarm else f"{row['node']} is {_LOST[row['kind']]}"
    )
    steps = [Step(iso(row["at"]), text, (place,))]
    if row["until"] is not None:
        ended = Reference(row["until_source"], f"line:{row['until_position']}", iso(row["until"]))
        steps.append(Step(iso(row["until"]), "the alarm is cleared" if alarm else f"{row['node']} is back", (ended,)))
    return steps


_REMEDY = {
    "memory": (
        "see who fills it: `rabbitmqctl list_queues name messages message_bytes consumers memory`",
        "purge queues that nobody reads (notifications.info without a consumer is the usual one)",
        "raise `vm_memory_high_watermark` only after the cause is known",
    ),
    "disk": ("free space where RabbitMQ keeps its database, then see `rabbitmqctl list_queues name message_bytes`",),
}
_NODE = ("look at `rabbitmqctl cluster_status` on every node, and at that node's own log and kernel log of the time",)


def chart_frames(finding: Finding, broker_events: pl.LazyFrame, clocks: pl.LazyFrame | None = None) -> dict[str, Any]:
    """What `forensics.charts.lanes.lanes` needs to draw a finding.

    Args:
        finding: A `broker-alarm`.
        broker_events: As for `findings`.
        clocks: As for `findings`.

    Returns:
        ``title``, ``note``, ``bars`` (every alarm and loss of every node, this one's first) and ``levels`` (what the
        log says of the memory, or of the free disk, of this node, and of its limit).
    """
    ties = rows_of(clocks, Clock)
    node, kind = finding.facts["node"], finding.facts["kind"]
    held = pl.concat([frame(broker_events.lazy(), ties).select(_SPAN) for frame in (alarms, _lost)])
    own = (pl.col("node") == node) & (pl.col("kind") == kind)
    name = pl.col("kind").replace(_LOST)
    figures = pl.format("{} bytes, limit {}", "used_bytes", "limit_bytes")
    bars = held.with_columns(own=own).sort("own", "node", "kind", "at", descending=[True, False, False, False])
    instant = pl.Datetime("ns", "UTC")
    return {
        "title": finding.title,
        "note": "each bar is one alarm: whoever publishes waits until it ends" if kind in _ALARMS else "",
        "bars": bars.select(
            "source", "position", group=pl.lit(""), lane=pl.col("node") + pl.lit(": ") + name,
            what=pl.when("own").then(pl.lit("this one")).otherwise(pl.lit("others")),
            meaning=pl.when("own").then(pl.lit("trouble")).otherwise(pl.lit("answers")),
            from_at=pl.col("at").cast(instant), to_at=pl.col("until").cast(instant), text=figures,
        ),
        "levels": _levels(broker_events, ties, node, kind) if kind in _ALARMS else None,
    }  # fmt: skip


def _levels(events: pl.LazyFrame, clocks: pl.LazyFrame, node: str, kind: str) -> pl.DataFrame:
    """What the log says of the memory of a node, or of its free disk, and of the limit."""
    about = {"memory": ("memory_mark", "memory_limit"), "disk": ("disk_low", "disk_limit")}[kind]
    rows = on_one_clock(events.filter(pl.col("kind").is_in(about)), clocks).filter(
        pl.coalesce("node", "host", "source") == node
    )
    words = {"used_bytes": ("in use" if kind == "memory" else "free", "asks"), "limit_bytes": ("limit", "faint")}
    told = [
        rows.filter(pl.col(column).is_not_null()).select(
            "source", "position", what=pl.lit(what), meaning=pl.lit(meaning),
            at=pl.col("at").cast(pl.Datetime("ns", "UTC")),
            size_bytes=pl.col(column).cast(pl.Int64), text="message",
        )
        for column, (what, meaning) in words.items()
    ]  # fmt: skip
    return pl.concat(told).collect().sort("at", "what", "source", "position")


CHARTS = {"lanes": chart_frames}
