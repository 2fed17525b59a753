"""A capture of any size from a seed: what crosses the interface of a compute node, packet kinds in fixed proportions.

    python benchmarks/gen_pcap.py OUT.pcap MIB [SEED]

Each kind of packet is a numpy record of its headers, filled for all packets of that kind at once.
The same arguments give the same octets.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

BATCH = 65_536
FLOWS = 20_000
SNAPPED = 0.01
"""Share of packets of which the file holds less than the wire did."""

# Ports that no dissector of tshark claims: its guesses about random payloads would only make it slower.
SERVICES = [8774, 9292, 9696, 6080, 8776, 5001, 16509]

ETHER = [("dst", "u1", 6), ("src", "u1", 6)]
IPV4 = [
    ("version", "u1"), ("tos", "u1"), ("total", ">u2"), ("id", ">u2"), ("fragment", ">u2"), ("ttl", "u1"),
    ("protocol", "u1"), ("sum", ">u2"), ("ip_src", ">u4"), ("ip_dst", ">u4"),
]  # fmt: skip
IPV6 = [
    ("version", ">u4"), ("total", ">u2"), ("protocol", "u1"), ("ttl", "u1"), ("net_src", ">u8"), ("host_src", ">u8"),
    ("net_dst", ">u8"), ("host_dst", ">u8"),
]  # fmt: skip
TCP = [
    ("sport", ">u2"), ("dport", ">u2"), ("seq", ">u4"), ("ack", ">u4"), ("flags", ">u2"), ("window", ">u2"),
    ("l4_sum", ">u2"), ("urgent", ">u2"), ("stamps", "u1", 12),
]  # fmt: skip
UDP = [("sport", ">u2"), ("dport", ">u2"), ("length", ">u2"), ("l4_sum", ">u2")]
ICMP = [("type", "u1"), ("code", "u1"), ("l4_sum", ">u2"), ("ident", ">u2"), ("number", ">u2")]
VXLAN = [("vxlan", ">u4"), ("vni", ">u4")]
ARP = [
    ("hardware", ">u2"), ("proto", ">u2"), ("sizes", ">u2"), ("op", ">u2"), ("sha", "u1", 6), ("spa", ">u4"),
    ("tha", "u1", 6), ("tpa", ">u4"), ("padding", "u1", 18),
]  # fmt: skip
BPDU = [("llc", "u1", 3), ("bpdu", "u1", 35), ("padding", "u1", 8)]
DHCP = [
    ("op", "u1"), ("htype", "u1"), ("hlen", "u1"), ("hops", "u1"), ("xid", ">u4"), ("secs", ">u2"), ("bits", ">u2"),
    ("ciaddr", ">u4"), ("yiaddr", ">u4"), ("siaddr", ">u4"), ("giaddr", ">u4"), ("chaddr", "u1", 16),
    ("names", "u1", 192), ("cookie", ">u4"), ("options", "u1", 60),
]  # fmt: skip

KINDS: dict[str, tuple[float, int, list[Any], list[int]]] = {
    # share, EtherType (or length), headers behind it, sizes of the payload to draw from
    "tcp data": (0.42, 0x0800, IPV4 + TCP, [1448, 1448, 1448, 1448, 512, 200, 90, 40]),
    "tcp ack": (0.22, 0x0800, IPV4 + TCP, [0]),
    "udp": (0.09, 0x0800, IPV4 + UDP, [33, 60, 120, 400, 1400]),
    "vxlan": (0.01, 0x0800, IPV4 + UDP + VXLAN, [120, 1400]),
    "icmp": (0.03, 0x0800, IPV4 + ICMP, [56, 56, 1472]),
    "arp": (0.03, 0x0806, ARP, [0]),
    "dhcp": (0.03, 0x0800, IPV4 + UDP + DHCP, [0]),
    "bpdu": (0.005, 38, BPDU, [0]),
    "tcp6": (0.09, 0x86DD, IPV6 + TCP, [0, 1428, 1428, 300]),
    "udp6": (0.03, 0x86DD, IPV6 + UDP, [40, 100, 300]),
    "icmp6": (0.015, 0x86DD, IPV6 + ICMP, [56]),
    "fragment": (0.03, 0x0800, IPV4, [1480, 600]),
}


class Wire:
    """Flows between machines, and the payload octets they carry."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = np.random.default_rng(seed)
        self.ends = np.stack(
            [rng.integers(0, 4096, FLOWS) + (10 << 24), rng.integers(0, 65536, FLOWS) + (10 << 24) + (1 << 20)]
        )
        self.ports = np.stack([rng.integers(32768, 60999, FLOWS), rng.choice(SERVICES, FLOWS)])
        self.tags = rng.choice([0, 1, 2, 3], FLOWS, p=[0.6, 0.33, 0.05, 0.02])  # 2: 802.1ad outside, 3: 802.1Q twice
        self.vids = rng.choice([20, 100, 101, 102, 103, 104, 200], (2, FLOWS))
        self.clock_ns = 1_400_000_000 * 10**9
        text = (
            b"GET /v2/servers/detail?limit=1000 HTTP/1.1\r\nHost: cloud.example.org\r\nAccept: application/json\r\n\r\n"
        )
        self.corpus = np.concatenate(
            [rng.integers(0, 256, 3 << 20, dtype=np.uint8), np.frombuffer(text * 20_000, np.uint8)[: 2 << 20]]
        )

    def batch(self) -> bytes:
        """The records of the next packets."""
        rng = self.rng
        shares = np.array([share for share, *_ in KINDS.values()])
        kind = rng.choice(len(KINDS), BATCH, p=shares / shares.sum())
        flow = (rng.integers(0, FLOWS, BATCH) * rng.random(BATCH) ** 2).astype(np.int64)  # few flows send most packets
        back = rng.integers(0, 2, BATCH)
        stamps = self.clock_ns + np.cumsum(rng.exponential(20e3, BATCH).astype(np.int64))
        self.clock_ns = int(stamps[-1])
        made: list[tuple[Array, int, Array, Array]] = []  # rows, tags, headers, payload sizes
        wire = np.zeros(BATCH, np.int64)
        for number, (name, (_, ethertype, layout, sizes)) in enumerate(KINDS.items()):
            for tags in (0, 1, 2):
                rows = np.flatnonzero((kind == number) & (np.minimum(self.tags[flow], 2) == tags))
                payload = rng.choice(sizes, len(rows))
                headers = self._headers(name, ethertype, layout, tags, flow[rows], back[rows], payload)
                wire[rows] = headers.itemsize + payload
                made.append((rows, tags, headers, payload))
        kept = wire.copy()
        cut = np.flatnonzero(rng.random(BATCH) < SNAPPED)
        kept[cut] = np.minimum(kept[cut], rng.choice([40, 64, 68, 96], len(cut)))
        starts = np.cumsum(kept + 16) - kept
        octets = np.resize(np.roll(self.corpus, int(rng.integers(1 << 20))), int(starts[-1] + kept[-1]) + 2048)
        for rows, _, headers, _ in made:
            self._write(octets, starts[rows], kept[rows], headers)
        records = np.zeros((BATCH, 4), "<u4")
        records[:, 0], records[:, 1] = stamps // 10**9, stamps % 10**9 // 1000
        records[:, 2], records[:, 3] = kept, wire
        octets[(starts - 16)[:, None] + np.arange(16)] = records.view(np.uint8).reshape(BATCH, 16)
        return octets[: int(starts[-1] + kept[-1])].tobytes()

    def _write(self, octets: Array, starts: Array, kept: Array, headers: Array) -> None:
        """Put headers where their packets start, as far as the file keeps them."""
        width = headers.itemsize
        raw = np.ascontiguousarray(headers).view(np.uint8).reshape(len(headers), width)
        for size in np.unique(np.minimum(kept, width)):
            same = np.minimum(kept, width) == size
            octets[starts[same][:, None] + np.arange(size)] = raw[same, :size]

    def _headers(
        self, name: str, ethertype: int, layout: list[Any], tags: int, flow: Array, back: Array, payload: Array
    ) -> Array:
        stack = [(f"tag{depth}", ">u4") for depth in range(tags)]
        n, rng = len(flow), self.rng
        h = np.zeros(n, ETHER + stack + [("ethertype", ">u2")] + layout)
        src, dst = self.ends[back, flow], self.ends[1 - back, flow]
        h["src"], h["dst"] = _mac(src), _mac(dst)
        for depth in range(tags):
            outer = np.where((self.tags[flow] == 2) & (depth == 0), 0x88A8, 0x8100)
            h[f"tag{depth}"] = outer << 16 | self.vids[depth, flow]
        h["ethertype"] = ethertype
        body = h.itemsize - 14 - 4 * tags + payload
        names = set(h.dtype.names or ())
        if "ttl" in names:
            h["ttl"] = rng.choice([64, 63, 62, 128, 255], n)
            h["protocol"] = {"t": 6, "i": 1}.get(name[0], 17)
        if "ip_src" in names:
            h["version"], h["total"], h["id"] = 0x45, body, rng.integers(0, 65536, n)
            h["ip_src"], h["ip_dst"] = src, dst
            h["fragment"] = np.where(payload == 1480, 0x2000, 185) if name == "fragment" else 0x4000
        if "net_src" in names:
            h["version"], h["total"] = 6 << 28, body - 40
            h["net_src"] = h["net_dst"] = 0x20010DB8_00010002
            h["host_src"], h["host_dst"] = (end.astype(np.uint64) | np.uint64(0xF8163EFF << 32) for end in (src, dst))
            h["protocol"] = np.where(h["protocol"] == 1, 58, h["protocol"])
        if "sport" in names:
            h["sport"], h["dport"] = self.ports[back, flow], self.ports[1 - back, flow]
        if "flags" in names:
            h["seq"], h["ack"] = rng.integers(0, 2**32, (2, n))
            h["flags"], h["window"] = np.where(payload > 0, 0x8018, 0x8010), 501
            h["stamps"][:, :4] = (1, 1, 8, 10)
        if "length" in names:
            h["length"] = payload + (8 if name != "dhcp" else 8 + np.dtype(DHCP).itemsize)
        if "ident" in names:
            request = {"icmp": 8, "icmp6": 128}[name]
            h["type"] = np.where(back == 0, request, 0 if name == "icmp" else 129)
            h["ident"], h["number"] = flow & 0xFFFF, rng.integers(0, 65536, n)
        match name:
            case "arp":
                h["hardware"], h["proto"], h["sizes"], h["op"] = 1, 0x0800, 0x0604, 1 + back
                h["sha"], h["spa"], h["tpa"] = h["src"], src, dst
                h["dst"] = 255
            case "bpdu":
                h["llc"], h["dst"] = (0x42, 0x42, 3), (1, 0x80, 0xC2, 0, 0, 0)
            case "dhcp":
                self._lease(h, back)
            case "vxlan":
                h["dport"], h["length"] = 4789, payload + 16
                h["vxlan"], h["vni"] = 0x08000000, self.vids[0, flow] << 8
        if "sum" in names:
            h["sum"] = _checksum(h)
        return h

    def _lease(self, h: Array, back: Array) -> None:
        """Requests broadcast by clients, acknowledgements of servers."""
        asks = back == 0
        h["sport"], h["dport"] = np.where(asks, 68, 67), np.where(asks, 67, 68)
        h["op"], h["htype"], h["hlen"], h["xid"] = np.where(asks, 1, 2), 1, 6, self.rng.integers(0, 2**32, len(h))
        h["yiaddr"] = np.where(asks, 0, h["ip_dst"])
        h["chaddr"][:, :6] = np.where(asks[:, None], h["src"], h["dst"])
        h["cookie"] = 0x63825363
        h["options"][:, :3] = np.stack([np.full(len(h), 53), np.ones(len(h)), np.where(asks, 3, 5)], 1)
        h["options"][:, 3:16] = (51, 4, 0, 0, 0, 120, 54, 4, 10, 0, 0, 1, 255)
        h["dst"][asks] = 255
        h["ip_src"][asks], h["ip_dst"][asks] = 0, 0xFFFFFFFF


