"""The compiled kernel for notifications (``forensics/kernels/json_rows.c``), called with rows of a text."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from forensics.kernels import Signatures, functions
from forensics.loaders.documents._notification_fields import FULL, INSTANTS, PLACES, RARE_NAMES, path_of

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

LEFT, TAKEN, CUT = range(3)
"""What became of a row: left to the reference, taken, sound as far as it goes and too short."""
VERSION = 3
"""Of the functions' arguments; a library that was built for another one is not used."""
SLOTS = (
    "event_type", "publisher_id", "metadata/message_id", "metadata/timestamp", "payload/exception",
    "payload/nova_object.name", "payload/nova_object.data", "payload/nova_object.data/uuid",
    "payload/port/device_owner", "payload/port/device_id", "payload/id", "payload/image_id", "payload/name",
    "payload/instance_id", "payload/instance_uuid", "payload/image_ref_url", "payload/request_spec/instance_uuids",
    "=of_event", "=name_of_image", "=of_usage", "=of_url", "=of_object", "=of_spec", "=of_port", "=key", "=body",
)  # fmt: skip
"""Places that mean something to the kernel, in the order of its enumeration; with ``=`` what it makes of others."""
_LISTED = (
    "fixed_ips/address", "nova_object.data/ip_addresses/nova_object.data/address", "port/fixed_ips/ip_address",
    "floatingip/fixed_ip_address", "fixed_ip", "floating_ip", "fixed_ips/floating_ips/address",
    "floatingip/floating_ip_address", "fixed_ips/vif_mac", "nova_object.data/ip_addresses/nova_object.data/mac",
    "port/mac_address", "fixed_ips/ip_address",
)  # fmt: skip
_OF_OBJECTS = "fixed_ips/floating_ips"
_MEANINGS = (RARE_NAMES, ("model",), ("payload",), ("oslo.message",), ("traits", "payload_encoding"))
_SCALAR, _OBJECT, _LIST = range(3)
_FIRST = ("stamp", "context_stamp", *INSTANTS, "root_gb", "fault", "complaint", "priority")
_MADE = ("priority", "host", "service", "payload", "error")
_OTHERS = tuple(name for name in PLACES if name not in _FIRST)
_TABLE = 1024
_MOST_VALUES = 4096
_VIEW = pa.string_view()
_VIEWS = pa.large_list(_VIEW)
_INSTANT = pa.timestamp("ns", "UTC")


class _Plan(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in (
            "names", "name_at", "meaning", "next", "kind", "slot", "group", "element", "programs", "program_at")),
        *((name, ctypes.c_int32) for name in ("name_count", "slot_count", "program_count")),
        ("table", ctypes.c_uint16 * _TABLE),
    )  # fmt: skip


class _Rows(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in (
            "verdict", "hinted", "views", "valid", "instants", "instants_valid", "root_gb", "root_valid", "versioned")),
        ("ends", ctypes.c_void_p * 2), ("listed", ctypes.c_void_p * 2), ("listed_valid", ctypes.c_void_p * 2),
        ("list_room", ctypes.c_int64), ("heap", ctypes.c_void_p), ("scratch", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("heap_room", "heap_used", "count", "taken")),
        ("odd", ctypes.c_int32),
    )  # fmt: skip


@dataclass(slots=True)
class Read:
    """What the kernel made of some rows.

    ``frame`` has, for each row taken, what a text tells of the columns of `Notification`, ``stated`` and ``context``
    for ``ts``, and ``hinted``: 1 where the payload may hold a secret. A column that no row tells is not there.
    ``odd`` says whether some address is not as RFC 5952 asks.
    """

    verdict: Bytes
    frame: pl.DataFrame
    odd: bool


_POINTER, _NUMBER = ctypes.c_void_p, ctypes.c_int64
FUNCTIONS: Signatures = {
    "json_plan": (_NUMBER, [_POINTER]),
    "json_feeds": (_NUMBER, [_POINTER, _NUMBER, _NUMBER, _POINTER]),
    "json_values": (_NUMBER, [_POINTER, _NUMBER, _NUMBER, _NUMBER, _POINTER, _POINTER]),
    "json_rows": (_NUMBER, [_POINTER, _NUMBER, _POINTER, _POINTER, _NUMBER, ctypes.c_int32, _POINTER, _POINTER]),
}


@cache
def kernel() -> ctypes.CDLL | None:
    """The functions, with their types; None where the reference engine does the work."""
    return functions("json_rows", VERSION, FUNCTIONS)


