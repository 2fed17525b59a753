"""Truth and damage: capture files whose records are known, and ways to spoil them whose extent is known."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass

from tests._captures import Pcapng, pcap

SECOND = 10**9
KINDS = (
    "flip",
    "burst",
    "zero",
    "insert",
    "delete",
    "duplicate",
    "cut",
    "length 0",
    "length 1",
    "length 2^31-1",
    "length 2^32-1",
)
SHAPES = (
    "us", "ns", "us-be", "ns-be", "pcapng", "pcapng-be", "us-snap", "us-vlan", "us-qinq", "us-nested", "pcapng-nested",
    "ns-nested-be",
)  # fmt: skip


@dataclass(frozen=True)
class Truth:
    """A capture file, and where its packet records lie."""

    octets: bytes
    records: list[tuple[int, int]]
    """Offset and length of each packet's whole record."""
    lengths: list[tuple[int, int]]
    """Offset and size of each stated captured length, by record."""
    big_endian: bool


def frame(rng: random.Random, tags: int, payload: bytes) -> bytes:
    """An Ethernet frame with an IPv4 UDP packet."""
    octets = bytes.fromhex("fa163e24e722") + rng.randbytes(6)
    for tag in range(tags):
        octets += struct.pack(">HH", 0x88A8 if tag == 0 and tags > 1 else 0x8100, 100 + tag)
    udp = struct.pack(">HHHH", rng.randrange(1024, 65536), 53, 8 + len(payload), 0) + payload
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), rng.randrange(65536), 0, 64, 17, 0) + rng.randbytes(8)
    return (octets + b"\x08\x00" + ip + udp).ljust(60, b"\0")


def payload(rng: random.Random) -> bytes:
    """Random octets, text or zeros: what packets carry."""
    size = rng.choice((0, 4, 20, 60, 200, 400, 1200))
    return rng.choice((rng.randbytes(size), b"GET / HTTP/1.1\r\n" * (size // 16), bytes(size)))


def packets(rng: random.Random, count: int, tags: int, start_s: int, nested: str = "") -> list[tuple[int, bytes]]:
    """Packets in the order of time; with ``nested``, some carry a capture file of that shape, or its head."""
    ns, found = start_s * SECOND, []
    for _ in range(count):
        ns += rng.randrange(1, 2 * SECOND) // 1000 * 1000
        body = payload(rng)
        if nested and rng.random() < 0.3:
            # what is carried was captured before it is sent: seven packets, two seconds apart at most
            inner = packets(rng, rng.randrange(2, 8), 0, ns // SECOND - 14 - rng.choice((0, 3600, 86_400)))
            body = whole(inner, nested).octets[:1400] if rng.random() < 0.3 else whole(inner, nested).octets
        found.append((ns, frame(rng, tags, body)))
    return found


def whole(found: list[tuple[int, bytes]], shape: str, snap_bytes: int = 65_535) -> Truth:
    """The packets as a file of a shape."""
    big = shape.endswith("-be")
    records, lengths = [], []
    if shape.startswith("pcapng"):
        file = Pcapng(big_endian=big).section().interface(1, snap_bytes, [(2, b"eth0")])
        place = len(file.octets)
        for number, (ns, data) in enumerate(found):
            kept = data[:snap_bytes]
            file.packet(ns // 1000, kept, len(data), options=[(1, b"note")] if number % 7 == 3 else [])
            size = len(file.parts[-1])
            records.append((place, size))
            lengths.append((place + 20, 4))
            place += size
        return Truth(file.octets, records, lengths, big)
    digits = 9 if shape.startswith("ns") else 6
    octets = pcap(
        [(ns, d[:snap_bytes], len(d)) for ns, d in found], big_endian=big, digits=digits, snap_bytes=snap_bytes
    )
    place = 24
    for _, data in found:
        size = 16 + len(data[:snap_bytes])
        records.append((place, size))
        lengths.append((place + 8, 4))
        place += size
    return Truth(octets, records, lengths, big)


def truth(shape: str, seed: int, count: int = 40) -> Truth:
    """A file of a shape, always the same for a seed."""
    rng = random.Random(f"{shape} {seed}")
    tags = {"us-vlan": 1, "us-qinq": 2}.get(shape, 0)
    nested = shape.replace("-nested", "") if "nested" in shape else ""
    found = packets(rng, count, tags, 1_346_000_000 + seed * 86_400, nested)
    return whole(found, shape.replace("-nested", ""), 96 if shape == "us-snap" else 65_535)


@dataclass(frozen=True)
class Damage:
    """A spoilt file. Records are undamaged unless they overlap ``[low, high)`` or hold ``low`` inside."""

    octets: bytes
    low: int
    high: int
    shift: int
    """What is added to the offset of records from ``high`` on."""

    def survivors(self, records: list[tuple[int, int]]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Undamaged records before the damage, and behind it at their new places."""
        before = [(o, n) for o, n in records if o + n <= self.low]
        behind = [(o + self.shift, n) for o, n in records if o >= self.high and o + n > self.low]
        return before, [(o, n) for o, n in behind if o + n <= len(self.octets)]


def mutate(file: Truth, kind: str, seed: int) -> Damage:
    """Spoil one place of a file."""
    rng = random.Random(f"{kind} {seed}")
    data = bytearray(file.octets)
    at = rng.randrange(len(data))
    if kind == "flip":
        data[at] ^= 1 << rng.randrange(8)
        return Damage(bytes(data), at, at + 1, 0)
    if kind in ("burst", "zero"):
        size = min(rng.choice((2, 8, 33, 100, 400)), len(data) - at)
        data[at : at + size] = rng.randbytes(size) if kind == "burst" else bytes(size)
        return Damage(bytes(data), at, at + size, 0)
    if kind == "insert":
        size = rng.choice((1, 3, 4, 16, 77, 500))
        return Damage(bytes(data[:at]) + rng.randbytes(size) + bytes(data[at:]), at, at, size)
    if kind == "delete":
        size = min(rng.choice((1, 3, 4, 16, 77, 500)), len(data) - at)
        return Damage(bytes(data[:at] + data[at + size :]), at, at + size, -size)
    if kind == "duplicate":
        size = min(rng.choice((1, 16, 100, 1000)), len(data) - at)
        return Damage(bytes(data[: at + size] + data[at : at + size] + data[at + size :]), at + size, at + size, size)
    if kind == "cut":
        return Damage(bytes(data[:at]), at, len(data), 0)
    value = {"length 0": 0, "length 1": 1, "length 2^31-1": 2**31 - 1, "length 2^32-1": 2**32 - 1}[kind]
    place, size = rng.choice(file.lengths)
    data[place : place + size] = struct.pack((">" if file.big_endian else "<") + "I", value)
    return Damage(bytes(data), place, place + size, 0)