def _mac(host: Array) -> Array:
    """Hardware addresses as nova makes them: fa:16:3e and three octets."""
    words = (0xFA163E << 24 | (host & 0xFFFFFF)).astype(">u8")
    return words.view(np.uint8).reshape(-1, 8)[:, 2:]


def _checksum(h: Array) -> Array:
    """RFC 1071, over the IPv4 headers, whose sums are still zero."""
    at = h.dtype.fields["version"][1]  # type: ignore[index]
    raw = h.view(np.uint8).reshape(len(h), h.itemsize)[:, at : at + 20].astype(np.uint32)
    total = (raw[:, 0::2] * 256 + raw[:, 1::2]).sum(1)
    for _ in range(2):
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def write(path: Path, mib: float, seed: int = 1) -> int:
    """Write a capture of about this size; gives the number of packets."""
    wire = Wire(seed)
    size, packets = 24, 0
    with path.open("wb") as file:
        file.write(np.array([0xA1B2C3D4, 4 << 16 | 2, 0, 0, 262_144, 1], "<u4").tobytes())
        while size < mib * 2**20:
            octets = wire.batch()
            file.write(octets)
            size, packets = size + len(octets), packets + BATCH
    return packets


if __name__ == "__main__":
    target, mib, *rest = sys.argv[1:]
    print(write(Path(target), float(mib), int(rest[0]) if rest else 1), "packets")
