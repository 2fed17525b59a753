"""Captures as lazy frames, and whole: columns, predicates, row limits, what may be named, what failure says."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from forensics.errors import EvidenceError, NotUnderstoodError, UnknownColumnError
from forensics.evidence import stream_of
from forensics.loaders._reader import Batch, Origin, Reader
from forensics.loaders.captures import _packet_rows, packets
from forensics.loaders.captures.packets import READERS, leaves, rows, scan_packets
from forensics.records import DhcpMessage, Packet
from tests._captures import Pcapng, pcap
from tests.loaders.captures._packets import ethernet, ipv4, samples, tcp, udp

SECOND = 10**9
FRAMES = [octets for link_type, octets in samples().values() if link_type == 1 and octets]
LEASE = bytes([1, 1, 6, 0]) + bytes(232) + bytes((99, 130, 83, 99)) + bytes((53, 1, 1, 255))


def mixed(n: int = 3000) -> bytes:
    """Packets of all kinds of Ethernet, many of them twice."""
    return pcap([(number * SECOND, FRAMES[number * 7 % len(FRAMES)]) for number in range(n)])


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "compute01.pcap"
    path.write_bytes(mixed())
    return path


@pytest.fixture
def whole(capture: Path) -> pl.DataFrame:
    return pl.concat(list(rows(capture)))


def test_the_whole_has_the_schema_of_the_record(whole: pl.DataFrame) -> None:
    assert whole.schema == Packet.polars_schema()
    assert whole.height == 3000
    assert Packet.is_valid(whole)
    assert whole["position"].to_list() == list(range(1, 3001))
    assert whole["ts"].dt.timestamp("ns").to_list() == [number * SECOND for number in range(3000)]
    assert whole["host"].unique().to_list() == ["compute01"]


def test_any_columns_in_any_order(capture: Path, whole: pl.DataFrame) -> None:
    names = ["dst_port", "ts", "vlan_ids", "inner_src", "source", "src"]
    assert_frame_equal(scan_packets(capture).select(names).collect(), whole.select(names))
    assert_frame_equal(pl.concat(list(rows(capture, names))), whole.select(names))


PREDICATES = [
    pl.col("dst_port") == 67,
    pl.col("position").is_between(17, 2100),
    pl.col("ts") > pl.datetime(1970, 1, 1, 0, 10, time_zone="UTC", time_unit="ns"),
    (pl.col("vlan_ids").list.len() > 1) & pl.col("src").is_not_null(),
    pl.col("inner_src_port").is_null() | (pl.col("payload_bytes") > 10),
    pl.col("src").str.starts_with("10.") & (pl.col("decode_status") == "ok"),
    pl.col("dst_port") == 1,
    pl.lit(True),
    pl.lit(False),
    pl.col("icmp_type").is_in([3, 11]).not_(),
]


@pytest.mark.parametrize("predicate", PREDICATES, ids=str)
def test_a_predicate_gives_what_it_gives_afterwards(predicate: pl.Expr, capture: Path, whole: pl.DataFrame) -> None:
    expected = whole.filter(predicate)
    assert_frame_equal(scan_packets(capture).filter(predicate).collect(), expected)
    for names in (["ts"], ["dst_port", "payload_bytes"], ["inner_src", "host"]):
        assert_frame_equal(scan_packets(capture).filter(predicate).select(names).collect(), expected.select(names))
    found = [*rows(capture, ["src", "position"], predicate, 40), whole.select("src", "position").clear()]
    assert_frame_equal(pl.concat(found), whole.head(40).filter(predicate).select("src", "position"))


def test_only_the_columns_of_the_predicate_are_decoded_of_all_packets(
    capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[tuple[str, ...], int]] = []
    real = _packet_rows.decoded

    def decoded(block: Any, columns: list[str], rows: Any, book: Any) -> dict[str, pl.Series]:
        asked.append((tuple(columns), len(block) if rows is None else len(rows)))
        return real(block, columns, rows, book)

    monkeypatch.setattr(_packet_rows, "decoded", decoded)
    found = scan_packets(capture).filter(pl.col("dst_port") == 67).select("src", "dst").collect()
    assert asked[0] == (("dst_port",), 3000)
    assert len(asked) == 2
    assert set(asked[1][0]) >= {"src", "dst"}
    assert asked[1][1] == found.height < 600


class Counting(io.BytesIO):
    """A file that knows how much of it was read."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        octets = super().read(size)
        self.taken += len(octets)
        return octets


def test_a_row_limit_stops_reading() -> None:
    octets = pcap([(number, bytes(60_000)) for number in range(2200)])
    file = Counting(octets)
    assert scan_packets(file).head(3).collect()["position"].to_list() == [1, 2, 3]
    assert 0 < file.taken < len(octets) * 0.7
    file = Counting(octets)
    assert scan_packets(file).filter(pl.col("position") == 2).head(1).collect().height == 1
    assert 0 < file.taken < len(octets) * 0.7


