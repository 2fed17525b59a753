"""The compiled engine beside the reference: every column, every packet, every cut."""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from forensics import kernels
from forensics.errors import ForensicsError
from forensics.loaders.captures import (
    _addresses,
    _chain,
    _columns,
    _compiled_engine,
    _headers,
    _kernel,
    _numpy_engine,
    _pcap_framing,
)
from forensics.loaders.captures._addresses import AddressBook
from forensics.loaders.captures._block import Block
from forensics.loaders.captures._columns import Columns
from forensics.loaders.captures._container import blocks
from tests._captures import Pcapng, pcap
from tests.loaders.captures._damage import KINDS, SHAPES, mutate, truth
from tests.loaders.captures._decoding import COLUMNS, Given, block
from tests.loaders.captures._packets import ethernet, gre, ipv4, mpls, samples, udp
from tests.loaders.captures.test_headers_properties import noise

compiled = pytest.mark.skipif(kernels.library() is None, reason="no compiled engine is installed")


def decoded(given: Block, engine: _headers.Engine, columns: Sequence[str], rows: np.ndarray | None) -> pl.DataFrame:  # type: ignore[type-arg]
    book = AddressBook()
    return Columns(engine(given, rows, frozenset(columns), book), book).frame(columns)


def same(packets: Sequence[Given], columns: Sequence[str] = COLUMNS, rows: np.ndarray | None = None) -> None:  # type: ignore[type-arg]
    given = block(packets, base_offset=77)
    mine = decoded(given, _compiled_engine.decode, columns, rows)
    with pytest.MonkeyPatch.context() as patch:
        without(patch)
        assert_frame_equal(mine, decoded(given, _numpy_engine.decode, columns, rows))


@compiled
def test_every_kind_of_packet_cut_at_every_length() -> None:
    whole = samples().values()
    cut: list[Given] = [(link, octets[:size]) for link, octets in whole for size in range(len(octets) + 1)]
    snapped: list[Given] = [(link, octets[:size], len(octets)) for link, octets in whole for size in range(len(octets))]
    same(cut)
    same(snapped)


@compiled
@pytest.mark.parametrize("seed", range(3))
def test_noise(seed: int) -> None:
    same(noise(100 + seed, 3000))


@compiled
def test_some_packets_and_some_columns() -> None:
    packets = [*samples().values(), *noise(9, 500)]
    rng = np.random.default_rng(10)
    for _ in range(30):
        columns = [str(name) for name in rng.permutation(COLUMNS)[: int(rng.integers(1, 9))]]
        same(packets, columns, np.flatnonzero(rng.random(len(packets)) < 0.5))
    same([], COLUMNS)


@compiled
def test_towers_need_room() -> None:
    tags = bytes(12) + b"\x81\x00\x00\x05" * 200 + b"\x88\xcc"
    labels = ethernet(0x8847, mpls(tuple(range(16, 240)), ipv4(17, udp(1, 2))))
    endless = [bytes(12) + stack * 300 for stack in (b"\x81\x00\x00\x05", b"\x88\x47")]
    nested = ipv4(17, udp(1, 2))
    for _ in range(60):
        nested = ipv4(47, gre(0x0800, nested))
    same([(1, octets) for octets in (tags, labels, *endless, ethernet(0x0800, nested)) * 20])


@compiled
def test_more_addresses_than_a_book_begins_with() -> None:
    rng = np.random.default_rng(11)
    packets: list[Given] = []
    for link, octets in list(samples().values())[:30] * 100:
        packets.append((link, rng.bytes(12) + octets[12:26] + rng.bytes(24) + octets[50:]))
    given, book = block(packets), AddressBook()
    assert_frame_equal(*(
        Columns(engine(given, None, frozenset(COLUMNS), book), book).frame(COLUMNS)
        for engine in (_compiled_engine.decode, _numpy_engine.decode)
    ))  # fmt: skip


def without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read as where nothing is compiled."""
    for module in (_addresses, _chain, _columns, _headers, _pcap_framing):
        monkeypatch.setattr(module, "kernel", lambda: None)


def events(octets: bytes, chunk_bytes: int) -> list[object]:
    """All that a container says, as plain values."""
    found: list[object] = []
    for event in blocks(io.BytesIO(octets), chunk_bytes=chunk_bytes):
        if isinstance(event, Block):
            arrays = (event.start, event.captured, event.wire, event.ts, event.record_offset, event.after_gap)
            found.append([event.base_offset, *(values.tolist() for values in arrays)])
        else:
            found.append(event)
    return found


@functools.cache
def captures() -> dict[str, bytes]:
    rng = np.random.default_rng(12)
    sizes = rng.integers(0, 1500, 3000).tolist()
    packets = [(10**18 + number, rng.bytes(size)) for number, size in enumerate(sizes)]
    inside = pcap([(10**18, rng.bytes(60))] * 12)
    nested = [(time, inside if number % 3 else octets) for number, (time, octets) in enumerate(packets)]
    told = {big: Pcapng(big_endian=big).section().interface() for big in (False, True)}
    for number, (_, octets) in enumerate(packets):
        for file in told.values():
            file.packet(number, octets)
            if number % 500 == 499:
                file.section(big_endian=number % 1000 == 499).interface()
    return {
        "pcap": pcap(packets),
        "big-endian pcap": pcap(packets, big_endian=True, digits=9),
        "pcap of 1999": pcap(packets, record_bytes=24),
        "lengths that may be swapped": pcap(packets, version=(2, 3)),
        "swapped lengths": pcap(packets, version=(2, 2)),
        "captures in packets": pcap(nested),
        "tiny packets": pcap([(10**18 + number, b"\x01") for number in range(90_000)]),
        "pcapng": told[False].octets,
        "big-endian pcapng": told[True].octets,
    }


@compiled
@pytest.mark.parametrize("name", captures())
def test_the_chain_is_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    octets = captures()[name]
    found = [events(octets, size) for size in (1 << 24, 1 << 19)]
    without(monkeypatch)
    assert [events(octets, size) for size in (1 << 24, 1 << 19)] == found


@compiled
@pytest.mark.parametrize("shape", SHAPES)
def test_damage_is_the_same(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = [mutate(truth(shape, 7), kind, number).octets for number, kind in enumerate(KINDS)]
    found = [events(octets, 1 << 16) for octets in damaged]
    without(monkeypatch)
    assert [events(octets, 1 << 16) for octets in damaged] == found


def test_an_engine_that_is_not_known_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        for asked, refused in (("warp", True), ("reference", False)):
            kernels.library.cache_clear()
            _kernel.kernel.cache_clear()
            monkeypatch.setenv(kernels.VARIABLE, asked)
            if refused:
                with pytest.raises(ForensicsError, match="FORENSICS_ENGINE: there is no engine 'warp'"):
                    _headers.engine()
            else:
                assert _headers.engine() is _numpy_engine.decode
    finally:
        kernels.library.cache_clear()
        _kernel.kernel.cache_clear()
