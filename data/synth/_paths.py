"""The way between somebody outside and an instance, as numbers: who captures, tags, routes and drops where.

Outside is 0, the switch before the controller 0.6; the controller's bond is 1 on the side of the uplink and 2 on that
of the tenants, its bridge 1.6, and it routes at 1.5. The switch to the compute host is 2.5; there the bond is 3, the
VLAN below the tenant's 3.1, the tenant's VLAN 3.2, the bridge 3.3, the tap 3.4. The instance is 4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from data.synth._cloud import Draw, Recorder
from data.synth._frames import (
    ACK,
    ECHO,
    ECHO_REPLY,
    EVERYBODY,
    FIN,
    ICMP,
    PSH,
    SYN,
    TCP,
    UDP,
    Packet,
    Seen,
    Tag,
    arp,
    bpdu,
    echo,
    ethernet,
    pattern,
    tcp,
    too_big,
    udp,
    untagged,
    vxlan,
)

UPLINK, ROUTING, UNDERLAY_ENDS = 0.75, 1.5, 3.05
MS, US = 10**6, 10**3


@dataclass
class Point:
    """A capture point: its place on the way (or two), and the outermost tags that it does not show."""

    host: str
    interface: str
    places: tuple[float, ...]
    hidden: int = 0
    doubled: bool = False
    label: str = ""
    seen: list[Seen] = field(default_factory=list)
    recorder: Recorder = field(default_factory=Recorder)


@dataclass
class Way:
    """What lies between the two ends."""

    draw: Draw
    uplink: tuple[Tag, ...]
    tenant: tuple[Tag, ...]
    addresses: dict[str, str]
    macs: dict[str, str]
    mtu: int
    points: list[Point] = field(default_factory=list)
    edge: float = 2.5
    drops: Callable[[Packet, bool, int], bool] = lambda *_: False
    router: str | None = None
    router_mtu: int = 0
    leak: bool = False
    vni: int = 0
    id_mode: str = "counter"
    replies_df: bool = False
    stray: set[int] = field(default_factory=set)
    crossed: list[tuple[int, bool, bool]] = field(default_factory=list)
    needed: int = 0
    strays_lost: int = 0
    _ids: dict[str, int] = field(default_factory=dict)

    def stops(self) -> list[tuple[float, Point]]:
        """All places, from outside to inside."""
        return sorted(((place, point) for point in self.points for place in point.places), key=lambda stop: stop[0])

    def next_id(self, host: str, df: bool) -> int:
        """An IP id as that host gives it: counting, none where nothing is fragmented, or few that come again."""
        if self.id_mode == "zero" and df:
            return 0
        if self.id_mode == "reused":
            return 0x1000 + self.draw.randrange(16)
        now = self._ids.setdefault(host, self.draw.randrange(0xFF00, 0x10000))
        self._ids[host] = (now + 1) & 0xFFFF
        return now

    def frame(self, packet: Packet, inward: bool, place: float) -> bytes:
        """The packet as it looks at a place, with all its tags."""
        outer = place < ROUTING
        routed = self.router not in (None, packet.src) and (place > self.edge) == inward
        packet = packet._replace(ttl=packet.ttl - (outer != inward) - routed)
        ends = ("outside", "controller") if outer else ("controller", "instance")
        src, dst = (self.macs[end] for end in (ends if inward else ends[::-1]))
        octets = packet.octets()
        if outer:
            return ethernet(src, dst, 0x0800, octets, self.uplink if place >= UPLINK else ())
        if self.vni and ROUTING < place < UNDERLAY_ENDS and place != 1.6:
            ends = ("controller", "compute") if inward else ("compute", "controller")
            inner = ethernet(src, dst, 0x0800, octets)
            told = vxlan(inner, self.vni, *(f"172.16.0.{10 + (end == 'compute')}" for end in ends), 40000 + inward, 0)
            return ethernet(*(self.macs[end] for end in ends), 0x0800, told.octets())
        return ethernet(src, dst, 0x0800, octets, self.tags_at(place))

    def tags_at(self, place: float) -> tuple[Tag, ...]:
        """The tenant's tags there."""
        if place == 1.6 or place >= 3.2:
            return ()
        return self.tenant[1:] if place >= 3.1 else self.tenant

    def record(self, point: Point, at: int, frame: bytes) -> None:
        """A frame at a point; some see it on the bridge and on its port."""
        shown = untagged(frame, point.hidden) if point.hidden and frame[12:14] in (b"\x81\x00", b"\x88\xa8") else frame
        point.seen.append(Seen(at, shown))
        if point.doubled:
            point.seen.append(Seen(at + 2 * US, shown))

    def send(
        self, packet: Packet, inward: bool, at: int, first: float = -1, last: float = 9, stray: bool = False
    ) -> int | None:
        """Send a packet along; the instant at which it arrives, None where it does not.

        Places before `first` and behind `last` do not see it: they saw it in another form. A `stray` packet is lost
        on its way between switch and outside.
        """
        cache: dict[object, bytes] = {}
        lost = self._lost(packet, inward)  # asked once: chance may decide
        ends = min(0.6 if stray else 9, self.edge if lost else 9) if inward else max(0.6 * stray, self.edge * lost)
        for place, point in self.stops() if inward else self.stops()[::-1]:
            if first <= place <= last and (place < ends if inward else place > ends or not (stray or lost)):
                tags = self.uplink if UPLINK <= place < ROUTING else self.tags_at(place)
                key = (place < ROUTING, place < self.edge, tags, place == 1.6 or place > UNDERLAY_ENDS)
                if key not in cache:
                    cache[key] = self.frame(packet, inward, place)
                self.record(point, at + self._travel(inward, place), cache[key])
        if lost:
            self._too_big(packet, inward, at)
        if not stray:
            self.crossed.append((packet.size, inward, lost))
        return None if lost or stray else at + self._travel(inward, 4.0 if inward else 0.0) + 20 * US

    def send_inside(self, packet: Packet, at: int) -> None:
        """What the instance hands down in one piece, for its card to cut up: larger than any MTU."""
        for place, point in self.stops():
            if place > UNDERLAY_ENDS:
                self.record(point, at + self._travel(False, place), self.frame(packet, False, place))

    def _travel(self, inward: bool, place: float) -> int:
        return int((place if inward else 4 - place) * 45 * US) + self.draw.randrange(3 * US)

    def _lost(self, packet: Packet, inward: bool) -> bool:
        tags = self.tenant if self.edge > ROUTING else self.uplink if self.edge > UPLINK else ()
        return self.drops(packet, inward, packet.size + 14 + 4 * len(tags))

    def _too_big(self, packet: Packet, inward: bool, at: int) -> None:
        if self.router is None or not packet.df:
            return
        self.needed += 1
        said = Packet(self.router, packet.src, ICMP, too_big(packet, self.router_mtu), self.needed, False, 255)
        back = [stop for stop in self.stops() if (stop[0] < self.edge) == inward]
        for place, point in back[::-1] if inward else back:
            self.record(point, at + self._travel(inward, self.edge) + 300 * US, self.frame(said, not inward, place))

    # ---- what is sent

    def ping(self, by_outside: bool, ident: int, seq: int, size: int, df: bool, at: int) -> bool:
        """One echo request and its reply; whether the reply came."""
        here, there = ("outside", "instance") if by_outside else ("instance", "outside")
        src, dst = self.addresses[here], self.addresses[there]
        asked = Packet(src, dst, ICMP, echo(ECHO, ident, seq, size), self.next_id(here, df), df)
        came = self.send(asked, by_outside, at)
        if came is None:
            return False
        df = self.replies_df
        said = Packet(dst, src, ICMP, echo(ECHO_REPLY, ident, seq, size), self.next_id(there, df), df)
        return self.send(said, not by_outside, came) is not None

    def query(self, number: int, at: int) -> None:
        """A DNS-like question of the instance and its answer; some stray ones are lost between switch and outside."""
        ports = (30000 + number, 53)
        inside, outside = self.addresses["instance"], self.addresses["outside"]
        asked = Packet(inside, outside, UDP, udp(ports, pattern(30 + number % 20)), self.next_id("instance", False))
        lost = number in self.stray
        self.strays_lost += lost
        came = self.send(asked, False, at, stray=lost)
        if came is not None:
            answer = udp(ports[::-1], pattern(90 + number % 200))
            self.send(Packet(outside, inside, UDP, answer, self.next_id("outside", False)), True, came + MS)

    def neighbour(self, at: int) -> None:
        """The instance asks for somebody who is gone: a broadcast of the tenant's network."""
        mac, ip = self.macs["instance"], self.addresses["instance"]
        asked = arp(1, (mac, ip), ("00:00:00:00:00:00", self.addresses["gone"]))
        for place, point in self.stops()[::-1]:
            if place < UPLINK and self.leak:
                self.record(point, at + 200 * US, ethernet(mac, EVERYBODY, 0x0806, asked, self.tenant[1:]))
            elif place > ROUTING and not (self.vni and place < UNDERLAY_ENDS):
                self.record(point, at + self._travel(False, place),
                            ethernet(mac, EVERYBODY, 0x0806, asked, self.tags_at(place)))  # fmt: skip

    def hello(self, at: int, switch: str) -> None:
        """The switch's own BPDU, on the hosts' trunks."""
        told = bpdu(switch, (8192, switch), (8192, switch), 0x8021, rapid=True)
        for point in self.points:
            if point.interface.startswith("bond"):
                self.record(point, at + self.draw.randrange(5 * US), told)


