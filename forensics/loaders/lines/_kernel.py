"""The compiled kernel for lines (``forensics/kernels/log_lines.c``), called with arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Collection
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from forensics.kernels import Signatures, functions
from forensics.loaders.lines._fields import TEXT_FIELDS, Fields, Stamps
from forensics.loaders.lines._memory import memory, whole_numbers

if TYPE_CHECKING:
    from forensics.loaders.lines._join import Grouping
    from forensics.loaders.lines._text import Bools, Bytes, Ints, Places, Text
    from forensics.loaders.lines._times import Instants, Years

ZERO, ESCAPE, HIGH, NOT_UTF8, OCTAL, RETURN = (1 << bit for bit in range(6))
"""What `split` tells of a chunk: NUL, ESC, octets above 127, octets that are no UTF-8, ``#0`` or ``#1``, CR LF."""
FRAMINGS = (
    *("syslog-traditional", "syslog-precise", "oslo-diablo", "oslo-essex", "oslo-folsom", "oslo-grizzly"),
    *("oslo-havana", "oslo-juno", "oslo-kilo", "oslo-zed", "oslo-devstack", "oslo-bare"),
)
"""In the order of the enumeration in ``log_lines.c``."""
VERSION = 4
"""Of the functions' arguments; a library that was built for another one is not used."""
_BOUNDS = ("start", "end", "raw_start", "raw_end", "buffer_start", "buffer_end", "number")
NUMBERS = ("position", "offset_bytes", "length_bytes", "pid", "n_lines")
"""Columns of numbers that `columns` makes."""
_NUMBERS = ("pid", "framing", "outer_ns", "inner_ns")
_FLAGS = ("header", "context", "trace", "outer_kind", "inner_kind")


class _Fields(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("places", *_NUMBERS, *_FLAGS)),
        ("codes", ctypes.c_int64 * len(FRAMINGS)),
    )


class _Lines(ctypes.Structure):
    _fields_ = (*((name, ctypes.c_void_p) for name in (*_BOUNDS, "pid", "header", "places")), ("count", ctypes.c_int64))


class _Stamps(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("inner_kind", "outer_kind", "inner_ns", "outer_ns")),
        ("count", ctypes.c_int64),
    )


class _Years(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("run", "shift", "good", "told")),
        ("runs", ctypes.c_int64),
    )


class _Instants(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_void_p) for name in ("ts", "outer_at", "known", "outer_known", "basis", "zone", "outer_zone")
    )


class _Columns(ctypes.Structure):
    _fields_ = (
        ("views", ctypes.c_void_p * len(TEXT_FIELDS)),
        ("valid", ctypes.c_void_p * len(TEXT_FIELDS)),
        ("there", ctypes.c_int64 * len(TEXT_FIELDS)),
        *((name, ctypes.c_void_p) for name in (*NUMBERS, "pid_valid")),
        ("pids", ctypes.c_int64),
    )


_POINTER, _NUMBER = ctypes.c_void_p, ctypes.c_int64
FUNCTIONS: Signatures = {
    "log_split": (_NUMBER, [_POINTER, _NUMBER, _NUMBER, _POINTER, _POINTER]),
    "log_views": (_NUMBER, [_POINTER, _NUMBER, _POINTER, _POINTER, _NUMBER, _POINTER, _POINTER]),
    "log_remarks": (_NUMBER, [_POINTER, _NUMBER, _NUMBER, _POINTER]),
    "log_possible": (_NUMBER, [_POINTER, _NUMBER, _POINTER, _POINTER, _POINTER, _NUMBER, _POINTER]),
    "log_headers": (_NUMBER, [_POINTER, _NUMBER, _POINTER, _POINTER, _POINTER, _NUMBER, _POINTER, _POINTER, _POINTER]),
    "log_groups": (_NUMBER, [_POINTER, _POINTER, _POINTER, _NUMBER, _POINTER, _POINTER, _POINTER]),
    "log_messages": (_NUMBER, [_POINTER, _POINTER, _POINTER, _NUMBER, _POINTER, _POINTER, _POINTER]),
    "log_columns": (_NUMBER, [_POINTER, _NUMBER, _POINTER, _POINTER, _POINTER, _NUMBER, _POINTER, _POINTER, _POINTER]),
    "log_runs": (_NUMBER, [_POINTER, _NUMBER, _POINTER, _POINTER]),
    "log_instants": (_NUMBER, [_POINTER, _POINTER, _POINTER]),
    "log_find": (_NUMBER, [_POINTER, _NUMBER, _NUMBER]),
}


