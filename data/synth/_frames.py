"""Frames and capture files, octet by octet: Ethernet with its tags, ARP, IPv4, ICMP, TCP, UDP, VXLAN, BPDUs."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

EVERYBODY = "ff:ff:ff:ff:ff:ff"
STP_GROUP, PVST_GROUP = "01:80:c2:00:00:00", "01:00:0c:cc:cc:cd"
ICMP, TCP, UDP = 1, 6, 17
ECHO_REPLY, UNREACHABLE, ECHO = 0, 3, 8
FIN, SYN, PSH, ACK = 1, 2, 8, 16
Tag = tuple[int, int]
"""TPID and VLAN id."""


class Seen(NamedTuple):
    """A frame as one capture has it: nanoseconds of the capture's clock, octets, and the interface's number."""

    at: int
    octets: bytes
    interface: int = 0


class Packet(NamedTuple):
    """An IPv4 packet before it is put on a wire."""

    src: str
    dst: str
    protocol: int
    payload: bytes
    ip_id: int = 0
    df: bool = False
    ttl: int = 64

    @property
    def size(self) -> int:
        """IP total length."""
        return 20 + len(self.payload)

    def octets(self) -> bytes:
        """Header and payload."""
        head = struct.pack(
            ">BBHHHBBH4s4s", 0x45, 0, self.size & 0xFFFF, self.ip_id, 0x4000 if self.df else 0, self.ttl,
            self.protocol, 0, socket.inet_aton(self.src), socket.inet_aton(self.dst),
        )  # fmt: skip
        return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + self.payload


def mac_octets(mac: str) -> bytes:
    """Six octets."""
    return bytes.fromhex(mac.replace(":", ""))


def checksum(data: bytes) -> int:
    """The Internet's checksum: 2 to the 16th is 1 modulo 65535, so the whole text is one number."""
    total = int.from_bytes(data + b"\0" * (len(data) % 2), "big")
    return 0xFFFF - (total % 0xFFFF or (0xFFFF if total else 0))


def ethernet(src: str, dst: str, ethertype: int, payload: bytes, tags: Sequence[Tag] = ()) -> bytes:
    """A frame with its tags, outermost first, filled up to 60 octets as cards do."""
    stack = b"".join(struct.pack(">HH", tpid, vid) for tpid, vid in tags)
    frame = mac_octets(dst) + mac_octets(src) + stack + struct.pack(">H", ethertype) + payload
    return frame + bytes(max(0, 60 - len(frame)))


def untagged(frame: bytes, count: int) -> bytes:
    """A frame without its outermost tags, as a device on top of them shows it."""
    return frame[:12] + frame[12 + 4 * count :] if count else frame


