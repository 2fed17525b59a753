"""Packets to columns without a file around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from forensics.loaders.captures._block import Block, Interface
from forensics.loaders.captures._headers import decode
from forensics.loaders.captures._layouts import HEADER_COLUMNS
from forensics.records import Packet

COLUMNS = [name for name in Packet.polars_schema().names() if name in HEADER_COLUMNS]

Given = tuple[int, bytes] | tuple[int, bytes, int]
"""Link type, captured octets, octets on the wire where that is more."""


def block(packets: Sequence[Given], *, between: bytes = b"\xee" * 16, base_offset: int = 0) -> Block:
    """Packets one behind another, with octets between them that belong to none."""
    octets, starts = b"", []
    for packet in packets:
        octets += between
        starts.append(len(octets))
        octets += packet[1]
    n = len(packets)
    start = np.array(starts, np.int64)
    captured = np.array([len(packet[1]) for packet in packets], np.int64)
    wire = np.array([packet[2] if len(packet) > 2 else len(packet[1]) for packet in packets], np.int64)
    return Block(
        buffer=np.frombuffer(octets, np.uint8),
        base_offset=base_offset,
        start=start,
        captured=captured,
        wire=wire,
        ts=np.arange(n, dtype=np.int64),
        ts_valid=None,
        record_offset=start - len(between) + base_offset,
        record_length=captured + len(between),
        position=np.arange(1, n + 1, dtype=np.int64),
        link_type=np.array([packet[0] for packet in packets], np.uint16),
        interface_id=np.zeros(n, np.uint32),
        after_gap=np.zeros(n, bool),
        interfaces=(Interface(1, 0, 1, 0),),
    )


def frame(packets: Sequence[Given], columns: Sequence[str] = COLUMNS) -> pl.DataFrame:
    return decode(block(packets), columns)


def said(octets: bytes, link_type: int = 1, wire: int | None = None) -> dict[str, Any]:
    """What is known of one packet: the columns that are not null."""
    row = frame([(link_type, octets, wire or len(octets))]).row(0, named=True)
    return {name: value for name, value in row.items() if value is not None}
