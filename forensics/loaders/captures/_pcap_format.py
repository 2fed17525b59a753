"""The header of a classic capture file, in all its dialects."""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAGICS = {
    0xA1B2C3D4: (24, 16, 6),  # libpcap
    0xA1B23C4D: (24, 16, 9),  # the same with nanoseconds
    0xA1B2CD34: (24, 24, 6),  # A. Kuznetzov's patches of 1999, with the interface and the protocol in each record
    0x1C0001AC: (28, 16, 9),  # Ixia lcap, hardware: the size of all records follows the file header
    0x1C0001AB: (28, 16, 6),  # Ixia lcap, software
}
"""Octets of the file header, of a record header, and digits of the fraction (wiretap/libpcap.c)."""

MAX_CAPTURED_BYTES = 262_144
"""No capture program keeps more of a packet (WTAP_MAX_PACKET_SIZE_STANDARD), save for these link types."""
MAX_CAPTURED_BY_LINK_TYPE = {231: 128 << 20, 249: 128 << 20, 279: 32 << 20}
"""D-Bus, USBPcap and Elektrobit (wiretap/wtap.h)."""
MAX_WIRE_BYTES = 128 << 20
"""A longer packet is a damaged length: wiretap/libpcap.c takes the same bound for its guesses."""
NEAR_S = 366 * 86_400
"""Time between neighbours that only a damaged header, or a clock being set, explains."""


ARCHAIC = "pcap: major version 1 unsupported"
"""Files of before 1990 have other record headers (libpcap: "archaic pcap savefile format")."""


@dataclass(frozen=True, slots=True)
class PcapHeader:
    """The file header, as far as it matters for reading records."""

    big_endian: bool
    header_bytes: int
    record_bytes: int
    digits: int
    """6 for microseconds, 9 for nanoseconds."""
    snap_bytes: int
    link_type: int
    lengths_swapped: bool | None = False
    """True: the wire length comes first (before 2.3). None: which is which shows in each record (2.3)."""
    note: str = ""
    """What had to be guessed, where the header is damaged."""

    @property
    def max_captured(self) -> int:
        """Captured octets above which a record header is not believed."""
        return MAX_CAPTURED_BY_LINK_TYPE.get(self.link_type, MAX_CAPTURED_BYTES)


def header(head: bytes) -> PcapHeader | str:
    """Read a file header.

    Args:
        head: First octets of the file.

    Returns:
        The header, or why there is none.
    """
    if len(head) < 24:
        return "file header cut short"
    for order in "<>":
        (magic,) = struct.unpack_from(order + "I", head)
        if magic in MAGICS:
            break
    else:
        return "no capture file"
    major, minor, _, _, snap, network = struct.unpack_from(order + "HHiIII", head, 4)
    if major != 2:
        return ARCHAIC if major == 1 else f"pcap: major version {major} unsupported"
    size, record, digits = MAGICS[magic]
    swapped: bool | None = False if minor > 3 else (None if minor == 3 else True)
    link_type = network & 0xFFFF  # the octets above say how long a frame check sequence is
    if magic == 0xA1B2C3D4 and minor == 2 and network in (6, 9, 15, 24):
        # AIX: interface types of RFC 1573 instead of link types, and nanoseconds; lengths as ever
        return PcapHeader(order == ">", size, record, 9, snap, {6: 1, 9: 6, 15: 10, 24: 0}[network], True)
    return PcapHeader(order == ">", size, record, digits, snap, link_type, swapped)
