"""Dialects that no public capture shows: our writer's files, read by us and by tshark where it is installed."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from tests._captures import Pcapng, pcap
from tests.loaders.captures._reading import read

NS = 1_346_123_456_789_012_345
PACKETS = [(NS + i * 1_000_000_001, bytes([i]) * (60 + i), 60 + i + (i % 2) * 900) for i in range(5)]
OFFSET = struct.pack("<q", 86_400)


def resolved(code: int, units: int) -> bytes:
    """A file whose interface has a resolution and an offset."""
    return Pcapng().section().interface(1, 0, [(9, bytes([code])), (14, OFFSET)]).packet(units, bytes(60)).octets


# Not here: lcap of the hardware and picoseconds, which tshark 4.0 gets wrong (later ones know the former has
# nanoseconds, wiretap/libpcap.c); test_container.py holds them to whole-number arithmetic.
FILES = {
    "ns": pcap(PACKETS, digits=9),
    "us, big-endian": pcap(PACKETS, big_endian=True),
    "ns, big-endian": pcap(PACKETS, digits=9, big_endian=True),
    "patched by Kuznetzov": pcap(PACKETS, record_bytes=24),
    "lcap, software": pcap(PACKETS, magic=0x1C0001AB, big_endian=True),
    "version 2.3": pcap(PACKETS, version=(2, 3)),
    "milliseconds": resolved(3, 1_346_123_456_789),
    "nanoseconds": resolved(9, NS),
    "1/1024 s": resolved(0x8A, 1_346_123_456_789),
    "2**-33 s": resolved(0xA1, 1_346_123_456 << 33 | 12_345),
    "custom, journal and two sections": (
        Pcapng(big_endian=True).section().interface().custom(1).packet(NS // 1000, b"a" * 60)
        .block(9, b"__REALTIME_TIMESTAMP=1346123456789012\n").section(big_endian=False).interface()
        .packet(NS // 1000, b"b" * 60).obsolete_packet(5, b"c" * 60).simple_packet(b"d" * 60).octets
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_tshark_reads_the_same(name: str, tmp_path: Path) -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    path = tmp_path / "a.pcap"
    path.write_bytes(FILES[name])
    columns = ("frame.number", "frame.time_epoch", "frame.len", "frame.cap_len")
    command = [tshark, "-n", "-r", str(path), "-Y", "frame.len && !frame.cb_pen && !systemd_journal", "-T", "fields"]
    done = subprocess.run(
        [*command, *(f"-e{column}" for column in columns)], capture_output=True, text=True, check=True
    )
    ours = []
    for row in read(FILES[name]).rows:
        ts = "" if row.ts is None else f"{row.ts // 10**9}.{row.ts % 10**9:09}"
        ours.append("\t".join((str(row.position), ts, str(row.wire), str(row.captured))))
    assert ours == done.stdout.splitlines()
