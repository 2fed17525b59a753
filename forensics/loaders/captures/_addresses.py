"""Addresses as text: each distinct one is written once, and rows point to it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ctypes import CDLL, byref, c_uint64
from ipaddress import IPv6Address
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa

from forensics.loaders.captures._kernel import NAME_OCTETS, kernel, pointers
from forensics.loaders.captures._kernel import Book as BookOfC
from forensics.loaders.captures._kernel import Table as TableOfC
from forensics.loaders.captures._layouts import Array

CAPACITY: Final = 1 << 18
"""Labels that a book keeps before it starts anew: a scan over random addresses must not grow memory."""
TEXT_BYTES: Final = 1 << 20
"""Text of labels is written into pieces of so many octets, or more."""

_NO_KEY: Final = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_LOAD: Final = 4  # slots for each label: chains stay short
_SPARE: Final = 64  # new labels that a table lent to the compiled engine has room for at least


class _Table:
    """Open-addressing hash table over keys of one or two 64-bit words, probed for many keys at once.

    The multipliers are drawn anew for each table, so that no capture can be made to collide.
    """

    def __init__(self, words: int) -> None:
        self.words = words
        # place 0 is what an empty slot points to: code 0, and a key that no address of one word has
        self.keys = [np.full(1024, _NO_KEY) for _ in range(words)]
        self.codes = np.zeros(1024, np.uint32)
        self.size = 1
        seed = np.frombuffer(os.urandom(8 * (words + 1)), np.uint64)
        self.multipliers = seed | np.uint64(1)
        self._resize(12)

    def _resize(self, bits: int) -> None:
        self.bits = bits
        self.slots = np.zeros(1 << bits, np.uint32)  # places in keys; 0 is an empty slot
        self._settle(np.arange(1, self.size, dtype=np.uint32))

    def _hash(self, keys: list[Array]) -> Array:
        mixed = keys[0] * self.multipliers[0]
        for key, multiplier in zip(keys[1:], self.multipliers[1:], strict=False):
            mixed ^= mixed >> np.uint64(32)
            mixed += key * multiplier
        mixed ^= mixed >> np.uint64(29)
        mixed *= self.multipliers[-1]
        mixed >>= np.uint64(64 - self.bits)
        hashed: Array = mixed.view(np.int64)
        return hashed

    def _settle(self, places: Array) -> None:
        """Give each of these distinct keys a slot."""
        slot = self._hash([key[places] for key in self.keys])
        last = np.int64(len(self.slots) - 1)
        while len(places):
            free = self.slots[slot] == 0
            self.slots[slot[free]] = places[free]
            left = self.slots[slot] != places  # another key was written there
            places, slot = places[left], (slot[left] + 1) & last

    def find(self, keys: list[Array]) -> tuple[Array, Array]:
        """Codes of keys, 0 where a key is not in the table, and the places of those that are not."""
        slot = self._hash(keys)
        place = self.slots.take(slot)
        known = self._equal(place, keys)
        codes = self.codes.take(place)
        if known.all():
            return codes, np.zeros(0, np.int64)
        pending = np.flatnonzero(~known)
        codes[pending] = 0
        slot, place = slot[pending], place[pending]
        missing = [pending[place == 0]]
        last = np.int64(len(self.slots) - 1)
        while len(pending):
            on = place != 0  # another key has this slot: look at the next
            pending, slot = pending[on], (slot[on] + 1) & last
            place = self.slots.take(slot)
            known = self._equal(place, [key[pending] for key in keys])
            codes[pending[known]] = self.codes[place[known]]
            pending, slot, place = pending[~known], slot[~known], place[~known]
            missing.append(pending[place == 0])
        return codes, np.concatenate(missing)

    def _equal(self, place: Array, keys: list[Array]) -> Array:
        same: Array = self.keys[0].take(place) == keys[0]
        for mine, theirs in zip(self.keys[1:], keys[1:], strict=True):
            same &= mine.take(place) == theirs
            same &= place != 0
        return same

    def add(self, keys: list[Array], codes: Array) -> None:
        """Keep distinct keys that are not in the table."""
        total = self.size + len(codes)
        if total > len(self.codes):
            self._lengthen(max(total, 2 * len(self.codes)))
        for mine, new in zip(self.keys, keys, strict=True):
            mine[self.size : total] = new
        self.codes[self.size : total] = codes
        places = np.arange(self.size, total, dtype=np.uint32)
        self.size = total
        if total * _LOAD > len(self.slots):
            self._resize(int(total * 2 * _LOAD - 1).bit_length())
        else:
            self._settle(places)

    def _lengthen(self, room: int) -> None:
        self.keys = [np.resize(key, room) for key in self.keys]
        self.codes = np.resize(self.codes, room)

    def of_c(self) -> TableOfC:
        """The table for the compiled engine, with room for some more keys."""
        if self.size + _SPARE > len(self.codes):
            self._lengthen(2 * len(self.codes))
        if (self.size + _SPARE) * _LOAD > len(self.slots):
            self._resize(self.bits + 1)
        low = self.keys[1].ctypes.data if self.words > 1 else None
        first, *_, last = self.multipliers.tolist()
        return TableOfC(
            *(self.keys[0].ctypes.data, low, self.codes.ctypes.data, self.slots.ctypes.data),
            *((c_uint64 * 3)(first, int(self.multipliers[1]), last), self.size),
            *(min(len(self.codes), len(self.slots) // _LOAD), self.bits),
        )


class AddressBook:
    """Labels of all addresses that a scan has met; one book serves one scan and one thread.

    A code is a row of `labels`; code 0 is null. Codes hold until the next `turn`.

    Examples:
        >>> book = AddressBook()
        >>> codes = book.ipv4(np.array([0x0A000001, 0, 0x0A000001], np.uint64))
        >>> book.column(codes, "src").to_list()
        ['10.0.0.1', '0.0.0.0', '10.0.0.1']
        >>> book.column(book.mac(np.array([0xFA163E000001], np.uint64)), "eth_src").item()
        'fa:16:3e:00:00:01'
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self._begin()

    def _begin(self) -> None:
        self.labels = pl.Series([None], dtype=pl.String)
        self._views = np.zeros((1024, 2), np.uint64)
        self._texts = [np.empty(0, np.uint8)]
        self._used = 0
        self._labelled = self.size = 1
        self._tables = {"ipv4": _Table(1), "ipv6": _Table(2), "mac": _Table(1)}
        self._written = dict.fromkeys(self._tables, 1)

    def turn(self) -> None:
        """Say that no code given out so far will be used again; forgets all where the book is full."""
        if self.size > self.capacity:
            self._begin()

    def ipv4(self, words: Array) -> Array:
        """Codes of IPv4 addresses given as 64-bit words."""
        return self._codes("ipv4", [words])

    def ipv6(self, high: Array, low: Array) -> Array:
        """Codes of IPv6 addresses given as two 64-bit words each."""
        return self._codes("ipv6", [high, low])

    def mac(self, words: Array) -> Array:
        """Codes of hardware addresses given in the lower 48 bits of words."""
        return self._codes("mac", [words])

    def _codes(self, kind: str, keys: list[Array]) -> Array:
        table = self._tables[kind]
        codes, missing = table.find(keys)
        if len(missing):
            fresh, inverse = _distinct([key[missing] for key in keys])
            named = np.arange(self.size, self.size + len(fresh[0]), dtype=np.uint32)
            table.add(fresh, named)
            self.size += len(named)
            codes[missing] = named[inverse]
        return codes

    @contextmanager
    def lent(self) -> Iterator[BookOfC]:
        """The book for the compiled engine, which adds addresses to it."""
        tables = {kind: table.of_c() for kind, table in self._tables.items()}
        book = BookOfC(size=self.size, **tables)
        yield book
        self.size = book.size
        for kind, table in self._tables.items():
            table.size = getattr(book, kind).size

    def _write(self) -> None:
        """Make the labels of new codes, which follow those that there are."""
        self.labels = pl.concat([self.labels, self._fresh(self._labelled)], rechunk=True)
        self._labelled = self.size
        self._written = {kind: table.size for kind, table in self._tables.items()}

    def _write_views(self, compiled: CDLL) -> None:
        """The same for views, by the kernel; what is written once stays, for columns look into it."""
        if self.size > len(self._views):
            self._views = np.resize(self._views, (2 * self.size, 2))
        most = (self.size - self._labelled) * NAME_OCTETS
        if self._used + most > len(self._texts[-1]):
            self._texts.append(np.zeros(max(most, TEXT_BYTES), np.uint8))
            self._used = 0
        written = np.array([self._written[kind] for kind in ("mac", "ipv4", "ipv6")], np.int64)
        with self.lent() as lent:
            self._used = compiled.packets_labels(
                *(byref(lent), written.ctypes.data, self._views.ctypes.data),
                *(self._texts[-1].ctypes.data, self._used, len(self._texts) - 1),
            )
        self._labelled = self.size
        self._written = {kind: table.size for kind, table in self._tables.items()}

    def _fresh(self, first: int) -> pl.Series:
        """The labels from this code on: one call a kind, then each to its place."""
        labels = []
        order = np.empty(self.size - first, np.uint32)
        done = 0
        for kind, table in self._tables.items():
            mine = slice(self._written[kind], table.size)
            codes = table.codes[mine]
            if len(codes):
                labels.append(_WRITERS[kind]([key[mine] for key in table.keys]))
                order[codes.astype(np.int64) - first] = np.arange(done, done + len(codes), dtype=np.uint32)
                done += len(codes)
        return pl.concat(labels, rechunk=True).gather(pl.Series(order))

    def column(self, codes: Array, name: str) -> pl.Series:
        """The labels of codes, as a String column."""
        return self.columns({name: codes})[name]

    def columns(self, codes: Mapping[str, Array]) -> dict[str, pl.Series]:
        """The same for several columns of equal length."""
        compiled = kernel()
        if self.size > self._labelled:
            self._write() if compiled is None else self._write_views(compiled)
        if compiled is None:
            return {name: self.labels.gather(pl.Series(column)).alias(name) for name, column in codes.items()}
        given, count = list(codes.values()), len(next(iter(codes.values()), ()))
        views = [np.empty((count, 2), np.uint64) for _ in given]
        bitmaps, known = np.empty((len(given), (count + 7) // 8), np.uint8), np.empty(len(given), np.int64)
        compiled.packets_views(
            *(pointers(given), count, len(given), self._views.ctypes.data),
            *(pointers(views), bitmaps.ctypes.data, known.ctypes.data),
        )
        return {
            name: _series(pa.string_view(), count, [None if some == count else bitmap, view, *self._texts]).alias(name)
            for name, view, bitmap, some in zip(codes, views, bitmaps, known.tolist(), strict=True)
        }


def _distinct(keys: list[Array]) -> tuple[list[Array], Array]:
    if len(keys) == 1:
        fresh, inverse = np.unique(keys[0], return_inverse=True)
        return [fresh], inverse
    order = np.lexsort(keys[::-1])
    ordered = [key[order] for key in keys]
    first = np.ones(len(order), bool)
    first[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in ordered])
    inverse = np.empty(len(order), np.int64)
    inverse[order] = np.cumsum(first) - 1
    return [key[first] for key in ordered], inverse


def _table_of(texts: list[str]) -> tuple[Array, Array]:
    """Characters of texts in rows of equal width, and how long each of them is."""
    width = max(len(text) for text in texts)
    characters = np.frombuffer("".join(text.ljust(width) for text in texts).encode(), np.uint8)
    return characters.reshape(-1, width), np.array([len(text) for text in texts], np.uint8)


_DECIMAL = _table_of([f"{value}." for value in range(256)])
_HEXADECIMAL = _table_of([f"{value:02x}:" for value in range(256)])


def _joined(words: Array, octets: int, table: tuple[Array, Array]) -> pl.Series:
    """Each octet of the words as the table writes it, without the separator after the last one."""
    characters, lengths = table
    parts = words.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - octets :]
    long = lengths.take(parts)
    kept = np.arange(characters.shape[1], dtype=np.uint8) < long[:, :, None]
    kept[np.arange(len(parts)), -1, long[:, -1].astype(np.int64) - 1] = False
    offsets = np.zeros(len(parts) + 1, np.int64)
    np.cumsum(long.sum(axis=1, dtype=np.int64) - 1, out=offsets[1:])
    text = characters[parts][kept]
    return _strings(text, offsets)


