"""Octets come out of a file as they went in, whatever it is compressed with and however it is damaged."""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import random
import subprocess
import sys
import zlib
from contextlib import suppress

import lz4.frame
import pytest
import zstandard

from forensics.errors import EvidenceError
from forensics.evidence import PADDING, Stream, open_stream, stream_of, walk

COMPRESSIONS = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    "lz4": lambda data: lz4.frame.compress(data, content_checksum=True, block_checksum=True),
}


def text(source: random.Random, lines: int) -> bytes:
    return b"".join(
        b"2013-02-15 01:40:%02d %d nova.compute [req-%x] %s\n"
        % (
            source.randrange(60),
            source.randrange(9999),
            source.getrandbits(64),
            source.choice([b"up", b"down", b"gone"]),
        )
        for _ in range(lines)
    )


def in_parts(stream: Stream, source: random.Random) -> bytes:
    """Read with peeks, reads and readintos of random sizes."""
    parts = []
    while True:
        head = stream.peek(source.choice([0, 1, 100, 70_000]))
        size = source.choice([1, 17, 4096, 65536, 300_000])
        if source.random() < 0.5:
            part = stream.read(size)
        else:
            buffer = bytearray(size)
            part = bytes(buffer[: stream.readinto(buffer)])
        assert part[: len(head)] == head[: len(part)]
        parts.append(part)
        assert stream.offset == sum(map(len, parts))
        if len(part) < size:
            assert stream.read(1) == b""
            assert stream.peek() == b""
            return b"".join(parts)


class OnePipe:
    """Gives one octet, or few, at a time, as a pipe may, and cannot seek."""

    def __init__(self, data: bytes, sizes: random.Random) -> None:
        self._inner = io.BytesIO(data)
        self._sizes = sizes

    def read(self, size: int, /) -> bytes:
        return self._inner.read(min(size, self._sizes.choice([1, 3, 1000])))


@pytest.mark.parametrize("name", [None, *COMPRESSIONS])
@pytest.mark.parametrize("members", [1, 3])
def test_round_trip(name, members, tmp_path):
    source = random.Random(f"{name} {members}")
    parts = [text(source, 4000), source.randbytes(200_000), b"x" * 3_000_000][:members]
    packed = b"".join(map(COMPRESSIONS[name], parts)) if name else b"".join(parts)
    path = tmp_path / "no-suffix"
    path.write_bytes(packed)
    (file,) = walk(path)
    for stream in (open_stream(file, digest=True), stream_of(OnePipe(packed, source), "-", digest=True)):
        with stream:
            assert in_parts(stream, source) == b"".join(parts)
            assert stream.compression == name
            assert stream.gaps == []
            digest = stream.finish()
        assert digest.sha256 == hashlib.sha256(packed).hexdigest()
        assert digest.size_bytes == len(packed)
        assert digest.changed is None


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_empty_and_tiny_contents(name):
    for content in (b"", b"a"):
        stream = stream_of(io.BytesIO(COMPRESSIONS[name](content)), "-")
        assert (stream.read(), stream.compression, stream.gaps) == (content, name, [])
    assert stream_of(io.BytesIO(b""), "-").read() == b""


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_cut_off_keeps_a_prefix_and_says_so(name):
    source = random.Random(name)
    content = text(source, 2500)
    packed = COMPRESSIONS[name](content)
    sizes = []
    for cut in sorted(source.sample(range(2, len(packed)), 40)):
        stream = stream_of(io.BytesIO(packed[:cut]), "-")
        got = stream.read()
        assert content.startswith(got)
        assert [(at, "cut off" in why) for at, why in stream.gaps] == [(len(got), True)]
        sizes.append(len(got))
    assert sizes == sorted(sizes)
    if name != "bzip2":  # its one block of up to 900,000 octets needs all its bits
        assert sizes[-1] > len(content) // 2


@pytest.mark.parametrize("name", COMPRESSIONS)
@pytest.mark.parametrize("seekable", [True, False])
def test_damage_in_one_member_leaves_the_others(name, seekable, tmp_path):
    source = random.Random(name)
    parts = [text(source, 3000) for _ in range(3)]
    packed = [COMPRESSIONS[name](part) for part in parts]
    for _ in range(12):
        middle = bytearray(packed[1])
        at = source.randrange(20, len(middle) - 8)
        middle[at : at + 8] = source.randbytes(8)
        data = b"".join([packed[0], bytes(middle), packed[2]])
        path = tmp_path / "damaged"
        path.write_bytes(data)
        with open_stream(*walk(path)) if seekable else stream_of(io.BytesIO(data), "-") as stream:
            got = stream.read()
        assert got.startswith(parts[0])
        assert got.endswith(parts[2])
        assert stream.gaps
        assert stream.gaps[0][0] >= len(parts[0])
        assert all(at <= len(got) for at, _ in stream.gaps)


