"""What stands where around a failed renewal: which capture is nearest to the client, and what passed it when."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cmp_to_key
from itertools import pairwise
from statistics import median

import polars as pl

from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._lease_messages import Message, Sighting
from forensics.analysis._lease_sides import side_of
from forensics.analysis._lease_states import Attempt
from forensics.analysis._lease_traffic import Traffic
from forensics.records.finding import Reference, iso


@dataclass(slots=True)
class View:
    """What one capture point says of one attempt."""

    point: str
    at_client: bool
    """It stands on the client's own host."""
    at_server: bool
    """It stands on the DHCP server's host."""
    bound: int
    shared: bool
    """Several clients' unicast messages pass it: it is no client's own interface."""
    covers: bool
    """It was capturing all through the attempt."""
    begins: bool
    """It was capturing from before the first unanswered renewal until after it."""
    last: tuple[int, Reference] | None = None
    """Last frame that reached the client here before the first unanswered renewal, and where."""
    arrivals_before: int = 0
    longest_gap_ns: int = 0
    """Longest silence towards the client before that."""
    resumed: tuple[int, Reference] | None = None
    """First frame that reached it afterwards, answers of the DHCP server aside."""
    any_after: int = 0
    """Frames that reached it between the first unanswered renewal and the end of the attempt."""
    side: int = 0
    """Nearer to the client (-1) or to the server (1), where the times of answers tell."""
    side_because: str = ""
    load: tuple[float, float] | None = None
    """Bytes a second to the client: in the minute before, and usually."""


@dataclass(slots=True)
class Scene:
    """One failed attempt with all that was seen around it."""

    client: str
    mac: str | None
    ip: str | None
    attempt: Attempt
    messages: list[Message]
    views: list[View]
    """Nearest to the client first."""
    heard_last: tuple[int, Reference, str] | None = None
    """Last packet of the client before the first unanswered renewal that proves that it received something."""
    heard_after: tuple[int, Reference, str] | None = None
    """First such packet afterwards."""
    probes_lost: list[tuple[int, Reference, str]] = field(default_factory=list)
    """What asked for an answer after the last proof of hearing, until the end of the attempt."""
    probes_before: int = 0
    """How many of these were sent before the first unanswered renewal."""
    heard_before: int = 0
    sent_after: tuple[int, Reference] | None = None
    """Last packet of the client, if that is after the time at which it had to have renewed (T2 of RFC 2131)."""
    server_log: bool = False
    """A server's log covers the attempt's first requests at least."""
    server_stopped: tuple[int, Reference] | None = None
    """The line by which a server ended before the attempt, and none by which it started again."""
    served_others: Reference | None = None
    """A line by which the server answers another client meanwhile."""
    served_before: bool = False
    """The server answered other clients as long before, so that their absence from its log says something."""
    port_closed: tuple[int, Reference] | None = None
    """The server's host said that nobody listens on its DHCP port (ICMP port unreachable, RFC 792)."""
    client_log: bool = False
    cut: bool = False
    """Types of its messages were inferred, for a capture cut their options off."""
    log_goes_on: Reference | None = None

    @property
    def near(self) -> View | None:
        """The capture nearest to the client that covers the attempt."""
        return next((view for view in self.views if view.covers), None)

    @property
    def far(self) -> View | None:
        """The capture nearest to the server that shows how it begins, if that is another one.

        A quiet segment's capture ends with its last frame, which says nothing of when it was stopped.
        """
        covering = [view for view in self.views if view.begins]
        return covering[-1] if covering and covering[-1] is not self.near else None

    def sightings(self, seen_by: str) -> Iterator[Sighting]:
        """What one kind of witness saw of the client's messages."""
        return (seen for message in self.messages for seen in message.sightings if seen.seen_by == seen_by)

    def seen_at(self, view: View | None, messages: list[Message]) -> list[Message]:
        """Those of some messages that a capture holds."""
        return [message for message in messages if view and view.point in message.at_points("capture")]


def machine(name: str) -> str:
    """The host of a capture point or log: first part of its name, without domain."""
    return name.split("/")[0].split(".")[0].lower()


@dataclass(frozen=True, slots=True)
class Homes:
    """Hosts of the client's and of the servers' logs, by which capture points on these hosts are known."""

    clients: frozenset[str]
    servers: frozenset[str]

    def side(self, point: str) -> int:
        """-1 for a point on the client's host, 1 on a server's, 0 elsewhere; the longer name wins.

        Operators name a capture after its host, as a folder (`web-3/eth0`) or in front (`web-3-eth0`).
        """
        first = point.split("/")[0].lower()

        def match(hosts: frozenset[str]) -> int:
            return max((len(host) for host in hosts if first == host or first.startswith(_beginnings(host))), default=0)

        client, server = match(self.clients), match(self.servers)
        return (server > client) - (client > server) if client != server else -1 if client else 0