@dataclass
class Session:
    """A TCP connection from outside to the instance, as far as it comes."""

    way: Way
    port: int
    at: int
    offload: bool = False
    tries: int = 5
    seqs: dict[bool, int] = field(default_factory=dict)
    segments: Counter[tuple[bool, int]] = field(default_factory=Counter)
    delivered: set[tuple[bool, int]] = field(default_factory=set)
    hung: bool = False

    def __post_init__(self) -> None:
        """Open the connection."""
        self.seqs = {inward: self.way.draw.randrange(1 << 31) for inward in (True, False)}
        for inward, flags in ((True, SYN), (False, SYN | ACK)):
            self._segment(inward, flags, mss=self.way.mtu - 40)
            self.seqs[inward] += 1
        self._segment(True, ACK)

    def _packet(self, inward: bool, flags: int, data: bytes = b"", seq: int | None = None, mss: int = 0) -> Packet:
        ends = ("outside", "instance") if inward else ("instance", "outside")
        src, dst = (self.way.addresses[end] for end in ends)
        ports = (self.port, 22) if inward else (22, self.port)
        ack = 0 if flags == SYN else self.seqs[not inward]
        begin = self.seqs[inward] if seq is None else seq
        payload = tcp(src, dst, ports, begin, ack, flags, data, mss)
        return Packet(src, dst, TCP, payload, self.way.next_id(ends[0], True), True)

    def _segment(self, inward: bool, flags: int, mss: int = 0) -> None:
        self.at = (self.way.send(self._packet(inward, flags, mss=mss), inward, self.at) or self.at) + 40 * US

    def say(self, inward: bool, size: int) -> None:
        """So many octets of data, in segments as large as they may be, and the other end's ACK."""
        if self.hung:
            return
        room = self.way.mtu - 52
        begin = self.seqs[inward]
        whole = pattern(size)
        parts = [(begin + n, whole[n : n + room]) for n in range(0, size, room)]
        self.seqs[inward] += size
        inside = self.offload and not inward and len(parts) > 1
        if inside:  # the card cuts it up behind the capture points of its host
            big = self._packet(inward, ACK | PSH, whole, begin)
            self.way.send_inside(big, self.at)
        lost = [part for n, part in enumerate(parts) if not self._data(inward, part, self.at + n * 12 * US, inside)]
        self.at += 2 * MS
        for part in lost:
            for n in range(self.tries):
                self.at += (200 << n) * MS
                if self._data(inward, part, self.at, False):
                    break
            else:
                self.hung = True
                return
        self._segment(not inward, ACK)

    def _data(self, inward: bool, part: tuple[int, bytes], at: int, cut_by_card: bool) -> bool:
        seq, data = part
        packet = self._packet(inward, ACK | PSH, data, seq)
        came = self.way.send(packet, inward, at, last=UNDERLAY_ENDS if cut_by_card else 9)
        self.segments[inward, seq] += 1
        if came is not None:
            self.delivered.add((inward, seq))
        return came is not None

    def close(self) -> None:
        """Both say good-bye, unless it hangs."""
        for inward in (True, False) if not self.hung else ():
            self._segment(inward, FIN | ACK)
            self.seqs[inward] += 1


def tagged(points: list[Point]) -> Iterator[tuple[str, dict[str, int]]]:
    """How many frames each point has with which tags, read from the octets."""
    for point in points:
        counts: Counter[str] = Counter()
        for _, octets, _ in point.seen:
            vids, offset = [], 12
            while octets[offset : offset + 2] in (b"\x81\x00", b"\x88\xa8"):
                vids.append(str(int.from_bytes(octets[offset + 2 : offset + 4], "big") & 0xFFF))
                offset += 4
            counts[",".join(vids) or "untagged"] += 1
        yield point.label, dict(sorted(counts.items()))