def feeds(library_: ctypes.CDLL, octets: Bytes) -> Ints:
    """Places of the line feeds."""
    room = len(octets) // 256 + 64
    while True:
        found = np.empty(room, np.int64)
        count: int = library_.json_feeds(octets.ctypes.data, len(octets), room, found.ctypes.data)
        if count <= room:
            return found[:count]
        room = count


@dataclass(slots=True)
class Run:
    """Values one behind the other, as their brackets say; those that are taken are what they seem."""

    start: Ints
    end: Ints
    read: Read

    def first(self, count: int) -> Run:
        """The first of them."""
        verdict = self.read.verdict[:count]
        taken = int(np.count_nonzero(verdict == TAKEN))
        return Run(self.start[:count], self.end[:count], Read(verdict, self.read.frame.head(taken), self.read.odd))


def run(library_: ctypes.CDLL, octets: bytes, at: int) -> Run:
    """Some of the values from a place on; none where what stands there has to be looked at more closely."""
    text = np.frombuffer(octets, np.uint8)
    start, end = np.empty(_MOST_VALUES, np.int64), np.empty(_MOST_VALUES, np.int64)
    places = start.ctypes.data, end.ctypes.data
    count = library_.json_values(text.ctypes.data, len(text), at, _MOST_VALUES, *places)
    start, end = start[:count], end[:count]
    return Run(start, end, read(library_, text, start, end, commas=False))


def read(library_: ctypes.CDLL, text: Bytes, start: Ints, end: Ints, *, commas: bool) -> Read:
    """Read rows of a text.

    Args:
        library_: The functions.
        text: Octets.
        start: Where each row begins in them.
        end: Where it ends.
        commas: Whether commas and blanks behind a row are no part of it.
    """
    count = len(start)
    bits = (count + 7) // 8
    total = int((end - start).sum())
    texts = len(_MADE) + len(_OTHERS)
    room = 8 * count + 64
    to = _Rows(list_room=room, heap_room=min(8 * total + 320, 0x7FFFFFFF))
    kept: dict[str, npt.NDArray[Any]] = {
        "verdict": np.empty(count, np.uint8),
        "hinted": np.empty(count, np.uint8),
        "views": np.zeros((texts, 16 * count), np.uint8),
        "valid": np.zeros((texts, bits), np.uint8),
        "instants": np.zeros((6, count), np.int64),
        "instants_valid": np.zeros((6, bits), np.uint8),
        "root_gb": np.zeros(count, np.uint32),
        "root_valid": np.zeros(bits, np.uint8),
        "versioned": np.zeros(bits, np.uint8),
        "heap": np.empty(to.heap_room, np.uint8),
        "scratch": np.empty(int((end - start).max(initial=0)) + 16, np.uint8),
    }
    for name, array in kept.items():
        setattr(to, name, array.ctypes.data)
    ends, valid = np.empty((2, count + 1), np.int64), np.zeros((2, bits), np.uint8)
    listed = np.empty((2, 16 * room), np.uint8)
    for at in range(2):
        to.ends[at], to.listed[at] = ends[at].ctypes.data, listed[at].ctypes.data
        to.listed_valid[at] = valid[at].ctypes.data
    start, end = np.ascontiguousarray(start, np.int64), np.ascontiguousarray(end, np.int64)
    plan = _plan(library_)
    taken: int = library_.json_rows(
        text.ctypes.data,
        len(text),
        start.ctypes.data,
        end.ctypes.data,
        count,
        commas,
        ctypes.byref(plan.to),
        ctypes.byref(to),
    )
    if taken < 0:
        raise IndexError("a row outside its text")
    heap = pa.py_buffer(kept["heap"][: to.heap_used])
    columns: dict[str, pa.Array] = {}
    for at, name in enumerate((*_MADE, *_OTHERS)):
        if kept["valid"][at].any():
            columns[name] = _array(_VIEW, taken, kept["valid"][at], kept["views"][at], heap)
    for at, name in enumerate(("stated", "context", *INSTANTS)):
        if kept["instants_valid"][at].any():
            columns[name] = _array(_INSTANT, taken, kept["instants_valid"][at], kept["instants"][at])
    for at, name in enumerate(("ips", "macs")):
        if valid[at].any():
            within = _array(_VIEW, int(ends[at, taken]), None, listed[at], heap)
            columns[name] = _array(_VIEWS, taken, valid[at], ends[at], children=[within])
    columns["root_gb"] = _array(pa.uint32(), taken, kept["root_valid"], kept["root_gb"])
    columns["versioned"] = _array(pa.bool_(), taken, None, kept["versioned"])
    columns["hinted"] = _array(pa.uint8(), taken, None, kept["hinted"])
    frame = pl.from_arrow(pa.RecordBatch.from_arrays(list(columns.values()), list(columns)))
    assert isinstance(frame, pl.DataFrame)
    return Read(kept["verdict"], frame, bool(to.odd))