def _beginnings(host: str) -> tuple[str, ...]:
    return tuple(host + mark for mark in ".-_:@")


def path_order(points: list[str], messages: list[Message], homes: Homes) -> list[str]:
    """Capture points from the client to the server.

    In this order of force: a point on the client's or the server's own host; requests that take time in one direction
    and answers in the other (the offset of two clocks cancels out in the difference); requests that only one of two
    points holds.
    A point's name tells its host only where a log of that host proves which one it is.
    """

    def times(message: Message) -> dict[str, int]:
        return {seen.point: seen.at for seen in reversed(message.sightings) if seen.seen_by == "capture"}

    stamped = [(message.by_client, times(message)) for message in messages]

    def nearer(a: str, b: str) -> int:
        if homes.side(a) != homes.side(b):
            return homes.side(a) - homes.side(b)
        both = [(asks, seen[b] - seen[a]) for asks, seen in stamped if a in seen and b in seen]
        # Request and answer side by side, so that a drifting clock has no time to drift.
        lags = [one[1] - two[1] for one, two in pairwise(both) if one[0] and not two[0]]
        if lags and abs(median(lags)) > 2000:
            return -1 if median(lags) > 0 else 1
        only_a = sum(asks and a in seen and b not in seen for asks, seen in stamped)
        only_b = sum(asks and b in seen and a not in seen for asks, seen in stamped)
        return (only_b > only_a) - (only_a > only_b)

    return sorted(sorted(points), key=cmp_to_key(nearer))


def survey(scene: Scene, traffic: Traffic, order: list[str], homes: Homes, shared: Collection[str]) -> None:
    """Fill a scene with what each capture point says of it.

    Args:
        scene: Gets ``views`` and what the client's own packets prove.
        traffic: Packets, reduced.
        order: Capture points from the client to the server.
        homes: Hosts of the client's and of the server's log.
        shared: Capture points that several clients' unicast messages pass.
    """
    first = scene.attempt.first
    start = first.stated if first else (scene.attempt.lease.ends or 0) if scene.attempt.lease else 0
    end = max(scene.attempt.ends, start)
    spans = {row["point"]: row for row in traffic.spans.iter_rows(named=True)}
    for point in order:
        if point not in spans:
            continue
        span = spans[point]
        last_asked = scene.attempt.asked[-1].at if scene.attempt.asked else start
        view = View(
            point,
            at_client=homes.side(point) < 0,
            at_server=homes.side(point) > 0,
            bound=span["bound"],
            shared=point in shared,
            covers=span["from_at"] <= start and span["to_at"] >= min(last_asked, end),
            begins=span["from_at"] <= start and span["to_at"] > start + 2 * span["bound"],
        )
        _arrivals(view, scene, traffic, start, end)
        server = next((m.server for m in scene.messages if m.server), None)
        view.side, view.side_because = side_of(point, scene.client, server, scene.messages, traffic)
        scene.views.append(view)
    _hearing(scene, traffic, start, end)


