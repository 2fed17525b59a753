"""Every dialect of pcap and pcapng is read to the nanosecond, and every octet of it accounted for."""

from __future__ import annotations

import bz2
import gzip
import io
import struct
from pathlib import Path

import numpy as np
import pytest

from forensics.evidence import stream_of
from forensics.loaders.captures._chain import walk
from forensics.loaders.captures._container import LINK_TYPE_UNKNOWN, Block, blocks, likeness
from forensics.loaders.captures._instants import instants
from forensics.loaders.captures._pcap_format import header
from forensics.loaders.captures._pcap_framing import Clock, PcapFraming
from tests._captures import Pcapng, pcap
from tests.loaders.captures._reading import read

NS = 1_346_123_456_789_012_345
PACKETS = [(NS, b"\x01" * 60), (NS + 1_000_000_001, b"\x02" * 61, 1500), (NS - 5_000_000_000, b"\x03" * 7)]


@pytest.mark.parametrize("chunk_bytes", [64, 1 << 24])
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize(
    ("magic", "digits", "record_bytes", "header_bytes"),
    [
        (0xA1B2C3D4, 6, 16, 24),
        (0xA1B23C4D, 9, 16, 24),
        (0xA1B2CD34, 6, 24, 24),
        (0x1C0001AC, 9, 16, 28),
        (0x1C0001AB, 6, 16, 28),
    ],
)
def test_all_magics(
    magic: int, digits: int, record_bytes: int, header_bytes: int, big_endian: bool, chunk_bytes: int
) -> None:
    octets = pcap(PACKETS, magic=magic, digits=digits, record_bytes=record_bytes, big_endian=big_endian)
    found = read(octets, chunk_bytes)
    unit = 10 ** (9 - digits)
    assert [row.ts for row in found.rows] == [ns // unit * unit for ns, *_ in PACKETS]
    assert [row.data for row in found.rows] == [data for _, data, *_ in PACKETS]
    assert [(row.captured, row.wire) for row in found.rows] == [(60, 60), (61, 1500), (7, 7)]
    assert [row.position for row in found.rows] == [1, 2, 3]
    assert found.rows[0].offset == header_bytes
    assert found.rows[0].length == record_bytes + 60
    assert not any(row.after_gap for row in found.rows)
    assert [(stretch.kind, stretch.length_bytes) for stretch in found.stretches] == [("framing", header_bytes)]
    found.accounts_for(len(octets))
    assert likeness(octets) == 1.0


def test_frame_check_sequence_bits_are_no_link_type() -> None:
    found = read(pcap(PACKETS, link_type=1 | 0x4400_0000 | 2 << 28))
    assert {row.link_type for row in found.rows} == {1}


def test_lengths_of_old_versions_are_swapped() -> None:
    cut = [(NS, b"\x01" * 60, 100)]
    body = bytearray(pcap(cut, version=(2, 2)))
    body[32:40] = struct.pack("<II", 100, 60)
    (row,) = read(bytes(body)).rows
    assert (row.captured, row.wire) == (60, 100)
    for octets in (pcap(cut, version=(2, 3)), bytes(body[:6]) + b"\x03\x00" + bytes(body[8:])):
        (row,) = read(octets).rows  # version 2.3 was written both ways
        assert (row.captured, row.wire) == (60, 100)


def test_aix_has_interface_types_and_nanoseconds() -> None:
    body = bytearray(pcap([(NS, b"\x01" * 60)], version=(2, 2), link_type=6, digits=9, magic=0xA1B2C3D4))
    (row,) = read(bytes(body)).rows
    assert (row.link_type, row.ts) == (1, NS)


def test_more_captured_than_on_the_wire_is_kept_as_it_is() -> None:
    (row,) = read(pcap([(NS, b"\x01" * 84, 68)])).rows
    assert (row.captured, row.wire) == (84, 68)


@pytest.mark.parametrize(
    ("major", "reason"), [(1, "pcap: major version 1 unsupported"), (3, "pcap: major version 3 unsupported")]
)
def test_other_major_versions_are_refused(major: int, reason: str) -> None:
    octets = pcap([(NS, b"\x01" * 60)], version=(major, 4))
    found = read(octets)
    assert not found.rows
    assert [gap.reason for gap in found.gaps] == [reason]
    found.accounts_for(len(octets))


def test_a_damaged_version_of_a_sound_file_costs_the_header_alone() -> None:
    octets = pcap(PACKETS, version=(6, 4))
    found = read(octets)
    assert len(found.rows) == len(PACKETS)
    (gap,) = found.gaps
    assert (gap.offset_bytes, gap.length_bytes) == (0, 24)
    assert "read as pcap with microseconds, little-endian, link type 1" in gap.reason


def test_clock_that_jumps_costs_no_row() -> None:
    ages = [(0, b"\x01" * 60), (NS, b"\x02" * 60), (5, b"\x03" * 60), (NS * 2, b"\x04" * 60)]
    found = read(pcap(ages, digits=9))
    assert [row.ts for row in found.rows] == [ns for ns, _ in ages]
    assert not found.gaps


def test_no_capture() -> None:
    for octets in (
        b"",
        b"x",
        b"\xd4\xc3\xb2\xa1",
        b"Nov 22 14:00:01 compute01 kernel: [0.0] booting\n" * 40,
        bytes(5000),
    ):
        found = read(octets)
        assert not found.rows
        found.accounts_for(len(octets))
        assert likeness(octets) == (1.0 if octets[:1] == b"\xd4" else 0.0)


def test_buffers_are_fresh_and_read_only() -> None:
    octets = pcap([(NS + i, bytes([i % 256]) * 200) for i in range(300)])
    found = [event for event in blocks(io.BytesIO(octets), chunk_bytes=4096) if isinstance(event, Block)]
    assert len(found) > 5
    assert len({block.buffer.ctypes.data for block in found}) == len(found)
    for block in found:
        with pytest.raises(ValueError, match="read-only"):
            block.buffer[0] = 0
        assert block.buffer[block.start[0]] == (block.position[0] - 1) % 256


def test_a_record_longer_than_the_chunk() -> None:
    octets = pcap([(NS, b"\x01" * 100_000), (NS, b"\x02" * 60), (NS, b"\x03" * 262_144)])
    found = read(octets, 64)
    assert [row.captured for row in found.rows] == [100_000, 60, 262_144]
    found.accounts_for(len(octets))


def test_parallel_walk_is_the_serial_one() -> None:
    rng = np.random.default_rng(7)
    inner = pcap([(NS + i * 10**6, bytes(40)) for i in range(30)])
    packets = []
    for i in range(20_000):
        data = inner if rng.random() < 0.05 else rng.bytes(int(rng.choice((60, 150, 600, 1500))))
        packets.append((NS + i * 10**6, data))
    octets = pcap(packets)
    expected, place = [], 24
    for _, data in packets:
        expected.append(place)
        place += 16 + len(data)
    buffer = np.frombuffer(octets, np.uint8)
    head = header(octets[:24])
    assert not isinstance(head, str)
    clock = Clock()
    clock.last_s = NS // 10**9
    starts, after = walk(PcapFraming(head, buffer, clock), buffer, 24, len(buffer))
    assert starts.tolist() == expected
    assert after == len(octets)


# pcapng


def file(**options: bool) -> Pcapng:
    return Pcapng(**options).section().interface(1, 65_535, [(2, b"eth0"), (3, b"first"), (11, b"\0udp port 67")])


@pytest.mark.parametrize("chunk_bytes", [64, 1 << 24])
@pytest.mark.parametrize("big_endian", [False, True])
def test_every_kind_of_packet_block(big_endian: bool, chunk_bytes: int) -> None:
    octets = (
        file(big_endian=big_endian)
        .packet(
            1_346_000_000_000_001, b"\x01" * 61, 99, options=[(2, bytes(4)), (1, b"first"), (1, "zweiter é".encode())]
        )
        .simple_packet(b"\x02" * 33)
        .obsolete_packet(1_346_000_000_000_002, b"\x03" * 10, drops=7)
        .packet(1_346_000_000_000_003, b"\x04" * 4, options=[(4, struct.pack(">Q" if big_endian else "<Q", 12))])
        .octets
    )
    found = read(octets, chunk_bytes)
    assert [row.ts for row in found.rows] == [
        1_346_000_000_000_001_000,
        None,
        1_346_000_000_000_002_000,
        1_346_000_000_000_003_000,
    ]
    assert [(row.captured, row.wire) for row in found.rows] == [(61, 99), (33, 33), (10, 10), (4, 4)]
    assert [row.data[0] for row in found.rows] == [1, 2, 3, 4]
    assert [row.comment for row in found.rows] == ["first\nzweiter é", None, None, None]
    assert found.rows[0].interface.name == "eth0"
    assert found.rows[0].interface.filter == "udp port 67"
    assert [(loss.position, loss.count, loss.ts) for loss in found.losses] == [
        (3, 7, 1_346_000_000_000_002_000), (4, 12, 1_346_000_000_000_003_000),
    ]  # fmt: skip
    assert not found.gaps
    found.accounts_for(len(octets))


def test_simple_packets_are_cut_by_the_interface() -> None:
    (row,) = read(Pcapng().section().interface(1, 20).simple_packet(b"\x01" * 20, 400).octets).rows
    assert (row.captured, row.wire, row.ts) == (20, 400, None)


def test_sections_have_interfaces_of_their_own() -> None:
    octets = (
        file().packet(1, b"a").interface(113, 0, [(2, b"any")]).packet(2, b"b", interface=1)
        .section(big_endian=True).interface(101, 0, [(2, b"tun0")]).packet(3, b"c")
        .section(big_endian=False).interface(276).packet(4, b"d")
        .octets
    )  # fmt: skip
    for chunk_bytes in (64, 1 << 20):
        found = read(octets, chunk_bytes)
        named = [(row.interface.section, row.interface.number, row.interface.name) for row in found.rows]
        assert named == [(1, 0, "eth0"), (1, 1, "any"), (2, 0, "tun0"), (3, 0, None)]
        assert [row.link_type for row in found.rows] == [1, 113, 101, 276]
        assert [row.ts for row in found.rows] == [1000, 2000, 3000, 4000]
        found.accounts_for(len(octets))
    (block,) = [event for event in blocks(io.BytesIO(octets)) if isinstance(event, Block)]
    assert block.interface_id.tolist() == [0, 1, 2, 3]
    assert block.interface == ["eth0", "any", "tun0", None]


def test_custom_and_journal_blocks_are_no_rows_but_have_frame_numbers() -> None:
    """Wireshark numbers them (wiretap/pcapng.c hands them on as records), so that ours can be looked up there."""
    octets = (
        file().custom(32_473).packet(1, b"a").block(9, b"__REALTIME_TIMESTAMP=1\n").custom(1, kind=0x40000BAD)
        .packet(2, b"b").block(4, bytes(4)).block(10, bytes(8)).block(0x8000_0001, b"").packet(3, b"c").octets
    )  # fmt: skip
    found = read(octets)
    assert [row.position for row in found.rows] == [2, 5, 6]
    names = [stretch.reason for stretch in found.stretches if stretch.kind == "framing"]
    assert names == [
        "Section Header Block", "Interface Description Block", "Custom Block", "systemd Journal Export Block",
        "Custom Block (not to be copied)", "Name Resolution Block", "Decryption Secrets Block",
        "block of unknown type 0x80000001",
    ]  # fmt: skip


def test_statistics_say_what_was_lost_since_the_last_ones() -> None:
    def drops(count: int) -> list[tuple[int, bytes]]:
        return [(4, struct.pack("<Q", 999)), (5, struct.pack("<Q", count)), (7, struct.pack("<Q", 2))]

    octets = (
        file().packet(1, b"a").statistics(5, options=drops(10)).packet(2, b"b").statistics(0, options=drops(14)).octets
    )
    found = read(octets)
    assert [(loss.ts, loss.position, loss.kind, loss.count) for loss in found.losses] == [
        (5000, 1, "packets dropped by the interface (isb_ifdrop)", 10),
        (5000, 1, "packets dropped by the system (isb_osdrop)", 2),
        (None, 2, "packets dropped by the interface (isb_ifdrop)", 4),
    ]


def test_packets_of_an_undescribed_interface_have_no_time() -> None:
    found = read(Pcapng().section().packet(1, b"a").interface(1).packet(2, b"b").packet(3, b"c", interface=9).octets)
    assert [(row.ts, row.link_type) for row in found.rows][1:] == [(2000, 1), (None, LINK_TYPE_UNKNOWN)]


def test_a_packet_block_that_contradicts_itself_costs_itself() -> None:
    file_ = file().packet(1, b"a" * 40)
    broken = bytearray(Pcapng().packet(2, b"b" * 40).octets)
    broken[20:24] = struct.pack("<I", 4000)
    octets = file_.octets + bytes(broken) + Pcapng().packet(3, b"c" * 40).octets
    found = read(octets)
    assert [(row.ts, row.after_gap) for row in found.rows] == [(1000, False), (3000, True)]
    assert [gap.reason for gap in found.gaps] == ["packet block contradicts itself"]
    found.accounts_for(len(octets))


def test_blocks_with_options_at_every_packet_and_one_long_list() -> None:
    many = [(2, bytes(4))] * 50 + [(1, b"at last")]
    file_ = file()
    for number in range(100):
        file_.packet(number, bytes(number), options=many if number == 50 else [(2, bytes(4))])
    found = read(file_.octets)
    assert [row.comment for row in found.rows if row.comment] == ["at last"]
    assert found.rows[50].comment == "at last"


@pytest.mark.parametrize("exponent", [0, 3, 6, 9, 10, 12, 18, 19, 20, 63, 127])
@pytest.mark.parametrize("base", [10, 2])
@pytest.mark.parametrize("offset_s", [0, -3600, 1_500_000_000, 2**62, -(2**62)])
def test_resolutions_are_exact_or_null(base: int, exponent: int, offset_s: int) -> None:
    stamps = [0, 1, 999_999_999, 1_346_000_000 * min(base**exponent, 10**9), 2**63 - 1, 2**63, 2**64 - 1]
    ns, valid = instants(np.array(stamps, np.uint64), base, exponent, offset_s)
    for i, stamp in enumerate(stamps):
        exact = stamp * 10**9 // base**exponent + offset_s * 10**9
        if valid is None or valid[i]:
            assert int(ns[i]) == exact
        else:
            assert not -(2**63) + 2 * 10**9 <= exact < 2**63 - 2 * 10**9
            assert ns[i] == 0


@pytest.mark.parametrize(("code", "unit_ns"), [(0x09, 1), (0x06, 1000), (0x03, 10**6), (0x80, 10**9)])
def test_resolution_and_offset_of_the_interface(code: int, unit_ns: int) -> None:
    options = [(9, bytes([code])), (14, struct.pack("<q", -7200))]
    (row,) = read(Pcapng().section().interface(1, 0, options).packet(1_346_000_000, b"a").octets).rows
    assert row.ts == 1_346_000_000 * unit_ns - 7200 * 10**9


def test_section_header_that_lies_gives_no_rows() -> None:
    octets = bytearray(file().packet(1, b"a" * 60).octets)
    for at in (28 - 4, 28 + 4):  # the second length of the section, the first of the interface
        octets[at] ^= 0xFF
    octets[-1] ^= 0xFF
    found = read(bytes(octets))
    assert not found.rows
    found.accounts_for(len(octets))


# streams


@pytest.mark.parametrize("squeeze", [gzip.compress, bz2.compress])
def test_compressed_captures(squeeze: object) -> None:
    octets = pcap(PACKETS)
    stream = stream_of(io.BytesIO(squeeze(octets)), "a.pcap.gz")  # type: ignore[operator]
    found = [event for event in blocks(stream) if isinstance(event, Block)]
    assert sum(len(block) for block in found) == len(PACKETS)


class Torn(io.BytesIO):
    """A stream that lost octets while it was decompressed."""

    gaps = ((24 + 76 + 40, "member of a gzip file is damaged"),)


def test_a_record_with_a_hole_in_it_is_a_gap() -> None:
    events = list(blocks(Torn(pcap(PACKETS))))
    (block,) = [event for event in events if isinstance(event, Block)]
    assert block.position.tolist() == [1, 3]
    assert block.after_gap.tolist() == [False, True]
    assert any("record torn" in getattr(event, "reason", "") for event in events)


def test_constant_memory(tmp_path: Path) -> None:
    """What is held does not grow with the file: chunks of a long stream are let go."""
    record = pcap([(NS, bytes(1400))])[24:]

    class Endless(io.RawIOBase):
        left = 64 << 20
        due = pcap([])

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            if not self.due:
                self.due = record * 64
            size = min(len(buffer), len(self.due), self.left)
            buffer[:size] = self.due[:size]
            self.due, self.left = self.due[size:], self.left - size
            return size

    import tracemalloc

    tracemalloc.start()
    rows = sum(len(event) for event in blocks(Endless(), chunk_bytes=1 << 20) if isinstance(event, Block))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == (64 << 20) // len(record)
    assert peak < 16 << 20