def test_a_decoder_that_fails_gives_all_that_it_had(tmp_path):
    """xz and bzip2 throw away what the failing call had decoded: nothing of it may be missing."""
    source = random.Random(5)
    content = text(source, 40_000)
    for name, make in (("xz", lzma.LZMADecompressor), ("bzip2", bz2.BZ2Decompressor)):
        packed = bytearray(COMPRESSIONS[name](content))
        packed[len(packed) * 2 // 3] ^= 0x55
        expected, decoder = bytearray(), make()
        with suppress(OSError, lzma.LZMAError):
            expected += decoder.decompress(bytes(packed), 1)
            while not decoder.eof:
                expected += decoder.decompress(b"", 1)
        path = tmp_path / name
        path.write_bytes(packed)
        with open_stream(*walk(path)) as stream:
            assert stream.read() == expected
        assert len(content) > len(expected) > len(content) // 2
        assert [at for at, _ in stream.gaps] == [len(expected)]


def test_nested_compression():
    content = text(random.Random(6), 500)
    packed = lzma.compress(gzip.compress(bz2.compress(content)))
    stream = stream_of(io.BytesIO(packed), "nova.log.gz.xz")
    assert (stream.read(), stream.compression) == (content, "bzip2 in gzip in xz")
    cut = stream_of(io.BytesIO(lzma.compress(gzip.compress(content)[:-400])), "x")
    assert content.startswith(cut.read())
    assert "cut off" in cut.gaps[0][1]
    outer = lzma.compress(gzip.compress(content, mtime=0))
    torn = stream_of(io.BytesIO(outer[: len(outer) // 2]), "x")
    assert content.startswith(torn.read())
    assert ["xz" in why or "gzip" in why for _, why in torn.gaps] == [True, True]
    deep = content
    for _ in range(6):
        deep = gzip.compress(deep, mtime=0)
    assert stream_of(io.BytesIO(deep), "x").compression == " in ".join(["gzip"] * 4)


def header_end(data: bytes, at: int) -> int:
    """RFC 1952 section 2.3."""
    flags, at = data[at + 3], at + 10
    if flags & 4:
        at += 2 + int.from_bytes(data[at : at + 2], "little")
    for flag in (8, 16):
        if flags & flag:
            at = data.find(b"\0", at) + 1
    return at + (flags & 2)


def inflated_octet_by_octet(data: bytes) -> bytes:
    """The oracle of R16: raw inflate, one octet at a time, and the search for a member after damage."""
    out, at, furthest = bytearray(), 0, 0
    while at < len(data):
        if data[at : at + 3] == b"\x1f\x8b\x08":
            inflater, place = zlib.decompressobj(-15), header_end(data, at)
            try:
                while place < len(data) and not inflater.eof:
                    out += inflater.decompress(data[place : place + 1])
                    place += 1
            except zlib.error:
                at, furthest = max(at + 1 if at >= furthest else furthest, place - 65536), max(furthest, place)
            else:
                if not inflater.eof:
                    break
                at = place + 8
                continue
        while (at := data.find(b"\x1f\x8b\x08", at)) >= 0:
            head = data[at : at + 10]
            if len(head) == 10 and not head[3] & 0xE0 and head[8] in (0, 2, 4) and (head[9] < 14 or head[9] == 255):
                try:
                    zlib.decompressobj(-15).decompress(data[header_end(data, at) : at + 512])
                    break
                except zlib.error:
                    pass
            at += 1
        if at < 0:
            break
    return bytes(out)


def gzip_member(source: random.Random) -> bytes:
    content = (
        text(source, source.randrange(1, 80)) if source.random() < 0.9 else source.randbytes(source.randrange(2000))
    )
    packed = io.BytesIO()
    with gzip.GzipFile(source.choice(["", "nova.log"]), "wb", source.choice([0, 1, 6, 9]), packed, mtime=0) as file:
        file.write(content)
    return packed.getvalue()


def mutated(data: bytes, kind: str, source: random.Random) -> bytes:
    octets = bytearray(data)
    at, size = source.randrange(19, len(octets)), source.randrange(1, 64)
    if kind == "flip":
        octets[at] ^= 1 << source.randrange(8)
    elif kind in ("burst", "zero"):
        there = len(octets[at : at + size])
        octets[at : at + size] = source.randbytes(there) if kind == "burst" else bytes(there)
    elif kind == "insert":
        octets[at:at] = source.randbytes(size)
    elif kind == "delete":
        del octets[at : at + size]
    elif kind == "duplicate":
        octets[at:at] = octets[at : at + size]
    elif kind == "cut":
        del octets[at:]
    elif kind == "garbage":
        octets += source.randbytes(size)
    elif kind == "padding":
        octets += bytes(size * 20)
    elif kind == "checksum":
        octets[-5] ^= 0x40
    return bytes(octets)


KINDS = ("flip", "burst", "zero", "insert", "delete", "duplicate", "cut", "garbage", "padding", "checksum")


@pytest.mark.parametrize("kind", KINDS)
def test_r16_damaged_gzip_equals_octet_by_octet(kind):
    """200 mutations of each kind."""
    source = random.Random(f"R16 {kind}")
    for number in range(200):
        whole = b"".join(gzip_member(source) for _ in range(source.choice([1, 1, 2, 5])))
        while True:  # damaged headers have a test of their own
            data = mutated(whole, kind, source)
            starts = [at for at in range(len(whole)) if whole.startswith(b"\x1f\x8b\x08", at)]
            touched = next((i for i, (a, b) in enumerate(zip(whole, data, strict=False)) if a != b), len(whole))
            if kind in ("cut", "insert", "delete", "duplicate") or not any(
                at - 64 <= touched < at + 19 for at in starts[1:]
            ):
                break
        stream = stream_of(io.BytesIO(data), "x.gz")
        assert stream.read() == inflated_octet_by_octet(data), number
        if kind == "checksum":
            assert "checksum" in stream.gaps[-1][1]
        elif kind == "padding":
            assert stream.gaps[-1][1].startswith(PADDING)
        elif kind == "garbage":
            assert not stream.gaps[-1][1].startswith(PADDING)


def test_a_damaged_gzip_header_costs_nothing_but_a_note():
    content = text(random.Random(8), 300)
    packed = io.BytesIO()
    with gzip.GzipFile("nova-compute.log", "wb", 6, packed, mtime=1360892418) as file:
        file.write(content)
    data = packed.getvalue()
    kept = 0
    for at in range(10):
        for bit in range(8):
            octets = bytearray(data)
            octets[at] ^= 1 << bit
            stream = stream_of(io.BytesIO(bytes(octets)), "nova-compute.log.gz")
            kept += stream.read() == content and stream.compression == "gzip"
            assert at in (4, 5, 6, 7, 8, 9) or stream.gaps or octets[3] in (9, 24)
    assert kept == 80


def test_reasons_do_not_depend_on_how_the_octets_arrive():
    source = random.Random(9)
    data = b"".join(gzip_member(source) for _ in range(6))
    for kind in KINDS:
        damaged = mutated(data, kind, source)
        one, other = stream_of(io.BytesIO(damaged), "-"), stream_of(OnePipe(damaged, source), "-")
        assert (one.read(), one.gaps) == (in_parts(other, source), other.gaps)


def test_a_text_stream_is_refused():
    with pytest.raises(EvidenceError, match="text"):
        stream_of(io.StringIO("abc"), "-")


def test_a_read_error_ends_the_stream_with_a_gap():
    class Failing(io.BytesIO):
        def read(self, size=-1, /):
            if self.tell() >= 100_000:
                raise OSError(5, "Input/output error")
            return super().read(min(size, 50_000))

    stream = stream_of(Failing(bytes(range(256)) * 1000), "-", digest=True)
    assert len(stream.read()) == 100_000
    assert stream.gaps == [(100_000, "the file cannot be read on from octet 100000: Input/output error")]
    assert stream.finish().sha256 is None


def test_finish_without_reading_hashes_all(tmp_path):
    data = gzip.compress(text(random.Random(10), 20_000))
    (tmp_path / "a.gz").write_bytes(data)
    with open_stream(*walk(tmp_path), digest=True) as stream:
        assert stream.peek(10)
        assert stream.offset == 0
        assert stream.size_bytes == len(data)
        assert stream.finish().sha256 == hashlib.sha256(data).hexdigest()
    with open_stream(*walk(tmp_path)) as stream:
        digest = stream.finish()
    assert digest.sha256 is None
    assert digest.size_bytes == len(data)
    assert "a.gz" in repr(stream)


def test_standard_input(tmp_path):
    program = (
        "import sys; from forensics.evidence import stream_of; s = stream_of(sys.stdin.buffer, '-', digest=True); "
        "print(s.compression, len(s.read()), s.finish().sha256)"
    )
    data = gzip.compress(os.urandom(300_000))
    out = subprocess.run([sys.executable, "-P", "-c", program], input=data, capture_output=True, check=True)
    assert out.stdout.decode().split() == ["gzip", "300000", hashlib.sha256(data).hexdigest()]


def test_whoever_looks_at_frames_while_octets_are_read_does_no_harm() -> None:
    """As the profiler of a dask worker does, at any time."""
    views: list[object] = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            frame = sys._getframe()
            while frame is not None:
                views.extend(value for value in frame.f_locals.values() if isinstance(value, memoryview))
                frame = frame.f_back
            return super().read(size)

    stream = stream_of(Watched(b"few octets"), "-")
    assert stream.read(4) == b"few "
    assert stream.read(100) == b"octets"
    assert views