def _array(
    kind: pa.DataType, count: int, *buffers: npt.NDArray[Any] | pa.Buffer | None, children: list[pa.Array] | None = None
) -> pa.Array:
    parts = [pa.py_buffer(one) if isinstance(one, np.ndarray) else one for one in buffers]
    return pa.Array.from_buffers(kind, count, parts, children=children)


@dataclass(frozen=True, slots=True)
class _Compiled:
    to: _Plan
    arrays: tuple[npt.NDArray[Any], ...]
    """What the pointers point to."""


@cache
def _plan(library_: ctypes.CDLL) -> _Compiled:
    """The places of `PLACES` as the kernel walks them."""
    slots = list(SLOTS)
    programs = [list(_program(PLACES[name], slots)) for name in (*_FIRST, *_OTHERS)]
    tree = _Tree()
    for at, slot in enumerate(slots):
        if slot[0] != "=":
            tree.leaf(slot).slot = at
    for at, path in enumerate(_LISTED):
        tree.leaf(f"payload/{path}").group = at
    tree.place(f"payload/{_OF_OBJECTS}").group = len(_LISTED)
    names = list(dict.fromkeys([*tree.names(), *(name for some in _MEANINGS for name in some)]))
    octets = [name.encode() for name in names]
    next_ = np.full((len(tree.places), len(names)), -1, np.int16)
    for place in tree.places:
        for name, to in place.inner.items():
            next_[place.number, names.index(name)] = to
    meaning = np.zeros(len(names), np.uint8)
    for at, some in enumerate(_MEANINGS, 1):
        meaning[[names.index(name) for name in some]] = at
    arrays: tuple[npt.NDArray[Any], ...] = (
        np.frombuffer(b"".join(octets), np.uint8),
        np.cumsum([0, *map(len, octets)], dtype=np.int32),
        meaning,
        next_,
        np.array([place.kind for place in tree.places], np.uint8),
        *(np.array([getattr(place, name) for place in tree.places], np.int16) for name in ("slot", "group", "element")),
        np.array([slot for program in programs for slot in program], np.int16),
        np.cumsum([0, *map(len, programs)], dtype=np.int32),
    )
    plan = _Plan(*(array.ctypes.data for array in arrays), len(names), len(slots), len(programs))
    if not library_.json_plan(ctypes.byref(plan)):
        raise ValueError("more places than the kernel has room for")
    return _Compiled(plan, arrays)


def _program(places: str, slots: list[str]) -> Iterator[int]:
    """Slots of the places of a column, in their order; what stands beside the text is not for the kernel."""
    own = {"=event": "event_type", "=publisher": "publisher_id"}
    for place in places.split():
        name = own.get(place) or (place[1:] if place[0] == "=" and place[1:] in FULL else path_of(place))
        if name[0] == "=" and name not in slots:
            continue
        if name not in slots:
            slots.append(name)
        yield slots.index(name)


@dataclass(slots=True)
class _Place:
    number: int
    kind: int
    inner: dict[str, int]
    slot: int = -1
    group: int = -1
    element: int = -1


class _Tree:
    """Places of `FULL`, as far as somebody asks for them."""

    def __init__(self) -> None:
        self.places = [_Place(0, _OBJECT, {})]
        self._types: list[Any] = [pl.Struct(dict(FULL))]

    def names(self) -> list[str]:
        return [name for place in self.places for name in place.inner]

    def place(self, path: str) -> _Place:
        """The place at the end of a path; lists on the way are entered."""
        at = self.places[0]
        for name in path.split("/"):
            at = self._element(at) if at.kind == _LIST else at
            if name not in at.inner:
                fields = {field.name: field.dtype for field in self._types[at.number].fields}
                at.inner[name] = self._add(fields[name]).number
            at = self.places[at.inner[name]]
        return at

    def leaf(self, path: str) -> _Place:
        """The same; of a list its elements."""
        at = self.place(path)
        return self._element(at) if at.kind == _LIST else at

    def _element(self, of: _Place) -> _Place:
        if of.element < 0:
            of.element = self._add(self._types[of.number].inner).number
        return self.places[of.element]

    def _add(self, kind: Any) -> _Place:
        number = _OBJECT if isinstance(kind, pl.Struct) else _LIST if isinstance(kind, pl.List) else _SCALAR
        self.places.append(_Place(len(self.places), number, {}))
        self._types.append(kind)
        return self.places[-1]
