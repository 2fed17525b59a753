"""Who stopped listening? Clients that lost their lease, and whether DHCP was the culprit or the first to notice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import polars as pl

from forensics.analysis._correlate import SECOND_NS, of_last, on_one_clock
from forensics.analysis._given import rows_of
from forensics.analysis._lease_causes import verdict
from forensics.analysis._lease_chart import chart_frames, lanes
from forensics.analysis._lease_failed import failed
from forensics.analysis._lease_messages import TRANSIT_NS, TROUBLE, suspects
from forensics.analysis._lease_rows import DhcpRows, ends_of, told
from forensics.analysis._lease_scene import Homes, Scene, machine, path_order, survey
from forensics.analysis._lease_servers import Servers, served
from forensics.analysis._lease_story import finding
from forensics.analysis._lease_traffic import Traffic, Watch
from forensics.analysis._lease_words import told_by_events
from forensics.analysis._parts import in_parts
from forensics.analysis._rotation import stem
from forensics.records import Clock, DhcpClientEvent, DhcpMessage, Finding, LogRecord, Packet
from forensics.records.finding import Reference, iso

__all__ = ["chart_frames", "findings", "lanes"]

NEEDS = ()
NEEDS_ANY = (DhcpMessage, DhcpClientEvent)
USES = (Packet, LogRecord, Clock)
KINDS = {
    "dhcp-renewal-failure": ("DHCP messages (a capture, or the logs of dnsmasq or of a DHCP client)",),
}

CHARTS = {"ladder": chart_frames}

MOST_PACKETS = 600_000
"""Packets that are looked at together."""
_PACKETS_A_MESSAGE = 4
"""Packets that take as much memory as a DHCP message does, which is looked at by itself."""
_ATTEMPT = {
    **dict.fromkeys(("client", "mac", "ip"), pl.String),
    **dict.fromkeys(("since_at", "first_at", "ends_at", "while_at", "before_at"), pl.Int64),
    "source": pl.String,
    "position": pl.Int64,
}
_POINT = pl.coalesce("host", "source")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "": 1}


@dataclass(frozen=True, slots=True)
class _Case:
    """What is small of all evidence, and what the rest is read from."""

    rows: DhcpRows
    events: pl.LazyFrame
    """What clients say of themselves: ``at`` (ns), ``machine``, ``series``."""
    spans: pl.DataFrame
    """How far each log and capture reaches, however many files it is rotated into: ``series``, ``from_at``, …"""
    reach: dict[str, int]
    """When each of them ends (ns)."""
    clocks: pl.LazyFrame
    packets: pl.LazyFrame
    logs: pl.LazyFrame
    lease_hint_s: float | None

    def failed(self, rows: pl.DataFrame, clients: Collection[str]) -> Iterator[Scene]:
        """The failed attempts of some clients, before anybody looks at other traffic."""
        return failed(rows, clients, self.events, self.reach, self.lease_hint_s)


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
        packets: One row per `Packet`, any number: only their columns that matter are read.
        log_records: One row per `LogRecord`: how far a log reaches, and the lease time that dnsmasq announces.
        clocks: One row per `Clock`; without it, stamps are taken as they are.

    Returns:
        One `dhcp-renewal-failure` per failed attempt, most severe first. See `KINDS`.

    Examples:
        >>> findings(DhcpMessage.empty().lazy())
        []
    """
    case = _case(dhcp_messages, client_events, packets, log_records, clocks)
    found: list[Finding] = []
    known: set[str] = set()
    for scene in told_by_events(case.events, case.rows, case.reach):
        found.append(finding(scene, verdict(scene), again=scene.client in known))
        known.add(scene.client)
    for scene in _completed(case):
        if scene.attempt.gone and not _is_alive(scene):
            continue
        found.append(finding(scene, verdict(scene), again=scene.client in known))
        known.add(scene.client)
    return sorted(found, key=Finding.order)


def _case(
    dhcp_messages: pl.LazyFrame,
    client_events: pl.LazyFrame | None,
    packets: pl.LazyFrame | None,
    log_records: pl.LazyFrame | None,
    clocks: pl.LazyFrame | None,
) -> _Case:
    ties = rows_of(clocks, Clock)
    frames = rows_of(packets, Packet)
    logs = rows_of(log_records, LogRecord)
    rows, events = told(dhcp_messages, client_events, ties)

    def reach(part: pl.LazyFrame, series: pl.Expr) -> pl.DataFrame:
        read = on_one_clock(part.select("ts", "host", "source", "position"), ties).group_by("source", "host")
        ends = read.agg(from_at=pl.col("at").min(), to_at=pl.col("at").max(), last=of_last("position"))
        return ends_of(ends.collect(engine="streaming").with_columns(series=series))

    parts = [ends_of(rows.places), reach(frames, _POINT), reach(logs, stem())]
    latest = pl.col("to_at").arg_max()
    spans = (
        pl.concat(parts, how="vertical_relaxed")
        .group_by("series", maintain_order=True)
        .agg(pl.col("from_at").min(), pl.col("to_at").max(), pl.col("source", "last").get(latest))
        .sort("series")
    )
    ends = dict(spans.select("series", "to_at").iter_rows())
    return _Case(rows, events, spans, ends, ties, frames, logs, _announced_s(logs))


