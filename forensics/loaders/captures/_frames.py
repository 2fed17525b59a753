"""What follows the addresses and tags of a frame, for leaf protocols that have no IP header."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from forensics.loaders.captures._block import Block

ETHERNET, SLL, SLL2 = 1, 113, 276
_COOKED_BYTES = {SLL: 16, SLL2: 20}
"""Size of the header that Linux puts in place of the frame's own (LINKTYPE_LINUX_SLL, _SLL2)."""
FROM_PACKET = ("ts", "host", "source", "position", "offset_bytes", "length_bytes", "interface")
"""Columns that a leaf record shares with its packet."""


def bodies(block: Block, packets: pl.DataFrame) -> Iterator[bytes]:
    """The octets of each packet from its length or type field on; from the payload on where it is cooked.

    Args:
        block: The packets' octets.
        packets: Rows of Packet out of this block; ``link_type``, ``vlan_ids`` and ``offset_bytes`` are looked at.
    """
    rows = np.searchsorted(block.record_offset, packets["offset_bytes"].to_numpy())
    tags = packets["vlan_ids"].list.len().fill_null(0).to_list()
    for row, link_type, count in zip(rows.tolist(), packets["link_type"].to_list(), tags, strict=True):
        start, end = int(block.start[row]), int(block.start[row] + block.captured[row])
        head = _COOKED_BYTES.get(link_type, 12 + 4 * count)
        yield block.buffer[min(start + head, end) : end].tobytes()
