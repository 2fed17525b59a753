"""The compiled kernel and the reference engine, asked the same."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from forensics.loaders.captures import (
    _addresses,
    _chain,
    _columns,
    _compiled_engine,
    _headers,
    _numpy_engine,
    _pcap_framing,
)
from forensics.loaders.captures._addresses import AddressBook
from forensics.loaders.captures._block import Block
from forensics.loaders.captures._columns import Columns
from forensics.loaders.captures._container import blocks
from tests.loaders.captures._decoding import COLUMNS


@contextmanager
def reference() -> Iterator[None]:
    """Reading as where nothing is compiled."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (_addresses, _chain, _columns, _headers, _pcap_framing):
            patch.setattr(module, "kernel", lambda: None)
        yield


def same(
    given: Block,
    columns: Sequence[str] = COLUMNS,
    rows: np.ndarray | None = None,  # type: ignore[type-arg]
) -> pl.DataFrame:
    """What both engines say of packets; fails where one says something else."""
    mine = _frame(_compiled_engine.decode, given, columns, rows)
    with reference():
        assert_frame_equal(mine, _frame(_numpy_engine.decode, given, columns, rows))
    return mine


def _frame(engine: _headers.Engine, given: Block, columns: Sequence[str], rows: np.ndarray | None) -> pl.DataFrame:  # type: ignore[type-arg]
    book = AddressBook()
    return Columns(engine(given, rows, frozenset(columns), book), book).frame(columns)


def told(octets: bytes, chunk_bytes: int) -> list[object]:
    """All that a container says, as plain values."""
    found: list[object] = []
    for event in blocks(io.BytesIO(octets), chunk_bytes=chunk_bytes):
        if isinstance(event, Block):
            arrays = (event.start, event.captured, event.wire, event.ts, event.record_offset, event.after_gap)
            found.append([event.base_offset, *(values.tolist() for values in arrays)])
        else:
            found.append(event)
    return found


def same_records(octets: bytes, chunk_bytes: int) -> None:
    """Both walks find the same records and the same damage."""
    mine = told(octets, chunk_bytes)
    with reference():
        assert told(octets, chunk_bytes) == mine, f"chunks of {chunk_bytes} octets"
