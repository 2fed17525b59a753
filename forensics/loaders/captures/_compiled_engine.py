"""The compiled engine: the headers of one level, packet after packet, by ``forensics/kernels/packets.c``."""

from __future__ import annotations

from ctypes import byref, pointer
from typing import Any

import numpy as np

from forensics.loaders.captures import _layouts as lay
from forensics.loaders.captures import _levels
from forensics.loaders.captures._addresses import AddressBook
from forensics.loaders.captures._block import Block
from forensics.loaders.captures._kernel import COLUMNS, Level, Within, kernel
from forensics.loaders.captures._kernel import Lists as ListsOfC
from forensics.loaders.captures._layers import Decoded, Flat, Inside
from forensics.loaders.captures._layouts import DEPTH, Array


def decode(block: Block, rows: Array | None, want: frozenset[str], book: AddressBook) -> Decoded:
    """Decode the headers of packets, as `forensics.loaders.captures._levels.decode` says."""
    return _levels.decode(_read, block, rows, want, book)


def _read(block: Block, decoded: Decoded, inside: Inside, book: AddressBook) -> tuple[Inside, Inside]:
    compiled = kernel()
    assert compiled is not None
    size = decoded.size
    # an error quotes one packet, a tunnel carries one: there are no more than there are packets
    quoting = decoded.watches or any(name.startswith("quoted_") for name in decoded.want)
    quotes, carried = Inside.room(size if quoting else 0), Inside.room(size if decoded.watches or decoded.digs else 0)
    tags = Lists(size, np.uint16, types=True) if not decoded.want.isdisjoint(lay.TAG_LISTS) else None
    labels = Lists(size, np.uint32) if "mpls_labels" in decoded.want else None
    level = Level(
        buffer=block.buffer.ctypes.data,
        size=len(block.buffer),
        base_offset=block.base_offset,
        count=size,
        kinds=lay.KIND.ctypes.data,
        packets=_of(inside),
        have=decoded.have.ctypes.data,
        status=decoded.status.ctypes.data,
        tunnel=decoded.tunnel.ctypes.data,
        quotes=_of(quotes),
        carried=_of(carried),
        digs=decoded.digs,
        is_quoted=decoded.is_quoted,
    )
    for place, name in enumerate(COLUMNS):
        if name in decoded.values:
            level.columns[place] = decoded.values[name].ctypes.data
    row = 0
    while True:
        level.tags, level.labels = (ListsOfC() if lists is None else lists.of_c() for lists in (tags, labels))
        with book.lent() as lent:
            level.book = pointer(lent)
            row = compiled.packets_decode(byref(level), row)
        if row == size:
            break
        for lists in (tags, labels):
            if lists is not None:
                lists.grow(row)
    if tags is not None:
        decoded.tags = tags.flat()
    if labels is not None:
        decoded.labels = labels.flat()
    return quotes.first(level.quotes.count), carried.first(level.carried.count)


def _of(inside: Inside) -> Within:
    """The arrays for the kernel: nothing is written to arrays without room."""
    if not len(inside.rows):
        return Within()
    return Within(*(getattr(inside, name).ctypes.data for name in Inside.__slots__))


class Lists:
    """Lists of packets while the kernel fills them."""

    def __init__(self, packets: int, kind: type[np.unsignedinteger[Any]], *, types: bool = False) -> None:
        room = packets + DEPTH
        self.offsets = np.zeros(packets + 1, np.int64)
        self.words = np.empty(room, kind)
        self.types = np.empty(room, np.uint16) if types else None

    def of_c(self) -> ListsOfC:
        """The arrays for the kernel."""
        types = None if self.types is None else self.types.ctypes.data
        return ListsOfC(self.offsets.ctypes.data, self.words.ctypes.data, types, len(self.words))

    def grow(self, row: int) -> None:
        """Make room, where it lacks, for the packets from this one on."""
        if len(self.words) - self.offsets[row] < DEPTH:
            self.words = np.resize(self.words, 2 * len(self.words))
            self.types = None if self.types is None else np.resize(self.types, len(self.words))

    def flat(self) -> Flat:
        """What was found."""
        end = int(self.offsets[-1])
        return Flat(self.offsets, self.words[:end], None if self.types is None else self.types[:end])