@cache
def kernel() -> ctypes.CDLL | None:
    """The functions, with their types; None where the reference engine does the work."""
    return functions("log_lines", VERSION, FUNCTIONS)


def split(library_: ctypes.CDLL, octets: Bytes) -> tuple[Ints, int]:
    """Places of the line feeds, and what else there is (a sum of the flags above)."""
    octets = np.ascontiguousarray(octets)
    flags = ctypes.c_int32()
    room = len(octets) // 32 + 64
    while True:
        (feeds,) = whole_numbers(1, room)
        count = library_.log_split(octets.ctypes.data, len(octets), room, feeds.ctypes.data, ctypes.byref(flags))
        if count <= room:
            return feeds[:count], flags.value
        room = count


def views(library_: ctypes.CDLL, text: Bytes, start: Places, end: Places) -> tuple[Bytes, Bytes, int]:
    """Arrow string views of stretches, their validity bits, and how many are valid."""
    start, end = np.ascontiguousarray(start, np.int64), np.ascontiguousarray(end, np.int64)
    found = np.empty(16 * len(start), np.uint8)
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
    to.places = fields.places.ctypes.data
    to.pid, to.framing = fields.pid.ctypes.data, fields.framing.ctypes.data
    to.outer_ns, to.inner_ns = fields.outer.ns.ctypes.data, fields.inner.ns.ctypes.data
    to.outer_kind, to.inner_kind = fields.outer.kind.ctypes.data, fields.inner.kind.ctypes.data
    to.header, to.context, to.trace = (column.ctypes.data for column in (fields.header, fields.context, fields.trace))
    to.codes[:] = [codes[name] for name in FRAMINGS]
    further, places = whole_numbers(2, len(lines))
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


def groups(library_: ctypes.CDLL, header: Bools, joined: Bools, barrier: Bools) -> tuple[Ints, Ints, Ints]:
    """First and last line of each record, and the lines of none."""
    first, last, lone = whole_numbers(3, len(header))
    flags = (column.ctypes.data for column in (header, joined, barrier))
    counts = library_.log_groups(*flags, len(header), first.ctypes.data, last.ctypes.data, lone.ctypes.data)
    records, others = counts & 0xFFFFFFFF, counts >> 32
    return first[:records], last[:records], lone[:others]


def messages(library_: ctypes.CDLL, text: Text, fields: Fields, records: Grouping) -> tuple[Ints, Ints, Ints]:
    """Where each message starts and ends, and the records of which some lines are still to be joined."""
    lines = _lines(text, fields)
    start, end, odd = whole_numbers(3, len(records.first))
    count = library_.log_messages(
        ctypes.byref(lines), *_of(records), start.ctypes.data, end.ctypes.data, odd.ctypes.data
    )
    if count < 0:
        raise IndexError("a record outside its text")
    return start, end, odd[:count]


