"""A network with its DHCP server, clients, faults and capture points: who asks, who answers, who sees it.

Places on the way: the instance's card 0, its tap on the compute host 1, that host's bond 2, the server's interface 4
and the server itself 5. Clients of other compute hosts join between 2 and 4.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from data.synth._cloud import SECOND, Draw, Recorder
from data.synth._dhcp import ALL, INFINITE, NOBODY, Line, Said, dhclient, dnsmasq, started, udhcpc
from data.synth._frames import (
    ACK,
    ECHO,
    ECHO_REPLY,
    EVERYBODY,
    ICMP,
    PSH,
    SYN,
    TCP,
    UDP,
    Packet,
    Seen,
    Tag,
    arp,
    echo,
    ethernet,
    no_port,
    pattern,
    tcp,
    udp,
)

MS, US = 10**6, 10**3
GUEST, TAP, BOND, WIRE, SERVER = 0.0, 1.0, 2.0, 4.0, 5.0
ELSEWHERE = 2.6


@dataclass
class Point:
    """A capture point."""

    host: str
    interface: str
    place: float
    tags: tuple[Tag, ...] = ()
    copies: int = 1
    label: str = ""
    path: str = ""
    seen: list[Seen] = field(default_factory=list)
    recorder: Recorder = field(default_factory=Recorder)


@dataclass
class Fault:
    """Frames do not get past a place, one way or both, DHCP alone or all of them."""

    place: float
    up: bool
    down: bool
    only_dhcp: bool
    begin: int
    end: int = 1 << 63

    def takes(self, up: bool, at: int, of_dhcp: bool) -> bool:
        """Whether it takes a frame."""
        return self.begin <= at < self.end and (self.up if up else self.down) and (of_dhcp or not self.only_dhcp)


@dataclass
class Lan:
    """The way between an instance and its server."""

    draw: Draw
    points: list[Point] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    reached: list[int] = field(default_factory=list)
    """Instants at which a frame reached the instance's card."""

    def send(
        self, frame: tuple[str, str, int, bytes], origin: float, goal: float, at: int, *, of_dhcp: bool = False
    ) -> tuple[int, float]:
        """Send a frame (source, destination, type, payload); when it would arrive, and how far it comes."""
        src, dst, ethertype, payload = frame
        up, (low, high) = goal > origin, sorted((origin, goal))
        lost = [one.place for one in self.faults if low < one.place < high and one.takes(up, at, of_dhcp)]
        far = (min if up else max)([*lost, goal]) if lost else goal
        for point in self.points:
            if low <= point.place <= high and (not lost or (point.place < far if up else point.place > far)):
                octets = ethernet(src, dst, ethertype, payload, point.tags)
                for copy in range(point.copies):
                    point.seen.append(Seen(at + self._travel(origin, point.place) + 3 * US * copy, octets))
        came = at + self._travel(origin, goal) + 20 * US
        if far == GUEST:
            self.reached.append(came)
        return came, far

    def _travel(self, origin: float, place: float) -> int:
        return int(abs(place - origin) * 55 * US) + self.draw.randrange(4 * US)

    def passes(self, up: bool, at: int, of_dhcp: bool = False) -> bool:
        """Whether the instance's frames come through."""
        return not any(fault.takes(up, at, of_dhcp) for fault in self.faults)


