"""One message, however many saw it: DHCP rows of captures and logs on one clock, merged per client."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from forensics.analysis._alignment import CLIENT_TYPES, MOST_DRIFT_PPM
from forensics.analysis._correlate import SECOND_NS
from forensics.records.finding import Reference, iso

TRANSIT_NS = SECOND_NS // 4
"""A frame that two points see more than this apart is two frames: retransmissions come after a second or more."""


@dataclass(slots=True)
class Sighting:
    """One row: who saw a message, and where that is written."""

    seen_by: str
    point: str
    source: str
    position: int
    at: int
    """On the case's clock, nanoseconds; for a stamp in whole seconds its beginning."""
    half: int
    """Half the span in which it really happened: bound of the clock, and half the stamp's resolution."""
    coarse: bool
    series: str = ""
    """The capture point, or the log without what rotation makes of its name."""

    @property
    def middle(self) -> int:
        """The middle of the span that the stamp leaves open (ns)."""
        return self.at + SECOND_NS // 2 * self.coarse

    def reference(self) -> Reference:
        """Where to read it."""
        kind = "frame" if self.seen_by == "capture" else "line"
        return Reference(self.source, f"{kind}:{self.position}", iso(self.at))


@dataclass(slots=True)
class Message:
    """One DHCP message as it was sent, with everybody who saw it."""

    kind: str
    at: int
    half: int
    xkey: int | None
    unicast: bool | None
    ip: str | None
    server: str | None
    ciaddr: str | None
    requested: str | None
    names_server: bool
    lease_s: float | None
    renewal_s: float | None
    rebinding_s: float | None
    refusal: str | None
    cut: bool = False
    """Its type was inferred, for its options were cut off."""
    sightings: list[Sighting] = field(default_factory=list)

    @property
    def by_client(self) -> bool:
        """Whether a client sends such a message."""
        return self.kind in CLIENT_TYPES

    @property
    def stated(self) -> int:
        """When it happened, as the finest source says."""
        return min(self.sightings, key=lambda seen: (seen.coarse, seen.at)).at

    @property
    def surest(self) -> int:
        """When it happened, as a source says whose clock is known well."""
        return min(self.sightings, key=lambda seen: (seen.coarse, seen.half // TRANSIT_NS, seen.at)).at

    def at_points(self, seen_by: str | None = None) -> set[str]:
        """Who saw it."""
        return {seen.point for seen in self.sightings if seen_by in (None, seen.seen_by)}

    def references(self) -> tuple[Reference, ...]:
        """All places, the client's side first."""
        order = {"client": 0, "capture": 1, "relay": 2, "server": 3}
        ranked = sorted(self.sightings, key=lambda seen: (order[seen.seen_by], seen.source, seen.position))
        return tuple(dict.fromkeys(seen.reference() for seen in ranked))


TROUBLE = ("expired", "refused", "exited", "send_failed", "no_offers", "rebinding")
"""Words of trouble in a client's own log."""
FIELDS = (
    *("at", "half", "coarse", "source", "position", "point", "seen_by", "message_type", "xkey", "unicast", "ip"),
    *(
        "server",
        "ciaddr",
        "requested_ip",
        "server_id",
        "lease_s",
        "renewal_s",
        "rebinding_s",
        "refusal",
        "giaddr",
        "inferred",
        "series",
    ),
)


def merged(rows: Sequence[Mapping[str, Any]]) -> list[Message]:
    """The messages of one client, each once, in order.

    Rows tell of one message where type, transaction id, destination and server do not contradict each other, their
    times fit their clocks, and no source tells of it twice. Clocks whose distance is known to seconds only, as they
    drift for days, are as far apart as they were at the last message that both have.

    Args:
        rows: What `DhcpRows` gives of the client, with `FIELDS` at least, by ``at``, ``source`` and ``position``.
    """
    apart: dict[tuple[str, str], tuple[int, int]] = {}
    found: list[Message] = []
    latest: dict[str, list[Message]] = {}
    by_row: dict[tuple[str, int], Message] = {}
    for row in rows:
        same_kind = latest.setdefault(row["message_type"], [])
        fitting = [
            (any(seen.series == row["series"] for seen in message.sightings), off, number, message)
            for number, message in enumerate(same_kind[-8:])
            if _is_same(message, row) and (off := _aside(message, row, apart)) is not None
        ]
        if fitting:
            again, _, _, message = min(fitting)
            for seen in [] if again else message.sightings:
                apart[seen.series, row["series"]] = (row["at"] - seen.middle, row["at"])
                apart[row["series"], seen.series] = (seen.middle - row["at"], row["at"])
        else:
            message = _new(row)
            found.append(message)
            same_kind.append(message)
        _add(message, row)
        by_row[row["source"], row["position"]] = message
    _beside(found)
    _keep_file_order(rows, by_row)
    return sorted(found, key=lambda message: message.at)


def _aside(message: Message, row: Mapping[str, Any], apart: dict[tuple[str, str], tuple[int, int]]) -> int | None:
    """How far a row is from where a message should stand in its series; None where their clocks do not let it be."""
    away = abs(row["at"] - message.at)
    by_clocks = away <= message.half + row["half"] + TRANSIT_NS
    known = [
        (seen, apart[seen.series, row["series"]]) for seen in message.sightings if (seen.series, row["series"]) in apart
    ]
    if not known:
        return away if by_clocks else None
    most = 0
    for seen, (usual, then) in known:
        stray = abs(row["at"] - seen.middle - usual)
        gap = abs(row["at"] - then)
        drift = gap * int(2 * MOST_DRIFT_PPM) // 1_000_000 if by_clocks else min(gap // 10_000, 2 * SECOND_NS)
        if stray > SECOND_NS * (row["coarse"] + seen.coarse) + TRANSIT_NS + drift:
            return None
        most = max(most, stray)
    return most


def _is_same(message: Message, row: Mapping[str, Any]) -> bool:
    for mine, other in ((message.xkey, row["xkey"]), (message.unicast, row["unicast"])):
        if mine is not None and other is not None and mine != other:
            return False
    if not message.by_client and message.server and row["server"] and message.server != row["server"]:
        return False
    again = [seen for seen in message.sightings if seen.series == row["series"]]
    if again:  # a relay's second leg, a bridge and its port, a frame that the path doubled; a log has a line for each
        return bool(row["seen_by"] == "capture" and abs(again[0].at - row["at"]) < SECOND_NS * 3 // 10)
    return True


def _new(row: Mapping[str, Any]) -> Message:
    empty = dict.fromkeys(
        ("xkey", "unicast", "ip", "server", "ciaddr", "requested", "lease_s", "renewal_s", "rebinding_s", "refusal")
    )
    return Message(kind=row["message_type"], at=row["at"], half=row["half"], names_server=False, **empty)  # type: ignore[arg-type]


def _add(message: Message, row: Mapping[str, Any]) -> None:
    for name in ("xkey", "unicast", "ip", "server", "ciaddr", "lease_s", "renewal_s", "rebinding_s", "refusal"):
        if getattr(message, name) is None:
            setattr(message, name, row[name])
    if row["seen_by"] == "capture":
        message.requested = message.requested or row["requested_ip"]
        message.names_server = message.names_server or bool(row["server_id"])
    message.cut = message.cut or row["inferred"]
    if row["half"] < message.half:
        message.at, message.half = row["at"], row["half"]
    stamp = row["at"] - (SECOND_NS // 2 if row["coarse"] else 0)
    seen = (
        row["seen_by"],
        row["point"],
        row["source"],
        row["position"],
        stamp,
        row["half"],
        row["coarse"],
        row["series"],
    )
    message.sightings.append(Sighting(*seen))


def _beside(messages: list[Message]) -> None:
    """What only a loosely tied log tells of happened as its nearest line did that others saw, too."""
    shown: dict[str, list[tuple[int, int]]] = {}
    for message in messages:
        for seen in message.sightings:
            if seen.half > SECOND_NS and message.half < seen.half:
                shown.setdefault(seen.series, []).append((seen.middle, message.at - seen.middle))
    for placed in shown.values():
        placed.sort()
    for message in messages:
        told = message.sightings[0]
        if len({seen.series for seen in message.sightings}) > 1 or told.series not in shown or told.half <= SECOND_NS:
            continue
        placed = shown[told.series]
        after = bisect_left(placed, (told.middle, 0))
        near = min(placed[max(after - 1, 0) : after + 1], key=lambda one: abs(one[0] - told.middle))
        message.at = told.middle + near[1]
        message.half = SECOND_NS // 2 if told.coarse else TRANSIT_NS


def _keep_file_order(rows: Sequence[Mapping[str, Any]], by_row: dict[tuple[str, int], Message]) -> None:
    """Lines with one stamp happened in the order in which they are written."""
    before: tuple[str, Message] | None = None
    for source, position in sorted((row["source"], row["position"]) for row in rows if row["coarse"]):
        message = by_row[source, position]
        if before and before[0] == source:
            lag = before[1].at - message.at
            if 0 <= lag <= 2 * SECOND_NS and message is not before[1] and message.half > SECOND_NS // 4:
                message.at = before[1].at + 1000
        before = (source, message)


def suspects(rows: pl.DataFrame, loud: Collection[str], horizon: int) -> list[str]:
    """Clients that something happened to, found without looking at each message by itself.

    A superset of those with a finding: a refusal, a broadcast renewal, a request without an answer in between or
    one too early for the lease, a lease that ran out, or a word of trouble from the client itself.

    Args:
        rows: All rows of some clients.
        loud: Machines whose own log has such a word.
        horizon: When the evidence ends (ns).
    """
    asks = pl.col("message_type").is_in(("DISCOVER", "REQUEST"))
    by = ("client", "source")
    told = ("at", "message_type", "refusal", "unicast", "ciaddr", "seen_by", "lease_s")
    ordered = rows.filter(pl.col("message_type") != "INFORM").select(*by, "position", *told).sort(*by, "position")
    lease = pl.col("lease_s").max().over("client")
    gap_s = (pl.col("at").shift(-1).over(by) - pl.col("at")) / SECOND_NS
    answered = pl.col("message_type") == "ACK"
    trouble = (
        (pl.col("message_type") == "NAK")
        | pl.col("refusal").is_not_null()
        | ((pl.col("message_type") == "REQUEST") & (pl.col("unicast") == False) & pl.col("ciaddr").is_not_null())  # noqa: E712
        | ((pl.col("message_type") == "REQUEST") & (pl.col("seen_by") == "client") & (pl.col("unicast") == False))  # noqa: E712
        | (asks & asks.shift(-1).over(by).fill_null(value=True) & (gap_s.fill_null(1.0) > 0.3))
        | (answered & asks.shift(-1).over(by) & (gap_s < 0.35 * lease.fill_null(1e9)))
        | (answered & (pl.coalesce(gap_s, (pl.lit(horizon) - pl.col("at")) / SECOND_NS) > lease))
    )
    flagged = ordered.filter(trouble.fill_null(value=False))["client"]
    crying = rows.filter((pl.col("seen_by") == "client") & pl.col("machine").is_in(list(loud)))["client"]
    return pl.concat([flagged, crying]).unique().sort().to_list()


def citations(messages: Iterable[Message]) -> tuple[Reference, ...]:
    """All places that tell of some messages, each once."""
    return tuple(dict.fromkeys(ref for message in messages for ref in message.references()))
