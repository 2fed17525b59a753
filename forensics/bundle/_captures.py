"""Chosen packets of a capture as a smaller capture: the same kind of file, time stamps, link types and lengths."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import IO

from forensics.bundle._packets import Packet
from forensics.bundle._pseudonyms import Pseudonyms
from forensics.bundle._text import Text
from forensics.evidence import EvidenceFile, open_stream
from forensics.loaders.captures._block import LINK_TYPE_UNKNOWN, Block, Interface
from forensics.loaders.captures._container import BYTE_ORDERS, SECTION, blocks
from forensics.loaders.captures._pcap_format import PcapHeader, header
from forensics.loaders.captures._pcapng_format import IF_DESCRIPTION, IF_NAME, IF_TSRESOL, PACKET, SIMPLE_PACKET
from forensics.loaders.captures._pcapng_format import INTERFACE as DESCRIPTION
from forensics.loaders.captures._pcapng_format import SECTION as SECTION_TYPE

_MICRO, _NANO = 0xA1B2C3D4, 0xA1B23C4D


@dataclass(frozen=True, slots=True)
class Kept:
    """A packet, where it was and where it is now."""

    position: int
    offset_bytes: int
    length_bytes: int
    digest: str
    """Of the original record."""
    now: int
    """Frame number in the bundle."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How packets are changed."""

    own: Pseudonyms | None
    text: Text
    payload: bool
    digest: Callable[[bytes], str]


def share(
    file: EvidenceFile, out: IO[bytes], wanted: Collection[int] | None, cited: Collection[int], cut: Cut
) -> list[Kept]:
    """Write the chosen packets of a capture.

    Args:
        file: The capture.
        out: Where to.
        wanted: Frame numbers; all packets where None.
        cited: Frames to tell the whereabouts of.
        cut: What to leave out and to replace.
    """
    kept: list[Kept] = []
    with open_stream(file) as stream:
        head = stream.peek(64)
        ng = head[:4] == SECTION and head[8:12] in BYTE_ORDERS
        writer: _Pcap | _Pcapng = _Pcapng(out, BYTE_ORDERS[head[8:12]], cut.text) if ng else _Pcap(out, header(head))
        count = 0
        for block in blocks(stream):
            if not isinstance(block, Block):
                continue
            for row in _rows(block, wanted):
                count += 1
                position = int(block.position[row])
                start = int(block.start[row])
                octets = block.buffer[start : start + int(block.captured[row])].tobytes()
                shared = Packet(octets, cut.own, cut.text).shared(int(block.link_type[row]), payload=cut.payload)
                writer.packet(block, row, shared)
                if position in cited:
                    offset, length = int(block.record_offset[row]), int(block.record_length[row])
                    at = offset - block.base_offset
                    raw = block.buffer[at : at + length].tobytes()
                    kept.append(Kept(position, offset, length, cut.digest(raw), count))
        writer.end()
    return kept


def _rows(block: Block, wanted: Collection[int] | None) -> Iterator[int]:
    if wanted is None:
        yield from range(len(block))
    else:
        yield from (row for row, position in enumerate(block.position.tolist()) if position in wanted)


class _Pcap:
    """Writes a classic capture: the byte order and the precision of the original, version 2.4."""

    def __init__(self, out: IO[bytes], head: PcapHeader | str) -> None:
        self._out = out
        self._head = head if isinstance(head, PcapHeader) else None
        self._order = ">" if self._head and self._head.big_endian else "<"
        self._nano = self._head is None or self._head.digits == 9
        self._begun = False

    def _begin(self, link_type: int, snap: int) -> None:
        magic = _NANO if self._nano else _MICRO
        self._out.write(struct.pack(f"{self._order}IHHiIII", magic, 2, 4, 0, 0, snap or 262_144, link_type))
        self._begun = True

    def packet(self, block: Block, row: int, octets: bytes) -> None:
        if not self._begun:
            known = block.interfaces[int(block.interface_id[row])]
            self._begin(int(block.link_type[row]), known.snap_bytes)
        second, rest = divmod(int(block.ts[row]), 10**9)
        fraction = rest if self._nano else rest // 1000
        wire = int(block.wire[row])
        self._out.write(struct.pack(f"{self._order}IIII", second & 0xFFFFFFFF, fraction, len(octets), wire) + octets)

    def end(self) -> None:
        if not self._begun:
            self._begin(self._head.link_type if self._head else 1, self._head.snap_bytes if self._head else 0)


class _Pcapng:
    """Writes a pcapng of one section, with stamps in nanoseconds; comments and other blocks are left out."""

    def __init__(self, out: IO[bytes], big_endian: bool, text: Text) -> None:
        self._out = out
        self._order = ">" if big_endian else "<"
        self._text = text
        self._known: dict[int, int] = {}
        self._block(SECTION_TYPE, struct.pack(f"{self._order}IHHq", 0x1A2B3C4D, 1, 0, -1))

    def _block(self, kind: int, body: bytes) -> None:
        body += bytes(-len(body) % 4)
        size = struct.pack(f"{self._order}I", len(body) + 12)
        self._out.write(struct.pack(f"{self._order}I", kind) + size + body + size)

    def _describe(self, one: Interface) -> None:
        link_type = 147 if one.link_type == LINK_TYPE_UNKNOWN else one.link_type
        body = struct.pack(f"{self._order}HHI", link_type, 0, one.snap_bytes)
        told = [(IF_NAME, one.name), (IF_DESCRIPTION, one.description)]
        options = [(code, self._text(value).encode("utf-8", "replace")) for code, value in told if value]
        for code, value in (*options, (IF_TSRESOL, b"\x09")):
            body += struct.pack(f"{self._order}HH", code, len(value)) + value + bytes(-len(value) % 4)
        self._block(DESCRIPTION, body + bytes(4))

    def packet(self, block: Block, row: int, octets: bytes) -> None:
        index = int(block.interface_id[row])
        if index not in self._known:
            self._known[index] = len(self._known)
            self._describe(block.interfaces[index])
        wire = int(block.wire[row])
        timed = block.ts_valid is None or bool(block.ts_valid[row])
        if not timed and not self._known[index] and len(octets) == wire:
            self._block(SIMPLE_PACKET, struct.pack(f"{self._order}I", wire) + octets)
            return
        ts = int(block.ts[row]) if timed else 0
        head = (self._known[index], ts >> 32 & 0xFFFFFFFF, ts & 0xFFFFFFFF, len(octets), wire)
        self._block(PACKET, struct.pack(f"{self._order}IIIII", *head) + octets)

    def end(self) -> None:
        """Nothing is owed to a pcapng at its end."""


def sha256(data: bytes) -> str:
    """The digest of a cut that is shared under its own names."""
    return hashlib.sha256(data).hexdigest()