@dataclass
class Server:
    """dnsmasq, its interface and its log."""

    lan: Lan
    ip: str
    mac: str
    interface: str
    lease_s: int
    program: str = "dnsmasq-dhcp"
    with_xid: bool = False
    mode: str = "fine"
    refusal: str = "lease not found"
    lines: list[Line] = field(default_factory=list)
    sent: list[tuple[int, str, str]] = field(default_factory=list)
    """When it sent what to whom."""

    def log(self, at: int, said: Said, hostname: str = "", refusal: str = "") -> None:
        """One line; a dead one says nothing."""
        if self.mode != "dead":
            text = dnsmasq(said, self.interface, hostname, refusal, self.with_xid)
            self.lines.append(Line(at, self.program, text))

    def hears(self, at: int, said: Said, client: Client, wrong: bool = False) -> Said | None:
        """Log a message and find its answer."""
        nothing_left = self.mode == "refuse" and said.kind == "DISCOVER"
        self.log(at, said, refusal="no address available" if nothing_left else "")
        if self.mode in ("silent", "dead") or nothing_left or said.kind in ("RELEASE", "DECLINE"):
            return None
        refused = said.kind == "REQUEST" and (self.mode == "refuse" or wrong)
        kind = "NAK" if refused else {"DISCOVER": "OFFER", "REQUEST": "ACK", "INFORM": "ACK"}[said.kind]
        if kind == "NAK":
            asked = said.requested or said.ciaddr
            answer = Said("NAK", said.xid, said.mac, requested=asked, server=self.ip)
            self.log(at + 150 * US, answer, refusal="wrong network" if wrong else self.refusal)
            return answer._replace(requested=None)
        informed = said.kind == "INFORM"
        yiaddr, lease_s = (NOBODY, None) if informed else (client.ip, self.lease_s)
        answer = Said(kind, said.xid, said.mac, said.ciaddr, yiaddr, server=self.ip, lease_s=lease_s,
                      giaddr=said.giaddr)  # fmt: skip
        told = answer._replace(yiaddr=client.ip)
        self.log(at + 150 * US, told, client.name if kind == "ACK" else "")
        return answer


@dataclass
class Attempt:
    """A renewal that got no answer: whether it was unicast, and how far it came (-1: it never left)."""

    at: int
    unicast: bool
    far: float


