"""Damage stays local: what lies before and behind it is read, and what is invented is flagged."""

from __future__ import annotations

import random
import struct
from collections import Counter

from tests._captures import Pcapng, pcap
from tests._slow import SLOW
from tests.loaders.captures._damage import KINDS, SHAPES, mutate, truth
from tests.loaders.captures._reading import Read, read

SEEDS, FILES = (760, 100_320) if SLOW else (50, 4_000)  # so many that ten phantom rows in a million are more than one
NS = 1_346_000_000 * 10**9


def test_thousands_of_damaged_files() -> None:
    """Figures of promise P3, counted over all files: see the assertions."""
    counts: Counter[str] = Counter()
    cases = [(shape, kind, seed) for seed in range(SEEDS) for shape in SHAPES for kind in KINDS]
    for shape, kind, seed in random.Random(2).sample(cases, FILES):
        file = truth(shape, seed)
        genuine = {file.octets[o : o + n] for o, n in file.records}
        damage = mutate(file, kind, seed * 131 + SHAPES.index(shape))
        found = read(damage.octets)
        found.accounts_for(len(damage.octets))
        before, behind = damage.survivors(file.records)
        counts["before"] += len(before)
        counts["undamaged"] += len(before) + len(behind)
        counts["lost before"] += len(set(before) - found.places)
        counts["lost"] += len(set(before + behind) - found.places)
        starts = {o for o, _ in file.records} | {o + damage.shift for o, n in file.records if o + n >= damage.low}
        for row in found.rows:
            octets = damage.octets[row.offset : row.offset + row.length]
            counts["rows"] += 1
            if row.offset not in starts and octets not in genuine:
                counts["phantoms"] += 1
                counts["phantoms without a flag"] += not row.after_gap
    assert counts["undamaged"] > 140_000
    assert counts["lost before"] == 0
    assert counts["lost"] <= counts["undamaged"] * 0.00001
    assert counts["phantoms"] <= counts["rows"] * 0.00001
    assert counts["phantoms without a flag"] <= (0.6 * counts["phantoms"] if SLOW else 0)  # not first in their stretch


def ten(length: int = 100) -> tuple[bytearray, list[int]]:
    """Ten packets, and where their records start."""
    octets = pcap([(NS + i * 10**9, bytes([i + 1]) * length) for i in range(10)])
    return bytearray(octets), [24 + i * (16 + length) for i in range(10)]


def positions(found: Read) -> list[tuple[int, bool]]:
    return [(row.data[0], row.after_gap) for row in found.rows]


def test_a_damaged_header_costs_its_record() -> None:
    octets, starts = ten()
    octets[starts[4] : starts[4] + 16] = b"\xff" * 16
    found = read(bytes(octets))
    assert positions(found) == [(i, i == 6) for i in (1, 2, 3, 4, 6, 7, 8, 9, 10)]
    (gap,) = found.gaps
    assert (gap.offset_bytes, gap.length_bytes, gap.position) == (starts[4], 116, 4)
    assert gap.reason == "record header not plausible"


def test_a_length_that_swallows_the_next_records() -> None:
    octets, starts = ten()
    octets[starts[4] + 8 : starts[4] + 12] = struct.pack("<I", 100 + 2 * 116 + 50)
    octets[starts[4] + 12 : starts[4] + 16] = struct.pack("<I", 1500)
    found = read(bytes(octets))
    assert [data for data, _ in positions(found)] == [1, 2, 3, 4, 6, 7, 8, 9, 10]
    assert found.gaps[0].reason.startswith("record whose length is false")


def test_a_length_that_is_too_small() -> None:
    octets, starts = ten()
    octets[starts[4] + 8 : starts[4] + 12] = struct.pack("<I", 3)
    assert [data for data, _ in positions(read(bytes(octets)))] == [1, 2, 3, 4, 6, 7, 8, 9, 10]


def test_a_cut_tail_says_how_much_is_missing() -> None:
    octets, starts = ten()
    found = read(bytes(octets[: starts[9] + 60]))
    assert len(found.rows) == 9
    (gap,) = found.gaps
    assert gap.reason == "cut short: record ends after 60 of 116 octets"
    (gap,) = read(bytes(octets[: starts[9] + 5])).gaps
    assert gap.reason == "cut short: record header ends after 5 of 16 octets"


def test_zeros_of_a_power_cut_are_one_gap() -> None:
    octets, starts = ten()
    found = read(bytes(octets[: starts[5]]) + bytes(3 << 20) + bytes(octets[starts[5] :]))
    assert positions(found) == [(i + 1, i == 5) for i in range(10)]
    assert [(gap.offset_bytes, gap.length_bytes) for gap in found.gaps] == [(starts[5], 3 << 20)]


def test_damage_twice() -> None:
    octets, starts = ten()
    for i in (2, 5):
        octets[starts[i] : starts[i] + 16] = b"\xff" * 16
    found = read(bytes(octets))
    assert positions(found) == [(i, i in (4, 7)) for i in (1, 2, 4, 5, 7, 8, 9, 10)]


