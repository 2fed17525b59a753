"""Rows of Packet from the blocks of a capture: what the container says, and what the headers say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa

from forensics.errors import UnknownColumnError
from forensics.loaders.captures._addresses import AddressBook
from forensics.loaders.captures._block import LINK_TYPE_UNKNOWN, Block
from forensics.loaders.captures._headers import decoded
from forensics.loaders.captures._layouts import HEADER_COLUMNS, Array
from forensics.records import Packet

ROWS: Final = 1 << 15
"""Packets in one frame at most: a chunk full of tiny packets must not become a huge frame."""

_ROW_ARRAYS: Final = (
    *("start", "captured", "wire", "ts", "record_offset", "record_length"),
    *("position", "link_type", "interface_id", "after_gap"),
)

NAMES: Final = tuple(Packet.polars_schema().names())


@dataclass(frozen=True, slots=True)
class Place:
    """What every row of a capture is told: the file it comes from, and the point where it was taken."""

    source: str
    capture_point: str | None


def known(names: Sequence[str], where: str | None = None) -> None:
    """Refuse names of columns that Packet does not have."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        columns = ", ".join(NAMES)
        raise UnknownColumnError(f"no column {', '.join(unknown)}", where=where, hint=f"the columns are {columns}")


def parts(block: Block) -> Iterator[Block]:
    """The packets of a block, in blocks of no more than `ROWS`; nothing is copied."""
    if len(block) <= ROWS:
        yield block
        return
    for row in range(0, len(block), ROWS):
        yield _part(block, slice(row, row + ROWS))


def first(block: Block, rows: int) -> Block:
    """The first packets of a block."""
    return block if len(block) <= rows else _part(block, slice(0, rows))


def _part(block: Block, rows: slice) -> Block:
    arrays = {name: getattr(block, name)[rows] for name in _ROW_ARRAYS}
    valid = block.ts_valid if block.ts_valid is None else block.ts_valid[rows]
    comments = {row - rows.start: text for row, text in block.comments.items() if rows.start <= row < rows.stop}
    return replace(block, ts_valid=valid, comments=comments, **arrays)


def frame(block: Block, place: Place, names: Sequence[str], rows: Array | None, book: AddressBook) -> pl.DataFrame:
    """These columns of packets, in this order; all packets of the block where ``rows`` is None."""
    headers = [name for name in names if name in HEADER_COLUMNS]
    found = decoded(block, headers, rows, book) if headers else {}
    container = _Container(block, place, rows)
    return pl.DataFrame([found[name] if name in found else container.column(name) for name in names])


class _Container:
    """The columns that need no header."""

    def __init__(self, block: Block, place: Place, rows: Array | None) -> None:
        self.block = block
        self.place = place
        self.rows = rows
        self.size = len(block) if rows is None else len(rows)

    def column(self, name: str) -> pl.Series:
        block = self.block
        values: Array
        match name:
            case "ts":
                return self._instants()
            case "source":
                return self._labels([self.place.source], np.zeros(self.size, np.uint32), name)
            case "host":
                return self._labels(self._hosts(), self._taken(block.interface_id), name)
            case "interface":
                return self._labels(block.interface, self._taken(block.interface_id), name)
            case "position":
                values = block.position
            case "offset_bytes":
                values = block.record_offset
            case "length_bytes":
                values = block.record_length
            case "interface_id":
                values = block.interface_id
            case "wire_bytes":
                values = block.wire.astype(np.uint32)
            case "captured_bytes":
                values = block.captured.astype(np.uint32)
            case "after_gap":
                values = block.after_gap
            case "link_type":
                values = block.link_type
            case "comment":
                return self._comments()
            case _:
                raise UnknownColumnError(f"no column {name}", hint=f"the columns are {', '.join(NAMES)}")
        series = pl.Series(name, self._taken(values))
        if name == "link_type" and (values == LINK_TYPE_UNKNOWN).any():
            return series.set(series == LINK_TYPE_UNKNOWN, None)
        return series

    def _taken(self, values: Array) -> Array:
        return values if self.rows is None else values[self.rows]

    def _instants(self) -> pl.Series:
        values = np.ascontiguousarray(self._taken(self.block.ts))
        bitmap = None
        if self.block.ts_valid is not None:
            bitmap = pa.py_buffer(np.packbits(self._taken(self.block.ts_valid), bitorder="little"))
        # from buffers: pa.array() would import pandas, which takes most of a second
        array = pa.Array.from_buffers(pa.timestamp("ns", "UTC"), self.size, [bitmap, pa.py_buffer(values)])
        series = pl.from_arrow(array)
        assert isinstance(series, pl.Series)
        return series.alias("ts")

    def _hosts(self) -> list[str | None]:
        """The capture point of each interface: a file with several interfaces is several points."""
        point = self.place.capture_point
        interfaces = self.block.interface
        if len(interfaces) < 2:
            return [point] * max(len(interfaces), 1)
        suffixes = [name or str(number) for number, name in enumerate(interfaces)]
        return [f"{point}/{suffix}" if point else suffix for suffix in suffixes]

    def _labels(self, labels: Sequence[str | None], codes: Array, name: str) -> pl.Series:
        # polars' gather wants what numpy calls contiguous
        return pl.Series(name, labels or [None], dtype=pl.String).gather(pl.Series(np.ascontiguousarray(codes)))

    def _comments(self) -> pl.Series:
        """Comments are rare: a label each, and code 0 for the packets without."""
        codes = np.zeros(len(self.block), np.uint32)
        labels: list[str | None] = [None]
        for row, text in self.block.comments.items():
            codes[row] = len(labels)
            labels.append(text)
        return self._labels(labels, self._taken(codes), "comment")
