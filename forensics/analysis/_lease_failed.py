"""The failed attempts of clients to keep their leases, before anybody looks at other traffic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import polars as pl

from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._lease_messages import FIELDS, merged
from forensics.analysis._lease_scene import Scene
from forensics.analysis._lease_states import Attempt, attempts
from forensics.records.finding import Reference, iso

_Row = dict[str, Any]
"""A row of what `DhcpRows` gives."""
_Event = tuple[int, dict[str, object]]
"""What a client's log says beside messages, and its place among all."""
_place = itemgetter(0)


def failed(
    rows: pl.DataFrame,
    clients: Collection[str],
    events: pl.LazyFrame,
    reach: Mapping[str, int],
    lease_hint_s: float | None,
) -> Iterator[Scene]:
    """The failed attempts of some clients, in the order of the clients.

    Args:
        rows: What `forensics.analysis._lease_rows.DhcpRows` gives of these clients at least.
        clients: Who is asked for.
        events: One row per `DhcpClientEvent` with ``at`` (ns) and ``machine``.
        reach: When each series of files ends (ns).
        lease_hint_s: Lease time from the server's own log, where no message tells it.
    """
    said = _by_machine(events, rows.filter(pl.col("seen_by") == "client")["machine"].unique())
    for client, own in _by_client(rows, clients):
        horizon = max(reach[row["series"]] for row in own)
        machines = {row["machine"] for row in own if row["seen_by"] == "client"}
        told = [event for _, event in sorted((one for name in machines for one in said.get(name, ())), key=_place)]
        messages = merged(own)
        cut = any(row["inferred"] for row in own)
        for attempt in attempts(messages, told, horizon, lease_hint_s):
            if attempt.gone and attempt.lease:
                since = attempt.lease.ack.at
                attempt.events = [event for event in told if int(str(event["at"])) > since + SECOND_NS]
            yield Scene(client, _mac(own), _ip(attempt), attempt, messages, [], cut=cut)


def _by_client(rows: pl.DataFrame, clients: Collection[str]) -> Iterator[tuple[str, list[_Row]]]:
    """What there is of each of some clients, in its order, as far as its times can be compared."""
    own = rows.filter(pl.col("client").is_in(clients)).select("client", "chaddr", "machine", "reference", *FIELDS)
    ordered = own.sort("client", "at", "source", "position")
    for client, told in groupby(ordered.iter_rows(named=True), key=itemgetter("client")):
        yield client, comparable(list(told))


def _by_machine(events: pl.LazyFrame, machines: pl.Series) -> dict[str, list[_Event]]:
    """What the logs of some clients say beside messages, each with its place among all."""
    told: dict[str, list[_Event]] = {}
    if machines.is_empty():
        return told
    wanted = events.filter(pl.col("machine").is_in(machines.implode()))
    read = wanted.select("machine", "at", "event", "message", "source", "position").collect(engine="streaming")
    for place, (name, at, event, message, source, position) in enumerate(read.sort("source", "position").iter_rows()):
        reference = Reference(source, f"line:{position}", iso(at))
        one = {"at": at, "event": event, "message": message, "reference": reference}
        told.setdefault(name, []).append((place, one))
    return told


def comparable(own: list[_Row]) -> list[_Row]:
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