def test_a_magic_number_that_is_damaged() -> None:
    for digits, big_endian in ((6, False), (9, False), (6, True), (9, True)):
        packets = [(NS + i * 10**9 + 123_456_789, b"\x01" * 60) for i in range(9)]
        octets = bytearray(pcap(packets, digits=digits, big_endian=big_endian))
        octets[1] ^= 0x10
        found = read(bytes(octets))
        assert [row.ts for row in found.rows] == [ns // 10 ** (9 - digits) * 10 ** (9 - digits) for ns, _ in packets]
        assert found.gaps[0].length_bytes == 24


def carrier(inner: bytes) -> bytes:
    """An Ethernet frame with a UDP datagram that carries a capture file."""
    udp = struct.pack(">HHHH", 69, 4000, 8 + len(inner), 0) + inner
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + bytes(8)
    return bytes(12) + b"\x08\x00" + ip + udp


def test_a_capture_inside_a_packet_whose_record_is_damaged() -> None:
    inner = pcap([(NS - 10**12 + i, b"\x09" * 60) for i in range(5)])
    packet = carrier(inner)
    packets = [(NS + i * 10**9, b"\x01" * 60 if i != 4 else packet) for i in range(9)]
    octets = bytearray(pcap(packets))
    start = 24 + 4 * 76
    octets[start : start + 16] = b"\xff" * 16
    found = read(bytes(octets))
    assert [row.ts for row in found.rows] == [ns for ns, data in packets if data is not packet]


def test_a_byte_order_that_is_damaged() -> None:
    for big_endian in (False, True):
        file = Pcapng(big_endian=big_endian).section().interface()
        for number in range(20):
            file.packet(NS // 1000 + number, bytes([number]) * (60 + number % 3 * 50))
        octets = bytearray(file.octets)
        octets[9] ^= 0x20
        assert len(read(bytes(octets)).rows) == 20


def nesting() -> tuple[bytes, list[tuple[int, int]]]:
    """Ten packets in pcapng, the last of which carries seven more; and where their blocks are."""
    inner = Pcapng().section().interface()
    for number in range(7):
        inner.packet(NS // 1000 - 10**7 + number, b"\x09" * 60)
    file, places = Pcapng().section().interface(), []
    for number in range(10):
        octets = file.octets
        file.packet(NS // 1000 + number, carrier(inner.octets) if number == 9 else b"\x01" * 60)
        places.append((len(octets), len(file.octets) - len(octets)))
    return file.octets, places


def test_a_capture_inside_the_last_packet_of_a_file_that_is_cut() -> None:
    octets, places = nesting()
    start, size = places[-1]
    for left in range(1, 12):  # the packet is whole, and a little of the next block is left
        found = read(octets + b"\x06\0\0\0\x5c\0\0\0\0\0\0\0"[:left])
        assert found.places == set(places)
    last = 0
    for end in range(start + 200, start + size):
        damaged = bytearray(octets[:end])
        damaged[start + 4] ^= 0x40  # its length
        last += not read(bytes(damaged)).places <= set(places[:-1])
    assert last <= 7  # cut where an inner block ends, they cannot be told from blocks of the file


def test_the_end_of_a_packet_that_carries_a_capture_tells_what_lies_inside() -> None:
    octets, places = nesting()
    start, _ = places[-1]
    more = Pcapng().packet(NS // 1000 + 20, b"\x02" * 60).octets
    damaged = octets[: start + 150] + octets[start + 400 :] + more * 3  # most of its head is missing
    found = read(damaged)
    assert found.places == set(places[:-1]) | {(len(damaged) - n * len(more), len(more)) for n in (1, 2, 3)}


def test_neither_time_nor_lengths() -> None:
    """A header whose clock leaps and whose lengths are odd, too, is none; either alone costs nothing."""
    for captured, wire, seconds, kept in (
        (100, 100, NS // 10**9 + 4, True),
        (100, 60, NS // 10**9 + 4, True),
        (100, 100, 77, True),
        (100, 60, 77, False),
    ):
        octets, starts = ten()
        for place in (starts[4], starts[9]):
            octets[place : place + 16] = struct.pack("<IIII", seconds, 0, captured, wire)
        found = [data for data, _ in positions(read(bytes(octets)))]
        assert found == [n for n in range(1, 11) if kept or n not in (5, 10)]


def test_records_behind_a_packet_that_carries_a_capture_and_lost_some_octets() -> None:
    """What is not older than that packet was not in it."""
    inner = pcap([(NS - 10**12 + i, b"\x09" * 60) for i in range(15)])
    packets = [(NS + i * 10**9, b"\x01" * 60 if i != 4 else carrier(inner)) for i in range(19)]
    octets = pcap(packets)
    start = 24 + 4 * 76
    for lost in (500, 516, 530):
        found = read(octets[: start + 300] + octets[start + 300 + lost :])
        assert [row.ts for row in found.rows if row.ts > packets[4][0]] == [ns for ns, _ in packets[5:]]
