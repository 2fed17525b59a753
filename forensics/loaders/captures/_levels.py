"""Packets inside packets: what an engine reads of one level of encapsulation, followed through all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from forensics.loaders.captures import _layouts as lay
from forensics.loaders.captures._addresses import AddressBook
from forensics.loaders.captures._block import Block
from forensics.loaders.captures._layers import Decoded, Inside
from forensics.loaders.captures._layouts import Array

Read = Callable[[Block, Decoded, Inside, AddressBook], tuple[Inside, Inside]]
"""Fills in the columns of one level; gives what its ICMP errors quote, and what its tunnels carry."""

NESTED: Final = 32
"""Packets inside packets, one in another; more is `malformed`, and takes no more time."""


def decode(read: Read, block: Block, rows: Array | None, want: frozenset[str], book: AddressBook) -> Decoded:
    """Decode the headers of packets.

    Args:
        read: Reads one level.
        block: The packets.
        rows: Numbers of the packets that are wanted, in rising order; all where None.
        want: Columns, of `HEADER_COLUMNS`.
        book: Gives addresses their numbers.

    Returns:
        One row a packet. Columns that were not asked for are missing.
    """
    start, captured, wire, link_type = (
        values if rows is None else values[rows]
        for values in (block.start, block.captured, block.wire, block.link_type)
    )
    outer = Inside(
        rows=np.arange(len(start), dtype=np.int64),
        at=start.copy(),
        end=start + captured,
        wire=start + np.maximum(wire, captured),
        declared=np.full(len(start), lay.ENDLESS),
        entry=lay.ENTRY.take(link_type),
        ethertype=np.zeros(len(start), np.uint16),
    )
    watches = "decode_status" in want
    within = frozenset(name.removeprefix("inner_") for name in want if name.startswith("inner_"))
    decoded = Decoded(
        len(start),
        want - {name for name in want if name.startswith("inner_")},
        watches=watches,
        digs=watches or bool(within) or not want.isdisjoint({"tunnel", "tunnel_id"}),
    )
    _level(read, block, decoded, outer, book, within, NESTED)
    return decoded


def _level(
    read: Read, block: Block, decoded: Decoded, inside: Inside, book: AddressBook, within: frozenset[str], nested: int
) -> None:
    """Decode one level, then what is quoted and carried in it."""
    quotes, carried = read(block, decoded, inside, book)
    if len(quotes.rows):
        wanted = frozenset(name.removeprefix("quoted_") for name in decoded.want if name.startswith("quoted_"))
        decoded.quoted = Decoded(len(quotes.rows), wanted, quotes.rows, watches=decoded.watches, is_quoted=True)
        _level(read, block, decoded.quoted, quotes, book, frozenset(), 0)
        _blamed(decoded, decoded.quoted)
    if not len(carried.rows) or not (within or decoded.watches):
        return
    decoded.inner = Decoded(len(carried.rows), within, carried.rows, watches=decoded.watches)
    if nested:
        _level(read, block, decoded.inner, carried, book, frozenset(), nested - 1)
    else:
        decoded.inner.status[:] = lay.MALFORMED
    _blamed(decoded, decoded.inner)


def _blamed(outer: Decoded, deeper: Decoded) -> None:
    """What is wrong with a packet inside is wrong with the one around it; what was found first stays."""
    before = outer.status[deeper.rows]
    outer.status[deeper.rows] = np.where(before == lay.OK, deeper.status, before)
