"""Decoded arrays as polars columns, without a copy where there is one to save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from forensics.loaders.captures._addresses import AddressBook
from forensics.loaders.captures._kernel import kernel
from forensics.loaders.captures._layers import Decoded, Flat, Stack
from forensics.loaders.captures._layouts import (
    LABELLED,
    LIST_TYPES,
    LISTS,
    NAMED,
    PLAIN,
    TAG_LISTS,
    TAGGED,
    TUNNEL,
    WORDS,
    Array,
)

# Arrow arrays are built from buffers: pa.array() and to_numpy() would import pandas, which takes most of a second.
_ARROW: dict[str, Any] = {
    "u1": pa.uint8(),
    "u2": pa.uint16(),
    "u4": pa.uint32(),
    "i8": pa.int64(),
    "?": pa.bool_(),
}
_POLARS: dict[str, Any] = {"u1": pl.UInt8, "u2": pl.UInt16, "u4": pl.UInt32, "i8": pl.Int64, "?": pl.Boolean}
_GROUPS = (
    {name: int(group) for name, (_, group) in PLAIN.items()}
    | dict.fromkeys(TAG_LISTS, int(TAGGED))
    | {"mpls_labels": int(LABELLED)}
)
"""The bit that says where a column holds a value."""
_WORD_LABELS = {name: pl.Series(words, dtype=pl.String) for name, words in WORDS.items()}


def data_type(name: str) -> Any:
    """Polars type of a header column."""
    bare = name.removeprefix("inner_").removeprefix("quoted_")
    if bare in PLAIN:
        return _POLARS[PLAIN[bare][0]]
    if bare in LISTS:
        return pl.List(_POLARS[LIST_TYPES[bare]])
    return pl.String


class Columns:
    """Makes the columns of one decoded level; the bitmaps of null values are made once a group."""

    def __init__(self, decoded: Decoded, book: AddressBook) -> None:
        self.decoded = decoded
        self.book = book
        self._bitmaps: dict[int, tuple[bool, Any]] = {}
        self._deeper: dict[str, tuple[Columns, pl.Series]] = {}

    def frame(self, names: Sequence[str]) -> pl.DataFrame:
        """These columns, in this order."""
        return pl.DataFrame(list(self.columns(names).values()))

    def columns(self, names: Sequence[str]) -> dict[str, pl.Series]:
        """These columns, in this order: what can be made at once for many of them is."""
        decoded = self.decoded
        self._look({_GROUPS[name] for name in names if name in _GROUPS})
        found = imported({name: self._plain(name) for name in names if name in PLAIN}, decoded.size)
        named = {name: decoded.values[name] for name in names if name in NAMED}
        if named:
            found |= self.book.columns(named)
        return {name: found[name] if name in found else self._other(name) for name in names}

    def _other(self, name: str) -> pl.Series:
        decoded = self.decoded
        if name.startswith("quoted_"):
            return self._spread(decoded.quoted, name, "quoted_")
        if name.startswith("inner_"):
            return self._spread(decoded.inner, name, "inner_")
        if name == "decode_status":
            return _WORD_LABELS[name].gather(pl.Series(decoded.status)).alias(name)
        if name == "tunnel":
            known = np.where((decoded.have & TUNNEL) != 0, decoded.tunnel, np.uint8(0))
            return _WORD_LABELS[name].gather(pl.Series(known)).alias(name)
        return self._list(name)

    def _look(self, groups: set[int]) -> None:
        """Find where these groups hold values."""
        missing = sorted(groups - self._bitmaps.keys())
        self._bitmaps |= zip(missing, _bitmaps(self.decoded.have, missing), strict=True)

    def _plain(self, name: str) -> Any:
        kind = PLAIN[name][0]
        values = self.decoded.values[name]
        data = np.packbits(values, bitorder="little") if kind == "?" else values
        _, bitmap = self._bitmaps[_GROUPS[name]]
        return pa.Array.from_buffers(_ARROW[kind], self.decoded.size, [bitmap, pa.py_buffer(data)])

    def _list(self, name: str) -> pl.Series:
        decoded = self.decoded
        group = np.uint32(_GROUPS[name])
        some, bitmap = self._bitmaps[_GROUPS[name]]
        if not some:
            return pl.Series(name, [None], dtype=data_type(name)).new_from_index(0, decoded.size)
        stacks = decoded.labels if name == "mpls_labels" else decoded.tags
        if isinstance(stacks, Flat):
            offsets, values = stacks.offsets, _stack_values(stacks, name)
        else:
            offsets, values = _flattened(stacks, (decoded.have & group) != 0, name)
        kind = _ARROW[LIST_TYPES[name]]
        inside = pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])
        buffers = [bitmap, pa.py_buffer(offsets)]
        return _series(pa.Array.from_buffers(pa.large_list(kind), decoded.size, buffers, children=[inside])).alias(name)

    def _spread(self, deeper: Decoded | None, name: str, prefix: str) -> pl.Series:
        """A column of packets inside packets, at the rows of those that hold them."""
        if deeper is None or deeper.rows is None or not deeper.size:
            return pl.Series(name, [None], dtype=data_type(name)).new_from_index(0, self.decoded.size)
        found = self._deeper.get(prefix)
        if found is None:
            places = np.zeros(self.decoded.size, np.uint32)
            places[deeper.rows] = np.arange(deeper.size, dtype=np.uint32)
            there = np.zeros(self.decoded.size, bool)
            there[deeper.rows] = True
            bitmap = pa.py_buffer(np.packbits(there, bitorder="little"))
            index = pa.Array.from_buffers(pa.uint32(), len(places), [bitmap, pa.py_buffer(places)])
            found = self._deeper[prefix] = (Columns(deeper, self.book), _series(index))
        columns, index = found
        bare = name.removeprefix(prefix)
        return columns.columns([bare])[bare].gather(index).alias(name)


def imported(arrays: Mapping[str, Any], size: int) -> dict[str, pl.Series]:
    """Arrow arrays of this length as columns; one import of all takes a third of the time of many."""
    if not arrays:
        return {}
    kind = pa.struct([(name, array.type) for name, array in arrays.items()])
    whole = _series(pa.Array.from_buffers(kind, size, [None], children=list(arrays.values())))
    return {series.name: series for series in whole.struct.unnest().get_columns()}


def _series(array: Any) -> pl.Series:
    series = pl.from_arrow(array)
    assert isinstance(series, pl.Series)
    return series


def _bitmaps(have: Array, groups: Sequence[int]) -> list[tuple[bool, Any]]:
    """For each group whether any packet has it, and a bitmap of those that have; None where all do."""
    compiled = kernel()
    if compiled is None:
        valid = [(have & np.uint32(group)) != 0 for group in groups]
        bitmaps = [np.packbits(rows, bitorder="little") for rows in valid]
        counts = [int(np.count_nonzero(rows)) for rows in valid]
    else:
        asked, found = np.array(groups, np.uint32), np.empty(len(groups), np.int64)
        made = np.empty((len(groups), (len(have) + 7) // 8), np.uint8)
        compiled.packets_bitmaps(
            *(have.ctypes.data, len(have), asked.ctypes.data, len(asked), made.ctypes.data, found.ctypes.data)
        )
        bitmaps, counts = list(made), found.tolist()
    return [
        (bool(count), None if count == len(have) else pa.py_buffer(bitmap))
        for count, bitmap in zip(counts, bitmaps, strict=True)
    ]


def _flattened(stacks: list[Stack], whole: Array, name: str) -> tuple[Array, Array]:
    """Offsets and values of a list column, from what was found at each depth."""
    depths = np.zeros(len(whole), np.int64)
    for stack in stacks:
        depths[stack.rows] += 1
    depths[~whole] = 0
    offsets = np.zeros(len(whole) + 1, np.int64)
    np.cumsum(depths, out=offsets[1:])
    values = np.zeros(int(offsets[-1]), LIST_TYPES[name])
    for stack in stacks:
        kept = whole[stack.rows]
        places = offsets[stack.rows[kept]] + stack.depth
        values[places] = _stack_values(stack, name)[kept]
    return offsets, values


def _stack_values(stack: Stack | Flat, name: str) -> Array:
    if name == "vlan_tpids":
        assert stack.types is not None
        return stack.types
    if name == "vlan_ids":
        return stack.words & np.uint16(0x0FFF)
    if name == "vlan_priorities":
        return (stack.words >> np.uint16(13)).astype(np.uint8)
    return stack.words
