"""A chunk's memory is used again only when nothing looks into it any more."""

from __future__ import annotations

import io

import numpy as np
import pytest

from forensics.loaders.captures._window import Window

CHUNK = 4096


def window() -> Window:
    octets = np.repeat(np.arange(64, dtype=np.uint8), CHUNK).tobytes()
    found = Window(io.BytesIO(octets), CHUNK)
    found.advance(0)
    return found


def address(array: np.ndarray) -> int:  # type: ignore[type-arg]
    return array.ctypes.data


def test_memory_that_nobody_looks_into_serves_the_next_chunks() -> None:
    read, places = window(), set()
    while not read.ended:
        places.add(address(read.buffer))
        read.advance(len(read))
    assert len(places) == 2


@pytest.mark.parametrize(
    "look",
    [
        lambda buffer: buffer,
        lambda buffer: buffer[10:20],
        lambda buffer: buffer[10:20][2:9].view(np.int8),
        lambda buffer: memoryview(buffer)[3:],
        lambda buffer: np.ndarray((64,), "V16", buffer, 0, (1,)),
        lambda buffer: np.lib.stride_tricks.as_strided(buffer[5:], (4, 4), (7, 1)),
    ],
)
def test_whatever_looks_into_a_chunk_keeps_its_octets(look) -> None:  # type: ignore[no-untyped-def]
    read = window()
    kept = look(read.buffer)
    before = bytes(kept)
    for _ in range(8):
        read.advance(len(read))
    assert bytes(kept) == before
    assert not read.ended