def _announced_s(logs: pl.LazyFrame) -> float | None:
    """The lease time of dnsmasq's start line, `DHCP, IP range …, lease time 2m`, where all say the same."""
    said = logs.filter(pl.col("message").str.contains(r"^DHCP, .*lease time \d")).select("message").unique()
    lines = said.collect(engine="streaming")
    told = {
        int(match[1]) * _UNITS[match[2]]
        for text in lines["message"]
        if (match := re.search(r"lease time (\d+)([smhd]?)", text))
    }
    return float(told.pop()) if len(told) == 1 else None


def _completed(case: _Case) -> Iterator[Scene]:
    """The failed attempts of all clients in their order, with what captures and logs say of them: part by part."""
    attempts, shared = _attempts(case)
    if attempts.is_empty():
        return
    servers = Servers.of(case.rows, case.spans, case.logs, case.clocks, attempts)
    watch = Watch(case.packets, case.clocks, attempts)
    messages = case.rows.counts.filter(pl.col("client").is_in(attempts["client"].implode()))
    counts = pl.concat([watch.counts, messages.with_columns(pl.col("n") * _PACKETS_A_MESSAGE)])
    for part in in_parts(counts.group_by("client").agg(pl.col("n").sum()).sort("client"), MOST_PACKETS):
        yield from _of_part(part, case, servers, shared, watch)


def _of_part(part: pl.DataFrame, case: _Case, servers: Servers, shared: set[str], watch: Watch) -> Iterator[Scene]:
    clients = part["client"]
    traffic = watch.traffic(clients, held=part["n"].sum() <= MOST_PACKETS)
    for scene in case.failed(case.rows.rows_of(clients), clients.to_list()):
        _complete(scene, case, servers, shared, traffic)
        yield scene


def _attempts(case: _Case) -> tuple[pl.DataFrame, set[str]]:
    """One row per failed attempt, in the order of the clients; points that several clients' unicast messages pass."""
    horizon = max(case.reach.values(), default=0)
    loud = case.events.filter(pl.col("event").is_in(TROUBLE)).select("machine").unique().collect(engine="streaming")
    found = [pl.DataFrame(schema=_ATTEMPT)]
    passed: Counter[str] = Counter()
    for rows in case.rows.parts():
        direct = rows.filter((pl.col("seen_by") == "capture") & pl.col("unicast")).group_by("point")
        passed.update(dict(direct.agg(pl.col("chaddr").n_unique()).iter_rows()))
        scenes = case.failed(rows, suspects(rows, loud["machine"], horizon))
        found.append(pl.DataFrame([_asked_for(scene) for scene in scenes], schema=_ATTEMPT, orient="row"))
    return pl.concat(found), {point for point, n in passed.items() if n > 1}


def _asked_for(scene: Scene) -> tuple[object, ...]:
    """Whose packets are needed and when, and what is to be known of the servers."""
    first = scene.attempt.first
    start = first.stated if first else scene.attempt.ends
    during, before = _meanwhile(scene)
    by = served(scene, _spell(scene)[0])
    line = (by.source, by.position) if by else (None, None)
    when = (_since(scene, start), start, scene.attempt.ends, during[0], before[0])
    return (scene.client, scene.mac, scene.ip, *when, *line)


def _since(scene: Scene, start: int) -> int:
    """From when on the client's answers matter: from its last lease, a quarter of an hour at least, a day at most."""
    lease = scene.attempt.lease
    usual = min(lease.ack.at, start - 900 * SECOND_NS) if lease else start - 900 * SECOND_NS
    return max(usual, start - 86400 * SECOND_NS)


def _spell(scene: Scene) -> tuple[int, int]:
    """When a client asked in vain first and last; the end of its lease where it did not (ns)."""
    attempt = scene.attempt
    return (attempt.asked[0].at, attempt.asked[-1].at) if attempt.asked else (attempt.ends, attempt.ends)


def _meanwhile(scene: Scene) -> tuple[tuple[int, int], tuple[int, int]]:
    """From when to when a server may have answered others: while the client asked, and as long before (ns)."""
    start, end = _spell(scene)
    until = max(end, scene.attempt.ends)
    return (start - TRANSIT_NS, until + TRANSIT_NS), (start - (until - start + 60 * SECOND_NS), start)


def _complete(scene: Scene, case: _Case, servers: Servers, shared: set[str], traffic: Traffic) -> None:
    """Add to a scene what captures and logs say of it."""
    attempt = scene.attempt
    own = traffic.of(scene.client)
    homes = Homes(frozenset(machine(one.point) for one in scene.sightings("client")), servers.machines)
    passed = own.seconds.filter(
        (pl.col("client") == scene.client) & pl.col("way").is_in(("in", "out", "in-ip", "out-ip"))
    )
    points = sorted({one.point for one in scene.sightings("capture")} | set(passed["point"]))
    survey(scene, own, path_order(points, scene.messages, homes), homes, shared)
    start, end = _spell(scene)
    slack = 2 * SECOND_NS
    reach = [until for since, until in servers.reach if since <= start + slack]
    # A quiet log ends with its last line, as a capture does; what it lacks until then never came.
    scene.server_log = any(until >= min(end - slack, start + 5 * slack) for until in reach)
    whole = any(until >= end - slack for until in reach)
    scene.server_stopped = servers.stopped(scene, start)
    during, before = _meanwhile(scene)
    scene.served_others = servers.answer(scene.client, *during)
    scene.served_before = whole and servers.answer(scene.client, *before) is not None
    own_logs = {one.series for one in scene.sightings("client")}
    scene.client_log = bool(own_logs)
    for row in case.spans.filter(pl.col("series").is_in(own_logs)).iter_rows(named=True) if own_logs else ():
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
