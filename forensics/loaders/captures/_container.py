"""Capture files of any kind, as blocks of packet records, and the stretches between them."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.loaders._reader import Stretch
from forensics.loaders.captures import _pcap, _pcapng
from forensics.loaders.captures._block import LINK_TYPE_UNKNOWN, Block, Interface, Loss
from forensics.loaders.captures._pcap_format import MAGICS, header
from forensics.loaders.captures._window import CHUNK_BYTES, Source, Window

__all__ = ["LINK_TYPE_UNKNOWN", "Block", "Interface", "Loss", "blocks", "likeness"]


def likeness(head: bytes) -> float:
    """How sure it is, from 0 to 1, that a file with these first octets is a capture."""
    magics = {magic.to_bytes(4, order) for magic in MAGICS for order in ("little", "big")} | {b"\x0a\x0d\x0d\x0a"}
    return 1.0 if head[:4] in magics else 0.0


def blocks(stream: Source, *, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Block | Stretch | Loss]:
    """Read a capture file from its first octet to its last, in memory that does not grow with it.

    Args:
        stream: Anything with ``readinto``, at its first octet.
        chunk_bytes: Octets read at a time; a longer record makes a longer chunk.

    Yields:
        A `Block` per chunk that holds packets, and each `Stretch` that is no packet: file and block headers
        (``framing``), and damage (``gap``, with the frame before it as ``position``). All rows' records and all
        stretches put together cover the source exactly. A `Loss` where the capture says that it lost packets.
    """
    window = Window(stream, chunk_bytes)
    window.advance(0, 1 << 16)
    octets = window.buffer[:64].tobytes()
    if octets[:4] == b"\x0a\x0d\x0d\x0a":
        yield from _pcapng.blocks(window, octets[8:12] == b"\x1a\x2b\x3c\x4d")
        return
    head = header(octets)
    if isinstance(head, str):
        yield from _refused(window, head)
        return
    yield from _pcap.blocks(window, head)


def _refused(window: Window, reason: str) -> Iterator[Stretch]:
    """Account for a source of which nothing is understood, in one stretch."""
    while not window.ended:
        window.advance(len(window))
    size = window.base + len(window)
    if size:
        yield Stretch(0, size, "gap", reason)
