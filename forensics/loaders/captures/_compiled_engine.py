"""The compiled engine: the headers of one level, packet after packet, by ``forensics/kernels/packets.c``."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from forensics import kernels
from forensics.loaders.captures import _layouts as lay
from forensics.loaders.captures import _levels
from forensics.loaders.captures._addresses import AddressBook, BookOfC
from forensics.loaders.captures._block import Block
from forensics.loaders.captures._layers import Decoded, Flat, Inside
from forensics.loaders.captures._layouts import DEPTH, Array

COLUMNS = (
    *("ethertype", "ip_version", "ip_bytes", "ttl", "ip_id", "dont_fragment", "more_fragments"),
    *("fragment_offset_bytes", "protocol", "src_port", "dst_port", "tcp_flags", "tcp_seq", "tcp_ack", "tcp_window"),
    *("tcp_mss", "payload_bytes", "payload_offset_bytes", "icmp_type", "icmp_code", "icmp_id", "icmp_seq", "icmp_mtu"),
    *("arp_op", "tunnel_id", "eth_src", "eth_dst", "src", "dst", "arp_sender_mac", "arp_sender_ip", "arp_target_mac"),
    "arp_target_ip",
)
"""In the order in which the kernel counts them."""

_Pointer, _Int, _Flag = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32


class _Inside(ctypes.Structure):
    _fields_ = (*((name, _Pointer) for name in Inside.__slots__), ("count", _Int))


class _Lists(ctypes.Structure):
    _fields_ = (("offsets", _Pointer), ("words", _Pointer), ("types", _Pointer), ("room", _Int))


class _Level(ctypes.Structure):
    _fields_ = (
        *(("buffer", _Pointer), ("size", _Int), ("base_offset", _Int), ("count", _Int), ("kinds", _Pointer)),
        *(("packets", _Inside), ("columns", _Pointer * len(COLUMNS)), ("have", _Pointer), ("status", _Pointer)),
        *(("tunnel", _Pointer), ("book", ctypes.POINTER(BookOfC)), ("tags", _Lists), ("labels", _Lists)),
        *(("quotes", _Inside), ("carried", _Inside), ("digs", _Flag), ("is_quoted", _Flag)),
        ("desk", _Pointer),
    )


def decode(block: Block, rows: Array | None, want: frozenset[str], book: AddressBook) -> Decoded:
    """Decode the headers of packets, as `forensics.loaders.captures._levels.decode` says."""
    return _levels.decode(_read, block, rows, want, book)


def _read(block: Block, decoded: Decoded, inside: Inside, book: AddressBook) -> tuple[Inside, Inside]:
    size = decoded.size
    # an error quotes one packet, a tunnel carries one: there are no more than there are packets
    quoting = decoded.watches or any(name.startswith("quoted_") for name in decoded.want)
    quotes, carried = Inside.room(size if quoting else 0), Inside.room(size if decoded.watches or decoded.digs else 0)
    tags = Lists(size, np.uint16, types=True) if not decoded.want.isdisjoint(lay.TAG_LISTS) else None
    labels = Lists(size, np.uint32) if "mpls_labels" in decoded.want else None
    level = _Level(
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
        level.tags, level.labels = (_Lists() if lists is None else lists.of_c() for lists in (tags, labels))
        with book.lent() as lent:
            level.book = ctypes.pointer(lent)
            row = _function()(ctypes.byref(level), row)
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


@functools.cache
def _function() -> Callable[[Any, int], int]:
    library = kernels.library()
    assert library is not None
    function = library.packets_decode
    function.argtypes, function.restype = (ctypes.POINTER(_Level), _Int), _Int
    return function


def _of(inside: Inside) -> _Inside:
    """The arrays for the kernel: nothing is written to arrays without room."""
    if not len(inside.rows):
        return _Inside()
    return _Inside(*(getattr(inside, name).ctypes.data for name in Inside.__slots__))


class Lists:
    """Lists of packets while the kernel fills them."""

    def __init__(self, packets: int, kind: type[np.unsignedinteger[Any]], *, types: bool = False) -> None:
        room = packets + DEPTH
        self.offsets = np.zeros(packets + 1, np.int64)
        self.words = np.empty(room, kind)
        self.types = np.empty(room, np.uint16) if types else None

    def of_c(self) -> _Lists:
        """The arrays for the kernel."""
        types = None if self.types is None else self.types.ctypes.data
        return _Lists(self.offsets.ctypes.data, self.words.ctypes.data, types, len(self.words))

    def grow(self, row: int) -> None:
        """Make room, where it lacks, for the packets from this one on."""
        if len(self.words) - self.offsets[row] < DEPTH:
            self.words = np.resize(self.words, 2 * len(self.words))
            self.types = None if self.types is None else np.resize(self.types, len(self.words))

    def flat(self) -> Flat:
        """What was found."""
        end = int(self.offsets[-1])
        return Flat(self.offsets, self.words[:end], None if self.types is None else self.types[:end])
