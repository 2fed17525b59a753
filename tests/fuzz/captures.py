"""Captures: containers, headers of packets, and the leaf protocols on packets that are their own."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence

from forensics.loaders._registry import readers
from tests._captures import Pcapng, pcap
from tests.fuzz import Target
from tests.fuzz._promises import read as promised
from tests.loaders.captures import _damage, _packets, _reading, test_amqp, test_bpdu, test_dhcp, test_lldp

NS = 1_346_123_456_789_012_000
READERS = {reader.name: reader for reader in readers() if reader.name in ("pcap", "pcapng")}


def container(name: str) -> Callable[[bytes], None]:
    """The reader of the case, and the container once more in chunks of any size: the same packets."""

    def one(data: bytes) -> None:
        promised(READERS[name], data, "cc12/x.pcap")
        if data[:2] == b"\x1f\x8b":
            return
        whole = _reading.read(data)
        whole.accounts_for(len(data))
        chunk = 64 + hashlib.sha256(data).digest()[0] * 7
        parts = _reading.read(data, chunk)
        parts.accounts_for(len(data))
        assert _told(parts) == _told(whole), f"chunks of {chunk} octets"

    return one


def _told(found: _reading.Read) -> list[tuple[object, ...]]:
    return [(row.offset, row.length, row.ts, row.wire, row.data, row.after_gap) for row in found.rows]


def classic() -> list[bytes]:
    shapes = [shape for shape in _damage.SHAPES if not shape.startswith("pcapng")]
    seeds = [_damage.truth(shape, seed, 4).octets for shape in shapes for seed in range(3)]
    frames = _packets.samples()
    for link_type in sorted({kind for kind, _ in frames.values()}):
        listed = [(NS + n * 10**6, octets) for n, (kind, octets) in enumerate(frames.values()) if kind == link_type]
        seeds.append(pcap(listed, link_type=link_type))
    small = [(NS + n * 10**9, bytes((n,)) * 60) for n in range(6)]
    seeds += [pcap(small, magic=magic) for magic in (0x1C0001AC, 0x1C0001AB)] + [pcap(small, record_bytes=24)]
    return [*seeds, pcap(small, version=(2, 2)), pcap(small, version=(2, 3)), pcap(small, version=(1, 0)), pcap([])]


def blocks() -> list[bytes]:
    shapes = [shape for shape in _damage.SHAPES if shape.startswith("pcapng")]
    seeds = [_damage.truth(shape, seed, 4).octets for shape in shapes for seed in range(3)]
    for big in (False, True):
        for resolution in (3, 6, 9, 10, 127, 128 + 10, 255):
            named = [(2, b"eth0"), (9, bytes((resolution,)))]
            file = Pcapng(big_endian=big).section([(3, b"Linux")]).interface(1, 96, named)
            file.packet(NS // 1000, b"\1" * 60, 1500, options=[(1, b"note"), (2, b"\0\0\0\1")]).simple_packet(
                b"\2" * 61
            )
            file.obsolete_packet(NS // 1000, b"\3" * 62, drops=3).statistics(NS // 1000, options=[(5, bytes(8))])
            file.block(4, b"\0\1\0\x09\x0a\0\0\1host\0\0\0\0").custom(32473, b"data").section(big_endian=not big)
            seeds.append(file.interface(113, 0, [(14, b"\1" * 8)]).packet(5, b"\4" * 30).octets)
    return seeds


def containers(name: str) -> Callable[[Sequence[bytes]], None]:
    """The container of each, and the reader of the case for some: its decoders have targets of their own."""

    def many(inputs: Sequence[bytes]) -> None:
        for n, data in enumerate(inputs):
            if n % 20 == 0:
                container(name)(data)
            elif data[:2] != b"\x1f\x8b":
                _reading.read(data).accounts_for(len(data))

    return many


def packets(*inputs: bytes) -> None:
    """Octets as packets: two for the link type, one for the length of each packet."""
    listed: dict[int, list[tuple[int, bytes, int]]] = {}
    for data in inputs:
        link_type = (1, 101, 113, 276, 228, 229, 0, 12, 105, 127)[data[0] % 10] if data else 1
        own, at = listed.setdefault(link_type, []), 1
        while at < len(data) and at < 5000:
            size = data[at] * 2
            own.append((NS + len(own) * 10**6, data[at + 1 : at + 1 + size], size + data[at] % 3))
            at += 1 + size
    for link_type, own in listed.items():
        counts = promised(READERS["pcap"], pcap(own, link_type=link_type), "cc12/x.pcap")
        assert sum(counts.values()) >= len(own)


def packet_seeds() -> list[bytes]:
    kinds = {1: 0, 101: 1, 113: 2, 276: 3, 228: 4, 229: 5, 0: 6, 12: 7}
    return [
        bytes((kinds.get(link_type, 0),)) + bytes((min((len(octets) + 1) // 2, 255),)) + octets
        for link_type, octets in _packets.samples().values()
    ]


def leaf(frames: Callable[[bytes], list[bytes]]) -> Callable[..., None]:
    """Octets as messages of a leaf protocol, in frames that are its own."""

    def one(*inputs: bytes) -> None:
        told = [octets for data in inputs for octets in frames(data)]
        listed = [(NS + n * 10**6, octets, len(octets)) for n, octets in enumerate(told)]
        promised(READERS["pcap"], pcap(listed), "cc12/x.pcap")

    return one


def dhcp(data: bytes) -> list[bytes]:
    return [test_dhcp.frame(data[:1400]), test_dhcp.frame(test_dhcp.bootp(data[:1000]), (67, 68))]


def bpdu(data: bytes) -> list[bytes]:
    return [test_bpdu.frame(test_bpdu.STP, test_bpdu.LLC + data[:1400]), test_bpdu.frame(test_bpdu.PVST, data[:1400])]


def lldp(data: bytes) -> list[bytes]:
    return [test_lldp.HEADER + data[:1400]]


def amqp(data: bytes) -> list[bytes]:
    """A stream of a broker in segments, some of them lost, late or twice: the first four octets say which."""
    rng = random.Random(data[:4])
    told = test_amqp.segments(test_amqp.PREAMBLE * (len(data) % 2) + data[4:], rng.choice((7, 100, 1448)))[:300]
    if rng.random() < 0.5:
        told = [segment for segment in told for _ in range(rng.choice((0, 1, 1, 1, 1, 2)))]
    if rng.random() < 0.3:
        rng.shuffle(told)
    return told


def dhcp_seeds() -> list[bytes]:
    option = test_dhcp.option
    rest = [
        test_dhcp.REQUEST, option(53, b"\5") + option(54, bytes(4)) + option(51, b"\0\0\0\x78") + option(12, b"vm"),
        option(55, bytes(range(1, 30))) + option(61, b"\1" + test_dhcp.CHADDR) + option(82, b"\1\4abcd\2\2ef"),
        option(52, b"\3") + option(12, b"a" * 200) + option(12, b"b" * 100) + option(81, b"\0\0\0vm.example"),
        option(121, b"\x18\x0a\0\0\x0a\0\0\1") + option(66, b"tftp") + option(67, b"boot") + option(56, b"refused"),
    ]  # fmt: skip
    ended = [one + test_dhcp.END for one in rest]
    return [*ended, *(test_dhcp.bootp(one, op=2, file=one[:100], sname=one[:60]) for one in ended)]


def amqp_seeds() -> list[bytes]:
    bodies = [b"{}", b"x" * 5000, b"", b'{"_msg_id": "' + b"ab" * 16 + b'", "method": "get_console_output"}']
    each = [test_amqp.publish("nova", f"compute.cc{n}", body) for n, body in enumerate(bodies)]
    each += [test_amqp.deliver("reply_1", b"a" * 50), test_amqp.HEARTBEAT * 3]
    return [n.to_bytes(4, "big") + one for n, one in enumerate([*each, b"".join(each), b"".join(each[::-1])])]


def _messages(name: str, frames: Callable[[bytes], list[bytes]], seeds: Callable[[], list[bytes]]) -> Target:
    return Target(name, leaf(frames), seeds, lambda inputs: leaf(frames)(*inputs))


TARGETS = (
    Target("pcap", container("pcap"), classic, containers("pcap")),
    Target("pcapng", container("pcapng"), blocks, containers("pcapng")),
    Target("packet_headers", packets, packet_seeds, lambda inputs: packets(*inputs)),
    _messages("dhcp", dhcp, dhcp_seeds),
    _messages("bpdu", bpdu, lambda: [octets[14:] for octets in test_bpdu.FRAMES.values()]),
    _messages("lldp", lldp, lambda: [test_lldp.ANNOUNCED]),
    _messages("amqp", amqp, amqp_seeds),
)
