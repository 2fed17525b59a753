"""What the charts of a lost lease show: who said what, who saw it, and what traffic reached the client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._given import rows_of
from forensics.analysis._lease_failed import comparable
from forensics.analysis._lease_messages import FIELDS, merged
from forensics.analysis._lease_rows import DhcpRows, told
from forensics.analysis._lease_scene import Homes, machine, path_order
from forensics.analysis._lease_servers import servers_of
from forensics.analysis._lease_story import RAN_OUT
from forensics.analysis._lease_traffic import Watch
from forensics.records import Clock, Finding, Packet

_SAID = {
    "at": pl.Int64,
    "message": pl.Int64,
    "message_type": pl.String,
    "by_client": pl.Boolean,
    "unicast": pl.Boolean,
    "point": pl.String,
    "seen_by": pl.String,
    "place": pl.Int64,
    "source": pl.String,
    "locator": pl.String,
}
_WHO = {"client": pl.String, "mac": pl.String, "ip": pl.String}


def chart_frames(
    finding: Finding,
    dhcp_messages: pl.LazyFrame,
    client_events: pl.LazyFrame | None = None,
    packets: pl.LazyFrame | None = None,
    log_records: pl.LazyFrame | None = None,
    clocks: pl.LazyFrame | None = None,
) -> dict[str, Any]:
    """What `forensics.charts.ladder.ladder` needs to draw a finding.

    Args:
        finding: A `dhcp-renewal-failure`.
        dhcp_messages: As for `findings`.
        client_events: As for `findings`.
        packets: As for `findings`.
        log_records: As for `findings`.
        clocks: As for `findings`.

    Returns:
        ``finding``; ``conversation``, one row per message and place where it was seen: ``at``, ``message`` (its
        number), ``message_type``, ``by_client``, ``unicast``, ``point``, ``seen_by``, ``place`` (0 is the client, the
        largest the server), ``source``, ``locator``; ``traffic``, one row per second at the capture nearest to the
        client: ``at``, ``point``, ``to_bytes``, ``from_bytes``; ``lease_ends_at``, ISO text or None.
    """
    del log_records
    ties = rows_of(clocks, Clock)
    rows, _ = told(dhcp_messages, client_events, ties)
    conversation, order, shown = _conversation(finding, _of([finding], rows), servers_of(rows))
    mac, ip = finding.facts["mac"], finding.facts["ip"]
    client = pl.DataFrame([(str(mac or ip), mac, ip)], schema=_WHO, orient="row")
    seconds = Watch(rows_of(packets, Packet), ties, client).seconds()
    nearest = next((point for point in order if point in set(seconds["point"])), None)
    inward, outward = pl.col("way") == "in", pl.col("way") == "out"
    load = (
        seconds.filter(pl.col("point").eq_missing(pl.lit(nearest)) & (pl.col("second") * SECOND_NS).is_between(*shown))
        .group_by("second", "point")
        .agg(to_bytes=pl.col("size_bytes").filter(inward).sum(), from_bytes=pl.col("size_bytes").filter(outward).sum())
        .sort("second")
        .select(_at(pl.col("second") * SECOND_NS), "point", "to_bytes", "from_bytes")
    )
    return {"finding": finding, "conversation": conversation, "traffic": load, "lease_ends_at": _lapse(finding)}


def lanes(
    findings: Sequence[Finding],
    dhcp_messages: pl.LazyFrame,
    client_events: pl.LazyFrame | None = None,
    packets: pl.LazyFrame | None = None,
    log_records: pl.LazyFrame | None = None,
    clocks: pl.LazyFrame | None = None,
) -> dict[str, dict[str, Any]]:
    """``conversation`` and ``lease_ends_at`` as `chart_frames` has them, by id, of many findings at once."""
    del packets, log_records
    rows, _ = told(dhcp_messages, client_events, rows_of(clocks, Clock))
    own, servers = _of(findings, rows), servers_of(rows)
    return {
        one.id: {"conversation": _conversation(one, own, servers)[0], "lease_ends_at": _lapse(one)} for one in findings
    }


def _named(finding: Finding) -> pl.Expr:
    """Whether a row is of the client of a finding."""
    mac, ip = finding.facts["mac"], finding.facts["ip"]
    return pl.col("client") == mac if mac else pl.col("ip") == ip if ip else pl.lit(value=False)


def _of(findings: Sequence[Finding], rows: DhcpRows) -> pl.DataFrame:
    """The rows of the clients of some findings."""
    macs = {one.facts["mac"] for one in findings if one.facts["mac"]}
    ips = {one.facts["ip"] for one in findings if one.facts["ip"] and not one.facts["mac"]}
    own = pl.col("client").is_in(list(macs)) | pl.col("ip").is_in(list(ips))
    columns = ("client", "machine", "reference", *FIELDS)
    kept = [part.filter(own).select(columns) for part in rows.about(macs, ips)]
    return pl.concat([rows.rows_of(rows.counts["client"].clear()).select(columns), *kept])


def _conversation(
    finding: Finding, rows: pl.DataFrame, servers: frozenset[str]
) -> tuple[pl.DataFrame, list[str], tuple[int, int]]:
    """Who said what and who saw it, the capture points from the client on, and the time that is shown."""
    start, ends = (_instant(at) for at in (finding.start, finding.facts["gave_up_at"]))
    margin = max(int((finding.facts["lease_s"] or 120) * SECOND_NS * 0.7), 10 * SECOND_NS)
    shown = (start - margin, max(start, ends) + margin // 4)
    own = comparable(rows.filter(_named(finding)).sort("at", "source", "position").to_dicts())
    messages = merged(own)
    points = sorted({row["point"] for row in own if row["seen_by"] == "capture"})
    clients = frozenset(machine(row["machine"]) for row in own if row["seen_by"] == "client")
    order = path_order(points, messages, Homes(clients, servers))
    places = {point: place for place, point in enumerate(order, 1)}
    log_place = {"client": 0, "server": len(order) + 1, "relay": len(order) + 1}
    seen = [
        (seen.at, number, message.kind, message.by_client, message.unicast, seen.point, seen.seen_by,
         log_place.get(seen.seen_by, places.get(seen.point, 0)), seen.source, seen.reference().locator)
        for number, message in enumerate(m for m in messages if shown[0] <= m.at <= shown[1])
        for seen in message.sightings
    ]  # fmt: skip
    said = pl.DataFrame(seen, schema=_SAID, orient="row")
    return said.with_columns(_at(pl.col("at"))).sort("at", "message", "place"), order, shown


def _lapse(finding: Finding) -> str | None:
    return next((step.at for step in finding.story if step.text == RAN_OUT), None)


def _instant(text: str | None) -> int:
    """Nanoseconds of ISO text in UTC."""
    parsed = pl.Series([text]).str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ns").to_physical()
    return int(parsed[0])


def _at(nanoseconds: pl.Expr) -> pl.Expr:
    return nanoseconds.cast(pl.Int64).cast(pl.Datetime("ns", "UTC")).alias("at")
