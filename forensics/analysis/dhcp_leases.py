"""Who stopped listening? Clients that lost their lease, and whether DHCP was the culprit or the first to notice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import polars as pl

from forensics.analysis._correlate import SECOND_NS, of_last, on_one_clock
from forensics.analysis._given import rows_of
from forensics.analysis._lease_causes import verdict
from forensics.analysis._lease_messages import FIELDS, TRANSIT_NS, merged, normalised, suspects
from forensics.analysis._lease_scene import Homes, Scene, machine, path_order, survey
from forensics.analysis._lease_servers import Servers, servers_of
from forensics.analysis._lease_states import Attempt, attempts
from forensics.analysis._lease_story import RAN_OUT, finding
from forensics.analysis._lease_traffic import Traffic, watch
from forensics.analysis._lease_words import told_by_events
from forensics.analysis._rotation import stem
from forensics.records import Clock, DhcpClientEvent, DhcpMessage, Finding, LogRecord, Packet
from forensics.records.finding import Reference, iso

NEEDS = ()
NEEDS_ANY = (DhcpMessage, DhcpClientEvent)
USES = (Packet, LogRecord, Clock)
KINDS = {
    "dhcp-renewal-failure": ("DHCP messages (a capture, or the logs of dnsmasq or of a DHCP client)",),
}

_Row = dict[str, Any]
"""A row of what `normalised` gives."""
_place = itemgetter(0)
_WHO = ("client", "mac", "ip")
_WHEN = ("since_at", "first_at", "ends_at")
_ASKED = dict.fromkeys(_WHO, pl.String) | dict.fromkeys(_WHEN, pl.Int64)
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
_POINT = pl.coalesce("host", "source")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "": 1}


@dataclass(frozen=True, slots=True)
class _Inputs:
    """The records on one clock, and how far each log and capture reaches, however many files it is rotated into."""

    rows: pl.DataFrame
    events: pl.DataFrame
    spans: pl.DataFrame
    clocks: pl.LazyFrame
    packets: pl.LazyFrame
    lease_hint_s: float | None
    logs: pl.LazyFrame


def findings(
    dhcp_messages: pl.LazyFrame,
    client_events: pl.LazyFrame | None = None,
    packets: pl.LazyFrame | None = None,
    log_records: pl.LazyFrame | None = None,
    clocks: pl.LazyFrame | None = None,
) -> list[Finding]:
    """Find every client that lost its lease, and why.

    The states are those of RFC 2131 section 4.4.5. What several sources tell of one message counts once. A client
    that gets an answer before its lease ends, gives its lease back, reboots, moves or is deleted has lost nothing.

    Args:
        dhcp_messages: One row per `DhcpMessage`, from captures and logs, any subset, any order.
        client_events: One row per `DhcpClientEvent`.
        packets: One row per `Packet`, any number: only their columns that matter are read, in two passes.
        log_records: One row per `LogRecord`: how far a log reaches, and the lease time that dnsmasq announces.
        clocks: One row per `Clock`; without it, stamps are taken as they are.

    Returns:
        One `dhcp-renewal-failure` per failed attempt, most severe first. See `KINDS`.

    Examples:
        >>> findings(DhcpMessage.empty().lazy())
        []
    """
    inputs = _inputs(dhcp_messages, client_events, packets, log_records, clocks)
    scenes = _scenes(inputs) if inputs.rows.height else []
    told: list[Finding] = []
    known: set[str] = set()
    for scene in told_by_events(inputs.events, inputs.rows, inputs.spans):
        told.append(finding(scene, verdict(scene), again=scene.client in known))
        known.add(scene.client)
    if not scenes:
        return sorted(told, key=Finding.order)
    traffic = watch(inputs.packets, inputs.clocks, _asked_for(scenes))
    servers = Servers.of(inputs.rows, inputs.spans, inputs.logs, inputs.clocks, [scene.messages for scene in scenes])
    for scene in scenes:
        _complete(scene, inputs, servers, traffic)
        if scene.attempt.gone and not _is_alive(scene):
            continue
        told.append(finding(scene, verdict(scene), again=scene.client in known))
        known.add(scene.client)
    return sorted(told, key=Finding.order)


def _inputs(
    dhcp_messages: pl.LazyFrame,
    client_events: pl.LazyFrame | None,
    packets: pl.LazyFrame | None,
    log_records: pl.LazyFrame | None,
    clocks: pl.LazyFrame | None,
) -> _Inputs:
    ties = rows_of(clocks, Clock)
    frames = rows_of(packets, Packet)
    logs = rows_of(log_records, LogRecord)
    events, rows = _told(dhcp_messages, client_events, ties)

    def reach(part: pl.LazyFrame, series: pl.Expr) -> pl.LazyFrame:
        edges = {"from_at": pl.col("at").min(), "to_at": pl.col("at").max()}
        return part.group_by(series=series).agg(**edges, source=of_last("source"), last=of_last("position"))

    captured = reach(on_one_clock(frames.select("ts", "host", "source", "position"), ties), _POINT)
    logged = reach(on_one_clock(logs.select("ts", "host", "source", "position"), ties), stem())
    parts = [reach(rows.lazy(), pl.col("series")), captured, logged]
    spans = pl.concat([part.collect(engine="streaming") for part in parts], how="vertical_relaxed").group_by("series")
    latest = pl.col("to_at").arg_max()
    reached = spans.agg(pl.col("from_at").min(), pl.col("to_at").max(), pl.col("source", "last").get(latest)).sort(
        "series"
    )
    return _Inputs(rows, events, reached, ties, frames, _announced_s(logs), logs)


def _told(
    dhcp_messages: pl.LazyFrame, client_events: pl.LazyFrame | None, ties: pl.LazyFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What clients say of themselves, and the messages, each with its client."""
    said = on_one_clock(rows_of(client_events, DhcpClientEvent), ties)
    events = said.with_columns(machine=pl.coalesce("host", "source"), series=stem()).collect()
    events = events.sort("source", "position")
    return events, normalised(dhcp_messages.lazy(), events, ties)