def columns(
    library_: ctypes.CDLL,
    text: Text,
    fields: Fields,
    records: Grouping,
    message: tuple[Ints, Ints],
    names: Collection[str],
) -> tuple[dict[str, tuple[Bytes, Bytes, int]], dict[str, npt.NDArray[np.generic]], tuple[Bytes, int]]:
    """Columns of the rows.

    Returns:
        For each text that is asked for its string views, their validity bits, and how many are valid; the columns
        `NUMBERS`; validity and count of process ids.
    """
    count = len(records.first)
    to = _Columns()
    room = memory((16 * len(names) + 36) * count)
    ends = 16 * len(names) * count, (16 * len(names) + 32) * count
    views = room[: ends[0]].reshape(len(names), 16 * count)
    numbers, many = room[ends[0] : ends[1]].view(np.int64).reshape(4, count), room[ends[1] :].view(np.uint32)
    valid = np.zeros((len(names) + 1, (count + 7) // 8), np.uint8)
    made = {name: (views[at], valid[at]) for at, name in enumerate(names)}
    for at, name in enumerate(TEXT_FIELDS):
        if name in made:
            to.views[at], to.valid[at] = (part.ctypes.data for part in made[name])
    found = dict(zip(NUMBERS, (*numbers, many), strict=True))
    for name, column in found.items():
        setattr(to, name, column.ctypes.data)
    to.pid_valid = valid[-1].ctypes.data
    lines = _lines(text, fields)
    start, end = (np.ascontiguousarray(one, np.int64) for one in message)
    done = library_.log_columns(
        text.buffer.ctypes.data,
        len(text.buffer),
        ctypes.byref(lines),
        *_of(records),
        start.ctypes.data,
        end.ctypes.data,
        ctypes.byref(to),
    )
    if done < 0:
        raise IndexError("a stretch outside its text")
    return {name: (*made[name], to.there[TEXT_FIELDS.index(name)]) for name in made}, found, (valid[-1], to.pids)


def _lines(text: Text, fields: Fields) -> _Lines:
    bounds = [getattr(text, name) for name in _BOUNDS]
    assert all(column.flags.c_contiguous and column.dtype == np.int64 for column in bounds)
    places = [column.ctypes.data for column in (*bounds, fields.pid, fields.header, fields.places)]
    return _Lines(*places, len(text))


def _of(records: Grouping) -> tuple[int, int, int]:
    return records.first.ctypes.data, records.last.ctypes.data, len(records.first)


def runs(library_: ctypes.CDLL, inner: Stamps, outer: Stamps, unit: int) -> tuple[Ints, Ints]:
    """The first and last row of each run, and for each row the place of its run's first one among them."""
    stamps, count = _stamps(inner, outer), len(inner.kind)
    few, run = whole_numbers(2, count)
    found = library_.log_runs(ctypes.byref(stamps), unit, few.ctypes.data, run.ctypes.data)
    return few[:found], run


def instants(library_: ctypes.CDLL, inner: Stamps, outer: Stamps, years: Years | None) -> Instants:
    """Wall clocks of rows with their years; no stamp may be in UTC without a year, or without a day."""
    from forensics.loaders.lines._times import Instants

    stamps, count = _stamps(inner, outer), len(inner.kind)
    known = _Years()
    if years is not None:
        columns_ = [years.run, years.shift, years.good, years.told]
        known = _Years(*(column.ctypes.data for column in columns_), len(years.good))
    ts, outer_at = whole_numbers(2, count)
    flags = np.empty((5, count), np.uint8)
    made = _Instants(*(column.ctypes.data for column in (ts, outer_at, *flags)))
    if library_.log_instants(ctypes.byref(stamps), ctypes.byref(known), ctypes.byref(made)) < 0:
        raise IndexError("a row of no run")
    return Instants(ts, outer_at, flags[0].view(np.bool_), flags[1].view(np.bool_), *flags[2:])


def _stamps(inner: Stamps, outer: Stamps) -> _Stamps:
    columns_: list[npt.NDArray[np.generic]] = [inner.kind, outer.kind, inner.ns, outer.ns]
    assert all(column.flags.c_contiguous for column in columns_)
    return _Stamps(*(column.ctypes.data for column in columns_), len(inner.kind))


def find(library_: ctypes.CDLL, octets: Bytes, octet: int) -> int:
    """Where an octet first is; -1 for nowhere."""
    where: int = library_.log_find(octets.ctypes.data, len(octets), octet)
    return where
