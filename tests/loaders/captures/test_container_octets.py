"""Whatever the octets: all accounted for, the same rows for any chunk size, in linear time."""

from __future__ import annotations

import io
import random
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forensics.loaders.captures._container import blocks
from tests._captures import Pcapng, pcap
from tests._linear import MIB, repeated, takes_linear_time
from tests.loaders.captures._damage import KINDS, SHAPES, mutate, truth
from tests.loaders.captures._engines import reference
from tests.loaders.captures._reading import read

HEADS = (
    b"",
    *(pcap([], big_endian=big, digits=digits) for big in (False, True) for digits in (6, 9)),
    Pcapng().section().interface().octets,
    Pcapng(big_endian=True).section().interface().octets,
)
WORDS = st.sampled_from(
    [bytes(4), b"\x01\0\0\0", b"\x06\0\0\0", b"\x20\0\0\0", b"\0\0\0\x10", b"\xff" * 4, b"\n\r\r\n"]
)
OCTETS = st.one_of(st.binary(max_size=300), st.lists(WORDS, max_size=80).map(b"".join))
relaxed = settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@relaxed
@given(head=st.sampled_from(HEADS), rest=OCTETS, chunk_bytes=st.sampled_from([64, 1 << 20]))
def test_any_octets_are_accounted_for(head: bytes, rest: bytes, chunk_bytes: int) -> None:
    octets = head + rest
    found = read(octets, chunk_bytes)
    found.accounts_for(len(octets))
    for row in found.rows:
        assert row.data in octets[row.offset : row.offset + row.length]


@relaxed
@given(
    shape=st.sampled_from(SHAPES),
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 9999),
    chunk_bytes=st.sampled_from([64, 700, 5000]),
)
def test_damaged_files_are_accounted_for_whatever_the_chunks(
    shape: str, kind: str, seed: int, chunk_bytes: int
) -> None:
    octets = mutate(truth(shape, seed, 12), kind, seed).octets
    whole, parts = read(octets), read(octets, chunk_bytes)
    whole.accounts_for(len(octets))
    assert parts.rows == whole.rows
    assert parts.gaps == whole.gaps


US = struct.pack("<IIII", 10**9, 5, 4, 4) + b"abcd"
SECTION, INTERFACE = Pcapng().section().octets, Pcapng().section().interface().octets
NG = Pcapng().packet(1, b"").octets
HOSTILE = {
    "zeros": bytes(64),
    "magic": b"\xd4\xc3\xb2\xa1",
    "section magic": b"\x0a\x0d\x0d\x0a",
    "pcap, zeros": (pcap([]), bytes(64)),
    "pcap, one octet a record": (pcap([]), struct.pack("<IIII", 10**9, 5, 1, 1) + b"x"),
    "pcap, headers only": (pcap([]), struct.pack("<IIII", 10**9, 5, 16, 16)),
    "pcap, near misses": (pcap([]), struct.pack("<IIII", 10**9, 5, 40, 40) + bytes(7)),
    "pcap, huge claims": (pcap([]), struct.pack("<IIII", 10**9, 5, 262_144, 262_144)),
    "pcap, damage after each pair": (pcap([]), US + US + b"\xee" * 16),
    "pcap, nested files": (pcap([]), b"\xd4\xc3\xb2\xa1\x02\0\x04\0" + bytes(16) + US + US + b"\xee" * 16),
    "pcapng, zeros": (INTERFACE, bytes(64)),
    "pcapng, sections": (b"", SECTION),
    "pcapng, sections of both orders": (b"", SECTION + Pcapng(big_endian=True).section().octets),
    "pcapng, a section a packet": (b"", INTERFACE + NG),
    "pcapng, unknown blocks": (SECTION, Pcapng().block(77, b"").octets),
    "pcapng, interfaces": (SECTION, Pcapng().interface().octets),
    "pcapng, statistics": (INTERFACE, Pcapng().statistics(5, options=[(5, bytes(8))]).octets),
    "pcapng, headers only": (INTERFACE, struct.pack("<III", 6, 32, 0)),
    "pcapng, near misses": (INTERFACE, NG[:-4] + struct.pack("<I", 36)),
    "pcapng, damage after each pair": (INTERFACE, NG + NG + b"\xee" * 4),
}


def walked(octets: bytes) -> None:
    for _ in blocks(io.BytesIO(octets)):
        pass


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_octets_take_linear_time(name: str) -> None:
    parts = HOSTILE[name]
    head, unit = parts if isinstance(parts, tuple) else (b"", parts)
    takes_linear_time(walked, repeated(unit, head))
    with reference():
        takes_linear_time(walked, repeated(unit, head))


@pytest.mark.parametrize("code", [1, 9])
def test_one_packet_with_very_many_options(code: int) -> None:
    def made(size: int) -> bytes:
        return INTERFACE + Pcapng().packet(1, b"", options=[(code, b"a")] * (size // 8)).octets

    takes_linear_time(walked, made)
    for count in (100, 30_000):
        (row,) = read(made(8 * count)).rows
        assert row.comment == ("\n".join("a" * count) if code == 1 else None)


def test_random_octets() -> None:
    noise = random.Random(4).randbytes(4 * MIB)
    for head in HEADS:
        takes_linear_time(walked, lambda size, head=head: head + noise[:size])
