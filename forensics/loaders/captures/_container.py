"""Capture files of any kind, as blocks of packet records, and the stretches between them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from forensics.loaders._reader import Cuts, Stretch
from forensics.loaders.captures import _pcap, _pcapng
from forensics.loaders.captures._block import LINK_TYPE_UNKNOWN, Block, Interface, Loss, Mark
from forensics.loaders.captures._guess import GUESS_BYTES, guess
from forensics.loaders.captures._pcap_format import ARCHAIC, MAGICS, PcapHeader, header
from forensics.loaders.captures._torn import without_torn
from forensics.loaders.captures._window import CHUNK_BYTES, Source, Window

__all__ = ["LINK_TYPE_UNKNOWN", "Block", "Interface", "Loss", "Mark", "blocks", "likeness"]


SECTION = b"\x0a\x0d\x0d\x0a"
BYTE_ORDERS = {b"\x1a\x2b\x3c\x4d": True, b"\x4d\x3c\x2b\x1a": False}
KNOWN = frozenset(magic.to_bytes(4, order) for magic in MAGICS for order in ("little", "big")) | {SECTION}


def likeness(head: bytes) -> float:
    """How sure it is, from 0 to 1, that a file with these first octets (64 KiB are plenty) is a capture.

    A damaged magic number is no obstacle where the records behind it speak for themselves.

    Examples:
        >>> likeness(bytes.fromhex("d4c3b2a1 0200 0400")), likeness(b"Nov 22 14:00:01 compute01 kernel: [0.0]")
        (1.0, 0.0)
    """
    if head[:4] in KNOWN:
        return 1.0
    return 0.8 if len(head) >= 64 and guess(np.frombuffer(head, np.uint8), False) is not None else 0.0


_NONE = Cuts(0)


def blocks(
    stream: Source, *, chunk_bytes: int = CHUNK_BYTES, cuts: Cuts = _NONE
) -> Iterator[Block | Stretch | Loss | Mark]:
    """Read a capture file from its first octet to its last, in memory that does not grow with it.

    Args:
        stream: Anything with ``readinto``, at its first octet.
        chunk_bytes: Octets read at a time; a longer record makes a longer chunk.
        cuts: Where the file is cut, and the slice to read: the stream is at the ``base`` of its mark.

    Yields:
        A `Block` per chunk that holds packets, and each `Stretch` that is no packet: file and block headers
        (``framing``), and damage (``gap``, with the frame before it as ``position``). All rows' records and all
        stretches put together cover the source exactly. A `Loss` where the capture says that it lost packets.
        A `Mark` where the file is cut, if it is.
    """
    for event in without_torn(_blocks(stream, chunk_bytes, cuts), getattr(stream, "gaps", ())):
        yield event
        if cuts.single and isinstance(event, Mark):
            return


def _blocks(stream: Source, chunk_bytes: int, cuts: Cuts) -> Iterator[Block | Stretch | Loss | Mark]:
    window = Window(stream, chunk_bytes)
    if cuts.mark is not None:
        window.begin(cuts.mark["base"], cuts.mark["size"])
        if "pcap" in cuts.mark:
            yield from _pcap.blocks(window, PcapHeader(**cuts.mark["pcap"]), cuts)
        else:
            yield from _pcapng.blocks(window, False, cuts)
        return
    window.advance(0, 64)
    octets = window.buffer[:64].tobytes()
    if octets[:4] == SECTION and octets[8:12] in BYTE_ORDERS:
        yield from _pcapng.blocks(window, BYTE_ORDERS[octets[8:12]], cuts)
        return
    head: PcapHeader | bool | str | None = header(octets)
    if isinstance(head, str):
        reason = head
        window.advance(0, GUESS_BYTES)
        head = None if head == ARCHAIC else guess(window.buffer, window.ended)
    if head is None:
        yield from _refused(window, reason)
    elif isinstance(head, PcapHeader):
        yield from _pcap.blocks(window, head, cuts)
    else:
        yield from _pcapng.blocks(window, head, cuts)


def _refused(window: Window, reason: str) -> Iterator[Stretch]:
    """Account for a source of which nothing is understood, in one stretch."""
    while not window.ended:
        window.advance(len(window))
    size = window.base + len(window)
    if size:
        yield Stretch(0, size, "gap", reason)
