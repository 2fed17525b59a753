"""What a capture file is whose own header is damaged: the records behind it tell."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from forensics.loaders.captures._pcap_format import MAGICS, PcapHeader
from forensics.loaders.captures._pcap_framing import Clock, PcapFraming
from forensics.loaders.captures._pcapng_framing import PcapngFraming
from forensics.loaders.captures._resync import chains

GUESS_BYTES = 128 << 10
"""How far records are looked for."""
FIRST_BYTES = 2048
"""The first record starts before this, unless more than the header is damaged."""
PCAP_RECORDS, PCAPNG_BLOCKS = 3, 2
"""So many in a row are no accident; pcapng states every length twice."""
MAX_LINK_TYPE = 300
"""Greatest LINKTYPE_ value given so far, and a few more."""


def guess(buffer: npt.NDArray[np.uint8], ended: bool) -> PcapHeader | bool | None:
    """Say what the records in a file's first octets are.

    Args:
        buffer: First octets of a file whose header says nothing that makes sense.
        ended: The file ends with them.

    Returns:
        A header for a classic file, whose ``note`` says what was guessed; for pcapng whether it is big-endian;
        None where there are no records.
    """
    part = buffer[:GUESS_BYTES]
    ended = ended and len(part) == len(buffer)
    depths = [_depth(PcapngFraming(part, big), part, ended) for big in (False, True)]
    if max(depths) >= PCAPNG_BLOCKS:
        return depths[1] > depths[0]
    best: tuple[int, int, int] = (PCAP_RECORDS - 1, 0, 0)
    found: PcapHeader | None = None
    for magic, (header_bytes, record_bytes, digits) in MAGICS.items():
        for big in (False, True):
            head = _header(part, big, header_bytes, record_bytes, digits)
            depth = _depth(PcapFraming(head, part, Clock()), part, ended)
            # The same records may fit microseconds and nanoseconds: what is left of the magic number decides.
            rank = (depth, -_distance(part, magic, big), -digits)
            if rank > best and depth >= PCAP_RECORDS:
                best, found = rank, head
    return found


def _depth(framing: PcapFraming | PcapngFraming, buffer: npt.NDArray[np.uint8], ended: bool) -> int:
    known = chains(framing, buffer, 1, len(buffer), ended)
    return max((d for place, d in zip(known.places, known.depths, strict=True) if place < FIRST_BYTES), default=0)


def _distance(buffer: npt.NDArray[np.uint8], magic: int, big: bool) -> int:
    """Bits in which the first octets differ from a magic number."""
    octets = buffer[:4].tobytes().ljust(4, b"\0")
    return (int.from_bytes(octets, "big" if big else "little") ^ magic).bit_count()


def _header(buffer: npt.NDArray[np.uint8], big: bool, header_bytes: int, record_bytes: int, digits: int) -> PcapHeader:
    octets = buffer[:24].tobytes().ljust(24, b"\0")
    snap, link_type = struct.unpack_from((">" if big else "<") + "II", octets, 16)
    usable = link_type <= MAX_LINK_TYPE
    unit = "microseconds" if digits == 6 else "nanoseconds"
    note = f"file header damaged: read as pcap with {unit}, {'big' if big else 'little'}-endian"
    note += f", link type {link_type}" if usable else ", Ethernet assumed"
    return PcapHeader(big, header_bytes, record_bytes, digits, snap, link_type if usable else 1, False, note)