@dataclass
class Client:
    """One DHCP client."""

    lan: Lan
    server: Server
    mac: str
    ip: str
    name: str
    program: str
    interface: str = "eth0"
    place: float = GUEST
    one_xid: bool = False
    with_xid: bool = False
    deaf: bool = False
    hold: int = 30 * SECOND
    """How long its kernel believes in the server's hardware address without hearing of it."""
    xid: int = 0
    ends: int = 0
    bound_at: int = 0
    ip_id: int = 1
    began: int = 0
    due: int = 0
    lines: list[Line] = field(default_factory=list)
    said: list[tuple[int, str]] = field(default_factory=list)

    @property
    def draw(self) -> Draw:
        """Chance."""
        return self.lan.draw

    def fresh(self, at: int) -> None:
        """A new transaction."""
        self.began = at
        if not (self.xid and self.one_xid):
            self.xid = self.draw.randrange(1, 2**32)

    def tell(self, at: int, *texts: str) -> None:
        """Lines of the client's."""
        self.lines += [Line(at + n * 40 * US, self.program, text) for n, text in enumerate(texts) if text]

    def say(
        self, at: int, kind: str, *, dst: str = ALL, ciaddr: str = NOBODY, requested: str | None = None,
        chosen: bool = False, wrong: bool = False, interval_s: int = 6, giaddr: str = NOBODY,
    ) -> tuple[int, Said | None, float]:  # fmt: skip
        """Send a message; when its answer came, the answer, and how far the question came."""
        said = Said(kind, self.xid, self.mac, ciaddr, requested=requested, server=self.server.ip if chosen else None,
                    hostname=self.name, secs=min((at - self.began) // SECOND, 65535), giaddr=giaddr)  # fmt: skip
        self.said.append((at, kind))
        if self.program == "dhclient":
            self.tell(at - 90 * US, dhclient(said, self.interface, dst, interval_s, self.with_xid))
        elif self.program == "udhcpc":
            self.tell(at - 90 * US, udhcpc(said, dst))
        if dst != ALL and not self._knows(at):
            return at, None, -1
        raw = dst == ALL
        src = ciaddr if ciaddr != NOBODY else NOBODY
        self.ip_id = self.ip_id % 0xFFFF + 1
        datagram = Packet(src, dst, UDP, udp((68, 67), said.octets()), 0 if raw else self.ip_id, False,
                          128 if raw else 64)  # fmt: skip
        frame = (self.mac, EVERYBODY if raw else self.server.mac, 0x0800, datagram.octets())
        came, far = self.lan.send(frame, self.place, SERVER, at, of_dhcp=True)
        if raw and self.place != GUEST:
            self.lan.send(frame, self.place, GUEST, at, of_dhcp=True)
        if far < SERVER:
            return at, None, far
        back = came + self.draw.randrange(100 * US, 900 * US)
        answer = self.server.hears(came, said, self, wrong)
        if answer is None and self.server.mode == "dead" and not raw:
            told = Packet(self.server.ip, src, ICMP, no_port(datagram), self.draw.randrange(1 << 16))
            self.lan.send((self.server.mac, self.mac, 0x0800, told.octets()), SERVER, self.place, came + 40 * US)
        if answer is None:
            return at, None, far
        return self._answered(back, answer, far)

    def _answered(self, at: int, answer: Said, far: float) -> tuple[int, Said | None, float]:
        server, refused = self.server, answer.kind == "NAK"
        server.sent.append((at, answer.kind, self.mac))
        said = udp((67, 68), answer.octets())
        datagram = Packet(server.ip, ALL if refused else self.ip, UDP, said, self.draw.randrange(1 << 16))
        frame = (server.mac, EVERYBODY if refused else self.mac, 0x0800, datagram.octets())
        heard, down = self.lan.send(frame, SERVER, self.place, at, of_dhcp=True)
        if down != self.place or self.deaf:
            return at, None, far
        if self.program == "dhclient":
            self.tell(heard + 60 * US, dhclient(answer, self.interface, ALL, 0, self.with_xid))
        elif self.program == "udhcpc":
            self.tell(heard + 60 * US, udhcpc(answer, ALL))
        return heard, answer, far

    def _knows(self, at: int) -> bool:
        """Whether the kernel can address the server: it asks where it does not know any more."""
        if self.place != GUEST or (self.lan.passes(True, at) and self.lan.passes(False, at)):
            return True
        began = max(fault.begin for fault in self.lan.faults if fault.takes(False, at, False) or fault.up)
        if at < began + self.hold:
            return True
        for n in range(3):
            self.asks(at + n * SECOND)
        return False

    def asks(self, at: int) -> None:
        """Who has the server's address?"""
        asked = arp(1, (self.mac, self.ip), ("00:00:00:00:00:00", self.server.ip))
        came, far = self.lan.send((self.mac, EVERYBODY, 0x0806, asked), GUEST, SERVER, at)
        if far == SERVER:
            answer = arp(2, (self.server.mac, self.server.ip), (self.mac, self.ip))
            self.lan.send((self.server.mac, self.mac, 0x0806, answer), SERVER, GUEST, came + 30 * US)

    # ---- its life

    def boot(self, at: int) -> int:
        """DISCOVER to ACK; when it was bound, or 0."""
        self.fresh(at)
        first = enumerate(started(self.program, self.interface, self.mac))
        self.lines += [Line(at - 2 * MS + n * 40 * US, self.program, text) for n, text in first]
        heard, offer, _ = self.say(at, "DISCOVER")
        if offer is None:
            return 0
        heard, ack, _ = self.say(heard + MS, "REQUEST", requested=self.ip, chosen=True)
        return self.bind(heard) if ack is not None and ack.kind == "ACK" else 0

    def bind(self, at: int) -> int:
        """The lease is its own from now on."""
        lease_s = self.server.lease_s
        self.bound_at, self.ends = at, at + lease_s * SECOND
        wait = self.wait()
        if self.program == "dhclient":
            self.tell(at + 3 * MS, f"bound to {self.ip} -- renewal in {wait // SECOND} seconds.")
        elif self.program == "systemd-networkd":
            self.tell(at + 3 * MS, f"{self.interface}: DHCPv4 address {self.ip}/24 via {self.server.ip}")
        self.due = at + wait
        return at

    def wait(self) -> int:
        """Until T1: dhclient is up to a fifth early."""
        if self.server.lease_s == INFINITE:
            return 2**31 * SECOND
        early = self.draw.uniform(0.76, 1) if self.program == "dhclient" else 1.0
        return int(self.server.lease_s * SECOND // 2 * early)

    def renew(self, at: int, tried: list[Attempt]) -> int:
        """Ask from T1 to the end of the lease; when it was bound again, or 0."""
        lease, end = self.server.lease_s * SECOND, self.ends
        rebind = end - lease // 8
        wait = (10 if self.program == "dhclient" else 60) * SECOND
        self.fresh(at)
        while at < end - 50 * MS:
            unicast = at < rebind
            heard, answer, far = self.say(at, "REQUEST", dst=self.server.ip if unicast else ALL, ciaddr=self.ip)
            tried.append(Attempt(at, unicast, far))
            if answer is not None:
                return self.bind(heard) if answer.kind == "ACK" else 0
            edge = rebind if unicast else end
            if self.program == "dhclient":
                wait = min(int(wait * self.draw.uniform(1, 2)), max(lease // 12, 3 * SECOND))
                at = edge + 2 * MS if at + wait > edge else at + wait
            else:
                shortest = 60 if self.program == "systemd-networkd" else 3
                at = min(at + max((edge - at) // 2, shortest * SECOND), edge + 2 * MS)
        return 0

    def give_up(self, at: int) -> int:
        """Look for a server once more, and end; the last message."""
        self.fresh(at)
        if self.program == "systemd-networkd":
            self.tell(at, f"{self.interface}: DHCP lease lost")
        last = at
        for n in range(self.draw.randrange(3, 6)):
            interval_s = self.draw.randrange(3, 17)
            last = at if not n else last + interval_s * SECOND
            self.say(last, "DISCOVER", requested=self.ip, interval_s=interval_s)
        if self.program == "dhclient":
            self.tell(last + 9 * SECOND, "No DHCPOFFERS received.", self.draw.choice(
                ("Unable to obtain a lease on first try.  Exiting.",
                 "No working leases in persistent database - sleeping.")))  # fmt: skip
        return last


def traffic(client: Client, start: int, end: int, packets: int, *, stream: bool = True, pings: bool = True) -> None:
    """A TCP stream towards the instance and pings both ways; what no answer comes to is sent again, or asked by ARP."""
    lan, server, draw = client.lan, client.server, client.draw
    step, at, number, stuck = max(1, (end - start) // max(1, packets)), start, 0, 0
    seq, ports = draw.randrange(1 << 31), (draw.randrange(32768, 61000), 5201)

    def down(protocol: int, payload: bytes, when: int) -> tuple[int, bool]:
        packet = Packet(server.ip, client.ip, protocol, payload, draw.randrange(1 << 16), True)
        came, far = lan.send((server.mac, client.mac, 0x0800, packet.octets()), SERVER, GUEST, when)
        return came, far == GUEST

    def up(protocol: int, payload: bytes, when: int) -> tuple[int, bool]:
        packet = Packet(client.ip, server.ip, protocol, payload, draw.randrange(1 << 16), True)
        came, far = lan.send((client.mac, server.mac, 0x0800, packet.octets()), GUEST, SERVER, when)
        return came, far == SERVER

    if stream:
        _, heard = down(TCP, tcp(server.ip, client.ip, ports, seq - 1, 0, SYN, mss=1460), start - 3 * MS)
        if heard and up(TCP, tcp(client.ip, server.ip, ports[::-1], 0, seq, SYN | ACK, mss=1460), start - 2 * MS)[1]:
            down(TCP, tcp(server.ip, client.ip, ports, seq, 1, ACK), start - MS)
    while stream and at < end and stuck < 6:
        at += int(step * draw.uniform(0.6, 1.4)) if not stuck else (200 << stuck) * MS
        came, heard = down(TCP, tcp(server.ip, client.ip, ports, seq, 1, ACK | PSH, pattern(1400)), at)
        if heard:
            seq += 1400
            heard = up(TCP, tcp(client.ip, server.ip, ports[::-1], 1, seq, ACK), came + 45 * US)[1]
        stuck = 0 if heard else stuck + 1
    at = start
    while pings and at < end:
        at, number = at + step * 4, number + 1
        came, heard = down(ICMP, echo(ECHO, 0x28, number & 0xFFFF, 84), at)
        if heard:
            up(ICMP, echo(ECHO_REPLY, 0x28, number & 0xFFFF, 84), came + 30 * US)
        own = at + step // 2
        if lan.passes(False, own) or own < max(f.begin for f in lan.faults) + client.hold:
            came, arrived = up(ICMP, echo(ECHO, 0x24, number & 0xFFFF, 84), own)
            if arrived:
                down(ICMP, echo(ECHO_REPLY, 0x24, number & 0xFFFF, 84), came + 60 * US)
        else:
            client.asks(own)
