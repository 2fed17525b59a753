"""Whose clock is off? Sources tied to one reference by the events that they share: packets, messages, lines, ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from forensics.analysis._clock_graph import MACHINE, Ties, anchored, beside_captures, machine, put, same_machine
from forensics.analysis._clock_messages import Messages
from forensics.analysis._clock_rows import Held, clock_rows
from forensics.analysis._correlate import SECOND_NS, in_runs
from forensics.analysis._message_ties import tie_sides
from forensics.analysis._own_zones import own_zones
from forensics.analysis._pieces import Tie
from forensics.analysis._rotation import stem
from forensics.analysis._shared_events import event_ties
from forensics.analysis._sightings import Pair, Witnesses, partners
from forensics.analysis._step_findings import step_findings
from forensics.analysis._ties import packet_keys, tie_captures
from forensics.records import (
    Alternative,
    ApiRequest,
    BrokerEvent,
    BrokerTransfer,
    Clock,
    ConsoleRequest,
    DataFrame,
    DhcpMessage,
    Finding,
    Instance,
    InstanceEvent,
    LogRecord,
    Notification,
    Packet,
    Record,
    Reference,
    Step,
)
from forensics.records.finding import iso

NEEDS = (Clock,)
USES = (DhcpMessage, Packet, LogRecord)
KINDS = {
    "clock-skew": (
        "two sources that saw the same packets, DHCP exchanges, requests, connections or log lines",
        "a log that says that its clock was set",
    )
}
SHARED: tuple[type[Record], ...] = (
    LogRecord, ApiRequest, BrokerEvent, BrokerTransfer, ConsoleRequest, Notification, Instance, InstanceEvent,
)  # fmt: skip
"""Records beside packets and DHCP messages that tell of events which other sources tell of, too."""

_KNOWN = ("stated", "utc-by-definition", "declared", "inner", "matched")
"""How a zone may be known so well that a log can be compared with another source of its machine."""


def clocks(
    dhcp_messages: pl.DataFrame | pl.LazyFrame,
    packets: pl.DataFrame | pl.LazyFrame,
    sources: pl.DataFrame | pl.LazyFrame | None = None,
    others: Mapping[type[Record], pl.LazyFrame] | None = None,
) -> DataFrame[Clock]:
    """Say how far each source's clock is from the reference.

    Captures are tied by packets that passed both, logs by the DHCP messages that they and others tell of, by lines
    that stand in both, by requests that both name, by connections whose packets a capture holds. What one machine
    stamped in known zones has one clock. The reference is the capture nearest to the DHCP server; without captures,
    the log with most ties. A chain of ties adds up its bounds, and the chain with the smallest sum counts.

    Args:
        dhcp_messages: One row per `DhcpMessage`, from any sources.
        packets: One row per `Packet`, any number.
        sources: One row per `Source`; what it lists gets a row here. Without it, the sources of the records do.
        others: Rows of the records in `SHARED`, as far as there are any.

    Returns:
        One row per source, by name. ``offset_s`` is null where nothing ties the source, and ``basis`` says why.
        ``zone_s`` is that part of a log's offset in whole quarters of an hour, where its lines name no zone.
        ``pieces`` tell of a clock that was set, and of several hosts in one file.

    Examples:
        >>> from forensics.records import Packet
        >>> clocks(DhcpMessage.empty(), Packet.empty())["source"].to_list()
        []
    """
    frames = packets.lazy()
    points = frames.select("source", "host").unique().collect(engine="streaming").sort("source", "host")
    messages = Messages(dhcp_messages.lazy(), points)
    owners = messages.owners
    given: dict[type[Record], pl.LazyFrame] = {**(others or {}), Packet: frames}

    def rows(record: type[Record]) -> pl.LazyFrame:
        """Rows of a record, or none."""
        return given[record] if record in given else record.empty().lazy()

    listed = sources.lazy().collect() if sources is not None else None
    files = _files(points, messages, rows(LogRecord))
    ties = _ties(packet_keys(frames, owners), messages)
    for node in [one for one in files if files[one].kind in ("server", "client")]:
        said = files[node]
        log = f"{node.partition(' ')[0]} log {said.host or ''}"
        if log in files:
            put(ties, node, log, Tie(0, 0, 0.0, 0, ""))
    for (one, other), tie in event_ties(rows, _node("log"), owners).items():
        put(ties, one, other, tie)
    zones = own_zones(rows, _node("log"))
    members = _members(files, listed, zones)
    spoken = {node: machine(one.host) for node, one in files.items() if one.kind in ("server", "client") and one.host}
    members |= beside_captures(ties, members, spoken)
    same_machine(ties, members)
    files |= _notes(rows(Notification), ties)
    captures = {node for node, held in files.items() if held.kind == "capture"}
    told = sorted(node for node, held in files.items() if held.kind != "notes")
    chains, references = anchored(told, ties, messages, captures, _zoned(files, members))
    return Clock.validate(clock_rows(files, chains, references, zones, listed), cast=True)


def _files(points: pl.DataFrame, messages: Messages, logs: pl.LazyFrame) -> dict[str, Held]:
    """Node -> what it holds."""
    files: dict[str, Held] = {}
    for source, host in points.iter_rows():
        files.setdefault(messages.owners[source], Held("capture", host)).sources.setdefault(source, host)
    for node, source, host, role in messages.files.iter_rows():
        files.setdefault(node, Held(role, host)).sources.setdefault(source, host)
    spoken = logs.filter(pl.col("ts").is_not_null()).select("source", "host", node=_node("log")).unique()
    for source, host, node in spoken.collect(engine="streaming").sort("source", "node").iter_rows():
        files.setdefault(node, Held("log", host)).sources.setdefault(source, host)
    return files


def _members(
    files: dict[str, Held], listed: pl.DataFrame | None, zones: Mapping[str, tuple[int, int, str]]
) -> dict[str, tuple[str, int]]:
    """Node -> machine and zone, of what can be compared with the rest of its machine."""
    about = {row["source"]: row for row in listed.iter_rows(named=True)} if listed is not None else {}
    members: dict[str, tuple[str, int]] = {}
    for node, held in files.items():
        rows = [about.get(source, {}) for source in held.sources]
        if held.kind == "capture":
            hosts = {row.get("host") for row in rows}
            if len(hosts) == 1 and (host := hosts.pop()):
                members[node] = (machine(host), 0)
        elif held.kind == "log" and held.host:
            if node in zones and all(row.get("zone_basis") not in _KNOWN for row in rows):
                members[node] = (machine(held.host), zones[node][0])
            elif all(row.get("zone_basis") in _KNOWN for row in rows):
                members[node] = (machine(held.host), 0)
    return members


def _zoned(files: dict[str, Held], members: Mapping[str, tuple[str, int]]) -> set[str]:
    """Nodes of logs whose zone is known, and those of DHCP messages in the same lines."""
    known = {(source, files[node].host) for node in members for source in files[node].sources}
    return {node for node, held in files.items() if {(source, held.host) for source in held.sources} <= known}


def _notes(notifications: pl.LazyFrame, ties: Ties) -> dict[str, Held]:
    """Files of notifications: each is stamped by the machine that sent it."""
    files: dict[str, Held] = {}
    sent = notifications.filter(pl.col("host").is_not_null()).select("source", "host", node=_node("notes")).unique()
    for source, host, node in sent.collect(engine="streaming").sort("source", "node").iter_rows():
        files.setdefault(node, Held("notes", host)).sources.setdefault(source, host)
        own = MACHINE + machine(host)
        if own in ties:
            put(ties, node, own, Tie(0, 0, 0.0, 0, ""))
    return files


def _node(kind: str) -> pl.Expr:
    """The node of a row that is no packet: the clock of one host in one series of files."""
    name = pl.concat_str(stem(), pl.lit(f" {kind} "), pl.col("host").fill_null(""))
    return in_runs(("source", "host"), name)


def _ties(keys: pl.DataFrame, messages: Messages) -> Ties:
    """Ties by packets, and by DHCP messages of those that share no packets."""
    pairs = partners(keys, messages)
    tied = pl.col("node").is_in({node for pair in pairs for node in pair})
    by_keys = {str(name[0]): rows for name, rows in keys.filter(tied).group_by("node")}
    found: dict[tuple[str, str], Tie] = {}
    for one, other in pairs:
        if one in by_keys and other in by_keys and (tie := tie_captures(by_keys[one], by_keys[other])) is not None:
            found[one, other] = tie
    for pair, x, y in messages.sides(pair for pair in pairs if pair not in found):
        if (tie := tie_sides(x, y)) is not None:
            found[pair] = tie
    ties: Ties = {}
    for (one, other), tie in sorted(found.items()):
        put(ties, one, other, tie)
    return ties


def findings(
    clocks: pl.DataFrame | pl.LazyFrame,
    dhcp_messages: pl.DataFrame | pl.LazyFrame | None = None,
    packets: pl.DataFrame | pl.LazyFrame | None = None,
    log_records: pl.DataFrame | pl.LazyFrame | None = None,
) -> list[Finding]:
    """Name the hosts whose clocks are certainly apart, and the clocks that were set.

    Args:
        clocks: One row per `Clock`.
        dhcp_messages: One row per `DhcpMessage`, to show an exchange as each of two sources saw it.
        packets: One row per `Packet`, for the same.
        log_records: One row per `LogRecord`, for what a host's own log says of its clock.

    Returns:
        One `clock-skew` per host and one per step of a clock, ``info``: it hurts nobody, yet whoever compares stamps
        by eye should know.
    """
    table = clocks.lazy().collect()
    table = table.with_columns(
        pl.lit(None, Clock.polars_schema()[name]).alias(name)
        for name in ("pieces", "witnesses")
        if name not in table.columns
    )
    said = DhcpMessage.empty().lazy() if dhcp_messages is None else dhcp_messages.lazy()
    frames = Packet.empty().lazy() if packets is None else packets.lazy()
    logs = LogRecord.empty().lazy() if log_records is None else log_records.lazy()
    return [*_skews(table, said, frames), *step_findings(table, said, frames, logs)]


def _skews(table: pl.DataFrame, said: pl.LazyFrame, frames: pl.LazyFrame) -> list[Finding]:
    """Hosts whose clocks are apart."""
    rows = table.drop_nulls(["offset_s", "bound_s", "reference"])
    own = (pl.col("offset_s") - pl.col("zone_s").fill_null(0.0)).alias("own_s")
    rows = rows.with_columns(own)
    skewed = rows.filter((pl.col("own_s").abs() > pl.col("bound_s")) & (pl.col("own_s").abs() >= 0.01))
    host = pl.coalesce("host", "source").str.split("/").list.first()
    worst = (
        skewed.with_columns(machine=host, by_host=pl.col("exchanges") == 0)
        .sort("by_host", "bound_s", "source")
        .unique("machine", keep="first")
        .sort("machine")
    )
    if worst.is_empty():
        return []
    held = rows.filter(pl.col("exchanges") > 0)["source"].implode()
    held = pl.concat([held.explode(), worst["reference"]]).unique().implode()
    frames = frames.filter(pl.col("source").is_in(held))
    points = frames.select("source", "host").unique().collect(engine="streaming").sort("source", "host")
    messages = Messages(said.filter(pl.col("source").is_in(held)), points)
    keys = packet_keys(frames, messages.owners, located=True)
    untold = worst.filter(pl.col("witnesses").list.len().fill_null(0) == 0)
    witnesses = Witnesses(keys, messages, rows, untold.select("source", "reference").iter_rows())
    found = []
    for row in worst.iter_rows(named=True):
        pairs = _remembered(row["witnesses"]) or witnesses.chain(row["source"], row["reference"])
        found.append(_skew(row, pairs))
    return found


def _remembered(places: Sequence[Mapping[str, Any]] | None) -> tuple[Pair, ...]:
    """What a tie itself remembers, two places each."""
    pairs = []
    for one, other in zip((places or ())[::2], (places or ())[1::2], strict=True):
        refs = [Reference(place["source"], place["locator"], iso(_ns(place["at"]))) for place in (one, other)]
        away_s = (_ns(one["at"]) - _ns(other["at"])) / SECOND_NS
        pairs.append(Pair((refs[0], refs[1]), away_s, str(one["what"])))
    return tuple(pairs)


def chart_frames(
    finding: Finding,
    clocks: pl.LazyFrame,
    dhcp_messages: pl.LazyFrame,
    packets: pl.LazyFrame,
    log_records: pl.LazyFrame,
) -> dict[str, Any] | None:
    """What `forensics.charts.clock_offsets` draws: every clock that is tied, by stretches where it was set."""
    del dhcp_messages, packets, log_records
    rows = clocks.collect().drop_nulls(["offset_s", "bound_s"])
    if rows.is_empty():
        return None
    rows = rows.filter(~pl.col("basis").str.starts_with("same host and zone as"))
    zone = pl.col("zone_s").fill_null(0.0)
    shown = ("source", "reference", "offset_s", "bound_s", "basis", "from_at")
    whole = rows.with_columns(offset_s=pl.col("offset_s") - zone, from_at=pl.lit(None, pl.String))
    stretches = (
        rows.filter(pl.col("pieces").list.len() > 1)
        .select("source", "reference", "basis", zone.alias("zone_s"), "pieces")
        .explode("pieces")
        .unnest("pieces")
        .filter(pl.col("host").is_null() & (pl.col("offset_s").is_not_null()))
        .filter(pl.col("bound_s") < pl.col("bound_s").max().over("source"))
        .with_columns(offset_s=pl.col("offset_s") - zone, from_at=pl.col("from_at").dt.strftime("%Y-%m-%d %H:%M:%S"))
    )
    apart = stretches["source"].unique().implode()
    told = pl.concat([whole.filter(~pl.col("source").is_in(apart)).select(shown), stretches.select(shown)])
    return {"clocks": told.sort("source", "from_at"), "highlighted": tuple(finding.facts["between"][:1])}


CHARTS = {"clock_offsets": chart_frames}


def _ns(at: object) -> int:
    return int(pl.Series([at], dtype=pl.Datetime("ns", "UTC")).to_physical()[0])


def _skew(row: dict[str, object], chain: tuple[Pair, ...]) -> Finding:
    own_s, bound_s = float(row["own_s"]), float(row["bound_s"])  # type: ignore[arg-type]
    between = [str(row["source"]), str(row["reference"])]
    way = "ahead of" if own_s > 0 else "behind"
    machine, exchanges = str(row["machine"]), int(row["exchanges"])  # type: ignore[call-overload]
    several = exchanges > 2
    return Finding(
        kind="clock-skew",
        title=f"The clock of {machine} is {abs(own_s):.3f} s {way} {between[1]}",
        severity="info",
        confidence="proven",
        start=None,
        end=None,
        entities={"hosts": (machine,)},
        facts={"between": between, "offset_s": own_s, "uncertainty_s": bound_s, "basis": row["basis"]},
        story=tuple(Step(pair.refs[0].at, pair.told(), pair.refs) for pair in chain),
        evidence=tuple(dict.fromkeys(ref for pair in chain for ref in pair.refs)),
        alternatives=(
            Alternative(
                "two different messages were taken for one",
                "ruled out" if several else "open",
                f"{exchanges} pairs fit one offset within {bound_s:.3f} s"
                if several
                else f"only {exchanges} pairs were seen by both",
            ),
        ),
        remedy=(
            "Let all hosts keep time by the same NTP servers, and alert on an offset above 0.1 s.",
            f"Until then subtract {own_s:.3f} s from stamps of {machine} before you compare them with others.",
        ),
        next_evidence=(f"`chronyc tracking` or `ntpq -p` of {machine}, and of the host that wrote {between[1]}",),
    )


__all__ = ["CHARTS", "DhcpMessage", "Packet", "clocks", "findings"]
