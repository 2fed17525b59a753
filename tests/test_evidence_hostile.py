"""Compressed data made to exhaust its reader: time stays linear, memory constant."""

import bz2
import gzip
import io
import lzma
import subprocess
import sys
import zlib

import lz4.frame
import pytest
import zstandard

from forensics.evidence import stream_of
from tests._linear import SIZE, repeated, takes_linear_time
from tests.test_evidence_stream import COMPRESSIONS


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_hostile_members_take_linear_time_and_bounded_notes(name):
    """R04: members without end, without a beginning, whole ones, and such as look like it."""

    def consumed(data):
        stream = stream_of(io.BytesIO(data), "-")
        while stream.read(1 << 20):
            pass
        assert len(stream.gaps) <= 10_000

    whole = COMPRESSIONS[name](b"a")
    flushed = [b"\x1f\x8b\x08\0\0\0\0\0\0\3" + b"\0\xff\xff\0\0"] if name == "gzip" else []
    for unit in (whole, whole[:12], whole[:4], whole[:-1], bytes(16), *flushed):
        takes_linear_time(consumed, repeated(unit, COMPRESSIONS[name](b"abc")), size=SIZE // 2, s_per_mib=2.0)


def test_many_gaps_are_counted():
    broken = gzip.compress(b"abc", mtime=0) + b"?"
    stream = stream_of(io.BytesIO(broken * 12_000), "-")
    assert stream.read() == b"abc" * 12_000
    assert len(stream.gaps) == 10_000
    assert stream.gaps[-1][1].startswith("2001 further places")


def test_a_window_beyond_all_bounds_is_refused():
    frame = b"\x28\xb5\x2f\xfd" + bytes([0x00, 0xF8]) + b"\x01\x00\x00"  # asks for a window of 2 TiB
    stream = stream_of(io.BytesIO(frame), "x.zst")
    assert stream.read() == b""
    assert stream.gaps


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads VmHWM from /proc")
@pytest.mark.parametrize("name", COMPRESSIONS)
def test_memory_does_not_grow_with_the_ratio(name, tmp_path):
    """R05, R06: 32 and 96 MiB of zeros (1 GiB for gzip) in the same memory, under a ratio of 1,000:1 and more."""
    program = """
import sys
from forensics.evidence import open_stream, walk
buffer = bytearray(1 << 20)
with open_stream(*walk(sys.argv[1])) as stream:
    while stream.readinto(buffer):
        pass
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(stream.offset, peak.split()[1])
"""
    peaks = []
    for size in (32 << 20, 1 << 30 if name == "gzip" else 96 << 20):
        path = tmp_path / "bomb"
        path.write_bytes(bomb(name, size))
        out = subprocess.run([sys.executable, "-P", "-c", program, path], capture_output=True, text=True, check=True)
        delivered, peak_kb = map(int, out.stdout.split())
        assert delivered == size
        peaks.append(peak_kb)
    assert peaks[1] < peaks[0] * 1.1 + 2048, peaks
    assert peaks[1] < 400_000, peaks


def bomb(name: str, size: int) -> bytes:
    zeros = bytes(1 << 20)
    if name == "zstd":
        packer = zstandard.ZstdCompressor().compressobj()
    elif name == "lz4":
        return lz4.frame.compress(bytes(1 << 24)) * (size >> 24)
    else:
        packer = {
            "gzip": lambda: zlib.compressobj(1, zlib.DEFLATED, 31),
            "xz": lambda: lzma.LZMACompressor(preset=0),
            "bzip2": lambda: bz2.BZ2Compressor(1),
        }[name]()
    return b"".join([*(packer.compress(zeros) for _ in range(size >> 20)), packer.flush()])