def _announced_s(logs: pl.LazyFrame) -> float | None:
    """The lease time of dnsmasq's start line, `DHCP, IP range …, lease time 2m`, where all say the same."""
    lines = logs.filter(pl.col("message").str.contains(r"^DHCP, .*lease time \d")).select("message").collect()
    told = {
        int(match[1]) * _UNITS[match[2]]
        for text in lines["message"]
        if (match := re.search(r"lease time (\d+)([smhd]?)", text))
    }
    return float(told.pop()) if len(told) == 1 else None


def _scenes(inputs: _Inputs) -> list[Scene]:
    """The failed attempts of all clients, before anybody looks at other traffic."""
    rows, spans = inputs.rows, inputs.spans
    reach = dict(spans.select("series", "to_at").iter_rows())
    said = _by_machine(inputs.events)
    scenes: list[Scene] = []
    for client, own in _by_client(rows, suspects(rows, inputs.events, max(reach.values()))):
        horizon = max(reach[row["series"]] for row in own)
        machines = {row["machine"] for row in own if row["seen_by"] == "client"}
        events = [event for _, event in sorted((one for name in machines for one in said.get(name, ())), key=_place)]
        messages = merged(own)
        for attempt in attempts(messages, events, horizon, inputs.lease_hint_s):
            if attempt.gone and attempt.lease:
                since = attempt.lease.ack.at
                attempt.events = [event for event in events if int(str(event["at"])) > since + SECOND_NS]
            cut = any(row["inferred"] for row in own)
            scenes.append(Scene(client, _mac(own), _ip(attempt), attempt, messages, [], cut=cut))
    return scenes


def _by_client(rows: pl.DataFrame, clients: Collection[str]) -> Iterator[tuple[str, list[_Row]]]:
    """What there is of each of some clients, in its order, as far as its times can be compared."""
    own = rows.filter(pl.col("client").is_in(clients)).select("client", "chaddr", "machine", "reference", *FIELDS)
    ordered = own.sort("client", "at", "source", "position")
    for client, told in groupby(ordered.iter_rows(named=True), key=itemgetter("client")):
        yield client, _comparable(list(told))


def _by_machine(events: pl.DataFrame) -> dict[str, list[tuple[int, dict[str, object]]]]:
    """What the clients' own logs say beside messages, each with its place among all."""
    told: dict[str, list[tuple[int, dict[str, object]]]] = {}
    wanted = events.select("machine", "at", "event", "message", "source", "position")
    for place, (name, at, event, message, source, position) in enumerate(wanted.iter_rows()):
        reference = Reference(source, f"line:{position}", iso(at))
        one = {"at": at, "event": event, "message": message, "reference": reference}
        told.setdefault(name, []).append((place, one))
    return told


def _comparable(own: list[_Row]) -> list[_Row]:
    """The rows of one client whose times can be compared: those of the clocks that are tied to one reference."""
    if len({row["source"] for row in own}) <= 1 or len({row["reference"] for row in own}) == 1:
        return own
    counts = Counter(row["reference"] for row in own if row["reference"] is not None)
    most = min(counts, key=lambda name: (-counts[name], name))
    return [row for row in own if row["reference"] == most]


def _mac(own: Sequence[_Row]) -> str | None:
    known = next((row["chaddr"] for row in own if row["chaddr"] is not None), None)
    client = str(own[0]["client"])
    return str(known) if known is not None else None if client.startswith("host:") else client


def _ip(attempt: Attempt) -> str | None:
    told = [attempt.lease.ack.ip] if attempt.lease else []
    told += [message.ip for message in (*attempt.asked, *attempt.answers)]
    return next((ip for ip in told if ip), None)


def _asked_for(scenes: list[Scene]) -> pl.DataFrame:
    """Whose packets are needed, and when."""

    def start(scene: Scene) -> int:
        first = scene.attempt.first
        return first.stated if first else scene.attempt.ends

    return pl.DataFrame(
        {
            "client": [scene.client for scene in scenes],
            "mac": [scene.mac for scene in scenes],
            "ip": [scene.ip for scene in scenes],
            "since_at": [_since(scene, start(scene)) for scene in scenes],
            "first_at": [start(scene) for scene in scenes],
            "ends_at": [scene.attempt.ends for scene in scenes],
        },
        schema=_ASKED,
    )


