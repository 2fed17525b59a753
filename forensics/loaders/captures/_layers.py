"""The numpy engine: header after header, each of them for all the packets of a window that have it.

A layer takes one gather: the octets of its header are copied to the rows of a small
dense array, whose fields are strided views. So options, tags, extension headers and
tunnels cost the packets that have them, and no other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from forensics.loaders.captures._addresses import AddressBook
from forensics.loaders.captures._layouts import (
    CUT,
    LENGTH,
    MALFORMED,
    NAMED,
    PLACE,
    PLAIN,
    SLACK,
    Array,
    Rows,
    pick,
)

WINDOW: Final = 32768
"""Packets decoded at once: few enough that what is in the works fits the second-level cache, and as many as that."""


class Octets:
    """A buffer that can be read at many places at once; ``SLACK`` octets must follow the last one that is asked for."""

    def __init__(self, buffer: Array, base_offset: int, origin: int = 0) -> None:
        self.buffer = buffer
        self.base_offset = base_offset
        self.origin = origin
        self._views: dict[int, Array] = {}

    def padded(self, first: int) -> Octets:
        """A copy from this place on, with room behind it; places count as before."""
        tail = self.buffer[first:]
        copy = np.zeros(len(tail) + SLACK, np.uint8)
        copy[: len(tail)] = tail
        return Octets(copy, self.base_offset, first)

    def at(self, places: Array, layout: np.dtype[np.void]) -> Array:
        """The headers that begin at these places, one row each."""
        width = layout.itemsize
        view = self._views.get(width)
        if view is None:
            shape = (len(self.buffer) - width + 1,)
            view = np.ndarray(shape, np.dtype((np.void, width)), self.buffer, 0, (1,))
            self._views[width] = view
        headers: Array = view[places - self.origin if self.origin else places].view(layout)
        return headers


@dataclass(slots=True)
class Inside:
    """Packets inside packets: where they begin, what they begin with, and in which packets they are."""

    rows: Array
    at: Array
    end: Array
    wire: Array
    declared: Array
    entry: Array
    ethertype: Array

    def part(self, window: slice) -> Inside:
        """Those of one window, in arrays that may be written."""
        return Inside(*(getattr(self, name)[window].copy() for name in self.__slots__))

    def first(self, count: int) -> Inside:
        """The first so many."""
        return Inside(*(getattr(self, name)[:count] for name in self.__slots__))

    @classmethod
    def room(cls, count: int) -> Inside:
        """Arrays for so many, not filled."""
        rows, at, end, wire, declared = (np.empty(count, np.int64) for _ in range(5))
        return cls(rows, at, end, wire, declared, np.empty(count, np.uint8), np.empty(count, np.uint16))

    @classmethod
    def joined(cls, parts: list[Inside]) -> Inside:
        """All of them, in the order of the packets that hold them."""
        if not parts:
            return cls.room(0)
        whole = [np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__]
        order = np.argsort(whole[0], kind="stable")
        return cls(*(values[order] for values in whole))


@dataclass(slots=True)
class Stack:
    """Tags or labels of one depth: which packets have one so deep, and what it says."""

    rows: Array
    depth: int
    words: Array
    types: Array | None = None


@dataclass(slots=True)
class Flat:
    """Tags or labels of all packets, the ones of a packet behind those of the packet before."""

    offsets: Array
    """Where each packet's begin, and where the last one's end."""
    words: Array
    types: Array | None = None


@dataclass(slots=True)
class Decoded:
    """The columns of ``size`` packets at one level of encapsulation, as arrays.

    ``have`` says with one bit a group of columns where these hold a value. ``rows``
    are the numbers that the packets have one level further out.
    """

    size: int
    want: frozenset[str]
    rows: Array | None = None
    watches: bool = False
    """Whether the status was asked for: then every header is read, whatever the columns."""
    digs: bool = False
    """Whether tunnels are looked into."""
    is_quoted: bool = False
    values: dict[str, Array] = field(default_factory=dict)
    have: Array = field(default_factory=lambda: np.zeros(0, np.uint32))
    status: Array = field(default_factory=lambda: np.zeros(0, np.uint8))
    tunnel: Array = field(default_factory=lambda: np.zeros(0, np.uint8))
    tags: list[Stack] | Flat = field(default_factory=list)
    labels: list[Stack] | Flat = field(default_factory=list)
    quoted: Decoded | None = None
    inner: Decoded | None = None

    def __post_init__(self) -> None:
        self.have = np.zeros(self.size, np.uint32)
        self.status = np.zeros(self.size, np.uint8)
        self.tunnel = np.zeros(self.size, np.uint8)
        for name in self.want:
            if name in PLAIN:
                self.values[name] = np.zeros(self.size, PLAIN[name][0])
            elif name in NAMED:
                self.values[name] = np.zeros(self.size, np.uint32)


class Level:
    """A window of packets at one level of encapsulation, while its layers are read one after the other.

    All positions are places in the buffer. ``at`` is where the next header begins,
    ``end`` where the captured octets end, ``wire`` where the packet ended on the wire,
    ``declared`` where the headers read so far say that it ends; `ENDLESS` before they say.
    """

    def __init__(self, octets: Octets, decoded: Decoded, first: int, inside: Inside, book: AddressBook) -> None:
        self.octets = octets
        self.decoded = decoded
        self.first = first
        self.book = book
        self.at = inside.at
        self.end = inside.end
        self.wire = inside.wire
        self.declared = inside.declared
        self.stop = np.minimum(self.end, self.declared)
        self.kind = inside.entry
        self.ethertype = inside.ethertype
        self.n = len(self.at)
        self.want = decoded.want
        self.watches = decoded.watches
        self.digs = decoded.digs
        self.quoting = decoded.watches or any(name.startswith("quoted_") for name in decoded.want)
        window = slice(first, first + self.n)
        self.have = decoded.have[window]
        self.status = decoded.status[window]
        self.tunnel = decoded.tunnel[window]
        self.values = {name: values[window] for name, values in decoded.values.items()}
        self.protocol = np.zeros(self.n, np.uint8)
        self.fragmented = np.zeros(self.n, bool)
        self.tags: list[Stack] = []
        self.labels: list[Stack] = []
        self.quotes: list[Inside] = []
        self.tunnelled: list[Inside] = []

    def wants(self, *names: str) -> bool:
        """Whether any of these columns was asked for."""
        return not self.want.isdisjoint(names)

    def headers(self, rows: Rows, layout: np.dtype[np.void]) -> Array:
        """The headers that begin where these packets have been read to."""
        return self.octets.at(self.at[rows], layout)

    def blame(self, rows: Rows, status: Array | int) -> None:
        """Say what is wrong with packets; what was found first stays."""
        before = self.status[rows]
        self.status[rows] = np.where(before == 0, status, before)

    def holds(self, rows: Rows, octets: Array | int) -> Array:
        """Which packets have so many octets more, captured and declared; the others are told why not.

        A packet is malformed where a header would reach beyond the end that another
        one declares, and cut where the capture, or what was on the wire, ends too early.
        """
        until = self.at[rows] + octets
        held: Array = until <= self.stop[rows]
        if not held.all():
            short = pick(rows, ~held)
            self.blame(short, np.where(until[~held] > self.declared[short], MALFORMED, CUT))
        return held

    def holding(self, rows: Rows, octets: int) -> Rows:
        """The packets that have so many octets more."""
        held = self.holds(rows, octets)
        return rows if held.all() else pick(rows, held)

    def narrow(self, rows: Rows, until: Array) -> None:
        """Take over the end that a header declares; reading never goes beyond an end declared further out."""
        self.declared[rows] = until
        self.stop[rows] = np.minimum(self.stop[rows], until)

    def put(self, name: str, rows: Rows, values: Array | int | np.integer) -> None:
        """Fill a column, where it was asked for."""
        column = self.values.get(name)
        if column is not None:
            # a conversion on its own and then a scatter take two thirds of the time of a converting scatter
            column[rows] = values.astype(column.dtype) if isinstance(values, np.ndarray) else values

    def mark(self, rows: Rows, group: np.uint32) -> None:
        """Say that packets have these columns."""
        self.have[rows] |= group

    def step(self, rows: Rows, octets: Array | int) -> None:
        """Go on to what follows a header."""
        self.at[rows] += octets

    def payload(self, rows: Rows, header: Array | int, until: Array | None = None) -> None:
        """Say where the payload begins, after so many octets, and how much the headers say there is.

        Its place is only told where the capture reaches so far.
        """
        if not self.wants("payload_bytes", "payload_offset_bytes"):
            return
        place = self.at[rows] + header
        self.put("payload_bytes", rows, np.maximum((self.declared[rows] if until is None else until) - place, 0))
        captured = place <= self.end[rows]
        if captured.all():
            self.mark(rows, LENGTH | PLACE)
        else:
            self.mark(rows, LENGTH)
            rows, place = pick(rows, captured), place[captured]
            self.mark(rows, PLACE)
        self.put("payload_offset_bytes", rows, place + self.octets.base_offset)

    def inside(self, rows: Rows, at: Array, entry: Array | int, ethertype: Array | int = 0) -> Inside:
        """Packets that these packets carry."""
        numbers = np.arange(self.n, dtype=np.int64)[rows]
        return Inside(
            numbers + self.first,
            at,
            self.end[rows].copy(),
            self.wire[rows].copy(),
            self.declared[rows].copy(),
            np.broadcast_to(np.asarray(entry, np.uint8), len(numbers)).copy(),
            np.broadcast_to(np.asarray(ethertype, np.uint16), len(numbers)).copy(),
        )
