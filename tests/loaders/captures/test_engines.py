"""The compiled engine beside the reference: every column, every packet, every cut."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from forensics import kernels
from forensics.errors import ForensicsError
from forensics.loaders.captures import _headers, _kernel, _numpy_engine
from tests._captures import Pcapng, pcap
from tests.loaders.captures._damage import KINDS, SHAPES, mutate, truth
from tests.loaders.captures._decoding import COLUMNS, Given, block
from tests.loaders.captures._engines import same, same_records
from tests.loaders.captures._packets import ethernet, gre, ipv4, mpls, samples, udp
from tests.loaders.captures.test_headers_properties import noise

compiled = pytest.mark.skipif(kernels.library() is None, reason="no compiled engine is installed")


def agree(
    packets: Sequence[Given],
    columns: Sequence[str] = COLUMNS,
    rows: np.ndarray | None = None,  # type: ignore[type-arg]
) -> pl.DataFrame:
    return same(block(packets, base_offset=77), columns, rows)


@compiled
def test_every_kind_of_packet_cut_at_every_length() -> None:
    whole = samples().values()
    cut: list[Given] = [(link, octets[:size]) for link, octets in whole for size in range(len(octets) + 1)]
    snapped: list[Given] = [(link, octets[:size], len(octets)) for link, octets in whole for size in range(len(octets))]
    agree(cut)
    agree(snapped)


@compiled
@pytest.mark.parametrize("seed", range(3))
def test_noise(seed: int) -> None:
    agree(noise(100 + seed, 3000))


@compiled
def test_some_packets_and_some_columns() -> None:
    packets = [*samples().values(), *noise(9, 500)]
    rng = np.random.default_rng(10)
    for _ in range(30):
        columns = [str(name) for name in rng.permutation(COLUMNS)[: int(rng.integers(1, 9))]]
        agree(packets, columns, np.flatnonzero(rng.random(len(packets)) < 0.5))
    agree([], COLUMNS)


@compiled
def test_towers_need_room() -> None:
    tags = bytes(12) + b"\x81\x00\x00\x05" * 200 + b"\x88\xcc"
    labels = ethernet(0x8847, mpls(tuple(range(16, 240)), ipv4(17, udp(1, 2))))
    endless = [bytes(12) + stack * 600 for stack in (b"\x81\x00\x00\x05", b"\x88\x47")]
    nested = ipv4(17, udp(1, 2))
    for _ in range(60):
        nested = ipv4(47, gre(0x0800, nested))
    found = agree([(1, octets) for octets in (tags, labels, *endless, ethernet(0x0800, nested)) * 20])
    # packets in packets too: beyond some depth nobody looks
    assert found["decode_status"].head(5).to_list() == ["ok", "ok", "malformed", "malformed", "malformed"]


@compiled
def test_more_addresses_than_a_book_begins_with() -> None:
    rng = np.random.default_rng(11)
    packets: list[Given] = []
    for link, octets in list(samples().values())[:30] * 100:
        packets.append((link, rng.bytes(12) + octets[12:26] + rng.bytes(24) + octets[50:]))
    agree(packets)


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
def test_the_chain_is_the_same(name: str) -> None:
    for chunk in (1 << 24, 1 << 19):
        same_records(captures()[name], chunk)


@compiled
@pytest.mark.parametrize("shape", SHAPES)
def test_damage_is_the_same(shape: str) -> None:
    for number, kind in enumerate(KINDS):
        same_records(mutate(truth(shape, 7), kind, number).octets, 1 << 16)


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
