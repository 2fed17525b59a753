"""What a part of the evidence of a lost lease shows: the failure at all, its cause, and each of its figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from data.synth._cloud import SECOND, Clock, iso
from data.synth._dhcp import stamped
from data.synth._leases import BOND, GUEST, SERVER, TAP, WIRE, Attempt, Client

PLACES = {"guest": GUEST, "tap": TAP, "bond": BOND, "wire": WIRE}
LOGS = ("server_log", "client_log")
Sources = frozenset[str]


@dataclass(frozen=True)
class FaultSeen:
    """A cause, where on the way it sits, and what of it can be seen by whom."""

    cause: str
    edge: float
    both_ways: bool
    dies: bool

    @property
    def up(self) -> bool:
        """Whether questions do not get through."""
        return self.cause == "request-not-delivered" or self.both_ways

    def near(self, some: Sources) -> bool:
        """A capture on the instance's side of the fault is there."""
        return any(name in some for name, place in PLACES.items() if place < self.edge)

    def far(self, some: Sources) -> bool:
        """A capture on the server's side, or the server's log."""
        return "server_log" in some or any(name in some for name, place in PLACES.items() if place > self.edge)

    def fails(self, some: Sources) -> bool:
        """Whether it can be seen that a client fails."""
        if self.both_ways:
            return "guest" in some
        if self.cause == "request-not-delivered":
            return "client_log" in some or self.near(some)
        if self.cause == "client-gone":
            return bool(some & PLACES.keys())
        return some != {"server_log"} or not self.dies

    def decided(self, some: Sources) -> bool:
        """Whether it can be seen why."""
        if self.cause == "link-dead-before-dhcp":
            return self.near(some) or {"wire", "client_log"} <= some
        if self.cause in ("reply-not-delivered", "request-not-delivered"):
            return self.near(some) and self.far(some)
        if self.cause == "server-silent":
            return "server_log" in some and (not self.dies or "wire" in some)
        return self.cause == "refused" or "guest" in some


@dataclass(frozen=True)
class Evidence:
    """What was handed over of an incident; `whole` evidence begins before the client's first message."""

    fault: FaultSeen
    sources: Sources
    client: Client
    tried: list[Attempt]
    lost_at: int
    whole: bool
    clocks: dict[str, Clock]
    framing: dict[str, str]

    def sent(self, kind: str, start: int, end: int) -> int:
        """How many messages of a kind the server sent to the client."""
        told = self.client.server.sent
        return sum(start <= at <= end and said == kind and mac == self.client.mac for at, said, mac in told)

    @property
    def points(self) -> list[float]:
        """Where somebody captured."""
        return [place for name, place in PLACES.items() if name in self.sources]

    @property
    def told(self) -> bool:
        """The client's log has its messages."""
        return "client_log" in self.sources and self.client.program != "systemd-networkd"

    @property
    def logged(self) -> bool:
        """The server's log has its messages."""
        return "server_log" in self.sources and not self.fault.dies

    def sees(self, far: float) -> bool:
        """Whether anybody saw a question that came so far."""
        return self.told or any(place < far for place in self.points) or (self.logged and far == SERVER)

    def first(self, attempts: list[Attempt]) -> int | None:
        """When the first one was seen: by a capture, else to the precision of the log's stamps."""
        if not attempts or any(place < attempts[0].far for place in self.points):
            return attempts[0].at if attempts else None
        name = "client_log" if self.told else "server_log"
        return stamped(attempts[0].at, self.clocks[name], self.framing[name])

    def facts(self) -> dict[str, Any]:
        """The figures; None where nothing shows them."""
        client, cause, some = self.client, self.fault.cause, self.sources
        captured, attempts = bool(self.points), [one for one in self.tried if self.sees(one.far)]
        first, lease_s = self.first(attempts), self._lease_s()
        last = max((at for at, _ in client.said), default=0)
        last = last if self.sees(self.fault.edge if self.fault.up else SERVER) else 0
        gave_up = max(last, self.lost_at) if lease_s or last > self.lost_at else None
        silence = None
        if cause == "link-dead-before-dhcp" and self.fault.near(some) and first is not None:
            silence = max(at for at in client.lan.reached if at < first)
        kind = "NAK" if cause == "refused" else "ACK"
        replies = self.sent(kind, first or self.lost_at, gave_up or max(last, self.lost_at))
        apart = self.told or captured
        named = captured or "server_log" in some or (self.whole and self.told and client.program == "dhclient")
        return {
            "cause": cause if self.fault.decided(some) else None,
            "mac": client.mac if named else None,
            "ip": client.ip,
            "server": client.server.ip if apart else None,
            "unicast_attempts": sum(one.unicast for one in attempts) if apart else None,
            "broadcast_attempts": sum(not one.unicast for one in attempts) if apart else None,
            "server_replies": replies if self._shows_replies() else None,
            "first_unanswered_at": iso(first),
            "silence_at": iso(silence),
            "lead_s": (first - silence) / SECOND if first and silence else None,
            "gave_up_at": iso(gave_up),
            "lease_s": lease_s,
        }

    def _lease_s(self) -> int | None:
        """Captures have it in every answer, dnsmasq says it when it starts, udhcpc when it is bound."""
        told = self.told and self.client.program == "udhcpc"
        shown = self.points or told or (self.whole and "server_log" in self.sources)
        return self.client.server.lease_s if shown else None

    def _shows_replies(self) -> bool:
        """Whether anybody saw what the server sent, or that it sent nothing."""
        cause, captured = self.fault.cause, bool(self.points)
        if cause in ("server-silent", "request-not-delivered"):
            return self.logged or "wire" in self.sources
        if cause in ("client-deaf", "client-gone", "refused"):
            return captured or self.logged or (cause == "refused" and self.told)
        return self.fault.far(self.sources)
