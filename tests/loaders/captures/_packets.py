"""Packets for tests, header by header, as the RFCs draw them."""

from __future__ import annotations

import ipaddress
import struct

A, B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def ip(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def ethernet(
    ethertype: int, payload: bytes, *, src: str = A, dst: str = B, tags: tuple[tuple[int, int], ...] = ()
) -> bytes:
    """``tags`` are pairs of tag type and tag control information, outermost first."""
    stack = b"".join(struct.pack("!HH", tpid, tci) for tpid, tci in tags)
    return mac(dst) + mac(src) + stack + struct.pack("!H", ethertype) + payload


def llc(payload: bytes, **rest: str) -> bytes:
    """An 802.3 frame: its type is the length of what follows."""
    return ethernet(len(payload), payload, **rest)  # type: ignore[arg-type]


def snap(organisation: int, protocol: int, payload: bytes) -> bytes:
    return llc(b"\xaa\xaa\x03" + organisation.to_bytes(3, "big") + protocol.to_bytes(2, "big") + payload)


def mpls(labels: tuple[int, ...], payload: bytes) -> bytes:
    last = len(labels) - 1
    return b"".join(struct.pack("!I", v << 12 | (place == last) << 8 | 64) for place, v in enumerate(labels)) + payload


def arp(op: int, sender: tuple[str, str], target: tuple[str, str]) -> bytes:
    body = mac(sender[0]) + ip(sender[1]) + mac(target[0]) + ip(target[1])
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, op) + body


