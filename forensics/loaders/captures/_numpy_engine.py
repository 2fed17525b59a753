"""The reference engine: every header of a block's packets, layer after layer, with numpy alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from forensics.loaders.captures import _layouts as lay
from forensics.loaders.captures import _levels
from forensics.loaders.captures._addresses import AddressBook
from forensics.loaders.captures._block import Block
from forensics.loaders.captures._layers import WINDOW, Decoded, Inside, Level, Octets, Stack
from forensics.loaders.captures._layers_link import labels, link, resolution
from forensics.loaders.captures._layers_network import network
from forensics.loaders.captures._layers_transport import quoted_ports, transport
from forensics.loaders.captures._layouts import Array


def decode(block: Block, rows: Array | None, want: frozenset[str], book: AddressBook) -> Decoded:
    """Decode the headers of packets, as `forensics.loaders.captures._levels.decode` says."""
    return _levels.decode(_read, block, rows, want, book)


def _read(block: Block, decoded: Decoded, inside: Inside, book: AddressBook) -> tuple[Inside, Inside]:
    quotes: list[Inside] = []
    carried: list[Inside] = []
    tags: list[Stack] = []
    labelled: list[Stack] = []
    for octets, window in _windows(block, inside):
        level = Level(octets, decoded, window.start, inside.part(window), book)
        _layers(level)
        tags += level.tags
        labelled += level.labels
        quotes += level.quotes
        carried += level.tunnelled
    decoded.tags, decoded.labels = tags, labelled
    return Inside.joined(quotes), Inside.joined(carried)


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
