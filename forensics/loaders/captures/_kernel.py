"""What ``forensics/kernels/packets.c`` exports, as `ctypes` calls it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from ctypes import CDLL, POINTER, Array, Structure, c_int32, c_int64, c_uint64, c_void_p
from typing import Any, Final

from forensics import kernels

VERSION: Final = 5
"""Of the kernel's functions."""

COLUMNS: Final = (
    *("ethertype", "ip_version", "ip_bytes", "ttl", "ip_id", "dont_fragment", "more_fragments"),
    *("fragment_offset_bytes", "protocol", "src_port", "dst_port", "tcp_flags", "tcp_seq", "tcp_ack", "tcp_window"),
    *("tcp_mss", "payload_bytes", "payload_offset_bytes", "icmp_type", "icmp_code", "icmp_id", "icmp_seq", "icmp_mtu"),
    *("arp_op", "tunnel_id", "eth_src", "eth_dst", "src", "dst", "arp_sender_mac", "arp_sender_ip", "arp_target_mac"),
    "arp_target_ip",
)
"""In the order in which the kernel counts them."""

NAME_OCTETS: Final = 48
"""Room for an address as text."""


class Stride(Structure):
    """How a record says where the next one begins."""

    _fields_ = (
        *(("at", c_int64), ("other", c_int64), ("added", c_int64)),
        *(("big_endian", c_int32), ("is_pcapng", c_int32)),
    )


class Bounds(Structure):
    """What a pcap record may say, and the time of the one before."""

    _fields_ = (
        *(("unit", c_int64), ("max_captured", c_int64), ("max_wire", c_int64), ("near_s", c_int64)),
        *(("before_s", c_int64), ("has_before", c_int32)),
    )


class Table(Structure):
    """A hash table of addresses."""

    _fields_ = (
        *(("high", c_void_p), ("low", c_void_p), ("codes", c_void_p), ("slots", c_void_p)),
        *(("multipliers", c_uint64 * 3), ("size", c_int64), ("room", c_int64), ("bits", c_int64)),
    )


class Book(Structure):
    """An address book."""

    _fields_ = (("mac", Table), ("ipv4", Table), ("ipv6", Table), ("size", c_int64))


class Within(Structure):
    """The arrays of `Inside`."""

    _fields_ = (
        *(("rows", c_void_p), ("at", c_void_p), ("end", c_void_p), ("wire", c_void_p), ("declared", c_void_p)),
        *(("entry", c_void_p), ("ethertype", c_void_p), ("count", c_int64)),
    )


class Lists(Structure):
    """Tags or labels of all packets."""

    _fields_ = (("offsets", c_void_p), ("words", c_void_p), ("types", c_void_p), ("room", c_int64))


class Level(Structure):
    """A level of encapsulation: what is read of it, and where to."""

    _fields_ = (
        *(("buffer", c_void_p), ("size", c_int64), ("base_offset", c_int64), ("count", c_int64), ("kinds", c_void_p)),
        *(("packets", Within), ("columns", c_void_p * len(COLUMNS)), ("have", c_void_p), ("status", c_void_p)),
        *(("tunnel", c_void_p), ("book", POINTER(Book)), ("tags", Lists), ("labels", Lists), ("quotes", Within)),
        *(("carried", Within), ("digs", c_int32), ("is_quoted", c_int32), ("desk", c_void_p)),
    )


def pointers(arrays: Sequence[Any]) -> Array[c_void_p]:
    """The addresses of numpy arrays, for a function that takes several."""
    return (c_void_p * len(arrays))(*[array.ctypes.data for array in arrays])


_FUNCTIONS = {
    "packets_decode": (c_int64, (POINTER(Level), c_int64)),
    "packets_bitmaps": (None, (c_void_p, c_int64, c_void_p, c_int64, c_void_p, c_void_p)),
    "packets_labels": (c_int64, (POINTER(Book), c_void_p, c_void_p, c_void_p, c_int64, c_int32)),
    "packets_views": (None, (c_void_p, c_int64, c_int64, c_void_p, c_void_p, c_void_p, c_void_p)),
    "packets_walk": (
        c_int64,
        (
            *(c_void_p, c_int64, POINTER(Stride), c_void_p, c_int64, c_void_p, c_void_p, c_void_p, c_int64),
            POINTER(c_int64),
        ),
    ),
    "packets_sound": (c_int64, (c_void_p, c_void_p, c_int64, c_int64, POINTER(Bounds), POINTER(c_int32))),
    "packets_fields": (None, (c_void_p, c_void_p, c_int64, c_int32, c_int32, c_void_p)),
}


@functools.cache
def kernel() -> CDLL | None:
    """The compiled functions; None where the reference engine is to do the work."""
    return kernels.functions("packets", VERSION, _FUNCTIONS)