def _arrivals(view: View, scene: Scene, traffic: Traffic, start: int, end: int) -> None:
    here = traffic.seconds.filter(pl.col("point") == view.point)
    own = here.filter((pl.col("client") == scene.client) & (pl.col("way") == "in"))
    if own.is_empty():
        own = here.filter((pl.col("client") == scene.client) & (pl.col("way") == "in-ip"))
    to_all = here.filter((pl.col("way") == "group") & pl.col("sender").eq_missing(pl.lit(scene.mac)).not_())
    seconds = pl.concat([own, to_all]).sort("first_at")
    straddling = seconds.filter((pl.col("first_at") < start) & (pl.col("last_at") >= start))
    whole = seconds.filter(pl.col("last_at") < start)
    single = traffic.near.filter(
        (pl.col("point") == view.point)
        & (
            (pl.col("client") == scene.client)
            | ((pl.col("way") == "group") & pl.col("sender").eq_missing(pl.lit(scene.mac)).not_())
        )
    )
    before = single.filter(pl.col("last_at") < start)
    found: list[tuple[int, str, int]] = []
    if not whole.is_empty():
        row = whole.sort("last_at").row(-1, named=True)
        found.append((row["last_at"], row["last_source"], row["last_position"]))
    if not before.is_empty():
        found.append(max(before.select("last_at", "last_source", "last_position").iter_rows()))
    if found:
        at, source, position = max(found)
        view.last = (at, Reference(source, f"frame:{position}", iso(at)))
    edges = whole.select("first_at", "last_at", "n")
    view.arrivals_before = int(edges["n"].sum()) + int(before["n"].sum()) * bool(straddling.height)
    if view.last and edges.height > 10:  # what was usual of late: before, the client may not have been up
        window = edges.filter(pl.col("first_at") >= view.last[0] - 4 * max(end - view.last[0], 60 * SECOND_NS))
        edges = window if window.height > 10 else edges
    silences = edges["first_at"].to_numpy()[1:] - edges["last_at"].to_numpy()[:-1]
    inside = (edges["last_at"] - edges["first_at"]).to_numpy()
    # Silences inside a second are shorter than one; between seconds they are exact.
    view.longest_gap_ns = int(max(silences.max(initial=0), min(inside.max(initial=0), SECOND_NS)))
    after = seconds.filter((pl.col("last_at") >= start) & (pl.col("first_at") <= end))
    later = single.filter(pl.col("first_at") >= start)
    view.any_after = int(after.filter(pl.col("first_at") >= start)["n"].sum()) + (
        straddling.height and int(later.filter(pl.col("second") == start // SECOND_NS)["n"].sum())
    )
    firsts: list[tuple[int, str, int]] = [
        (row["last_at"], row["last_source"], row["last_position"])
        for row in after.sort("last_at").head(1).iter_rows(named=True)
    ]
    if not later.is_empty():
        firsts.append(min(later.select("first_at", "first_source", "first_position").iter_rows()))
    if firsts and view.any_after:
        at, source, position = min(firsts)
        view.resumed = (at, Reference(source, f"frame:{position}", iso(at)))
    earlier = own.filter(pl.col("first_at") < start)
    if not earlier.is_empty():
        span_s = max((start - min(earlier["first_at"].to_list())) / SECOND_NS, 1.0)
        minute = earlier.filter(pl.col("first_at") >= start - 60 * SECOND_NS)
        view.load = (sum(minute["size_bytes"]) / min(60.0, span_s), sum(earlier["size_bytes"]) / span_s)


def _hearing(scene: Scene, traffic: Traffic, start: int, end: int) -> None:
    def cited(row: dict[str, object]) -> tuple[int, Reference, str]:
        at = int(str(row["at"]))
        return at, Reference(str(row["source"]), f"frame:{row['position']}", iso(at)), str(row["what"])

    # Without a lease it has no address to answer from.
    ends = scene.attempt.lease.ends if scene.attempt.lease else None
    end = min(end, ends) if ends is not None and ends > start else end
    closed = traffic.closed.filter((pl.col("client") == scene.client) & pl.col("at").is_between(start, end))
    for row in closed.head(1).iter_rows(named=True):
        scene.port_closed = cited({**row, "what": ""})[:2]
    mine = traffic.heard.filter(pl.col("client") == scene.client)
    before, after = mine.filter(pl.col("at") < start), mine.filter(pl.col("at").is_between(start, end))
    scene.heard_before = before.height
    # What was on its way when the request left proves nothing of the time after it.
    after = after.filter(pl.col("at") > start + SECOND_NS // 2)
    if before.height:
        scene.heard_last = cited(before.row(-1, named=True))
    if after.height:
        scene.heard_after = cited(after.row(0, named=True))
    since = scene.heard_last[0] if scene.heard_last else start
    asked = traffic.probes.filter((pl.col("client") == scene.client) & pl.col("at").is_between(since + 1, end))
    if scene.views:
        asked = asked.filter(pl.col("point") == scene.views[-1].point)
    scene.probes_lost = [cited(row) for row in asked.head(2000).iter_rows(named=True)]
    scene.probes_before = asked.filter(pl.col("at") < start).height
    lease = scene.attempt.lease
    if lease and lease.ends is not None and lease.lease_s:
        late = max(lease.ends - round(lease.lease_s * 0.08 * SECOND_NS), lease.ack.at)
        out = traffic.seconds.filter(
            (pl.col("client") == scene.client) & (pl.col("way") == "out") & (pl.col("first_at") > late)
        ).sort("first_at")
        for row in out.tail(1).iter_rows(named=True):
            ref = Reference(row["last_source"], f"frame:{row['last_position']}", iso(row["last_at"]))
            scene.sent_after = (row["last_at"], ref)