def ipv4(
    protocol: int,
    payload: bytes,
    *,
    src: str = "10.0.0.1",
    dst: str = "10.0.0.2",
    ident: int = 0x1234,
    flags: int = 0x4000,
    ttl: int = 64,
    options: bytes = b"",
    total: int | None = None,
) -> bytes:
    """``flags`` holds DF (0x4000), MF (0x2000) and the offset in units of eight octets."""
    size = 20 + len(options)
    length = size + len(payload) if total is None else total
    head = struct.pack("!BBHHHBBH", 0x40 | size // 4, 0, length, ident, flags, ttl, protocol, 0)
    return _summed(head + ip(src) + ip(dst) + options, 10) + payload


def ipv6(
    following: int, payload: bytes, *, src: str = "2001:db8::1", dst: str = "2001:db8::2", length: int | None = None
) -> bytes:
    length = len(payload) if length is None else length
    return struct.pack("!IHBB", 6 << 28, length, following, 63) + ip(src) + ip(dst) + payload


def extension(following: int, payload: bytes, body: bytes = b"\x01\x04\0\0\0\0") -> bytes:
    """An extension header; its body makes a multiple of eight with the first two octets."""
    return struct.pack("!BB", following, (len(body) + 2) // 8 - 1) + body + payload


def fragment(following: int, payload: bytes, *, offset: int = 0, more: bool = False, ident: int = 0xCAFE0001) -> bytes:
    return struct.pack("!BBHI", following, 0, offset | more, ident) + payload


def udp(src: int, dst: int, payload: bytes = b"payload", *, length: int | None = None) -> bytes:
    return struct.pack("!HHHH", src, dst, 8 + len(payload) if length is None else length, 0) + payload


def tcp(
    src: int,
    dst: int,
    payload: bytes = b"",
    *,
    flags: int = 0x018,
    seq: int = 0x89ABCDEF,
    ack: int = 0x76543210,
    window: int = 501,
    options: bytes = b"",
) -> bytes:
    words = (20 + len(options)) // 4
    return struct.pack("!HHIIHHHH", src, dst, seq, ack, words << 12 | flags, window, 0, 0) + options + payload


def icmp(kind: int, code: int, rest: bytes, payload: bytes = b"") -> bytes:
    return _summed(struct.pack("!BBH", kind, code, 0) + rest + payload, 2)


def echo(kind: int = 8, ident: int = 7, seq: int = 3, payload: bytes = b"abcdefgh") -> bytes:
    return icmp(kind, 0, struct.pack("!HH", ident, seq), payload)


def vxlan(vni: int, frame: bytes, *, flags: int = 0x08) -> bytes:
    return struct.pack("!BBHI", flags, 0, 0, vni << 8) + frame


def geneve(vni: int, payload: bytes, *, protocol: int = 0x6558, options: bytes = b"") -> bytes:
    return struct.pack("!BBHI", len(options) // 4, 0, protocol, vni << 8) + options + payload


def gre(
    protocol: int, payload: bytes, *, key: int | None = None, sequence: int | None = None, summed: bool = False
) -> bytes:
    flags = summed << 15 | (key is not None) << 13 | (sequence is not None) << 12
    fields = [0] * summed + [value for value in (key, sequence) if value is not None]
    return struct.pack("!HH", flags, protocol) + struct.pack(f"!{len(fields)}I", *fields) + payload


def cooked(ethertype: int, payload: bytes, *, src: str = A, kind: int = 4) -> bytes:
    return struct.pack("!HHH", kind, 1, 6) + mac(src) + bytes(2) + struct.pack("!H", ethertype) + payload


def cooked2(ethertype: int, payload: bytes, *, src: str = A) -> bytes:
    return struct.pack("!HHIHBB", ethertype, 0, 3, 1, 4, 6) + mac(src) + bytes(2) + payload


def _summed(octets: bytes, at: int) -> bytes:
    total = sum(struct.unpack(f"!{(len(octets) + 1) // 2}H", octets + bytes(len(octets) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return octets[:at] + struct.pack("!H", ~total & 0xFFFF) + octets[at + 2 :]


def samples() -> dict[str, tuple[int, bytes]]:
    """A packet of every kind that has columns: link type and octets."""
    inner = ethernet(
        0x0800, ipv4(6, tcp(1000, 22, b"inner"), src="192.168.0.1", dst="192.168.0.2"), src="02:00:00:00:00:01"
    )
    syn = tcp(1, 2, b"", flags=0x002, options=b"\x01\x03\x03\x07\x04\x02\x02\x04\x05\xb4\x00\x00")
    quoted = ipv4(17, udp(5000, 53, b"x" * 40), src="10.9.9.9", dst="10.8.8.8", ident=77)
    answered = arp(2, (A, "10.0.0.1"), (B, "10.0.0.2"))
    quoted6 = ipv6(0, extension(44, fragment(6, tcp(7000, 443), more=True)), src="2001:db8::9")
    six = {
        "hop by hop": ipv6(0, extension(60, extension(43, extension(17, udp(9, 10)), b"\0" * 14))),
        "authenticated": ipv6(51, struct.pack("!BBHII", 6, 4, 0, 1, 2) + b"i" * 12 + tcp(11, 12, b"z")),
        "first fragment": ipv6(44, fragment(17, udp(13, 14, b"f" * 64, length=2000), more=True)),
        "later fragment": ipv6(44, fragment(17, b"f" * 64, offset=1232)),
        "later fragment of options": ipv6(44, fragment(60, b"f" * 64, offset=1232)),
        "mobile": ipv6(135, extension(59, b"", b"\0" * 14)),
        "echo": ipv6(58, echo(128, 99, 100)),
        "too big": ipv6(58, icmp(2, 0, struct.pack("!I", 1280), quoted6)),
        "neighbour": ipv6(58, icmp(135, 0, bytes(4), ip("fe80::1"))),
        "mapped": ipv6(6, tcp(5, 6), src="::ffff:10.0.0.1", dst="::1:2"),
    }
    four = {
        "tcp": ipv4(6, tcp(1234, 80, b"GET / HTTP/1.1")),
        "syn": ipv4(6, syn),
        "udp": ipv4(17, udp(68, 67)),
        "sctp": ipv4(132, struct.pack("!HHII", 2905, 2906, 1, 2) + b"chunk"),
        "options": ipv4(17, udp(1, 2), options=b"\x94\x04\0\0"),
        "first fragment": ipv4(17, udp(53, 54, b"y" * 72, length=3000), flags=0x2000),
        "later fragment": ipv4(17, b"z" * 80, flags=0x2000 | 185),
        "echo": ipv4(1, echo()),
        "timestamp": ipv4(1, icmp(13, 0, struct.pack("!HH", 1, 2), bytes(12))),
        "needed": ipv4(1, icmp(3, 4, struct.pack("!HH", 0, 1400), quoted)),
        "exceeded": ipv4(1, icmp(11, 0, bytes(4), quoted[:28])),
        "offloaded": ipv4(6, tcp(1, 2, b"segments" * 20), total=0),
        "ospf": ipv4(89, b"\x02\x01" + bytes(42)),
        "vxlan": ipv4(17, udp(40000, 4789, vxlan(70001, inner))),
        "vxlan of linux": ipv4(17, udp(40000, 8472, vxlan(5, ethernet(0x0806, answered)))),
        "no vxlan": ipv4(17, udp(40000, 4789, vxlan(5, inner, flags=0))),
        "geneve": ipv4(17, udp(40000, 6081, geneve(0xABCDEF, inner, options=bytes(12)))),
        "geneve of ip": ipv4(17, udp(40000, 6081, geneve(1, ipv6(17, udp(3, 4)), protocol=0x86DD))),
        "gre": ipv4(47, gre(0x0800, ipv4(1, icmp(3, 4, struct.pack("!HH", 0, 1300), quoted)))),
        "gre with key": ipv4(47, gre(0x6558, inner, key=0xDEADBEEF, sequence=1, summed=True)),
        "gre of ipv6": ipv4(47, gre(0x86DD, ipv6(6, tcp(1, 2)), sequence=9)),
        "erspan": ipv4(47, gre(0x88BE, b"\x10" + bytes(7) + inner, sequence=1)),
        "erspan i": ipv4(47, gre(0x88BE, inner)),
        "erspan iii": ipv4(47, gre(0x22EB, b"\x20" + bytes(11) + inner, sequence=1)),
        "erspan iii with subheader": ipv4(47, gre(0x22EB, b"\x20" + bytes(10) + b"\x01" + bytes(8) + inner)),
        "tagged inside": ipv4(
            17, udp(1, 4789, vxlan(9, ethernet(0x0800, ipv4(17, udp(5, 6)), tags=((0x88A8, 0x6064), (0x8100, 7)))))
        ),
    }  # fmt: skip
    found = {f"ipv4 {name}": (1, ethernet(0x0800, packet)) for name, packet in four.items()}
    found |= {f"ipv6 {name}": (1, ethernet(0x86DD, packet)) for name, packet in six.items()}
    datagram = ipv4(17, udp(68, 67))
    asked = arp(1, (A, "10.0.0.1"), ("00:00:00:00:00:00", "10.0.0.2"))
    found |= {
        "arp": (1, ethernet(0x0806, asked, dst="ff:ff:ff:ff:ff:ff") + bytes(18)),
        "arp of others": (1, ethernet(0x0806, struct.pack("!HHBBH", 6, 0x809B, 6, 3, 1) + bytes(18))),
        "one tag": (1, ethernet(0x0800, datagram, tags=((0x8100, 0xA064),))),
        "provider tag": (1, ethernet(0x0800, datagram, tags=((0x88A8, 20), (0x8100, 100)))),
        "many tags": (
            1,
            ethernet(0x0806, asked, tags=tuple((t, 100 + t % 7) for t in (0x9100, 0x9200, 0x9300, 0x8100, 0x8100))),
        ),
        "bpdu": (1, llc(b"\x42\x42\x03" + bytes(35), dst="01:80:c2:00:00:00") + bytes(8)),
        "tagged bpdu": (1, ethernet(0x8100, struct.pack("!HH", 100, 38) + b"\x42\x42\x03" + bytes(35))),
        "snap": (1, snap(0, 0x0800, datagram)),
        "pvst": (1, snap(0x00000C, 0x010B, bytes(35))),
        "labels": (1, ethernet(0x8847, mpls((16, 100_000), datagram))),
        "labels of ipv6": (1, ethernet(0x8848, mpls((3,), ipv6(17, udp(1, 2))))),
        "pseudowire": (1, ethernet(0x8847, mpls((16,), bytes(4) + inner))),
        "lldp": (1, ethernet(0x88CC, b"\x02\x07\x04" + bytes(20))),
        "cooked": (113, cooked(0x0800, datagram)),
        "cooked tagged": (113, cooked(0x8100, struct.pack("!HH", 0x2014, 0x0806) + asked)),
        "cooked bpdu": (113, cooked(0x0004, b"\x42\x42\x03" + bytes(35))),
        "cooked2": (276, cooked2(0x86DD, ipv6(17, udp(546, 547)))),
        "cooked2 tagged": (276, cooked2(0x8100, struct.pack("!HH", 5, 0x0800) + datagram)),
        "raw": (101, datagram),
        "raw of bsd": (12, ipv6(17, udp(1, 2))),
        "raw of openbsd": (14, datagram),
        "raw ipv4": (228, datagram),
        "raw ipv6": (229, ipv6(17, udp(1, 2))),
        "null": (0, struct.pack("<I", 2) + datagram),
        "null swapped": (0, struct.pack(">I", 30) + ipv6(17, udp(1, 2))),
        "null of others": (0, struct.pack("<I", 7) + datagram),
        "loop": (108, struct.pack(">I", 24) + ipv6(17, udp(1, 2))),
        "usb": (220, bytes(64)),
        "no octets": (1, b""),
        "one octet": (1, b"\x01"),
    }
    return found