def test_packets_keep_the_order_of_files_and_patterns_that_of_names(tmp_path: Path) -> None:
    for name in ("compute02", "compute01", "network"):
        (tmp_path / f"{name}.pcap").write_bytes(pcap([(1, ethernet(0x88CC, name.encode()))]))
    found = scan_packets(str(tmp_path / "compute*.pcap")).select("host").collect()
    assert found["host"].to_list() == ["compute01", "compute02"]
    listed = [tmp_path / "network.pcap", str(tmp_path / "compute02.pcap"), tmp_path / "compute0[1].pcap"]
    assert scan_packets(listed).select("host").collect()["host"].to_list() == ["network", "compute02", "compute01"]
    assert scan_packets(listed).head(2).select("source").collect().height == 2


def test_a_file_that_looks_like_a_pattern_is_meant_itself(tmp_path: Path) -> None:
    (tmp_path / "a[1].pcap").write_bytes(pcap([(1, b"\x01" * 20)]))
    (tmp_path / "a1.pcap").write_bytes(pcap([(1, b"\x02" * 20)] * 5))
    assert scan_packets(tmp_path / "a[1].pcap").select(pl.len()).collect().item() == 1


def test_captures_of_one_name_in_many_folders_are_many_points(tmp_path: Path) -> None:
    for host in ("monitor01", "monitor02"):
        (tmp_path / host).mkdir()
        (tmp_path / host / "ens3.pcap").write_bytes(pcap([(1, b"\x01" * 20)]))
    found = scan_packets(str(tmp_path / "*" / "ens3.pcap")).select("host").collect()
    assert found["host"].to_list() == ["monitor01/ens3", "monitor02/ens3"]


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_captures_are_read_as_they_are(compress: Any, tmp_path: Path, whole: pl.DataFrame) -> None:
    (tmp_path / "compute01.pcap.x").write_bytes(compress(mixed()))
    found = scan_packets(tmp_path / "compute01.pcap.x").drop("source", "host").collect()
    assert_frame_equal(found, whole.drop("source", "host"))


def test_open_files_can_be_read_again_from_where_they_stand(whole: pl.DataFrame) -> None:
    file = io.BytesIO(b"something else" + mixed())
    file.seek(14)
    packets_of_it = scan_packets(file)
    for _ in range(2):
        assert_frame_equal(packets_of_it.drop("source", "host").collect(), whole.drop("source", "host"))
    both = packets_of_it.select("position", "src").join(packets_of_it.select("position", "dst"), on="position")
    assert both.collect().height == 3000


def test_a_pipe_is_read_once() -> None:
    reading, writing = os.pipe()
    os.write(writing, pcap([(1, b"\x01" * 20)] * 9))
    os.close(writing)
    with open(reading, "rb", buffering=0) as pipe:
        packets_of_it = scan_packets(pipe)
        assert packets_of_it.select(pl.len()).collect().item() == 9
        with pytest.raises(EvidenceError, match=r"was read already, and cannot be read again\nHint: collect once"):
            packets_of_it.collect()


def test_standard_input() -> None:
    program = "from forensics import scan_packets; print(scan_packets('-').select('source').collect().height)"
    done = subprocess.run([sys.executable, "-c", program], input=mixed(200), capture_output=True)
    assert done.stdout == b"200\n", done.stderr


def test_what_cannot_be_read_says_so(tmp_path: Path, capture: Path) -> None:
    with pytest.raises(EvidenceError, match=r"nowhere.pcap: no such file\nHint: relative paths count from"):
        scan_packets(tmp_path / "nowhere.pcap")
    with pytest.raises(EvidenceError, match=r"matches no file"):
        scan_packets(str(tmp_path / "no*.pcap"))
    with pytest.raises(EvidenceError, match="mode 'rb'"):
        scan_packets(io.StringIO("text"))
    (tmp_path / "syslog").write_text("Aug 30 03:14:15 host kernel: no capture\n")
    with pytest.raises(NotUnderstoodError, match=r"syslog: is no capture"):
        scan_packets(tmp_path / "syslog").collect()
    with pytest.raises(UnknownColumnError, match=r"no column sport\nHint: the columns are ts, host, .* src_port"):
        list(rows(capture, ["ts", "sport"]))
    with pytest.raises(UnknownColumnError, match="no column sport"):
        list(rows(capture, ["ts"], pl.col("sport") == 1))


def test_an_empty_file_has_no_packets(tmp_path: Path) -> None:
    for name, octets in (("empty", b""), ("header", pcap([]))):
        (tmp_path / name).write_bytes(octets)
        found = scan_packets(tmp_path / name).filter(pl.col("dst_port") == 1).collect()
        assert found.schema == Packet.polars_schema()
        assert found.height == 0


def test_damage_is_told_and_what_follows_is_read(tmp_path: Path) -> None:
    octets = bytearray(pcap([(SECOND * 1_400_000_000 + number, b"\x01" * 100) for number in range(50)]))
    octets[24 + 116 * 20 + 8 : 24 + 116 * 20 + 12] = b"\xff\xff\xff\x7f"
    (tmp_path / "damaged.pcap").write_bytes(octets)
    with pytest.warns(UserWarning, match=r"damaged.pcap: octet 2344: 116 octets in 1 places? are damaged"):
        found = scan_packets(tmp_path / "damaged.pcap").select("after_gap", "position").collect()
    assert found["after_gap"].to_list() == [False] * 20 + [True] + [False] * 28


