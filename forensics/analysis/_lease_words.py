"""Lost leases that only the client's own log tells of: clients that log their state and not each message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._lease_messages import Message, Sighting
from forensics.analysis._lease_rows import MOST_ROWS, DhcpRows
from forensics.analysis._lease_scene import Scene
from forensics.analysis._lease_states import Attempt, Lease
from forensics.analysis._parts import in_parts
from forensics.records.finding import Reference, iso

RESTART_NS = 300 * SECOND_NS
"""A link or a client that comes up anew within this time after a loss was restarted: that is no lapse of a lease."""
AT_ONCE_NS = 10 * SECOND_NS
PER_INTERFACE = ("machine", "interface")


def told_by_events(events: pl.LazyFrame, rows: DhcpRows, reach: Mapping[str, int]) -> list[Scene]:
    """Leases that a client says it lost, where nothing else shows its messages.

    A client says so too when its link goes down, when it is stopped and when it is given another address; none of
    these is a failed renewal, so what was lost must have been held, stay lost, and be followed by the host's own log.

    Args:
        events: One row per `DhcpClientEvent` with ``at`` (ns), ``machine`` and ``series``.
        rows: DHCP rows.
        reach: When each series of files ends (ns).

    Returns:
        One scene per loss, in order of time.
    """
    talkative = rows.places.filter((pl.col("seen_by") == "client") & pl.col("asks"))["machine"].to_list()
    lost = pl.col("event").is_in(("expired", "no_offers"))
    per_machine = events.group_by("machine").agg(n=pl.len(), lost=lost.any()).collect(engine="streaming")
    quiet = per_machine.filter("lost", pl.col("machine").is_in(talkative).not_()).sort("machine")
    found: list[Scene] = []
    for part in in_parts(quiet, MOST_ROWS):
        said = events.filter(pl.col("machine").is_in(part["machine"].implode())).collect(engine="streaming")
        found += _losses(said.sort("at", "source", "position"), reach)
    shown = _shown(found, rows) if found else set()
    kept = [scene for scene in found if scene.client not in shown and (not scene.ip or scene.ip not in shown)]
    return sorted(kept, key=lambda scene: (scene.attempt.ends, scene.client))


def _losses(said: pl.DataFrame, reach: Mapping[str, int]) -> Iterator[Scene]:
    once = said.unique([*PER_INTERFACE, "at", "event"], keep="first", maintain_order=True)
    for _, own in once.group_by(*PER_INTERFACE, maintain_order=True):
        events = own.to_dicts()
        for place, event in enumerate(events):
            if event["event"] in ("expired", "no_offers"):
                scene = _loss(events, place, reach.get(event["series"], event["at"]))
                if scene:
                    yield scene


def _loss(said: list[dict[str, Any]], place: int, horizon: int) -> Scene | None:
    event, before, after = said[place], said[:place], said[place + 1 :]
    bound = next((row for row in reversed(before) if row["event"] == "bound"), None)
    since = before[before.index(bound) :] if bound else []
    if bound is None or any(row["event"] in ("expired", "no_offers", "exited", "started") for row in since):
        return None
    cut = [row for row in since if row["event"] == "carrier_lost"]
    regained = [row for row in since if row["event"] == "carrier_gained"]
    if cut and (not regained or event["at"] - regained[-1]["at"] < RESTART_NS):
        return None
    later = next((row for row in after if row["event"] not in ("expired", "no_offers")), None)
    if later:
        restarts = later["event"] in ("carrier_lost", "carrier_gained", "started", "exited")
        if later["at"] - event["at"] < (RESTART_NS if restarts else AT_ONCE_NS):
            return None
    if horizon - event["at"] < AT_ONCE_NS:
        return None  # nothing tells a loss from the host's own shutdown
    if bound["lease_s"] and event["at"] - bound["at"] < 0.8 * bound["lease_s"] * SECOND_NS:
        return None  # taken away before its time, so not for want of a renewal
    ack = _message("ACK", bound, None)
    trials = [row for row in since if row["event"] in ("renewing", "rebinding")]
    asked = [_message("REQUEST", row, row["event"] == "renewing") for row in trials if row["at"] > bound["at"]]
    lease = Lease(ack, bound["lease_s"], None, None)
    attempt = Attempt(lease=lease, asked=asked, expired=True, until=event["at"])
    told = [event, *(row for row in since if row["event"] == "refused")]
    attempt.events = [
        {"at": row["at"], "event": row["event"], "message": row["message"], "reference": _reference(row)}
        for row in sorted(told, key=lambda row: row["at"])
    ]
    again = next((row for row in after if row["event"] == "bound"), None)
    attempt.recovered = _message("ACK", again, None) if again else None
    mac = next((row["mac"] for row in said if row["mac"]), None)
    return Scene(mac or f"host:{event['machine']}", mac, bound["ip"], attempt, [ack, *asked], [], client_log=True)


def _shown(scenes: Sequence[Scene], rows: DhcpRows) -> set[str]:
    """Clients and addresses whose messages are known from elsewhere: they say more, and have been judged."""
    clients, ips = {scene.client for scene in scenes}, {scene.ip for scene in scenes if scene.ip}
    asks = pl.col("message_type").is_in(("REQUEST", "DISCOVER"))
    shown: set[str] = set()
    for part in rows.about(clients, ips):
        asked = part.filter(asks)
        shown |= {*asked["client"], *asked["ip"].drop_nulls()}
    return shown


def _reference(row: dict[str, Any]) -> Reference:
    return Reference(row["source"], f"line:{row['position']}", iso(row["at"]))


def _message(kind: str, row: dict[str, Any], unicast: bool | None) -> Message:
    empty: dict[str, Any] = dict.fromkeys(("xkey", "ciaddr", "requested", "renewal_s", "rebinding_s", "refusal"))
    seen = Sighting("client", row["machine"], row["source"], row["position"], row["at"], SECOND_NS // 2, coarse=True)
    return Message(
        kind=kind,
        at=row["at"],
        half=SECOND_NS // 2,
        unicast=unicast,
        ip=row["ip"],
        server=row["server"],
        names_server=False,
        lease_s=row["lease_s"],
        sightings=[seen],
        **empty,
    )