def pattern(size: int) -> bytes:
    """Octets that count up, as ping fills its packets."""
    return (bytes(range(256)) * (size // 256 + 1))[:size]


def echo(kind: int, ident: int, seq: int, size: int) -> bytes:
    """An echo request or reply of an IP total length."""
    rest = struct.pack(">HH", ident, seq) + pattern(size - 28)
    return struct.pack(">BBH", kind, 0, checksum(struct.pack(">BB", kind, 0) + rest)) + rest


def too_big(lost: Packet, mtu: int) -> bytes:
    """ICMP "fragmentation needed" about a packet: its header and 8 octets behind it."""
    rest = struct.pack(">HH", 0, mtu) + lost.octets()[:28]
    return struct.pack(">BBH", UNREACHABLE, 4, checksum(struct.pack(">BBH", UNREACHABLE, 4, 0) + rest)) + rest


def no_port(heard: Packet) -> bytes:
    """ICMP "port unreachable" about a packet: as Linux quotes it, up to 548 octets."""
    rest = struct.pack(">I", 0) + heard.octets()[:548]
    return struct.pack(">BBH", UNREACHABLE, 3, checksum(struct.pack(">BBH", UNREACHABLE, 3, 0) + rest)) + rest


def tcp(
    src: str, dst: str, ports: tuple[int, int], seq: int, ack: int, flags: int, data: bytes = b"", mss: int = 0
) -> bytes:
    """A TCP segment; with `mss` its option is there, otherwise timestamps are, 12 octets as Linux has them."""
    options = struct.pack(">BBH", 2, 4, mss) if mss else struct.pack(">BBBBII", 1, 1, 8, 10, seq & 0xFFFFFFFF, 1)
    offset = (20 + len(options)) // 4 << 12
    head = struct.pack(">HHIIHHHH", *ports, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, offset | flags, 501, 0, 0) + options
    length = struct.pack(">HH", TCP, (len(head) + len(data)) & 0xFFFF)
    total = checksum(socket.inet_aton(src) + socket.inet_aton(dst) + length + head + data)
    return head[:16] + struct.pack(">H", total) + head[18:] + data


def udp(ports: tuple[int, int], data: bytes) -> bytes:
    """A UDP datagram without checksum, as IPv4 allows."""
    return struct.pack(">HHHH", *ports, 8 + len(data), 0) + data


def arp(op: int, sender: tuple[str, str], target: tuple[str, str]) -> bytes:
    """ARP; sender and target are a MAC and an address."""
    told = b"".join(mac_octets(mac) + socket.inet_aton(ip) for mac, ip in (sender, target))
    return struct.pack(">HHBBH", 1, 0x0800, 6, 4, op) + told


def vxlan(inner: bytes, vni: int, src: str, dst: str, port: int, ip_id: int) -> Packet:
    """A frame in a tunnel."""
    return Packet(src, dst, UDP, udp((port, 4789), struct.pack(">II", 0x08000000, vni << 8) + inner), ip_id)


def bpdu(
    sender: str, root: tuple[int, str], bridge: tuple[int, str], port: int, *, rapid: bool, cost: int = 0
) -> bytes:
    """A whole frame with a configuration BPDU of 802.1D, or 802.1w's: who is root, and who says so."""
    ids = b"".join(struct.pack(">H", priority) + mac_octets(mac) for priority, mac in (root, bridge))
    body = struct.pack(">HBBB", 0, 2 if rapid else 0, 2 if rapid else 0, 0x3C if rapid else 0)
    body += ids[:8] + struct.pack(">I", cost) + ids[8:]
    body += struct.pack(">HHHHH", port, 256 * min(cost, 1), 20 * 256, 2 * 256, 15 * 256) + (b"\0" if rapid else b"")
    return ethernet(sender, STP_GROUP, 3 + len(body), b"\x42\x42\x03" + body)


def pcap(packets: Iterable[Seen], *, nano: bool = False, snap_bytes: int = 65535, big_endian: bool = False) -> bytes:
    """A classic capture file, its packets cut to `snap_bytes`."""
    order, unit = ">" if big_endian else "<", 1 if nano else 1000
    head = order + "IIII"
    parts = [struct.pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, snap_bytes, 1)]
    for at, octets, _ in packets:
        kept = octets[:snap_bytes]
        parts += (struct.pack(head, at // 10**9, at % 10**9 // unit, len(kept), len(octets)), kept)
    return b"".join(parts)


def pcapng(packets: Iterable[Seen], interfaces: Sequence[str], *, nano: bool = False, snap_bytes: int = 65535) -> bytes:
    """A pcapng file with an interface block for each name."""
    parts = [_block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))]
    for name in interfaces:
        options = _option(2, name.encode()) + (_option(9, b"\x09") if nano else b"") + bytes(4)
        parts.append(_block(1, struct.pack("<HHI", 1, 0, snap_bytes) + options))
    for at, octets, interface in packets:
        units, kept = at if nano else at // 1000, octets[:snap_bytes]
        stamp = struct.pack("<IIIII", interface, units >> 32, units & 0xFFFFFFFF, len(kept), len(octets))
        parts.append(_block(6, stamp + kept))
    return b"".join(parts)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def _block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length
