"""The compiled kernel beside the reference engine: the same columns of any packets, the same records of any capture."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from polars.testing import assert_frame_equal

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
from tests.fuzz import Target
from tests.fuzz.captures import blocks as pcapng_seeds
from tests.fuzz.captures import classic
from tests.loaders.captures import _decoding, _packets

LINK_TYPES = (1, 101, 113, 276, 228, 229, 0, 108, 12, 127)


@contextmanager
def reference() -> Iterator[None]:
    """Reading as where nothing is compiled."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (_addresses, _chain, _columns, _headers, _pcap_framing):
            patch.setattr(module, "kernel", lambda: None)
        yield


def same(given: Block, columns: list[str], rows: np.ndarray | None = None) -> None:  # type: ignore[type-arg]
    """Both engines say the same of these packets."""
    books = AddressBook(), AddressBook()
    mine = Columns(_compiled_engine.decode(given, rows, frozenset(columns), books[0]), books[0]).frame(columns)
    with reference():
        theirs = Columns(_numpy_engine.decode(given, rows, frozenset(columns), books[1]), books[1]).frame(columns)
    assert_frame_equal(mine, theirs)


def packets(data: bytes) -> None:
    """One octet for the link type, then packets: two octets for how long each is, and how much of it is kept."""
    if _kernel.kernel() is None:
        return
    listed: list[_decoding.Given] = []
    at = 1
    while at + 2 <= len(data) and len(listed) < 200:
        size, cut = data[at] * 2, data[at + 1] % 32
        octets = data[at + 2 : at + 2 + size]
        kept = octets[: len(octets) - cut] if data[at + 1] & 128 else octets
        listed.append((LINK_TYPES[data[0] % len(LINK_TYPES)], kept, len(octets)))
        at += 2 + size
    given = _decoding.block(listed, between=b"", base_offset=data[0] if data else 0)
    # memory that ends with the last packet: what is read behind it shows in a sanitizer
    given = replace(given, buffer=given.buffer.copy())
    same(given, _decoding.COLUMNS)
    same(given, _decoding.COLUMNS[len(data) % 7 :: 7])


def packet_seeds() -> list[bytes]:
    """Every kind of packet by itself, and all of a link type together."""
    seeds = []
    for place, link_type in enumerate(LINK_TYPES):
        mine = [octets for kind, octets in _packets.samples().values() if kind == link_type]
        parts = [bytes(((len(octets) + 1) // 2, 0)) + octets + bytes(len(octets) % 2) for octets in mine]
        seeds += [bytes((place,)) + part for part in [*parts, b"".join(parts)]]
    return seeds


def records(data: bytes) -> None:
    """Octets as a capture: the same records and the same damage, in one chunk and in many."""
    if _kernel.kernel() is None:
        return
    for chunk in (1 << 24, 64 + len(data) // 3):
        mine = told(data, chunk)
        with reference():
            assert told(data, chunk) == mine, f"chunks of {chunk} octets"


def told(octets: bytes, chunk_bytes: int) -> list[object]:
    """All that a container says, as plain values."""
    found: list[object] = []
    for event in blocks(io.BytesIO(octets), chunk_bytes=chunk_bytes):
        if isinstance(event, Block):
            arrays = (event.start, event.captured, event.wire, event.ts, event.record_offset, event.after_gap)
            found.append([event.base_offset, *(values.tolist() for values in arrays)])
        else:
            found.append(event)
    return found


TARGETS = (
    Target("engines-packets", packets, packet_seeds),
    Target("engines-records", records, lambda: [*classic(), *pcapng_seeds()]),
)
