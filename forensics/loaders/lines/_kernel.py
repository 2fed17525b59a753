"""The compiled kernel for lines (``forensics/kernels/log_lines.c``), called with arrays."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from forensics.kernels import library
from forensics.loaders.lines._fields import TEXT_FIELDS, Fields

if TYPE_CHECKING:
    from forensics.loaders.lines._text import Bytes, Ints, Text

ZERO, ESCAPE, HIGH, NOT_UTF8, OCTAL, RETURN = (1 << bit for bit in range(6))
"""What `split` tells of a chunk: NUL, ESC, octets above 127, octets that are no UTF-8, ``#0`` or ``#1``, CR LF."""
FRAMINGS = (
    *("syslog-traditional", "syslog-precise", "oslo-diablo", "oslo-essex", "oslo-folsom", "oslo-grizzly"),
    *("oslo-havana", "oslo-juno", "oslo-kilo", "oslo-zed", "oslo-devstack", "oslo-bare"),
)
"""In the order of the enumeration in ``log_lines.c``."""
VERSION = 3
"""Of the functions' arguments; a library that was built for another one is not used."""
_NUMBERS = ("pid", "framing", "outer_ns", "inner_ns")
_FLAGS = ("header", "context", "trace", "outer_kind", "inner_kind")


class _Fields(ctypes.Structure):
    _fields_ = (
        ("start", ctypes.c_void_p * len(TEXT_FIELDS)),
        ("end", ctypes.c_void_p * len(TEXT_FIELDS)),
        *((name, ctypes.c_void_p) for name in (*_NUMBERS, *_FLAGS)),
        ("codes", ctypes.c_int64 * len(FRAMINGS)),
    )


@cache
def kernel() -> ctypes.CDLL | None:
    """The functions, with their types; None where the reference engine does the work."""
    found = library()
    if found is None or not hasattr(found, "log_lines_version") or found.log_lines_version() != VERSION:
        return None
    return typed(found)


def typed(found: ctypes.CDLL) -> ctypes.CDLL:
    """The library, its functions knowing their arguments."""
    place, number = ctypes.c_void_p, ctypes.c_int64
    for name, arguments in (
        ("log_split", [place, number, number, place, place]),
        ("log_views", [place, number, place, place, number, place, place]),
        ("log_remarks", [place, number, number, place]),
        ("log_possible", [place, number, place, place, place, number, place]),
        ("log_headers", [place, number, place, place, place, number, place, place, place]),
    ):
        function = getattr(found, name)
        function.argtypes, function.restype = arguments, number
    return found


def split(library_: ctypes.CDLL, octets: Bytes) -> tuple[Ints, int]:
    """Places of the line feeds, and what else there is (a sum of the flags above)."""
    octets = np.ascontiguousarray(octets)
    flags = ctypes.c_int32()
    room = len(octets) // 32 + 64
    while True:
        feeds = np.empty(room, np.int64)
        count = library_.log_split(octets.ctypes.data, len(octets), room, feeds.ctypes.data, ctypes.byref(flags))
        if count <= room:
            return feeds[:count], flags.value
        room = count


def views(
    library_: ctypes.CDLL, text: Bytes, start: Ints, end: Ints, found: Bytes | None = None
) -> tuple[Bytes, Bytes, int]:
    """Arrow string views of stretches, their validity bits, and how many are valid; written to ``found`` if given."""
    start, end = np.ascontiguousarray(start, np.int64), np.ascontiguousarray(end, np.int64)
    found = np.empty(16 * len(start), np.uint8) if found is None else found
    valid = np.zeros((len(start) + 7) // 8, np.uint8)
    count = library_.log_views(
        text.ctypes.data,
        len(text),
        start.ctypes.data,
        end.ctypes.data,
        len(start),
        found.ctypes.data,
        valid.ctypes.data,
    )
    if count < 0:
        raise IndexError("a stretch outside its text")
    return found, valid, count


def remarks(library_: ctypes.CDLL, text: Bytes) -> Ints:
    """Places, in order, of three octets that each word of ``_losses.py`` has, and each message about a repetition."""
    room = 4096
    while True:
        places = np.empty(room, np.int64)
        count = library_.log_remarks(text.ctypes.data, len(text), room, places.ctypes.data)
        if count <= room:
            return places[:count]
        room = count


def possible(library_: ctypes.CDLL, text: Text, lines: Ints) -> Bytes:
    """1 for lines that some pattern may claim, 2 for those that may be a remark or a prompt, 3 for both."""
    lines = np.ascontiguousarray(lines, np.int64)
    found = np.empty(len(lines), np.uint8)
    done = library_.log_possible(
        text.buffer.ctypes.data,
        len(text.buffer),
        text.start.ctypes.data,
        text.end.ctypes.data,
        lines.ctypes.data,
        len(lines),
        found.ctypes.data,
    )
    if done < 0:
        raise IndexError("a line outside its text")
    return found


def headers(
    library_: ctypes.CDLL, text: Text, fields: Fields, lines: Ints, codes: dict[str, int]
) -> tuple[tuple[Ints, Ints], tuple[Ints, Ints]]:
    """Read the headers that the kernel knows.

    Returns:
        Lines of which the patterns are to read on, and from where: those read up to the host name, and those read up
        to a tag.
    """
    lines = np.ascontiguousarray(lines, np.int64)
    to = _Fields()
    arrays = [fields.start, fields.end]
    for target, columns in zip((to.start, to.end), arrays, strict=True):
        for at, name in enumerate(TEXT_FIELDS):
            target[at] = columns[name].ctypes.data
    to.pid, to.framing = fields.pid.ctypes.data, fields.framing.ctypes.data
    to.outer_ns, to.inner_ns = fields.outer.ns.ctypes.data, fields.inner.ns.ctypes.data
    to.outer_kind, to.inner_kind = fields.outer.kind.ctypes.data, fields.inner.kind.ctypes.data
    to.header, to.context, to.trace = (column.ctypes.data for column in (fields.header, fields.context, fields.trace))
    to.codes[:] = [codes[name] for name in FRAMINGS]
    further, places = np.empty((2, len(lines)), np.int64)
    counts = library_.log_headers(
        text.buffer.ctypes.data,
        len(text.buffer),
        text.start.ctypes.data,
        text.end.ctypes.data,
        lines.ctypes.data,
        len(lines),
        ctypes.byref(to),
        further.ctypes.data,
        places.ctypes.data,
    )
    if counts < 0:
        raise IndexError("a line outside its text")
    front, back = counts & 0xFFFFFFFF, counts >> 32
    behind = slice(len(lines) - 1, len(lines) - back - 1 if back < len(lines) else None, -1)
    return (further[:front], places[:front]), (further[behind], places[behind])
