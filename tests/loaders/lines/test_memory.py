"""Memory serves again, and never while somebody looks into it."""

import gc

import numpy as np
import pyarrow as pa

from forensics.loaders.lines import _memory
from forensics.loaders.lines._memory import memory, whole_numbers


def address(array: np.ndarray) -> int:
    return array.ctypes.data


def test_what_is_looked_into_serves_nobody_else() -> None:
    first = memory(1 << 20)
    column = pa.Array.from_buffers(pa.int64(), 10, [None, pa.py_buffer(first[80:160].view(np.int64))])
    place = address(first)
    del first
    gc.collect()
    others = [memory(1 << 20) for _ in range(3)]
    assert place not in [address(other) for other in others], "the column still has it"
    for other in others:
        other.fill(255)
    assert column.buffers()[1].address == place + 80
    del column
    gc.collect()
    assert address(memory(1 << 20)) == place, "the pages that are there serve again"


def test_rows_of_numbers_are_apart_and_hold_what_they_share() -> None:
    one, other = whole_numbers(2, 50_000)
    one.fill(1)
    other.fill(2)
    assert one.sum() == 50_000
    place = address(one)
    del other
    gc.collect()
    assert address(memory(800_000)) != place
    assert whole_numbers(3, 0).shape == (3, 0)


def test_what_lies_ready_is_bounded() -> None:
    pieces = [memory(8 << 20) for _ in range(12)]
    del pieces
    gc.collect()
    kept = sum(size * len(spare) for size, spare in _memory._spare.items())
    assert 0 < kept <= 64 << 20