def test_interfaces_are_points_of_their_own() -> None:
    file = Pcapng().section().interface(1, options=[(2, b"eth0")]).interface(113, options=[(2, b"any")]).interface(101)
    file.packet(1_000_000, FRAMES[0]).packet(2_000_000, samples()["cooked"][1], interface=1)
    file.packet(3_000_000, samples()["raw"][1], interface=2, options=[(1, b"look here")]).simple_packet(FRAMES[2])
    found = scan_packets(io.BytesIO(file.octets)).collect()
    assert found["interface"].to_list() == ["eth0", "any", None, "eth0"]
    assert found["host"].to_list() == ["eth0", "any", "2", "eth0"]
    assert found["link_type"].to_list() == [1, 113, 101, 1]
    assert found["comment"].to_list() == [None, None, "look here", None]
    assert found["ts"].is_null().to_list() == [False, False, False, True]
    assert found["dst_port"].to_list() == [80, 67, 67, 67]
    only = scan_packets(io.BytesIO(file.octets)).filter(pl.col("comment") == "look here").select("position").collect()
    assert only["position"].to_list() == [3]


def test_a_chunk_of_tiny_packets_becomes_many_frames(monkeypatch: pytest.MonkeyPatch, whole: pl.DataFrame) -> None:
    monkeypatch.setattr(_packet_rows, "ROWS", 128)
    frames = list(rows(io.BytesIO(mixed())))
    assert max(frame.height for frame in frames) == 128
    assert_frame_equal(pl.concat(frames).drop("source", "host"), whole.drop("source", "host"))
    limited = pl.concat(list(rows(io.BytesIO(mixed()), n_rows=300)))
    assert_frame_equal(limited.drop("source", "host"), whole.head(300).drop("source", "host"))


def batches(octets: bytes, number: int = 0, **wanted: Any) -> Iterator[Batch]:
    origin = Origin("a.pcap", capture_point="a")
    return READERS[number].batches(stream_of(io.BytesIO(octets), origin.source), origin, **wanted)


def test_readers_keep_the_protocol() -> None:
    readers: tuple[Reader, ...] = READERS
    assert [reader.name for reader in readers] == ["pcap", "pcapng"]
    assert readers[0].yields[0] is Packet
    assert DhcpMessage in readers[0].yields
    both = (pcap([]), Pcapng().section().octets, b"Aug 30 03:14:15 host kernel: no capture")
    assert [[reader.likeness(octets, "x") > 0 for octets in both] for reader in readers] == [
        [True, False, False],
        [False, True, False],
    ]


def test_a_whole_capture_is_covered_and_its_leaves_are_read(whole: pl.DataFrame) -> None:
    frames = [*FRAMES, ethernet(0x0800, ipv4(17, udp(68, 67, LEASE), src="0.0.0.0", dst="255.255.255.255"))]
    octets = pcap([(number, octets) for number, octets in enumerate(frames)])
    found = list(batches(octets))
    base = pl.concat([batch.rows[Packet] for batch in found if Packet in batch.rows])
    assert base.schema == whole.schema
    covered = [(row["offset_bytes"], row["length_bytes"]) for row in base.iter_rows(named=True)]
    covered += [(stretch.offset_bytes, stretch.length_bytes) for batch in found for stretch in batch.stretches]
    place = 0
    for offset, length in sorted(covered):
        assert offset == place
        place += length
    assert place == len(octets)
    leases = pl.concat([batch.rows[DhcpMessage] for batch in found if DhcpMessage in batch.rows])
    assert leases.filter(pl.col("message_type") == "DISCOVER")["position"].to_list() == [len(frames)]
    assert {batch.facts["format"] for batch in found} == {"pcap"}
    only = [batch.rows for batch in batches(octets, records=[DhcpMessage])]
    assert all(Packet not in records for records in only)
    assert_frame_equal(pl.concat([records[DhcpMessage] for records in only if DhcpMessage in records]), leases)
    assert all(DhcpMessage not in batch.rows for batch in batches(octets, records=[Packet]))


def test_leaves_are_the_modules_that_say_what_they_want() -> None:
    assert "forensics.loaders.captures.dhcp" in [leaf.__name__ for leaf in leaves()]
    assert packets not in leaves()


def test_an_error_while_reading_ahead_arrives() -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1, /) -> bytes:
            raise ValueError("the disk is gone")

    with pytest.raises(Exception, match="the disk is gone"):
        scan_packets(Broken()).collect()


def test_large_packets(tmp_path: Path) -> None:
    segment = ethernet(0x0800, ipv4(6, tcp(1, 2, bytes(150_000)), total=0))
    (tmp_path / "a.pcap").write_bytes(pcap([(1, segment)] * 30))
    found = scan_packets(tmp_path / "a.pcap").select("payload_bytes", "captured_bytes").collect()
    assert set(found.rows()) == {(150_000, 150_054)}
