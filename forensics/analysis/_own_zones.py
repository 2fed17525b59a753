"""Which zone a log was written in, as stamps in UTC by the same machine's clock tell: notifications and the database.

Nova stamps notifications, and ``launched_at`` and ``terminated_at`` of an instance, with the UTC of the host that does
the work (oslo_utils.timeutils.utcnow), and logs the same work in its own zone. One clock wrote both, so they are
whole quarters of an hour apart.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from forensics.analysis._correlate import SECOND_NS
from forensics.records import Instance, InstanceEvent, LogRecord, Notification, Record

QUARTER_NS = 900 * SECOND_NS
SLACK_NS = 60 * SECOND_NS
"""From a line to the stamp of the same work, beyond the lines of that request."""
LONGEST_NS = 300 * SECOND_NS
"""Work that takes longer does not tell one quarter of an hour from the next."""
FEWEST = 2
MOST_STAMPS = 500_000
"""Stamps in UTC that are compared at a time."""
WIDEST_NS = 15 * 3600 * SECOND_NS

Rows = Callable[[type[Record]], pl.LazyFrame]


def own_zones(rows: Rows, log_node: pl.Expr) -> dict[str, tuple[int, int, str]]:
    """Zones of logs, from stamps in UTC by the same machine.

    Args:
        rows: Gives the rows of a record.
        log_node: The node of a log's row, from ``source`` and ``host``.

    Returns:
        Node -> zone in ns east of UTC, how many events say so, and in words which. Nothing where they disagree.
    """
    at = pl.col("ts").to_physical().cast(pl.Int64)
    spoken = (
        rows(LogRecord)
        .filter(pl.col("ts").is_not_null() & pl.col("request_id").is_not_null() & pl.col("host").is_not_null())
        .select(node=log_node, machine=_machine(), key="request_id", at=at)
    )
    sent = (
        rows(Notification)
        .filter(pl.col("ts").is_not_null() & pl.col("request_id").is_not_null() & pl.col("host").is_not_null())
        .select(machine=_machine(), key="request_id", utc=at)
    )
    done = rows(InstanceEvent).filter(pl.col("ts").is_not_null() & pl.col("instance").is_not_null())
    done = done.filter(pl.col("event").is_in(["spawned", "built"]) & (pl.col("source") != ""))
    built = done.select(node=log_node, machine=_machine(), key="instance", at=at)
    known = rows(Instance).filter(pl.col("launched_at").is_not_null() & pl.col("compute_host").is_not_null())
    launched = known.select(
        machine=_machine("compute_host"), key="instance", utc=pl.col("launched_at").to_physical().cast(pl.Int64)
    )
    pairs = [
        _near(spoken, sent, "notifications of the same requests"),
        _near(built, launched, "instances that the database has as launched there"),
    ]
    found: dict[str, tuple[int, int, str]] = {}
    for node, zone, count, agree, basis in pl.concat(pairs).sort("node", "basis").iter_rows():
        if agree == count and count >= FEWEST and (node not in found or found[node][1] < count):
            found[node] = (zone, count, f"{count} {basis}, stamped in UTC by the same machine")
    return found


def _machine(name: str = "host") -> pl.Expr:
    return pl.col(name).str.to_lowercase().str.split(".").list.first().alias("machine")


def _near(lines: pl.LazyFrame, stamps: pl.LazyFrame, basis: str) -> pl.DataFrame:
    """Per node the zone that most events fit, how many there are, and how many fit."""
    parts = 1 + stamps.select(pl.len()).collect(engine="streaming").item() // MOST_STAMPS
    mine = pl.col("key").hash() % parts
    each = pl.concat([_fitting(lines, stamps.filter(mine == part)) for part in range(parts)])
    every = each.group_by("node", "zone").agg(pl.col("len").sum())
    told = (
        every.sort("len", "zone", descending=True, nulls_last=True)
        .group_by("node", maintain_order=True)
        .agg(pl.col("zone").first(), pl.col("len").sum().cast(pl.Int64).alias("count"), agree=pl.col("len").first())
    )
    return told.drop_nulls("zone").select("node", "zone", "count", pl.col("agree").cast(pl.Int64), basis=pl.lit(basis))


def _fitting(lines: pl.LazyFrame, stamps: pl.LazyFrame) -> pl.DataFrame:
    """How many events of a node fit a zone, or none."""
    utc = stamps.group_by("machine", "key").agg(utc=pl.col("utc").min(), until=pl.col("utc").max())
    told = utc.collect(engine="streaming")
    named = lines.head(0) if told.is_empty() else lines.join(told.lazy(), on=["machine", "key"], how="semi")
    work = named.group_by("node", "machine", "key").agg(first=pl.col("at").min(), last=pl.col("at").max())
    middle = (pl.col("first") + pl.col("last") - pl.col("utc") - pl.col("until")) // 2
    longest = pl.max_horizontal(pl.col("last") - pl.col("first"), pl.col("until") - pl.col("utc"))
    zone = (middle + QUARTER_NS // 2) // QUARTER_NS * QUARTER_NS
    off = (middle - zone).abs() - (pl.col("last") - pl.col("first") + pl.col("until") - pl.col("utc")) // 2
    pairs = (
        work.join(told.lazy(), on=["machine", "key"])
        .filter(longest <= LONGEST_NS)
        .with_columns(zone=zone, off=off)
        .filter(pl.col("zone").abs() < WIDEST_NS)
        .with_columns(zone=pl.when(pl.col("off") <= SLACK_NS).then("zone"))
    )
    return pairs.group_by("node", "zone").agg(pl.len()).collect(engine="streaming")