def _strings(text: Array, offsets: Array) -> pl.Series:
    return _series(pa.large_string(), len(offsets) - 1, [None, offsets, text])


def _series(kind: pa.DataType, size: int, buffers: list[Array | None]) -> pl.Series:
    given = [None if buffer is None else pa.py_buffer(buffer) for buffer in buffers]
    series = pl.from_arrow(pa.Array.from_buffers(kind, size, given))
    assert isinstance(series, pl.Series)
    return series


def _write_ipv4(keys: list[Array]) -> pl.Series:
    return _joined(keys[0], 4, _DECIMAL)


def _write_mac(keys: list[Array]) -> pl.Series:
    return _joined(keys[0], 6, _HEXADECIMAL)


def _write_ipv6(keys: list[Array]) -> pl.Series:
    octets = np.stack(keys, axis=1).astype(">u8").tobytes()
    return pl.Series([ipv6_text(octets[at : at + 16]) for at in range(0, len(octets), 16)], dtype=pl.String)


def ipv6_text(octets: bytes) -> str:
    r"""An IPv6 address as RFC 5952 writes it.

    Only the prefix that RFC 5952 section 5 knows, ``::ffff:0:0/96``, ends in dotted
    digits; the C library would write ``::1:2`` so as well.

    Examples:
        >>> ipv6_text(bytes(12) + bytes([0, 1, 0, 2])), ipv6_text(bytes(10) + b"\xff\xff" + bytes([10, 0, 0, 1]))
        ('::1:2', '::ffff:10.0.0.1')
    """
    text = socket.inet_ntop(socket.AF_INET6, octets)
    if "." in text and not octets.startswith(b"\0" * 10 + b"\xff\xff"):
        return IPv6Address(octets).compressed
    return text


_WRITERS = {"ipv4": _write_ipv4, "ipv6": _write_ipv6, "mac": _write_mac}