def _since(scene: Scene, start: int) -> int:
    """From when on the client's answers matter: from its last lease, a quarter of an hour at least, a day at most."""
    lease = scene.attempt.lease
    usual = min(lease.ack.at, start - 900 * SECOND_NS) if lease else start - 900 * SECOND_NS
    return max(usual, start - 86400 * SECOND_NS)


def _complete(scene: Scene, inputs: _Inputs, servers: Servers, traffic: Traffic) -> None:
    """Add to a scene what captures and logs say of it."""
    attempt = scene.attempt
    own = traffic.of(scene.client)
    homes = Homes(frozenset(machine(one.point) for one in scene.sightings("client")), servers.machines)
    passed = own.seconds.filter(
        (pl.col("client") == scene.client) & pl.col("way").is_in(("in", "out", "in-ip", "out-ip"))
    )
    points = sorted({one.point for one in scene.sightings("capture")} | set(passed["point"]))
    survey(scene, own, path_order(points, scene.messages, homes), homes, servers.shared)
    start = attempt.asked[0].at if attempt.asked else attempt.ends
    end = attempt.asked[-1].at if attempt.asked else attempt.ends
    slack = 2 * SECOND_NS
    reach = [until for since, until in servers.reach if since <= start + slack]
    # A quiet log ends with its last line, as a capture does; what it lacks until then never came.
    scene.server_log = any(until >= min(end - slack, start + 5 * slack) for until in reach)
    whole = any(until >= end - slack for until in reach)
    scene.server_stopped = servers.stopped(scene, start)
    scene.served_others = servers.answer(scene.client, start - TRANSIT_NS, max(end, attempt.ends) + TRANSIT_NS)
    length = max(end, attempt.ends) - start + 60 * SECOND_NS
    scene.served_before = whole and servers.answer(scene.client, start - length, start) is not None
    own_logs = {one.series for one in scene.sightings("client")}
    scene.client_log = bool(own_logs)
    for row in inputs.spans.filter(pl.col("series").is_in(own_logs)).iter_rows(named=True) if own_logs else ():
        if row["to_at"] > attempt.ends + 5 * SECOND_NS:
            scene.log_goes_on = Reference(row["source"], f"line:{row['last']}", iso(row["to_at"]))


def _is_alive(scene: Scene) -> bool:
    """Whether a client that fell silent was still there: otherwise it was shut down or deleted, which is no fault."""
    ends = scene.attempt.lease.ends if scene.attempt.lease else None
    exits = any(event["event"] == "exited" for event in scene.attempt.events)
    restarts = any(event["event"] in ("started", "bound") for event in scene.attempt.events)
    if ends is None or restarts:
        return False
    return bool(
        (scene.sent_after and (scene.attempt.renewals or exits))
        or ((exits or scene.attempt.renewals) and scene.log_goes_on)
    )


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
    _, rows = _told(dhcp_messages, client_events, ties)
    conversation, order, shown = _conversation(finding, rows)
    mac, ip, start = finding.facts["mac"], finding.facts["ip"], _instant(finding.start)
    ends = _instant(finding.facts["gave_up_at"])
    asked = pl.DataFrame([(str(mac or ip), mac, ip, start, start, ends)], schema=_ASKED, orient="row")
    seconds = watch(rows_of(packets, Packet), ties, asked).seconds.filter(pl.col("client").is_not_null())
    nearest = next((point for point in order if point in set(seconds["point"])), None)
    inward, outward = pl.col("way").is_in(("in", "in-ip")), pl.col("way").is_in(("out", "out-ip"))
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
    _, rows = _told(dhcp_messages, client_events, rows_of(clocks, Clock))
    return {one.id: {"conversation": _conversation(one, rows)[0], "lease_ends_at": _lapse(one)} for one in findings}


def _conversation(finding: Finding, rows: pl.DataFrame) -> tuple[pl.DataFrame, list[str], tuple[int, int]]:
    """Who said what and who saw it, the capture points from the client on, and the time that is shown."""
    mac, ip = finding.facts["mac"], finding.facts["ip"]
    named = pl.col("client") == mac if mac else pl.col("ip") == ip if ip else pl.lit(value=False)
    start, ends = (_instant(at) for at in (finding.start, finding.facts["gave_up_at"]))
    margin = max(int((finding.facts["lease_s"] or 120) * SECOND_NS * 0.7), 10 * SECOND_NS)
    shown = (start - margin, max(start, ends) + margin // 4)
    own = rows.filter(named).select("client", "machine", "reference", *FIELDS).sort("at", "source", "position")
    told = _comparable(own.to_dicts())
    messages = merged(told)
    points = sorted({row["point"] for row in told if row["seen_by"] == "capture"})
    clients = frozenset(machine(row["machine"]) for row in told if row["seen_by"] == "client")
    order = path_order(points, messages, Homes(clients, servers_of(rows)))
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


CHARTS = {"ladder": chart_frames}
