"""Blocks and options of pcapng (draft-ietf-opsawg-pcapng)."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.loaders.captures._block import LINK_TYPE_UNKNOWN, Interface

SECTION, INTERFACE, OBSOLETE_PACKET, SIMPLE_PACKET, STATISTICS, PACKET = 0x0A0D0D0A, 1, 2, 3, 5, 6
JOURNAL, CUSTOM, CUSTOM_NOT_COPIED = 9, 0xBAD, 0x40000BAD
PACKETS = (PACKET, SIMPLE_PACKET, OBSOLETE_PACKET)
SYSDIG_EVENTS = (0x204, 0x208, 0x216, 0x217, 0x221, 0x222)
COUNTED = (CUSTOM, CUSTOM_NOT_COPIED, JOURNAL, *SYSDIG_EVENTS)
"""No packets, but Wireshark numbers them as frames (wiretap/pcapng.c, 1.99 to 4.6: records that are not internal)."""
NAMES = {
    SECTION: "Section Header Block",
    INTERFACE: "Interface Description Block",
    4: "Name Resolution Block",
    STATISTICS: "Interface Statistics Block",
    JOURNAL: "systemd Journal Export Block",
    10: "Decryption Secrets Block",
    CUSTOM: "Custom Block",
    CUSTOM_NOT_COPIED: "Custom Block (not to be copied)",
    **dict.fromkeys(SYSDIG_EVENTS, "Sysdig Event Block"),
}
BYTE_ORDER_MAGIC = 0x1A2B3C4D
MAX_BLOCK_BYTES = 16 << 20
"""wiretap/pcapng.c: MAX_BLOCK_SIZE."""
MAX_INTERFACES = 1 << 16
"""Of a section; a packet that names a higher one is damaged."""
OPT_END, OPT_COMMENT = 0, 1
IF_NAME, IF_DESCRIPTION, IF_TSRESOL, IF_FILTER, IF_TSOFFSET = 2, 3, 9, 11, 14
ISB_DROPS = {5: "packets dropped by the interface (isb_ifdrop)", 7: "packets dropped by the system (isb_osdrop)"}
EPB_DROPS = 4


def block_name(kind: int) -> str:
    """What to call a block.

    Examples:
        >>> block_name(1), block_name(0x80000001)
        ('Interface Description Block', 'block of unknown type 0x80000001')
    """
    return NAMES.get(kind) or f"block of unknown type {kind:#010x}"


def options(octets: bytes, big_endian: bool) -> Iterator[tuple[int, bytes]]:
    """Options up to the end of the list, or to the first one that does not fit."""
    order = "big" if big_endian else "little"
    place = 0
    while place + 4 <= len(octets):
        code = int.from_bytes(octets[place : place + 2], order)  # type: ignore[arg-type]
        length = int.from_bytes(octets[place + 2 : place + 4], order)  # type: ignore[arg-type]
        if code == OPT_END or place + 4 + length > len(octets):
            return
        yield code, octets[place + 4 : place + 4 + length]
        place += 4 + length + -length % 4


def text(octets: bytes) -> str:
    """Text of an option; what is no UTF-8 stays visible and reversible."""
    return octets.rstrip(b"\0").decode("utf-8", "backslashreplace")


def interface(body: bytes, big_endian: bool, section: int, number: int) -> Interface:
    """Read an Interface Description Block.

    Args:
        body: The block without its lengths and type.
        big_endian: Byte order of the section.
        section: Number of the section.
        number: Number of the interface in it.

    Examples:
        >>> interface(bytes.fromhex("0100 0000 60000000 0200 0400 65746830 0900 0100 09000000"), False, 1, 0).units
        (10, 9)
    """
    order = "big" if big_endian else "little"
    if len(body) < 8:
        return unknown_interface(section, number)
    link_type = int.from_bytes(body[0:2], order)  # type: ignore[arg-type]
    snap = int.from_bytes(body[4:8], order)  # type: ignore[arg-type]
    units, offset_s = (10, 6), 0
    name = description = rule = None
    for code, value in options(body[8:], big_endian):
        if code == IF_NAME:
            name = text(value)
        elif code == IF_DESCRIPTION:
            description = text(value)
        elif code == IF_FILTER and value:
            rule = text(value[1:]) if value[0] == 0 else value[1:].hex()
        elif code == IF_TSRESOL and value:
            units = (2 if value[0] & 0x80 else 10, value[0] & 0x7F)
        elif code == IF_TSOFFSET and len(value) == 8:
            offset_s = int.from_bytes(value, order, signed=True)  # type: ignore[arg-type]
    return Interface(section, number, link_type, snap, units, offset_s, name, description, rule)


def unknown_interface(section: int, number: int) -> Interface:
    """Stands for an interface that packets name and no sound block describes."""
    return Interface(section, number, LINK_TYPE_UNKNOWN, 0, described=False)
