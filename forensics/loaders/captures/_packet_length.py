"""How long a packet was, by its own headers: for records whose header is lost."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

ETHERNET, RAW_IP, LINUX_SLL, LINUX_SLL2 = 1, 101, 113, 276
TAGS = frozenset((0x8100, 0x88A8, 0x9100, 0x9200))
LEAST_ETHERNET_BYTES = 60
"""Without the frame check sequence (IEEE 802.3)."""


def by_its_own_header(buffer: npt.NDArray[np.uint8], start: int, link_type: int) -> list[int]:
    """Lengths that the packet at ``start`` may have had on the wire.

    Args:
        buffer: The octets.
        start: Index of the packet's first octet.
        link_type: LINKTYPE_ value.

    Returns:
        Octets, the likeliest first; nothing where the packet does not say.

    Examples:
        >>> header = bytes(12) + bytes.fromhex("0800 4500 0054")
        >>> by_its_own_header(np.frombuffer(header, np.uint8), 0, 1)
        [98, 102]
    """
    octets = buffer[start : start + 80].tobytes()
    at, kind = 0, None
    if link_type == ETHERNET:
        at = 12
        while int.from_bytes(octets[at : at + 2], "big") in TAGS:
            at += 4
        kind, at = int.from_bytes(octets[at : at + 2], "big"), at + 2
    elif link_type == LINUX_SLL:
        kind, at = int.from_bytes(octets[14:16], "big"), 16
    elif link_type == LINUX_SLL2:
        kind, at = int.from_bytes(octets[0:2], "big"), 20
    elif link_type == RAW_IP:
        kind = {4: 0x0800, 6: 0x86DD}.get(octets[0] >> 4 if octets else 0)
    if kind == 0x0800 and octets[at : at + 1] >= b"\x45" and len(octets) >= at + 4:
        length = at + int.from_bytes(octets[at + 2 : at + 4], "big")
    elif kind == 0x86DD and len(octets) >= at + 6:
        length = at + 40 + int.from_bytes(octets[at + 4 : at + 6], "big")
    elif kind == 0x0806:
        length = at + 28
    elif kind is not None and link_type == ETHERNET and kind <= 1500:
        length = at + kind
    else:
        return []
    lengths = [length, length + 4]
    if link_type == ETHERNET and length < LEAST_ETHERNET_BYTES:
        lengths += [LEAST_ETHERNET_BYTES, LEAST_ETHERNET_BYTES + 4]
    return lengths


def packet_ends(buffer: npt.NDArray[np.uint8], low: int, place: int) -> list[int]:
    r"""Ends of the IP packets that may carry the octet at ``place``, by their own headers.

    Args:
        buffer: The octets.
        low: Index before which no such packet begins.
        place: Index of an octet of the payload.

    Returns:
        Indices behind the packets that begin at most 128 octets before; mostly one or none.

    Examples:
        >>> ip = bytes.fromhex("4500 0030 0000 0000 4011 0000 00000000 00000000 0035 0400 001c 0000")
        >>> packet_ends(np.frombuffer(b"\x08\x00" + ip + bytes(20), np.uint8), 0, 30)
        [50]
    """
    first = max(low, place - 128)
    octets = buffer[first:place].tobytes()
    ends = []
    for kind, version, fixed, place_of_length in ((b"\x08\x00", 4, 0, 2), (b"\x86\xdd", 6, 40, 4)):
        at = octets.find(kind)
        while at >= 0:
            ip = at + 2
            length = int.from_bytes(octets[ip + place_of_length : ip + place_of_length + 2], "big") + fixed
            if ip + 20 <= len(octets) and octets[ip] >> 4 == version and first + ip + length > place:
                ends.append(first + ip + length)
            at = octets.find(kind, at + 1)
    return sorted(ends)
