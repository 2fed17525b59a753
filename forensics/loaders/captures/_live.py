"""Packets while they are captured: what a pipe holds now is read now, not when a chunk is full."""

from __future__ import annotations

import io
from collections.abc import Iterator

import polars as pl

from forensics.loaders._reader import Stretch
from forensics.loaders.captures import _container
from forensics.loaders.captures._addresses import AddressBook
from forensics.loaders.captures._block import Block
from forensics.loaders.captures._packet_rows import NAMES, Place, frame, parts

_CHUNK_BYTES = 1 << 20


class LivePipe:
    """What another program writes, as it comes; a source for `forensics.loaders.captures._window.Window`."""

    live = True

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file

    def readinto(self, buffer: memoryview, /) -> int:
        """Take what is there; wait only where there is nothing."""
        octets = self._file.read1(min(len(buffer), _CHUNK_BYTES))
        buffer[: len(octets)] = octets
        return len(octets)


def is_capture(file: io.BufferedReader) -> bool:
    """Whether the file begins as an uncompressed capture does; nothing is taken from it."""
    return _container.likeness(file.peek(64)[:64]) > 0


def packets(file: io.BufferedReader) -> Iterator[pl.DataFrame | str]:
    """The packets of a pipe while it is written; the last one is held back until it is followed by another, or the end.

    Args:
        file: An uncompressed capture, at its first octet.

    Yields:
        Frames with the columns of `forensics.records.Packet`, and for each damaged stretch what is wrong with it.
    """
    place, book = Place("-", None), AddressBook()
    for part in _container.blocks(LivePipe(file), chunk_bytes=_CHUNK_BYTES):
        if isinstance(part, Block):
            for block in parts(part):
                yield frame(block, place, list(NAMES), None, book)
        elif isinstance(part, Stretch) and part.kind == "gap":
            yield f"-: octet {part.offset_bytes}: {part.length_bytes} octets are left out: {part.reason}"
