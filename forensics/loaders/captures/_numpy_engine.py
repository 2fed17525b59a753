"""The reference engine: every header of a block's packets, level after level, with numpy alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from forensics.loaders.captures import _layouts as lay
from forensics.loaders.captures._addresses import AddressBook
from forensics.loaders.captures._block import Block
from forensics.loaders.captures._layers import WINDOW, Decoded, Inside, Level, Octets
from forensics.loaders.captures._layers_link import labels, link, resolution
from forensics.loaders.captures._layers_network import network
from forensics.loaders.captures._layers_transport import quoted_ports, transport
from forensics.loaders.captures._layouts import Array


def decode(block: Block, rows: Array | None, want: frozenset[str], book: AddressBook) -> Decoded:
    """Decode the headers of packets.

    Args:
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
    _level(block, decoded, outer, book, within)
    return decoded


def _level(block: Block, decoded: Decoded, inside: Inside, book: AddressBook, within: frozenset[str]) -> None:
    """Decode one level, then what is quoted and carried in it."""
    quotes: list[Inside] = []
    carried: list[Inside] = []
    for octets, window in _windows(block, inside):
        level = Level(octets, decoded, window.start, inside.part(window), book)
        _layers(level)
        quotes += level.quotes
        carried += level.tunnelled
    if quotes:
        wanted = frozenset(name.removeprefix("quoted_") for name in decoded.want if name.startswith("quoted_"))
        decoded.quoted = _deeper(block, decoded, Inside.joined(quotes), book, wanted, quoted=True)
    if carried and (within or decoded.watches):
        decoded.inner = _deeper(block, decoded, Inside.joined(carried), book, within, quoted=False)


def _deeper(
    block: Block, outer: Decoded, inside: Inside, book: AddressBook, want: frozenset[str], *, quoted: bool
) -> Decoded:
    found = Decoded(len(inside.rows), want, rows=inside.rows, watches=outer.watches, is_quoted=quoted)
    _level(block, found, inside, book, frozenset())
    before = outer.status[inside.rows]
    outer.status[inside.rows] = np.where(before == lay.OK, found.status, before)
    return found


def _windows(block: Block, inside: Inside) -> Iterator[tuple[Octets, slice]]:
    """Cut packets into windows; those near the end of the buffer look into a copy with room behind it."""
    near = np.flatnonzero(inside.end > len(block.buffer) - lay.SLACK)
    safe = int(near[0]) if len(near) else len(inside.at)
    octets = Octets(block.buffer, block.base_offset)
    for first in range(0, safe, WINDOW):
        yield octets, slice(first, min(first + WINDOW, safe))
    if len(near):
        octets = octets.padded(int(inside.at[safe:].min()))
        for first in range(safe, len(inside.at), WINDOW):
            yield octets, slice(first, min(first + WINDOW, len(inside.at)))


def _layers(level: Level) -> None:
    """Read the layers of a window, as far down as the columns need it."""
    decoded = level.decoded
    everything = decoded.watches
    link(level)
    if level.want <= lay.SHALLOW_COLUMNS and not (everything or decoded.digs):
        return
    labels(level)
    resolution(level)
    versions = network(level)
    if level.want <= lay.NETWORK_COLUMNS and not (everything or decoded.digs):
        return
    for rows in versions:
        if decoded.is_quoted:
            quoted_ports(level, rows)
        else:
            transport(level, rows)
