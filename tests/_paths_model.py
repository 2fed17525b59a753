"""Packets on a path of four capture points, octet by octet, by a model that knows which is which."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from data.synth._frames import (
    ACK,
    ECHO,
    ECHO_REPLY,
    ICMP,
    PSH,
    TCP,
    UDP,
    Packet,
    Seen,
    echo,
    ethernet,
    pattern,
    pcap,
    tcp,
    udp,
    vxlan,
)

US, MS, SECOND = 10**3, 10**6, 10**9
INSIDE, OUTSIDE, FLOATING = "10.0.0.5", "198.51.100.9", "203.0.113.77"
POINTS = ("outside", "uplink", "tenant", "tap")


@dataclass
class Model:
    """One path: what changes on it, and what each point saw, with the number of the packet that it was."""

    seed: int
    nat: bool = False
    tunnel: bool = False
    doubled: str = ""
    snap_bytes: int = 65535
    seen: dict[str, list[tuple[int, bytes, int]]] = field(default_factory=lambda: {point: [] for point in POINTS})
    sent: int = 0

    def __post_init__(self) -> None:
        """Draw what the path is like."""
        self.random = Random(self.seed)
        self.loss = self.random.choice((0.0, 0.05, 0.15))
        self.jitter = self.random.choice((20 * US, MS, 4 * MS))
        self.offsets = {point: self.random.randrange(-30 * SECOND, 30 * SECOND) for point in POINTS}

    def shown(self, packet: Packet, point: str, inward: bool) -> bytes:
        """The frame at a point."""
        behind = point in ("tenant", "tap")
        if self.nat and not behind:
            packet = packet._replace(src=FLOATING) if packet.src == INSIDE else packet._replace(dst=FLOATING)
        packet = packet._replace(ttl=packet.ttl - (behind == inward))
        macs = [f"02:00:00:00:00:{POINTS.index(point):02x}", "02:00:00:00:00:ff"]
        src, dst = macs if inward else macs[::-1]
        tags = {"uplink": [(0x8100, 20)], "tenant": [(0x88A8, 30), (0x8100, 100)]}.get(point, [])
        octets = packet.octets()
        if point == "tenant" and self.tunnel:
            outer = vxlan(ethernet(src, dst, 0x0800, octets), 7, "172.16.0.1", "172.16.0.2", 40000, 0)
            return ethernet(src, dst, 0x0800, outer.octets())
        return ethernet(src, dst, 0x0800, octets, tags)

    def send(self, packet: Packet, inward: bool, at: int) -> None:
        """One packet along the path, as far as it comes."""
        self.sent += 1
        way = POINTS if inward else POINTS[::-1]
        for n, point in enumerate(way):
            if n and self.random.random() < self.loss:
                return
            at += 50 * US + self.random.randrange(self.jitter)
            for copy in range(2 if point == self.doubled else 1):
                self.seen[point].append(
                    (at + copy * self.random.randrange(1, 40) * US, self.shown(packet, point, inward), self.sent)
                )

    def run(self, length: int = 120) -> None:
        """Traffic of all kinds."""
        draw, at, seq = self.random, 1_700_000_000 * SECOND, 1000
        ids = draw.choice(("counter", "zero", "few"))
        for n in range(length):
            at += draw.randrange(1, 40) * MS + (SECOND if ids == "few" else 0)
            ident = {"counter": (0xFFF0 + n) & 0xFFFF, "zero": 0, "few": 1 + n % 7}[ids]
            inward = draw.random() < 0.5
            ends = (OUTSIDE, INSIDE) if inward else (INSIDE, OUTSIDE)
            df = ids == "zero"
            what = draw.randrange(5)
            if what == 0:
                ask = Packet(*ends, ICMP, echo(ECHO, 77, n, 100 + n), ident, df)
                self.send(ask, inward, at)
                self.send(
                    Packet(*ends[::-1], ICMP, echo(ECHO_REPLY, 77, n, 100 + n), ident, df), not inward, at + 9 * MS
                )
            elif what == 1:
                ports = (40000, 53) if inward else (53, 40000)
                self.send(Packet(*ends, UDP, udp(ports, pattern(64)), ident, df), inward, at)
                at += 300 * MS
            else:
                ports = (50000, 22) if inward else (22, 50000)
                seq += 1448
                payload = tcp(*ends, ports, seq, 5, ACK | PSH, pattern(draw.choice((1, 48, 1448))))
                for again in range(draw.choice((1, 1, 1, 3))):  # sent anew, with the same number or a new one
                    number = (ident + again * draw.choice((0, 4096))) & 0xFFFF if ident else 0
                    self.send(Packet(*ends, TCP, payload, number, df), inward, at)
                    at += (250 << again) * MS

    def write(self, folder: Path) -> dict[tuple[str, int], int]:
        """Captures, each with its own clock; which packet stands in which frame of which point."""
        truth: dict[tuple[str, int], int] = {}
        for point, rows in self.seen.items():
            rows.sort(key=lambda row: row[0])
            frames = [Seen(at + self.offsets[point], octets) for at, octets, _ in rows]
            snap = 96 if self.tunnel and point == "tenant" and self.snap_bytes < 96 else self.snap_bytes
            (folder / f"{point}.pcap").write_bytes(pcap(frames, nano=True, snap_bytes=snap))
            truth |= {(point, n): row[2] for n, row in enumerate(rows, 1)}
        return truth
